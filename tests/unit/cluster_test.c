/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated cluster, on worlds small enough to be worked out by hand: what runs when and where, what each failure
 * does, that broken promises are noticed, and that nothing from outside gets into the report unescaped.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "extender/snapshot.h"
#include "sim/cluster_internal.h"
#include "sim/cluster_plot.h"
#include "sim/cluster_report.h"

#define BEGIN (INT64_C(1672531200) * SECOND_MS) /* 2023-01-01T00:00Z */

static char signals_path[64], jobs_path[64], nodes_path[64];

static void put(char path[64], const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* Three days of half hours. a: 300 g and 100, but 50 g and 20 from 12:00 to 15:00; b: 200 g throughout. */
static void write_signals(const char *a, const char *b)
{
	FILE *f = fopen(signals_path, "w");
	char time[TIME_TEXT];

	assert_non_null(f);
	fprintf(f, "time_utc,zone,carbon_g_per_kwh,price_per_mwh\n");
	for (int i = 0; i < 144; i++) {
		bool low = i % 48 >= 24 && i % 48 < 30;

		(void)time_format(BEGIN + i * SLOT_MS, time);
		fprintf(f, "%s,%s,%d,%d\n", time, a, low ? 50 : 300, low ? 20 : 100);
		fprintf(f, "%s,%s,200,90\n", time, b);
	}
	assert_int_equal(fclose(f), 0);
}

/* One run of a world. */
struct sample {
	struct cluster_grid *grid;
	struct cluster_nodes nodes;
	struct trace *trace;
	struct cluster_series series;
	struct cluster_config config;
	struct cluster_totals totals;
	char *rows;
	size_t rows_len;
};

static void open_sample(struct sample *s, const char *jobs, const char *nodes, const char *failures)
{
	struct error err = ERROR_INIT;

	*s = (struct sample){ .rows = NULL };
	put(jobs_path, jobs);
	put(nodes_path, nodes);
	assert_int_equal(cluster_grid_open(signals_path, "perfect", 48 * HOUR_MS, &s->grid, &err), 0);
	const struct signals *truth = cluster_grid_truth(s->grid);
	assert_int_equal(nodes_load(&s->nodes, nodes_path, truth, &err), 0);
	assert_int_equal(trace_open(jobs_path, truth, &s->trace, &err), 0);
	assert_int_equal(series_init(&s->series, truth, &err), 0);
	assert_int_equal(faults_parse(failures, &s->config.faults, &err), 0);
	s->config.grid = s->grid;
	s->config.nodes = &s->nodes;
	s->config.trace = s->trace;
	s->config.series = &s->series;
	s->config.weight_carbon = 60;
	s->config.weight_cost = 30;
	s->config.weight_delay = 10;
}

static void run(struct sample *s)
{
	struct error err = ERROR_INIT;

	s->config.out = open_memstream(&s->rows, &s->rows_len);
	assert_int_equal(cluster_run(&s->config, &s->totals, &err), 0);
	assert_int_equal(fclose(s->config.out), 0);
}

static void close_sample(struct sample *s)
{
	series_release(&s->series);
	trace_free(s->trace);
	nodes_release(&s->nodes);
	cluster_grid_free(s->grid);
	free(s->rows);
}

static int64_t broken(const struct cluster_totals *t)
{
	int64_t n = 0;

	for (int v = 0; v < CLUSTER_VIOLATIONS; v++)
		n += t->violations[v];
	return n;
}

#define J "id,arrival_utc,duration_s,power_w,latest_finish_utc,zones,pods,cpu,urgency\n"
#define N "name,zone,cpu_cores,memory_gib,idle_w,peak_w,count\n"

/* A kilowatt for an hour waits for noon at home; one that may go to b at once does; a critical one does not wait. */
static void test_shifts(void **state)
{
	struct sample s;

	(void)state;
	open_sample(&s,
		    J "later,2023-01-01T06:00:00Z,3600,1000,2023-01-02T00:00:00Z,a,1,1,\n"
		      "there,2023-01-01T16:00:00Z,3600,1000,2023-01-01T20:00:00Z,a|b,2,1,\n"
		      "now,2023-01-01T17:00:00Z,3600,1000,2023-01-02T20:00:00Z,a,1,1,Critical\n",
		    N "n,a,4,8,100,200,2\nm,b,4,8,,,\n", NULL);
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_true(s.totals.jobs == 3 && s.totals.ours.completed == 3 && s.totals.baseline.completed == 3);
	/* 50 + 200 + 300 g, against 3 x 300 g. */
	assert_int_equal(s.totals.ours.energy, 3000000);
	assert_int_equal(s.totals.ours.carbon, 550000);
	assert_int_equal(s.totals.baseline.carbon, 900000);
	assert_int_equal(s.totals.ours.cost, 20000 + 90000 + 100000);
	assert_int_equal(s.totals.baseline.cost, 300000);
	/* The operator's own accounts say the same, and of which kind it was. */
	assert_int_equal(s.totals.split_jobs, 3);
	assert_int_equal(s.totals.time.carbon, 250000);
	assert_int_equal(s.totals.place.carbon, 100000);
	assert_int_equal(s.totals.split_total.carbon, 350000);
	assert_non_null(strstr(s.rows, "later,a,a,completed,2023-01-01T06:00:00Z,1,"));
	assert_non_null(strstr(s.rows, "there,a,b,completed,2023-01-01T16:00:00Z,2,"));
	assert_true(s.totals.ours.waits[0] == 2 && s.totals.baseline.waits[0] == 3);
	close_sample(&s);
}

/* What is in the series adds up to the figures. */
static void test_series(void **state)
{
	struct sample s;
	double energy = 0, carbon = 0;

	(void)state;
	open_sample(&s, J "x,2023-01-01T06:10:00Z,5000,720,2023-01-01T07:00:00Z,a,1,1,\n", N "n,a,4,8,100,200,1\n",
		    NULL);
	run(&s);
	for (int i = 0; i < s.series.n * 2; i++) {
		energy += s.series.side[SERIES_OURS].energy_wh[i];
		carbon += s.series.side[SERIES_OURS].carbon_g[i];
	}
	assert_true(fabs(energy - 1000) < 1e-6 && fabs(carbon - 300) < 1e-6);
	assert_int_equal(s.series.first, 12);
	assert_int_equal(s.series.last, 15); /* 06:10 and 5000 s: until 07:33 */
	close_sample(&s);
}

/* One core for three: they follow each other on both sides, and what starts late for that is told apart. */
static void test_no_room(void **state)
{
	struct sample s;

	(void)state;
	open_sample(&s,
		    J "x,2023-01-01T02:00:00Z,7200,100,2023-01-01T05:00:00Z,a,1,1,\n"
		      "y,2023-01-01T02:00:00Z,7200,100,2023-01-01T05:00:00Z,a,1,1,\n"
		      "z,2023-01-01T02:00:00Z,7200,100,2023-01-01T05:00:00Z,a,1,1,\n",
		    N "n,a,1,8,100,200,1\n", NULL);
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_true(s.totals.ours.completed == 3 && s.totals.ours.waited_for_room == 2);
	assert_int_equal(s.totals.late_no_room, 2);
	assert_true(s.totals.ours.missed_deadlines == 2 && s.totals.baseline.missed_deadlines == 2);
	close_sample(&s);
}

/* What fits on no node is not lost: it still waits at the end. */
static void test_never_fits(void **state)
{
	struct sample s;

	(void)state;
	open_sample(&s, J "big,2023-01-01T02:00:00Z,7200,100,,a,1,64,\n", N "n,a,1,8,,,\n", NULL);
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_true(s.totals.unfinished == 1 && s.totals.ours.completed == 0);
	assert_non_null(strstr(s.rows, ",unfinished,"));
	close_sample(&s);
}

/* 40 jobs through all failures at once: all are completed or failed, and nothing is broken. */
static void test_failures(void **state)
{
	char jobs[8192];
	size_t len = (size_t)snprintf(jobs, sizeof(jobs), "%s", J);
	struct sample s;

	(void)state;
	for (int i = 0; i < 40; i++)
		len += (size_t)snprintf(jobs + len, sizeof(jobs) - len,
					"j%d,2023-01-01T%02d:%02d:00Z,3600,100,2023-01-02T%02d:00:00Z,a|b,2,1,\n", i,
					i / 2, i % 2 * 30, i / 2);
	open_sample(&s, jobs, N "n,a,8,8,100,200,4\nm,b,8,8,100,200,4\n",
		    "node:1/day:30m,operator:24/day:300s,provider:4/day:2h,evict:6/day,conflict:0.2,seed:3");
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_int_equal(s.totals.ours.completed + s.totals.ours.failed, 40);
	for (int k = 0; k < FAULT_KINDS; k++)
		assert_true(s.totals.faults[k] > 0);
	assert_true(s.totals.pods_lost > 0 && s.totals.ours.lost_energy > 0 && s.totals.conflicts > 0);
	assert_true(s.totals.operator_down_ms == s.totals.faults[FAULT_OPERATOR] * 300 * SECOND_MS ||
		    s.totals.operator_down_ms == (s.totals.faults[FAULT_OPERATOR] - 1) * 300 * SECOND_MS);
	/* Lost work is drawn and paid for, too. */
	assert_true(s.totals.ours.energy == s.totals.ours.lost_energy + 40 * INT64_C(100000) ||
		    s.totals.ours.failed > 0);
	close_sample(&s);
}

/* An operator that is away when the latest start passes: late, but nobody's promise is broken. */
static void test_outage(void **state)
{
	struct sample s;

	(void)state;
	open_sample(&s, J "x,2023-01-01T11:00:00Z,3600,100,2023-01-01T13:40:00Z,a,1,1,\n", N "n,a,8,8,100,200,1\n",
		    "operator:2000/day:3h,seed:1");
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_true(s.totals.ours.completed == 1 && s.totals.late_outage == 1);
	assert_int_equal(s.totals.ours.missed_deadlines, 1);
	close_sample(&s);
}

/* A pod that never lives long enough: the seventh loss fails the Job, as Kubernetes does. */
static void test_backoff_limit(void **state)
{
	struct sample s;

	(void)state;
	open_sample(&s, J "x,2023-01-01T02:00:00Z,86400,100,,a,1,1,\n", N "n,a,8,8,100,200,1\n", "evict:500/day");
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_true(s.totals.ours.failed == 1 && s.totals.baseline.failed == 1);
	assert_int_equal(s.totals.pods_lost, 7);
	assert_int_equal(s.totals.ours.lost_energy, s.totals.ours.energy);
	close_sample(&s);
}

/* Data older than six hours are none: the job runs at once instead of waiting for noon. */
static void test_no_data(void **state)
{
	const char *jobs = J "early,2023-01-01T00:00:00Z,60,100,,a,1,1,\n"
			     "x,2023-01-01T08:00:00Z,3600,100,2023-01-01T20:00:00Z,a,1,1,\n";
	struct sample s;

	(void)state;
	open_sample(&s, jobs, N "n,a,8,8,100,200,1\n", "provider:5000/day:3d");
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_true(s.totals.faults[FAULT_PROVIDER] == 1 && s.totals.ours.waits[0] == 2);
	assert_int_equal(s.totals.ours.carbon, s.totals.baseline.carbon);
	close_sample(&s);
	open_sample(&s, jobs, N "n,a,8,8,100,200,1\n", NULL);
	run(&s);
	assert_int_equal(s.totals.ours.waits[0], 1);
	close_sample(&s);
}

/* A hard limit that no start meets is refused at the latest start, and is no lost job. */
static void test_hard_limit(void **state)
{
	struct sample s;

	(void)state;
	open_sample(&s,
		    "id,arrival_utc,duration_s,power_w,latest_finish_utc,zones,max_carbon_g_per_kwh\n"
		    "x,2023-01-01T16:00:00Z,3600,100,2023-01-01T20:00:00Z,a,100\n",
		    N "n,a,8,8,100,200,1\n", NULL);
	run(&s);
	assert_int_equal(broken(&s.totals), 0);
	assert_true(s.totals.limit_unmet == 1 && s.totals.ours.completed == 0 && s.totals.baseline.completed == 1);
	assert_non_null(strstr(s.rows, ",limit-unmet,"));
	close_sample(&s);
}

/* ---- the watch itself ---- */

struct by_hand {
	struct sample s;
	struct world w;
	struct sim_job *job;
};

/* A world with one job that has just arrived, and nobody who reconciles. */
static void by_hand(struct by_hand *h)
{
	struct world *w = &h->w;

	open_sample(&h->s, J "x,2023-01-01T06:00:00Z,3600,1000,2023-01-02T00:00:00Z,a,1,1,\n", N "n,a,4,8,100,200,2\n",
		    NULL);
	*w = (struct world){ .config = &h->s.config, .totals = &h->s.totals, .truth = cluster_grid_truth(h->s.grid) };
	w->now_ms = BEGIN + 6 * HOUR_MS;
	machines_init(w);
	operator_init(w);
	w->operator.up = false;
	h->job = calloc(1, sizeof(*h->job));
	assert_int_equal(trace_next(h->s.trace, &h->job->trace, &(struct error){ .code = ERR_NONE }), 1);
	arena_init(&h->job->names, 1024, 1 << 20);
	h->job->run[SERIES_OURS].start_ms = h->job->run[SERIES_OURS].placed_ms = TIME_NONE;
	h->job->run[SERIES_BASELINE].allowed[0] = 1;
	server_submit(w, h->job);
}

static void by_hand_release(struct by_hand *h)
{
	object_unref(h->job->caj);
	object_unref(h->job->job);
	operator_forget(h->job);
	for (int i = 0; i < SERIES_SIDES; i++)
		run_release(&h->job->run[i]);
	arena_release(&h->job->names);
	free(h->job);
	operator_release(&h->w);
	machines_release(&h->w);
	events_release(&h->w.events);
	close_sample(&h->s);
}

static void test_two_jobs_and_unrecorded(void **state)
{
	struct plan_affinity nowhere = { .regions = "b" };
	struct body_release release = { .affinity = &nowhere };
	struct by_hand h;
	struct caj_status status;
	struct arena arena;

	(void)state;
	by_hand(&h);
	assert_int_equal(server_create_job(&h.w, h.job), WRITE_DONE);
	assert_int_equal(server_create_job(&h.w, h.job), WRITE_CONFLICT); /* 409 */
	assert_int_equal(broken(&h.s.totals), 0);
	/* Confined to the zone without a node, so that nothing runs; not recorded, and before its time. */
	nowhere.allowed = (const char *const[]){ "b" };
	nowhere.n_allowed = 1;
	h.w.now_ms -= HOUR_MS;
	release.released_ms = h.w.now_ms;
	assert_int_equal(server_release_job(&h.w, h.job, h.job->job, &release), WRITE_DONE);
	assert_int_equal(h.s.totals.violations[CLUSTER_UNRECORDED], 1);
	assert_int_equal(h.s.totals.violations[CLUSTER_TOO_EARLY], 1);
	assert_int_equal(h.w.machines[SERIES_OURS].waiting.len, 1);
	/* Once it is recorded another Job is one too many, even if the first is gone. */
	arena_init(&arena, 4096, 1 << 20);
	caj_status_copy(&carbonawarejob_of(h.job->caj)->status, &arena, &status);
	status.job_uid = h.job->job->meta.uid;
	assert_int_equal(server_status(&h.w, h.job, h.job->caj, &status), WRITE_DONE);
	assert_int_equal(server_status(&h.w, h.job, NULL, &status), WRITE_CONFLICT);
	object_unref(h.job->job);
	h.job->job = NULL;
	assert_int_equal(server_create_job(&h.w, h.job), WRITE_DONE);
	assert_int_equal(h.s.totals.violations[CLUSTER_TWO_JOBS], 1);
	arena_release(&arena);
	by_hand_release(&h);
}

static void test_too_late(void **state)
{
	const struct plan_affinity nowhere = { .regions = "b",
					       .allowed = (const char *const[]){ "b" },
					       .n_allowed = 1 };
	struct body_release release = { .affinity = &nowhere };
	struct by_hand h;

	(void)state;
	for (int i = 0; i < 2; i++) {
		by_hand(&h);
		assert_int_equal(server_create_job(&h.w, h.job), WRITE_DONE);
		h.w.now_ms = BEGIN + DAY_MS;
		h.w.operator.up_since_ms = i ? BEGIN + 23 * HOUR_MS + 1 : 0;
		release.released_ms = h.w.now_ms;
		assert_int_equal(server_release_job(&h.w, h.job, h.job->job, &release), WRITE_DONE);
		assert_int_equal(h.s.totals.violations[CLUSTER_TOO_LATE], !i);
		assert_int_equal(h.s.totals.late_outage, i);
		by_hand_release(&h);
	}
}

/* An object that goes away while its Job runs, or before it ran at all, and one that is written again and again. */
static void test_lost_and_chatter(void **state)
{
	struct by_hand h;

	(void)state;
	for (int runs = 0; runs < 2; runs++) {
		by_hand(&h);
		assert_int_equal(server_create_job(&h.w, h.job), WRITE_DONE);
		h.job->run[SERIES_OURS].let_go = runs;
		assert_int_equal(server_delete_caj(&h.w, h.job, h.job->job), WRITE_CONFLICT);
		assert_int_equal(broken(&h.s.totals), 0);
		assert_int_equal(server_delete_caj(&h.w, h.job, h.job->caj), WRITE_DONE);
		assert_int_equal(h.s.totals.violations[CLUSTER_LOST], 1);
		by_hand_release(&h);
	}
	by_hand(&h);
	for (int i = 0; i < 1200; i++)
		assert_int_equal(server_status(&h.w, h.job, h.job->caj, &carbonawarejob_of(h.job->caj)->status),
				 WRITE_DONE);
	assert_int_equal(h.s.totals.violations[CLUSTER_TOO_MANY_WRITES], 1);
	by_hand_release(&h);
}

/* Half of the deaths come with a write: before it is carried out, or after. */
static void test_dies_at_a_write(void **state)
{
	struct by_hand h;

	(void)state;
	for (int after = 0; after < 2; after++) {
		by_hand(&h);
		h.w.operator.up = true;
		h.w.operator.dies_at_write = 1 + after;
		assert_int_equal(server_create_job(&h.w, h.job), WRITE_CRASHED);
		assert_true(!h.w.operator.up &&(h.job->job != NULL) == after);
		assert_int_equal(h.s.totals.faults[FAULT_OPERATOR], 1);
		by_hand_release(&h);
	}
}

/* A paused Job that goes on elsewhere: its pods do, with what they had done. */
static void test_moves(void **state)
{
	const struct plan_affinity to_a = { .regions = "a,b", .allowed = (const char *const[]){ "a" }, .n_allowed = 1 };
	const struct plan_affinity to_b = { .regions = "a,b", .allowed = (const char *const[]){ "b" }, .n_allowed = 1 };
	struct body_release first = { .affinity = &to_a, .region = "a" }, then = { .affinity = &to_b, .region = "b" };
	struct sim_run *r;
	struct by_hand h;
	struct event e;

	(void)state;
	by_hand(&h);
	r = &h.job->run[SERIES_OURS];
	h.job->trace.may_pause = true;
	h.w.snapshot = extender_snapshot_new(NULL, 0, NULL, 0, HOUR_MS);
	assert_int_equal(server_create_job(&h.w, h.job), WRITE_DONE);
	first.released_ms = h.w.now_ms;
	assert_int_equal(server_release_job(&h.w, h.job, h.job->job, &first), WRITE_DONE);
	assert_true(events_pop(&h.w.events, &e) && e.kind == EVENT_POD_RUNS);
	machines_event(&h.w, &e);
	h.w.now_ms += 20 * MINUTE_MS;
	assert_int_equal(server_pause_job(&h.w, h.job, h.job->job, h.w.now_ms), WRITE_DONE);
	assert_true(job_of(h.job->job)->suspend && job_of(h.job->job)->start_ms == TIME_NONE);
	assert_true(condition_is_true(&job_of(h.job->job)->conditions, "Suspended"));
	then.released_ms = h.w.now_ms;
	assert_int_equal(server_release_job(&h.w, h.job, h.job->job, &then), WRITE_DONE);
	/* There is no node in b. */
	assert_true(r->active == 1 && h.w.machines[SERIES_OURS].waiting.len == 1);
	assert_int_equal(r->pods.ptr[1].done_ms, 20 * MINUTE_MS);
	assert_int_equal(h.s.totals.violations[CLUSTER_RAN_TWICE] + h.s.totals.violations[CLUSTER_OUTSIDE], 0);
	extender_snapshot_unref(h.w.snapshot);
	by_hand_release(&h);
}

static void test_ran_twice(void **state)
{
	struct by_hand h;

	(void)state;
	by_hand(&h);
	run_start(&h.w, h.job, SERIES_BASELINE);
	assert_int_equal(broken(&h.s.totals), 0);
	run_start(&h.w, h.job, SERIES_BASELINE);
	assert_int_equal(h.s.totals.violations[CLUSTER_RAN_TWICE], 1);
	by_hand_release(&h);
}

/* Suspended, the pods go and give their room back; let go again, what may pause goes on where it was. */
static void test_suspend(void **state)
{
	struct by_hand h;
	struct sim_run *r;
	struct event e;

	(void)state;
	for (int pauses = 0; pauses < 2; pauses++) {
		by_hand(&h);
		r = &h.job->run[SERIES_BASELINE];
		h.job->trace.may_pause = pauses;
		run_start(&h.w, h.job, SERIES_BASELINE);
		assert_true(events_pop(&h.w.events, &e) && e.kind == EVENT_POD_RUNS);
		machines_event(&h.w, &e);
		h.w.now_ms += 20 * MINUTE_MS;
		run_stop(&h.w, h.job, SERIES_BASELINE);
		assert_true(r->active == 0 && r->pods.len == 1 && fabs(r->sum.energy_wh - 1000.0 / 3) < 1e-6);
		assert_int_equal(h.w.machines[SERIES_BASELINE].items[0].cpu_milli, 4000);
		run_start(&h.w, h.job, SERIES_BASELINE);
		/* The first pod's end is stale; the second one's start and end. */
		for (int i = 0; i < 3; i++) {
			assert_true(events_pop(&h.w.events, &e));
			h.w.now_ms = MAX(h.w.now_ms, e.at_ms);
			machines_event(&h.w, &e);
		}
		assert_true(r->finished && r->succeeded == 1);
		assert_true(fabs(r->sum.energy_wh - (pauses ? 1000 : 1000 + 1000.0 / 3)) < 1e-6);
		assert_int_equal(broken(&h.s.totals), 0);
		by_hand_release(&h);
	}
}

/* ---- parts ---- */

static void test_events(void **state)
{
	struct event_queue q = { .len = 0 };
	struct event e, last = { .at_ms = -1 };
	uint64_t rng = 7;

	(void)state;
	for (int i = 0; i < 2000; i++)
		events_push(&q, (struct event){ .at_ms = (int64_t)(rand_next(&rng) % 100) });
	for (int i = 0; i < 2000; i++) {
		assert_true(events_pop(&q, &e));
		assert_true(e.at_ms > last.at_ms || (e.at_ms == last.at_ms && e.number > last.number));
		last = e;
	}
	assert_false(events_pop(&q, &e));
	events_release(&q);
}

static void test_faults(void **state)
{
	static const char *const bad[] = { "node",
					   "node:1",
					   "node:1/week",
					   "node:-1/day",
					   "node:1/day:",
					   "node:1/day:5",
					   "evict:1/day:1h",
					   "conflict:1",
					   "conflict:x",
					   "meteor:1/day",
					   "node:1/day,node:1/day",
					   "seed:x",
					   "seed:1:2",
					   "node:1/day:1h:1",
					   ",",
					   "node:nan/day" };
	struct error err = ERROR_INIT;
	struct faults f;
	uint64_t rng = 1;
	double sum = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(faults_parse(bad[i], &f, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.msg, "--failures"));
	}
	assert_int_equal(faults_parse(NULL, &f, &err), 0);
	assert_true(faults_next(&f, FAULT_NODE, &rng) > 1000 * 365 * DAY_MS);
	assert_int_equal(faults_parse("node:2/day:90m, provider:1/hour,seed:9,conflict:0.25", &f, &err), 0);
	assert_true(f.kind[FAULT_NODE].length_ms == 90 * MINUTE_MS && f.kind[FAULT_PROVIDER].length_ms == 3 * HOUR_MS);
	assert_true(f.seed == 9 && f.conflict_share == 0.25);
	for (int i = 0; i < 20000; i++)
		sum += (double)faults_next(&f, FAULT_NODE, &rng);
	assert_true(fabs(sum / 20000 / (double)(12 * HOUR_MS) - 1) < 0.03);
}

