/* SPDX-License-Identifier: Apache-2.0 */
/* Series and answers: every point of every provider is checked here. */
#include "grid/answer.h"

#include "base/decimal.h"

/* Units and bounds are those of the metric: grid/sample.h. */
static const struct {
	const char *name, *unit;
	int32_t min, max;
} metrics[GRID_METRICS] = {
	[GRID_CARBON] = { "carbon", "mg/kWh", -50000, 1500000 },
	[GRID_PRICE] = { "price", "micros/kWh", -5000000, 10000000 },
	[GRID_RENEWABLE] = { "renewable", "permille", 0, 1000 },
	[GRID_LOW_CARBON] = { "low-carbon", "permille", 0, 1000 },
	[GRID_WHOLESALE] = { "wholesale", "micros/kWh", -5000000, 10000000 },
	[GRID_SYSTEM_PRICE] = { "system-price", "micros/kWh", -10000000, 20000000 },
	[GRID_FLEX_PRICE] = { "flex-price", "micros/kWh", -10000000, 20000000 },
	[GRID_RESPONSE_PRICE] = { "response-price", "micros/kW/h", -1000000, 1000000 },
	[GRID_DEMAND] = { "demand", "MW", 0, 1000000 },
	[GRID_WIND] = { "wind", "MW", 0, 500000 },
	[GRID_SOLAR] = { "solar", "MW", 0, 500000 },
	[GRID_MARGIN] = { "margin", "MW", -100000, 1000000 },
	[GRID_LOSS_OF_LOAD] = { "loss-of-load", "millionths", 0, 1000000 },
	[GRID_FREQUENCY] = { "frequency", "mHz", 45000, 65000 },
	[GRID_TEMPERATURE] = { "temperature", "millidegrees", -90000, 65000 },
	[GRID_WIND_SPEED] = { "wind-speed", "mm/s", 0, 120000 },
	[GRID_IRRADIANCE] = { "irradiance", "W/m2", 0, 1500 },
	[GRID_STRESS] = { "stress", "permille", 0, 1000 },
};
static const char *const kind_names[] = { "actual", "estimated", "forecast" };
static const char *const drop_names[GRID_DROPS] = { "missing",   "type",    "zone", "step", "span",   "range",
						    "duplicate", "outlier", "flat", "dead", "clamped" };

/* Bounds the parts of one answer: a day of 15 s points has 48 slots. */
#define MAX_PARTS 4096
/*
 * A flat line: so many points of one value other than 0, in slots of their own or hours. Carbon of a few grams is told
 * in whole grams and stands still by nature: in three days of GB regions, nine half hours of 4 g.
 */
#define FLAT_SLOTS 12
#define FLAT_MIN_CARBON 10000
/* An outlier is further from the median of its answer than so many times what 90 % of the others are. */
#define OUTLIER_FACTOR 8
#define OUTLIER_MIN_POINTS 24
/* An answer that lies mostly outside the span asked for must give this much of the span all the same. */
#define MIN_COVERAGE_PERMILLE 100

const char *grid_metric_name(enum grid_metric m)
{
	return (unsigned)m < GRID_METRICS ? metrics[m].name : NULL;
}

bool grid_metric_parse(const char *name, enum grid_metric *ret)
{
	for (int i = 0; i < GRID_METRICS; i++)
		if (cstr_eq(name, metrics[i].name)) {
			*ret = (enum grid_metric)i;
			return true;
		}
	return false;
}

const char *grid_metric_unit(enum grid_metric m)
{
	return metrics[m].unit;
}

const char *grid_kind_name(enum grid_kind k)
{
	return kind_names[k];
}

bool grid_kind_parse(const char *name, enum grid_kind *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
		if (cstr_eq(name, kind_names[i])) {
			*ret = (enum grid_kind)i;
			return true;
		}
	return false;
}

const char *grid_drop_name(enum grid_drop d)
{
	return drop_names[d];
}

int32_t grid_series_at(const struct grid_series *s, int64_t ms)
{
	if (ms < s->start_ms || ms >= s->start_ms + s->n * SLOT_MS)
		return GRID_UNKNOWN;
	return s->value[(ms - s->start_ms) / SLOT_MS];
}

int64_t grid_series_horizon_ms(const struct grid_series *s, int64_t now_ms)
{
	for (int i = s->n - 1; i >= 0; i--) {
		int64_t end = s->start_ms + (i + 1) * SLOT_MS;

		if (end <= now_ms)
			break;
		if (s->value[i] != GRID_UNKNOWN)
			return end;
	}
	return TIME_NONE;
}

