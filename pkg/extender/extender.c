/* SPDX-License-Identifier: Apache-2.0 */
/* Glue: informers to snapshot, HTTP to extender_answer(), outcomes to counters. */
#include "extender/extender.h"

#include "base/alloc.h"
#include "base/resident.h"
#include "extender/answer.h"
#include "k8s/informer.h"
#include "metrics/metrics.h"

/* Changes within this time make one new snapshot. */
#define REBUILD_DELAY_MS 100
/* So that what listing, the first handshakes and the like have touched does not stay resident for ever. */
#define TRIM_INTERVAL_MS (15 * SECOND_MS)
/* Memory of one unusually large request is given back after it. */
#define KEEP_CANDIDATES 16384
#define KEEP_REPLY ((size_t)1024 * 1024)

static const char *const verb_names[EXTENDER_N_VERBS] = { "filter", "prioritize" };

static struct metric requests =
	METRIC_COUNTER("loadshift_extender_requests_total", "Requests answered.", "verb", "result");
static struct metric duration = METRIC_HISTOGRAM("loadshift_extender_duration_seconds",
						 "Time from the whole body to the reply.", metric_fast_buckets, "verb");
static struct metric candidates =
	METRIC_COUNTER("loadshift_extender_candidates_total", "Nodes in the requests answered.", "verb");
static struct metric neutral =
	METRIC_COUNTER("loadshift_extender_neutral_total", "Requests without a ranking: every node gets 5.", "reason");
static struct metric bad_annotations = METRIC_COUNTER("loadshift_extender_bad_annotations_total",
						      "Pod annotations ignored as malformed.", "annotation");
static struct metric lifted =
	METRIC_COUNTER("loadshift_extender_caps_lifted_total",
		       "Filter requests in which no node met a limit, so that all passed.", "limit");
static struct metric snapshots = METRIC_COUNTER("loadshift_extender_snapshots_total", "Snapshots built.");
static struct metric nodes_known = METRIC_GAUGE("loadshift_extender_nodes", "Nodes in the snapshot.");
static struct metric nodes_homeless =
	METRIC_GAUGE("loadshift_extender_nodes_without_region", "Nodes in the snapshot that belong to no GridRegion.");
static struct metric regions_known = METRIC_GAUGE("loadshift_extender_regions", "GridRegions in the snapshot.");

struct verb {
	struct extender *extender;
	enum extender_verb verb;
	struct metric_series *ok, *bad, *too_large, *duration, *candidates;
};

struct extender {
	const struct clock *clock;
	int64_t max_age_ms;
	struct http_loop *loop;
	struct extender_holder holder;
	struct http_route routes[EXTENDER_N_ROUTES];
	struct verb verbs[EXTENDER_N_VERBS];
	/* Server thread only. */
	struct extender_scratch scratch;
	struct buf reply;
	/* Net thread only. */
	bool rebuild_due;
	/* The mutex keeps extender_stop() from freeing them under a rebuild; NULL afterwards. */
	pthread_mutex_t mutex;
	struct informer *nodes, *gridregions;
};

/* All that is kept of a Node: its name and labels. GridRegion.spec.nodeSelector may name any label. */
static const char *const all_labels[] = { "*", NULL };
static const struct object_type node_labels_type = {
	.kind = "Node",
	.api_version = "v1",
	.plural = "nodes",
	.size = sizeof(struct object),
	.labels = all_labels,
};

static int by_name(const void *a, const void *b)
{
	const struct gridregion *x = *(const struct gridregion *const *)a, *y = *(const struct gridregion *const *)b;

	return strcmp(x->obj.meta.name, y->obj.meta.name);
}

