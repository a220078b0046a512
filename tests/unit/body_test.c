/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent to the API server: Jobs made from templates byte for byte, and patches applied as it would. */
#include "decide_fixture.h"

#include <cJSON.h>

#include "base/alloc.h"
#include "decide/body.h"
#include "json/json.h"

#define LIVE(spec) LIVE_WITH("", spec, "")
#define LIVE_WITH(metadata, spec, status)                                                                             \
	"{\"metadata\":{\"name\":\"train\",\"uid\":\"caj-1\"" metadata "},\"spec\":{\"jobTemplate\":" spec "}" status \
	"}"

/* ---- creation ---- */

static int create(const struct carbonawarejob *caj, const char *live, struct buf *out, struct error *err)
{
	return body_create_job(caj, str_from(live), out, err);
}

/* The Job's text at that path. */
static const char *made_at(const char *live, const char *path)
{
	_cleanup_(buf_release) struct buf out = BUF_INIT(4 * 1024 * 1024);
	struct error err = ERROR_INIT;
	struct str raw;

	if (create(caj_of("", "", "{}"), live, &out, &err) || json_raw_at(buf_str(&out), path, &raw, &err))
		fail_msg("%s", err.msg);
	return arena_strndup(&fixture.arena, raw.ptr, raw.len);
}

static void passes_the_template_on_byte_for_byte(void **state)
{
	/* 64-bit and odd numbers, unicode, escapes, order and unknown fields; blanks inside values too. */
	static const char live[] = LIVE(
		"{\"spec\":{\"zebra\": [1, 2.50,\t-0.0e+7 "
		"],\"backoffLimit\":9223372036854775807,\"a\":12345678901234567890123,"
		"\"template\":{\"spec\":{\"containers\":[{\"name\":\"\\u00e9\xC3\xA9\\ud83d\\ude00\\/\",\"x\":{}}],"
		"\"unknown\":{\"b\":null,\"a\":1e400}},\"metadata\":{\"finalizers\":[ ]}}}}");

	(void)state;
	assert_string_equal(made_at(live, "spec.zebra"), "[1, 2.50,\t-0.0e+7 ]");
	assert_string_equal(made_at(live, "spec.backoffLimit"), "9223372036854775807");
	assert_string_equal(made_at(live, "spec.a"), "12345678901234567890123");
	assert_string_equal(made_at(live, "spec.template.spec"),
			    "{\"containers\":[{\"name\":\"\\u00e9\xC3\xA9\\ud83d\\ude00\\/\",\"x\":{}}],"
			    "\"unknown\":{\"b\":null,\"a\":1e400}}");
	assert_string_equal(made_at(live, "spec.template.metadata.finalizers"), "[ ]");
}

static void the_job_is_ours_suspended_and_keeps_its_ttl_back(void **state)
{
	static const char live[] =
		LIVE("{\"metadata\":{\"labels\":{\"team\":\"ml\",\"loadshift.io/carbonawarejob\":\"other\"},"
		     "\"annotations\":{\"note\":\"n\",\"loadshift.io/released\":\"2023-02-09T00:00:00Z\"}},"
		     "\"spec\":{\"suspend\":false,\"ttlSecondsAfterFinished\":60,\"template\":{}}}");
	_cleanup_(buf_release) struct buf out = BUF_INIT(1024 * 1024);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(create(caj_of("", "", "{}"), live, &out, &err), 0);
	const struct job *job = job_of(parsed(&job_type, buf_cstr(&out)));
	assert_string_equal(job->obj.meta.name, "train");
	assert_string_equal(job->obj.meta.namespace, "ml");
	assert_string_equal(job->obj.meta.owner.uid, "caj-1");
	assert_string_equal(job->obj.meta.owner.kind, "CarbonAwareJob");
	assert_true(job->suspend);
	assert_int_equal(job->ttl_after_finished_ms, TIME_NONE);
	assert_string_equal(object_annotation(&job->obj, ANNOTATION_JOB_TTL), "60");
	assert_int_equal(strlen(object_annotation(&job->obj, ANNOTATION_TEMPLATE_HASH)), 64);
	/* Nobody gets a release by writing it into the template. */
	assert_null(object_annotation(&job->obj, ANNOTATION_RELEASED));
	assert_string_equal(made_at(live, "metadata.labels"),
			    "{\"team\":\"ml\",\"loadshift.io/carbonawarejob\":\"train\"}");
	assert_string_equal(made_at(live, "spec.template.metadata.labels"),
			    "{\"loadshift.io/carbonawarejob\":\"train\"}");
	assert_null(strstr(made_at(live, "spec"), "ttlSecondsAfterFinished"));
}

