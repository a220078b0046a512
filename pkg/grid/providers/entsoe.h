/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ENTSO-E's market documents (IEC 62325-351, as far as A44 and A75 use it) with expat, which nothing else sees:
 * documents with a DTD are refused, so there are no entities; nesting and text are bounded. Pure; any thread.
 */
#ifndef GRID_PROVIDERS_ENTSOE_H
#define GRID_PROVIDERS_ENTSOE_H

#include "grid/generation.h"

#define ENTSOE_EIC 16 /* characters of an Energy Identification Code */
#define ENTSOE_MAX_DEPTH 12
#define ENTSOE_TEXT_MAX 64 /* of what is read; longer text elsewhere is passed over */
/* Steps of one period, and of all points together: 20 fuels of two weeks have 26,880. */
#define ENTSOE_MAX_STEPS 4096
#define ENTSOE_MAX_ALL_STEPS (16 * ENTSOE_MAX_STEPS)

/* What is said of a TimeSeries before its periods. */
struct entsoe_series {
	char domain[ENTSOE_TEXT_MAX];       /* where the energy goes in, or is generated, or consumed */
	char currency[8], unit[8], type[8]; /* "EUR", "MWH" or "MAW", "B04" */
	int64_t sequence;                   /* 0 = none said */
	bool is_consumption;
	bool is_sparse; /* curve type A03: a position that is left out has the value of the one before */
};

/* A value for the time from .. to, which is a multiple of the step: more than one in sparse series. */
struct entsoe_point {
	int64_t from_ms, to_ms, step_ms;
	double value;
};

typedef void (*entsoe_fn)(void *arg, const struct entsoe_series *s, const struct entsoe_point *p);

/*
 * Gives every usable point to fn, in the document's order. Points without a number, out of order or outside of their
 * period are counted in a (which may be NULL). ERR_NOT_FOUND for an acknowledgement with code 999 (no data),
 * ERR_INVALID for any other, for what is no such document and for XML that is broken or refused.
 */
int entsoe_read(struct str body, entsoe_fn fn, void *arg, struct grid_answer *a, struct error *err) must_check;

#endif
