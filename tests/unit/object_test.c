/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s: metadata, the typed projections, quantities and conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/condition.h"
#include "k8s/quantity.h"
#include "k8s/types/configmap.h"
#include "k8s/types/job.h"
#include "k8s/types/lease.h"
#include "k8s/types/namespace.h"
#include "k8s/types/node.h"
#include "k8s/types/pod.h"

/* ' instead of " keeps the JSON here readable. */
static const struct object *parse(const struct object_type *t, const char *text)
{
	_cleanup_free_ char *json = xstrdup(text);
	const struct object *o = NULL;
	struct error err = ERROR_INIT;

	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	if (object_parse(t, str_from(json), &o, &err))
		fail_msg("%s", err.msg);
	return o;
}

static void metadata_is_read_and_filtered(void **state)
{
	(void)state;
	const struct object *o _cleanup_object_ = parse(
		&job_type,
		"{'metadata':{'name':'train','namespace':'team-a','uid':'u1','resourceVersion':'42','generation':3,"
		"'creationTimestamp':'2026-01-02T03:04:05Z','deletionTimestamp':'2026-01-02T03:04:06Z',"
		"'labels':{'app':'x','kueue.x-k8s.io/queue-name':'q','loadshift.io/a':'b'},"
		"'annotations':{'kubectl.kubernetes.io/last-applied-configuration':'{}','loadshift.io/deadline':'d'},"
		"'ownerReferences':[{'kind':'Other','name':'o','uid':'u2','apiVersion':'v1'},"
		"{'kind':'CarbonAwareJob','name':'caj','uid':'u3','apiVersion':'loadshift.io/"
		"v1alpha1','controller':true}]},"
		"'spec':{}}");

	assert_string_equal(o->meta.key, "team-a/train");
	assert_string_equal(o->meta.name, "train");
	assert_string_equal(o->meta.namespace, "team-a");
	assert_string_equal(o->meta.uid, "u1");
	assert_string_equal(o->meta.resource_version, "42");
	assert_int_equal(o->meta.generation, 3);
	assert_int_equal(o->meta.deletion_ms - o->meta.creation_ms, 1000);
	assert_int_equal(o->meta.labels.len, 1);
	assert_null(object_label(o, "app"));
	assert_string_equal(object_label(o, "kueue.x-k8s.io/queue-name"), "q");
	assert_int_equal(o->meta.annotations.len, 1);
	assert_string_equal(object_annotation(o, "loadshift.io/deadline"), "d");
	assert_true(object_owned_by(o, "loadshift.io", "CarbonAwareJob"));
	assert_false(object_owned_by(o, "loadshift.io", "Job"));
	assert_false(object_owned_by(o, "loadshift", "CarbonAwareJob"));
	assert_string_equal(o->meta.owner.uid, "u3");

	struct str ns, name;
	object_key_split(o->meta.key, &ns, &name);
	assert_true(str_is(ns, "team-a") && str_is(name, "train"));
	object_key_split("node-1", &ns, &name);
	assert_true(str_empty(ns) && str_is(name, "node-1"));
}

