/* SPDX-License-Identifier: Apache-2.0 */
/* The status of CarbonAwareJobs: decode, encode, copy. Names as in crds/carbonawarejobs.yaml. */
#include "api/carbonawarejob.h"

#include "api/internal.h"
#include "base/decimal.h"
#include "base/words.h"
#include "json/writer.h"

/* Longer texts count as absent; the same bounds as in the schema. */
#define MAX_NAME 253
#define MAX_WORD 64
#define MAX_COLUMN 32
#define MAX_SENTENCE 1024

/* Of conditions, that the explanation may be one of. */
#define MAX_MESSAGES 6

#define MAX_DURATION_S 31536000 /* as spec.expectedDurationSeconds */
#define MICROS 6                /* places of a cost */

/* Of a job whose duration is a year at most; more is nobody's record. */
#define MAX_WORK_SECONDS (2 * INT64_C(31536000))

/* ---- decode ---- */

static const char *text(const struct json *parent, const char *key, size_t max, struct shared_texts *t)
{
	const char *s = json_string(json_get(parent, key));

	return s && *s && strlen(s) <= max ? shared_text(t, s) : NULL;
}

/* The same for what many objects say. */
static const char *word(const struct json *parent, const char *key, size_t max, struct shared_texts *t)
{
	const char *s = json_string(json_get(parent, key));
	const char *known = s && *s && strlen(s) <= max ? word_of(s) : NULL;

	return known ? known : text(parent, key, max, t);
}

/* Room for the elements of a list, at most `max`; nothing for an empty one. */
static void *room_for(const struct json *list, size_t max, size_t size, struct arena *a)
{
	size_t n = MIN(json_len(list), max);

	return n ? arena_alloc_array(a, n, size) : NULL;
}

static int64_t time_of(const struct json *parent, const char *key)
{
	int64_t ms;

	return json_time(json_get(parent, key), &ms) ? ms : TIME_NONE;
}

static int32_t count(const struct json *parent, const char *key)
{
	int64_t n;

	return json_i64(json_get(parent, key), &n) ? (int32_t)CLAMP(n, 0, INT32_MAX) : 0;
}

static bool cost(const struct json *parent, int64_t *ret_micros)
{
	const char *s = json_string(json_get(parent, "cost"));

	return s && decimal_parse(str_from(s), MICROS, ret_micros);
}

static void figures_decode(const struct json *j, struct caj_figures *ret)
{
	ret->energy_known = json_i64(json_get(j, "energyMilliWattHours"), &ret->energy_milliwatt_hours);
	ret->carbon_known = json_i64(json_get(j, "carbonMilligrams"), &ret->carbon_milligrams);
	ret->cost_known = cost(j, &ret->cost_micros);
}

/* A plan of which a part is lost is no plan: the next round makes a new one. */
static void plan_decode(const struct json *j, struct shared_texts *t, struct caj_plan *ret)
{
	const struct json *list = json_get(j, "segments");
	int n = 0;

	ret->segments = room_for(list, CAJ_MAX_SEGMENTS, sizeof(*ret->segments), t->arena);
	json_each (item, list) {
		if (n == CAJ_MAX_SEGMENTS)
			return;
		struct caj_segment *s = &ret->segments[n++];

		*s = (struct caj_segment){
			.region = word(item, "region", MAX_NAME, t),
			.start_ms = time_of(item, "startTime"),
			.end_ms = time_of(item, "endTime"),
			.parallelism = count(item, "parallelism"),
		};
		if (!s->region || s->start_ms == TIME_NONE || s->end_ms == TIME_NONE)
			return;
	}
	ret->n_segments = n;
	if (n > 0)
		figures_decode(json_get(j, "expected"), &ret->expected);
}

static void baseline_decode(const struct json *j, struct shared_texts *t, struct caj_baseline *ret)
{
	struct caj_baseline b = {
		.rule = word(j, "rule", MAX_WORD, t),
		.region = word(j, "region", MAX_NAME, t),
		.start_ms = time_of(j, "startTime"),
	};

	figures_decode(json_get(j, "expected"), &b.expected);
	*ret = b.rule && b.region && b.start_ms != TIME_NONE ? b : (struct caj_baseline){ .start_ms = TIME_NONE };
}