static void the_pods_carry_what_the_extender_reads(void **state)
{
	const struct carbonawarejob *caj =
		caj_of("",
		       ",\"expectedDurationSeconds\":5400,\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":150},"
		       "\"maxPricePerKWh\":{\"value\":\"0.125\"}}",
		       "{}");
	_cleanup_(buf_release) struct buf out = BUF_INIT(64 * 1024);
	struct error err = ERROR_INIT;
	struct str raw;

	(void)state;
	assert_int_equal(create(caj, LIVE("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"own\":\"1\"}}}}}"),
				&out, &err),
			 0);
	assert_int_equal(json_raw_at(buf_str(&out), "spec.template.metadata.annotations", &raw, &err), 0);
	assert_true(str_is(
		raw, "{\"own\":\"1\",\"loadshift.io/weights\":\"carbon=60,cost=30,delay=10,renewable=0\","
		     "\"loadshift.io/expected-duration-seconds\":\"5400\","
		     "\"loadshift.io/max-carbon-g-per-kwh\":\"150\",\"loadshift.io/max-price-per-kwh\":\"0.125\"}"));
	/* Without limits the user's own annotations for the extender stay. */
	assert_non_null(strstr(made_at(LIVE("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{"
					    "\"loadshift.io/max-price-per-kwh\":\"0.2\"}}}}}"),
				       "spec.template.metadata.annotations"),
			       "\"loadshift.io/max-price-per-kwh\":\"0.2\""));
}

static void null_is_as_good_as_absent(void **state)
{
	(void)state;
	assert_string_equal(
		made_at(LIVE("{\"metadata\":null,\"spec\":{\"suspend\":null,\"ttlSecondsAfterFinished\":null,"
			     "\"template\":{\"metadata\":null}}}"),
			"spec.suspend"),
		"true");
	assert_string_equal(made_at(LIVE("{\"metadata\":{\"labels\":null,\"annotations\":null},\"spec\":{\"template\":"
					 "{\"metadata\":{\"creationTimestamp\":null,\"labels\":null}}}}"),
				    "spec.template.metadata.creationTimestamp"),
			    "null");
}

static void of_duplicate_keys_the_first_counts(void **state)
{
	static const char live[] = LIVE("{\"metadata\":{\"labels\":{\"a\":\"1\",\"a\":\"2\"}},"
					"\"spec\":{\"x\":1,\"x\":2,\"template\":{}}}");

	(void)state;
	assert_string_equal(made_at(live, "metadata.labels"),
			    "{\"a\":\"1\",\"loadshift.io/carbonawarejob\":\"train\"}");
	assert_non_null(strstr(made_at(live, "spec"), "\"x\":1"));
	assert_null(strstr(made_at(live, "spec"), "\"x\":2"));
}

