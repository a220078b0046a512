/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thousands of random rounds: against planner_oracle.h, one path of the planner against the other, and properties that
 * hold whatever the input.
 */
#include "planner_fixture.h"
#include "planner_oracle.h"

#include "base/rand.h"

#define MAX_JOBS 5

struct scene {
	struct planner_job jobs[MAX_JOBS];
	int16_t regions[MAX_JOBS][MAX_REGIONS];
	char ids[MAX_JOBS][4];
	int n_jobs;
	struct oracle_reservation running[4];
	int n_running;
	bool exact; /* one weight only: equal objectives are equal to the last bit */
};

static int64_t below(uint64_t *seed, int64_t n)
{
	return (int64_t)(rand_next(seed) % (uint64_t)n);
}

static bool chance(uint64_t *seed, int percent)
{
	return below(seed, 100) < percent;
}

static const int32_t *random_column(uint64_t *seed, int32_t *v, int n, int32_t unit, bool negative)
{
	int mood = (int)below(seed, 6), levels = chance(seed, 50) ? 3 : 1000;
	int known = mood == 0 ? (int)below(seed, n) : n;

	if (mood == 1 && chance(seed, 40))
		return NULL;
	for (int i = 0; i < n; i++) {
		v[i] = (int32_t)below(seed, levels) * unit / levels;
		if (negative && chance(seed, 30))
			v[i] = -v[i];
		if (i >= known || (mood == 2 && chance(seed, 15)))
			v[i] = U;
		if (mood == 3 && levels == 3)
			v[i] = 0;
	}
	return v;
}

static void random_world(struct world *w, uint64_t *seed)
{
	int n = 1 + (int)below(seed, MAX_SLOTS);

	w->signals.slot_ms = chance(seed, 80) ? SLOT_MS : 7 * MINUTE_MS;
	w->signals.n_slots = n;
	w->signals.n_regions = 1 + (int)below(seed, chance(seed, 80) ? 3 : MAX_REGIONS);
	w->signals.first_slot_ms = time_slot_floor(T0, w->signals.slot_ms);
	w->signals.now_ms = w->signals.first_slot_ms + below(seed, 4) * (w->signals.slot_ms / 3);
	w->signals.carbon_error_mg_per_kwh = chance(seed, 50) ? (int32_t)below(seed, 40000) : 0;
	w->signals.price_error_permille = chance(seed, 50) ? (int32_t)below(seed, 200) : 0;
	for (int r = 0; r < w->signals.n_regions; r++) {
		struct planner_region *region = &w->regions[r];

		region->carbon_mg_per_kwh = random_column(seed, w->carbon[r], n, 300000, chance(seed, 5));
		region->price_micros_per_kwh = random_column(seed, w->price[r], n, 400000, chance(seed, 40));
		region->renewable_permille = random_column(seed, w->renewable[r], n, 1000, false);
		region->power_limit_milliwatts = chance(seed, 40) ? 1 + below(seed, 6) : 0;
		region->power_limit_hard = chance(seed, 50);
	}
}

static struct planner_limit random_limit(uint64_t *seed, int32_t unit)
{
	struct planner_limit l = { PLANNER_LIMIT_NONE, 0 };

	if (chance(seed, 25)) {
		l.enforcement = chance(seed, 50) ? PLANNER_LIMIT_SOFT : PLANNER_LIMIT_HARD;
		l.value = (int32_t)below(seed, 7) * (unit / 6);
	}
	return l;
}

static void random_weights(struct planner_job *job, uint64_t *seed, bool exact)
{
	int32_t *w[] = { &job->weight_carbon, &job->weight_cost, &job->weight_renewable, &job->weight_delay };

	for (int i = 0; i < 4 && !exact; i++)
		*w[i] = chance(seed, 60) ? (int32_t)below(seed, 100) : 0;
	if (job->weight_carbon + job->weight_cost + job->weight_renewable + job->weight_delay == 0)
		*w[below(seed, exact ? 2 : 4)] = 1;
}

