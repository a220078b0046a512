/* SPDX-License-Identifier: Apache-2.0 */
/* Energy, carbon and cost of what ran, and the savings against the baseline. */
#include "decide/account.h"

#include "base/decimal.h"
#include "decide/memory.h"

/* 3.6e6 mW ms are one mWh. */
#define MW_MS_PER_MWH INT64_C(3600000)

/* Sums of value * energy over time, kept in doubles until written down. */
struct integral {
	double energy_mwh;
	double carbon_mg;
	double cost_micros;
	bool carbon_known, cost_known;
};

#define INTEGRAL_INIT                                    \
	{                                                \
		.carbon_known = true, .cost_known = true \
	}

/* The value of one region at one time: what was recorded if that is still there, else the forecast. */
static int32_t carbon_at(const struct grid_view *v, int region, int64_t ms)
{
	int32_t value = memory_carbon_at(v, region, ms);

	return value != GRID_UNKNOWN
		       ? value
		       : grid_forecast_at(&v->regions[region]->forecast, v->regions[region]->forecast.carbon_p50, ms);
}

static int32_t price_at(const struct grid_view *v, int region, int64_t ms)
{
	if (v->regions[region]->cost_basis == COST_BASIS_NONE)
		return GRID_UNKNOWN;
	int32_t value = memory_price_at(v, region, ms);

	return value != GRID_UNKNOWN
		       ? value
		       : grid_forecast_at(&v->regions[region]->forecast, v->regions[region]->forecast.price_p50, ms);
}

/* The allocatable-weighted mean over the regions with nodes, or one region's own value. */
static int32_t value_at(const struct grid_view *v, int region, int64_t ms,
			int32_t (*one)(const struct grid_view *, int, int64_t))
{
	double sum = 0, weight = 0;

	if (region < 0)
		return GRID_UNKNOWN;
	if (region != v->mean)
		return one(v, region, ms);
	for (int r = 0; r < v->n_regions; r++) {
		if (v->cpu_milli[r] == 0)
			continue;
		int32_t value = one(v, r, ms);
		if (value == GRID_UNKNOWN)
			return GRID_UNKNOWN;
		sum += (double)value * (double)v->cpu_milli[r];
		weight += (double)v->cpu_milli[r];
	}
	return weight > 0 ? (int32_t)(sum / weight) : GRID_UNKNOWN;
}

static void integrate(const struct grid_view *v, int region, int64_t start_ms, int64_t end_ms, double milliwatts,
		      struct integral *sum)
{
	for (int64_t t = start_ms; t < end_ms;) {
		int64_t next = MIN(time_slot_floor(t, SLOT_MS) + SLOT_MS, end_ms);
		double mwh = milliwatts * (double)(next - t) / (double)MW_MS_PER_MWH;
		int32_t carbon = value_at(v, region, t, carbon_at), price = value_at(v, region, t, price_at);

		sum->energy_mwh += mwh;
		/* mg/kWh * mWh = 1e-6 mg; micros/kWh likewise */
		if (carbon != GRID_UNKNOWN)
			sum->carbon_mg += carbon * mwh / 1e6;
		if (price != GRID_UNKNOWN)
			sum->cost_micros += price * mwh / 1e6;
		sum->carbon_known &= carbon != GRID_UNKNOWN;
		sum->cost_known &= price != GRID_UNKNOWN;
		t = next;
	}
}

static struct caj_figures to_figures(const struct integral *i, bool power_known)
{
	return (struct caj_figures){
		.energy_known = power_known,
		.carbon_known = power_known && i->carbon_known,
		.cost_known = power_known && i->cost_known,
		.energy_milliwatt_hours = decimal_from_double(i->energy_mwh, 0),
		.carbon_milligrams = decimal_from_double(i->carbon_mg, 0),
		.cost_micros = decimal_from_double(i->cost_micros, 0),
	};
}

/* Figures may come from a status that anybody with the rights has written: sums saturate. */
static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t subtract(int64_t a, int64_t b)
{
	int64_t difference;

	if (!__builtin_sub_overflow(a, b, &difference))
		return difference;
	return a < 0 ? INT64_MIN : INT64_MAX;
}

static void figures_add(struct caj_figures *sum, const struct caj_figures *f)
{
	sum->energy_known &= f->energy_known;
	sum->carbon_known &= f->carbon_known;
	sum->cost_known &= f->cost_known;
	sum->energy_milliwatt_hours = add(sum->energy_milliwatt_hours, f->energy_milliwatt_hours);
	sum->carbon_milligrams = add(sum->carbon_milligrams, f->carbon_milligrams);
	sum->cost_micros = add(sum->cost_micros, f->cost_micros);
}

