/* SPDX-License-Identifier: Apache-2.0 */
/* Training: members, their out-of-sample errors, and the mix of them for each lead. */
#include "base/alloc.h"
#include "forecast/linear.h"
#include "forecast/mix.h"
#include "forecast/model.h"
#include "forecast/quantile.h"
#include "forecast/stack.h"

#define FOLD_DAYS 14
#define FOLDS 8
#define OOS_DAYS (FOLDS * FOLD_DAYS)
#define MAX_DAYS 1456
#define BLOCKS (MAX_DAYS / FOLD_DAYS + FOLDS)
#define MIN_ROWS 150 /* with their neighbours by an hour: seven weeks */
#define MIN_OOS 14
#define GROUP_HOURS 6
#define MAX_GROUP 72 /* leads: six hours of five minutes */
#define SHRINK 0.01
#define HALF_LIFE_DAYS 42
#define DAYS_ALIKE 4

#define N_WINDOWS 3
static const int windows[N_WINDOWS] = { 12, 26, BLOCKS };
#define N_FORMS 4
static const struct {
	bool few; /* only the few features, and the exogenous ones */
	double penalty;
} forms[N_FORMS] = { { false, 0.0003 }, { false, 0.002 }, { true, 0.001 }, { true, 0.01 } };
#define N_FITS (N_WINDOWS * N_FORMS)

/* Members in the order of their columns: N_NAIVE, the plain fits, the exogenous fits. */
enum { PLAIN_AT = N_NAIVE, EXOG_AT = N_NAIVE + N_FITS, N_MEMBERS = N_NAIVE + 2 * N_FITS };

/* One of the two regressions: on the series, or on the rest that the exogenous columns leave. */
struct regression {
	const struct view *view;
	int p;
	struct linear *linear;
	double *weights; /* [member of N_FITS][p + 1]: of the fold at hand, at last those of the final fit */
};

struct training {
	struct forecast_model *m;
	struct view plain, rest; /* rest: without what the response explains */
	bool has_exog;
	struct regression r[N_MIXES];
	int issue; /* in the views' slots: their end */
};

/* Out-of-sample errors of a lead, row after row (days ago); has[kind]: the members of that kind are there. */
struct oos {
	double error[OOS_DAYS][N_MEMBERS];
	bool has[OOS_DAYS][N_MIXES];
	double truth[OOS_DAYS]; /* z, NAN when there is none */
};

/* One day's rows: the issue at that day and its neighbours by an hour, as far as their targets are known. */
static void add_rows(struct training *t, int kind, int issue, int lead, int block)
{
	int hour = MAX(1, t->plain.day / 24);
	double x[LINEAR_MAX_FEATURES], base;

	for (int i = -1; i <= 1; i++) {
		int at = issue + i * hour, target = at + lead;
		double y = at + lead < t->issue ? view_value(&t->plain, target) : NAN;

		if (isnan(y) || at < VIEW_LOOKBACK_DAYS * t->plain.day ||
		    !fit_row(t->m, t->r[kind].view, kind, at, target, x, &base))
			continue;
		linear_add(t->r[kind].linear, block, x, t->plain.z[target] - base);
	}
}

/*
 * Fold k is forecast by what lies at least k fortnights back: its issues are at most that old, the targets that it is
 * fitted on, neighbours included, at least.
 */
static int block_of(const struct training *t, int lead, int days_ago)
{
	int hour = MAX(1, t->plain.day / 24);

	return MIN((days_ago * t->plain.day - lead - hour) / (FOLD_DAYS * t->plain.day), BLOCKS - 1);
}

static int fold_of(int days_ago)
{
	return (days_ago + FOLD_DAYS - 1) / FOLD_DAYS;
}

static void fit_all(struct training *t, int kind, int first_block)
{
	struct regression *r = &t->r[kind];

	for (int i = 0; i < N_WINDOWS; i++) {
		(void)linear_gather(r->linear, first_block, windows[i]);
		for (int j = 0; j < N_FORMS; j++) {
			double *w = r->weights + (ptrdiff_t)(i * N_FORMS + j) * (r->p + 1);
			int p = forms[j].few ? r->p - view_n_many(r->view) : r->p;

			if (!linear_solve(r->linear, p, forms[j].penalty, w))
				memset(w, 0, (size_t)(r->p + 1) * sizeof(*w));
		}
	}
}

