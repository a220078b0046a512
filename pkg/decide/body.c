/* SPDX-License-Identifier: Apache-2.0 */
/* JSON bodies of the writes to Jobs and to our status. */
#include "decide/body.h"

#include "base/alloc.h"
#include "base/decimal.h"
#include "crypto/hash.h"
#include "json/writer.h"

static int template_error(struct error *err, const char *field, const char *want, const struct json *got)
{
	return error_set(err, ERR_INVALID, "%s must be %s, not %s", field, want, json_kind(got));
}

/* A member that is there and not null. */
static const struct json *present(const struct json *object, const char *key)
{
	const struct json *j = json_get(object, key);

	return json_is_null(j) ? NULL : j;
}

/* Copies the members of the object at `path` of text byte for byte, except those named in `skip`. */
static int copy_members(struct json_writer *w, struct str text, const struct json *object, const char *path,
			const char *const *skip, struct error *err)
{
	json_each (member, object) {
		struct str raw;
		bool ours = false;

		for (const char *const *s = skip; *s; s++)
			ours |= strcmp(json_key(member), *s) == 0;
		/* Of duplicates the first counts, as for every reader. */
		if (ours || json_get(object, json_key(member)) != member)
			continue;
		if (!*json_key(member) || strchr(json_key(member), '.'))
			return error_set(err, ERR_INVALID, "%s has the field \"%s\", which no Job has", path,
					 json_key(member));
		_cleanup_free_ char *at = xasprintf("%s.%s", path, json_key(member));
		if (json_raw_at(text, at, &raw, err))
			return -1;
		jw_raw(w, json_key(member), raw);
	}
	return 0;
}

/* The user's string map with ours on top; a key of the user's that is ours is dropped, also where ours has no value. */
static int write_pairs(struct json_writer *w, const char *key, const struct json *users, const struct pair *ours,
		       size_t n, const char *field, struct error *err)
{
	if (users && !json_is_object(users))
		return template_error(err, field, "an object of strings", users);
	jw_object(w, key);
	json_each (member, users) {
		bool taken = json_get(users, json_key(member)) != member;

		for (size_t i = 0; i < n; i++)
			taken |= strcmp(ours[i].key, json_key(member)) == 0;
		if (!json_string(member))
			return error_set(err, ERR_INVALID, "%s: the value of \"%s\" must be a string, not %s", field,
					 json_key(member), json_kind(member));
		if (!taken)
			jw_string(w, json_key(member), json_string(member));
	}
	for (size_t i = 0; i < n; i++) {
		if (ours[i].value)
			jw_string(w, ours[i].key, ours[i].value);
	}
	jw_end_object(w);
	return 0;
}

static void write_owner(struct json_writer *w, const struct carbonawarejob *caj)
{
	jw_array(w, "ownerReferences");
	jw_object(w, NULL);
	jw_string(w, "apiVersion", carbonawarejob_type.api_version);
	jw_string(w, "kind", carbonawarejob_type.kind);
	jw_string(w, "name", caj->obj.meta.name);
	jw_string(w, "uid", caj->obj.meta.uid);
	jw_bool(w, "controller", true);
	jw_end_object(w);
	jw_end_array(w);
}

