/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a watch stream, cut into lines at any byte, read as events of any of our kinds; and the same bytes as a
 * list's page. The first byte chooses the kind, the second where the stream is cut.
 */
#include "decide/power.h"
#include "k8s/types/configmap.h"
#include "k8s/types/job.h"
#include "k8s/types/lease.h"
#include "k8s/types/namespace.h"
#include "k8s/types/node.h"
#include "k8s/types/pod.h"
#include "k8s/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void check_node(const struct node *n)
{
	struct pod_requests all = { n->cpu_milli, n->memory_bytes, n->gpus };
	struct power_model m = power_of_node(n);
	char text[256];

	(void)power_annotations_error(n, text);
	require(m.per_core >= 0 && m.per_gib >= 0 && m.per_gpu >= 0, "power is not negative");
	require(power_of_pod(&m, &all) <= POWER_MAX_WATTS * 1000, "power has its maximum");
}

static void check_job(const struct job *j)
{
	require(j->template.n_region_terms <= POD_TEMPLATE_MAX_TERMS, "so many terms");
	for (int i = 0; i < j->template.n_region_terms; i++) {
		const struct region_term *t = &j->template.region_terms[i];

		require(t->n > 0 && t->n <= POD_TEMPLATE_MAX_EXPRESSIONS, "a term that is kept names a region");
		for (int k = 0; k < t->n; k++) {
			require(t->in[k].key && t->in[k].n_values <= POD_TEMPLATE_MAX_VALUES, "so many values");
			for (int v = 0; v < t->in[k].n_values; v++)
				require(t->in[k].values[v] != NULL, "a value is text");
		}
	}
}

static void check_object(const struct object *o)
{
	struct str ns, name;

	require(strlen(o->meta.key) < OBJECT_KEY_MAX && *o->meta.name, "a key that fits and a name");
	object_key_split(o->meta.key, &ns, &name);
	require(o->meta.resource_version && o->meta.uid && o->meta.namespace, "no NULL where there is text");
	require(!o->meta.owner.kind || (o->meta.owner.uid && o->meta.owner.name), "an owner is whole");
	for (size_t i = 1; i < o->meta.labels.len; i++)
		require(strcmp(o->meta.labels.items[i - 1].key, o->meta.labels.items[i].key) <= 0, "labels are sorted");
	if (o->type == &node_type)
		check_node(node_of(o));
	if (o->type == &job_type)
		check_job(job_of(o));
}

struct target {
	const struct object_type *type;
	size_t lines;
};

static int line_seen(void *arg, struct str line, struct error *err)
{
	struct target *t = arg;
	struct watch_event e;

	t->lines++;
	require(line.len > 0 && !memchr(line.ptr, '\n', line.len), "a line is one line");
	if (watch_event_parse(t->type, line, &e, err)) {
		require(err->code == ERR_INVALID, "what is no event is invalid");
		*err = (struct error)ERROR_INIT;
		return 0;
	}
	if (e.object)
		check_object(e.object);
	require(e.kind != WATCH_ERROR || e.error.code != ERR_NONE, "an error has a code");
	require(e.kind == WATCH_ERROR || *e.resource_version, "an event has a version");
	watch_event_release(&e);
	return 0;
}

static void item_seen(void *arg, const struct object *o)
{
	(void)arg;
	check_object(o);
	object_unref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct object_type *const types[] = { &configmap_type, &job_type,  &lease_type,
							   &namespace_type, &node_type, &pod_type };
	struct target whole = { types[size ? data[0] % ARRAY_LEN(types) : 0], 0 }, pieces = whole;
	struct error err = ERROR_INIT;
	struct list_page page;
	struct watch_lines l;

	if (size < 2)
		return 0;
	struct str text = str_of((const char *)data + 2, size - 2);
	size_t step = (size_t)data[1] + 1;
	watch_lines_init(&l);
	require(watch_lines_feed(&l, text, line_seen, &whole, &err) == 0, "short lines are taken");
	watch_lines_release(&l);
	for (size_t at = 0; at < text.len; at += step)
		require(watch_lines_feed(&l, str_of(text.ptr + at, MIN(step, text.len - at)), line_seen, &pieces,
					 &err) == 0,
			"short lines are taken");
	watch_lines_release(&l);
	require(whole.lines == pieces.lines, "the same lines wherever the bytes are cut");
	if (list_page_parse(whole.type, text, item_seen, NULL, &page, &err) == 0)
		free(page.next);
	return 0;
}