void grid_answer_init(struct grid_answer *a, int64_t from_ms, int64_t to_ms, int64_t issued_ms)
{
	*a = (struct grid_answer){ .from_ms = time_slot_floor(from_ms, SLOT_MS), .issued_ms = issued_ms };
	a->to_ms = CLAMP(time_slot_ceil(to_ms, SLOT_MS), a->from_ms, a->from_ms + GRID_SERIES_MAX * SLOT_MS);
}

void grid_answer_release(struct grid_answer *a)
{
	for (size_t i = 0; i < a->series.len; i++)
		free(a->series.ptr[i]);
	vec_release(&a->series);
	vec_release(&a->moments);
	vec_release(&a->parts);
	/* A token may be among them. */
	explicit_bzero(a->notes, sizeof(a->notes));
}

struct grid_series *grid_answer_series(const struct grid_answer *a, enum grid_metric metric, const char *zone)
{
	for (size_t i = 0; i < a->series.len; i++) {
		struct grid_series *s = a->series.ptr[i];

		if (s->metric == metric && strcmp(s->zone, zone) == 0)
			return s;
	}
	return NULL;
}

static struct grid_series *add_series(struct grid_answer *a, enum grid_metric metric, const char *zone)
{
	struct grid_series **slot, *s;

	if (strlen(zone) >= GRID_NAME_MAX)
		return NULL;
	slot = vec_push(&a->series, GRID_ANSWER_MAX_SERIES);
	if (!slot)
		return NULL;
	*slot = s = xcalloc(1, sizeof(*s));
	s->metric = metric;
	(void)str_copy(s->zone, sizeof(s->zone), str_from(zone));
	s->issued_ms = a->issued_ms;
	s->start_ms = a->from_ms;
	s->n = (int)((a->to_ms - a->from_ms) / SLOT_MS);
	for (int i = 0; i < s->n; i++)
		s->value[i] = GRID_UNKNOWN;
	return s;
}

/* The series for a point that may be taken, or NULL with the reason counted. */
static struct grid_series *admit(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms,
				 int32_t value)
{
	struct grid_series *s;

	if (ms < a->from_ms || ms >= a->to_ms) {
		grid_answer_drop(a, GRID_DROP_SPAN);
		return NULL;
	}
	if (value < metrics[metric].min || value > metrics[metric].max) {
		grid_answer_drop(a, GRID_DROP_RANGE);
		return NULL;
	}
	s = grid_answer_series(a, metric, zone);
	if (!s)
		s = add_series(a, metric, zone);
	if (!s)
		grid_answer_drop(a, GRID_DROP_ZONE);
	return s;
}

static void set(struct grid_answer *a, struct grid_series *s, int64_t i, int32_t value, enum grid_kind kind, int flags)
{
	if (s->value[i] != GRID_UNKNOWN) {
		grid_answer_drop(a, GRID_DROP_DUPLICATE);
		return;
	}
	if (s->metric == GRID_CARBON && value < 0) {
		grid_answer_drop(a, GRID_DROP_CLAMPED);
		flags |= GRID_FLAG_CLAMPED;
		value = 0;
	}
	s->value[i] = value;
	s->kind[i] = (uint8_t)kind;
	s->flags[i] = (uint8_t)flags;
	a->points++;
}

void grid_answer_put(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms, int32_t value,
		     enum grid_kind kind)
{
	grid_answer_put_span(a, metric, zone, ms, SLOT_MS, value, kind);
}

static void put_part(struct grid_answer *a, struct grid_series *s, int64_t ms, int64_t duration_ms, int32_t value,
		     enum grid_kind kind)
{
	int slot = (int)((ms - s->start_ms) / SLOT_MS);
	struct grid_part *p = NULL;
	unsigned bit;