static int write_metadata(struct json_writer *w, const struct carbonawarejob *caj, const struct json *template,
			  const char *hash, struct error *err)
{
	const struct json *ttl = json_at(template, "spec.ttlSecondsAfterFinished");
	const struct pair labels[] = { { LABEL_CAJ, caj->obj.meta.name } };
	char seconds[24] = "";
	int64_t value;

	if (json_i64(ttl, &value) && value >= 0 && value <= INT32_MAX)
		(void)snprintf(seconds, sizeof(seconds), "%" PRId64, value);
	else if (ttl && !json_is_null(ttl))
		return error_set(
			err, ERR_INVALID,
			"spec.jobTemplate.spec.ttlSecondsAfterFinished must be a whole number of seconds from 0 to %d",
			INT32_MAX);
	const struct pair annotations[] = {
		{ ANNOTATION_TEMPLATE_HASH, hash }, { ANNOTATION_JOB_TTL, *seconds ? seconds : NULL },
		{ ANNOTATION_RELEASED, NULL },      { ANNOTATION_PAUSED, NULL },
		{ ANNOTATION_PARALLELISM, NULL },   { ANNOTATION_PLACED, NULL },
		{ ANNOTATION_REGIONS, NULL }
	};

	jw_object(w, "metadata");
	jw_string(w, "name", caj->obj.meta.name);
	jw_string(w, "namespace", caj->obj.meta.namespace);
	if (write_pairs(w, "labels", present(present(template, "metadata"), "labels"), labels, ARRAY_LEN(labels),
			"spec.jobTemplate.metadata.labels", err) ||
	    write_pairs(w, "annotations", present(present(template, "metadata"), "annotations"), annotations,
			ARRAY_LEN(annotations), "spec.jobTemplate.metadata.annotations", err))
		return -1;
	write_owner(w, caj);
	jw_end_object(w);
	return 0;
}

/* What the extender reads of the pod (contracts 3), and the label that our pod informer selects by. */
static int write_pod_metadata(struct json_writer *w, const struct carbonawarejob *caj, struct str text,
			      const struct json *metadata, struct error *err)
{
	static const char *const ours[] = { "labels", "annotations", NULL };
	const struct caj_spec *s = &caj->spec;
	const struct pair labels[] = { { LABEL_CAJ, caj->obj.meta.name } };
	char weights[96], duration[24], carbon[DECIMAL_TEXT], price[DECIMAL_TEXT];
	int64_t duration_ms =
		s->expected_duration_ms != TIME_NONE ? s->expected_duration_ms : s->template_active_deadline_ms;
	struct pair annotations[4];
	size_t n = 0;

	(void)snprintf(weights, sizeof(weights), "carbon=%d,cost=%d,delay=%d,renewable=%d", s->weights.carbon,
		       s->weights.cost, s->weights.delay, s->weights.renewable);
	annotations[n++] = (struct pair){ ANNOTATION_WEIGHTS, weights };
	(void)snprintf(duration, sizeof(duration), "%" PRId64, duration_ms / SECOND_MS);
	if (duration_ms != TIME_NONE)
		annotations[n++] = (struct pair){ ANNOTATION_DURATION, duration };
	if (s->max_carbon.set)
		annotations[n++] =
			(struct pair){ ANNOTATION_MAX_CARBON, decimal_format(s->max_carbon.value, 3, carbon) };
	if (s->max_price.set)
		annotations[n++] = (struct pair){ ANNOTATION_MAX_PRICE, decimal_format(s->max_price.value, 6, price) };

	jw_object(w, "metadata");
	if (metadata && copy_members(w, text, metadata, "spec.jobTemplate.spec.template.metadata", ours, err))
		return -1;
	if (write_pairs(w, "labels", present(metadata, "labels"), labels, ARRAY_LEN(labels),
			"spec.jobTemplate.spec.template.metadata.labels", err) ||
	    write_pairs(w, "annotations", present(metadata, "annotations"), annotations, n,
			"spec.jobTemplate.spec.template.metadata.annotations", err))
		return -1;
	jw_end_object(w);
	return 0;
}

static int write_spec(struct json_writer *w, const struct carbonawarejob *caj, struct str text, const struct json *spec,
		      struct error *err)
{
	static const char *const ours[] = { "suspend", "ttlSecondsAfterFinished", "template", NULL };
	static const char *const ours_template[] = { "metadata", NULL };
	const struct json *template = json_get(spec, "template"), *suspend = present(spec, "suspend");
	const struct json *metadata = present(template, "metadata");
	bool ignored;

