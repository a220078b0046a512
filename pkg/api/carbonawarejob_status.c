/* SPDX-License-Identifier: Apache-2.0 */
/* The status of CarbonAwareJobs: decode, encode, copy. Names as in crds/carbonawarejobs.yaml. */
#include "api/carbonawarejob.h"

#include "api/internal.h"
#include "base/decimal.h"
#include "json/writer.h"

/* Longer texts count as absent; the same bounds as in the schema. */
#define MAX_NAME 253
#define MAX_WORD 64
#define MAX_COLUMN 32
#define MAX_SENTENCE 1024

#define MICROS 6 /* places of a cost */

/* ---- decode ---- */

static const char *text(const struct json *parent, const char *key, size_t max, struct shared_texts *t)
{
	const char *s = json_string(json_get(parent, key));

	return s && *s && strlen(s) <= max ? shared_text(t, s) : NULL;
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
			.region = text(item, "region", MAX_NAME, t),
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
		.rule = text(j, "rule", MAX_WORD, t),
		.region = text(j, "region", MAX_NAME, t),
		.start_ms = time_of(j, "startTime"),
	};

	figures_decode(json_get(j, "expected"), &b.expected);
	*ret = b.rule && b.region && b.start_ms != TIME_NONE ? b : (struct caj_baseline){ .start_ms = TIME_NONE };
}

static void options_decode(const struct json *list, struct shared_texts *t, struct caj_status *s)
{
	s->options = room_for(list, CAJ_MAX_OPTIONS, sizeof(*s->options), t->arena);
	json_each (item, list) {
		struct caj_option o = { .region = text(item, "region", MAX_NAME, t),
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
			.region = text(item, "region", MAX_NAME, t),
			.job_uid = text(item, "jobUID", MAX_WORD, t),
			.start_ms = time_of(item, "startTime"),
			.end_ms = time_of(item, "endTime"),
			.pods = count(item, "pods"),
		};

		figures_decode(item, &r.figures);
		if (s->n_runs < CAJ_MAX_RUNS && r.job_uid && r.start_ms != TIME_NONE)
			s->runs[s->n_runs++] = r;
	}
}

static void actual_decode(const struct json *j, struct shared_texts *t, struct caj_actual *ret)
{
	if (!json_is_object(j))
		return;
	ret->present = true;
	(void)json_bool(json_get(j, "final"), &ret->final);
	figures_decode(j, &ret->figures);
	ret->carbon_source = text(j, "carbonSource", MAX_NAME, t);
	ret->energy_scope = text(j, "energyScope", MAX_WORD, t);
	ret->cost_basis = text(j, "costBasis", MAX_WORD, t);
}

static void saving_decode(const struct json *j, struct caj_saving *ret)
{
	ret->carbon_known = json_i64(json_get(j, "carbonMilligrams"), &ret->carbon_milligrams);
	ret->cost_known = cost(j, &ret->cost_micros);
}

static void savings_decode(const struct json *j, struct caj_savings *ret)
{
	if (!json_is_object(j))
		return;
	ret->present = true;
	saving_decode(json_get(j, "time"), &ret->time);
	saving_decode(json_get(j, "place"), &ret->place);
	saving_decode(json_get(j, "forecastError"), &ret->forecast_error);
	saving_decode(json_get(j, "total"), &ret->total);
}

void caj_status_decode(const struct json *j, struct arena *a, struct caj_status *ret)
{
	const struct json *job = json_get(j, "jobRef"), *saved = json_get(j, "saved");
	struct shared_texts t = { .arena = a };

	*ret = (struct caj_status){ 0 };
	conditions_decode(json_get(j, "conditions"), NULL, a, &ret->conditions);
	/* The explanation is a condition's message, too. */
	for (size_t i = 0; i < MIN(ret->conditions.len, SHARED_TEXTS_MAX / 2); i++)
		shared_texts_know(&t, ret->conditions.items[i].message);
	ret->template_hash = text(j, "templateHash", MAX_WORD, &t);
	ret->deadline_ms = time_of(j, "deadlineTime");
	ret->latest_start_ms = time_of(j, "latestStartTime");
	ret->home = text(j, "home", MAX_NAME, &t);
	ret->plan_id = text(j, "planID", MAX_WORD, &t);
	ret->currency = text(j, "currency", MAX_COLUMN, &t);
	ret->estimated_start_ms = time_of(j, "estimatedStartTime");
	ret->explanation = text(j, "explanation", MAX_SENTENCE, &t);
	ret->job_name = text(job, "name", MAX_NAME, &t);
	if (ret->job_name)
		ret->job_uid = text(job, "uid", MAX_WORD, &t);
	ret->released_ms = time_of(j, "releasedTime");
	ret->saved_carbon = text(saved, "carbon", MAX_COLUMN, &t);
	ret->saved_cost = text(saved, "cost", MAX_COLUMN, &t);
	(void)json_i64(json_get(j, "observedGeneration"), &ret->observed_generation);
	plan_decode(json_get(j, "plan"), &t, &ret->plan);
	baseline_decode(json_get(j, "baseline"), &t, &ret->baseline);
	options_decode(json_get(j, "options"), &t, ret);
	runs_decode(json_get(j, "runs"), &t, ret);
	actual_decode(json_get(j, "actual"), &t, &ret->actual);
	savings_decode(json_get(j, "savings"), &ret->savings);
}

