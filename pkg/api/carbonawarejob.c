/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of CarbonAwareJobs: spec, defaults and override annotations. The status is in carbonawarejob_status.c. */
#include "api/carbonawarejob.h"

#include "api/internal.h"
#include "base/decimal.h"

/* The same bounds as in crds/carbonawarejobs.yaml. */
#define MAX_SECONDS 31536000 /* a year */
#define MAX_TTL_SECONDS INT32_MAX
#define MAX_WATTS 1000000
#define MAX_WEIGHT 1000
#define MAX_CARBON_GRAMS 10000
#define MAX_PRICE_MICROS 999999999
#define MAX_MIN_RUN_SECONDS 604800
#define MAX_CHECKPOINT_SECONDS 86400
#define MAX_RESTART_WATT_HOURS 1000000
#define MAX_SPEEDUP 64
#define MAX_REGION_NAME 63
#define MAX_TIME_ZONE 64
#define MAX_TEMPLATE_TEXT 253
/* Of the spec, whose names the status may share. */
#define MAX_KNOWN_REGIONS 6

#define EXAMPLE_TIME "must be an RFC 3339 time with offset such as 2026-03-01T06:00:00Z"
#define EVERY_DAY 0x7f

/*
 * Where a decoder is, and the first thing that it could not read. A field that is absent or null keeps its default, and
 * so does one that is wrong: whoever looks at the rest of a refused object finds nothing out of bounds.
 */
struct reader {
	struct arena *arena;
	const char *bad; /* NULL = all well */
};

static void complain(struct reader *r, const char *path, const char *key, const char *fix)
{
	if (!r->bad)
		r->bad = arena_printf(r->arena, "%s.%s: %s", path, key, fix);
}

/* The member, or NULL when it is absent or null. */
static const struct json *member(const struct json *object, const char *key)
{
	const struct json *j = json_get(object, key);

	return json_is_null(j) ? NULL : j;
}

/* The same where only an object will do. */
static const struct json *object_member(struct reader *r, const struct json *parent, const char *path, const char *key)
{
	const struct json *j = member(parent, key);

	if (!j || json_is_object(j))
		return j;
	complain(r, path, key, "must be an object");
	return NULL;
}

static void read_i64(struct reader *r, const struct json *parent, const char *path, const char *key, int64_t min,
		     int64_t max, int64_t *ret)
{
	const struct json *j = member(parent, key);
	int64_t v;

	if (!j)
		return;
	if (json_i64(j, &v) && v >= min && v <= max)
		*ret = v;
	else
		complain(r, path, key,
			 arena_printf(r->arena, "must be a whole number from %" PRId64 " to %" PRId64, min, max));
}

static void read_i32(struct reader *r, const struct json *parent, const char *path, const char *key, int32_t max,
		     int32_t *ret)
{
	int64_t v = *ret;

	read_i64(r, parent, path, key, 0, max, &v);
	*ret = (int32_t)v;
}

static void read_seconds(struct reader *r, const struct json *spec, const char *key, int64_t min, int64_t max,
			 int64_t *ret_ms)
{
	int64_t s = -1;

	read_i64(r, spec, "spec", key, min, max, &s);
	*ret_ms = s < 0 ? TIME_NONE : s * SECOND_MS;
}

static void read_bool(struct reader *r, const struct json *parent, const char *path, const char *key, bool *ret)
{
	const struct json *j = member(parent, key);

	if (j && !json_bool(j, ret))
		complain(r, path, key, "must be true or false");
}

/* `on` reads as true, `off` (the default) as false. */
static void read_choice(struct reader *r, const struct json *parent, const char *path, const char *key, const char *off,
			const char *on, bool *ret)
{
	const struct json *j = member(parent, key);
	const char *s = json_string(j);

	*ret = cstr_eq(s, on);
	if (j && !*ret && !cstr_eq(s, off))
		complain(r, path, key, arena_printf(r->arena, "must be %s or %s", off, on));
}

static int64_t read_time(struct reader *r, const struct json *spec, const char *key)
{
	const struct json *j = member(spec, key);
	int64_t ms;

	if (!j)
		return TIME_NONE;
	if (json_time(j, &ms))
		return ms;
	complain(r, "spec", key, EXAMPLE_TIME);
	return TIME_NONE;
}

