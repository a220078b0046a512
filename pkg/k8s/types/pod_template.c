/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, node selector and affinity shape of a pod template. */
#include "k8s/types/pod_template.h"

#include "k8s/internal.h"
#include "k8s/quantity.h"

static const char *const gpu_names[] = { "nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915" };
static const char *const everything[] = { "*", NULL };

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static struct pod_requests requests_add(struct pod_requests a, struct pod_requests b)
{
	return (struct pod_requests){ add(a.cpu_milli, b.cpu_milli), add(a.memory_bytes, b.memory_bytes),
				      add(a.gpus, b.gpus) };
}

static struct pod_requests requests_max(struct pod_requests a, struct pod_requests b)
{
	return (struct pod_requests){ MAX(a.cpu_milli, b.cpu_milli), MAX(a.memory_bytes, b.memory_bytes),
				      MAX(a.gpus, b.gpus) };
}

/* A resource's quantity as text; the API server writes bare numbers as strings, a user's template may not. */
static bool quantity_of(const struct json *j, bool milli, int64_t *ret)
{
	int64_t number, value;
	const char *s = json_string(j);

	if (s) {
		if (!(milli ? quantity_milli(str_from(s), &value) : quantity_units(str_from(s), &value)))
			return false;
	} else if (json_i64(j, &number)) {
		if (__builtin_mul_overflow(number, milli ? 1000 : 1, &value))
			value = INT64_MAX;
	} else {
		double real;

		if (!json_double(j, &real) || real < 0 || real > 1e15)
			return false;
		value = (int64_t)(real * (milli ? 1000 : 1) + 0.999);
	}
	*ret = MAX(value, 0);
	return true;
}

/* A missing request counts as its limit. */
static int64_t resource(const struct json *resources, const char *name, bool milli)
{
	int64_t v = 0;

	if (!quantity_of(json_get(json_get(resources, "requests"), name), milli, &v))
		(void)quantity_of(json_get(json_get(resources, "limits"), name), milli, &v);
	return v;
}

static struct pod_requests of_resources(const struct json *resources)
{
	struct pod_requests r = { resource(resources, "cpu", true), resource(resources, "memory", false), 0 };

	for (size_t i = 0; i < ARRAY_LEN(gpu_names); i++)
		r.gpus = add(r.gpus, resource(resources, gpu_names[i], false));
	return r;
}

void pod_requests_decode(const struct json *pod_spec, struct pod_requests *ret)
{
	struct pod_requests sidecars = { 0 }, peak = { 0 }, sum = { 0 }, overhead = { 0 };
	int64_t v;

	/* Init containers run one after another, beside the sidecars (restartPolicy Always) started before them. */
	json_each (c, json_get(pod_spec, "initContainers")) {
		struct pod_requests r = of_resources(json_get(c, "resources"));

		if (cstr_eq(json_string(json_get(c, "restartPolicy")), "Always"))
			sidecars = requests_add(sidecars, r);
		else
			peak = requests_max(peak, requests_add(sidecars, r));
	}
	json_each (c, json_get(pod_spec, "containers"))
		sum = requests_add(sum, of_resources(json_get(c, "resources")));
	sum = requests_max(requests_add(sum, sidecars), peak);

	const struct json *pod_level = json_get(pod_spec, "resources");
	if (quantity_of(json_get(json_get(pod_level, "requests"), "cpu"), true, &v))
		sum.cpu_milli = v;
	if (quantity_of(json_get(json_get(pod_level, "requests"), "memory"), false, &v))
		sum.memory_bytes = v;
	const struct json *extra = json_get(pod_spec, "overhead");
	(void)quantity_of(json_get(extra, "cpu"), true, &overhead.cpu_milli);
	(void)quantity_of(json_get(extra, "memory"), false, &overhead.memory_bytes);
	*ret = requests_add(sum, overhead);
}

