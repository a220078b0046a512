/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one pod asks for, from its annotations (all optional, all `loadshift.io/<name>`):
 *
 *	regions                     "north-scotland,london": the GridRegions it may run in
 *	expected-duration-seconds   "7200": how long it runs, 1 .. 31536000; unset = one hour
 *	max-carbon-g-per-kwh        "150.5": no node whose region means more over the run, while another node fits
 *	max-price-per-kwh           "0.21": the same in the region's own currency
 *	weights                     "carbon=60,cost=30,delay=10,renewable=0": integers 0 .. 1000; what is not named
 *	                            counts 0, and not all may be 0; unset = 60, 30, 10, 0 (contracts 1)
 *
 * Each is checked by itself; a bad one counts as unset and is reported in `bad`, it never fails a pod. Pure.
 */
#ifndef EXTENDER_WISH_H
#define EXTENDER_WISH_H

#include "extender/args.h"
#include "planner/planner.h"

#define EXTENDER_DEFAULT_DURATION_MS HOUR_MS
#define EXTENDER_MAX_DURATION_S (365 * 86400)
/* Longest annotation value that is looked at. */
#define EXTENDER_MAX_VALUE 4096

struct extender_wish {
	struct str regions; /* checked list; STR_NULL = any */
	int64_t duration_ms;
	int64_t max_carbon_mg_per_kwh; /* INT64_MAX = no cap */
	int64_t max_price_micros_per_kwh;
	struct planner_job weights;           /* only its weight_ fields are set: what planner_cost() reads */
	unsigned bad;                         /* bit per enum extender_annotation */
	char regions_buf[EXTENDER_MAX_VALUE]; /* behind `regions` where the annotation had escapes */
};

/* ret holds views into the body behind args. */
void extender_wish_parse(const struct extender_args *args, struct extender_wish *ret);
/* There is something for /filter to do. */
static inline bool extender_wish_limits(const struct extender_wish *w)
{
	return w->regions.ptr || w->max_carbon_mg_per_kwh != INT64_MAX || w->max_price_micros_per_kwh != INT64_MAX;
}
/* The list names that region. */
bool extender_wish_allows(const struct extender_wish *w, const char *region);

#endif