	if (!json_is_object(spec))
		return template_error(err, "spec.jobTemplate.spec", "a JobSpec object", spec);
	if (suspend && !json_bool(suspend, &ignored))
		return template_error(err, "spec.jobTemplate.spec.suspend", "true or false", suspend);
	if (!json_is_object(template))
		return template_error(err, "spec.jobTemplate.spec.template", "a pod template object", template);
	if (metadata && !json_is_object(metadata))
		return template_error(err, "spec.jobTemplate.spec.template.metadata", "an object", metadata);
	jw_object(w, "spec");
	if (copy_members(w, text, spec, "spec.jobTemplate.spec", ours, err))
		return -1;
	jw_bool(w, "suspend", true);
	jw_object(w, "template");
	if (write_pod_metadata(w, caj, text, metadata, err) ||
	    copy_members(w, text, template, "spec.jobTemplate.spec.template", ours_template, err))
		return -1;
	jw_end_object(w);
	jw_end_object(w);
	return 0;
}

int body_template_hash(struct str caj_text, char out[65], struct error *err)
{
	struct str raw;

	if (json_raw_at(caj_text, "spec.jobTemplate", &raw, err))
		return -1;
	(void)sha256_hex(raw, out);
	return 0;
}

/* The decision was made on a copy from a cache; creating is what must not happen twice. */
static int check_live(const struct carbonawarejob *caj, const struct json *live, struct error *err)
{
	if (!cstr_eq(json_string(json_at(live, "metadata.uid")), caj->obj.meta.uid))
		return error_set(err, ERR_CONFLICT, "the object was replaced by another one of the same name");
	if (json_string(json_at(live, "metadata.deletionTimestamp")))
		return error_set(err, ERR_CONFLICT, "the object is being deleted");
	if (json_string(json_at(live, "status.jobRef.uid")))
		return error_set(err, ERR_CONFLICT, "its Job was created already");
	return 0;
}

int body_create_job(const struct carbonawarejob *caj, struct str caj_text, struct buf *out, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;
	struct json_writer w = json_writer(out);
	char hash[SHA256_HEX];

	if (json_parse(caj_text, &doc, err) || check_live(caj, doc, err))
		return -1;
	const struct json *template = json_at(doc, "spec.jobTemplate");
	if (!json_is_object(template))
		return template_error(err, "spec.jobTemplate", "an object with a JobSpec in spec", template);
	if (present(template, "metadata") && !json_is_object(json_get(template, "metadata")))
		return template_error(err, "spec.jobTemplate.metadata", "an object", json_get(template, "metadata"));
	if (body_template_hash(caj_text, hash, err))
		return -1;
	jw_object(&w, NULL);
	jw_string(&w, "apiVersion", "batch/v1");
	jw_string(&w, "kind", "Job");
	if (write_metadata(&w, caj, template, hash, err) ||
	    write_spec(&w, caj, caj_text, json_get(template, "spec"), err))
		return -1;
	jw_end_object(&w);
	return buf_check(out, "the Job made from spec.jobTemplate", err);
}

/* One operation of a JSON patch; the caller writes the value and ends the object. */
static void op(struct json_writer *w, const char *name, const char *path)
{
	jw_object(w, NULL);
	jw_string(w, "op", name);
	jw_string(w, "path", path);
}

static void op_string(struct json_writer *w, const char *name, const char *path, const char *value)
{
	op(w, name, path);
	jw_string(w, "value", value);
	jw_end_object(w);
}

static void op_empty_object(struct json_writer *w, const char *path)
{
	op(w, "add", path);
	jw_object(w, "value");
	jw_end_object(w);
	jw_end_object(w);
}

static void op_empty_array(struct json_writer *w, const char *path)
{
	op(w, "add", path);
	jw_array(w, "value");
	jw_end_array(w);
	jw_end_object(w);
}

static void expression(struct json_writer *w, const char *member, const char *key, const char *const *values, int n)
{
	jw_object(w, member);
	jw_string(w, "key", key);
	jw_string(w, "operator", "In");
	jw_array(w, "values");
	for (int i = 0; i < n; i++)
		jw_string(w, NULL, values[i]);
	jw_end_array(w);
	jw_end_object(w);
}

