/* SPDX-License-Identifier: Apache-2.0 */
/* Series and answers: every point of every provider is checked here. */
#include "grid/answer.h"

static const char *const metric_names[GRID_METRICS] = { "carbon", "price", "renewable" };
static const char *const kind_names[] = { "actual", "estimated", "forecast" };
static const char *const drop_names[GRID_DROPS] = { "missing", "type",  "zone",      "step",
						    "span",    "range", "duplicate", "clamped" };

/* mg/kWh, millionths per kWh, per mille. */
static const struct {
	int32_t min, max;
} bounds[GRID_METRICS] = { { -50000, 1500000 }, { -5000000, 10000000 }, { 0, 1000 } };

const char *grid_metric_name(enum grid_metric m)
{
	return metric_names[m];
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

void grid_answer_put(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms, int32_t value,
		     enum grid_kind kind)
{
	struct grid_series *s;
	int64_t i;

	if (ms % SLOT_MS) {
		grid_answer_drop(a, GRID_DROP_STEP);
		return;
	}
	if (ms < a->from_ms || ms >= a->to_ms) {
		grid_answer_drop(a, GRID_DROP_SPAN);
		return;
	}
	if (value < bounds[metric].min || value > bounds[metric].max) {
		grid_answer_drop(a, GRID_DROP_RANGE);
		return;
	}
	s = grid_answer_series(a, metric, zone);
	if (!s)
		s = add_series(a, metric, zone);
	if (!s) {
		grid_answer_drop(a, GRID_DROP_ZONE);
		return;
	}
	i = (ms - s->start_ms) / SLOT_MS;
	if (s->value[i] != GRID_UNKNOWN) {
		grid_answer_drop(a, GRID_DROP_DUPLICATE);
		return;
	}
	if (metric == GRID_CARBON && value < 0) {
		grid_answer_drop(a, GRID_DROP_CLAMPED);
		value = 0;
	}
	s->value[i] = value;
	s->kind[i] = (uint8_t)kind;
	a->points++;
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