static const char *read_region(struct reader *r, const struct json *j, const char *path, const char *key)
{
	const char *s = json_string(j);

	if (!j)
		return NULL;
	if (s && strlen(s) <= MAX_REGION_NAME && str_is_dns_name(str_from(s)))
		return arena_word(r->arena, s);
	complain(r, path, key, "must be the name of a GridRegion such as north-scotland");
	return NULL;
}

static void read_relocate(struct reader *r, const struct json *spec, struct caj_spec *s)
{
	const struct json *relocate = object_member(r, spec, "spec", "relocate");
	const struct json *list = member(relocate, "regions");
	size_t n = json_len(list);

	if (!relocate)
		return;
	if (!json_is_array(list) || n == 0 || n > CAJ_MAX_REGIONS) {
		complain(r, "spec.relocate", "regions",
			 arena_printf(r->arena, "must list 1 to %d GridRegions; leave out relocate to stay at home",
				      CAJ_MAX_REGIONS));
		return;
	}
	const char **names = arena_array(r->arena, n, const char *);
	int count = 0;
	json_each (item, list) {
		const char *name = read_region(r, item, "spec.relocate", "regions");
		bool seen = !name;

		for (int i = 0; i < count; i++)
			seen |= strcmp(names[i], name ? name : "") == 0;
		if (!seen)
			names[count++] = name;
	}
	s->relocate = names;
	s->n_relocate = count;
}

/* Letters, digits, '_', '+', '-' between slashes: nothing that could lead out of the time zone database's folder. */
static bool is_time_zone(const char *s)
{
	size_t len = strlen(s);
	bool slash = true; /* before the first character as well: no empty part */

	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
			    c == '+' || c == '-';

		if (!word && (c != '/' || slash))
			return false;
		slash = c == '/';
	}
	return len <= MAX_TIME_ZONE && !slash;
}

static bool parse_hour_minute(const char *s, struct caj_finish_by *ret)
{
	int64_t hour, minute;

	if (strlen(s) != 5 || s[2] != ':' || s[0] == '-' || s[3] == '-' || !str_to_i64(str_of(s, 2), 0, 23, &hour) ||
	    !str_to_i64(str_of(s + 3, 2), 0, 59, &minute))
		return false;
	ret->hour = (int8_t)hour;
	ret->minute = (int8_t)minute;
	return true;
}

/* Bits of the days, 0 when the list is not one of at least one day's name. */
static uint8_t parse_weekdays(const struct json *list)
{
	static const char *const names[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
					     "Thursday", "Friday", "Saturday" };
	unsigned days = 0;

	if (!json_is_array(list))
		return 0;
	json_each (item, list) {
		const char *s = json_string(item);
		size_t day = 0;

		while (day < ARRAY_LEN(names) && !cstr_eq(s, names[day]))
			day++;
		if (day == ARRAY_LEN(names))
			return 0;
		days |= 1u << day;
	}
	return (uint8_t)days;
}

static void read_finish_by(struct reader *r, const struct json *spec, struct caj_finish_by *ret)
{
	const struct json *j = object_member(r, spec, "spec", "finishBy"), *days = member(j, "weekdays");
	const char *time = json_string(member(j, "time")), *zone = json_string(member(j, "timeZone"));
	struct caj_finish_by f = { .weekdays = EVERY_DAY };

	if (!j)
		return;
	if (days)
		f.weekdays = parse_weekdays(days);
	if (!time || !parse_hour_minute(time, &f))
		complain(r, "spec.finishBy", "time", "must be HH:MM from 00:00 to 23:59");
	else if (!zone || !is_time_zone(zone))
		complain(r, "spec.finishBy", "timeZone", "must be an IANA time zone such as Europe/London or UTC");
	else if (!f.weekdays)
		complain(r, "spec.finishBy", "weekdays",
			 "must list one or more of Monday to Sunday; leave it out for every day");
	else
		*ret = (struct caj_finish_by){ arena_strdup(r->arena, zone), f.hour, f.minute, f.weekdays };
}