	/* Points come in order: the slot's sum is among the last, if there is one. */
	for (size_t i = a->parts.len; i > 0 && !p; i--)
		if (a->parts.ptr[i - 1].series == s && a->parts.ptr[i - 1].slot == slot)
			p = &a->parts.ptr[i - 1];
	if (!p) {
		p = vec_push(&a->parts, MAX_PARTS);
		if (!p) {
			grid_answer_drop(a, GRID_DROP_STEP);
			return;
		}
		*p = (struct grid_part){ .series = s, .slot = slot, .kind = kind };
	}
	bit = (unsigned)((ms - s->start_ms) % SLOT_MS / (15 * SECOND_MS));
	if (p->begun[bit / 8] & 1U << bit % 8 || p->covered_ms + duration_ms > SLOT_MS) {
		grid_answer_drop(a, GRID_DROP_DUPLICATE);
		return;
	}
	p->begun[bit / 8] |= (uint8_t)(1U << bit % 8);
	p->weighted_sum += value * duration_ms;
	p->covered_ms += duration_ms;
	p->kind = MAX(p->kind, kind);
}

void grid_answer_put_span(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms,
			  int64_t duration_ms, int32_t value, enum grid_kind kind)
{
	bool part = duration_ms > 0 && duration_ms < SLOT_MS;
	struct grid_series *s;

	if (duration_ms <= 0 || duration_ms > GRID_SERIES_MAX * SLOT_MS ||
	    (part ? time_slot_floor(ms, SLOT_MS) != time_slot_floor(ms + duration_ms - 1, SLOT_MS)
		  : ms % SLOT_MS || duration_ms % SLOT_MS)) {
		grid_answer_drop(a, GRID_DROP_STEP);
		return;
	}
	for (int64_t t = ms; t < ms + duration_ms; t += SLOT_MS) {
		s = admit(a, metric, zone, t, value);
		if (s && part)
			put_part(a, s, t, duration_ms, value, kind);
		else if (s)
			set(a, s, (t - s->start_ms) / SLOT_MS, value, kind,
			    duration_ms == SLOT_MS ? 0 : GRID_FLAG_RESAMPLED);
	}
}

static void forget(struct grid_answer *a, struct grid_series *s, int i, enum grid_drop reason)
{
	s->value[i] = GRID_UNKNOWN;
	a->points--;
	grid_answer_drop(a, reason);
}

