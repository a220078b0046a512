/* SPDX-License-Identifier: Apache-2.0 */
/* From a planner_result to what is published, with its one-sentence explanation. */
#include "decide/plan.h"

#include <math.h>

#include "base/alloc.h"
#include "base/decimal.h"

/* All names of all regions that one job may name, several times over. */
#define ENTRY_MAX_BYTES (1024 * 1024)
/* An end that has moved by no more than this is the same. */
#define SAME_END_MS (600 * SECOND_MS)

static struct caj_figures figures(const struct planner_option *o, bool power_known)
{
	return (struct caj_figures){
		.energy_known = power_known,
		.carbon_known = power_known && o->carbon_known,
		.cost_known = power_known && o->cost_known,
		.energy_milliwatt_hours = o->energy_milliwatt_hours,
		.carbon_milligrams = o->carbon_milligrams,
		.cost_micros = o->cost_micros,
	};
}

/* Mean carbon intensity, g/kWh; NAN if not known. Energy may be 0 W by the user's word. */
static double grams_per_kwh(bool known, int64_t milligrams, int64_t milliwatt_hours)
{
	return known && milliwatt_hours > 0 ? (double)milligrams * 1000.0 / (double)milliwatt_hours : NAN;
}

static const char *at(struct arena *a, int64_t ms)
{
	char text[TIME_TEXT];

	return arena_strdup(a, time_format_minute(ms, text));
}

/*
 * ": 12 g/kWh over the run instead of 213 g/kWh at once in yorkshire and 0.31 GBP cheaper"; empty when there is nothing
 * to compare. The baseline is the one that counts for the savings: frozen at the first plan.
 */
static const char *compared(const struct plan_entry *p, const struct planner_option *chosen_option,
			    const struct caj_baseline *b, struct arena *arena)
{
	const struct caj_figures *base = &b->expected, *chosen = &p->plan.expected;
	/* The option has it also when nobody knows the power; of a job that has begun it is what is left. */
	double grams = chosen->carbon_known
			       ? grams_per_kwh(true, chosen->carbon_milligrams, chosen->energy_milliwatt_hours)
			       : grams_per_kwh(chosen_option->carbon_known, chosen_option->carbon_milligrams,
					       chosen_option->energy_milliwatt_hours);
	char cost[DECIMAL_TEXT];
	const char *money = "";

	if (isnan(grams))
		return "";
	if (!base->carbon_known || base->energy_milliwatt_hours <= 0 ||
	    (p->plan.n_segments == 1 && cstr_eq(b->region, p->plan.segments[0].region) &&
	     b->start_ms == p->plan.segments[0].start_ms))
		return arena_printf(arena, ": %.0f g/kWh over the run", grams);
	int64_t saved = base->cost_micros - chosen->cost_micros;
	/* Less than a hundredth of a penny is nobody's reason. */
	if (base->cost_known && chosen->cost_known && p->currency && (saved >= 100 || saved <= -100))
		money = arena_printf(arena, " and %s %s %s",
				     decimal_format_fixed(saved < 0 ? -saved : saved, 6, 4, cost), p->currency,
				     saved < 0 ? "dearer" : "cheaper");
	return arena_printf(arena, ": %.0f g/kWh over the run instead of %.0f g/kWh at once in %s%s", grams,
			    (double)base->carbon_milligrams * 1000.0 / (double)base->energy_milliwatt_hours, b->region,
			    money);
}

/* "london, then yorkshire" */
static const char *places_in_words(const struct caj_plan *p, struct arena *arena)
{
	const char *text = p->segments[0].region;

	for (int i = 1; i < p->n_segments; i++) {
		if (!cstr_eq(p->segments[i].region, p->segments[i - 1].region))
			text = arena_printf(arena, "%s, then %s", text, p->segments[i].region);
	}
	return text;
}