static void random_job(struct world *w, struct scene *s, int j, uint64_t *seed)
{
	int64_t slot = w->signals.slot_ms, horizon = slot * w->signals.n_slots;
	struct planner_job *job = &s->jobs[j];

	*job = (struct planner_job){ .id = s->ids[j],
				     .earliest_ms = w->signals.now_ms + below(seed, 5) * (slot / 2) - slot,
				     .duration_ms =
					     1 + below(seed, 4) * (slot / 2) + below(seed, 2) * below(seed, horizon),
				     .power_milliwatts = 1 + below(seed, 3),
				     .spread_ms = below(seed, 2) * below(seed, slot / 3),
				     .regions = s->regions[j],
				     .home = (int16_t)below(seed, w->signals.n_regions),
				     .critical = chance(seed, 4),
				     .run_at_latest_on_no_data = chance(seed, 50),
				     .max_carbon = random_limit(seed, 300000),
				     .max_price = random_limit(seed, 400000),
				     .min_renewable = random_limit(seed, 1000),
				     .earlier_region = PLANNER_NO_REGION };
	(void)snprintf(s->ids[j], sizeof(s->ids[j]), "%c", 'a' + j);
	job->latest_start_ms = job->earliest_ms - slot + below(seed, chance(seed, 80) ? horizon + slot : 3 * horizon);
	if (chance(seed, 40))
		job->latest_start_ms = time_slot_floor(job->latest_start_ms, slot);
	if (chance(seed, 5))
		job->latest_start_ms = TIME_NONE;
	for (int r = 0; r < w->signals.n_regions; r++) {
		if (chance(seed, 70))
			s->regions[j][job->n_regions++] = (int16_t)(w->signals.n_regions - 1 - r);
	}
	if (job->n_regions == 0)
		s->regions[j][job->n_regions++] = job->home;
	if (chance(seed, 30)) {
		job->earlier_region = (int16_t)below(seed, w->signals.n_regions);
		job->earlier_start_ms = w->signals.first_slot_ms + below(seed, w->signals.n_slots + 1) * slot;
		job->earlier_start_ms += chance(seed, 50) ? job->spread_ms : below(seed, slot);
	}
	random_weights(job, seed, s->exact);
}

static void random_scene(struct world *w, struct scene *s, uint64_t *seed)
{
	*s = (struct scene){ .n_jobs = 1 + (int)below(seed, MAX_JOBS), .exact = chance(seed, 50) };
	random_world(w, seed);
	for (int j = 0; j < s->n_jobs; j++)
		random_job(w, s, j, seed);
	for (s->n_running = 0; s->n_running < (int)below(seed, 4); s->n_running++) {
		int64_t start_ms = w->signals.first_slot_ms + below(seed, w->signals.n_slots) * w->signals.slot_ms;

		s->running[s->n_running] = (struct oracle_reservation){
			.region = (int)below(seed, w->signals.n_regions),
			.start_ms = start_ms - below(seed, HOUR_MS),
			.end_ms = start_ms + 1 + below(seed, 3 * HOUR_MS),
			.power = 1 + below(seed, 3),
		};
	}
}

static void round_begin(struct world *w, const struct scene *s)
{
	arena_reset(&w->arena);
	planner_round_init(&w->round, &w->signals, s->jobs, (size_t)s->n_jobs, &w->arena);
	for (int i = 0; i < s->n_running; i++)
		planner_reserve(&w->round, s->running[i].region, s->running[i].start_ms, s->running[i].end_ms,
				s->running[i].power);
}

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9 || (isnan(a) && isinf(b)) || (isinf(a) && isinf(b));
}

static bool same_place(const struct planner_option *a, const struct oracle_candidate *b)
{
	return a->region == b->region && (a->region == PLANNER_NO_REGION || a->start_ms == b->start_ms);
}

/* Equal, or so close that only rounding tells them apart, which never happens when sums are exact. */
static bool agrees(const struct planner_option *a, const struct oracle_candidate *b, bool exact)
{
	if (a->region != PLANNER_NO_REGION && b->region != PLANNER_NO_REGION && !near(a->objective, b->objective))
		return false;
	return same_place(a, b) || (!exact && a->region != PLANNER_NO_REGION && b->region != PLANNER_NO_REGION);
}