bool account_merge_last(struct caj_run *runs, int *n_runs)
{
	if (*n_runs < 2)
		return false;
	struct caj_run *into = &runs[*n_runs - 2], *last = &runs[*n_runs - 1];
	figures_add(&into->figures, &last->figures);
	into->start_ms = MIN(into->start_ms, last->start_ms);
	into->end_ms = MAX(into->end_ms, last->end_ms);
	into->pods = (int32_t)MIN((int64_t)into->pods + last->pods, INT32_MAX);
	if (!cstr_eq(into->region, last->region))
		into->region = NULL;
	(*n_runs)--;
	return true;
}

static struct caj_run *run_of(struct caj_run *runs, int *n, const char *region, const char *job_uid, int32_t segment)
{
	for (int i = 0; i < *n; i++) {
		if (cstr_eq(runs[i].region, region) && cstr_eq(runs[i].job_uid, job_uid) && runs[i].segment == segment)
			return &runs[i];
	}
	/* More places than runs: the last two become one, so that no energy is lost. */
	if (*n == CAJ_MAX_RUNS)
		(void)account_merge_last(runs, n);
	runs[*n] = (struct caj_run){
		.region = region,
		.job_uid = job_uid,
		.segment = segment,
		.start_ms = INT64_MAX,
		.end_ms = INT64_MIN,
		.figures = { .energy_known = true, .carbon_known = true, .cost_known = true },
	};
	return &runs[(*n)++];
}

/*
 * What ran before the last pause was written down with it, so only what came after counts: of a pod that the pause has
 * ended, its last moments.
 */
static void add_intervals(const struct grid_view *v, const struct caj_status *status, const char *job_uid,
			  const struct pod_interval *intervals, size_t n, struct arena *arena, struct caj_run *runs,
			  int *n_runs)
{
	int64_t paused_ms = status->ledger.begun ? status->paused_ms : TIME_NONE;

	for (size_t i = 0; i < n; i++) {
		const struct pod_interval *p = &intervals[i];
		struct integral sum = INTEGRAL_INIT;
		bool before = paused_ms != TIME_NONE && p->start_ms < paused_ms;
		int64_t start_ms = before ? paused_ms : p->start_ms;

		if (before && p->end_ms <= paused_ms)
			continue;
		struct caj_run *run =
			run_of(runs, n_runs, p->region, job_uid, MAX(status->ledger.interruptions - before, 0));
		run->region = arena_strdup(arena, run->region);
		integrate(v, grid_view_find(v, p->region), start_ms, p->end_ms, (double)p->milliwatts, &sum);
		struct caj_figures f = to_figures(&sum, p->milliwatts > 0);
		figures_add(&run->figures, &f);
		run->start_ms = MIN(run->start_ms, start_ms);
		run->end_ms = MAX(run->end_ms, p->end_ms);
		run->pods += !before;
	}
}

void account_fold(const struct grid_view *v, struct caj_status *status, const char *job_uid,
		  const struct pod_interval *gone, size_t n, struct arena *arena)
{
	add_intervals(v, status, job_uid, gone, n, arena, status->runs, &status->n_runs);
}

static struct caj_saving minus(const struct caj_figures *a, const struct caj_figures *b)
{
	return (struct caj_saving){
		.carbon_known = a->carbon_known && b->carbon_known,
		.cost_known = a->cost_known && b->cost_known,
		.carbon_milligrams = subtract(a->carbon_milligrams, b->carbon_milligrams),
		.cost_micros = subtract(a->cost_micros, b->cost_micros),
	};
}

static struct caj_saving saving_minus(const struct caj_saving *a, const struct caj_saving *b)
{
	return (struct caj_saving){
		.carbon_known = a->carbon_known && b->carbon_known,
		.cost_known = a->cost_known && b->cost_known,
		.carbon_milligrams = subtract(a->carbon_milligrams, b->carbon_milligrams),
		.cost_micros = subtract(a->cost_micros, b->cost_micros),
	};
}

struct caj_saving account_expected_saving(const struct caj_status *status)
{
	const struct caj_figures *plan = &status->plan.expected;
	struct caj_figures base = status->baseline.expected;

	/* The spec was edited since: the frozen baseline is scaled to the work as it is now. */
	if (base.energy_known && plan->energy_known && base.energy_milliwatt_hours > 0 &&
	    base.energy_milliwatt_hours != plan->energy_milliwatt_hours) {
		base.carbon_milligrams =
			i64_mul_div(base.carbon_milligrams, plan->energy_milliwatt_hours, base.energy_milliwatt_hours);
		base.cost_micros =
			i64_mul_div(base.cost_micros, plan->energy_milliwatt_hours, base.energy_milliwatt_hours);
	}
	return minus(&base, plan);
}