static void test_nodes(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "name,zone,cpu_cores\nn,a,1\n", "memory_gib" },
		{ N "n,a,1,1,,,\nn,c,1,1,,,\n", ":3: column 'zone': the signals have no zone 'c'" },
		{ N "N,a,1,1,,,\n", ":2: column 'name'" },
		{ N "n,a,nan,1,,,\n", ":2: column 'cpu_cores'" },
		{ N "n,a,1,1,5,,\n", ":2: column 'peak_w': give both" },
		{ N "n,a,1,1,5,4,\n", ":2: column 'peak_w': must not be below idle_w" },
		{ N "n,a,1,1,,,20000\nm,a,1,1,,,1\n", ":3: more than 20000 nodes" },
		{ "name,zone,cpu_cores,memory_gib,colour\nn,a,1,1,red\n", "unknown column" },
		{ N, "no node" },
	};
	struct error err = ERROR_INIT;
	struct cluster_grid *grid = NULL;
	struct cluster_nodes n = { .n = 0 };

	(void)state;
	assert_int_equal(cluster_grid_open(signals_path, "perfect", HOUR_MS, &grid, &err), 0);
	const struct signals *s = cluster_grid_truth(grid);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put(nodes_path, bad[i].text);
		assert_int_equal(nodes_load(&n, nodes_path, s, &err), -1);
		assert_non_null(strstr(err.msg, nodes_path));
		assert_non_null(strstr(err.msg, bad[i].says));
	}
	put(nodes_path, N "n,b,1.5,2,100,250.5,2\nm,a,4,8,,,\n");
	assert_int_equal(nodes_load(&n, nodes_path, s, &err), 0);
	assert_int_equal(n.n, 3);
	assert_string_equal(n.items[1].ready->obj.meta.name, "n-2");
	assert_string_equal(object_label(&n.items[1].ready->obj, LABEL_REGION), "b");
	assert_string_equal(object_annotation(&n.items[1].ready->obj, ANNOTATION_PEAK_WATTS), "250.500");
	assert_true(n.items[0].cpu_milli == 1500 && n.items[0].zone == 1 && !n.items[0].lost->ready);
	assert_string_equal(n.items[2].ready->obj.meta.name, "m");
	nodes_release(&n);
	cluster_grid_free(grid);
}