/* The limit `key`, NULL when it is not there. `path` is where its members are. */
static const struct json *read_limit(struct reader *r, const struct json *limits, const char *key, const char *path,
				     struct caj_limit *ret)
{
	const struct json *j = object_member(r, limits, "spec.limits", key);

	if (!j)
		return NULL;
	read_choice(r, j, path, "enforcement", "Soft", "Hard", &ret->hard);
	if (!member(j, "value"))
		complain(r, path, "value", "is missing");
	return j;
}

static void read_whole_limit(struct reader *r, const struct json *limits, const char *key, const char *path,
			     int64_t max, struct caj_limit *ret)
{
	const struct json *j = read_limit(r, limits, key, path, ret);
	int64_t v = -1;

	read_i64(r, j, path, "value", 0, max, &v);
	ret->set = v >= 0;
	/* Grams to milligrams, percent to permille. */
	ret->value = ret->set ? (int32_t)v * (max == 100 ? 10 : 1000) : 0;
}

static void read_price_limit(struct reader *r, const struct json *limits, struct caj_limit *ret)
{
	static const char path[] = "spec.limits.maxPricePerKWh";
	const struct json *j = read_limit(r, limits, "maxPricePerKWh", path, ret), *value = member(j, "value");
	const char *s = json_string(value);
	int64_t micros;

	if (!value)
		return;
	if (!s || !decimal_parse(str_from(s), 6, &micros) || micros < -MAX_PRICE_MICROS || micros > MAX_PRICE_MICROS) {
		complain(r, path, "value",
			 "must be a decimal in quotes with at most 6 places, between \"-999.999999\" and "
			 "\"999.999999\", such as \"0.15\"");
		return;
	}
	ret->set = true;
	ret->value = (int32_t)micros;
}

static void read_weights(struct reader *r, const struct json *spec, struct caj_weights *ret)
{
	static const char path[] = "spec.weights";
	const struct json *j = object_member(r, spec, "spec", "weights");
	struct caj_weights w = *ret;

	read_i32(r, j, path, "carbon", MAX_WEIGHT, &w.carbon);
	read_i32(r, j, path, "cost", MAX_WEIGHT, &w.cost);
	read_i32(r, j, path, "delay", MAX_WEIGHT, &w.delay);
	read_i32(r, j, path, "renewable", MAX_WEIGHT, &w.renewable);
	if (w.carbon + w.cost + w.delay + w.renewable > 0)
		*ret = w;
	else
		complain(r, "spec", "weights", "must not all be 0; set carbon or another one above 0");
}

/* A number of at most three places, in thousandths. */
static bool read_thousandths(const struct json *j, int64_t max, int64_t *ret)
{
	double v;

	if (!json_double(j, &v) || v < 0 || v > (double)max)
		return false;
	*ret = decimal_from_double(v, 3);
	return true;
}

static void read_interrupt(struct reader *r, const struct json *spec, struct caj_interrupt *ret)
{
	static const char path[] = "spec.interrupt";
	const struct json *j = object_member(r, spec, "spec", "interrupt"), *energy = member(j, "restartWattHours");
	int64_t min_run_s = 1800, checkpoint_s = 0, most = 4;

	if (!j)
		return;
	*ret = (struct caj_interrupt){ .set = true };
	read_i64(r, j, path, "minRunSeconds", 0, MAX_MIN_RUN_SECONDS, &min_run_s);
	read_i64(r, j, path, "checkpointSeconds", 0, MAX_CHECKPOINT_SECONDS, &checkpoint_s);
	read_i64(r, j, path, "maxInterruptions", 1, CAJ_MAX_INTERRUPTIONS, &most);
	if (energy && !read_thousandths(energy, MAX_RESTART_WATT_HOURS, &ret->restart_milliwatt_hours))
		complain(r, path, "restartWattHours", "must be a number from 0 to 1000000, such as 2.5");
	ret->min_run_ms = min_run_s * SECOND_MS;
	ret->checkpoint_ms = checkpoint_s * SECOND_MS;
	ret->max_interruptions = (int)most;
}