static struct extender_snapshot *build_snapshot(const struct extender *e, const struct object_list *nodes,
						const struct object_list *gridregions)
{
	_cleanup_free_ const struct gridregion **regions = xcalloc(gridregions->len + 1, sizeof(*regions));
	_cleanup_free_ struct extender_node *table = xcalloc(nodes->len + 1, sizeof(*table));
	size_t n_regions = MIN(gridregions->len, EXTENDER_MAX_REGIONS), homeless = 0;
	struct extender_snapshot *s;

	for (size_t i = 0; i < gridregions->len; i++)
		regions[i] = container_of(gridregions->items[i], const struct gridregion, obj);
	qsort(regions, gridregions->len, sizeof(*regions), by_name);
	for (size_t i = 0; i < nodes->len; i++) {
		const struct object_meta *meta = &nodes->items[i]->meta;

		table[i].name = str_from(meta->name);
		table[i].region = gridregion_of_node(regions, (int)n_regions, meta);
		homeless += table[i].region < 0;
	}
	s = extender_snapshot_new(table, nodes->len, regions, n_regions, e->max_age_ms);
	metric_inc(metric_only(&snapshots));
	metric_set(metric_only(&nodes_known), (double)s->n_nodes);
	metric_set(metric_only(&nodes_homeless), (double)homeless);
	metric_set(metric_only(&regions_known), (double)s->n_regions);
	return s;
}

static void rebuild_soon(struct extender *e);

/* Net thread, by timer. */
static void rebuild(void *arg)
{
	struct object_list nodes = { 0 }, gridregions = { 0 };
	struct extender *e = arg;
	MUTEX_GUARD(&e->mutex);

	e->rebuild_due = false;
	if (!e->nodes)
		return;
	if (!informer_synced(e->nodes) || !informer_synced(e->gridregions)) {
		rebuild_soon(e);
		return;
	}
	store_list(informer_store(e->nodes), &nodes);
	store_list(informer_store(e->gridregions), &gridregions);
	extender_holder_set(&e->holder, build_snapshot(e, &nodes, &gridregions));
	object_list_release(&nodes);
	object_list_release(&gridregions);
}

static void rebuild_soon(struct extender *e)
{
	if (e->rebuild_due)
		return;
	e->rebuild_due = true;
	(void)http_loop_after(e->loop, REBUILD_DELAY_MS, rebuild, e);
}

static bool same_labels(const struct object *a, const struct object *b)
{
	const struct pairs *x = &a->meta.labels, *y = &b->meta.labels;

	if (x->len != y->len)
		return false;
	for (size_t i = 0; i < x->len; i++)
		if (!cstr_eq(x->items[i].key, y->items[i].key) || !cstr_eq(x->items[i].value, y->items[i].value))
			return false;
	return true;
}

/* Kubelets write their Node every few minutes, nearly always without a change that matters here. */
static void node_changed(void *arg, const struct object *old, const struct object *new)
{
	if (!old || !new || !same_labels(old, new))
		rebuild_soon(arg);
}

static void gridregion_changed(void *arg, const struct object *old, const struct object *new)
{
	(void)old;
	(void)new;
	rebuild_soon(arg);
}

static void count(const struct verb *v, const struct extender_outcome *o, int64_t started_us)
{
	metric_inc(v->ok);
	metric_add(v->candidates, (double)o->candidates);
	metric_observe(v->duration, (double)(clock_mono_us() - started_us) / 1e6);
	if (o->ranking != EXTENDER_RANKED)
		metric_inc(metric_series(&neutral, extender_ranking_name(o->ranking)));
	if (o->lifted_regions)
		metric_inc(metric_series(&lifted, "regions"));
	if (o->lifted_caps)
		metric_inc(metric_series(&lifted, "caps"));
	for (int i = 0; i < EXTENDER_N_ANNOTATIONS; i++)
		if (o->bad_annotations & 1u << i)
			metric_inc(metric_series(&bad_annotations, extender_annotation_names[i]));
}

/* Server thread. */
static void handle(struct http_exchange *x, void *arg)
{
	_cleanup_(extender_snapshot_cleanup) struct extender_snapshot *snapshot = NULL;
	int64_t started_us = clock_mono_us();
	struct extender_outcome outcome;
	const struct verb *v = arg;
	struct extender *e = v->extender;
	struct error err = ERROR_INIT;

	snapshot = extender_holder_get(&e->holder);
	buf_reset(&e->reply);
	if (extender_answer(v->verb, http_body(x), snapshot, clock_now_ms(e->clock), &e->scratch, &e->reply, &outcome,
			    &err)) {
		bool large = err.code == ERR_LIMIT;

		metric_inc(large ? v->too_large : v->bad);
		http_reply_error(x, large ? 413 : 400, "%s", err.msg);
	} else {
		http_reply(x, 200, "application/json", buf_str(&e->reply));
		count(v, &outcome, started_us);
	}
	if (e->reply.cap > KEEP_REPLY)
		buf_release(&e->reply);
	if (e->scratch.args.names.cap > KEEP_CANDIDATES)
		extender_scratch_release(&e->scratch);
}

