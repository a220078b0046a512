/* SPDX-License-Identifier: Apache-2.0 */
/* What a job that has begun has done so far. */
#include "decide/progress.h"

#include "base/decimal.h"
#include "decide/decide.h"

static int64_t speed_permille(const struct caj_scale *s, int n)
{
	return s->n_speedup > 0 ? s->speedup_permille[n - 1] : (int64_t)n * 1000;
}

int64_t caj_work_ms(const struct caj_spec *spec, int32_t n, int64_t time_ms)
{
	const struct caj_scale *s = &spec->scale;

	if (!s->set || n <= 0 || n >= s->max)
		return MAX(time_ms, 0);
	return i64_mul_div(MAX(time_ms, 0), speed_permille(s, n), speed_permille(s, s->max));
}

int64_t caj_time_for_work_ms(const struct caj_spec *spec, int32_t n, int64_t work_ms)
{
	const struct caj_scale *s = &spec->scale;
	int64_t time_ms;

	if (!s->set || n <= 0 || n >= s->max)
		return MAX(work_ms, 0);
	time_ms = i64_mul_div(MAX(work_ms, 0), speed_permille(s, s->max), speed_permille(s, n));
	return time_ms + (caj_work_ms(spec, n, time_ms) < work_ms);
}

/* Where the plan has it now, or had it last. */
static const char *planned_region(const struct caj_status *s, int64_t now_ms)
{
	const char *region = s->home;

	for (int i = 0; i < s->plan.n_segments && (i == 0 || s->plan.segments[i].start_ms <= now_ms); i++)
		region = s->plan.segments[i].region;
	return region;
}

void caj_progress(const struct carbonawarejob *caj, const struct job *job, int64_t now_ms, struct caj_progress *ret)
{
	const struct caj_status *s = &caj->status;
	const struct caj_ledger *l = &s->ledger;

	*ret = (struct caj_progress){ 0 };
	if (!job || caj_is_finished(caj) || job_is_finished(job))
		return;
	bool running = caj_is_running(caj, job) && !job->suspend;
	if (!l->begun) {
		if (running)
			*ret = (struct caj_progress){ .begun = true,
						      .running = true,
						      .done_ms = MAX(now_ms - s->released_ms, 0),
						      .ran_ms = MAX(now_ms - s->released_ms, 0),
						      .region = planned_region(s, now_ms) };
		return;
	}
	bool runs = running && l->since_ms != TIME_NONE;
	int64_t stretch_ms = runs ? MAX(now_ms - l->since_ms, 0) : 0;
	/* A change of parallelism is no new run. */
	int64_t ran_ms = runs && caj->spec.scale.set ? MAX(now_ms - s->released_ms, stretch_ms) : stretch_ms;
	*ret = (struct caj_progress){
		.begun = true,
		.running = running,
		.done_ms = l->work_ms + caj_work_ms(&caj->spec, l->parallelism, stretch_ms),
		.ran_ms = ran_ms,
		.region = l->region ? l->region : planned_region(s, now_ms),
		.parallelism = l->parallelism,
		.interruptions = l->interruptions,
		.moves = l->moves,
	};
}
