/* SPDX-License-Identifier: Apache-2.0 */
/* What the read API says of jobs: where each stands, what it saved, what was decided about it. */
#include "api/carbonawarejob.h"
#include "base/vec.h"
#include "readapi/internal.h"

#define MAX_GROUPS 4096 /* namespace and currency in the statistics */

static void cost(struct json_writer *w, const char *key, bool known, int64_t micros)
{
	if (known)
		jw_decimal(w, key, micros, 6);
}

static void figures(struct json_writer *w, const char *key, const struct caj_figures *f)
{
	jw_object(w, key);
	if (f->energy_known)
		jw_i64(w, "energyMilliWattHours", f->energy_milliwatt_hours);
	if (f->carbon_known)
		jw_i64(w, "carbonMilligrams", f->carbon_milligrams);
	cost(w, "cost", f->cost_known, f->cost_micros);
	jw_end_object(w);
}

static void saving(struct json_writer *w, const char *key, const struct caj_saving *s)
{
	jw_object(w, key);
	if (s->carbon_known)
		jw_i64(w, "carbonMilligrams", s->carbon_milligrams);
	cost(w, "cost", s->cost_known, s->cost_micros);
	jw_end_object(w);
}

static const char *state_of(const struct caj_status *s)
{
	const struct condition *ready = condition_find(&s->conditions, COND_READY);

	return ready ? ready->reason : "Pending";
}

static void write_job(struct json_writer *w, const struct carbonawarejob *caj)
{
	const struct caj_status *s = &caj->status;

	jw_object(w, NULL);
	jw_string(w, "namespace", caj->obj.meta.namespace);
	jw_string(w, "name", caj->obj.meta.name);
	jw_string(w, "uid", caj->obj.meta.uid);
	jw_string(w, "state", state_of(s));
	jw_string_opt(w, "region", caj_status_region(s));
	jw_string_opt(w, "home", s->home);
	jw_time(w, "estimatedStartTime", s->estimated_start_ms);
	jw_time(w, "latestStartTime", s->latest_start_ms);
	jw_time(w, "deadlineTime", s->deadline_ms);
	jw_time(w, "releasedTime", s->released_ms);
	jw_time(w, "pausedTime", s->paused_ms);
	jw_string_opt(w, "explanation", s->explanation);
	jw_string_opt(w, "currency", s->currency);
	if (s->plan.n_segments)
		figures(w, "expected", &s->plan.expected);
	if (s->actual)
		figures(w, "actual", &s->actual->figures);
	if (s->savings) {
		jw_object(w, "savings");
		saving(w, "time", &s->savings->time);
		saving(w, "place", &s->savings->place);
		saving(w, "forecastError", &s->savings->forecast_error);
		saving(w, "total", &s->savings->total);
		jw_end_object(w);
	}
	jw_end_object(w);
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const struct object *const *)a)->meta.key, (*(const struct object *const *)b)->meta.key);
}

/* All of the namespace asked for, by namespace and name. */
static void list_jobs(struct readapi_request *r, struct object_list *ret)
{
	size_t n = 0;

	store_list(r->cfg->cajs, ret);
	for (size_t i = 0; i < ret->len; i++) {
		const struct object *o = ret->items[i];

		if (r->namespace && strcmp(o->meta.namespace, r->namespace) != 0)
			object_unref(o);
		else
			ret->items[n++] = o;
	}
	ret->len = n;
	if (n)
		qsort(ret->items, n, sizeof(*ret->items), by_key);
}

int readapi_jobs(struct readapi_request *r, struct error *err)
{
	_cleanup_(object_list_release) struct object_list all = { 0 };
	const char *state = http_param(r->x, "state"), *after = http_param(r->x, "continue"), *next = NULL;
	int64_t limit, n = 0;

	if (readapi_param_i64(r, "limit", 100, 1, READAPI_MAX_ROWS, &limit, err))
		return -1;
	list_jobs(r, &all);
	jw_object(&r->w, NULL);
	jw_array(&r->w, "jobs");
	for (size_t i = 0; i < all.len; i++) {
		const struct carbonawarejob *caj = carbonawarejob_of(all.items[i]);

		if ((after && strcmp(caj->obj.meta.key, after) <= 0) ||
		    (state && *state && !cstr_eq(state, state_of(&caj->status))))
			continue;
		if (n++ == limit)
			break;
		next = caj->obj.meta.key;
		write_job(&r->w, caj);
	}
	jw_end_array(&r->w);
	/* The key to go on behind. */
	if (n > limit)
		jw_string(&r->w, "continue", next);
	jw_end_object(&r->w);
	return 0;
}

/* ---- statistics ---- */

/* Sums over jobs of one namespace (NULL = all) and one currency: money in different currencies is never added up. */
struct group {
	const char *namespace, *currency;
	int64_t jobs, finished, with_savings, worse_carbon, worse_cost;
	int64_t energy_milliwatt_hours, carbon_milligrams, saved_milligrams, saved_micros, cost_micros;
};

