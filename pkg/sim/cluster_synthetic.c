/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up jobs: one stream of arrivals per kind, merged by time. */
#include "sim/cluster_synthetic.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rand.h"

#define GIB (INT64_C(1) << 30)

enum when { EVENLY, AT_NIGHT, OFFICE };

struct kind {
	const char *name;
	enum when when;
	double weekend; /* of a weekday's arrivals */
	double median_s, sigma, longest_s;
	int pods_min, pods_max, cores_min, cores_max;
	double slack_min_h, slack_max_h;
	int by_hour;       /* the deadline is that hour of UTC; 0 = by the slack */
	double deferrable; /* share that has a deadline */
	double relocates;  /* share that may leave home */
	bool pauses;
};

static const struct kind kinds[] = {
	{ "batch", AT_NIGHT, 0.8, 1800, 1.2, 43200, 1, 4, 1, 8, 6, 24, 0, 1, 0.6, false },
	{ "ml-training", OFFICE, 0.6, 10800, 1.3, 129600, 1, 8, 8, 8, 12, 48, 0, 1, 0.8, true },
	{ "etl", AT_NIGHT, 1, 1200, 0.6, 14400, 1, 2, 2, 4, 1, 8, 8, 1, 0, false },
	{ "ci", OFFICE, 0.1, 360, 0.9, 3600, 1, 1, 2, 2, 2, 2, 0, 0.2, 0, false },
	{ "inference-backfill", EVENLY, 1, 3600, 0.7, 28800, 4, 16, 2, 2, 24, 48, 0, 1, 1, false },
};
#define N_KINDS ((int)ARRAY_LEN(kinds))
static const double mixed[N_KINDS] = { 0.25, 0.10, 0.25, 0.30, 0.10 };

struct stream {
	const struct kind *kind;
	double per_day;
	int64_t next_ms;
	uint64_t rng;
};

struct synthetic {
	struct stream streams[N_KINDS];
	int n_streams, n_zones;
	int64_t to_ms, limit_ms, count;
};

/* Arrivals at that hour over the mean of a weekday. */
static double rate_at(const struct kind *k, int64_t ms)
{
	int hour = (int)(((ms % DAY_MS) + DAY_MS) % DAY_MS / HOUR_MS);
	int weekday = time_weekday(time_slot_floor(ms, DAY_MS) / DAY_MS);
	double rate = 1;

	if (k->by_hour)
		rate = hour < 5 ? 4.8 : 0; /* five hours hold all of a day's */
	else if (k->when == AT_NIGHT)
		rate = hour < 6 || hour >= 20 ? 1.4 : 0.714;
	else if (k->when == OFFICE)
		rate = hour >= 8 && hour < 18 ? 2 : 0.286;
	return weekday == 0 || weekday == 6 ? rate * k->weekend : rate;
}

#define RATE_MAX 4.8

/* By thinning: candidates at the highest rate, each kept with the share that holds at its time. */
static void advance(struct stream *s, int64_t to_ms)
{
	while (s->next_ms < to_ms) {
		double gap = -log(1 - rand_unit(&s->rng)) * (double)DAY_MS / (s->per_day * RATE_MAX);

		s->next_ms += MAX((int64_t)fmin(gap, 1e15), 1);
		if (rand_unit(&s->rng) * RATE_MAX < rate_at(s->kind, s->next_ms))
			return;
	}
}

static int unknown_kind(struct str name, struct error *err)
{
	return error_set(err, ERR_INVALID,
			 "--synthetic: no kind '%.40s'; there are batch, ml-training, etl, ci, inference-backfill and "
			 "mixed",
			 name.len ? name.ptr : "");
}

int synthetic_new(const char *spec, const struct signals *signals, int64_t from_ms, int64_t to_ms,
		  struct synthetic **ret, struct error *err)
{
	struct str rest = str_from(spec), part[4];
	double per_day = 0;
	int64_t seed = 0;
	size_t n = 0;