#define NODE_AFFINITY "/spec/template/spec/affinity/nodeAffinity"
#define REQUIRED NODE_AFFINITY "/requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED NODE_AFFINITY "/preferredDuringSchedulingIgnoredDuringExecution"

/* Terms are ORed, so the expression goes into every one of them; without any there is one new term. */
static void require(struct json_writer *w, const struct affinity_shape *shape, const struct plan_affinity *a)
{
	const char *const *values = a->require_planned ? a->planned : a->allowed;
	int n = a->require_planned ? a->n_planned : a->n_allowed;
	char path[160];

	if (!shape->has_required || shape->n_terms == 0) {
		op(w, "add", REQUIRED);
		jw_object(w, "value");
		jw_array(w, "nodeSelectorTerms");
		jw_object(w, NULL);
		jw_array(w, "matchExpressions");
		expression(w, NULL, a->key, values, n);
		jw_end_array(w);
		jw_end_object(w);
		jw_end_array(w);
		jw_end_object(w);
		jw_end_object(w);
		return;
	}
	for (int i = 0; i < shape->n_terms; i++) {
		(void)snprintf(path, sizeof(path), REQUIRED "/nodeSelectorTerms/%d/matchExpressions", i);
		if (!(shape->term_has_expressions & (1u << i)))
			op_empty_array(w, path);
		(void)snprintf(path, sizeof(path), REQUIRED "/nodeSelectorTerms/%d/matchExpressions/-", i);
		op(w, "add", path);
		expression(w, "value", a->key, values, n);
		jw_end_object(w);
	}
}

