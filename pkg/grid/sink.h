/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where collected data go, and where the past comes from: the collector's two doors to the database. Whoever stands
 * behind them has its own thread: both only take a message and return.
 */
#ifndef GRID_SINK_H
#define GRID_SINK_H

#include "grid/provider.h"

/* How a request ended. */
struct grid_attempt {
	const char *provider;
	const char *request; /* its id */
	const char
		*result; /* "ok", "partial" (knew less than we did), "empty", or an error code's name: "invalid", ... */
	const char *reason;  /* one line; "" when all was well */
	int64_t at_ms;       /* domain time of the answer */
	int64_t duration_ms; /* real */
	int64_t bytes;       /* of all bodies */
	int http_status;     /* of the last answer; 0 = there was none */
	int points;          /* accepted */
	int dropped[GRID_DROPS];
};

/*
 * Called on the net thread after each answer; must not block and copies what it keeps. Any function may be NULL. The
 * same data come again with every answer that repeats them: the receiver's writes are idempotent.
 */
struct grid_sink {
	/* The known values of one accepted series. */
	void (*samples)(void *arg, const struct grid_sample *samples, size_t n);
	void (*moment)(void *arg, const struct grid_provider *p, const struct grid_moment *m, int64_t fetched_ms);
	/* A forecast as it was issued: once for every issue that came. basis is empty but for carbon. */
	void (*vintage)(void *arg, const struct grid_provider *p, const struct grid_series *s,
			const struct grid_basis *basis, int64_t fetched_ms);
	void (*attempt)(void *arg, const struct grid_attempt *a);
	void *arg;
};

/*
 * A request for history (grid_request.history) is for zone "provider/zone": so much of the carbon of that provider's
 * zone before the request's span. Its body is an array of struct grid_past.
 */
#define GRID_HISTORY_MS (56 * DAY_MS)

/* One value of the past, as kept. */
struct grid_past {
	int64_t start_ms; /* of a slot */
	int32_t value;
	int32_t kind; /* enum grid_kind */
};

/*
 * Gives what is kept of one metric of a provider's zone from from_ms to to_ms: calls `done` exactly once, from any
 * thread, also when there is nothing or an error; `past` is borrowed for that call.
 */
typedef void (*grid_past_fn)(void *arg, const struct grid_past *past, size_t n, const struct error *err);
struct grid_history_reader {
	void (*read)(void *arg, const char *provider, const char *zone, enum grid_metric metric, int64_t from_ms,
		     int64_t to_ms, grid_past_fn done, void *done_arg);
	void *arg;
};

#endif
