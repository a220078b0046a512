/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the providers that read Elexon's Insights API share (`elexon`, and `fuel-mix`, which computes carbon): its
 * envelopes, its rows' times, its reports of generation by fuel.
 */
#ifndef GRID_PROVIDERS_ELEXON_H
#define GRID_PROVIDERS_ELEXON_H

#include "grid/fuel.h"
#include "grid/provider.h"
#include "json/json.h"

#define ELEXON_BASE_URL "https://data.elexon.co.uk/bmrs/api/v1"
#define ELEXON_ATTRIBUTION "Contains BMRS data (c) Elexon Limited copyright and database right"
#define ELEXON_LICENCE "BMRS data licence terms"
#define ELEXON_ZONE "GB"

/*
 * The array of rows: the document itself (stream endpoints) or its member `data`. ERR_INVALID for the service's problem
 * details and for all else that is no answer, ERR_NOT_FOUND for an empty one. The rows live as long as *ret_doc.
 */
int elexon_rows(struct str body, struct json **ret_doc, const struct json **ret_rows, struct error *err) must_check;
/* Start of a row's period: its startTime, else its settlement date and period, where tz is London's. */
bool elexon_row_start(const struct json *row, const struct tz *tz, int64_t *ret_ms);
/* The issue is the newest publishTime of the rows, but for ones in the future, which would lock out later answers. */
void elexon_issued(struct grid_answer *a, const struct json *rows, int64_t now_ms);

/* The half-hourly report of two days, and the five-minute one of the last quarter of an hour. */
enum elexon_mix_kind { ELEXON_MIX_HALF_HOURS, ELEXON_MIX_NOW };
void elexon_ask_mix(const struct grid_env *env, struct grid_plan *plan, enum elexon_mix_kind kind, int what);
int64_t elexon_mix_next_poll_ms(const struct grid_env *env, enum elexon_mix_kind kind, double jitter);

/* The slot that a mix stands for, in MW. */
typedef void (*elexon_mix_fn)(struct grid_answer *a, int64_t slot_ms, const struct grid_fuel_mix *mix);
/*
 * Calls fn with every usable mix of the rows, the newest first. Of the five-minute report with the newest only: it
 * stands for the running slot, when it ended less than ELEXON_MIX_MAX_AGE_MS ago. What is left out is counted.
 */
#define ELEXON_MIX_MAX_AGE_MS (15 * MINUTE_MS)
void elexon_each_mix(const struct json *rows, const struct grid_env *env, enum elexon_mix_kind kind,
		     struct grid_answer *a, elexon_mix_fn fn);

#endif