/* False unless there is one for each level, each above the one before. */
static bool read_speedup(struct reader *r, const struct json *list, struct caj_scale *s)
{
	int32_t *speedup = arena_array(r->arena, (size_t)s->max, int32_t);
	int64_t before = 0, v;
	int n = 0;

	if (!json_is_array(list) || json_len(list) != (size_t)s->max)
		return false;
	json_each (item, list) {
		if (!read_thousandths(item, MAX_SPEEDUP, &v) || v <= before)
			return false;
		speedup[n++] = (int32_t)v;
		before = v;
	}
	s->speedup_permille = speedup;
	s->n_speedup = n;
	return true;
}

static void read_scale(struct reader *r, const struct json *spec, struct caj_scale *ret)
{
	static const char path[] = "spec.scale";
	const struct json *j = object_member(r, spec, "spec", "scale"), *speedup = member(j, "speedup");
	struct caj_scale s = { .set = true };
	int64_t min = 1, max = 0;

	if (!j)
		return;
	read_i64(r, j, path, "minParallelism", 1, CAJ_MAX_PARALLELISM, &min);
	read_i64(r, j, path, "maxParallelism", 1, CAJ_MAX_PARALLELISM, &max);
	s.min = (int)min;
	s.max = (int)max;
	if (max == 0)
		complain(r, path, "maxParallelism", "is missing; say with how many pods it may run at most");
	else if (min > max)
		complain(r, path, "minParallelism", "must not be greater than maxParallelism; lower it or raise that");
	else if (speedup && !read_speedup(r, speedup, &s))
		complain(r, path, "speedup",
			 arena_printf(r->arena,
				      "must list %d rising numbers up to 64, one for each parallelism from 1 to "
				      "maxParallelism, such as 1, 1.9; leave it out where pods add up",
				      s.max));
	else
		*ret = s;
}

/* A label's value, which is used in messages: NULL when it is absent or no label's value. */
static const char *queue_label(struct reader *r, const struct json *metadata)
{
	const char *s = json_string(json_get(json_get(metadata, "labels"), "kueue.x-k8s.io/queue-name"));

	return s && *s && strlen(s) <= MAX_TEMPLATE_TEXT ? arena_strdup(r->arena, s) : NULL;
}

static void read_template(struct reader *r, const struct json *spec, struct caj_spec *s)
{
	const struct json *tpl = member(spec, "jobTemplate"), *job = json_get(tpl, "spec");
	const struct json *containers = json_at(job, "template.spec.containers");
	int64_t active;

	if (!tpl) {
		complain(r, "spec", "jobTemplate", "is missing; put the Job's spec into spec.jobTemplate.spec");
		return;
	}
	s->template_present = json_is_array(containers) && json_is_object(json_first(containers));
	if (!s->template_present)
		complain(r, "spec", "jobTemplate.spec",
			 "must be a batch/v1 JobSpec: template.spec.containers is missing");
	s->template_kueue_queue = queue_label(r, json_get(tpl, "metadata"));
	if (!s->template_kueue_queue)
		s->template_kueue_queue = queue_label(r, json_at(job, "template.metadata"));
	if (json_bool(json_get(job, "suspend"), &s->template_suspended) && s->template_suspended)
		complain(r, "spec", "jobTemplate.spec.suspend", "must not be true; use spec.suspend");
	/* Out of these bounds the API server refuses the Job, and says so itself. */
	if (json_i64(json_get(job, "activeDeadlineSeconds"), &active) && active > 0 && active <= INT32_MAX)
		s->template_active_deadline_ms = active * SECOND_MS;
}

static void read_when(struct reader *r, const struct json *spec, struct caj_spec *s)
{
	s->earliest_start_ms = read_time(r, spec, "earliestStartTime");
	s->deadline_ms = read_time(r, spec, "deadline");
	read_seconds(r, spec, "maxDelaySeconds", 0, MAX_SECONDS, &s->max_delay_ms);
	read_finish_by(r, spec, &s->finish_by);
	read_seconds(r, spec, "expectedDurationSeconds", 1, MAX_SECONDS, &s->expected_duration_ms);
	read_seconds(r, spec, "safetyMarginSeconds", 0, MAX_SECONDS, &s->safety_margin_ms);
	if ((s->deadline_ms != TIME_NONE) + (s->max_delay_ms != TIME_NONE) + (s->finish_by.time_zone != NULL) > 1)
		complain(r, "spec", "deadline", "only one of deadline, maxDelaySeconds and finishBy may be set");
}