static void a_hostile_template_is_refused_by_its_field(void **state)
{
	static const struct {
		const char *live, *field;
	} cases[] = {
		{ LIVE("[]"), "spec.jobTemplate must be" },
		{ LIVE("null"), "spec.jobTemplate must be" },
		{ LIVE("{}"), "spec.jobTemplate.spec must be" },
		{ LIVE("{\"spec\":[]}"), "spec.jobTemplate.spec must be" },
		{ LIVE("{\"spec\":{}}"), "spec.jobTemplate.spec.template must be" },
		{ LIVE("{\"spec\":{\"template\":\"x\"}}"), "spec.jobTemplate.spec.template must be" },
		{ LIVE("{\"spec\":{\"template\":{\"metadata\":7}}}"),
		  "spec.jobTemplate.spec.template.metadata must be" },
		{ LIVE("{\"spec\":{\"template\":{\"metadata\":{\"labels\":[]}}}}"),
		  "spec.jobTemplate.spec.template.metadata.labels must be" },
		{ LIVE("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"a\":1}}}}}"),
		  "spec.jobTemplate.spec.template.metadata.annotations: the value of \"a\" must be a string" },
		{ LIVE("{\"metadata\":[],\"spec\":{\"template\":{}}}"), "spec.jobTemplate.metadata must be" },
		{ LIVE("{\"metadata\":{\"labels\":{\"a\":true}},\"spec\":{\"template\":{}}}"),
		  "spec.jobTemplate.metadata.labels: the value of \"a\" must be a string" },
		{ LIVE("{\"spec\":{\"suspend\":\"yes\",\"template\":{}}}"), "spec.jobTemplate.spec.suspend must be" },
		{ LIVE("{\"spec\":{\"ttlSecondsAfterFinished\":\"60\",\"template\":{}}}"),
		  "ttlSecondsAfterFinished must be" },
		{ LIVE("{\"spec\":{\"ttlSecondsAfterFinished\":-1,\"template\":{}}}"),
		  "ttlSecondsAfterFinished must be" },
		{ LIVE("{\"spec\":{\"ttlSecondsAfterFinished\":4294967296,\"template\":{}}}"),
		  "ttlSecondsAfterFinished must be" },
		{ LIVE("{\"spec\":{\"a.b\":1,\"template\":{}}}"), "spec.jobTemplate.spec has the field \"a.b\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf out = BUF_INIT(64 * 1024);
		struct error err = ERROR_INIT;

		assert_int_equal(create(caj_of("", "", "{}"), cases[i].live, &out, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (!strstr(err.msg, cases[i].field))
			fail_msg("\"%s\" does not name %s", err.msg, cases[i].field);
	}
}

static void a_large_template_passes_and_a_larger_one_is_refused(void **state)
{
	_cleanup_(buf_release) struct buf live = BUF_INIT(2 * 1024 * 1024);
	_cleanup_(buf_release) struct buf out = BUF_INIT(1200 * 1024);
	_cleanup_(buf_release) struct buf small = BUF_INIT(1000 * 1024);
	struct error err = ERROR_INIT;

	(void)state;
	(void)buf_adds(&live,
		       "{\"metadata\":{\"uid\":\"caj-1\"},\"spec\":{\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":"
		       "{\"containers\":[{\"args\":[");
	while (live.len < 1024 * 1024)
		(void)buf_adds(&live, "\"0123456789abcdef\",");
	(void)buf_adds(&live, "\"\"]}]}}}}}}");
	assert_int_equal(create(caj_of("", "", "{}"), buf_cstr(&live), &out, &err), 0);
	assert_int_equal(create(caj_of("", "", "{}"), buf_cstr(&live), &small, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

static void a_decision_on_an_old_copy_creates_nothing(void **state)
{
	static const char *const live[] = {
		"{\"metadata\":{\"uid\":\"caj-2\"},\"spec\":{\"jobTemplate\":{\"spec\":{\"template\":{}}}}}",
		LIVE_WITH(",\"deletionTimestamp\":\"2023-02-09T00:00:00Z\"", "{\"spec\":{\"template\":{}}}", ""),
		LIVE_WITH("", "{\"spec\":{\"template\":{}}}",
			  ",\"status\":{\"jobRef\":{\"name\":\"train\",\"uid\":\"j\"}}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(live); i++) {
		_cleanup_(buf_release) struct buf out = BUF_INIT(64 * 1024);
		struct error err = ERROR_INIT;

		assert_int_equal(create(caj_of("", "", "{}"), live[i], &out, &err), -1);
		assert_int_equal(err.code, ERR_CONFLICT);
	}
}

static void the_hash_follows_the_template_alone(void **state)
{
	char a[65], b[65];
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(body_template_hash(STR("{\"spec\":{\"jobTemplate\":{\"a\":1},\"x\":1}}"), a, &err), 0);
	assert_int_equal(body_template_hash(STR("{\"spec\":{\"x\":2,\"jobTemplate\": {\"a\":1}}}"), b, &err), 0);
	assert_string_equal(a, b);
	assert_int_equal(body_template_hash(STR("{\"spec\":{\"jobTemplate\":{\"a\":2}}}"), b, &err), 0);
	assert_string_not_equal(a, b);
}

/* ---- patches ---- */

/* One step of a JSON pointer, "~1" and "~0" undone. */
static const char *next_part(const char **path, char part[256])
{
	size_t n = 0;

	for ((*path)++; **path && **path != '/'; (*path)++) {
		char c = **path;

		if (c == '~')
			c = *++*path == '1' ? '/' : '~';
		assert_true(n < 255);
		part[n++] = c;
	}
	part[n] = '\0';
	return part;
}

static cJSON *child(cJSON *parent, const char *part)
{
	int64_t i;

	if (!cJSON_IsArray(parent))
		return cJSON_GetObjectItemCaseSensitive(parent, part);
	assert_true(str_to_i64(str_from(part), 0, 1000, &i));
	return cJSON_GetArrayItem(parent, (int)i);
}

/* Of a patch: the API server refuses all of it then. */
static bool test_failed;

/* RFC 6902, as far as we use it. A parent that is not there fails, as it does at the API server. */
static void apply_op(cJSON *doc, const cJSON *op)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(op, "op"));
	const char *path = cJSON_GetStringValue(cJSON_GetObjectItem(op, "path"));
	cJSON *value = cJSON_Duplicate(cJSON_GetObjectItem(op, "value"), true), *parent = doc;
	char part[256];

	assert_true(value || strcmp(name, "remove") == 0);
	for (next_part(&path, part); *path; next_part(&path, part)) {
		parent = child(parent, part);
		assert_non_null(parent);
	}
	if (strcmp(part, "-") == 0 && cJSON_IsArray(parent)) {
		assert_string_equal(name, "add");
		assert_true(cJSON_AddItemToArray(parent, value));
		return;
	}
	if (strcmp(name, "test") == 0) {
		test_failed |= !cJSON_Compare(child(parent, part), value, true);
		cJSON_Delete(value);
		return;
	}
	if (strcmp(name, "remove") == 0) {
		assert_non_null(child(parent, part));
		cJSON_Delete(cJSON_DetachItemViaPointer(parent, child(parent, part)));
		return;
	}
	assert_true(cJSON_IsObject(parent));
	if (strcmp(name, "replace") == 0)
		assert_non_null(child(parent, part));
	else
		assert_string_equal(name, "add");
	cJSON_DeleteItemFromObjectCaseSensitive(parent, part);
	assert_true(cJSON_AddItemToObject(parent, part, value));
}

/* The Job's text after the patch. */
static const char *patched(const char *job, const struct buf *patch)
{
	cJSON *doc = cJSON_Parse(job), *ops = cJSON_Parse(buf_cstr(patch));
	const cJSON *op;

	assert_non_null(doc);
	assert_true(cJSON_IsArray(ops));
	cJSON_ArrayForEach(op, ops) apply_op(doc, op);
	char *text = cJSON_PrintUnformatted(doc);
	const char *copy = arena_strdup(&fixture.arena, text);
	free(text);
	cJSON_Delete(doc);
	cJSON_Delete(ops);
	return copy;
}

#define JOB_META                                                                                       \
	"\"metadata\":{\"name\":\"train\",\"resourceVersion\":\"20\",\"annotations\":{\"loadshift.io/" \
	"weights\":\"w\"}}"
#define JOB(pod_spec, status)                                                                                        \
	"{" JOB_META                                                                                                 \
	",\"spec\":{\"suspend\":true,\"template\":{\"metadata\":{\"annotations\":{\"a\":\"b\"}},\"spec\":{" pod_spec \
	"}}}" status "}"
#define IN(values) "{\"key\":\"region\",\"operator\":\"In\",\"values\":[" values "]}"
#define OTHER_EXPRESSION "{\"key\":\"gpu\",\"operator\":\"Exists\"}"
#define PREFER "{\"weight\":100,\"preference\":{\"matchExpressions\":[" IN("\"w1\",\"w2\"") "]}}"

static const char *const ALLOWED[] = { "l", "w1", "w2" }, *const PLANNED[] = { "w1", "w2" };

static struct plan_affinity affinity(bool require_planned)
{
	return (struct plan_affinity){ "london,wales", "region", ALLOWED, 3, PLANNED, 2, require_planned };
}

static const char *release(const char *job, const struct plan_affinity *a)
{
	_cleanup_(buf_release) struct buf patch = BUF_INIT(256 * 1024);

	struct body_release r = { .released_ms = at("2023-02-09T04:00:00Z"), .affinity = a };
	body_release_job(job_of(parsed(&job_type, job)), &r, &patch);
	assert_non_null(strstr(buf_cstr(&patch),
			       "{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"20\"}"));
	return patched(job, &patch);
}

/* The value at path of the released Job. */
static const char *released_at(const char *job, const struct plan_affinity *a, const char *path)
{
	struct error err = ERROR_INIT;
	struct str raw;

	if (json_raw_at(str_from(release(job, a)), path, &raw, &err))
		fail_msg("%s", err.msg);
	return arena_strndup(&fixture.arena, raw.ptr, raw.len);
}

static void the_release_unsuspends_and_marks(void **state)
{
	static const char job[] = JOB("\"x\":1", "");

	(void)state;
	assert_string_equal(released_at(job, NULL, "spec.suspend"), "false");
	assert_string_equal(released_at(job, NULL, "metadata.annotations"),
			    "{\"loadshift.io/weights\":\"w\",\"loadshift.io/released\":\"2023-02-09T04:00:00Z\"}");
	assert_string_equal(released_at(job, NULL, "spec.template.spec"), "{\"x\":1}");
}

static void a_job_without_any_annotation_is_released_all_the_same(void **state)
{
	static const char job[] =
		"{\"metadata\":{\"name\":\"train\",\"resourceVersion\":\"20\"},\"spec\":{\"suspend\":true}}";

	(void)state;
	assert_string_equal(released_at(job, NULL, "metadata.annotations"),
			    "{\"loadshift.io/released\":\"2023-02-09T04:00:00Z\"}");
}

static void the_allowed_regions_are_required_and_the_planned_one_preferred(void **state)
{
	static const char required[] =
		"\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[" IN(
			"\"l\",\"w1\",\"w2\"") "]}]}";
	static const char preferred[] = "\"preferredDuringSchedulingIgnoredDuringExecution\":[" PREFER "]";
	const char *expected = arena_printf(&fixture.arena, "{\"nodeAffinity\":{%s,%s}}", required, preferred);
	struct plan_affinity a = affinity(false);

	(void)state;
	assert_string_equal(released_at(JOB("\"x\":1", ""), &a, "spec.template.spec.affinity"), expected);
	assert_string_equal(released_at(JOB("\"affinity\":{}", ""), &a, "spec.template.spec.affinity"), expected);
	assert_string_equal(
		released_at(JOB("\"affinity\":{\"nodeAffinity\":{}}", ""), &a, "spec.template.spec.affinity"),
		expected);
	assert_string_equal(released_at(JOB("\"affinity\":{\"podAffinity\":{\"p\":1}}", ""), &a,
					"spec.template.spec.affinity.podAffinity"),
			    "{\"p\":1}");
	assert_string_equal(released_at(JOB("\"x\":1", ""), &a, "spec.template.metadata.annotations"),
			    "{\"a\":\"b\",\"loadshift.io/regions\":\"london,wales\"}");
}

static void where_power_is_reserved_the_planned_region_is_required(void **state)
{
	struct plan_affinity a = affinity(true);

	(void)state;
	assert_string_equal(
		released_at(JOB("\"x\":1", ""), &a, "spec.template.spec.affinity"),
		"{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":["
		"{\"matchExpressions\":[" IN("\"w1\",\"w2\"") "]}]}}}");
}

static void the_expression_goes_into_every_term(void **state)
{
	struct plan_affinity a = affinity(false);

	(void)state;
	for (int n = 1; n <= POD_TEMPLATE_MAX_TERMS; n = n == 2 ? POD_TEMPLATE_MAX_TERMS : n + 1) {
		_cleanup_(buf_release) struct buf before = BUF_INIT(64 * 1024);
		_cleanup_(buf_release) struct buf after = BUF_INIT(64 * 1024);

		for (int i = 0; i < n; i++) {
			const char *comma = i ? "," : "";

			if (i % 3 == 2) { /* a term of fields only */
				(void)buf_addf(&before, "%s{\"matchFields\":[]}", comma);
				(void)buf_addf(&after, "%s{\"matchFields\":[],\"matchExpressions\":[%s]}", comma,
					       IN("\"l\",\"w1\",\"w2\""));
			} else {
				(void)buf_addf(&before, "%s{\"matchExpressions\":[" OTHER_EXPRESSION "]}", comma);
				(void)buf_addf(&after, "%s{\"matchExpressions\":[" OTHER_EXPRESSION ",%s]}", comma,
					       IN("\"l\",\"w1\",\"w2\""));
			}
		}
		const char *job = arena_printf(
			&fixture.arena,
			JOB("\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":"
			    "{\"nodeSelectorTerms\":[%s]},\"preferredDuringSchedulingIgnoredDuringExecution\":[{"
			    "\"weight\":1}]}}",
			    ""),
			buf_cstr(&before));
		assert_string_equal(
			released_at(job, &a, "spec.template.spec.affinity.nodeAffinity"),
			arena_printf(&fixture.arena,
				     "{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[%s]},"
				     "\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":1}," PREFER "]}",
				     buf_cstr(&after)));
	}
}

static void affinity_is_added_once_and_never_to_a_job_that_has_started(void **state)
{
	static const char started[] = JOB("\"x\":1", ",\"status\":{\"startTime\":\"2023-02-09T03:00:00Z\"}");
	struct plan_affinity a = affinity(false);

	(void)state;
	assert_string_equal(released_at(started, &a, "spec.template.spec"), "{\"x\":1}");
	assert_string_equal(released_at(started, &a, "spec.suspend"), "false");
	const char *once = release(JOB("\"x\":1", ""), &a), *twice = release(once, &a);
	assert_string_equal(once, twice);
}

static void without_a_common_label_only_the_extender_is_told(void **state)
{
	struct plan_affinity a = { .regions = "london,wales" };

	(void)state;
	assert_string_equal(released_at(JOB("\"x\":1", ""), &a, "spec.template.spec"), "{\"x\":1}");
	assert_string_equal(released_at(JOB("\"x\":1", ""), &a, "spec.template.metadata.annotations"),
			    "{\"a\":\"b\",\"loadshift.io/regions\":\"london,wales\"}");
}

static void suspend_and_ttl_are_single_fields_with_a_version(void **state)
{
	const struct job *job = job_with(false, "\"loadshift.io/ttl-seconds-after-finished\":\"60\"", "", "");
	_cleanup_(buf_release) struct buf suspend = BUF_INIT(4096);
	_cleanup_(buf_release) struct buf ttl = BUF_INIT(4096);

	(void)state;
	body_suspend_job(job, &suspend);
	assert_string_equal(buf_cstr(&suspend),
			    "[{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"20\"},"
			    "{\"op\":\"replace\",\"path\":\"/spec/suspend\",\"value\":true}]");
	body_job_ttl(job, &ttl);
	assert_string_equal(buf_cstr(&ttl),
			    "[{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"20\"},"
			    "{\"op\":\"add\",\"path\":\"/spec/ttlSecondsAfterFinished\",\"value\":60}]");
}

static void the_status_carries_version_and_uid(void **state)
{
	const struct carbonawarejob *caj = caj_of("", "", "{}");
	_cleanup_(buf_release) struct buf out = BUF_INIT(64 * 1024);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(body_status(caj, &caj->status, &out, &err), 0);
	assert_non_null(strstr(buf_cstr(&out), ",\"resourceVersion\":\"10\",\"uid\":\"caj-1\"},\"status\":{"));
	assert_null(strstr(buf_cstr(&out), "\"spec\""));
}

/* ---- pause, resume, move, scale ---- */

static const char *sent_to(const char *job, const char *region, const struct plan_affinity *a, int32_t parallelism)
{
	_cleanup_(buf_release) struct buf patch = BUF_INIT(256 * 1024);
	struct body_release r = { at("2023-02-09T04:00:00Z"), a, region, parallelism };

	test_failed = false;
	body_release_job(job_of(parsed(&job_type, job)), &r, &patch);
	return patched(job, &patch);
}

static bool moves(const char *job, const char *region, const struct plan_affinity *a)
{
	return body_moves(job_of(parsed(&job_type, job)), &(struct body_release){ .affinity = a, .region = region });
}

/* The spec, without an empty list of preferences, which means what none means. */
static char *essence(const char *job)
{
	static const char *const path[] = { "spec", "template", "spec", "affinity", "nodeAffinity" };
	cJSON *doc = cJSON_Parse(job), *at_affinity = doc;

	for (size_t i = 0; i < ARRAY_LEN(path); i++)
		at_affinity = cJSON_GetObjectItem(at_affinity, path[i]);
	if (cJSON_GetArraySize(cJSON_GetObjectItem(at_affinity, "preferredDuringSchedulingIgnoredDuringExecution")) ==
	    0)
		cJSON_DeleteItemFromObject(at_affinity, "preferredDuringSchedulingIgnoredDuringExecution");
	char *text = cJSON_PrintUnformatted(cJSON_GetObjectItem(doc, "spec"));
	cJSON_Delete(doc);
	return text;
}

/* Own affinities of users, which a move must leave as they were. */
static const char *const own[] = {
	JOB("\"x\":1", ""),
	JOB("\"affinity\":{\"podAffinity\":{\"p\":1}}", ""),
	JOB("\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":"
	    "["
	    "{\"matchExpressions\":[" OTHER_EXPRESSION "]},{\"matchFields\":[]}]},"
	    "\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":1,\"preference\":{\"matchExpressions\":"
	    "[" OTHER_EXPRESSION "]}}]}}",
	    ""),
};

static void a_move_leaves_what_a_first_release_there_would_have_made(void **state)
{
	static const char *const ELSEWHERE[] = { "l" };
	struct plan_affinity wales[] = { affinity(false), affinity(true) },
			     london[] = { affinity(false), affinity(true) };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		london[i].planned = ELSEWHERE;
		london[i].n_planned = 1;
	}
	/* Also from preferred to required, and back: a power limit may come and go. */
	for (size_t i = 0; i < ARRAY_LEN(own) * 4; i++) {
		const struct plan_affinity *from = &wales[i & 1], *to = &london[i >> 1 & 1];
		const char *first = sent_to(own[i / 4], "wales", from, 0);

		assert_false(moves(own[i / 4], "london", to));
		assert_false(moves(first, "wales", from));
		assert_true(moves(first, "london", to));
		const char *moved = sent_to(first, "london", to, 0);
		assert_false(test_failed);
		assert_non_null(strstr(moved, "\"loadshift.io/placed\":\"london "));
		char *is = essence(moved), *direct = essence(sent_to(own[i / 4], "london", to, 0));
		assert_string_equal(is, direct);
		free(is);
		free(direct);
		/* And back again. */
		assert_true(moves(moved, "wales", from));
		assert_non_null(strstr(sent_to(moved, "wales", from, 0), "\"loadshift.io/placed\":\"wales "));
		assert_false(test_failed);
	}
}

static void a_move_takes_away_nothing_that_others_added(void **state)
{
	struct plan_affinity a = affinity(false);
	const char *first = sent_to(own[2], "wales", &a, 0);
	cJSON *doc = cJSON_Parse(first), *terms;

	(void)state;
	terms = cJSON_GetObjectItem(doc, "spec");
	static const char *const path[] = { "template",
					    "spec",
					    "affinity",
					    "nodeAffinity",
					    "requiredDuringSchedulingIgnoredDuringExecution",
					    "nodeSelectorTerms" };
	for (size_t i = 0; i < ARRAY_LEN(path); i++)
		terms = cJSON_GetObjectItem(terms, path[i]);
	cJSON *list = cJSON_GetObjectItem(cJSON_GetArrayItem(terms, 1), "matchExpressions");
	cJSON_AddItemToArray(list, cJSON_Parse(OTHER_EXPRESSION));
	char *text = cJSON_PrintUnformatted(doc);
	(void)sent_to(text, "london", &a, 0);
	assert_true(test_failed);
	free(text);
	cJSON_Delete(doc);
}

static void a_pause_marks_and_suspends_and_keeps_the_rest_of_the_deadline(void **state)
{
	static const char running[] = "{" JOB_META ",\"spec\":{\"suspend\":false,\"activeDeadlineSeconds\":900}}";
	_cleanup_(buf_release) struct buf patch = BUF_INIT(64 * 1024), plain = BUF_INIT(64 * 1024);
	const struct job *job = job_of(parsed(&job_type, running));

	(void)state;
	assert_int_equal(job->active_deadline_ms, 900 * SECOND_MS);
	body_pause_job(job, at("2023-02-09T05:00:00Z"), 300, &patch);
	assert_string_equal(patched(running, &patch),
			    "{\"metadata\":{\"name\":\"train\",\"annotations\":{\"loadshift.io/weights\":\"w\","
			    "\"loadshift.io/paused\":\"2023-02-09T05:00:00Z\"},\"resourceVersion\":\"20\"},"
			    "\"spec\":{\"activeDeadlineSeconds\":300,\"suspend\":true}}");
	body_pause_job(job, at("2023-02-09T05:00:00Z"), 0, &plain);
	assert_null(strstr(buf_cstr(&plain), "activeDeadlineSeconds"));
	assert_non_null(strstr(buf_cstr(&plain),
			       "{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"20\"}"));
}

static void the_number_of_pods_is_set_and_remembered(void **state)
{
	static const char job[] = "{" JOB_META ",\"spec\":{\"suspend\":true,\"parallelism\":4}}";
	_cleanup_(buf_release) struct buf patch = BUF_INIT(64 * 1024);

	(void)state;
	body_scale_job(job_of(parsed(&job_type, job)), 2, &patch);
	const char *scaled = patched(job, &patch);
	assert_non_null(strstr(scaled, "\"parallelism\":2"));
	assert_non_null(strstr(scaled, "\"loadshift.io/parallelism\":\"2\""));
	assert_non_null(strstr(scaled, "\"suspend\":true"));
	assert_non_null(strstr(sent_to(job, NULL, NULL, 3), "\"loadshift.io/parallelism\":\"3\""));
	assert_null(strstr(sent_to(job, NULL, NULL, 0), "loadshift.io/parallelism"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(passes_the_template_on_byte_for_byte),
		TEST(the_job_is_ours_suspended_and_keeps_its_ttl_back),
		TEST(the_pods_carry_what_the_extender_reads),
		TEST(null_is_as_good_as_absent),
		TEST(of_duplicate_keys_the_first_counts),
		TEST(a_hostile_template_is_refused_by_its_field),
		TEST(a_large_template_passes_and_a_larger_one_is_refused),
		TEST(a_decision_on_an_old_copy_creates_nothing),
		TEST(the_hash_follows_the_template_alone),
		TEST(the_release_unsuspends_and_marks),
		TEST(a_job_without_any_annotation_is_released_all_the_same),
		TEST(the_allowed_regions_are_required_and_the_planned_one_preferred),
		TEST(where_power_is_reserved_the_planned_region_is_required),
		TEST(the_expression_goes_into_every_term),
		TEST(affinity_is_added_once_and_never_to_a_job_that_has_started),
		TEST(without_a_common_label_only_the_extender_is_told),
		TEST(suspend_and_ttl_are_single_fields_with_a_version),
		TEST(the_status_carries_version_and_uid),
		TEST(a_move_leaves_what_a_first_release_there_would_have_made),
		TEST(a_move_takes_away_nothing_that_others_added),
		TEST(a_pause_marks_and_suspends_and_keeps_the_rest_of_the_deadline),
		TEST(the_number_of_pods_is_set_and_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