/* Of a plan in several segments, in words that stay as long as the plan does. */
static const char *parts_in_words(const struct caj_plan *p, struct arena *arena)
{
	const struct caj_segment *s = p->segments;
	int parts = 1, least = s[0].parallelism, most = s[0].parallelism;
	const char *pods = "";

	for (int i = 1; i < p->n_segments; i++) {
		parts += s[i].start_ms > s[i - 1].end_ms;
		least = MIN(least, s[i].parallelism);
		most = MAX(most, s[i].parallelism);
	}
	if (least != most)
		pods = arena_printf(arena, " with %d to %d pods", least, most);
	return arena_printf(arena, "%s%s until %s in %s", parts > 1 ? arena_printf(arena, ", in %d parts", parts) : "",
			    pods, at(arena, s[p->n_segments - 1].end_ms), places_in_words(p, arena));
}

static const char *limit_in_words(const struct caj_spec *s, struct arena *arena)
{
	char price[DECIMAL_TEXT];
	const char *text = "";

	if (s->max_carbon.set && s->max_carbon.hard)
		text = arena_printf(arena, "at most %d g/kWh, ", s->max_carbon.value / 1000);
	if (s->max_price.set && s->max_price.hard)
		text = arena_printf(arena, "%sat most %s per kWh, ", text,
				    decimal_format(s->max_price.value, 6, price));
	if (s->min_renewable.set && s->min_renewable.hard)
		text = arena_printf(arena, "%sat least %d %% renewable, ", text, s->min_renewable.value / 10);
	return text;
}

static void explain_no_start(struct plan_entry *p, const struct plan_source *s, struct arena *arena)
{
	int64_t latest_ms = s->timing->latest_start_ms;
	bool by_forecast = s->result->outcome == PLANNER_HARD_LIMIT;

	if (p->no_power) {
		p->reason = "NoPower";
		p->explanation = "waits: the region's power limit leaves no room for a run in time";
		return;
	}
	p->reason = by_forecast ? "HardLimitUnmet" : "HardLimitUnknown";
	p->explanation =
		arena_printf(arena, "does not start: no start until %s meets the hard limits (%s%s)",
			     latest_ms == TIME_NONE ? "now" : at(arena, latest_ms),
			     limit_in_words(&s->caj->spec, arena), by_forecast ? "by the forecast" : "data unknown");
}

static void explain(struct plan_entry *p, const struct plan_source *s, struct arena *arena)
{
	const struct grid_view *v = s->view;
	const struct caj_timing *t = s->timing;
	const struct planner_result *r = s->result;
	const char *region = grid_view_name(v, r->choice.region);
	const char *where = p->plan.n_segments > 1                     ? parts_in_words(&p->plan, arena)
			    : region && strcmp(region, HOME_MEAN) != 0 ? arena_printf(arena, " in %s", region)
								       : "";
	int64_t start_ms = p->plan.n_segments ? p->plan.segments[0].start_ms : r->choice.start_ms;
	const struct caj_baseline *baseline = s->caj->status.baseline.rule ? &s->caj->status.baseline : &p->baseline;
	const char *versus = p->plan.n_segments ? compared(p, &r->choice, baseline, arena) : "";

	/* An earlier plan stands in the same words, so that nothing is written anew. */
	bool planned = r->outcome == PLANNER_CHOSEN ||
		       (r->outcome == PLANNER_KEPT && (r->choice.start_ms > p->planned_ms || s->choice));
	if (planned) {
		p->reason = "Optimised";
		p->explanation = arena_printf(arena, "starts %s%s%s", at(arena, start_ms), where, versus);
		return;
	}
	switch (r->outcome) {
	case PLANNER_CHOSEN:
	case PLANNER_KEPT:
		p->reason = "NoGain";
		p->explanation = arena_printf(arena,
					      "starts at once%s%s; no later start is better by more than the "
					      "forecast's error",
					      where, versus);
		break;
	case PLANNER_AT_ONCE:
		p->reason = t->at_once_reason ? t->at_once_reason : "NoData";
		p->explanation =
			t->at_once_reason
				? arena_printf(arena, "starts at once%s (%s)", where, t->at_once_reason)
				: arena_printf(arena,
					       "starts at once%s: the grid data are missing or too old to plan by",
					       where);
		break;
	case PLANNER_FORCED:
		p->reason = "LatestStart";
		p->explanation = arena_printf(arena, "starts %s%s, its latest start: no start before it meets the %s%s",
					      at(arena, r->choice.start_ms), where,
					      r->rejected.power ? "region's power limit" : "soft limits", versus);
		break;
	case PLANNER_NO_DATA_WAIT:
		p->reason = "NoDataWait";
		p->explanation = arena_printf(arena,
					      "starts %s%s, its latest start: the grid data are missing or too "
					      "old to plan by",
					      at(arena, r->choice.start_ms), where);
		break;
	case PLANNER_HARD_LIMIT:
	case PLANNER_HARD_UNKNOWN:
		explain_no_start(p, s, arena);
		break;
	}
	p->no_data = r->outcome == PLANNER_NO_DATA_WAIT || r->outcome == PLANNER_HARD_UNKNOWN ||
		     (r->outcome == PLANNER_AT_ONCE && !t->at_once_reason);
}