	while (n < ARRAY_LEN(part) && str_split(&rest, ':', &part[n]))
		n++;
	if (n != 3 || !str_to_double(part[1], &per_day) || !(per_day > 0) || per_day > TRACE_MAX_PER_DAY ||
	    !str_to_i64(part[2], 0, INT64_MAX, &seed))
		return error_set(err, ERR_INVALID,
				 "--synthetic must be KIND:JOBS_PER_DAY:SEED, like mixed:300:1, with at most %d jobs a "
				 "day",
				 TRACE_MAX_PER_DAY);
	struct synthetic s = { .n_zones = signals->n_zones, .to_ms = to_ms, .limit_ms = signals_end_ms(signals) };
	for (int k = 0; k < N_KINDS; k++) {
		double share = str_is(part[0], "mixed") ? mixed[k] : str_is(part[0], kinds[k].name);

		if (share > 0)
			s.streams[s.n_streams++] = (struct stream){ &kinds[k], share * per_day, from_ms,
								    (uint64_t)seed * 1000003u + (uint64_t)k };
	}
	if (s.n_streams == 0)
		return unknown_kind(part[0], err);
	for (int i = 0; i < s.n_streams; i++)
		advance(&s.streams[i], to_ms);
	*ret = xcalloc(1, sizeof(s));
	**ret = s;
	return 0;
}

void synthetic_free(struct synthetic *s)
{
	free(s);
}

static int between(uint64_t *rng, int min, int max)
{
	return min + (int)(rand_next(rng) % (uint64_t)(max - min + 1));
}

static void deadline(const struct kind *k, uint64_t *rng, struct trace_job *job)
{
	double slack_h = k->slack_min_h + rand_unit(rng) * (k->slack_max_h - k->slack_min_h);

	job->latest_finish_ms = TIME_NONE;
	if (rand_unit(rng) >= k->deferrable)
		return;
	if (k->by_hour) {
		int64_t at = time_slot_floor(job->arrival_ms, DAY_MS) + k->by_hour * HOUR_MS;

		job->latest_finish_ms = MAX(at, job->arrival_ms + job->duration_ms + HOUR_MS);
	} else {
		job->latest_finish_ms = job->arrival_ms + job->duration_ms + (int64_t)(slack_h * (double)HOUR_MS);
	}
}

static void places(const struct synthetic *s, const struct kind *k, uint64_t *rng, struct trace_job *job)
{
	bool anywhere = rand_unit(rng) < k->relocates;

	job->zones[0] = (int16_t)between(rng, 0, s->n_zones - 1);
	job->n_zones = 1;
	for (int z = 0; z < s->n_zones && anywhere && job->n_zones < TRACE_MAX_ZONES; z++)
		if (z != job->zones[0])
			job->zones[job->n_zones++] = (int16_t)z;
}

static void make(struct synthetic *s, struct stream *from, struct trace_job *job)
{
	const struct kind *k = from->kind;
	uint64_t *rng = &from->rng;
	double length_s = fmin(k->median_s * exp(k->sigma * rand_normal(rng)), k->longest_s);
	int cores = between(rng, k->cores_min, k->cores_max);

	*job = (struct trace_job){
		.arrival_ms = from->next_ms,
		.earliest_ms = from->next_ms,
		.duration_ms = MAX(llround(length_s), 10) * SECOND_MS,
		.pods = between(rng, k->pods_min, k->pods_max),
		.cpu_milli = cores * 1000,
		.memory_bytes = cores * 4 * GIB,
		.watts_per_pod = NAN,
		.max_carbon = NAN,
		.max_price = NAN,
		.may_pause = k->pauses,
		.min_run_ms = 30 * MINUTE_MS,
		.restart_wh = 20,
		.max_interruptions = 7,
	};
	deadline(k, rng, job);
	places(s, k, rng, job);
	advance(from, s->to_ms);
}

int synthetic_next(struct synthetic *s, struct trace_job *job)
{
	for (;;) {
		struct stream *first = &s->streams[0];

		for (int i = 1; i < s->n_streams; i++)
			if (s->streams[i].next_ms < first->next_ms)
				first = &s->streams[i];
		if (first->next_ms >= s->to_ms)
			return 0;
		make(s, first, job);
		if (MAX(job->latest_finish_ms, job->arrival_ms + job->duration_ms) > s->limit_ms)
			continue;
		(void)snprintf(job->id, sizeof(job->id), "%s-%lld", first->kind->name, (long long)++s->count);
		return 1;
	}
}