static void init_verb(struct extender *e, enum extender_verb verb, const char *path)
{
	struct verb *v = &e->verbs[verb];
	const char *name = verb_names[verb];

	*v = (struct verb){ .extender = e,
			    .verb = verb,
			    .ok = metric_series(&requests, name, "ok"),
			    .bad = metric_series(&requests, name, "bad-request"),
			    .too_large = metric_series(&requests, name, "too-large"),
			    .duration = metric_series(&duration, name),
			    .candidates = metric_series(&candidates, name) };
	e->routes[verb] = (struct http_route){ "POST", path, EXTENDER_MAX_BODY, handle, v };
}

struct extender *extender_new(struct k8s *k, struct http_loop *loop, const struct clock *clock, int64_t max_age_ms)
{
	struct extender *e = xcalloc(1, sizeof(*e));

	e->clock = clock;
	e->max_age_ms = max_age_ms;
	e->loop = loop;
	(void)pthread_mutex_init(&e->mutex, NULL);
	(void)pthread_mutex_init(&e->holder.mutex, NULL);
	buf_init(&e->reply, EXTENDER_MAX_REPLY);
	init_verb(e, EXTENDER_FILTER, "/filter");
	init_verb(e, EXTENDER_PRIORITIZE, "/prioritize");
	/* Series exist from the start, so that a rate over them does not begin with a gap. */
	for (enum extender_ranking r = EXTENDER_NOT_SYNCED; r < EXTENDER_N_RANKINGS; r++)
		(void)metric_series(&neutral, extender_ranking_name(r));
	e->nodes = informer_new(k, loop, &(struct informer_options){ .type = &node_labels_type });
	e->gridregions = informer_new(k, loop, &(struct informer_options){ .type = &gridregion_type });
	informer_add_handler(e->nodes, node_changed, e);
	informer_add_handler(e->gridregions, gridregion_changed, e);
	return e;
}

/* Net thread, by timer. */
static void trim(void *arg)
{
	struct extender *e = arg;

	resident_trim();
	(void)http_loop_after(e->loop, TRIM_INTERVAL_MS, trim, e);
}

static void start_on_net_thread(void *arg)
{
	struct extender *e = arg;

	/* Empty lists cause no change, but a snapshot all the same. */
	rebuild_soon(e);
	(void)http_loop_after(e->loop, TRIM_INTERVAL_MS, trim, e);
}

void extender_start(struct extender *e)
{
	informer_start(e->nodes);
	informer_start(e->gridregions);
	http_loop_post(e->loop, start_on_net_thread, e);
}

void extender_stop(struct extender *e)
{
	struct informer *nodes, *gridregions;

	{
		MUTEX_GUARD(&e->mutex);
		nodes = steal_ptr(e->nodes);
		gridregions = steal_ptr(e->gridregions);
	}
	informer_free(nodes);
	informer_free(gridregions);
}

void extender_free(struct extender *e)
{
	if (!e)
		return;
	extender_stop(e);
	extender_holder_set(&e->holder, NULL);
	extender_scratch_release(&e->scratch);
	buf_release(&e->reply);
	(void)pthread_mutex_destroy(&e->mutex);
	(void)pthread_mutex_destroy(&e->holder.mutex);
	free(e);
}

bool extender_synced(struct extender *e)
{
	_cleanup_(extender_snapshot_cleanup) struct extender_snapshot *s = extender_holder_get(&e->holder);

	return s != NULL;
}

const struct http_route *extender_routes(struct extender *e, size_t *ret_n)
{
	*ret_n = EXTENDER_N_ROUTES;
	return e->routes;
}
