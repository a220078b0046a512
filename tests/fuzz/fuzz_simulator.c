/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the files that the simulator reads. First byte: signals, jobs (on fixed signals, planned by a policy),
 * capacity, issued forecasts, a trace in one of four layouts, a cluster's nodes, or what is to fail in it. What is
 * loaded is regular, and plans lie in their windows.
 */
#include <sys/mman.h>

#include "sim/cluster_faults.h"
#include "sim/cluster_nodes.h"
#include "sim/import.h"
#include "sim/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

/* Two days of hours in two zones. */
static void fixed_signals(struct signals *s)
{
	struct signal_zone zones[] = { { .name = (char[]){ "a" } }, { .name = (char[]){ "b" } } };
	const struct signals like = {
		.start_ms = INT64_C(1672531200000), .step_ms = HOUR_MS, .n = 48, .n_zones = 2, .zones = zones
	};

	signals_blank(&like, s);
	for (int i = 0; i < 48; i++) {
		s->zones[0].column[SIGNAL_CARBON].value[i] = 100 + 37 * i % 90;
		s->zones[1].column[SIGNAL_CARBON].value[i] = 120 - 53 * i % 70;
		s->zones[0].column[SIGNAL_PRICE].value[i] = 50 - 31 * i % 80;
	}
	signals_sum(s);
}

static void check_plan(const struct scenario *s, const struct job *job)
{
	struct arena arena;
	struct task t;
	struct plan plan;

	arena_init(&arena, 65536, 64 << 20);
	task_init(&t, s, job);
	if (t.latest_start_ms >= t.start_min_ms && t.start_min_ms >= s->grid->start_ms &&
	    t.baseline_ms >= s->grid->start_ms &&
	    MAX(t.latest_start_ms, t.baseline_ms) <= signals_end_ms(s->grid) - job->duration_ms &&
	    policy_plan(s, &t, &arena, &plan)) {
		const struct planner_segment *g = plan.segments;

		require(plan.n_segments >= 1 && g[0].start_ms >= t.start_min_ms, "not before earliest");
		require(g[plan.n_segments - 1].end_ms <= signals_end_ms(s->grid), "inside the signals");
		for (int i = 0; i < plan.n_segments; i++)
			require(g[i].start_ms < g[i].end_ms && (i == 0 || g[i].start_ms >= g[i - 1].end_ms),
				"in order");
	}
	arena_release(&arena);
}

static void try_jobs(const char *path, const struct signals *s, uint8_t policy)
{
	struct outlook outlook;
	struct error err = ERROR_INIT;
	struct jobs *jobs = NULL;
	struct arena arena;
	struct job job;
	struct scenario scenario = { .policy = (enum policy)(policy % (POLICY_LOADSHIFT + 1)),
				     .truth = s,
				     .grid = s,
				     .outlook = &outlook,
				     .weight_carbon = 60,
				     .weight_cost = 30,
				     .weight_delay = 10,
				     .threshold_days = 30 };

	require(outlook_open(&outlook, "perfect", s, &err) == 0, "outlook");
	arena_init(&arena, 4096, 1 << 20);
	if (jobs_open(path, s, 0, &jobs, &err) == 0)
		while (jobs_next(jobs, &arena, &job, &err) > 0) {
			check_plan(&scenario, &job);
			arena_reset(&arena);
		}
	jobs_free(jobs);
	arena_release(&arena);
	outlook_release(&outlook);
}

static void try_signals(const char *path)
{
	struct error err = ERROR_INIT;
	struct signals s;

	if (signals_load(&s, path, &err))
		return;
	require(s.n >= 2 && s.n_zones >= 1 && s.step_ms >= SECOND_MS && s.start_ms % s.step_ms == 0, "grid");
	for (int z = 0; z < s.n_zones; z++)
		require(s.zones[z].column[SIGNAL_CARBON].unknown[s.n] == s.n, "marks");
	signals_release(&s);
}

static void try_outlook(const char *path, const struct signals *s)
{
	struct error err = ERROR_INIT;
	struct outlook o;
	char spec[48];

	(void)snprintf(spec, sizeof(spec), "issued:%s", path);
	if (outlook_open(&o, spec, s, &err) == 0)
		for (int i = 0; i < o.zones[0].n; i++)
			require(o.zones[0].list[i].first >= 0 &&
					o.zones[0].list[i].first + o.zones[0].list[i].n <= s->n,
				"vintages inside the grid");
	outlook_release(&o);
}

static void try_nodes(const char *path, const struct signals *s)
{
	struct error err = ERROR_INIT;
	struct cluster_nodes n = { .n = 0 };

	if (nodes_load(&n, path, s, &err))
		return;
	require(n.n >= 1 && n.n <= NODES_MAX, "as many nodes as may be");
	for (size_t i = 0; i < n.n; i++)
		require(n.items[i].zone >= 0 && n.items[i].zone < s->n_zones && n.items[i].cpu_milli > 0, "nodes");
	nodes_release(&n);
}

static void try_faults(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct faults f;
	char spec[256];
	uint64_t rng = 1;

	(void)str_copy(spec, sizeof(spec), str_of((const char *)data, size));
	if (faults_parse(spec, &f, &err))
		return;
	for (int k = 0; k < FAULT_KINDS; k++)
		require(faults_next(&f, (enum fault_kind)k, &rng) >= 1 && f.kind[k].length_ms >= 0, "times");
	require(f.conflict_share >= 0 && f.conflict_share < 1, "share");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct import_options how = { .format = size ? (enum import_format)(data[0] % 4) : IMPORT_SWF,
					    .start_ms = TIME_NONE,
					    .watts_per_core = 10,
					    .watts_per_gpu = 250 };
	struct capacity capacity = { .watts = { NULL } };
	struct import_counts counts;
	struct error err = ERROR_INIT;
	struct signals s;
	char path[32];
	FILE *null = fopen("/dev/null", "w");
	int fd = memfd_create("csv", MFD_CLOEXEC);

	if (size < 1) {
		(void)fclose(null);
		(void)close(fd);
		return 0;
	}
	if (fd < 0 || !null || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fixed_signals(&s);
	switch (data[0] / 16 % 7) {
	case 0:
		try_signals(path);
		break;
	case 1:
		try_jobs(path, &s, data[0]);
		break;
	case 2:
		(void)capacity_load(&capacity, path, &s, &err);
		capacity_release(&capacity);
		break;
	case 3:
		try_outlook(path, &s);
		break;
	case 5:
		try_nodes(path, &s);
		break;
	case 6:
		try_faults(data + 1, size - 1);
		break;
	default:
		(void)import_trace(&how, path, null, &counts, &err);
	}
	signals_release(&s);
	(void)fclose(null);
	(void)close(fd);
	return 0;
}