static void options_decode(const struct json *list, struct shared_texts *t, struct caj_status *s)
{
	s->options = room_for(list, CAJ_MAX_OPTIONS, sizeof(*s->options), t->arena);
	json_each (item, list) {
		struct caj_option o = { .region = word(item, "region", MAX_NAME, t),
					.start_ms = time_of(item, "startTime") };

		figures_decode(json_get(item, "expected"), &o.expected);
		if (s->n_options < CAJ_MAX_OPTIONS && o.region && o.start_ms != TIME_NONE)
			s->options[s->n_options++] = o;
	}
}

static void runs_decode(const struct json *list, struct shared_texts *t, struct caj_status *s)
{
	s->runs = room_for(list, CAJ_MAX_RUNS, sizeof(*s->runs), t->arena);
	json_each (item, list) {
		struct caj_run r = {
			.region = word(item, "region", MAX_NAME, t),
			.job_uid = text(item, "jobUID", MAX_WORD, t),
			.start_ms = time_of(item, "startTime"),
			.end_ms = time_of(item, "endTime"),
			.segment = count(item, "segment"),
			.pods = count(item, "pods"),
		};

		figures_decode(item, &r.figures);
		if (s->n_runs < CAJ_MAX_RUNS && r.job_uid && r.start_ms != TIME_NONE)
			s->runs[s->n_runs++] = r;
	}
}

/* A region that nobody named is not lost: it is where the plan says. */
static void ledger_decode(const struct json *j, struct shared_texts *t, struct caj_ledger *ret)
{
	int64_t work_s = 0;

	*ret = (struct caj_ledger){ .since_ms = TIME_NONE };
	if (!json_is_object(j))
		return;
	ret->begun = true;
	if (json_i64(json_get(j, "workSeconds"), &work_s))
		ret->work_ms = CLAMP(work_s, 0, MAX_WORK_SECONDS) * SECOND_MS;
	ret->since_ms = time_of(j, "sinceTime");
	ret->region = text(j, "region", MAX_NAME, t);
	ret->parallelism = count(j, "parallelism");
	ret->interruptions = count(j, "interruptions");
	ret->moves = count(j, "moves");
	(void)json_bool(json_get(j, "inPlace"), &ret->in_place);
}

static const struct caj_actual *actual_decode(const struct json *j, struct shared_texts *t)
{
	if (!json_is_object(j))
		return NULL;
	struct caj_actual *ret = arena_new(t->arena, struct caj_actual);
	(void)json_bool(json_get(j, "final"), &ret->final);
	figures_decode(j, &ret->figures);
	ret->carbon_source = word(j, "carbonSource", MAX_NAME, t);
	ret->energy_scope = word(j, "energyScope", MAX_WORD, t);
	ret->cost_basis = word(j, "costBasis", MAX_WORD, t);
	return ret;
}

static void saving_decode(const struct json *j, struct caj_saving *ret)
{
	ret->carbon_known = json_i64(json_get(j, "carbonMilligrams"), &ret->carbon_milligrams);
	ret->cost_known = cost(j, &ret->cost_micros);
}

static const struct caj_savings *savings_decode(const struct json *j, struct arena *a)
{
	if (!json_is_object(j))
		return NULL;
	struct caj_savings *ret = arena_new(a, struct caj_savings);
	ret->present = true;
	saving_decode(json_get(j, "time"), &ret->time);
	saving_decode(json_get(j, "place"), &ret->place);
	saving_decode(json_get(j, "forecastError"), &ret->forecast_error);
	saving_decode(json_get(j, "total"), &ret->total);
	return ret;
}