static void prefer(struct json_writer *w, const struct affinity_shape *shape, const struct plan_affinity *a)
{
	if (!shape->has_preferred)
		op_empty_array(w, PREFERRED);
	op(w, "add", PREFERRED "/-");
	jw_object(w, "value");
	jw_i64(w, "weight", 100);
	jw_object(w, "preference");
	jw_array(w, "matchExpressions");
	expression(w, NULL, a->key, a->planned, a->n_planned);
	jw_end_array(w);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

/* Where it is sent, and what of the affinity is ours; see caj_placed_of(). */
static void write_placed(struct json_writer *w, const struct body_release *r, bool with_affinity)
{
	const struct plan_affinity *a = r->affinity;
	const char *key = with_affinity ? a->key : "-";
	char text[1024];

	(void)snprintf(text, sizeof(text), "%s %s %s", r->region, a->require_planned || a->n_allowed > 0 ? key : "-",
		       a->require_planned || a->n_planned == 0 ? "-" : key);
	op_string(w, "add", "/metadata/annotations/loadshift.io~1placed", text);
}

static void write_affinity(struct json_writer *w, const struct body_release *r, const struct affinity_shape *shape)
{
	const struct plan_affinity *a = r->affinity;

	/* On the Job too: it says that this has been done. */
	op_string(w, "add", "/metadata/annotations/loadshift.io~1regions", a->regions ? a->regions : "");
	if (a->regions)
		op_string(w, "add", "/spec/template/metadata/annotations/loadshift.io~1regions", a->regions);
	if (r->region)
		write_placed(w, r, a->key && !shape->too_many_terms);
	/* More terms than we keep track of: the extender's annotation still leads, the scheduler's filter does not. */
	if (!a->key || shape->too_many_terms)
		return;
	if (!shape->has_affinity)
		op_empty_object(w, "/spec/template/spec/affinity");
	if (!shape->has_node_affinity)
		op_empty_object(w, NODE_AFFINITY);
	if (a->require_planned || a->n_allowed > 0)
		require(w, shape, a);
	if (!a->require_planned && a->n_planned > 0)
		prefer(w, shape, a);
}

static void remove_tested(struct json_writer *w, const char *path, const char *key_at, const char *key)
{
	char at[200];

	(void)snprintf(at, sizeof(at), "%s%s", path, key_at);
	op_string(w, "test", at, key);
	op(w, "remove", path);
	jw_end_object(w);
}

/* Takes what an earlier release has added: the last of each list. */
static void unplace(struct json_writer *w, const struct affinity_shape *shape, const struct caj_placed *placed)
{
	char path[160];

	for (int i = 0; i < shape->n_terms && *placed->required; i++) {
		(void)snprintf(path, sizeof(path), REQUIRED "/nodeSelectorTerms/%d/matchExpressions/%d", i,
			       MAX(shape->n_expressions[i] - 1, 0));
		remove_tested(w, path, "/key", placed->required);
	}
	if (*placed->preferred) {
		(void)snprintf(path, sizeof(path), PREFERRED "/%d", MAX(shape->n_preferred - 1, 0));
		remove_tested(w, path, "/preference/matchExpressions/0/key", placed->preferred);
	}
}

void body_release_recorded(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
			   struct arena *arena, struct plan_affinity *ret_affinity, struct body_release *ret)
{
	const struct caj_status *s = &caj->status;
	const struct caj_plan *plan = &s->plan;
	struct caj_refusal refusal = { 0 };
	struct caj_place place;

	*ret = (struct body_release){
		.released_ms = s->released_ms,
		.affinity = ret_affinity,
		.region = s->ledger.begun    ? s->ledger.region
			  : plan->n_segments ? plan->segments[0].region
					     : NULL,
		.parallelism = s->ledger.begun && caj->spec.scale.set ? s->ledger.parallelism : 0,
	};
	caj_place(v, caj, job, &place, &refusal);
	caj_affinity(v, caj, &place, ret->region ? grid_view_find(v, ret->region) : PLANNER_NO_REGION, arena,
		     ret_affinity);
	/* Who has not begun stays where an earlier release has sent it. */
	if (!s->ledger.begun && object_annotation(&job->obj, ANNOTATION_REGIONS))
		ret->region = NULL;
}

bool body_moves(const struct job *job, const struct body_release *r)
{
	struct caj_placed placed;

	return r->affinity && r->affinity->regions && r->region && caj_placed_of(job, &placed) &&
	       strcmp(placed.region, r->region) != 0;
}

static void write_place(struct json_writer *w, const struct job *job, const struct body_release *r)
{
	const struct affinity_shape *shape = &job->template.affinity;
	struct caj_placed placed;

	if (body_moves(job, r) && caj_placed_of(job, &placed)) {
		unplace(w, shape, &placed);
		write_affinity(w, r, shape);
	} else if (r->affinity && r->affinity->regions && job->start_ms == TIME_NONE &&
		   !object_annotation(&job->obj, ANNOTATION_REGIONS)) {
		write_affinity(w, r, shape);
	}
}

static void write_parallelism(struct json_writer *w, int32_t parallelism)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", parallelism);
	op_string(w, "add", "/metadata/annotations/loadshift.io~1parallelism", text);
	op(w, "add", "/spec/parallelism");
	jw_i64(w, "value", parallelism);
	jw_end_object(w);
}

/* A write of another version than the current one is a conflict (409); a failed "test" would be 422, like a bad patch.
 */
static void precondition(struct json_writer *w, const struct job *job)
{
	op_string(w, "replace", "/metadata/resourceVersion", job->obj.meta.resource_version);
}

/* Keys of ours that a Job carries from its creation on. Without any of them the map itself may be gone. */
static bool has_annotations(const struct job *job)
{
	return job->obj.meta.annotations.len > 0;
}

static void begin_patch(struct json_writer *w, const struct job *job)
{
	jw_array(w, NULL);
	precondition(w, job);
	/* Somebody removed our annotations: the start must not fail for want of a place to write it down. */
	if (!has_annotations(job))
		op_empty_object(w, "/metadata/annotations");
}

static void write_suspend(struct json_writer *w, bool suspend)
{
	op(w, "replace", "/spec/suspend");
	jw_bool(w, "value", suspend);
	jw_end_object(w);
}