/* False when the case hangs on rounding and nothing can be said. */
static bool compare(const struct planner_result *r, const struct oracle_result *o, bool exact)
{
	bool same = r->outcome == o->outcome && same_place(&r->choice, &o->choice);

	if (!same && fabs(o->raw_gain - o->noise) < 1e-9 && !(exact && o->noise == 0))
		return false;
	if (!same && !exact && agrees(&r->choice, &o->choice, false))
		return false;
	assert_choice(r, o->outcome, o->choice.region, o->choice.start_ms);
	assert_true(agrees(&r->choice, &o->choice, exact));
	assert_true(agrees(&r->best, &o->best, exact));
	assert_true(agrees(&r->worst, &o->worst, exact));
	assert_true(near(r->noise, o->noise) && near(r->gain, o->gain));
	assert_true(near(r->baseline.objective, o->baseline));
	assert_int_equal(r->rejected.no_data, o->rejected[FATE_NO_DATA]);
	assert_int_equal(r->rejected.max_carbon, o->rejected[FATE_CARBON]);
	assert_int_equal(r->rejected.max_price, o->rejected[FATE_PRICE]);
	assert_int_equal(r->rejected.min_renewable, o->rejected[FATE_RENEWABLE]);
	assert_int_equal(r->rejected.power, o->rejected[FATE_POWER]);
	assert_int_equal(r->n_options, o->n_options);
	for (int i = 0; i < r->n_options; i++)
		assert_true(agrees(&r->options[i], &o->options[i], exact));
	if (exact)
		assert_binding(*r, o->binding);
	return true;
}

static void assert_figures(const struct oracle *o, const struct planner_job *job, const struct planner_option *c)
{
	double kwh = (double)job->power_milliwatts * (double)job->duration_ms / 3.6e12, mean;
	bool known;

	if (c->region == PLANNER_NO_REGION)
		return;
	mean = oracle_run_mean(o, c->region, ORACLE_CARBON, c->start_ms, job->duration_ms, 0, &known);
	assert_true(known == c->carbon_known && (!known || fabs(mean * kwh - (double)c->carbon_milligrams) < 0.501));
	mean = oracle_run_mean(o, c->region, ORACLE_PRICE, c->start_ms, job->duration_ms, 0, &known);
	assert_true(known == c->cost_known && (!known || fabs(mean * kwh - (double)c->cost_micros) < 0.501));
	mean = oracle_run_mean(o, c->region, ORACLE_RENEWABLE, c->start_ms, job->duration_ms, 0, &known);
	assert_true(known == (c->renewable_permille != U) && (!known || fabs(mean - c->renewable_permille) < 0.501));
}

static void test_random_rounds_agree_with_the_oracle(void **state)
{
	struct world *w = *state;
	uint64_t seed = 20230209;
	int judged = 0, total = 0, outcomes[PLANNER_HARD_UNKNOWN + 1] = { 0 },
	    bindings[PLANNER_BINDING_NOISE + 1] = { 0 };

	for (int i = 0; i < 2500; i++) {
		struct scene s;
		struct oracle o;

		random_scene(w, &s, &seed);
		round_begin(w, &s);
		o = (struct oracle){ .s = &w->signals, .jobs = s.jobs, .n_jobs = s.n_jobs, .n_taken = s.n_running };
		memcpy(o.taken, s.running, sizeof(s.running));
		for (int j = 0; j < s.n_jobs; j++) {
			struct planner_result r;
			struct oracle_result expected;

			planner_choose(&w->round, &s.jobs[j], &r);
			oracle_choose(&o, &s.jobs[j], &expected);
			judged += compare(&r, &expected, s.exact);
			total++;
			outcomes[r.outcome]++;
			bindings[r.binding]++;
			assert_figures(&o, &s.jobs[j], &r.choice);
			assert_figures(&o, &s.jobs[j], &r.baseline);
			if (r.choice.region == PLANNER_NO_REGION)
				continue;
			planner_reserve(&w->round, r.choice.region, r.choice.start_ms, r.choice.end_ms,
					s.jobs[j].power_milliwatts);
			o.taken[o.n_taken++] =
				(struct oracle_reservation){ r.choice.region, r.choice.start_ms, r.choice.end_ms,
							     s.jobs[j].power_milliwatts };
		}
	}
	/* Nearly all could be judged, and everything that can happen did happen. */
	assert_true(judged > total * 99 / 100);
	for (int i = 0; i <= PLANNER_HARD_UNKNOWN; i++)
		assert_true(outcomes[i] > 20);
	for (int i = 0; i <= PLANNER_BINDING_NOISE; i++)
		assert_true(bindings[i] > 20);
}