static void test_trace_errors(void **state)
{
	static const struct {
		const char *row, *says;
	} bad[] = {
		{ "x,2023-01-01T02:00:00Z,60,1,,a,1,1,\ny,2023-01-01T01:00:00Z,60,1,,a,1,1,\n",
		  ":3: job 'y' arrives before" },
		{ "x,2022-12-31T02:00:00Z,60,1,,a,1,1,\n",
		  ":2: job 'x' arrives at 2022-12-31T02:00:00Z, before the signals" },
		{ "x,2023-01-03T23:59:00Z,3600,1,,a,1,1,\n", ":2: job 'x' may run until" },
		{ "x,2023-01-03T02:00:00Z,60,1,2023-02-01T00:00:00Z,a,1,1,\n", ":2: job 'x' may run until" },
		{ "x,2023-01-01T02:00:00Z,60,1,,a,0,1,\n", ":2: column 'pods'" },
		{ "x,2023-01-01T02:00:00Z,60,1,,a,1,0,\n", ":2: column 'cpu'" },
	};
	struct error err = ERROR_INIT;
	struct cluster_grid *grid = NULL;

	(void)state;
	assert_int_equal(cluster_grid_open(signals_path, "perfect", HOUR_MS, &grid, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct trace *t = NULL;
		struct trace_job job;
		char text[512];
		int got = 1;

		(void)snprintf(text, sizeof(text), "%s%s", J, bad[i].row);
		put(jobs_path, text);
		assert_int_equal(trace_open(jobs_path, cluster_grid_truth(grid), &t, &err), 0);
		while (got > 0)
			got = trace_next(t, &job, &err);
		assert_int_equal(got, -1);
		assert_non_null(strstr(err.msg, bad[i].says));
		trace_free(t);
	}
	cluster_grid_free(grid);
}

static void test_synthetic(void **state)
{
	static const char *const bad[] = { "batch",       "batch:10",   "batch:0:1",   "batch:x:1",
					   "batch:10:-1", "games:10:1", "batch:1e9:1", "batch:10:1:1" };
	struct error err = ERROR_INIT;
	struct cluster_grid *grid = NULL;
	uint64_t hash[3] = { 0 };
	int n[3] = { 0 };

	(void)state;
	assert_int_equal(cluster_grid_open(signals_path, "perfect", HOUR_MS, &grid, &err), 0);
	const struct signals *s = cluster_grid_truth(grid);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct trace *t = NULL;

		assert_int_equal(trace_make(bad[i], s, BEGIN, BEGIN + DAY_MS, &t, &err), -1);
		assert_non_null(strstr(err.msg, "--synthetic"));
	}
	for (int i = 0; i < 3; i++) {
		struct trace *t = NULL;
		struct trace_job job, last = { .arrival_ms = BEGIN };

		assert_int_equal(
			trace_make(i < 2 ? "mixed:2000:1" : "mixed:2000:2", s, BEGIN, BEGIN + 2 * DAY_MS, &t, &err), 0);
		while (trace_next(t, &job, &err) > 0) {
			assert_true(job.arrival_ms >= last.arrival_ms && job.arrival_ms < BEGIN + 2 * DAY_MS);
			assert_true(MAX(job.latest_finish_ms, job.arrival_ms + job.duration_ms) <= signals_end_ms(s));
			assert_true(job.latest_finish_ms == TIME_NONE ||
				    job.latest_finish_ms >= job.arrival_ms + job.duration_ms + HOUR_MS);
			assert_true(job.n_zones >= 1 && job.pods >= 1 && job.cpu_milli >= 1000);
			hash[i] = hash[i] * 31 + (uint64_t)job.arrival_ms + (uint64_t)job.duration_ms;
			n[i]++;
			last = job;
		}
		trace_free(t);
	}
	assert_true(hash[0] == hash[1] && hash[0] != hash[2]);
	/* A Sunday and a Monday; some of the second day's would run past the end of the signals. */
	assert_true(n[0] > 2200 && n[0] < 4000);
	cluster_grid_free(grid);
}