static void an_object_without_a_name_is_refused(void **state)
{
	(void)state;
	const struct object *o = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(object_parse(&job_type, STR("{\"metadata\":{}}"), &o, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(object_parse(&job_type, STR("[]"), &o, &err), -1);
	assert_int_equal(object_parse(&job_type, STR("nonsense"), &o, &err), -1);
	assert_null(o);
}

static void an_object_is_one_chunk_of_the_right_size(void **state)
{
	(void)state;
	const struct object *o _cleanup_object_ =
		parse(&node_type, "{'metadata':{'name':'n','uid':'12345678-1234','resourceVersion':'1','labels':"
				  "{'kubernetes.io/hostname':'n','topology.kubernetes.io/region':'eu-west-2'}}}");
	struct arena copy = o->arena;

	assert_true(copy.total <= arena_used(&copy) + 32);
}

static void a_job_keeps_what_decisions_need(void **state)
{
	(void)state;
	const struct object *o _cleanup_object_ = parse(
		&job_type,
		"{'metadata':{'name':'j','namespace':'n'},'spec':{'suspend':true,'parallelism':4,'completions':8,"
		"'ttlSecondsAfterFinished':0,"
		"'template':{'metadata':{'labels':{'kueue.x-k8s.io/queue-name':'q'}},'spec':{"
		"'nodeSelector':{'topology.kubernetes.io/region':'r'},"
		"'initContainers':[{'resources':{'requests':{'cpu':'4','memory':'1Gi'}}},"
		"{'restartPolicy':'Always','resources':{'requests':{'cpu':'100m','memory':'64Mi'}}},"
		"{'resources':{'requests':{'memory':'3Gi'}}}],"
		"'containers':[{'resources':{'requests':{'cpu':'1500m','memory':'1Gi'},'limits':{'nvidia.com/"
		"gpu':'2'}}},"
		"{'resources':{'limits':{'cpu':'500m','memory':'1G'}}}],'overhead':{'cpu':'10m'},"
		"'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':["
		"{'matchFields':[]},{'matchExpressions':[]}]}}}}}},"
		"'status':{'startTime':'2026-01-01T00:00:00Z',"
		"'conditions':[{'type':'Failed','status':'True','reason':'DeadlineExceeded','message':'m',"
		"'lastTransitionTime':'2026-01-01T00:10:00Z'},{'type':'FailureTarget','status':'True'}]}}");
	const struct job *j = job_of(o);

	assert_true(j->suspend);
	assert_int_equal(j->parallelism, 4);
	assert_int_equal(j->completions, 8);
	assert_int_equal(j->ttl_after_finished_ms, 0);
	assert_string_equal(j->kueue_queue, "q");
	/* The first init container needs most CPU, the third (beside the sidecar) most memory. */
	assert_int_equal(j->template.requests.cpu_milli, 4000 + 10);
	assert_int_equal(j->template.requests.memory_bytes, (3LL << 30) + (64 << 20));
	assert_int_equal(j->template.requests.gpus, 2);
	assert_string_equal(pairs_get(&j->template.node_selector, "topology.kubernetes.io/region"), "r");
	assert_true(j->template.affinity.has_affinity && j->template.affinity.has_node_affinity);
	assert_true(j->template.affinity.has_required && !j->template.affinity.has_preferred);
	assert_int_equal(j->template.affinity.n_terms, 2);
	assert_int_equal(j->template.affinity.term_has_expressions, 2);
	assert_int_equal(j->conditions.len, 1);
	assert_true(job_is_finished(j));
	assert_int_equal(job_finished_ms(j) - j->start_ms, 600000);
	assert_int_equal(j->completion_ms, TIME_NONE);
}

static void a_job_of_nothing_has_the_defaults(void **state)
{
	(void)state;
	const struct object *o _cleanup_object_ = parse(&job_type, "{'metadata':{'name':'j','namespace':'n'}}");
	const struct job *j = job_of(o);

	assert_false(j->suspend);
	assert_int_equal(j->parallelism, 1);
	assert_int_equal(j->completions, -1);
	assert_int_equal(j->start_ms, TIME_NONE);
	assert_null(j->kueue_queue);
	assert_false(j->template.affinity.has_affinity);
	assert_false(job_is_finished(j));
	assert_int_equal(job_finished_ms(j), TIME_NONE);
}

/* n times `text`, with commas. */
static void repeat(struct buf *b, const char *text, int n)
{
	for (int i = 0; i < n; i++)
		(void)buf_addf(b, "%s%s", i ? "," : "", text);
}

#define TERMS(b, terms)                                                                                     \
	(void)buf_addf((b),                                                                                 \
		       "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'affinity':{'nodeAffinity':{"  \
		       "'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[%s]}}}}}}}", \
		       (terms))

static int region_terms_of(const char *terms)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(64 * 1024);

	TERMS(&b, terms);
	const struct object *o _cleanup_object_ = parse(&job_type, buf_cstr(&b));
	return job_of(o)->template.n_region_terms;
}

static void terms_on_regions_are_kept_within_bounds(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(32 * 1024);
	static const char one[] = "{'matchExpressions':[{'key':'loadshift.io/region','operator':'In','values':['a']}]}";

	(void)state;
	assert_int_equal(region_terms_of(one), 1);
	repeat(&b, one, POD_TEMPLATE_MAX_TERMS);
	assert_int_equal(region_terms_of(buf_cstr(&b)), POD_TEMPLATE_MAX_TERMS);
	/* What is beyond is not known, and so leaves every region open. */
	buf_reset(&b);
	repeat(&b, one, POD_TEMPLATE_MAX_TERMS + 1);
	assert_int_equal(region_terms_of(buf_cstr(&b)), 0);
	buf_reset(&b);
	(void)buf_adds(&b, "{'matchExpressions':[{'key':'loadshift.io/region','operator':'In','values':[");
	repeat(&b, "'a'", POD_TEMPLATE_MAX_VALUES + 1);
	(void)buf_adds(&b, "]}]}");
	assert_int_equal(region_terms_of(buf_cstr(&b)), 0);
	assert_int_equal(region_terms_of("{'matchExpressions':[{'key':'loadshift.io/region','operator':'Exists'}]}"),
			 0);
	assert_int_equal(region_terms_of("{'matchExpressions':7},7,null"), 0);
}

static void too_many_terms_are_flagged(void **state)
{
	(void)state;
	_cleanup_(buf_release) struct buf b = BUF_INIT(4096);

	(void)buf_adds(&b, "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'affinity':{'nodeAffinity':{"
			   "'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[");
	for (int i = 0; i < POD_TEMPLATE_MAX_TERMS + 1; i++)
		(void)buf_adds(&b, i ? ",{'matchExpressions':[]}" : "{'matchExpressions':[]}");
	(void)buf_adds(&b, "]}}}}}}}");
	const struct object *o _cleanup_object_ = parse(&job_type, buf_cstr(&b));

	assert_true(job_of(o)->template.affinity.too_many_terms);
	assert_int_equal(job_of(o)->template.affinity.n_terms, POD_TEMPLATE_MAX_TERMS);
	assert_int_equal(job_of(o)->template.affinity.term_has_expressions, UINT32_MAX);
}

static void pods_nodes_and_the_rest(void **state)
{
	(void)state;
	const struct object *n _cleanup_object_ = parse(
		&node_type,
		"{'metadata':{'name':'n','labels':{'a':'b'},'annotations':{'x':'y'}},'spec':{'unschedulable':true},"
		"'status':{'allocatable':{'cpu':'7910m','memory':'32Gi','nvidia.com/gpu':'8'},'conditions':["
		"{'type':'MemoryPressure','status':'False'},{'type':'Ready','status':'True'}]}}");
	assert_int_equal(node_of(n)->cpu_milli, 7910);
	assert_int_equal(node_of(n)->memory_bytes, 32LL << 30);
	assert_int_equal(node_of(n)->gpus, 8);
	assert_true(node_of(n)->ready && node_of(n)->unschedulable);
	assert_string_equal(object_label(n, "a"), "b");
	assert_int_equal(n->meta.annotations.len, 0);
	assert_string_equal(n->meta.key, "n");

	const struct object *p _cleanup_object_ =
		parse(&pod_type,
		      "{'metadata':{'name':'p','namespace':'n'},'spec':{},'status':{'phase':'Pending','conditions':["
		      "{'type':'PodScheduled','status':'False','reason':'Unschedulable','message':'0/3 nodes'}]}}");
	assert_int_equal(pod_of(p)->phase, POD_PENDING);
	assert_false(pod_of(p)->scheduled);
	assert_string_equal(pod_of(p)->unscheduled_reason, "Unschedulable");
	assert_string_equal(pod_of(p)->unscheduled_message, "0/3 nodes");
	assert_string_equal(pod_of(p)->node, "");
	assert_int_equal(pod_of(p)->start_ms, TIME_NONE);

	const struct object *done _cleanup_object_ =
		parse(&pod_type,
		      "{'metadata':{'name':'p'},'spec':{'nodeName':'n1'},'status':{'phase':'Succeeded',"
		      "'startTime':'2026-01-01T00:00:00Z','containerStatuses':[{'state':{'terminated':{'finishedAt':"
		      "'2026-01-01T00:00:07Z'}}},{'state':{'terminated':{'finishedAt':'2026-01-01T00:00:05Z'}}}]}}");
	assert_int_equal(pod_of(done)->finished_ms - pod_of(done)->start_ms, 7000);
	assert_string_equal(pod_of(done)->node, "n1");

	const struct object *l _cleanup_object_ = parse(
		&lease_type,
		"{'metadata':{'name':'l','namespace':'n'},'spec':{'holderIdentity':'me','leaseDurationSeconds':15,"
		"'renewTime':'2026-01-01T00:00:00.123456Z','leaseTransitions':0}}");
	assert_string_equal(lease_record_of(l)->holder, "me");
	assert_int_equal(lease_record_of(l)->duration_ms, 15000);
	assert_string_equal(lease_record_of(l)->renew_text, "2026-01-01T00:00:00.123456Z");

	const struct object *c _cleanup_object_ =
		parse(&configmap_type, "{'metadata':{'name':'c','namespace':'n'},'data':{'b':'2','a':'1'}}");
	assert_string_equal(pairs_get(&configmap_of(c)->data, "a"), "1");
	assert_null(pairs_get(&configmap_of(c)->data, "c"));

	const struct object *ns _cleanup_object_ =
		parse(&namespace_type, "{'metadata':{'name':'team','labels':{'loadshift.io/mode':'observe','x':'y'}}}");
	assert_string_equal(object_label(ns, "loadshift.io/mode"), "observe");
	assert_int_equal(ns->meta.labels.len, 1);
}

static void quantities(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t milli;
	} good[] = {
		{ "0", 0 },
		{ "1", 1000 },
		{ "250m", 250 },
		{ "1.5", 1500 },
		{ "0.0001", 1 },
		{ "100u", 1 },
		{ "1n", 1 },
		{ "2k", 2000000 },
		{ "1Ki", 1024000 },
		{ "1.5Gi", 1610612736000 },
		{ "1e3", 1000000 },
		{ "1E3", 1000000 },
		{ "1e-3", 1 },
		{ "-5", -5000 },
		{ "+5", 5000 },
		{ ".5", 500 },
		{ "5.", 5000 },
		{ "9E", INT64_MAX },
		{ "99999999999999999999999", INT64_MAX },
		{ "0.1000000000", 100 },
		{ "0.10000000001", 101 },
		{ "1P", 1000000000000000000 },
	};
	static const char *const bad[] = { "",    "m",  "1x",   "1 ",   " 1",    "1mi", "1Kii",
					   "--1", "1e", "1e99", "0x10", "1.2.3", "e3" };
	int64_t v;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!quantity_milli(str_from(good[i].text), &v) || v != good[i].milli)
			fail_msg("%s gives %lld", good[i].text, (long long)v);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (quantity_milli(str_from(bad[i]), &v))
			fail_msg("accepted: %s", bad[i]);
	}
	assert_true(quantity_units(STR("128974848000m"), &v));
	assert_int_equal(v, 128974848);
	assert_true(quantity_units(STR("1500m"), &v));
	assert_int_equal(v, 2);
}