static void assert_same_option(const struct planner_option *a, const struct planner_option *b)
{
	assert_int_equal(a->region, b->region);
	assert_int_equal(a->start_ms, b->start_ms);
	assert_int_equal(a->carbon_milligrams, b->carbon_milligrams);
	assert_int_equal(a->cost_micros, b->cost_micros);
	assert_true(a->objective == b->objective || (isnan(a->objective) && isnan(b->objective)));
}

static void assert_same_result(const struct planner_result *a, const struct planner_result *b)
{
	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->binding, b->binding);
	assert_true(a->gain == b->gain && a->noise == b->noise);
	assert_same_option(&a->choice, &b->choice);
	assert_same_option(&a->best, &b->best);
	assert_same_option(&a->worst, &b->worst);
	assert_int_equal(a->n_options, b->n_options);
	for (int i = 0; i < a->n_options; i++)
		assert_same_option(&a->options[i], &b->options[i]);
	assert_memory_equal(&a->rejected, &b->rejected, sizeof(a->rejected));
}

/* A limit that everything meets sends a job down the path that looks at each candidate. Nothing else may change. */
static void test_both_paths_agree_to_the_last_bit(void **state)
{
	struct world *w = *state;
	uint64_t seed = 7;

	for (int i = 0; i < 2500; i++) {
		struct scene s;
		struct planner_result fast, slow;

		random_scene(w, &s, &seed);
		for (int r = 0; r < w->signals.n_regions; r++)
			w->regions[r].power_limit_milliwatts = 0;
		s.jobs[0].max_carbon.enforcement = s.jobs[0].max_price.enforcement = PLANNER_LIMIT_NONE;
		s.jobs[0].min_renewable.enforcement = PLANNER_LIMIT_NONE;
		round_begin(w, &s);
		planner_choose(&w->round, &s.jobs[0], &fast);
		s.jobs[0].max_carbon = (struct planner_limit){ PLANNER_LIMIT_SOFT, INT32_MAX };
		planner_choose(&w->round, &s.jobs[0], &slow);
		assert_same_result(&fast, &slow);
	}
}

/* At every moment the power of all that run is within a hard limit, unless the running jobs alone exceed it. */
static void assert_hard_power(const struct world *w, const struct scene *s, const struct planner_result *r)
{
	for (int slot = 0; slot < w->signals.n_slots * 4; slot++) {
		int64_t t = w->signals.first_slot_ms + slot * (w->signals.slot_ms / 4);

		for (int region = 0; region < w->signals.n_regions; region++) {
			int64_t running = 0, planned = 0, limit = w->regions[region].power_limit_milliwatts;

			for (int i = 0; i < s->n_running; i++) {
				if (s->running[i].region == region && s->running[i].start_ms <= t &&
				    t < s->running[i].end_ms)
					running += s->running[i].power;
			}
			for (int j = 0; j < s->n_jobs; j++) {
				if (r[j].choice.region == region && r[j].choice.start_ms <= t && t < r[j].choice.end_ms)
					planned += s->jobs[j].power_milliwatts;
			}
			if (limit && w->regions[region].power_limit_hard && planned)
				assert_true(running + planned <= limit);
		}
	}
}

static void test_properties_of_whole_rounds(void **state)
{
	struct world *w = *state;
	uint64_t seed = 99;

	for (int i = 0; i < 1500; i++) {
		struct scene s;
		struct planner_result r[MAX_JOBS], again[MAX_JOBS];
		struct planner_job turned[MAX_JOBS];

		random_scene(w, &s, &seed);
		round_begin(w, &s);
		planner_round_run(&w->round, s.jobs, (size_t)s.n_jobs, r, &w->arena);
		for (int j = 0; j < s.n_jobs; j++) {
			int64_t start_min = MAX(w->signals.now_ms, s.jobs[j].earliest_ms);

			if (r[j].choice.region == PLANNER_NO_REGION)
				continue;
			assert_true(r[j].choice.start_ms >= start_min);
			assert_true(r[j].choice.start_ms <= MAX(start_min, s.jobs[j].latest_start_ms));
		}
		assert_hard_power(w, &s, r);

		/* The jobs in another order: the same plan. */
		for (int j = 0; j < s.n_jobs; j++)
			turned[j] = s.jobs[(j + 1) % s.n_jobs];
		round_begin(w, &s);
		planner_round_run(&w->round, turned, (size_t)s.n_jobs, again, &w->arena);
		for (int j = 0; j < s.n_jobs; j++)
			assert_same_result(&r[(j + 1) % s.n_jobs], &again[j]);
	}
}