/* Errors of the fits at hand on one past issue. */
static void try_fits(const struct training *t, int kind, int issue, int target, struct oos *o, int at)
{
	const struct regression *r = &t->r[kind];
	double x[LINEAR_MAX_FEATURES], base;
	double *error = o->error[at] + (kind == MIX_PLAIN ? PLAIN_AT : EXOG_AT);

	if (!fit_row(t->m, r->view, kind, issue, target, x, &base))
		return;
	for (int i = 0; i < N_FITS; i++)
		error[i] = base + linear_value(r->weights + (ptrdiff_t)i * (r->p + 1), x, r->p) - o->truth[at];
	o->has[at][kind] = true;
}

/* Fits and out-of-sample errors of one regression at one lead; afterwards its weights are the final ones. */
static void run_regression(struct training *t, int kind, int lead, struct oos *o)
{
	int day = t->plain.day, first = lead / day + 1;

	linear_clear(t->r[kind].linear);
	for (int i = first; i <= MAX_DAYS && t->issue - i * day >= VIEW_LOOKBACK_DAYS * day; i++)
		add_rows(t, kind, t->issue - i * day, lead, block_of(t, lead, i));
	for (int fold = FOLDS; fold >= 1; fold--) {
		if (linear_gather(t->r[kind].linear, fold, BLOCKS) < MIN_ROWS)
			continue;
		fit_all(t, kind, fold);
		for (int i = 0; i < OOS_DAYS; i++) {
			int issue = t->issue - (first + i) * day;

			if (fold_of(first + i) == fold && !isnan(o->truth[i]) && issue >= VIEW_LOOKBACK_DAYS * day)
				try_fits(t, kind, issue, issue + lead, o, i);
		}
	}
	fit_all(t, kind, 0);
}

static void run_naive(const struct training *t, int lead, struct oos *o)
{
	int day = t->plain.day, first = lead / day + 1;

	for (int i = 0; i < OOS_DAYS; i++) {
		int issue = t->issue - (first + i) * day;

		memset(o->has[i], 0, sizeof(o->has[i]));
		o->truth[i] = NAN;
		if (fold_of(first + i) > FOLDS || issue <= 0 || isnan(view_value(&t->plain, issue + lead)))
			continue;
		o->truth[i] = t->plain.z[issue + lead];
		view_naive(&t->plain, issue, issue + lead, o->error[i]);
		for (int k = 0; k < N_NAIVE; k++)
			o->error[i][k] -= o->truth[i];
	}
}

/* A group of leads shares weights and the shape of the errors. */
struct group {
	int first, n;
	struct oos *oos;          /* n */
	double *weights[N_MIXES]; /* n times the final fits */
	double *errors;           /* n * OOS_DAYS * N_MEMBERS, scratch */
	struct weighted *pool;    /* n * OOS_DAYS, scratch */
};

static double abs_sum(const double *errors, int n, int m, const double *weights)
{
	double sum = 0;

	for (int r = 0; r < n; r++) {
		double e = 0;

		for (int k = 0; k < m; k++)
			e += weights[k] * errors[r * m + k];
		sum += fabs(e);
	}
	return sum;
}

/* Weights of the first m members over the group's rows that have them; the best naive one when the mix loses to it. */
static void weigh(struct group *g, int kind, int m, double *ret_weights)
{
	int n = 0, best = NAIVE_DAY;
	double least = INFINITY, mixed = INFINITY, one[N_MEMBERS];

	for (int l = 0; l < g->n; l++)
		for (int i = 0; i < OOS_DAYS; i++) {
			const struct oos *o = &g->oos[l];

			if (isnan(o->truth[i]) || (m > N_NAIVE && (!o->has[i][MIX_PLAIN] || !o->has[i][kind])))
				continue;
			memcpy(g->errors + (ptrdiff_t)n++ * m, o->error[i], (size_t)m * sizeof(double));
		}
	for (int k = 0; k < N_NAIVE; k++) {
		double sum;

		memset(one, 0, sizeof(one));
		one[k] = 1;
		sum = abs_sum(g->errors, n, m, one);
		if (sum < least * (k == NAIVE_DAY ? 1 : 1 - 1e-9)) {
			least = sum;
			best = k;
		}
	}
	if (m > N_NAIVE) {
		stack_weights(g->errors, n, m, SHRINK, ret_weights);
		mixed = abs_sum(g->errors, n, m, ret_weights);
	}
	if (mixed < least)
		return;
	memset(ret_weights, 0, N_MEMBERS * sizeof(*ret_weights));
	ret_weights[best] = 1;
}