static void read_spec(struct reader *r, const struct json *item, struct caj_spec *s)
{
	const struct json *spec = json_get(item, "spec");

	*s = (struct caj_spec){
		.power_watts_per_pod = -1,
		.weights = { 60, 30, 10, 0 },
		.template_active_deadline_ms = TIME_NONE,
	};
	if (!json_is_object(spec)) {
		r->bad = "spec: must be an object with a jobTemplate";
		spec = NULL;
	}
	read_template(r, spec, s);
	read_bool(r, spec, "spec", "suspend", &s->suspend);
	read_when(r, spec, s);
	read_i64(r, spec, "spec", "powerWattsPerPod", 0, MAX_WATTS, &s->power_watts_per_pod);
	s->home_region = read_region(r, member(spec, "homeRegion"), "spec", "homeRegion");
	read_relocate(r, spec, s);
	read_interrupt(r, spec, &s->interrupt);
	read_scale(r, spec, &s->scale);
	const struct json *limits = object_member(r, spec, "spec", "limits");
	read_whole_limit(r, limits, "maxCarbonGramsPerKWh", "spec.limits.maxCarbonGramsPerKWh", MAX_CARBON_GRAMS,
			 &s->max_carbon);
	read_price_limit(r, limits, &s->max_price);
	read_whole_limit(r, limits, "minRenewablePercent", "spec.limits.minRenewablePercent", 100, &s->min_renewable);
	read_weights(r, spec, &s->weights);
	read_choice(r, spec, "spec", "urgency", "Normal", "Critical", &s->critical);
	read_choice(r, spec, "spec", "onNoData", "RunNow", "RunAtLatestStart", &s->run_at_latest_on_no_data);
	read_seconds(r, spec, "ttlSecondsAfterFinished", 0, MAX_TTL_SECONDS, &s->ttl_after_finished_ms);
}

static void read_annotations(struct carbonawarejob *caj)
{
	const char *run_now = object_annotation(&caj->obj, ANNOTATION_RUN_NOW);
	const char *not_before = object_annotation(&caj->obj, ANNOTATION_NOT_BEFORE);

	caj->not_before_ms = TIME_NONE;
	caj->run_now = cstr_eq(run_now, "true");
	if (run_now && !caj->run_now && !cstr_eq(run_now, "false"))
		caj->bad_annotation = "annotation " ANNOTATION_RUN_NOW ": must be \"true\" or \"false\"";
	if (not_before && !time_parse(str_from(not_before), &caj->not_before_ms))
		caj->bad_annotation = "annotation " ANNOTATION_NOT_BEFORE ": " EXAMPLE_TIME;
}

static int carbonawarejob_decode(const struct json *item, struct object *o, struct error *err)
{
	struct carbonawarejob *caj = container_of(o, struct carbonawarejob, obj);
	struct reader r = { .arena = &o->arena };

	(void)err;
	read_spec(&r, item, &caj->spec);
	if (strlen(o->meta.name) > CAJ_MAX_NAME)
		complain(&r, "metadata", "name",
			 "must be at most 52 characters: the Job has the same name, and its pods' names are longer");
	caj->bad_spec = r.bad;
	read_annotations(caj);
	struct shared_texts texts = { .arena = &o->arena };
	shared_texts_know(&texts, o->meta.name);
	shared_texts_know(&texts, caj->spec.home_region);
	for (int i = 0; i < MIN(caj->spec.n_relocate, MAX_KNOWN_REGIONS); i++)
		shared_texts_know(&texts, caj->spec.relocate[i]);
	caj_status_decode(json_get(item, "status"), &texts, &caj->status);
	return 0;
}

const struct object_type carbonawarejob_type = {
	.kind = "CarbonAwareJob",
	.api_version = "loadshift.io/v1alpha1",
	.plural = "carbonawarejobs",
	.namespaced = true,
	.size = sizeof(struct carbonawarejob),
	.annotations = (const char *const[]){ "loadshift.io/", NULL },
	.decode = carbonawarejob_decode,
};