static void set_options(struct plan_entry *p, const struct plan_source *s, bool power_known, struct arena *arena)
{
	const struct planner_result *r = s->result;

	p->n_options = MIN(r->n_options, CAJ_MAX_OPTIONS);
	p->options = arena_array(arena, (size_t)p->n_options, struct caj_option);
	for (int i = 0; i < p->n_options; i++)
		p->options[i] = (struct caj_option){
			.region = grid_view_name(s->view, r->options[i].region),
			.start_ms = r->options[i].start_ms,
			.expected = figures(&r->options[i], power_known),
		};
}

static bool needs_planned(const struct grid_view *v, const struct caj_spec *s, int region)
{
	return v->signals.regions[region].power_limit_milliwatts > 0 || (s->max_carbon.set && s->max_carbon.hard) ||
	       (s->max_price.set && s->max_price.hard) || (s->min_renewable.set && s->min_renewable.hard);
}

static const char *join_names(const struct grid_view *v, const struct caj_place *place, struct arena *arena)
{
	size_t len = 1;
	char *text, *p;

	for (int i = 0; i < place->n_regions; i++)
		len += strlen(grid_view_name(v, place->regions[i])) + 1;
	text = p = arena_alloc(arena, len);
	for (int i = 0; i < place->n_regions; i++)
		p += snprintf(p, len - (size_t)(p - text), "%s%s", i ? "," : "", grid_view_name(v, place->regions[i]));
	return text;
}

/* The values of all allowed regions under one label; false when their nodes share none. */
static bool allowed_values(const struct grid_view *v, const struct caj_place *place, struct arena *arena,
			   struct plan_affinity *a)
{
	int total = 0, n = 0;

	a->key = v->labels[place->regions[0]].key;
	for (int i = 0; i < place->n_regions; i++) {
		const struct region_label *label = &v->labels[place->regions[i]];

		if (!a->key || !cstr_eq(label->key, a->key))
			return false;
		total += label->n_values;
	}
	const char **values = arena_array(arena, (size_t)total, const char *);
	for (int i = 0; i < place->n_regions; i++) {
		const struct region_label *label = &v->labels[place->regions[i]];

		for (int k = 0; k < label->n_values; k++)
			values[n++] = label->values[k];
	}
	a->allowed = values;
	a->n_allowed = n;
	return true;
}

void caj_affinity(const struct grid_view *v, const struct carbonawarejob *caj, const struct caj_place *place,
		  int region, struct arena *arena, struct plan_affinity *a)
{
	*a = (struct plan_affinity){ 0 };
	for (int i = 0; i < place->n_regions; i++) {
		/* The mean of everywhere has no nodes of its own to name. */
		if (place->regions[i] == v->mean)
			return;
	}
	if (!place->constrained || place->n_regions == 0)
		return;
	a->regions = join_names(v, place, arena);
	bool shared = allowed_values(v, place, arena, a);
	if (region < 0 || region >= v->n_regions) {
		a->key = shared ? a->key : NULL;
		return;
	}
	/* No label in common: the planned region is an allowed one, and the only one that can be asked for. */
	a->key = v->labels[region].key;
	a->planned = v->labels[region].values;
	a->n_planned = v->labels[region].n_values;
	a->require_planned = !shared || needs_planned(v, &caj->spec, region);
}

