/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metric families and their exposition. Lists only ever grow at their head and nothing in them is freed, so readers
 * walk them without a lock; the registry's lock is for adding, which is rare.
 */
#include "metrics/metrics.h"

#include <assert.h>
#include <math.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "metrics/internal.h"

const double metric_latency_buckets[11] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };
const double metric_fast_buckets[14] = {
	.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1
};

/* A label value is cut here; what it may cost is METRIC_MAX_SERIES times this for each label of a family. */
#define VALUE_MAX 128

struct metric_series {
	const struct metric *family;
	struct metric_series *next;
	char *values[METRIC_MAX_LABELS]; /* UTF-8; NULL behind the family's last label */
	_Atomic double value;            /* histogram: the sum */
	_Atomic uint64_t counts[];       /* histogram: n_buckets + 1, not cumulated, the last one is +Inf's */
};

struct label_values {
	char text[METRIC_MAX_LABELS][VALUE_MAX + 1];
	int n;
};

static struct {
	pthread_mutex_t lock;
	struct metric *families;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* One value that is not UTF-8 would make the whole page unreadable for Prometheus. */
static void copy_value(char out[VALUE_MAX + 1], const char *value)
{
	const unsigned char *p = (const unsigned char *)value;
	size_t left = strnlen(value, VALUE_MAX), at = 0;

	while (left) {
		size_t n = utf8_sequence(p, left);

		if (n)
			memcpy(out + at, p, n);
		else
			out[at] = '?';
		n = MAX(n, 1);
		at += n;
		p += n;
		left -= n;
	}
	out[at] = '\0';
}

static struct metric_series *find(struct metric *m, const struct label_values *v)
{
	struct metric_series *s = atomic_load_explicit(&m->series, memory_order_acquire);

	for (; s; s = s->next) {
		int i = 0;

		while (i < v->n && strcmp(s->values[i], v->text[i]) == 0)
			i++;
		if (i == v->n)
			return s;
	}
	return NULL;
}

static void register_family(struct metric *m)
{
	if (atomic_load(&m->registered))
		return;
	assert(m->n_buckets <= METRIC_MAX_BUCKETS);
	for (const struct metric *other = registry.families; other; other = other->next)
		assert(strcmp(other->name, m->name) != 0);
	m->next = registry.families;
	registry.families = m;
	atomic_store(&m->registered, 1);
}

static struct metric_series *create(struct metric *m, struct label_values *v)
{
	MUTEX_GUARD(&registry.lock);
	size_t n_counts = m->kind == METRIC_KIND_HISTOGRAM ? m->n_buckets + 1 : 0;
	struct metric_series *s;

	register_family(m);
	if (atomic_load(&m->n_series) >= METRIC_MAX_SERIES - 1)
		for (int i = 0; i < v->n; i++)
			str_copy(v->text[i], sizeof(v->text[i]), STR("other"));
	/* Somebody else may have been faster. */
	s = find(m, v);
	if (s)
		return s;
	s = xcalloc(1, sizeof(*s) + n_counts * sizeof(s->counts[0]));
	s->family = m;
	for (int i = 0; i < v->n; i++)
		s->values[i] = xstrdup(v->text[i]);
	s->next = atomic_load(&m->series);
	atomic_fetch_add(&m->n_series, 1);
	atomic_store_explicit(&m->series, s, memory_order_release);
	return s;
}

struct metric_series *metric_series_at(struct metric *m, const char *const values[METRIC_MAX_LABELS])
{
	struct label_values v;
	struct metric_series *s;

