/* SPDX-License-Identifier: Apache-2.0 */
/* Prediction from a trained model. */
#include "base/alloc.h"
#include "forecast/linear.h"
#include "forecast/mix.h"
#include "forecast/model.h"

#define SEEN_DAYS (VIEW_LOOKBACK_DAYS + 7)

struct outlook {
	const struct forecast_model *m;
	struct view plain, rest;
};

int fit_features(const struct view *v, int kind)
{
	return view_n_few() + (kind == MIX_EXOG ? view_n_exog(v) : 0) + view_n_many(v);
}

bool fit_row(const struct forecast_model *m, const struct view *v, int kind, int issue, int target, double *ret_x,
	     double *ret_base)
{
	double *x = ret_x + view_n_few(), explained = 0;

	if (kind == MIX_EXOG) {
		if (!view_exog(v, issue, target, m->x_means, m->x_scales, x))
			return false;
		explained = response_at(m->response, v, issue, target);
		if (isnan(explained))
			return false;
		x += view_n_exog(v);
	}
	view_few(v, issue, target, ret_x);
	view_many(v, issue, target, x);
	*ret_base = view_level(v, issue) + explained;
	return true;
}

/* The mix in z; false when it needs what is not known. */
static bool mix_value(const struct outlook *o, const struct mix *mix, int target, double *ret)
{
	int issue = o->plain.end;
	double naive[N_NAIVE], x[LINEAR_MAX_FEATURES], base, z = 0;

	if (!mix->usable)
		return false;
	for (int kind = 0; kind < N_MIXES; kind++) {
		const struct view *v = kind == MIX_PLAIN ? &o->plain : &o->rest;

		if (!mix->weights[kind])
			continue;
		if (!v->z || issue < VIEW_LOOKBACK_DAYS * v->day || !fit_row(o->m, v, kind, issue, target, x, &base))
			return false;
		z += mix->share[kind] * base + linear_value(mix->weights[kind], x, fit_features(v, kind));
	}
	view_naive(&o->plain, issue, target, naive);
	for (int i = 0; i < N_NAIVE; i++)
		z += mix->naive[i] * naive[i];
	*ret = z;
	return true;
}

static double in_bounds(const struct forecast_model *m, double z)
{
	return scale_from_z(&m->scale, CLAMP(z, m->z_min, m->z_max));
}

static void predict_lead(const struct outlook *o, int lead, const struct forecast_quantiles *ret)
{
	const struct mix *mix = &o->m->mixes[lead * N_MIXES + MIX_EXOG];
	int target = o->plain.end + lead;
	double z, naive[N_NAIVE];

	if (!mix_value(o, mix, target, &z)) {
		mix = &o->m->mixes[lead * N_MIXES + MIX_PLAIN];
		if (!mix_value(o, mix, target, &z)) {
			view_naive(&o->plain, o->plain.end, target, naive);
			z = naive[NAIVE_DAY];
		}
	}
	ret->p10[lead] = in_bounds(o->m, z + mix->low);
	ret->p50[lead] = in_bounds(o->m, z);
	ret->p90[lead] = in_bounds(o->m, z + mix->high);
}

void forecast_predict(const struct forecast_model *m, const struct forecast_series *series,
		      const struct forecast_exog *exog, int issue, const struct forecast_quantiles *ret)
{
	struct outlook o = { .m = m };
	bool explains = m->response && exog;

	view_init(&o.plain, series, explains ? exog : NULL, issue, SEEN_DAYS, &m->scale);
	if (explains) {
		_cleanup_free_ double *part = response_past(m->response, &o.plain);

		view_init(&o.rest, series, exog, issue, SEEN_DAYS, &m->scale);
		view_subtract(&o.rest, part);
	}
	for (int lead = 0; lead < m->horizon; lead++)
		predict_lead(&o, lead, ret);
	view_release(&o.plain);
	view_release(&o.rest);
}

void forecast_model_free(struct forecast_model *m)
{
	if (!m)
		return;
	for (int i = 0; i < m->horizon * N_MIXES; i++)
		for (int kind = 0; kind < N_MIXES; kind++)
			free(m->mixes[i].weights[kind]);
	free(m->mixes);
	response_free(m->response);
	free(m);
}