static void affinity_decode(const struct json *affinity, struct affinity_shape *ret)
{
	const struct json *node = json_get(affinity, "nodeAffinity");
	const struct json *required = json_get(node, "requiredDuringSchedulingIgnoredDuringExecution");
	const struct json *preferred = json_get(node, "preferredDuringSchedulingIgnoredDuringExecution");

	*ret = (struct affinity_shape){
		.has_affinity = json_is_object(affinity),
		.has_node_affinity = json_is_object(node),
		.has_required = json_is_object(required),
		.has_preferred = json_is_array(preferred),
		.n_preferred = (uint16_t)MIN(json_len(preferred), UINT16_MAX),
	};
	json_each (term, json_get(required, "nodeSelectorTerms")) {
		if (ret->n_terms == POD_TEMPLATE_MAX_TERMS) {
			ret->too_many_terms = true;
			return;
		}
		const struct json *expressions = json_get(term, "matchExpressions");

		if (json_is_array(expressions))
			ret->term_has_expressions |= UINT32_C(1) << ret->n_terms;
		ret->n_expressions[ret->n_terms] = (uint16_t)MIN(json_len(expressions), UINT16_MAX);
		ret->n_terms++;
	}
}

static bool is_region_key(const char *key)
{
	static const char *const keys[] = { POD_TEMPLATE_REGION_KEYS };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (cstr_eq(key, keys[i]))
			return true;
	}
	return false;
}

/* False when the expression says nothing of the region that we could keep. */
static bool node_in_decode(const struct json *expression, struct arena *a, struct node_in *ret)
{
	const char *key = json_string(json_get(expression, "key"));
	const struct json *values = json_get(expression, "values");
	int n = 0;

	if (!is_region_key(key) || !cstr_eq(json_string(json_get(expression, "operator")), "In"))
		return false;
	json_each (value, values)
		n += json_string(value) ? 1 : POD_TEMPLATE_MAX_VALUES + 1;
	if (n > POD_TEMPLATE_MAX_VALUES)
		return false;
	const char **list = arena_array(a, (size_t)n, const char *);
	*ret = (struct node_in){ arena_strdup(a, key), list, n };
	n = 0;
	json_each (value, values)
		list[n++] = arena_strdup(a, json_string(value));
	return true;
}

/* Terms are ORed: one that names no region leaves all of them open. */
static void region_terms_decode(const struct json *affinity, struct arena *a, struct pod_template *ret)
{
	const struct json *terms =
		json_at(affinity, "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
	struct region_term kept[POD_TEMPLATE_MAX_TERMS];
	int n = 0;

	json_each (term, terms) {
		struct node_in in[POD_TEMPLATE_MAX_EXPRESSIONS];
		int n_in = 0;

		json_each (expression, json_get(term, "matchExpressions")) {
			if (n_in < POD_TEMPLATE_MAX_EXPRESSIONS && node_in_decode(expression, a, &in[n_in]))
				n_in++;
		}
		if (n_in == 0 || n == POD_TEMPLATE_MAX_TERMS)
			return;
		struct node_in *copy = arena_array(a, (size_t)n_in, struct node_in);
		memcpy(copy, in, (size_t)n_in * sizeof(*in));
		kept[n++] = (struct region_term){ copy, n_in };
	}
	if (n == 0)
		return;
	struct region_term *list = arena_array(a, (size_t)n, struct region_term);
	memcpy(list, kept, (size_t)n * sizeof(*kept));
	ret->region_terms = list;
	ret->n_region_terms = n;
}

void pod_template_decode(const struct json *tpl, struct arena *a, struct pod_template *ret)
{
	const struct json *spec = json_get(tpl, "spec");
	const char *queue = json_string(json_get(json_at(tpl, "metadata.labels"), "kueue.x-k8s.io/queue-name"));

	*ret = (struct pod_template){ .kueue_queue = arena_strdup(a, queue) };
	pod_requests_decode(spec, &ret->requests);
	affinity_decode(json_get(spec, "affinity"), &ret->affinity);
	region_terms_decode(json_get(spec, "affinity"), a, ret);
	pairs_decode(json_get(spec, "nodeSelector"), everything, a, &ret->node_selector);
}