	for (v.n = 0; v.n < METRIC_MAX_LABELS && m->labels[v.n]; v.n++)
		copy_value(v.text[v.n], values[v.n] ? values[v.n] : "");
	s = find(m, &v);
	return s ? s : create(m, &v);
}

struct metric_series *metric_only(struct metric *m)
{
	return metric_series_at(m, (const char *const[METRIC_MAX_LABELS]){ NULL });
}

void metric_add(struct metric_series *s, double value)
{
	double old = atomic_load_explicit(&s->value, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&s->value, &old, old + value, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

void metric_inc(struct metric_series *s)
{
	metric_add(s, 1);
}

void metric_set(struct metric_series *s, double value)
{
	atomic_store_explicit(&s->value, value, memory_order_relaxed);
}

void metric_observe(struct metric_series *s, double value)
{
	size_t i = 0;

	while (i < s->family->n_buckets && !(value <= s->family->buckets[i]))
		i++;
	atomic_fetch_add_explicit(&s->counts[i], 1, memory_order_relaxed);
	metric_add(s, value);
}

double metric_value(const struct metric_series *s)
{
	return atomic_load_explicit(&s->value, memory_order_relaxed);
}

/* Whole millionths, as nearly all numbers here are: printf() takes ten times as long. The text is the same. */
static bool put_short(struct buf *out, double v)
{
	double millionths = v * 1e6;
	int64_t n;

	/* Below, %g writes an exponent; above, there are more than its 15 digits. */
	if ((v != 0 && v < 1e-4) || signbit(v) || !(millionths < 1e15) || millionths != trunc(millionths) ||
	    millionths / 1e6 != v)
		return false;
	n = (int64_t)millionths;
	buf_addi64(out, n / 1000000);
	n %= 1000000;
	if (n == 0)
		return true;
	buf_addc(out, '.');
	for (int64_t digit = 100000; n > 0; digit /= 10) {
		buf_addc(out, (char)('0' + n / digit));
		n %= digit;
	}
	return true;
}

/* Shortest of the usual two precisions that reads back as the same number. */
static void put_number(struct buf *out, double v)
{
	char text[32];

	if (put_short(out, v))
		return;
	if (!isfinite(v)) {
		buf_adds(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_adds(out, text);
}

static void put_escaped(struct buf *out, const char *s, const char *special)
{
	for (;; s++) {
		size_t plain = strcspn(s, special);

		buf_add(out, s, plain);
		s += plain;
		if (!*s)
			return;
		buf_addc(out, '\\');
		buf_addc(out, *s == '\n' ? 'n' : *s);
	}
}

/* Name and labels; `le` is one more label, NULL for none. */
static void put_name(struct buf *out, const struct metric_series *s, const char *suffix, const double *le)
{
	char before = '{';

	buf_adds(out, s->family->name);
	buf_adds(out, suffix);
	for (int i = 0; i < METRIC_MAX_LABELS && s->values[i]; i++) {
		buf_addc(out, before);
		buf_adds(out, s->family->labels[i]);
		buf_adds(out, "=\"");
		put_escaped(out, s->values[i], "\\\"\n");
		buf_addc(out, '"');
		before = ',';
	}
	if (le) {
		buf_addc(out, before);
		buf_adds(out, "le=\"");
		put_number(out, *le);
		buf_addc(out, '"');
		before = ',';
	}
	buf_adds(out, before == ',' ? "} " : " ");
}

static void put_line(struct buf *out, const struct metric_series *s, const char *suffix, const double *le, double v)
{
	put_name(out, s, suffix, le);
	put_number(out, v);
	buf_addc(out, '\n');
}

static void put_series(struct buf *out, const struct metric_series *s)
{
	const struct metric *m = s->family;
	uint64_t total = 0;

	if (m->kind != METRIC_KIND_HISTOGRAM) {
		put_line(out, s, "", NULL, metric_value(s));
		return;
	}
	/* _count is the sum of the buckets as they were read, so that a page is always consistent in itself. */
	for (size_t i = 0; i <= m->n_buckets; i++) {
		double le = i < m->n_buckets ? m->buckets[i] : (double)INFINITY;

		total += atomic_load_explicit(&s->counts[i], memory_order_relaxed);
		put_line(out, s, "_bucket", &le, (double)total);
	}
	put_line(out, s, "_sum", NULL, metric_value(s));
	put_line(out, s, "_count", NULL, (double)total);
}

static int compare_series(const void *a, const void *b)
{
	const struct metric_series *const *x = a, *const *y = b;
	int c = 0;

	for (int i = 0; c == 0 && i < METRIC_MAX_LABELS && (*x)->values[i]; i++)
		c = strcmp((*x)->values[i], (*y)->values[i]);
	return c;
}

static void put_family(struct buf *out, const struct metric *m)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	const struct metric_series *sorted[METRIC_MAX_SERIES];
	size_t n = 0;

	buf_addf(out, "# HELP %s ", m->name);
	put_escaped(out, m->help, "\\\n");
	buf_addf(out, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
	for (const struct metric_series *s = atomic_load_explicit(&m->series, memory_order_acquire); s; s = s->next)
		sorted[n++] = s;
	qsort(sorted, n, sizeof(sorted[0]), compare_series);
	for (size_t i = 0; i < n; i++)
		put_series(out, sorted[i]);
}

static int compare_families(const void *a, const void *b)
{
	const struct metric *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void metrics_write(struct buf *out)
{
	_cleanup_free_ const struct metric **sorted = NULL;
	size_t n = 0;

	metrics_update_process();
	/* The lock is for the list of families only; series are written from their lock-free lists. */
	{
		MUTEX_GUARD(&registry.lock);
		size_t count = 0;

		for (const struct metric *m = registry.families; m; m = m->next)
			count++;
		sorted = xcalloc(count, sizeof(*sorted));
		for (const struct metric *m = registry.families; m; m = m->next)
			sorted[n++] = m;
	}
	qsort(sorted, n, sizeof(*sorted), compare_families);
	for (size_t i = 0; i < n; i++)
		put_family(out, sorted[i]);
}
