/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decisions: which regions a pod's nodes may be in (/filter) and how they rank (/prioritize). Both are made once
 * per region, from the number of candidate nodes in each; a node only inherits its region's. Pure; any thread.
 *
 * The run is [now, now + duration), cut where the first of the regions concerned runs out of carbon forecast, so that
 * all are measured over the same span. A region **has data** when the carbon of the present slot is known and was
 * fetched at most the snapshot's max_age_ms ago.
 *
 * /filter, all of it do-no-harm: it never empties a list, so it never defers a pod.
 *  1. Nodes outside the pod's `regions` are dropped, nodes of unknown region too - unless that drops every candidate:
 *     then none is, and `lifted_regions` says so. (The required node affinity is what really binds a pod to regions;
 *     kube-scheduler asks us only about nodes that passed it.)
 *  2. Of the rest, nodes whose region's mean is above a cap are dropped - unless that drops all of the rest: then none
 *     is, and `lifted_caps` says so. A region without data or price meets every cap.
 *
 * /prioritize: of the candidates' regions with data, those **comparable** with one another (extender/snapshot.h) that
 * hold the most candidates are ranked; ties: the set whose first region comes first. Each gets
 *
 *	x = planner_cost(weights; mean carbon / scale, mean price / scale, 1 - mean renewable share)
 *	score = round(10 * (worst - x) / (worst - best))
 *
 * where a scale is the mean |value| of all known values from now on in the ranked regions. If worst - best does not
 * exceed the noise, w_carbon * 20 g/kWh x 1000 / confidence / scale + w_cost * 10 % (contracts 3; the confidence is
 * the least of the ranked regions', per mille), all get 5. Prices count only where all
 * ranked prices have one currency and one costBasis; a ranked region without a price counts as the mean of the others,
 * and so for renewables. Every other node gets the lowest score given. No ranking, so 5 for every node: no snapshot,
 * no data at all, or PlaceShiftDisabled on a region of the set.
 */
#ifndef EXTENDER_DECIDE_H
#define EXTENDER_DECIDE_H

#include "extender/snapshot.h"
#include "extender/wish.h"

#define EXTENDER_MAX_SCORE 10
#define EXTENDER_NEUTRAL_SCORE 5
#define EXTENDER_CARBON_ERROR_MG_PER_KWH 20000
#define EXTENDER_PRICE_ERROR_PERMILLE 100

/* Per region of the snapshot, and one more for candidates whose region is not known. */
struct extender_counts {
	uint32_t nodes[EXTENDER_MAX_REGIONS + 1];
};

enum extender_drop { EXTENDER_KEEP, EXTENDER_DROP_REGION, EXTENDER_DROP_CARBON, EXTENDER_DROP_PRICE };

struct extender_filter {
	uint8_t drop[EXTENDER_MAX_REGIONS + 1]; /* enum extender_drop */
	bool dropped;                           /* some candidate is */
	bool lifted_regions, lifted_caps;
};

enum extender_ranking {
	EXTENDER_RANKED,
	EXTENDER_NOT_SYNCED,
	EXTENDER_NO_DATA,
	EXTENDER_PLACE_SHIFT_DISABLED,
	EXTENDER_ALIKE, /* the spread does not exceed the noise */
	EXTENDER_N_RANKINGS,
};
/* "ranked", "not-synced", ...: for metrics. */
const char *extender_ranking_name(enum extender_ranking r);

struct extender_scores {
	uint8_t score[EXTENDER_MAX_REGIONS + 1]; /* 0 .. EXTENDER_MAX_SCORE */
	enum extender_ranking ranking;
};

void extender_decide_filter(const struct extender_snapshot *s, const struct extender_counts *counts,
			    const struct extender_wish *wish, int64_t now_ms, struct extender_filter *ret);
void extender_decide_scores(const struct extender_snapshot *s, const struct extender_counts *counts,
			    const struct extender_wish *wish, int64_t now_ms, struct extender_scores *ret);

#endif
