/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two files of the provider `neso`: which resources there are, and how a row of one becomes points. */
#ifndef GRID_PROVIDERS_NESO_H
#define GRID_PROVIDERS_NESO_H

#include "grid/csv.h"
#include "grid/provider.h"
#include "json/json.h"

enum neso_what {
	NESO_REGIONAL,
	NESO_REGIONAL_SLUGS,
	NESO_NATIONAL,
	NESO_EMBEDDED,
	NESO_RECENT_DEMAND,
	NESO_DEMAND_AHEAD,
	NESO_HISTORIC_MIX,
	NESO_FLEXIBILITY,
	NESO_RESPONSE,
};

/* A row of a table, or of a file. */
struct neso_row {
	const struct json *record; /* NULL: of the file */
	const struct grid_csv *csv;
};

struct neso_parser {
	const struct grid_env *env;
	const struct grid_request *req; /* `what` is enum neso_what */
	struct grid_answer *a;
	size_t rows;
	int outside; /* values outside the span asked for */
	/* Sums of rows that share a slot: money and volume. */
	double paid[GRID_SERIES_MAX], volume[GRID_SERIES_MAX];
};

/* 1 to 14, 0 when it is no slug of a region. */
int neso_slug_number(const char *zone);

/* One for each resource; regional serves numbers and slugs. */
void neso_take_regional(struct neso_parser *p, const struct neso_row *r);
void neso_take_national(struct neso_parser *p, const struct neso_row *r);
void neso_take_embedded(struct neso_parser *p, const struct neso_row *r);
void neso_take_recent_demand(struct neso_parser *p, const struct neso_row *r);
void neso_take_demand_ahead(struct neso_parser *p, const struct neso_row *r);
void neso_take_historic_mix(struct neso_parser *p, const struct neso_row *r);
void neso_take_flexibility(struct neso_parser *p, const struct neso_row *r);
void neso_take_response(struct neso_parser *p, const struct neso_row *r);
/* After the last row: the means of flexibility and response. */
void neso_put_means(struct neso_parser *p);

#endif