static void a_transition_time_changes_only_when_the_status_flips(void **state)
{
	(void)state;
	struct conditions c, none = { 0 };
	struct arena a;

	arena_init(&a, 1024, 1 << 20);
	conditions_copy(&none, &a, &c);
	assert_true(condition_set(&c, &a, "Ready", CONDITION_FALSE, "Pending", 1, 1000, "waits for %s", "data"));
	assert_false(condition_set(&c, &a, "Ready", CONDITION_FALSE, "Pending", 1, 2000, "waits for data"));
	assert_true(condition_set(&c, &a, "Ready", CONDITION_FALSE, "Pending", 2, 3000, "waits for more"));
	assert_int_equal(condition_find(&c, "Ready")->last_transition_ms, 1000);
	assert_true(condition_set(&c, &a, "Ready", CONDITION_TRUE, "Running", 2, 4000, "runs"));
	assert_int_equal(condition_find(&c, "Ready")->last_transition_ms, 4000);
	assert_true(condition_is_true(&c, "Ready"));
	assert_false(condition_is_true(&c, "Other"));
	assert_int_equal(c.len, 1);

	struct conditions again;
	conditions_copy(&c, &a, &again);
	assert_true(conditions_equal(&c, &again));
	(void)condition_set(&again, &a, "Planned", CONDITION_UNKNOWN, "R", 0, 5000, "%s", "");
	assert_false(conditions_equal(&c, &again));

	_cleanup_(buf_release) struct buf b = BUF_INIT(4096);
	struct json_writer w = json_writer(&b);
	conditions_write(&w, NULL, &c);
	assert_string_equal(buf_cstr(&b), "[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Running\",\"message\":"
					  "\"runs\",\"lastTransitionTime\":\"1970-01-01T00:00:04Z\","
					  "\"observedGeneration\":2}]");
	arena_release(&a);
}

