/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes as the decoder makes them. */
#include "sim/cluster_nodes.h"

#include <math.h>

#include "api/carbonawarejob.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "decide/power.h"

#define GIB 1073741824.0
#define MAX_CORES 4096.0
#define MAX_GIB 1048576.0
#define ARENA_MAX ((size_t)1 << 30)

struct spec {
	struct str name;
	int16_t zone;
	double cores, gib, idle_w, peak_w; /* watts NAN: not said */
};

enum { NAME, ZONE, CORES, MEMORY, IDLE, PEAK, COUNT, N_COLUMNS };
#define N_REQUIRED 4
static const char *const names[N_COLUMNS] = { "name", "zone", "cpu_cores", "memory_gib", "idle_w", "peak_w", "count" };

static struct pairs one_label(struct arena *a, const char *zone)
{
	struct pair *p = arena_new(a, struct pair);

	*p = (struct pair){ LABEL_REGION, zone };
	return (struct pairs){ p, 1 };
}

static struct pairs watts(struct arena *a, const struct spec *s)
{
	struct pair *p = arena_array(a, 2, struct pair);

	if (isnan(s->idle_w) || isnan(s->peak_w))
		return (struct pairs){ 0 };
	p[0] = (struct pair){ ANNOTATION_IDLE_WATTS, arena_printf(a, "%.3f", s->idle_w) };
	p[1] = (struct pair){ ANNOTATION_PEAK_WATTS, arena_printf(a, "%.3f", s->peak_w) };
	return (struct pairs){ p, 2 };
}

/* number 0: the name as it is. */
static void add(struct cluster_nodes *n, const struct spec *s, const struct signals *signals, int64_t number)
{
	struct arena *a = &n->arena;
	struct node *ready = arena_new(a, struct node), *lost = arena_new(a, struct node);
	char *name = number ? arena_printf(a, "%.*s-%lld", STR_FMT(s->name), (long long)number)
			    : arena_strndup(a, s->name.ptr, s->name.len);

	ready->obj = (struct object){ .type = &node_type, .refs = 1 };
	ready->obj.meta = (struct object_meta){
		.key = name,
		.namespace = "",
		.name = name,
		.uid = name,
		.resource_version = "1",
		.deletion_ms = TIME_NONE,
		.creation_ms = TIME_NONE,
		.labels = one_label(a, signals->zones[s->zone].name),
		.annotations = watts(a, s),
	};
	ready->cpu_milli = llround(s->cores * 1000);
	ready->memory_bytes = (int64_t)(s->gib * GIB);
	ready->ready = true;
	memcpy(lost, ready, sizeof(*lost));
	lost->ready = false;
	lost->obj.meta.resource_version = "2";
	n->items[n->n++] = (struct cluster_node){ ready, lost, s->zone, ready->cpu_milli, ready->memory_bytes };
}

static void init(struct cluster_nodes *n)
{
	*n = (struct cluster_nodes){ .items = xcalloc(NODES_MAX, sizeof(*n->items)) };
	arena_init(&n->arena, 65536, ARENA_MAX);
}

static int read_row(struct csv *csv, const int *column, const struct signals *s, struct spec *ret, int64_t *count,
		    struct error *err)
{
	struct str zone = csv_field(csv, column[ZONE]);
	int found = signals_zone(s, zone);

	ret->name = csv_field(csv, column[NAME]);
	if (!str_is_dns_name(ret->name))
		return csv_error(csv, column[NAME], err, "must be a name like node-a: lower-case letters, digits, '-'");
	if (found < 0)
		return csv_error(csv, column[ZONE], err, "the signals have no zone '%.*s'", (int)MIN(zone.len, 40),
				 zone.ptr);
	ret->zone = (int16_t)found;
	if (csv_number(csv, column[CORES], 0.1, MAX_CORES, &ret->cores, err) ||
	    csv_number(csv, column[MEMORY], 0, MAX_GIB, &ret->gib, err) ||
	    csv_number_opt(csv, column[IDLE], 0, (double)POWER_MAX_WATTS, NAN, &ret->idle_w, err) ||
	    csv_number_opt(csv, column[PEAK], 0, (double)POWER_MAX_WATTS, NAN, &ret->peak_w, err) ||
	    csv_i64_opt(csv, column[COUNT], 1, NODES_MAX, 1, count, err))
		return -1;
	if (isnan(ret->idle_w) != isnan(ret->peak_w))
		return csv_error(csv, column[isnan(ret->idle_w) ? IDLE : PEAK], err,
				 "give both idle_w and peak_w, or neither");
	if (ret->peak_w < ret->idle_w)
		return csv_error(csv, column[PEAK], err, "must not be below idle_w");
	return 0;
}

static int find_columns(struct csv *csv, int column[N_COLUMNS], struct error *err)
{
	for (int i = 0; i < N_COLUMNS; i++) {
		if (i < N_REQUIRED && csv_column(csv, names[i], &column[i], err))
			return -1;
		column[i] = csv_find(csv, names[i]);
	}
	for (int c = 0; c < csv_n_columns(csv); c++) {
		bool known = false;

		for (int i = 0; i < N_COLUMNS; i++)
			known |= column[i] == c;
		if (!known)
			return csv_error(csv, c, err, "unknown column; remove or rename it");
	}
	return 0;
}

static int load_rows(struct cluster_nodes *n, struct csv *csv, const struct signals *s, struct error *err)
{
	int column[N_COLUMNS], got;

	if (find_columns(csv, column, err))
		return -1;
	while ((got = csv_next(csv, err)) > 0) {
		struct spec spec;
		int64_t count;

		if (read_row(csv, column, s, &spec, &count, err))
			return -1;
		if (n->n + (size_t)count > NODES_MAX)
			return csv_error(csv, -1, err, "more than %d nodes", NODES_MAX);
		for (int64_t i = 1; i <= count; i++)
			add(n, &spec, s, count > 1 ? i : 0);
	}
	if (got == 0 && n->n == 0)
		return csv_error(csv, -1, err, "no node");
	return got;
}

int nodes_load(struct cluster_nodes *ret, const char *path, const struct signals *s, struct error *err)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;

	if (csv_open(path, &csv, err))
		return -1;
	init(ret);
	if (load_rows(ret, csv, s, err)) {
		nodes_release(ret);
		return -1;
	}
	return 0;
}

int nodes_alike(struct cluster_nodes *ret, int64_t per_zone, const struct signals *s, struct error *err)
{
	if (per_zone * s->n_zones > NODES_MAX)
		return error_set(err, ERR_LIMIT, "--nodes-per-zone: more than %d nodes in %d zones", NODES_MAX,
				 s->n_zones);
	init(ret);
	for (int z = 0; z < s->n_zones; z++) {
		const struct spec spec = { STR("node"),       (int16_t)z,           NODES_DEFAULT_CORES,
					   NODES_DEFAULT_GIB, NODES_DEFAULT_IDLE_W, NODES_DEFAULT_PEAK_W };

		for (int64_t i = 1; i <= per_zone; i++)
			add(ret, &spec, s, z * per_zone + i);
	}
	return 0;
}

void nodes_release(struct cluster_nodes *n)
{
	arena_release(&n->arena);
	free(n->items);
	*n = (struct cluster_nodes){ .n = 0 };
}