static const char *cost_basis_name(const struct grid_view *v, int region)
{
	static const char *const names[] = { "Tariff", "Shadow", "None" };

	return region >= 0 && region < v->n_regions ? names[v->regions[region]->cost_basis] : "Tariff";
}

/* The currency of the place's prices; for the mean, that of any region with nodes (they are the same). */
static const char *currency_of(const struct grid_view *v, int region)
{
	if (region >= 0 && region < v->n_regions)
		return v->regions[region]->currency;
	for (int i = 0; i < v->n_regions; i++) {
		if (v->cpu_milli[i] > 0 && v->regions[i]->currency)
			return v->regions[i]->currency;
	}
	return NULL;
}

static void add_segment(struct caj_plan *p, const char *region, int64_t start_ms, int64_t end_ms, int32_t pods)
{
	struct caj_segment *last = p->n_segments ? &p->segments[p->n_segments - 1] : NULL;

	if (last && last->end_ms >= start_ms && last->parallelism == pods && cstr_eq(last->region, region))
		last->end_ms = end_ms;
	else
		p->segments[p->n_segments++] = (struct caj_segment){ region, start_ms, end_ms, pods };
}

/* What has begun stays as it was, up to now; the choice follows. */
static void join_segments(struct plan_entry *p, const struct plan_source *s, struct arena *arena)
{
	const struct grid_view *v = s->view;
	int begun = s->flex->progress.begun ? caj_segments_begun(s->stands, v->now_ms) : 0;
	struct caj_plan *plan = &p->plan;

	plan->segments = arena_array(arena, (size_t)(begun + s->choice->n), struct caj_segment);
	for (int i = 0; i < begun; i++) {
		plan->segments[plan->n_segments] = s->stands->segments[i];
		plan->segments[plan->n_segments].end_ms = MIN(s->stands->segments[i].end_ms, v->now_ms);
		plan->n_segments++;
	}
	for (int i = 0; i < s->choice->n; i++) {
		const struct planner_segment *g = &s->choice->segments[i];

		add_segment(plan, grid_view_name(v, g->region), g->start_ms, g->end_ms,
			    s->flex->flex.profile ? g->parallelism : caj_full_pods(&s->caj->spec, s->job));
	}
	plan->n_segments = MIN(plan->n_segments, CAJ_MAX_SEGMENTS);
}

/* A plan that stands is not told anew because its end has moved by minutes. */
static bool is_as_it_stood(const struct plan_source *s)
{
	const struct caj_plan *was = s->stands;

	return s->choice->kept &&
	       s->choice->segments[s->choice->n - 1].end_ms <= was->segments[was->n_segments - 1].end_ms + SAME_END_MS;
}

/* What was expected of the whole, with another expectation of a part of it. */
static struct caj_figures replaced(struct caj_figures was, struct caj_figures part, struct caj_figures by)
{
	was.energy_known &= part.energy_known && by.energy_known;
	was.carbon_known &= part.carbon_known && by.carbon_known;
	was.cost_known &= part.cost_known && by.cost_known;
	was.energy_milliwatt_hours += by.energy_milliwatt_hours - part.energy_milliwatt_hours;
	was.carbon_milligrams += by.carbon_milligrams - part.carbon_milligrams;
	was.cost_micros += by.cost_micros - part.cost_micros;
	return was;
}

static void set_parts(struct plan_entry *p, const struct plan_source *s, bool power_known, struct arena *arena)
{
	struct caj_figures fresh = figures(&s->result->choice, power_known), was = s->stands->expected;
	bool begun = s->flex->progress.begun;

	if (is_as_it_stood(s))
		p->plan = *s->stands;
	else
		join_segments(p, s, arena);
	if (!begun)
		p->plan.expected = fresh;
	else if (s->choice->kept || !s->instead)
		p->plan.expected = was;
	else
		p->plan.expected = replaced(was, figures(s->instead, power_known), fresh);
}