void caj_status_decode(const struct json *j, struct shared_texts *t, struct caj_status *ret)
{
	const struct json *job = json_get(j, "jobRef"), *saved = json_get(j, "saved");
	int64_t seconds;

	*ret = (struct caj_status){ 0 };
	conditions_decode(json_get(j, "conditions"), NULL, t->arena, &ret->conditions);
	/* The explanation is a condition's message, too. */
	for (size_t i = 0; i < MIN(ret->conditions.len, MAX_MESSAGES); i++)
		shared_texts_know(t, ret->conditions.items[i].message);
	ret->template_hash = text(j, "templateHash", MAX_WORD, t);
	ret->deadline_ms = time_of(j, "deadlineTime");
	ret->latest_start_ms = time_of(j, "latestStartTime");
	if (json_i64(json_get(j, "learnedDurationSeconds"), &seconds) && seconds > 0 && seconds <= MAX_DURATION_S)
		ret->learned_duration_ms = seconds * SECOND_MS;
	ret->home = word(j, "home", MAX_NAME, t);
	ret->plan_id = text(j, "planID", MAX_WORD, t);
	ret->currency = word(j, "currency", MAX_COLUMN, t);
	ret->estimated_start_ms = time_of(j, "estimatedStartTime");
	ret->explanation = text(j, "explanation", MAX_SENTENCE, t);
	ret->job_name = text(job, "name", MAX_NAME, t);
	if (ret->job_name)
		ret->job_uid = text(job, "uid", MAX_WORD, t);
	ret->released_ms = time_of(j, "releasedTime");
	ret->paused_ms = time_of(j, "pausedTime");
	ledger_decode(json_get(j, "progress"), t, &ret->ledger);
	ret->saved_carbon = text(saved, "carbon", MAX_COLUMN, t);
	ret->saved_cost = text(saved, "cost", MAX_COLUMN, t);
	(void)json_i64(json_get(j, "observedGeneration"), &ret->observed_generation);
	plan_decode(json_get(j, "plan"), t, &ret->plan);
	baseline_decode(json_get(j, "baseline"), t, &ret->baseline);
	options_decode(json_get(j, "options"), t, ret);
	runs_decode(json_get(j, "runs"), t, ret);
	ret->actual = actual_decode(json_get(j, "actual"), t);
	ret->savings = savings_decode(json_get(j, "savings"), t->arena);
}

/* ---- encode ---- */

static void put_text(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		jw_string(w, key, value);
}

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
	if (ms != TIME_NONE)
		jw_time(w, key, ms);
}

static void put_i64(struct json_writer *w, const char *key, bool known, int64_t value)
{
	if (known)
		jw_i64(w, key, value);
}

static void put_cost(struct json_writer *w, bool known, int64_t micros)
{
	char decimal[DECIMAL_TEXT];

	put_text(w, "cost", known ? decimal_format(micros, MICROS, decimal) : NULL);
}

/* The members only: the caller's object is open. */
static void put_figures(struct json_writer *w, const struct caj_figures *f)
{
	put_i64(w, "energyMilliWattHours", f->energy_known, f->energy_milliwatt_hours);
	put_i64(w, "carbonMilligrams", f->carbon_known, f->carbon_milligrams);
	put_cost(w, f->cost_known, f->cost_micros);
}

static void put_expected(struct json_writer *w, const struct caj_figures *f)
{
	jw_object(w, "expected");
	put_figures(w, f);
	jw_end_object(w);
}

static void put_plan(struct json_writer *w, const struct caj_plan *p)
{
	if (p->n_segments == 0)
		return;
	jw_object(w, "plan");
	jw_array(w, "segments");
	for (int i = 0; i < p->n_segments; i++) {
		const struct caj_segment *s = &p->segments[i];

		jw_object(w, NULL);
		jw_string(w, "cluster", "");
		put_text(w, "region", s->region);
		put_time(w, "startTime", s->start_ms);
		put_time(w, "endTime", s->end_ms);
		jw_i64(w, "parallelism", s->parallelism);
		jw_end_object(w);
	}
	jw_end_array(w);
	put_expected(w, &p->expected);
	jw_end_object(w);
}

static void put_baseline(struct json_writer *w, const struct caj_baseline *b)
{
	if (!b->rule)
		return;
	jw_object(w, "baseline");
	jw_string(w, "rule", b->rule);
	put_text(w, "region", b->region);
	put_time(w, "startTime", b->start_ms);
	put_expected(w, &b->expected);
	jw_end_object(w);
}