static int count(const struct group *g, int kind)
{
	int n = 0;

	for (int l = 0; l < g->n; l++)
		for (int i = 0; i < OOS_DAYS; i++)
			n += !isnan(g->oos[l].truth[i]) && g->oos[l].has[i][MIX_PLAIN] && g->oos[l].has[i][kind];
	return n;
}

/* One weight vector for each regression in place of all its members'. */
static void collapse(const struct training *t, const struct group *g, int lead, const double *weights, struct mix *mix)
{
	memcpy(mix->naive, weights, sizeof(mix->naive));
	for (int kind = 0; kind < N_MIXES; kind++) {
		const double *share = weights + (kind == MIX_PLAIN ? PLAIN_AT : EXOG_AT);
		int size = t->r[kind].p + 1;
		double sum = 0;

		for (int i = 0; i < N_FITS; i++)
			sum += share[i];
		mix->share[kind] = sum;
		if (sum == 0)
			continue;
		mix->weights[kind] = xcalloc((size_t)size, sizeof(double));
		for (int i = 0; i < N_FITS; i++)
			for (int j = 0; j < size; j++)
				mix->weights[kind][j] +=
					share[i] *
					g->weights[kind][((ptrdiff_t)(lead - g->first) * N_FITS + i) * size + j];
	}
}

static bool has_members(const struct oos *o, int i, const double *weights)
{
	for (int k = N_NAIVE; k < N_MEMBERS; k++)
		if (weights[k] > 0 && !o->has[i][k < EXOG_AT ? MIX_PLAIN : MIX_EXOG])
			return false;
	return true;
}

/* Weighted errors of the mix at one lead, in units of their own mean size, which is returned. */
static double collect(const struct group *g, int lead, const double *weights, struct weighted *ret, int *ret_n)
{
	const struct oos *o = &g->oos[lead];
	double size = 0, all = 0;
	int n = 0;

	for (int i = 0; i < OOS_DAYS; i++) {
		double error = 0;

		if (isnan(o->truth[i]) || !has_members(o, i, weights))
			continue;
		for (int k = 0; k < N_MEMBERS; k++)
			error -= weights[k] != 0 ? weights[k] * o->error[i][k] : 0;
		ret[n] = (struct weighted){ .value = error, .weight = exp2(-i / (double)HALF_LIFE_DAYS) };
		size += ret[n].weight * fabs(error);
		all += ret[n++].weight;
	}
	size = size > 0 ? size / all : 1;
	for (int i = 0; i < n; i++)
		ret[i].value /= size;
	*ret_n = n;
	return size;
}

/*
 * The errors are pooled over the group: a lead has too few of its own for a quantile, and enough for a size. Those of
 * neighbouring days and leads are alike: DAYS_ALIKE days together count as one independent value.
 */
static void spread(struct training *t, struct group *g, int kind, const double *weights)
{
	double size[MAX_GROUP], sum = 0, squares = 0, low = 0, high = 0;
	int n = 0, more;

	for (int l = 0; l < g->n; l++, n += more)
		size[l] = collect(g, l, weights, g->pool + n, &more);
	for (int i = 0; i < n; i++) {
		sum += g->pool[i].weight;
		squares += g->pool[i].weight * g->pool[i].weight;
	}
	if (n) {
		double independent = sum * sum / squares / g->n / DAYS_ALIKE;

		low = MIN(0, quantile_weighted(g->pool, n, quantile_level(0.1, independent)));
		high = MAX(0, quantile_weighted(g->pool, n, quantile_level(0.9, independent)));
	}
	for (int l = 0; l < g->n; l++) {
		struct mix *mix = &t->m->mixes[(g->first + l) * N_MIXES + kind];

		mix->low = size[l] * low;
		mix->high = size[l] * high;
	}
}

static void mix_group(struct training *t, struct group *g)
{
	for (int kind = 0; kind < N_MIXES; kind++) {
		double weights[N_MEMBERS] = { 0 };
		int enough = MIN_OOS * g->n;

		if (kind == MIX_EXOG && (!t->has_exog || count(g, MIX_EXOG) < enough))
			continue;
		weigh(g, kind, count(g, kind) < enough ? N_NAIVE : kind == MIX_PLAIN ? EXOG_AT : N_MEMBERS, weights);
		for (int l = 0; l < g->n; l++) {
			struct mix *mix = &t->m->mixes[(g->first + l) * N_MIXES + kind];

			collapse(t, g, g->first + l, weights, mix);
			mix->usable = true;
		}
		spread(t, g, kind, weights);
	}
}