/* ---- encode ---- */

struct encoder {
	struct json_writer w;
	bool patch;     /* what is not set is written as null; never inside a list, which a patch replaces as a whole */
	size_t removed; /* bytes of such nulls, which are not part of the status */
};

static void put_absent(struct encoder *e, const char *key)
{
	size_t before = e->w.buf->len;

	if (!e->patch)
		return;
	jw_null(&e->w, key);
	e->removed += e->w.buf->len - before;
}

static void put_text(struct encoder *e, const char *key, const char *value)
{
	if (value)
		jw_string(&e->w, key, value);
	else
		put_absent(e, key);
}

static void put_time(struct encoder *e, const char *key, int64_t ms)
{
	if (ms != TIME_NONE)
		jw_time(&e->w, key, ms);
	else
		put_absent(e, key);
}

static void put_i64(struct encoder *e, const char *key, bool known, int64_t value)
{
	if (known)
		jw_i64(&e->w, key, value);
	else
		put_absent(e, key);
}

static void put_cost(struct encoder *e, bool known, int64_t micros)
{
	char decimal[DECIMAL_TEXT];

	put_text(e, "cost", known ? decimal_format(micros, MICROS, decimal) : NULL);
}

/* The members only: the caller's object is open. */
static void put_figures(struct encoder *e, const struct caj_figures *f)
{
	put_i64(e, "energyMilliWattHours", f->energy_known, f->energy_milliwatt_hours);
	put_i64(e, "carbonMilligrams", f->carbon_known, f->carbon_milligrams);
	put_cost(e, f->cost_known, f->cost_micros);
}

static void put_expected(struct encoder *e, const struct caj_figures *f)
{
	jw_object(&e->w, "expected");
	put_figures(e, f);
	jw_end_object(&e->w);
}

/* True when the list is to be filled and ended with list_end(); *ret_patch keeps the mode for it. */
static bool list_begin(struct encoder *e, const char *key, int n, bool *ret_patch)
{
	*ret_patch = e->patch;
	if (n == 0) {
		put_absent(e, key);
		return false;
	}
	e->patch = false;
	jw_array(&e->w, key);
	return true;
}

static void list_end(struct encoder *e, bool patch)
{
	jw_end_array(&e->w);
	e->patch = patch;
}

static void put_plan(struct encoder *e, const struct caj_plan *p)
{
	bool patch;

	if (p->n_segments == 0) {
		put_absent(e, "plan");
		return;
	}
	jw_object(&e->w, "plan");
	if (list_begin(e, "segments", p->n_segments, &patch)) {
		for (int i = 0; i < p->n_segments; i++) {
			const struct caj_segment *s = &p->segments[i];

			jw_object(&e->w, NULL);
			jw_string(&e->w, "cluster", "");
			put_text(e, "region", s->region);
			put_time(e, "startTime", s->start_ms);
			put_time(e, "endTime", s->end_ms);
			jw_i64(&e->w, "parallelism", s->parallelism);
			jw_end_object(&e->w);
		}
		list_end(e, patch);
	}
	put_expected(e, &p->expected);
	jw_end_object(&e->w);
}

static void put_baseline(struct encoder *e, const struct caj_baseline *b)
{
	if (!b->rule) {
		put_absent(e, "baseline");
		return;
	}
	jw_object(&e->w, "baseline");
	jw_string(&e->w, "rule", b->rule);
	put_text(e, "region", b->region);
	put_time(e, "startTime", b->start_ms);
	put_expected(e, &b->expected);
	jw_end_object(&e->w);
}

static void put_options(struct encoder *e, const struct caj_status *s)
{
	bool patch;

	if (!list_begin(e, "options", s->n_options, &patch))
		return;
	for (int i = 0; i < s->n_options; i++) {
		jw_object(&e->w, NULL);
		put_text(e, "region", s->options[i].region);
		put_time(e, "startTime", s->options[i].start_ms);
		put_expected(e, &s->options[i].expected);
		jw_end_object(&e->w);
	}
	list_end(e, patch);
}