static void put_options(struct json_writer *w, const struct caj_status *s)
{
	if (s->n_options == 0)
		return;
	jw_array(w, "options");
	for (int i = 0; i < s->n_options; i++) {
		jw_object(w, NULL);
		put_text(w, "region", s->options[i].region);
		put_time(w, "startTime", s->options[i].start_ms);
		put_expected(w, &s->options[i].expected);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void put_job(struct json_writer *w, const struct caj_status *s)
{
	if (!s->job_name)
		return;
	jw_object(w, "jobRef");
	jw_string(w, "cluster", "");
	jw_string(w, "name", s->job_name);
	put_text(w, "uid", s->job_uid);
	jw_end_object(w);
}

static void put_runs(struct json_writer *w, const struct caj_status *s)
{
	if (s->n_runs == 0)
		return;
	jw_array(w, "runs");
	for (int i = 0; i < s->n_runs; i++) {
		const struct caj_run *r = &s->runs[i];

		jw_object(w, NULL);
		put_text(w, "region", r->region);
		put_text(w, "jobUID", r->job_uid);
		put_i64(w, "segment", r->segment > 0, r->segment);
		put_time(w, "startTime", r->start_ms);
		put_time(w, "endTime", r->end_ms);
		jw_i64(w, "pods", r->pods);
		put_figures(w, &r->figures);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void put_ledger(struct json_writer *w, const struct caj_ledger *l)
{
	if (!l->begun)
		return;
	jw_object(w, "progress");
	jw_i64(w, "workSeconds", l->work_ms / SECOND_MS);
	put_time(w, "sinceTime", l->since_ms);
	put_text(w, "region", l->region);
	jw_i64(w, "parallelism", l->parallelism);
	jw_i64(w, "interruptions", l->interruptions);
	jw_i64(w, "moves", l->moves);
	if (l->in_place)
		jw_bool(w, "inPlace", true);
	jw_end_object(w);
}

static void put_actual(struct json_writer *w, const struct caj_actual *a)
{
	if (!a)
		return;
	jw_object(w, "actual");
	put_figures(w, &a->figures);
	put_text(w, "carbonSource", a->carbon_source);
	put_text(w, "energyScope", a->energy_scope);
	put_text(w, "costBasis", a->cost_basis);
	jw_bool(w, "final", a->final);
	jw_end_object(w);
}

static void put_saving(struct json_writer *w, const char *key, const struct caj_saving *s)
{
	if (!s->carbon_known && !s->cost_known)
		return;
	jw_object(w, key);
	put_i64(w, "carbonMilligrams", s->carbon_known, s->carbon_milligrams);
	put_cost(w, s->cost_known, s->cost_micros);
	jw_end_object(w);
}

static void put_savings(struct json_writer *w, const struct caj_savings *s)
{
	if (!s)
		return;
	jw_object(w, "savings");
	put_saving(w, "time", &s->time);
	put_saving(w, "place", &s->place);
	put_saving(w, "forecastError", &s->forecast_error);
	put_saving(w, "total", &s->total);
	jw_end_object(w);
}

const char *caj_status_region(const struct caj_status *s)
{
	bool ended = condition_is_true(&s->conditions, COND_COMPLETE) || condition_is_true(&s->conditions, COND_FAILED);
	const struct caj_run *last = NULL;

	for (int i = 0; ended && i < s->n_runs; i++)
		if (s->runs[i].region && (!last || s->runs[i].end_ms > last->end_ms))
			last = &s->runs[i];
	if (last)
		return last->region;
	if (s->ledger.begun && s->ledger.region)
		return s->ledger.region;
	return s->plan.n_segments > 0 ? s->plan.segments[0].region : NULL;
}

static void put_saved(struct json_writer *w, const struct caj_status *s)
{
	if (!s->saved_carbon && !s->saved_cost)
		return;
	jw_object(w, "saved");
	put_text(w, "carbon", s->saved_carbon);
	put_text(w, "cost", s->saved_cost);
	jw_end_object(w);
}

int caj_status_encode(const struct caj_status *s, struct buf *out, struct error *err)
{
	struct json_writer w = json_writer(out);
	size_t before = out->len;

	jw_object(&w, NULL);
	put_i64(&w, "observedGeneration", s->observed_generation != 0, s->observed_generation);
	put_text(&w, "templateHash", s->template_hash);
	put_time(&w, "deadlineTime", s->deadline_ms);
	put_time(&w, "latestStartTime", s->latest_start_ms);
	put_i64(&w, "learnedDurationSeconds", s->learned_duration_ms > 0, s->learned_duration_ms / SECOND_MS);
	put_text(&w, "home", s->home);
	put_text(&w, "planID", s->plan_id);
	put_plan(&w, &s->plan);
	put_text(&w, "region", caj_status_region(s));
	put_text(&w, "currency", s->currency);
	put_baseline(&w, &s->baseline);
	put_time(&w, "estimatedStartTime", s->estimated_start_ms);
	put_text(&w, "explanation", s->explanation);
	put_options(&w, s);
	put_job(&w, s);
	put_time(&w, "releasedTime", s->released_ms);
	put_time(&w, "pausedTime", s->paused_ms);
	put_ledger(&w, &s->ledger);
	put_runs(&w, s);
	put_actual(&w, s->actual);
	put_savings(&w, s->savings);
	put_saved(&w, s);
	if (s->conditions.len > 0)
		conditions_write(&w, "conditions", &s->conditions);
	jw_end_object(&w);
	if (buf_check(out, "status", err))
		return -1;
	if (out->len - before > CAJ_MAX_STATUS)
		return error_set(err, ERR_LIMIT, "status is larger than %d bytes", CAJ_MAX_STATUS);
	return 0;
}

/* ---- copy ---- */

static void plan_copy(const struct caj_plan *from, struct arena *a, struct caj_plan *ret)
{
	*ret = *from;
	ret->segments = arena_array(a, (size_t)from->n_segments, struct caj_segment);
	for (int i = 0; i < from->n_segments; i++) {
		ret->segments[i] = from->segments[i];
		ret->segments[i].region = arena_strdup(a, from->segments[i].region);
	}
}

static void options_copy(const struct caj_status *from, struct arena *a, struct caj_status *ret)
{
	ret->options = arena_array(a, (size_t)from->n_options, struct caj_option);
	for (int i = 0; i < from->n_options; i++) {
		ret->options[i] = from->options[i];
		ret->options[i].region = arena_strdup(a, from->options[i].region);
	}
}

static void runs_copy(const struct caj_status *from, struct arena *a, struct caj_status *ret)
{
	ret->runs = arena_array(a, CAJ_MAX_RUNS, struct caj_run);
	for (int i = 0; i < from->n_runs; i++) {
		ret->runs[i] = from->runs[i];
		ret->runs[i].region = arena_strdup(a, from->runs[i].region);
		ret->runs[i].job_uid = arena_strdup(a, from->runs[i].job_uid);
	}
}

static const struct caj_actual *actual_copy(const struct caj_actual *from, struct arena *a)
{
	if (!from)
		return NULL;
	struct caj_actual *ret = arena_new(a, struct caj_actual);
	*ret = *from;
	ret->carbon_source = arena_strdup(a, from->carbon_source);
	ret->energy_scope = arena_strdup(a, from->energy_scope);
	ret->cost_basis = arena_strdup(a, from->cost_basis);
	return ret;
}

static const struct caj_savings *savings_copy(const struct caj_savings *from, struct arena *a)
{
	return from ? memcpy(arena_new(a, struct caj_savings), from, sizeof(*from)) : NULL;
}

void caj_status_copy(const struct caj_status *from, struct arena *a, struct caj_status *ret)
{
	*ret = *from;
	ret->template_hash = arena_strdup(a, from->template_hash);
	ret->home = arena_strdup(a, from->home);
	ret->plan_id = arena_strdup(a, from->plan_id);
	plan_copy(&from->plan, a, &ret->plan);
	ret->currency = arena_strdup(a, from->currency);
	ret->baseline.rule = arena_strdup(a, from->baseline.rule);
	ret->baseline.region = arena_strdup(a, from->baseline.region);
	ret->explanation = arena_strdup(a, from->explanation);
	options_copy(from, a, ret);
	ret->job_name = arena_strdup(a, from->job_name);
	ret->job_uid = arena_strdup(a, from->job_uid);
	ret->ledger.region = arena_strdup(a, from->ledger.region);
	runs_copy(from, a, ret);
	ret->actual = actual_copy(from->actual, a);
	ret->savings = savings_copy(from->savings, a);
	ret->saved_carbon = arena_strdup(a, from->saved_carbon);
	ret->saved_cost = arena_strdup(a, from->saved_cost);
	conditions_copy(&from->conditions, a, &ret->conditions);
}