/* A forecast made to keep the job waiting: now it is dear, and always later it is cheap; or nothing is known, or noise.
 */
static void adversary(struct world *w, int mood, uint64_t *seed)
{
	int now = (int)((w->signals.now_ms - w->signals.first_slot_ms) / w->signals.slot_ms);

	for (int r = 0; r < w->signals.n_regions; r++) {
		for (int i = 0; i < w->signals.n_slots; i++) {
			int32_t falling = i <= now ? 900000 : MAX(400000 - 8000 * (i - now), 1000);

			w->carbon[r][i] = mood == 0   ? falling
					  : mood == 1 ? (i <= now ? 900000 : 1000 + (int32_t)below(seed, 100))
					  : mood == 2 && chance(seed, 40) ? U
									  : (int32_t)below(seed, 900000);
			w->price[r][i] = w->carbon[r][i] == U || mood == 2 ? U : w->carbon[r][i] - 300000;
		}
	}
}

/*
 * Planned again at every step with the plan before as the earlier one, against such forecasts: the job starts by its
 * latest start, at which a controller would still look whatever its plan says; with noise 0, hence with every
 * temptation.
 */
static void test_no_forecast_delays_past_the_latest_start(void **state)
{
	struct world *w = *state;
	uint64_t seed = 17;
	int at_latest = 0;

	for (int i = 0; i < 2000; i++) {
		int16_t regions[] = { 0, 1, 2 };
		int mood = (int)below(&seed, 4), step = 1 + (int)below(&seed, 3);
		int64_t latest = below(&seed, 40) * SLOT_MS / 2 + below(&seed, 1000), started = TIME_NONE;
		struct planner_job job = { .id = "a",
					   .earliest_ms = T0,
					   .latest_start_ms = T0 + latest,
					   .duration_ms = 1 + below(&seed, 6 * SLOT_MS),
					   .power_milliwatts = 1000,
					   .spread_ms = below(&seed, 600) * SECOND_MS,
					   .weight_carbon = 1,
					   .weight_cost = (int32_t)below(&seed, 2),
					   .max_carbon = { below(&seed, 2) ? PLANNER_LIMIT_SOFT : PLANNER_LIMIT_NONE,
							   500 },
					   .regions = regions,
					   .n_regions = 3,
					   .run_at_latest_on_no_data = below(&seed, 2),
					   .earlier_region = PLANNER_NO_REGION };

		w->signals.n_slots = MAX_SLOTS;
		w->signals.n_regions = 3;
		w->signals.carbon_error_mg_per_kwh = w->signals.price_error_permille = 0;
		for (int64_t now = T0; started == TIME_NONE; now += step * SLOT_MS / 2) {
			struct planner_result r;

			/* Also looked at when the latest start has come, as every controller does. */
			w->signals.now_ms = now = now > job.latest_start_ms ? job.latest_start_ms : now;
			adversary(w, mood, &seed);
			for (int k = 0; k < 3; k++)
				w->regions[k] = (struct planner_region){ .name = "r",
									 .carbon_mg_per_kwh = w->carbon[k],
									 .price_micros_per_kwh = w->price[k] };
			arena_reset(&w->arena);
			planner_round_init(&w->round, &w->signals, &job, 1, &w->arena);
			planner_choose(&w->round, &job, &r);
			assert_int_not_equal(r.choice.region, PLANNER_NO_REGION);
			assert_true(r.choice.start_ms >= now && r.choice.start_ms <= job.latest_start_ms);
			if (r.choice.start_ms < now + step * SLOT_MS / 2 || now == job.latest_start_ms)
				started = r.choice.start_ms;
			job.earlier_region = r.choice.region;
			job.earlier_start_ms = r.choice.start_ms;
		}
		assert_true(started <= job.latest_start_ms);
		at_latest += started == job.latest_start_ms && latest > 0;
	}
	assert_true(at_latest > 300); /* the temptation worked */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_random_rounds_agree_with_the_oracle),
		TEST(test_both_paths_agree_to_the_last_bit),
		TEST(test_properties_of_whole_rounds),
		TEST(test_no_forecast_delays_past_the_latest_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
