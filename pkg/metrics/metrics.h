/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus metrics, text format 0.0.4. A metric family is a static struct with its label names; a series is looked up
 * by label values once and kept by the caller where it is hot. Updating is atomic and takes no lock. Thread: any.
 *
 *	static struct metric releases = METRIC_COUNTER("loadshift_releases_total", "Jobs released.", "reason");
 *	metric_inc(metric_series(&releases, "deadline"));
 *
 * Families register themselves at their first series; a family holds at most METRIC_MAX_SERIES series, and what would
 * be more lands in one series whose labels are all "other", so that hostile label values cannot eat memory. Values of
 * labels are cut at 128 bytes, and bytes that are not UTF-8 become '?'. A family's name is used once in a program.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdatomic.h>

#include "base/buf.h"

#define METRIC_MAX_LABELS 4
#define METRIC_MAX_SERIES 512
#define METRIC_MAX_BUCKETS 24

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM };

struct metric_series;

struct metric {
	enum metric_kind kind;
	const char *name;
	const char *help;
	const char *labels[METRIC_MAX_LABELS];
	const double *buckets; /* histogram: ascending upper bounds without +Inf */
	size_t n_buckets;
	/* private */
	_Atomic(struct metric_series *) series;
	_Atomic int n_series;
	struct metric *next;
	_Atomic int registered;
};

#define METRIC_COUNTER(n, h, ...)                                                                \
	{                                                                                        \
		.kind = METRIC_KIND_COUNTER, .name = (n), .help = (h), .labels = { __VA_ARGS__ } \
	}
#define METRIC_GAUGE(n, h, ...)                                                                \
	{                                                                                      \
		.kind = METRIC_KIND_GAUGE, .name = (n), .help = (h), .labels = { __VA_ARGS__ } \
	}
#define METRIC_HISTOGRAM(n, h, b, ...)                                                                              \
	{                                                                                                           \
		.kind = METRIC_KIND_HISTOGRAM, .name = (n), .help = (h), .labels = { __VA_ARGS__ }, .buckets = (b), \
		.n_buckets = ARRAY_LEN(b)                                                                           \
	}

/* client-go's default buckets in seconds, and 50 us .. 1 s for the extender. */
extern const double metric_latency_buckets[11];
extern const double metric_fast_buckets[14];

/* The series with these label values, one per label of the family, in its order; created when new. Lives for ever. */
struct metric_series *metric_series_at(struct metric *m, const char *const values[METRIC_MAX_LABELS]);
#define metric_series(m, ...) metric_series_at((m), (const char *const[METRIC_MAX_LABELS]){ __VA_ARGS__ })
/* The one series of a family without labels. */
struct metric_series *metric_only(struct metric *m);

void metric_inc(struct metric_series *s);
void metric_add(struct metric_series *s, double value);
void metric_set(struct metric_series *s, double value);
/* Histogram. */
void metric_observe(struct metric_series *s, double value);
double metric_value(const struct metric_series *s);

/*
 * All registered families, sorted by name, their series by label values; first brings loadshift_build_info{version} and
 * process_{cpu_seconds_total, open_fds, resident_memory_bytes, start_time_seconds} up to date.
 */
void metrics_write(struct buf *out);

#endif