static void drop_flat(struct grid_answer *a, struct grid_series *s)
{
	int32_t least = s->metric == GRID_CARBON ? FLAT_MIN_CARBON : 1;

	for (int i = 0, run; i < s->n; i += run) {
		/* An hour makes two slots. */
		int most = s->flags[i] & GRID_FLAG_RESAMPLED ? 2 * FLAT_SLOTS : FLAT_SLOTS;

		for (run = 1; i + run < s->n && s->value[i + run] == s->value[i]; run++)
			;
		if (run < most || s->value[i] == GRID_UNKNOWN || abs(s->value[i]) < least)
			continue;
		for (int k = 0; k < run; k++)
			forget(a, s, i + k, GRID_DROP_FLAT);
	}
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Single points that are far out: further from the median than OUTLIER_FACTOR times the distance within which nine of
 * ten lie. Two in a row that agree are an event, not a slip.
 */
static void drop_outliers(struct grid_answer *a, struct grid_series *s)
{
	int64_t sorted[GRID_SERIES_MAX], median, reach;
	size_t n = 0;

	for (int i = 0; i < s->n; i++)
		if (s->value[i] != GRID_UNKNOWN)
			sorted[n++] = s->value[i];
	if (n < OUTLIER_MIN_POINTS)
		return;
	qsort(sorted, n, sizeof(*sorted), by_value);
	median = sorted[n / 2];
	for (size_t i = 0; i < n; i++)
		sorted[i] = llabs(sorted[i] - median);
	qsort(sorted, n, sizeof(*sorted), by_value);
	reach = sorted[n * 9 / 10] * OUTLIER_FACTOR;
	for (int i = 0; i < s->n && reach > 0; i++) {
		bool alone =
			(i == 0 || s->value[i - 1] == GRID_UNKNOWN || llabs(s->value[i - 1] - median) <= reach) &&
			(i + 1 == s->n || s->value[i + 1] == GRID_UNKNOWN || llabs(s->value[i + 1] - median) <= reach);

		if (s->value[i] != GRID_UNKNOWN && alone && llabs(s->value[i] - median) > reach)
			forget(a, s, i, GRID_DROP_OUTLIER);
	}
}

/* Prices do spike for one half hour, and so do probabilities. */
static bool is_smooth(enum grid_metric m)
{
	return m == GRID_CARBON || m == GRID_DEMAND || m == GRID_WIND || m == GRID_FREQUENCY || m == GRID_TEMPERATURE;
}

void grid_answer_finish(struct grid_answer *a, bool flat)
{
	for (size_t i = 0; i < a->parts.len; i++) {
		struct grid_part *p = &a->parts.ptr[i];

		if (2 * p->covered_ms < SLOT_MS) {
			grid_answer_drop(a, GRID_DROP_STEP);
			continue;
		}
		set(a, p->series, p->slot, (int32_t)i64_mul_div(p->weighted_sum, 1, p->covered_ms), p->kind,
		    GRID_FLAG_RESAMPLED | (p->covered_ms < SLOT_MS ? GRID_FLAG_PARTIAL : 0));
	}
	a->parts.len = 0;
	for (size_t i = 0; i < a->series.len; i++) {
		if (!is_smooth(a->series.ptr[i]->metric))
			continue;
		if (!flat)
			drop_flat(a, a->series.ptr[i]);
		drop_outliers(a, a->series.ptr[i]);
	}
}

static int drops(const struct grid_answer *a)
{
	int n = 0;

	for (int i = 0; i < GRID_DROP_CLAMPED; i++)
		n += a->dropped[i];
	return n;
}

static void forget_all(struct grid_answer *a)
{
	for (size_t i = 0; i < a->series.len; i++)
		free(a->series.ptr[i]);
	a->series.len = 0;
	a->moments.len = 0;
	a->points = 0;
}

/* The largest share of what was asked for that one series gives, per mille. */
static int64_t coverage_permille(const struct grid_answer *a)
{
	int64_t best = 0;

	for (size_t i = 0; i < a->series.len; i++) {
		const struct grid_series *s = a->series.ptr[i];
		int64_t known = 0;

		for (int k = 0; k < s->n; k++)
			known += s->value[k] != GRID_UNKNOWN;
		best = MAX(best, s->n ? known * 1000 / s->n : 0);
	}
	return best;
}

int grid_answer_accept(struct grid_answer *a, int parsed, struct error *err)
{
	int outside = a->dropped[GRID_DROP_SPAN], before = a->points;
	enum grid_drop most = GRID_DROP_MISSING;

	for (int i = 0; i < GRID_DROP_CLAMPED; i++)
		if (a->dropped[i] > a->dropped[most])
			most = (enum grid_drop)i;
	if (outside > a->points &&
	    (a->points == 0 ? most == GRID_DROP_SPAN : coverage_permille(a) < MIN_COVERAGE_PERMILLE)) {
		forget_all(a);
		return error_set(err, ERR_INVALID,
				 "the answer is for another time than was asked for: %d of %d points lie outside",
				 outside, outside + before);
	}
	if (parsed)
		return -1;
	if (a->points == 0 && a->n_notes == 0 && a->moments.len == 0 && a->dropped[most])
		return error_set(err, ERR_INVALID,
				 "nothing in the answer can be used: %d points dropped, %d of them %s", drops(a),
				 a->dropped[most], drop_names[most]);
	return 0;
}

bool grid_answer_note(struct grid_answer *a, const char *key, struct str value, int64_t expires_ms)
{
	struct grid_note *n = NULL;

	for (int i = 0; i < a->n_notes && !n; i++)
		if (strcmp(a->notes[i].key, key) == 0)
			n = &a->notes[i];
	if ((!n && a->n_notes == GRID_ANSWER_MAX_NOTES) || strlen(key) >= sizeof(n->key) ||
	    value.len >= sizeof(n->value))
		return false;
	if (!n)
		n = &a->notes[a->n_notes++];
	(void)str_copy(n->key, sizeof(n->key), str_from(key));
	(void)str_copy(n->value, sizeof(n->value), value);
	n->expires_ms = expires_ms;
	return true;
}

const char *grid_answer_noted(const struct grid_answer *a, const char *key)
{
	for (int i = 0; i < a->n_notes; i++)
		if (strcmp(a->notes[i].key, key) == 0)
			return a->notes[i].value;
	return NULL;
}

struct grid_moment *grid_answer_moment(struct grid_answer *a, const char *zone, int64_t start_ms)
{
	struct grid_moment *m;

	if (strlen(zone) >= GRID_NAME_MAX)
		return NULL;
	m = vec_push(&a->moments, GRID_ANSWER_MAX_MOMENTS);
	if (!m)
		return NULL;
	(void)str_copy(m->zone, sizeof(m->zone), str_from(zone));
	m->start_ms = start_ms;
	return m;
}