/* The same energy, spread evenly over a window of the same length at another time or place. */
static struct caj_figures run_elsewhere(const struct grid_view *v, int region, const struct caj_run *run,
					int64_t shift_ms)
{
	struct integral integral = INTEGRAL_INIT;

	if (run->end_ms <= run->start_ms || run->end_ms - run->start_ms > ACCOUNT_MAX_RUN_MS)
		return (struct caj_figures){ 0 };
	double milliwatts = (double)run->figures.energy_milliwatt_hours * (double)MW_MS_PER_MWH /
			    (double)(run->end_ms - run->start_ms);
	integrate(v, region, run->start_ms + shift_ms, run->end_ms + shift_ms, milliwatts, &integral);
	return to_figures(&integral, run->figures.energy_known);
}

/* Where it ran at home, the real figures are the figures at home: no saving of place comes from our even spread. */
static struct caj_figures at_home_now(const struct grid_view *v, int home, const struct account *a)
{
	struct caj_figures sum = { .energy_known = true, .carbon_known = true, .cost_known = true };

	for (int i = 0; i < a->n_runs; i++) {
		struct caj_figures f = home >= 0 && grid_view_find(v, a->runs[i].region) == home
					       ? a->runs[i].figures
					       : run_elsewhere(v, home, &a->runs[i], 0);
		figures_add(&sum, &f);
	}
	return sum;
}

/* Time before that run in which nothing ran: at once it would have gone on. */
static int64_t idle_before(const struct account *a, const struct caj_run *run)
{
	int64_t idle = 0, covered = INT64_MAX;

	for (int i = 0; i < a->n_runs; i++)
		covered = MIN(covered, a->runs[i].start_ms);
	/* From gap to gap: what is covered grows until nothing that began within it reaches further. */
	while (covered < run->start_ms) {
		int64_t reach = covered, begins = run->start_ms;

		for (int i = 0; i < a->n_runs; i++) {
			if (a->runs[i].start_ms <= covered)
				reach = MAX(reach, a->runs[i].end_ms);
			else
				begins = MIN(begins, a->runs[i].start_ms);
		}
		if (reach > covered) {
			covered = reach;
		} else {
			idle += begins - covered;
			covered = begins;
		}
	}
	return idle;
}

static struct caj_figures at_baseline_then(const struct grid_view *v, int home, const struct account *a,
					   int64_t shift_ms)
{
	struct caj_figures sum = { .energy_known = true, .carbon_known = true, .cost_known = true };

	for (int i = 0; i < a->n_runs; i++) {
		struct caj_figures f = run_elsewhere(v, home, &a->runs[i], shift_ms - idle_before(a, &a->runs[i]));

		figures_add(&sum, &f);
	}
	return sum;
}

/* A value that has left the provider's memory does not make a known figure unknown: what was written down stands. */
static void remember(struct caj_figures *f, const struct caj_saving *saving, const struct caj_figures *actual)
{
	if (!f->carbon_known && saving->carbon_known && actual->carbon_known) {
		f->carbon_known = true;
		f->carbon_milligrams = add(saving->carbon_milligrams, actual->carbon_milligrams);
	}
	if (!f->cost_known && saving->cost_known && actual->cost_known) {
		f->cost_known = true;
		f->cost_micros = add(saving->cost_micros, actual->cost_micros);
	}
}

static const char *source_in_words(const struct grid_view *v, const struct account *a, struct arena *arena)
{
	int region = a->n_runs ? grid_view_find(v, a->runs[0].region) : -1;
	const char *provider = NULL;

	if (region < 0 || region >= v->n_regions)
		return "not available";
	const struct gridregion *r = v->regions[region];
	for (int i = 0; i < r->n_sources; i++) {
		if (cstr_eq(r->sources[i].metric, "carbon"))
			provider = r->sources[i].provider;
	}
	return arena_printf(arena, "%s %s, %s", provider ? provider : "unknown",
			    r->basis.resolution[0] ? r->basis.resolution : "unknown resolution",
			    memory_is_actual(v, region, a->runs[0].start_ms) ? "actual" : "estimated");
}

