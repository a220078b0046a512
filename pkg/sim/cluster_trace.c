/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of a file, as a cluster takes them. */
#include "sim/cluster_trace.h"

#include <math.h>

#include "base/alloc.h"
#include "sim/cluster_synthetic.h"
#include "sim/jobs.h"

struct trace {
	const struct signals *signals;
	struct jobs *file; /* NULL: made up */
	struct synthetic *made;
	struct arena row;
	int64_t last_ms; /* arrival of the job before */
};

static struct trace *trace_new(const struct signals *s)
{
	struct trace *t = xcalloc(1, sizeof(*t));

	t->signals = s;
	t->last_ms = INT64_MIN;
	arena_init(&t->row, 4096, 1 << 20);
	return t;
}

int trace_open(const char *path, const struct signals *s, struct trace **ret, struct error *err)
{
	_cleanup_(cleanup_trace) struct trace *t = trace_new(s);

	if (jobs_open(path, s, 0, &t->file, err))
		return -1;
	*ret = steal_ptr(t);
	return 0;
}

int trace_make(const char *spec, const struct signals *s, int64_t from_ms, int64_t to_ms, struct trace **ret,
	       struct error *err)
{
	_cleanup_(cleanup_trace) struct trace *t = trace_new(s);

	if (synthetic_new(spec, s, from_ms, to_ms, &t->made, err))
		return -1;
	*ret = steal_ptr(t);
	return 0;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	jobs_free(t->file);
	synthetic_free(t->made);
	arena_release(&t->row);
	free(t);
}

/* In order, and inside of what was recorded. */
static int check(struct trace *t, const struct job *job, struct error *err)
{
	int64_t earliest_ms = MAX(job->arrival_ms, job->earliest_ms);
	int64_t end_ms = job->latest_finish_ms == TIME_NONE
				 ? earliest_ms + job->duration_ms
				 : MAX(job->latest_finish_ms, earliest_ms + job->duration_ms);
	char at[TIME_TEXT], limit[TIME_TEXT];

	if (job->arrival_ms < t->last_ms)
		return jobs_error(t->file, job, err,
				  "job '%.40s' arrives before the one above it: sort the file by arrival_utc", job->id);
	t->last_ms = job->arrival_ms;
	if (job->arrival_ms < t->signals->start_ms)
		return jobs_error(t->file, job, err, "job '%.40s' arrives at %s, before the signals begin (%s)",
				  job->id, time_format(job->arrival_ms, at), time_format(t->signals->start_ms, limit));
	if (end_ms > signals_end_ms(t->signals))
		return jobs_error(t->file, job, err, "job '%.40s' may run until %s, past the end of the signals (%s)",
				  job->id, time_format(end_ms, at), time_format(signals_end_ms(t->signals), limit));
	if (job->n_zones > TRACE_MAX_ZONES)
		return jobs_error(t->file, job, err, "job '%.40s' names %d zones, more than %d", job->id, job->n_zones,
				  TRACE_MAX_ZONES);
	return 0;
}

int trace_next(struct trace *t, struct trace_job *ret, struct error *err)
{
	struct job job;

	if (t->made)
		return synthetic_next(t->made, ret);
	arena_reset(&t->row);
	int got = jobs_next(t->file, &t->row, &job, err);
	if (got <= 0)
		return got;
	if (check(t, &job, err))
		return -1;
	*ret = (struct trace_job){
		.line = job.line,
		.arrival_ms = job.arrival_ms,
		.earliest_ms = MAX(job.arrival_ms, job.earliest_ms),
		.duration_ms = job.duration_ms,
		.latest_finish_ms = job.latest_finish_ms,
		.pods = (int32_t)job.pods,
		.cpu_milli = llround(job.cores * 1000),
		.watts_per_pod = job.power_w / (double)job.pods,
		.critical = job.critical,
		.may_pause = job.tells_pauses && job.max_interruptions != 0,
		.min_run_ms = job.min_run_ms,
		.restart_wh = job.restart_wh,
		.max_interruptions = job.max_interruptions,
		.max_carbon = job.max_carbon,
		.max_price = job.max_price,
		.n_zones = job.n_zones,
	};
	(void)str_copy(ret->id, sizeof(ret->id), str_from(job.id));
	memcpy(ret->zones, job.zones, (size_t)job.n_zones * sizeof(*job.zones));
	return 1;
}
