/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs planned together under a capacity that they share: pkg/sim's use of planner/joint.h. */
#include <math.h>

#include "base/alloc.h"
#include "planner/joint.h"
#include "sim/internal.h"

/* Improving ends so near to the bound, or after so many steps: not by the clock, so that a run can be repeated. */
#define CLOSE_ENOUGH 2e-4
#define STEPS 180 /* 0.06 s for 1,000 jobs */
#define MANY 5000 /* jobs of whom less is asked: 0.5 s for 10,000, and more of them fill what room there is better */
#define STEPS_OF_MANY 120

struct crowd {
	const struct scenario *s;
	struct member *members; /* all; index[] says which of them are the joint's */
	size_t *index, n;
	struct planner_signals signals;
	struct planner_region regions[SIGNALS_MAX_ZONES];
	struct planner_round round;
	struct planner_job *plain;
	struct joint_job *jobs;
	struct joint_row rows[SIGNALS_MAX_ZONES];
	int16_t zone_of_row[SIGNALS_MAX_ZONES];
	int n_rows;
};

static void signals_init(struct crowd *c, const struct member *members, size_t n, struct arena *arena)
{
	int64_t from_ms = INT64_MAX, to_ms = INT64_MIN, as_of_ms = INT64_MAX;
	int16_t zones[SIGNALS_MAX_ZONES];
	const struct signals *g = c->s->grid;
	struct view v;

	for (size_t i = 0; i < n; i++) {
		const struct task *t = &members[i].task;

		from_ms = MIN(from_ms, t->start_min_ms);
		to_ms = MAX(to_ms, t->latest_start_ms + t->job->duration_ms);
		as_of_ms = MIN(as_of_ms, t->decide_ms);
	}
	for (int z = 0; z < g->n_zones; z++)
		zones[z] = (int16_t)z;
	outlook_view(c->s->outlook, zones, g->n_zones, from_ms, to_ms, as_of_ms, false, arena, &v);
	c->signals = (struct planner_signals){ .now_ms = from_ms,
					       .first_slot_ms = v.first_ms,
					       .slot_ms = v.slot_ms,
					       .n_slots = MIN(v.n, PLANNER_MAX_SLOTS),
					       .regions = c->regions,
					       .n_regions = g->n_zones };
	planner_errors(&c->signals, c->s, 0);
	for (int z = 0; z < g->n_zones; z++)
		c->regions[z] = (struct planner_region){
			.carbon_mg_per_kwh = planner_column(v.value[z][SIGNAL_CARBON], c->signals.n_slots, 1000, arena),
			.price_micros_per_kwh =
				planner_column(v.value[z][SIGNAL_PRICE], c->signals.n_slots, 1000, arena),
		};
}

static void rows_init(struct crowd *c, struct arena *arena)
{
	const struct planner_signals *p = &c->signals;
	int64_t first = (p->first_slot_ms - c->s->grid->start_ms) / p->slot_ms;

	for (int z = 0; z < p->n_regions; z++) {
		const double *watts = c->s->room->watts[z];
		int64_t *capacity;

		if (!watts)
			continue;
		capacity = arena_array(arena, (size_t)p->n_slots, int64_t);
		for (int i = 0; i < p->n_slots; i++)
			capacity[i] = (int64_t)(fmin(watts[first + i], SIGNALS_MAX_WATTS) * 1000);
		c->zone_of_row[c->n_rows] = (int16_t)z;
		c->rows[c->n_rows] = (struct joint_row){ .resource = JOINT_POWER,
							 .regions = &c->zone_of_row[c->n_rows],
							 .n_regions = 1,
							 .capacity = capacity };
		c->n_rows++;
	}
}

static void crowd_init(struct crowd *c, const struct scenario *s, struct member *members, size_t n, struct arena *arena)
{
	*c = (struct crowd){ .s = s, .members = members };
	c->index = arena_array(arena, n, size_t);
	c->plain = arena_array(arena, n, struct planner_job);
	c->jobs = arena_array(arena, n, struct joint_job);
	signals_init(c, members, n, arena);
	rows_init(c, arena);
	for (size_t i = 0; i < n; i++) {
		struct planner_job *job = &c->plain[c->n];

		planner_job_init(job, s, &members[i].task, members[i].job.duration_ms);
		job->regions = members[i].job.zones;
		job->home = members[i].job.zones[0];
		c->jobs[c->n] = (struct joint_job){ .job = *job };
		c->jobs[c->n].amount[JOINT_POWER] = job->power_milliwatts;
		c->jobs[c->n].amount[JOINT_RELEASES] = 1;
		c->index[c->n++] = i;
	}
	planner_round_init(&c->round, &c->signals, c->plain, c->n, arena);
	if (s->scale_series) {
		c->round.carbon_scale = s->grid->mean_size[SIGNAL_CARBON] * 1000;
		c->round.price_scale = s->grid->mean_size[SIGNAL_PRICE] * 1000;
	}
}