static void long_messages_are_cut_at_a_character(void **state)
{
	(void)state;
	struct conditions c, none = { 0 };
	char text[CONDITION_MESSAGE_MAX + 200];
	struct arena a;

	/* Two bytes each, beginning at an odd place. */
	text[0] = 'x';
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[sizeof(text) - 1] = '\0';
	arena_init(&a, 1024, 1 << 20);
	conditions_copy(&none, &a, &c);
	(void)condition_set(&c, &a, "Ready", CONDITION_TRUE, "R", 0, 0, "%s", text);
	const char *message = condition_find(&c, "Ready")->message;
	assert_true(strlen(message) <= CONDITION_MESSAGE_MAX);
	assert_true(str_is_utf8(str_from(message)));
	assert_true(str_has_suffix(str_from(message), STR("...")));
	for (int i = 0; i < CONDITIONS_MAX + 5; i++) {
		char type[16];

		(void)snprintf(type, sizeof(type), "T%d", i);
		(void)condition_set(&c, &a, type, CONDITION_TRUE, "R", 0, 0, "m");
	}
	assert_int_equal(c.len, CONDITIONS_MAX);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_read_and_filtered),
		cmocka_unit_test(an_object_without_a_name_is_refused),
		cmocka_unit_test(an_object_is_one_chunk_of_the_right_size),
		cmocka_unit_test(a_job_keeps_what_decisions_need),
		cmocka_unit_test(a_job_of_nothing_has_the_defaults),
		cmocka_unit_test(terms_on_regions_are_kept_within_bounds),
		cmocka_unit_test(too_many_terms_are_flagged),
		cmocka_unit_test(pods_nodes_and_the_rest),
		cmocka_unit_test(quantities),
		cmocka_unit_test(a_transition_time_changes_only_when_the_status_flips),
		cmocka_unit_test(long_messages_are_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