void body_release_job(const struct job *job, const struct body_release *r, struct buf *out)
{
	struct json_writer w = json_writer(out);
	char released[TIME_TEXT];

	begin_patch(&w, job);
	write_place(&w, job, r);
	if (r->parallelism > 0)
		write_parallelism(&w, r->parallelism);
	op_string(&w, "add", "/metadata/annotations/loadshift.io~1released", time_format(r->released_ms, released));
	write_suspend(&w, false);
	jw_end_array(&w);
}

void body_pause_job(const struct job *job, int64_t paused_ms, int64_t deadline_left_s, struct buf *out)
{
	struct json_writer w = json_writer(out);
	char paused[TIME_TEXT];

	begin_patch(&w, job);
	op_string(&w, "add", "/metadata/annotations/loadshift.io~1paused", time_format(paused_ms, paused));
	if (deadline_left_s > 0) {
		op(&w, "replace", "/spec/activeDeadlineSeconds");
		jw_i64(&w, "value", deadline_left_s);
		jw_end_object(&w);
	}
	write_suspend(&w, true);
	jw_end_array(&w);
}

void body_scale_job(const struct job *job, int32_t parallelism, struct buf *out)
{
	struct json_writer w = json_writer(out);

	begin_patch(&w, job);
	write_parallelism(&w, parallelism);
	jw_end_array(&w);
}

void body_release_unmodified(const struct job *job, int64_t released_ms, struct buf *out)
{
	static const char *const hints[] = { ANNOTATION_WEIGHTS, ANNOTATION_DURATION, ANNOTATION_MAX_CARBON,
					     ANNOTATION_MAX_PRICE };
	struct json_writer w = json_writer(out);

	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	jw_string(&w, "resourceVersion", job->obj.meta.resource_version);
	jw_object(&w, "annotations");
	jw_time(&w, ANNOTATION_RELEASED, released_ms);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_object(&w, "spec");
	jw_bool(&w, "suspend", false);
	if (job->start_ms == TIME_NONE) {
		jw_object(&w, "template");
		jw_object(&w, "metadata");
		jw_object(&w, "annotations");
		for (size_t i = 0; i < ARRAY_LEN(hints); i++)
			jw_null(&w, hints[i]);
		jw_end_object(&w);
		jw_end_object(&w);
		jw_end_object(&w);
	}
	jw_end_object(&w);
	jw_end_object(&w);
}

void body_suspend_job(const struct job *job, struct buf *out)
{
	struct json_writer w = json_writer(out);

	jw_array(&w, NULL);
	precondition(&w, job);
	write_suspend(&w, true);
	jw_end_array(&w);
}

bool body_held_ttl(const struct job *job, int64_t *ret_seconds)
{
	const char *held = object_annotation(&job->obj, ANNOTATION_JOB_TTL);

	return held && str_to_i64(str_from(held), 0, INT32_MAX, ret_seconds);
}

void body_job_ttl(const struct job *job, struct buf *out)
{
	struct json_writer w = json_writer(out);
	int64_t seconds;

	if (!body_held_ttl(job, &seconds))
		return;
	jw_array(&w, NULL);
	precondition(&w, job);
	op(&w, "add", "/spec/ttlSecondsAfterFinished");
	jw_i64(&w, "value", seconds);
	jw_end_object(&w);
	jw_end_array(&w);
}

int body_status(const struct carbonawarejob *caj, const struct caj_status *status, struct buf *out, struct error *err)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(2 * CAJ_MAX_STATUS);
	struct json_writer w = json_writer(out);

	if (caj_status_encode(status, &text, err))
		return -1;
	jw_object(&w, NULL);
	jw_string(&w, "apiVersion", carbonawarejob_type.api_version);
	jw_string(&w, "kind", carbonawarejob_type.kind);
	jw_object(&w, "metadata");
	jw_string(&w, "name", caj->obj.meta.name);
	jw_string(&w, "namespace", caj->obj.meta.namespace);
	jw_string(&w, "resourceVersion", caj->obj.meta.resource_version);
	jw_string(&w, "uid", caj->obj.meta.uid);
	jw_end_object(&w);
	jw_raw(&w, "status", buf_str(&text));
	jw_end_object(&w);
	return buf_check(out, "status", err);
}
