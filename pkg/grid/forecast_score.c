/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of forecasts that were issued, see forecast_score.h. */
#include "grid/forecast_score.h"

#include "base/alloc.h"
#include "forecast/quantile.h"

#define DAY_SLOTS ((int)(DAY_MS / SLOT_MS))
#define N_EVERY (FORECAST_SCORE_DAYS * 4)
/* What a provider said longer ago was not its word of that moment. */
#define PUBLISHED_MAX_MS (3 * HOUR_MS)

/* Errors of the provider's values, by band. */
struct errors {
	double *of[FORECAST_MAX_BANDS];
	int n[FORECAST_MAX_BANDS];
};

static double actual_at(const struct forecast_series *s, int64_t ms)
{
	int64_t i = (ms - s->start_ms) / s->step_ms;

	return ms < s->start_ms || i >= s->n ? (double)NAN : s->value[i];
}

/* The latest value of the same time of day that was known at the issue. */
static double naive_at(const struct forecast_series *s, int64_t issued_ms, int64_t ms)
{
	int64_t at = ms - ((ms + SLOT_MS - issued_ms + DAY_MS - 1) / DAY_MS) * DAY_MS;

	for (int back = 0; back < 7; back++)
		if (!isnan(actual_at(s, at - back * DAY_MS)))
			return actual_at(s, at - back * DAY_MS);
	return (double)NAN;
}

/* The last one that was issued by then, NULL when there is none or it is too old. */
static const struct forecast_issue *published_at(const struct forecast_score_input *in, int64_t ms)
{
	const struct forecast_issue *all = in->issues[SCORED_PUBLISHED];
	int lo = 0, hi = in->n_issues[SCORED_PUBLISHED];

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (all[mid].issued_ms <= ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && all[lo - 1].issued_ms > ms - PUBLISHED_MAX_MS ? &all[lo - 1] : NULL;
}

/* Our first one of those six hours. */
static const struct forecast_issue *own_at(const struct forecast_score_input *in, int64_t from_ms)
{
	for (int i = 0; i < in->n_issues[SCORED_OWN]; i++) {
		const struct forecast_issue *f = &in->issues[SCORED_OWN][i];

		if (f->issued_ms >= from_ms && f->issued_ms < from_ms + FORECAST_SCORE_EVERY_MS)
			return f;
	}
	return NULL;
}

static int32_t value_at(const struct forecast_issue *f, const int32_t *column, int64_t ms)
{
	int64_t i = (ms - f->start_ms) / SLOT_MS;

	return !column || ms < f->start_ms || i >= f->n ? GRID_UNKNOWN : column[i];
}

static void note_error(struct errors *e, int64_t lead_ms, double error)
{
	int64_t band = lead_ms / (FORECAST_BAND_SLOTS * SLOT_MS);

	if (band >= FORECAST_MAX_BANDS)
		return;
	if (!e->of[band])
		e->of[band] = xcalloc((size_t)N_EVERY * FORECAST_BAND_SLOTS, sizeof(double));
	if (e->n[band] < N_EVERY * FORECAST_BAND_SLOTS)
		e->of[band][e->n[band]++] = error;
}

static void note_issue(struct forecast_scores *s, enum forecast_scored what, int64_t ms)
{
	if (s->n_issues[what]++ == 0)
		s->first_ms[what] = ms;
	s->last_ms[what] = ms;
}

/* One moment: what each source said of all that has come to pass since. */
static void score_moment(const struct forecast_score_input *in, int64_t issued_ms, const struct forecast_issue *own,
			 struct forecast_scores *ret, struct errors *errors)
{
	const struct forecast_issue *published = published_at(in, issued_ms);
	bool told[N_SCORED] = { false };

	if (!published && !own)
		return;
	for (int k = 0; k < FORECAST_MAX_LEAD_DAYS * DAY_SLOTS; k++) {
		int64_t ms = time_slot_floor(issued_ms, SLOT_MS) + k * SLOT_MS;
		double actual = ms + SLOT_MS <= in->now_ms ? actual_at(in->actual, ms) : (double)NAN;
		int day = k / DAY_SLOTS;
		int32_t p = published ? value_at(published, published->p50, ms) : GRID_UNKNOWN;
		int32_t o = own ? value_at(own, own->p50, ms) : GRID_UNKNOWN;
		double naive = naive_at(in->actual, issued_ms, ms);

		if (isnan(actual) || (p == GRID_UNKNOWN && o == GRID_UNKNOWN))
			continue;
		if (p != GRID_UNKNOWN) {
			score_add(&ret->day[SCORED_PUBLISHED][day], actual, p, p, p);
			note_error(errors, k * SLOT_MS, actual - p);
			told[SCORED_PUBLISHED] = true;
		}
		if (o != GRID_UNKNOWN) {
			score_add(&ret->day[SCORED_OWN][day], actual, value_at(own, own->p10, ms), o,
				  value_at(own, own->p90, ms));
			told[SCORED_OWN] = true;
		}
		if (!isnan(naive)) {
			score_add(&ret->day[SCORED_NAIVE][day], actual, naive, naive, naive);
			told[SCORED_NAIVE] = true;
		}
	}
	for (int i = 0; i < N_SCORED; i++)
		if (told[i])
			note_issue(ret, (enum forecast_scored)i, issued_ms);
}

static void make_bands(const struct errors *e, struct forecast_scores *s)
{
	if (!forecast_scores_count(s, SCORED_PUBLISHED))
		return;
	for (int i = 0; i < FORECAST_MAX_BANDS && e->n[i]; i++) {
		double n = (double)e->n[i] / FORECAST_BAND_SLOTS; /* neighbours err together */

		s->low[i] = fmin(quantile(e->of[i], e->n[i], quantile_level(0.1, n)), 0);
		s->high[i] = fmax(quantile(e->of[i], e->n[i], quantile_level(0.9, n)), 0);
		s->n_bands = i + 1;
	}
}

bool forecast_scores_count(const struct forecast_scores *s, enum forecast_scored what)
{
	return s->n_issues[what] >= FORECAST_SCORE_MIN_ISSUES &&
	       s->last_ms[what] - s->first_ms[what] >= FORECAST_SCORE_MIN_MS;
}

void forecast_scores(const struct forecast_score_input *in, struct forecast_scores *ret)
{
	int64_t last_ms = time_slot_floor(in->now_ms, FORECAST_SCORE_EVERY_MS);
	struct errors errors = { 0 };

	*ret = (struct forecast_scores){ 0 };
	for (int i = N_EVERY - 1; i >= 0; i--) {
		int64_t ms = last_ms - i * FORECAST_SCORE_EVERY_MS;
		const struct forecast_issue *own = own_at(in, ms);

		score_moment(in, own ? own->issued_ms : ms, own, ret, &errors);
	}
	make_bands(&errors, ret);
	for (int i = 0; i < FORECAST_MAX_BANDS; i++)
		free(errors.of[i]);
}