static void set_plan(struct plan_entry *p, const struct plan_source *s, bool power_known, struct arena *arena)
{
	const struct planner_result *r = s->result;

	p->home = grid_view_name(s->view, s->place->home);
	if (s->choice) {
		set_parts(p, s, power_known, arena);
	} else if (r->choice.region != PLANNER_NO_REGION) {
		p->plan.n_segments = 1;
		p->plan.segments = arena_new(arena, struct caj_segment);
		*p->plan.segments = (struct caj_segment){
			.region = grid_view_name(s->view, r->choice.region),
			.start_ms = r->choice.start_ms,
			.end_ms = r->choice.start_ms + s->timing->duration_ms,
			.parallelism = caj_full_pods(&s->caj->spec, s->job),
		};
		p->plan.expected = figures(&r->choice, power_known);
	}
	if (s->place->home >= 0)
		p->baseline = (struct caj_baseline){
			.rule = "run-at-once-at-home",
			.region = p->home,
			.start_ms = r->baseline.start_ms,
			.expected = figures(&r->baseline, power_known),
		};
}

static const char *plan_id(const struct plan_entry *p, const struct carbonawarejob *caj, struct arena *arena)
{
	char identity[OBJECT_KEY_MAX];
	uint64_t hash;

	(void)snprintf(identity, sizeof(identity), "%s %s %" PRId64, caj->obj.meta.uid,
		       p->plan.n_segments ? p->plan.segments[0].region : "-",
		       p->plan.n_segments ? p->plan.segments[0].start_ms : 0);
	hash = str_fnv1a(str_from(identity));
	for (int i = 0; i < p->plan.n_segments && p->plan.n_segments > 1; i++) {
		const struct caj_segment *s = &p->plan.segments[i];

		(void)snprintf(identity, sizeof(identity), "%016" PRIx64 " %s %" PRId64 " %" PRId64 " %d", hash,
			       s->region, s->start_ms, s->end_ms, s->parallelism);
		hash = str_fnv1a(str_from(identity));
	}
	return arena_printf(arena, "%016" PRIx64, hash);
}

/* The entry; its names are still the source's. */
static struct plan_entry *draft_entry(const struct plan_source *s, struct arena *arena)
{
	struct plan_entry *p = arena_new(arena, struct plan_entry);
	const struct carbonawarejob *caj = s->caj;
	const struct planner_result *r = s->result;
	bool power_known = (s->planner_job->power_milliwatts > 0 || caj->spec.power_watts_per_pod == 0) &&
			   s->timing->duration_ms > 0;
	int region = r->choice.region >= 0 ? r->choice.region : s->place->home;

	p->uid = caj->obj.meta.uid;
	p->basis = s->basis;
	p->generation = caj->obj.meta.generation;
	p->run_now = caj->run_now;
	p->not_before_ms = caj->not_before_ms;
	p->planned_ms = s->view->now_ms;
	p->outcome = r->outcome;
	p->shift_disabled = s->place->shift_disabled != NULL;
	p->over_power = r->outcome == PLANNER_FORCED && r->binding == PLANNER_BINDING_POWER;
	p->no_power = r->outcome == PLANNER_HARD_LIMIT && r->binding == PLANNER_BINDING_POWER;
	p->currency = currency_of(s->view, region);
	p->cost_basis = cost_basis_name(s->view, region);
	set_plan(p, s, power_known, arena);
	explain(p, s, arena);
	set_options(p, s, power_known, arena);
	p->plan_id = plan_id(p, caj, arena);
	return p;
}

static struct plan_entry *copy_entry(const struct plan_entry *from, struct arena *arena)
{
	struct plan_entry *p = arena_new(arena, struct plan_entry);
	struct shared_texts texts = { .arena = arena };

