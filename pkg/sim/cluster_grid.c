/* SPDX-License-Identifier: Apache-2.0 */
/* GridRegions from signals. */
#include "sim/cluster_grid.h"

#include <math.h>

#include "base/alloc.h"
#include "base/decimal.h"
#include "sim/outlook.h"

#define REGION_MAX_BYTES ((size_t)1 << 20)

struct cluster_grid {
	struct signals truth, slots; /* as recorded, and in half hours */
	struct outlook outlook;
	int64_t horizon_ms;
};

/* Names become those of GridRegions, which are joined by commas, and one of which is taken. */
static int check_names(const struct signals *s, const char *path, struct error *err)
{
	for (int z = 0; z < s->n_zones; z++) {
		const char *name = s->zones[z].name;

		if (strchr(name, ',') || strlen(name) > 63 || cstr_eq(name, "mean"))
			return error_set(err, ERR_INVALID,
					 "%s: zone '%.40s' cannot be a GridRegion's name: at most 63 bytes, no comma, "
					 "not \"mean\"",
					 path, name);
	}
	return 0;
}

int cluster_grid_open(const char *signals, const char *forecast, int64_t horizon_ms, struct cluster_grid **ret,
		      struct error *err)
{
	_cleanup_(cleanup_cluster_grid) struct cluster_grid *g = xcalloc(1, sizeof(*g));

	g->horizon_ms = horizon_ms;
	if (signals_load(&g->truth, signals, err) || check_names(&g->truth, signals, err) ||
	    signals_resample(&g->truth, SLOT_MS, &g->slots, err) || outlook_open(&g->outlook, forecast, &g->slots, err))
		return -1;
	*ret = steal_ptr(g);
	return 0;
}

void cluster_grid_free(struct cluster_grid *g)
{
	if (!g)
		return;
	outlook_release(&g->outlook);
	signals_release(&g->slots);
	signals_release(&g->truth);
	free(g);
}

const struct signals *cluster_grid_truth(const struct cluster_grid *g)
{
	return &g->truth;
}

/* g/kWh to mg/kWh, and per MWh to millionths per kWh: both are a factor of 1000. */
static int32_t *column(const double *value, int n, struct arena *a)
{
	int32_t *ret = arena_array(a, (size_t)n + 1, int32_t);

	for (int i = 0; i < n; i++)
		ret[i] = isnan(value[i]) ? GRID_UNKNOWN
					 : (int32_t)CLAMP(decimal_from_double(value[i], 3), -2000000000, 2000000000);
	return ret;
}

static void fill_forecast(const struct cluster_grid *g, int zone, int64_t now_ms, struct arena *a,
			  struct grid_forecast *f)
{
	const int16_t one = (int16_t)zone;
	int64_t first_ms = MAX(time_slot_floor(now_ms, SLOT_MS), g->slots.start_ms);
	int64_t end_ms = MIN(first_ms + g->horizon_ms, signals_end_ms(&g->slots));
	struct arena scratch;
	struct view v;

	*f = (struct grid_forecast){ .start_ms = TIME_NONE, .issued_ms = TIME_NONE };
	if (end_ms <= first_ms)
		return;
	arena_init(&scratch, 8192, REGION_MAX_BYTES);
	outlook_view(&g->outlook, &one, 1, first_ms, end_ms, now_ms, false, &scratch, &v);
	f->start_ms = first_ms;
	f->slot_ms = SLOT_MS;
	f->issued_ms = now_ms;
	f->n = MIN(v.n, GRIDREGION_MAX_SLOTS);
	f->carbon_p50 = column(v.value[0][SIGNAL_CARBON], f->n, a);
	f->price_p50 = column(v.value[0][SIGNAL_PRICE], f->n, a);
	arena_release(&scratch);
}

/* The running half hour is not over, but its value is what a provider shows as the present one. */
static void fill_recent(const struct cluster_grid *g, int zone, int64_t now_ms, struct arena *a, struct grid_recent *r)
{
	const struct signal_column *c = g->slots.zones[zone].column;
	int64_t end_ms = MIN(time_slot_floor(now_ms, SLOT_MS), signals_end_ms(&g->slots));
	int64_t first_ms = MAX(end_ms - GRIDREGION_MAX_RECENT * SLOT_MS, g->slots.start_ms);
	int first = (int)((first_ms - g->slots.start_ms) / SLOT_MS);

	*r = (struct grid_recent){ .start_ms = first_ms };
	if (end_ms <= first_ms)
		return;
	r->n = (int)((end_ms - first_ms) / SLOT_MS);
	r->carbon = column(c[SIGNAL_CARBON].value + first, r->n, a);
	r->price = column(c[SIGNAL_PRICE].value + first, r->n, a);
	r->kind = arena_array(a, (size_t)r->n, uint8_t); /* GRID_KIND_ACTUAL */
}

static void fill_sources(struct gridregion *r, int64_t now_ms, struct arena *a)
{
	struct grid_source *sources = arena_array(a, 2, struct grid_source);

	for (int i = 0; i < 2; i++)
		sources[i] = (struct grid_source){
			.metric = i ? "price" : "carbon",
			.use = "first source",
			.provider = "recorded",
			.zone = r->obj.meta.name,
			.kind = "actual",
			.currency = i ? CLUSTER_CURRENCY : NULL,
			.confidence_permille = GRID_UNKNOWN,
			.issued_ms = now_ms,
			.fetched_ms = now_ms,
		};
	r->sources = sources;
	r->n_sources = 2;
}

const struct gridregion *cluster_grid_region(const struct cluster_grid *g, int zone, int64_t now_ms, int64_t version)
{
	const char *name = g->truth.zones[zone].name;
	struct arena arena;

	arena_init(&arena, 4096, REGION_MAX_BYTES);
	struct gridregion *r = arena_new(&arena, struct gridregion);
	r->obj.arena = arena;
	struct arena *a = &r->obj.arena;
	r->obj.type = &gridregion_type;
	r->obj.refs = 1;
	r->obj.meta = (struct object_meta){
		.key = name,
		.namespace = "",
		.name = name,
		.uid = name,
		.resource_version = arena_printf(a, "%lld", (long long)version),
		.generation = 1,
		.creation_ms = g->truth.start_ms,
		.deletion_ms = TIME_NONE,
	};
	r->display_name = name;
	r->group = "recorded";
	r->cost_basis = g->truth.zones[zone].column[SIGNAL_PRICE].known ? COST_BASIS_TARIFF : COST_BASIS_NONE;
	r->currency = r->cost_basis == COST_BASIS_TARIFF ? CLUSTER_CURRENCY : NULL;
	r->basis = (struct grid_basis){ "average", "direct", "production", "zone" };
	r->confidence_permille = r->stress_permille = GRID_UNKNOWN;
	r->now = (struct grid_now){ GRID_UNKNOWN, GRID_UNKNOWN, GRID_UNKNOWN, GRID_UNKNOWN, "" };
	fill_forecast(g, zone, now_ms, a, &r->forecast);
	fill_recent(g, zone, now_ms, a, &r->recent);
	fill_sources(r, now_ms, a);
	return r;
}