static void run_group(struct training *t, struct group *g)
{
	for (int l = 0; l < g->n; l++) {
		run_naive(t, g->first + l, &g->oos[l]);
		for (int kind = 0; kind < N_MIXES; kind++) {
			size_t size = N_FITS * (size_t)(t->r[kind].p + 1);

			if (!t->r[kind].linear)
				continue;
			run_regression(t, kind, g->first + l, &g->oos[l]);
			memcpy(g->weights[kind] + (size_t)l * size, t->r[kind].weights, size * sizeof(double));
		}
	}
	mix_group(t, g);
}

static void set_bounds(struct forecast_model *m, const struct view *v)
{
	double low = v->end ? v->z[0] : 0, high = low;

	for (int i = 0; i < v->end; i++) {
		low = MIN(low, v->z[i]);
		high = MAX(high, v->z[i]);
	}
	m->z_min = low - 0.1 * (high - low);
	m->z_max = high + 0.1 * (high - low);
}

static void set_up(struct training *t, struct forecast_model *m, const struct forecast_series *series,
		   const struct forecast_exog *exog, int issue, int horizon)
{
	int days = MAX_DAYS + VIEW_LOOKBACK_DAYS + horizon / (int)(DAY_MS / series->step_ms) + 1;

	t->m = m;
	view_init(&t->plain, series, exog, issue, days, NULL);
	t->issue = t->plain.end;
	m->scale = t->plain.scale;
	set_bounds(m, &t->plain);
	t->r[MIX_PLAIN] = (struct regression){ .view = &t->plain, .p = fit_features(&t->plain, MIX_PLAIN) };
	if (exog)
		m->response = response_fit(&t->plain);
	t->has_exog = m->response != NULL;
	if (t->has_exog) {
		_cleanup_free_ double *part = response_past(m->response, &t->plain);

		view_exog_scales(&t->plain, m->x_means, m->x_scales);
		view_init(&t->rest, series, exog, issue, days, &m->scale);
		view_subtract(&t->rest, part);
		t->r[MIX_EXOG] = (struct regression){ .view = &t->rest, .p = fit_features(&t->plain, MIX_EXOG) };
	}
	for (int kind = 0; kind < N_MIXES; kind++)
		if (t->r[kind].view) {
			t->r[kind].linear = linear_new(t->r[kind].p, BLOCKS);
			t->r[kind].weights = xcalloc((size_t)N_FITS * (size_t)(t->r[kind].p + 1), sizeof(double));
		}
}

static void tear_down(struct training *t)
{
	for (int kind = 0; kind < N_MIXES; kind++) {
		linear_free(t->r[kind].linear);
		free(t->r[kind].weights);
	}
	view_release(&t->plain);
	view_release(&t->rest);
}

struct forecast_model *forecast_train(const struct forecast_series *series, const struct forecast_exog *exog, int issue,
				      int horizon)
{
	struct forecast_model *m = xcalloc(1, sizeof(*m));
	struct training t = { .m = m };
	int size = MIN(MAX_GROUP, MAX(1, (int)(GROUP_HOURS * HOUR_MS / series->step_ms)));
	struct group g = { .oos = xcalloc((size_t)size, sizeof(*g.oos)),
			   .errors = xcalloc((size_t)size * OOS_DAYS * N_MEMBERS, sizeof(double)),
			   .pool = xcalloc((size_t)size * OOS_DAYS, sizeof(*g.pool)) };

	if (exog && exog->n_columns == 0)
		exog = NULL;
	m->horizon = horizon;
	m->mixes = xcalloc((size_t)horizon * N_MIXES, sizeof(*m->mixes));
	set_up(&t, m, series, exog, issue, horizon);
	for (int kind = 0; kind < N_MIXES; kind++)
		g.weights[kind] = xcalloc((size_t)size * N_FITS * (size_t)(t.r[kind].p + 1), sizeof(double));
	for (g.first = 0; g.first < horizon; g.first += g.n) {
		g.n = MIN(size, horizon - g.first);
		run_group(&t, &g);
	}
	tear_down(&t);
	free(g.oos);
	free(g.errors);
	free(g.pool);
	for (int kind = 0; kind < N_MIXES; kind++)
		free(g.weights[kind]);
	return m;
}