struct groups {
	VEC(struct group) all;
};

/* The figures come from statuses that others may write. */
static void add_to(int64_t *sum, bool known, int64_t value)
{
	if (known && __builtin_add_overflow(*sum, value, sum))
		*sum = value > 0 ? INT64_MAX : INT64_MIN;
}

static void add(struct group *g, const struct carbonawarejob *caj)
{
	const struct caj_status *s = &caj->status;

	g->jobs++;
	g->finished +=
		condition_is_true(&s->conditions, COND_COMPLETE) || condition_is_true(&s->conditions, COND_FAILED);
	if (s->actual) {
		const struct caj_figures *f = &s->actual->figures;

		add_to(&g->energy_milliwatt_hours, f->energy_known, f->energy_milliwatt_hours);
		add_to(&g->carbon_milligrams, f->carbon_known, f->carbon_milligrams);
		add_to(&g->cost_micros, f->cost_known, f->cost_micros);
	}
	if (!s->savings)
		return;
	const struct caj_saving *t = &s->savings->total;
	g->with_savings++;
	add_to(&g->saved_milligrams, t->carbon_known, t->carbon_milligrams);
	add_to(&g->saved_micros, t->cost_known, t->cost_micros);
	g->worse_carbon += t->carbon_known && t->carbon_milligrams < 0;
	g->worse_cost += t->cost_known && t->cost_micros < 0;
}

static const char *currency_of(const struct carbonawarejob *caj)
{
	return caj->status.currency ? caj->status.currency : "";
}

/* The group of that currency from index `from` on, where the namespace's groups begin. */
static struct group *group_of(struct groups *groups, size_t from, const char *namespace, const char *currency)
{
	struct group *g;

	for (size_t i = from; i < groups->all.len; i++)
		if (strcmp(groups->all.ptr[i].currency, currency) == 0)
			return &groups->all.ptr[i];
	g = vec_push(&groups->all, MAX_GROUPS);
	if (g)
		*g = (struct group){ .namespace = namespace, .currency = currency };
	return g;
}

/* Jobs come by namespace. */
static int sum_up(const struct object_list *jobs, struct groups *by_namespace, struct groups *totals, struct error *err)
{
	const char *namespace = NULL;
	size_t from = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		const struct carbonawarejob *caj = carbonawarejob_of(jobs->items[i]);

		if (!cstr_eq(namespace, caj->obj.meta.namespace)) {
			namespace = caj->obj.meta.namespace;
			from = by_namespace->all.len;
		}
		struct group *g = group_of(by_namespace, from, namespace, currency_of(caj));
		struct group *total = group_of(totals, 0, NULL, currency_of(caj));

		if (!g || !total)
			return error_set(err, ERR_LIMIT,
					 "more than %d namespaces and currencies: ask for one namespace", MAX_GROUPS);
		add(g, caj);
		add(total, caj);
	}
	return 0;
}

static void write_groups(struct json_writer *w, const char *key, const struct groups *groups)
{
	jw_array(w, key);
	for (size_t i = 0; i < groups->all.len; i++) {
		const struct group *g = &groups->all.ptr[i];

		jw_object(w, NULL);
		jw_string_opt(w, "namespace", g->namespace);
		jw_i64(w, "jobs", g->jobs);
		jw_i64(w, "finished", g->finished);
		jw_i64(w, "jobsWithSavings", g->with_savings);
		jw_i64(w, "jobsWithMoreCarbon", g->worse_carbon);
		jw_i64(w, "jobsWithMoreCost", g->worse_cost);
		jw_i64(w, "energyMilliWattHours", g->energy_milliwatt_hours);
		jw_i64(w, "carbonMilligrams", g->carbon_milligrams);
		jw_i64(w, "savedCarbonMilligrams", g->saved_milligrams);
		if (*g->currency) {
			jw_string(w, "currency", g->currency);
			jw_decimal(w, "cost", g->cost_micros, 6);
			jw_decimal(w, "savedCost", g->saved_micros, 6);
		}
		jw_end_object(w);
	}
	jw_end_array(w);
}

int readapi_statistics(struct readapi_request *r, struct error *err)
{
	_cleanup_(object_list_release) struct object_list all = { 0 };
	struct groups by_namespace = { 0 }, totals = { 0 };
	int result;

	list_jobs(r, &all);
	result = sum_up(&all, &by_namespace, &totals, err);
	if (result == 0) {
		jw_object(&r->w, NULL);
		jw_string(&r->w, "baseline", "run-at-once-at-home");
		write_groups(&r->w, "totals", &totals);
		write_groups(&r->w, "namespaces", &by_namespace);
		jw_end_object(&r->w);
	}
	vec_release(&by_namespace.all);
	vec_release(&totals.all);
	return result;
}