static void put_job(struct encoder *e, const struct caj_status *s)
{
	if (!s->job_name) {
		put_absent(e, "jobRef");
		return;
	}
	jw_object(&e->w, "jobRef");
	jw_string(&e->w, "cluster", "");
	jw_string(&e->w, "name", s->job_name);
	put_text(e, "uid", s->job_uid);
	jw_end_object(&e->w);
}

static void put_runs(struct encoder *e, const struct caj_status *s)
{
	bool patch;

	if (!list_begin(e, "runs", s->n_runs, &patch))
		return;
	for (int i = 0; i < s->n_runs; i++) {
		const struct caj_run *r = &s->runs[i];

		jw_object(&e->w, NULL);
		put_text(e, "region", r->region);
		put_text(e, "jobUID", r->job_uid);
		put_time(e, "startTime", r->start_ms);
		put_time(e, "endTime", r->end_ms);
		jw_i64(&e->w, "pods", r->pods);
		put_figures(e, &r->figures);
		jw_end_object(&e->w);
	}
	list_end(e, patch);
}

static void put_actual(struct encoder *e, const struct caj_actual *a)
{
	if (!a->present) {
		put_absent(e, "actual");
		return;
	}
	jw_object(&e->w, "actual");
	put_figures(e, &a->figures);
	put_text(e, "carbonSource", a->carbon_source);
	put_text(e, "energyScope", a->energy_scope);
	put_text(e, "costBasis", a->cost_basis);
	jw_bool(&e->w, "final", a->final);
	jw_end_object(&e->w);
}

static void put_saving(struct encoder *e, const char *key, const struct caj_saving *s)
{
	if (!s->carbon_known && !s->cost_known) {
		put_absent(e, key);
		return;
	}
	jw_object(&e->w, key);
	put_i64(e, "carbonMilligrams", s->carbon_known, s->carbon_milligrams);
	put_cost(e, s->cost_known, s->cost_micros);
	jw_end_object(&e->w);
}

static void put_savings(struct encoder *e, const struct caj_savings *s)
{
	if (!s->present) {
		put_absent(e, "savings");
		return;
	}
	jw_object(&e->w, "savings");
	put_saving(e, "time", &s->time);
	put_saving(e, "place", &s->place);
	put_saving(e, "forecastError", &s->forecast_error);
	put_saving(e, "total", &s->total);
	jw_end_object(&e->w);
}

static void put_saved(struct encoder *e, const struct caj_status *s)
{
	if (!s->saved_carbon && !s->saved_cost) {
		put_absent(e, "saved");
		return;
	}
	jw_object(&e->w, "saved");
	put_text(e, "carbon", s->saved_carbon);
	put_text(e, "cost", s->saved_cost);
	jw_end_object(&e->w);
}

int caj_status_encode(const struct caj_status *s, bool patch, struct buf *out, struct error *err)
{
	struct encoder e = { .w = json_writer(out), .patch = patch };
	size_t before = out->len;

	jw_object(&e.w, NULL);
	put_i64(&e, "observedGeneration", s->observed_generation != 0, s->observed_generation);
	put_text(&e, "templateHash", s->template_hash);
	put_time(&e, "deadlineTime", s->deadline_ms);
	put_time(&e, "latestStartTime", s->latest_start_ms);
	put_text(&e, "home", s->home);
	put_text(&e, "planID", s->plan_id);
	put_plan(&e, &s->plan);
	put_text(&e, "currency", s->currency);
	put_baseline(&e, &s->baseline);
	put_time(&e, "estimatedStartTime", s->estimated_start_ms);
	put_text(&e, "explanation", s->explanation);
	put_options(&e, s);
	put_job(&e, s);
	put_time(&e, "releasedTime", s->released_ms);
	put_runs(&e, s);
	put_actual(&e, &s->actual);
	put_savings(&e, &s->savings);
	put_saved(&e, s);
	if (s->conditions.len > 0)
		conditions_write(&e.w, "conditions", &s->conditions);
	else
		put_absent(&e, "conditions");
	jw_end_object(&e.w);
	if (buf_check(out, "status", err))
		return -1;
	if (out->len - before - e.removed > CAJ_MAX_STATUS)
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
	runs_copy(from, a, ret);
	ret->actual.carbon_source = arena_strdup(a, from->actual.carbon_source);
	ret->actual.energy_scope = arena_strdup(a, from->actual.energy_scope);
	ret->actual.cost_basis = arena_strdup(a, from->actual.cost_basis);
	ret->saved_carbon = arena_strdup(a, from->saved_carbon);
	ret->saved_cost = arena_strdup(a, from->saved_cost);
	conditions_copy(&from->conditions, a, &ret->conditions);
}