	*p = *from;
	if (from->told) {
		const struct caj_status *status = &carbonawarejob_of(from->told)->status;

		shared_texts_know(&texts, from->told->meta.uid);
		shared_texts_know(&texts, status->home);
		shared_texts_know(&texts, status->currency);
		shared_texts_know(&texts, status->plan_id);
		shared_texts_know(&texts, status->explanation);
		for (int i = 0; i < status->plan.n_segments; i++)
			shared_texts_know(&texts, status->plan.segments[i].region);
	}
	p->uid = shared_text(&texts, from->uid);
	p->home = shared_text(&texts, from->home);
	p->plan.segments = arena_array(arena, (size_t)from->plan.n_segments, struct caj_segment);
	for (int i = 0; i < from->plan.n_segments; i++) {
		p->plan.segments[i] = from->plan.segments[i];
		p->plan.segments[i].region = shared_text(&texts, from->plan.segments[i].region);
	}
	p->baseline.region = shared_text(&texts, from->baseline.region);
	p->options = arena_array(arena, (size_t)from->n_options, struct caj_option);
	for (int i = 0; i < from->n_options; i++) {
		p->options[i] = from->options[i];
		p->options[i].region = shared_text(&texts, from->options[i].region);
	}
	p->currency = shared_text(&texts, from->currency);
	p->plan_id = shared_text(&texts, from->plan_id);
	p->explanation = shared_text(&texts, from->explanation);
	return p;
}

struct plan_entry *plan_entry_new(const struct plan_source *s, struct plan_entry *earlier, struct arena *scratch)
{
	struct plan_entry *draft = draft_entry(s, scratch);
	const struct caj_status *status = &s->caj->status;
	struct arena arena;

	if (cstr_eq(status->plan_id, draft->plan_id) && cstr_eq(status->explanation, draft->explanation)) {
		draft->told = &s->caj->obj;
		/* Options are only written together with new words, see copy_plan() in decide.c. */
		draft->n_options = 0;
	}
	if (earlier && earlier->told == draft->told && plan_entry_equal(earlier, draft)) {
		earlier->basis = s->basis;
		return plan_entry_ref(earlier);
	}
	/* Copied twice: the first copy tells the size of the one that is kept. */
	size_t before = arena_used(scratch);
	(void)copy_entry(draft, scratch);
	arena_init(&arena, arena_used(scratch) - before, ENTRY_MAX_BYTES);
	struct plan_entry *p = copy_entry(draft, &arena);
	p->arena = arena;
	atomic_init(&p->refs, 1);
	(void)object_ref(p->told);
	return p;
}

struct plan_entry *plan_entry_ref(struct plan_entry *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void plan_entry_unref(struct plan_entry *p)
{
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct arena arena = p->arena; /* holds the entry itself */
	object_unref(p->told);
	arena_release(&arena);
}

bool plan_entry_is_for(const struct plan_entry *p, const struct carbonawarejob *caj)
{
	return p->generation == caj->obj.meta.generation && p->run_now == caj->run_now &&
	       p->not_before_ms == caj->not_before_ms;
}

static bool figures_equal(const struct caj_figures *a, const struct caj_figures *b)
{
	return a->energy_known == b->energy_known && a->carbon_known == b->carbon_known &&
	       a->cost_known == b->cost_known &&
	       (!a->energy_known || a->energy_milliwatt_hours == b->energy_milliwatt_hours) &&
	       (!a->carbon_known || a->carbon_milligrams == b->carbon_milligrams) &&
	       (!a->cost_known || a->cost_micros == b->cost_micros);
}

bool plan_entry_equal(const struct plan_entry *a, const struct plan_entry *b)
{
	return a == b ||
	       (a->generation == b->generation && a->run_now == b->run_now && a->not_before_ms == b->not_before_ms &&
		a->no_power == b->no_power && a->no_data == b->no_data && strcmp(a->plan_id, b->plan_id) == 0 &&
		cstr_eq(a->reason, b->reason) && figures_equal(&a->plan.expected, &b->plan.expected) &&
		strcmp(a->explanation, b->explanation) == 0);
}