/* There is no bound (-INFINITY) before the first step. */
static bool is_close(const struct joint *j)
{
	double bound = joint_bound(j);

	return !joint_without_room(j) && bound > -INFINITY && joint_objective(j) - bound <= CLOSE_ENOUGH * fabs(bound);
}

static void improve(struct joint *j, size_t n)
{
	int steps = n < MANY ? STEPS : STEPS_OF_MANY;

	for (int i = 0; i < steps && !is_close(j); i++)
		joint_improve(j, 1, NULL, NULL);
}

static void take_segments(struct member *m, const struct planner_segment *segments, int n)
{
	m->plan = (struct plan){ .segments = (struct planner_segment *)(uintptr_t)segments, .n_segments = n };
	m->placed = true;
	for (int i = 0; i < n; i++)
		m->plan.segments[i].parallelism = MAX(m->plan.segments[i].parallelism, 1);
}

/* Jobs that may pause or scale, one by one in the room that the blocks have left, and what they tell the bound. */
static void settle_flexible(struct crowd *c, struct joint *j, struct arena *arena)
{
	for (size_t i = 0; i < c->n; i++) {
		struct member *m = &c->members[c->index[i]];
		struct arena scratch;
		struct flex_plan found;
		struct joint_view now;
		struct slots slots;
		struct flex f;

		flex_init(&f, c->s, &m->job);
		if (!f.may_pause && !f.profile)
			continue;
		arena_init(&scratch, 65536, 64 << 20);
		joint_slots(j, i, JOINT_PRICES, &scratch, &slots);
		joint_relax(j, i,
			    flex_plan(&slots, &c->plain[i], c->plain[i].earliest_ms, &f, &scratch, &found) ? found.bound
													   : -INFINITY);
		joint_explain(j, i, &now);
		joint_slots(j, i, JOINT_ROOM, &scratch, &slots);
		if (flex_plan(&slots, &c->plain[i], c->plain[i].earliest_ms, &f, &scratch, &found) &&
		    !(found.cost >= now.objective)) {
			struct planner_segment *kept =
				arena_array(arena, (size_t)found.n_segments, struct planner_segment);

			memcpy(kept, found.segments, (size_t)found.n_segments * sizeof(*kept));
			joint_settle(j, i, kept, found.n_segments, found.cost);
			take_segments(m, kept, found.n_segments);
		}
		arena_release(&scratch);
	}
}

void plan_together(const struct scenario *s, struct member *members, size_t n, struct arena *arena,
		   struct price_of *ret_price, double *ret_bound)
{
	struct crowd *c = xcalloc(1, sizeof(*c));
	double all = s->weight_carbon + s->weight_cost + s->weight_delay, unit = 1;
	struct joint *j;

	crowd_init(c, s, members, n, arena);
	j = joint_new(&c->round, c->jobs, c->n, c->rows, c->n_rows, 1, NULL);
	improve(j, c->n);
	settle_flexible(c, j, arena);
	for (size_t i = 0; i < c->n; i++) {
		struct member *m = &members[c->index[i]];
		struct joint_start start = joint_start(j, i);

		if (!m->placed && start.region != PLANNER_NO_REGION)
			m->placed = one_segment(arena, &m->plan, start.region, MAX(m->job.scale.max, 1), start.start_ms,
						start.start_ms + m->job.duration_ms);
	}
	price_of_scales(ret_price, s,
			(double[SIGNAL_KINDS]){ c->round.carbon_scale / 1000, c->round.price_scale / 1000 });
	/* Grams or money where one signal counts alone: price_of_scales(). */
	if (ret_price->k[SIGNAL_CARBON] == 1 && ret_price->k[SIGNAL_PRICE] == 0)
		unit = c->round.carbon_scale / 1000 / (s->weight_carbon / all);
	else if (ret_price->k[SIGNAL_CARBON] == 0 && ret_price->k[SIGNAL_PRICE] == 1e-3)
		unit = c->round.price_scale / 1e6 / (s->weight_cost / all);
	*ret_bound = s->outlook->exact ? joint_bound(j) * unit : -INFINITY;
	joint_free(j);
	free(c);
}