/* The weakest basis of all places where it ran: one figure cannot claim more than its parts. */
static const char *cost_basis(const struct grid_view *v, const struct account *a, const struct caj_status *status)
{
	static const char *const names[] = { "Tariff", "Shadow", "None" };
	int worst = -1;

	for (int i = 0; i < a->n_runs; i++) {
		int region = grid_view_find(v, a->runs[i].region);

		if (region >= 0 && region < v->n_regions)
			worst = MAX(worst, (int)v->regions[region]->cost_basis);
	}
	if (worst < 0)
		return status->actual && status->actual->cost_basis ? status->actual->cost_basis : "Tariff";
	return names[worst];
}

/* Totals, savings and source from ret->runs. */
static void conclude(const struct grid_view *v, const struct caj_status *status, int64_t now_ms, struct arena *arena,
		     struct account *ret)
{
	int64_t first = INT64_MAX, last = INT64_MIN;

	ret->total = (struct caj_figures){ .energy_known = true, .carbon_known = true, .cost_known = true };
	for (int i = 0; i < ret->n_runs; i++) {
		figures_add(&ret->total, &ret->runs[i].figures);
		first = MIN(first, ret->runs[i].start_ms);
		last = MAX(last, ret->runs[i].end_ms);
	}
	ret->known = ret->n_runs > 0;
	if (!ret->known)
		return;
	ret->final = last <= now_ms - ACCOUNT_FINAL_AFTER_MS;
	ret->carbon_source = source_in_words(v, ret, arena);
	ret->cost_basis = cost_basis(v, ret, status);
	if (!status->baseline.rule)
		return;
	int home = grid_view_find(v, status->baseline.region);
	struct caj_figures at_baseline = at_baseline_then(v, home, ret, status->baseline.start_ms - first);
	struct caj_figures at_home = at_home_now(v, home, ret);
	struct caj_saving expected = account_expected_saving(status);
	struct caj_savings *s = &ret->savings;
	if (status->savings && status->actual) {
		remember(&at_baseline, &status->savings->total, &status->actual->figures);
		remember(&at_home, &status->savings->place, &status->actual->figures);
	}
	s->present = true;
	s->time = minus(&at_baseline, &at_home);
	s->place = minus(&at_home, &ret->total);
	s->total = minus(&at_baseline, &ret->total);
	s->forecast_error = saving_minus(&s->total, &expected);
}

static void begin(const struct caj_status *status, struct account *ret)
{
	*ret = (struct account){ .n_runs = status->n_runs };
	for (int i = 0; i < status->n_runs; i++)
		ret->runs[i] = status->runs[i];
}

void account_job(const struct grid_view *v, const struct caj_status *status, const char *job_uid,
		 const struct pod_interval *intervals, size_t n, int64_t now_ms, struct arena *arena,
		 struct account *ret)
{
	begin(status, ret);
	add_intervals(v, status, job_uid, intervals, n, arena, ret->runs, &ret->n_runs);
	conclude(v, status, now_ms, arena, ret);
}

void account_again(const struct grid_view *v, const struct caj_status *status, int64_t now_ms, struct arena *arena,
		   struct account *ret)
{
	begin(status, ret);
	for (int i = 0; i < ret->n_runs; i++) {
		struct caj_run *run = &ret->runs[i];
		struct caj_figures f = run_elsewhere(v, grid_view_find(v, run->region), run, 0);

		/* A value that has left the provider's memory does not make a known figure unknown. */
		if (f.carbon_known) {
			run->figures.carbon_known = true;
			run->figures.carbon_milligrams = f.carbon_milligrams;
		}
		if (f.cost_known) {
			run->figures.cost_known = true;
			run->figures.cost_micros = f.cost_micros;
		}
	}
	conclude(v, status, now_ms, arena, ret);
}

const char *account_saved_carbon(const struct caj_saving *s, bool expected, struct arena *arena)
{
	char text[DECIMAL_TEXT];
	int64_t mg = s->carbon_milligrams, ten_kg = INT64_C(10000000), ten_g = 10000;

	if (!s->carbon_known)
		return "not available";
	if (mg >= ten_kg || mg <= -ten_kg)
		return arena_printf(arena, "%s%s kg", expected ? "~" : "", decimal_format_fixed(mg, 6, 2, text));
	return arena_printf(arena, "%s%s g", expected ? "~" : "",
			    decimal_format_fixed(mg, 3, mg < ten_g && mg > -ten_g ? 1 : 0, text));
}

const char *account_saved_cost(const struct caj_saving *s, const char *currency, bool expected, struct arena *arena)
{
	char text[DECIMAL_TEXT];

	if (!s->cost_known || !currency)
		return "not available";
	return arena_printf(arena, "%s%s %.8s", expected ? "~" : "", decimal_format_fixed(s->cost_micros, 6, 3, text),
			    currency);
}
