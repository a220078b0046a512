/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GridRegion (loadshift.io/v1alpha1, cluster-scoped): which nodes a region covers, where its data come from, and what
 * is known of it now and ahead. The bus between the data side (writes status) and the deciding side (reads it).
 * Mirrors crds/gridregions.yaml; contracts 2 and 8. Decoded objects are immutable.
 */
#ifndef API_GRIDREGION_H
#define API_GRIDREGION_H

#include "base/buf.h"
#include "base/clock.h"
#include "grid/sample.h"
#include "k8s/condition.h"
#include "k8s/object.h"

#define GRIDREGION_MAX_SLOTS 672
#define GRIDREGION_MAX_RECENT 96
#define GRIDREGION_MAX_CHAIN 8
#define GRIDREGION_MAX_CLOUD_REGIONS 16
#define GRIDREGION_MAX_SELECTOR 8
#define GRIDREGION_MAX_CONDITIONS 8
#define GRIDREGION_MAX_SOURCES 16
#define GRIDREGION_MAX_MIX 24

struct gridregion_source_spec {
	const char *provider; /* name in the provider table */
	const char *product;  /* price: tariff product, NULL = the provider's choice */
	const char *zone;     /* the provider's name of the place */
};

enum cost_basis { COST_BASIS_TARIFF, COST_BASIS_SHADOW, COST_BASIS_NONE };
enum region_capacity { REGION_CAPACITY_FIXED, REGION_CAPACITY_ON_DEMAND };

struct grid_now {
	int32_t carbon_mg_per_kwh;
	int32_t price_micros_per_kwh;
	int32_t renewable_permille;
	int32_t low_carbon_permille;
	char index[16]; /* the provider's word, display only */
};

/* Columns from start_ms on, one value per slot, GRID_UNKNOWN (null in JSON) where there is none; NULL = none at all. */
struct grid_forecast {
	int64_t start_ms;  /* TIME_NONE: no forecast */
	int64_t slot_ms;   /* as published: 30 min */
	int64_t issued_ms; /* of the carbon forecast */
	int n;             /* slots, at most GRIDREGION_MAX_SLOTS */
	const int32_t *carbon_p10, *carbon_p50, *carbon_p90;
	const int32_t *price_p10, *price_p50, *price_p90;
	const int32_t *renewable;
};

/* The half-hour slots before now, for actuals. kind is per slot, meaningless where carbon is not known. */
struct grid_recent {
	int64_t start_ms;
	int n;
	const int32_t *carbon;
	const int32_t *price;
	const uint8_t *kind;
};

/* Of carbon and price the first entry is the source in use; those after it fill its gaps, or go on behind its end. */
struct grid_source {
	const char *metric; /* "carbon", "price", "mix", "stress" */
	const char *use;    /* "first source", "fallback", "last good data", "last resort", "too old", "fills gaps",
			       "forecast" */
	const char *provider;
	const char *zone;
	const char *product;
	const char *kind;        /* of the running half hour: "actual", "estimated", "forecast" */
	const char *note;        /* e.g. "household shape proxy" */
	const char *currency;    /* ISO 4217, price only */
	const char *attribution; /* to be shown with the data */
	const char *licence;
	int32_t confidence_permille; /* GRID_UNKNOWN = not said */
	int64_t issued_ms;
	int64_t fetched_ms;
	int64_t from_ms; /* "forecast": the first slot whose figures are its own; TIME_NONE = not said */
};

struct grid_mix {
	const char *fuel;
	int32_t permille;
};

struct gridregion {
	struct object obj;
	/* spec */
	const char *display_name;
	struct pairs node_selector;       /* all must match; besides the label loadshift.io/region = name */
	const char *const *cloud_regions; /* values of topology.kubernetes.io/region that mean this region */
	int n_cloud_regions;
	const char *group; /* regions of a group are ranked against each other; NULL = by itself */
	struct gridregion_source_spec carbon_chain[GRIDREGION_MAX_CHAIN], price_chain[GRIDREGION_MAX_CHAIN];
	int n_carbon_chain, n_price_chain;
	int64_t power_limit_watts; /* 0 = none */
	bool power_limit_hard;
	enum cost_basis cost_basis;
	enum region_capacity capacity;
	/* status; times are domain times */
	struct grid_now now;
	struct grid_forecast forecast;
	struct grid_recent recent;
	struct grid_basis basis;
	const char *currency; /* of the price columns; NULL = no price */
	const struct grid_source *sources;
	int n_sources;
	const struct grid_mix *mix;
	int n_mix;
	int32_t confidence_permille;     /* of the carbon figures, grid/chain.h; GRID_UNKNOWN = not said */
	int32_t carbon_error_mg_per_kwh; /* mean of the first day as scored; GRID_UNKNOWN = not scored */
	int32_t stress_permille;         /* of the area's grid, grid/stress.h */
	const char *stress_cause;        /* "demand", "margin", "loss-of-load"; NULL = none */
	struct conditions conditions;
	bool place_shift_disabled; /* condition PlaceShiftDisabled=True */
};

extern const struct object_type gridregion_type;

static inline const struct gridregion *gridregion_of(const struct object *o)
{
	return container_of(o, struct gridregion, obj);
}

/*
 * The region a node belongs to: its label loadshift.io/region when it names one of `regions`; else a region whose
 * nodeSelector matches; else the one whose cloudRegions has its topology.kubernetes.io/region. -1 when there is none.
 * Several by the same rule: the first by name.
 */
int gridregion_of_node(const struct gridregion *const *regions, int n, const struct object_meta *node);

/* Value of a forecast column (or of recent) at that time, GRID_UNKNOWN outside or missing. */
int32_t grid_forecast_at(const struct grid_forecast *f, const int32_t *column, int64_t ms);
/* End of the last slot whose carbon is known: until then the region can be planned for. TIME_NONE when none is. */
int64_t grid_forecast_known_until_ms(const struct grid_forecast *f);
/* The first slot ahead that is no figure of the source in use, but our own forecast; INT64_MAX when there is none. */
int64_t gridregion_own_from_ms(const struct gridregion *r, const char *metric);
/*
 * The error to take the region's carbon forecast to have: as scored, else config_mg; more where it is less to be
 * trusted.
 */
int32_t gridregion_carbon_error(const struct gridregion *r, int32_t config_mg_per_kwh);
/* The best that is known of a past slot, whatever its kind; GRID_UNKNOWN if not there. */
int32_t grid_recent_carbon_at(const struct grid_recent *r, int64_t ms);
int32_t grid_recent_price_at(const struct grid_recent *r, int64_t ms);

/*
 * The status part as JSON ("status": {...} without the key) from a struct filled by the data side. Its `summary`, the
 * texts of kubectl's columns, is made from the figures. Unknown figures and empty columns are left out.
 */
void gridregion_encode_status(const struct gridregion *r, struct buf *out);
/* Its members "basis" (none while it is not known) and "sources", also for others who show a region. */
void gridregion_write_basis(struct json_writer *w, const struct grid_basis *b);
void gridregion_write_sources(struct json_writer *w, const struct gridregion *r);

#endif