/* ---- the report ---- */

static void test_report_escapes(void **state)
{
	static const char evil[] = "<script>alert('x')</script>&\"\x01\xff";
	struct sample s;
	char *text = NULL, *page = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	plot_escape(evil, f);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;?");
	free(text);
	write_signals("<b>&'x", "b");
	open_sample(&s, J "x,2023-01-01T06:00:00Z,3600,1000,2023-01-02T00:00:00Z,<b>&'x,1,1,\n",
		    N "n,b,4,8,100,200,2\n", NULL);
	write_signals("a", "b");
	run(&s);
	f = open_memstream(&page, &len);
	report_write(&(struct report){ .config = &s.config,
				       .totals = &s.totals,
				       .series = &s.series,
				       .signals = evil,
				       .jobs = evil,
				       .forecast = evil,
				       .failures = evil,
				       .attribution = evil },
		     f);
	assert_int_equal(fclose(f), 0);
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<b>&"));
	assert_non_null(strstr(page, "&lt;b&gt;&amp;&#39;x"));
	assert_null(strstr(page, "http"));
	assert_null(strstr(page, "nan"));
	free(page);
	close_sample(&s);
}

static void test_numbers(void **state)
{
	char text[PLOT_NUMBER];

	(void)state;
	assert_string_equal(plot_number(1234.5, text), "1234");
	assert_string_equal(plot_number(12.345, text), "12.3");
	assert_string_equal(plot_number(-1.234, text), "-1.23");
	assert_string_equal(plot_number(0.1234, text), "0.123");
	assert_string_equal(plot_number(0, text), "0");
	assert_string_equal(plot_number(NAN, text), "-");
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(signals_path, sizeof(signals_path), "/tmp/cluster_test.%ld.signals", (long)getpid());
	(void)snprintf(jobs_path, sizeof(jobs_path), "/tmp/cluster_test.%ld.jobs", (long)getpid());
	(void)snprintf(nodes_path, sizeof(nodes_path), "/tmp/cluster_test.%ld.nodes", (long)getpid());
	write_signals("a", "b");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(signals_path);
	(void)unlink(jobs_path);
	(void)unlink(nodes_path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shifts),          cmocka_unit_test(test_series),
		cmocka_unit_test(test_no_room),         cmocka_unit_test(test_never_fits),
		cmocka_unit_test(test_failures),        cmocka_unit_test(test_outage),
		cmocka_unit_test(test_backoff_limit),   cmocka_unit_test(test_no_data),
		cmocka_unit_test(test_hard_limit),      cmocka_unit_test(test_two_jobs_and_unrecorded),
		cmocka_unit_test(test_too_late),        cmocka_unit_test(test_lost_and_chatter),
		cmocka_unit_test(test_dies_at_a_write), cmocka_unit_test(test_moves),
		cmocka_unit_test(test_ran_twice),       cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_events),          cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nodes),           cmocka_unit_test(test_trace_errors),
		cmocka_unit_test(test_synthetic),       cmocka_unit_test(test_report_escapes),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
