/* SPDX-License-Identifier: Apache-2.0 */
/* Our kinds to planner input. */
#include "decide/translate.h"

#include <stddef.h>

#include "base/decimal.h"

static int32_t *column(const struct grid_view *v, const struct grid_forecast *f, const int32_t *from,
		       struct arena *arena)
{
	if (!from)
		return NULL;
	int32_t *out = arena_array(arena, (size_t)v->signals.n_slots, int32_t);
	for (int i = 0; i < v->signals.n_slots; i++)
		out[i] = grid_forecast_at(f, from, v->signals.first_slot_ms + i * v->signals.slot_ms);
	return out;
}

/* When the values of that metric were fetched, TIME_NONE if never. */
static int64_t fetched_ms(const struct gridregion *r, const char *metric)
{
	for (int i = 0; i < r->n_sources; i++) {
		if (cstr_eq(r->sources[i].metric, metric))
			return r->sources[i].fetched_ms;
	}
	return TIME_NONE;
}

static bool is_fresh(const struct grid_view *v, const struct gridregion *r, const char *metric)
{
	int64_t at = fetched_ms(r, metric);

	return at != TIME_NONE && v->now_ms - at <= v->config->max_forecast_age_ms;
}

static void region_columns(const struct grid_view *v, const struct gridregion *r, struct planner_region *ret,
			   struct arena *arena)
{
	*ret = (struct planner_region){
		.name = r->obj.meta.name,
		.power_limit_milliwatts = r->power_limit_watts * 1000,
		.power_limit_hard = r->power_limit_hard,
		.carbon_error_mg_per_kwh = gridregion_carbon_error(r, v->config->carbon_error_mg_per_kwh),
	};
	if (is_fresh(v, r, "carbon")) {
		ret->carbon_mg_per_kwh = column(v, &r->forecast, r->forecast.carbon_p50, arena);
		ret->renewable_permille = column(v, &r->forecast, r->forecast.renewable, arena);
	}
	/* Published prices do not change: they need not be fetched again to stay true. */
	if (r->cost_basis != COST_BASIS_NONE)
		ret->price_micros_per_kwh = column(v, &r->forecast, r->forecast.price_p50, arena);
}

/* Allocatable-weighted mean of one column over the regions with nodes; unknown where any of them is unknown. */
static const int32_t *mean_column(const struct grid_view *v, size_t offset, struct arena *arena)
{
	const struct planner_region *regions = v->signals.regions;
	int32_t *out = arena_array(arena, (size_t)v->signals.n_slots, int32_t);

	for (int s = 0; s < v->signals.n_slots; s++) {
		double sum = 0, weight = 0;
		bool known = true;

		for (int r = 0; r < v->n_regions && known; r++) {
			if (v->cpu_milli[r] == 0)
				continue;
			const int32_t *const *col = (const void *)((const char *)&regions[r] + offset);
			known = *col && (*col)[s] != PLANNER_UNKNOWN;
			if (known) {
				sum += (double)(*col)[s] * (double)v->cpu_milli[r];
				weight += (double)v->cpu_milli[r];
			}
		}
		out[s] = known && weight > 0 ? (int32_t)(sum / weight + (sum < 0 ? -0.5 : 0.5)) : PLANNER_UNKNOWN;
	}
	return out;
}

static bool same_basis(const struct gridregion *a, const struct gridregion *b)
{
	return memcmp(&a->basis, &b->basis, sizeof(a->basis)) == 0 &&
	       (!a->currency || !b->currency || cstr_eq(a->currency, b->currency));
}

/* The mean home needs one basis and one currency over all regions with nodes: mixing them would invent a figure. */
static bool mean_is_possible(const struct grid_view *v)
{
	const struct gridregion *first = NULL;

	for (int r = 0; r < v->n_regions; r++) {
		if (v->cpu_milli[r] == 0)
			continue;
		if (first && !same_basis(first, v->regions[r]))
			return false;
		first = first ? first : v->regions[r];
	}
	return first != NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct gridregion *const *x = a, *const *y = b;

	return strcmp((*x)->obj.meta.name, (*y)->obj.meta.name);
}

/* How this node says that it belongs to r: the same ways, in the same order, as gridregion_of_node(). */
static struct region_label label_of_node(const struct gridregion *r, const struct object_meta *node,
					 struct arena *arena)
{
	const char *own = pairs_get(&node->labels, LABEL_REGION);

	if (cstr_eq(own, r->obj.meta.name)) {
		const char **value = arena_new(arena, const char *);

		*value = r->obj.meta.name;
		return (struct region_label){ LABEL_REGION, value, 1 };
	}
	if (r->node_selector.len == 1 &&
	    cstr_eq(pairs_get(&node->labels, r->node_selector.items[0].key), r->node_selector.items[0].value))
		return (struct region_label){ r->node_selector.items[0].key, &r->node_selector.items[0].value, 1 };
	if (r->n_cloud_regions > 0 && pairs_get(&node->labels, LABEL_TOPOLOGY_REGION))
		return (struct region_label){ LABEL_TOPOLOGY_REGION, r->cloud_regions, r->n_cloud_regions };
	return (struct region_label){ 0 };
}

static void count_nodes(struct grid_view *v, const struct node *const *nodes, size_t n_nodes, struct arena *arena)
{
	for (size_t i = 0; i < n_nodes; i++) {
		int r = gridregion_of_node(v->regions, v->n_regions, &nodes[i]->obj.meta);

		if (nodes[i]->unschedulable || !nodes[i]->ready)
			continue;
		power_mean_add(&v->power_all, nodes[i]);
		if (r < 0)
			continue;
		power_mean_add(&v->power[r], nodes[i]);
		/* The first node decides; one that tells it in another way leaves the region without a label. */
		struct region_label label = label_of_node(v->regions[r], &nodes[i]->obj.meta, arena);
		if (v->cpu_milli[r] == 0)
			v->labels[r] = label;
		else if (!cstr_eq(v->labels[r].key, label.key))
			v->labels[r].key = NULL;
		v->cpu_milli[r] += MAX(nodes[i]->cpu_milli, 1);
	}
}

/* A region that scales from zero is named as its nodes will be. */
static void label_on_demand(struct grid_view *v, struct arena *arena)
{
	for (int i = 0; i < v->n_regions; i++) {
		const struct gridregion *r = v->regions[i];
		struct region_label *label = &v->labels[i];

		if (v->cpu_milli[i] > 0 || r->capacity != REGION_CAPACITY_ON_DEMAND)
			continue;
		if (r->node_selector.len == 1) {
			*label = (struct region_label){ r->node_selector.items[0].key, &r->node_selector.items[0].value,
							1 };
		} else if (r->n_cloud_regions > 0) {
			*label = (struct region_label){ LABEL_TOPOLOGY_REGION, r->cloud_regions, r->n_cloud_regions };
		} else {
			const char **value = arena_new(arena, const char *);

			*value = r->obj.meta.name;
			*label = (struct region_label){ LABEL_REGION, value, 1 };
		}
	}
}

static int horizon_slots(const struct grid_view *v, int64_t first_slot_ms)
{
	int64_t end = first_slot_ms;

	for (int i = 0; i < v->n_regions; i++) {
		const struct grid_forecast *f = &v->regions[i]->forecast;

		if (f->start_ms != TIME_NONE)
			end = MAX(end, f->start_ms + f->n * f->slot_ms);
	}
	return (int)CLAMP((end - first_slot_ms) / SLOT_MS, 0, PLANNER_MAX_SLOTS);
}

void grid_view_init(struct grid_view *v, const struct translate_config *config, int64_t now_ms,
		    const struct gridregion *const *regions, int n_regions, const struct node *const *nodes,
		    size_t n_nodes, struct arena *arena)
{
	*v = (struct grid_view){ .now_ms = now_ms, .config = config, .mean = -1 };
	v->n_regions = MIN(n_regions, PLANNER_MAX_REGIONS - 1);
	v->regions = arena_array(arena, (size_t)v->n_regions + 1, const struct gridregion *);
	v->cpu_milli = arena_array(arena, (size_t)v->n_regions + 1, int64_t);
	v->power = arena_array(arena, (size_t)v->n_regions + 1, struct power_mean);
	v->labels = arena_array(arena, (size_t)v->n_regions + 1, struct region_label);
	for (int i = 0; i < v->n_regions; i++)
		v->regions[i] = regions[i];
	qsort(v->regions, (size_t)v->n_regions, sizeof(*v->regions), by_name);
	count_nodes(v, nodes, n_nodes, arena);
	label_on_demand(v, arena);

	int64_t first = time_slot_floor(now_ms, SLOT_MS);
	struct planner_region *columns = arena_array(arena, (size_t)v->n_regions + 1, struct planner_region);
	v->signals = (struct planner_signals){
		.now_ms = now_ms,
		.first_slot_ms = first,
		.slot_ms = SLOT_MS,
		.n_slots = horizon_slots(v, first),
		.regions = columns,
		.n_regions = v->n_regions,
		.carbon_error_mg_per_kwh = config->carbon_error_mg_per_kwh,
		.price_error_permille = config->price_error_permille,
	};
	for (int i = 0; i < v->n_regions; i++)
		region_columns(v, v->regions[i], &columns[i], arena);
	if (mean_is_possible(v)) {
		v->mean = v->n_regions;
		columns[v->mean] = (struct planner_region){
			.name = HOME_MEAN,
			.carbon_mg_per_kwh = mean_column(v, offsetof(struct planner_region, carbon_mg_per_kwh), arena),
			.price_micros_per_kwh =
				mean_column(v, offsetof(struct planner_region, price_micros_per_kwh), arena),
			.renewable_permille =
				mean_column(v, offsetof(struct planner_region, renewable_permille), arena),
		};
		v->signals.n_regions++;
	}
}

int grid_view_find(const struct grid_view *v, const char *name)
{
	int lo = 0, hi = v->n_regions - 1;

	if (!name)
		return -1;
	if (strcmp(name, HOME_MEAN) == 0 && v->mean >= 0)
		return v->mean;
	while (lo <= hi) {
		int mid = (lo + hi) / 2;
		int c = strcmp(name, v->regions[mid]->obj.meta.name);

		if (c == 0)
			return mid;
		if (c < 0)
			hi = mid - 1;
		else
			lo = mid + 1;
	}
	return -1;
}

const char *grid_view_name(const struct grid_view *v, int region)
{
	return region >= 0 && region < v->signals.n_regions ? v->signals.regions[region].name : NULL;
}

static int unknown_region(struct caj_refusal *refusal, const char *field, const char *name)
{
	if (!refusal->reason) {
		refusal->reason = "UnknownRegion";
		(void)snprintf(refusal->message, sizeof(refusal->message),
			       "%s: there is no GridRegion \"%s\"; `kubectl get gridregions` lists those there are",
			       field, name);
	}
	return -1;
}

/* The regions that the template itself allows; n = 0: all of them. */
struct template_regions {
	bool allowed[PLANNER_MAX_REGIONS];
	int n, first;
};

/* Does a node of that region have the label? As far as the GridRegion tells. */
static bool region_has(const struct gridregion *r, const char *key, const char *value)
{
	if (strcmp(key, LABEL_REGION) == 0 && strcmp(value, r->obj.meta.name) == 0)
		return true;
	if (cstr_eq(pairs_get(&r->node_selector, key), value))
		return true;
	for (int i = 0; i < r->n_cloud_regions && strcmp(key, LABEL_TOPOLOGY_REGION) == 0; i++) {
		if (strcmp(r->cloud_regions[i], value) == 0)
			return true;
	}
	return false;
}

/* By the first n expressions of the term. */
static bool region_is_in(const struct gridregion *r, const struct region_term *term, int n)
{
	for (int i = 0; i < n; i++) {
		const struct node_in *in = &term->in[i];
		bool found = false;

		for (int k = 0; k < in->n_values && !found; k++)
			found = region_has(r, in->key, in->values[k]);
		if (!found)
			return false;
	}
	return true;
}

static const char *const region_keys[] = { POD_TEMPLATE_REGION_KEYS };

bool caj_placed_of(const struct job *job, struct caj_placed *ret)
{
	const char *text = object_annotation(&job->obj, ANNOTATION_PLACED);
	struct str rest = text ? str_from(text) : STR_NULL, region, required, preferred;

	if (!str_split(&rest, ' ', &region) || !str_split(&rest, ' ', &required) || !str_split(&rest, ' ', &preferred))
		return false;
	return str_copy(ret->region, sizeof(ret->region), region) &&
	       str_copy(ret->required, sizeof(ret->required), str_is(required, "-") ? STR("") : required) &&
	       str_copy(ret->preferred, sizeof(ret->preferred), str_is(preferred, "-") ? STR("") : preferred);
}

/* Of a term's expressions the user's own: the last one is ours where a release has added it. */
static int own_expressions(const struct region_term *term, const char *ours)
{
	return term->n - (*ours && term->n > 0 && strcmp(term->in[term->n - 1].key, ours) == 0);
}

/* The user's own required affinity confines the pods to regions, in each of its terms. */
static bool has_own_terms(const struct pod_template *t, const char *ours)
{
	for (int i = 0; i < t->n_region_terms; i++) {
		if (own_expressions(&t->region_terms[i], ours) == 0)
			return false;
	}
	return t->n_region_terms > 0;
}

static bool names_regions(const struct pod_template *t, const char *ours)
{
	bool names = has_own_terms(t, ours);

	for (size_t i = 0; i < ARRAY_LEN(region_keys); i++)
		names |= pairs_get(&t->node_selector, region_keys[i]) != NULL;
	return names;
}

/* By nodeSelector and required affinity, both of which must hold. */
static bool template_allows(const struct gridregion *r, const struct pod_template *t, const char *ours)
{
	bool any = !has_own_terms(t, ours);

	for (size_t i = 0; i < ARRAY_LEN(region_keys); i++) {
		const char *value = pairs_get(&t->node_selector, region_keys[i]);

		if (value && !region_has(r, region_keys[i], value))
			return false;
	}
	for (int i = 0; i < t->n_region_terms && !any; i++)
		any = region_is_in(r, &t->region_terms[i], own_expressions(&t->region_terms[i], ours));
	return any;
}

/* A template that names no GridRegion at all tells us nothing. */
static void template_regions(const struct grid_view *v, const struct job *job, struct template_regions *ret)
{
	struct caj_placed placed;

	*ret = (struct template_regions){ .first = -1 };
	const char *ours = job && caj_placed_of(job, &placed) ? placed.required : "";
	if (!job || !names_regions(&job->template, ours))
		return;
	for (int r = v->n_regions - 1; r >= 0; r--) {
		ret->allowed[r] = template_allows(v->regions[r], &job->template, ours);
		ret->n += ret->allowed[r];
		ret->first = ret->allowed[r] ? r : ret->first;
	}
}

static bool is_allowed(const struct template_regions *t, int region)
{
	return t->n == 0 || (region >= 0 && region < PLANNER_MAX_REGIONS && t->allowed[region]);
}

static int largest_of(const struct grid_view *v, const struct template_regions *t)
{
	int largest = t->first;

	for (int r = t->first; r < v->n_regions; r++) {
		if (t->allowed[r] && v->cpu_milli[r] > v->cpu_milli[largest])
			largest = r;
	}
	return largest;
}

static int find_home(const struct grid_view *v, const struct carbonawarejob *caj, const struct template_regions *own,
		     struct caj_refusal *refusal)
{
	const char *frozen = caj->status.home;
	int by_default = grid_view_find(v, v->config->default_region);

	if (frozen && grid_view_find(v, frozen) >= 0)
		return grid_view_find(v, frozen);
	if (caj->spec.home_region) {
		int home = grid_view_find(v, caj->spec.home_region);

		return home >= 0 ? home : unknown_region(refusal, "spec.homeRegion", caj->spec.home_region);
	}
	if (own->n > 0 && !(by_default >= 0 && is_allowed(own, by_default)))
		return largest_of(v, own);
	return by_default >= 0 ? by_default : v->mean;
}

static bool has_capacity(const struct grid_view *v, int region)
{
	if (region == v->mean)
		return true;
	return v->cpu_milli[region] > 0 || v->regions[region]->capacity == REGION_CAPACITY_ON_DEMAND;
}

static const char *why_not_comparable(const struct grid_view *v, int home, int region)
{
	if (home < 0 || home == v->mean || home == region)
		return NULL;
	const struct gridregion *h = v->regions[home], *r = v->regions[region];
	if (h->place_shift_disabled || r->place_shift_disabled)
		return "PlaceShiftDisabled";
	return same_basis(h, r) ? NULL : "another carbon basis or currency";
}

static void add_region(const struct grid_view *v, const struct template_regions *own, struct caj_place *p, int region)
{
	for (int i = 0; i < p->n_regions; i++) {
		if (p->regions[i] == region)
			return;
	}
	const char *why = why_not_comparable(v, p->home, region);
	if (!is_allowed(own, region))
		return;
	if (why)
		p->shift_disabled = why;
	else if (has_capacity(v, region) && p->n_regions < (int)ARRAY_LEN(p->regions))
		p->regions[p->n_regions++] = (int16_t)region;
}

/* A region that the pods or an earlier release are tied to, whatever else the spec allows; -1 = none. */
static int tied_to(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
		   const struct template_regions *own)
{
	const struct caj_ledger *l = &caj->status.ledger;

	if (own->n == 1 || !job)
		return own->first;
	if (l->begun && l->region && (l->in_place || !caj->spec.interrupt.set))
		return grid_view_find(v, l->region);
	/* Between two parts of its run it may move. */
	if (l->begun && caj->spec.interrupt.set)
		return -1;
	/* The affinity of the first release stays: the API server takes no other for a Job that has started. */
	if (object_annotation(&job->obj, ANNOTATION_REGIONS) && caj->status.plan.n_segments > 0)
		return grid_view_find(v, caj->status.plan.segments[0].region);
	return -1;
}

/* Home and spec.relocate, as far as the template allows them; if it allows none of them, what it does allow. */
static void add_allowed(const struct grid_view *v, const struct carbonawarejob *caj, const struct template_regions *own,
			struct caj_place *p)
{
	if (p->home >= 0)
		add_region(v, own, p, p->home);
	/* Where it has run it may go on, whatever has become of that region. */
	int begun = caj->status.ledger.begun ? grid_view_find(v, caj->status.ledger.region) : -1;
	if (begun >= 0 && begun != p->home && p->n_regions < (int)ARRAY_LEN(p->regions))
		p->regions[p->n_regions++] = (int16_t)begun;
	for (int i = 0; i < caj->spec.n_relocate; i++) {
		int r = grid_view_find(v, caj->spec.relocate[i]);

		if (r >= 0 && r != v->mean)
			add_region(v, own, p, r);
	}
	bool none = p->n_regions == 0 && own->n > 0;
	for (int r = 0; r < v->n_regions && none; r++) {
		if (own->allowed[r])
			add_region(v, own, p, r);
	}
}

void caj_place(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job, struct caj_place *p,
	       struct caj_refusal *refusal)
{
	struct template_regions own;

	template_regions(v, job, &own);
	int tied = tied_to(v, caj, job, &own);
	*p = (struct caj_place){ 0 };
	p->home = (int16_t)find_home(v, caj, &own, refusal);
	p->constrained = caj->spec.n_relocate > 0 || caj->spec.home_region;
	for (int i = 0; i < caj->spec.n_relocate; i++) {
		int r = grid_view_find(v, caj->spec.relocate[i]);

		if (r < 0 || r == v->mean)
			(void)unknown_region(refusal, "spec.relocate.regions", caj->spec.relocate[i]);
	}
	if (tied >= 0) {
		p->regions[p->n_regions++] = (int16_t)tied;
		p->constrained &= own.n != 1; /* the template says so itself */
	} else {
		add_allowed(v, caj, &own, p);
	}
	/* A cluster whose nodes tell no region: time shift at home still works, and nothing is constrained. */
	if (p->n_regions == 0 && p->home >= 0) {
		p->regions[p->n_regions++] = p->home;
		p->constrained = false;
	}
}

int64_t caj_pod_milliwatts(const struct caj_spec *spec, const struct pod_requests *requests,
			   const struct power_model *model)
{
	return spec->power_watts_per_pod >= 0 ? spec->power_watts_per_pod * 1000 : power_of_pod(model, requests);
}

struct power_model grid_view_power(const struct grid_view *v, const int16_t *regions, int n)
{
	struct power_mean sum = { 0 };

	for (int i = 0; i < n; i++) {
		if (regions[i] >= 0 && regions[i] < v->n_regions)
			power_mean_merge(&sum, &v->power[regions[i]]);
	}
	return power_mean_model(sum.cores > 0 ? &sum : &v->power_all);
}

int32_t caj_pods(const struct job *job)
{
	int32_t pods = MAX(job->parallelism, 1);

	return job->completions > 0 ? MIN(pods, job->completions) : pods;
}

int32_t caj_full_pods(const struct caj_spec *spec, const struct job *job)
{
	return spec->scale.set ? spec->scale.max : caj_pods(job);
}

static struct planner_limit limit(const struct caj_limit *l)
{
	return (struct planner_limit){
		.enforcement = !l->set   ? PLANNER_LIMIT_NONE
			       : l->hard ? PLANNER_LIMIT_HARD
					 : PLANNER_LIMIT_SOFT,
		.value = l->value,
	};
}

void caj_to_planner(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
		    const struct caj_timing *t, const struct caj_place *place, struct planner_job *ret)
{
	const struct caj_spec *s = &caj->spec;
	const struct caj_status *status = &caj->status;
	struct power_model power = grid_view_power(v, place->regions, place->n_regions);

	*ret = (struct planner_job){
		.id = caj->obj.meta.uid,
		.earliest_ms = t->earliest_ms,
		.latest_start_ms = t->latest_start_ms,
		.duration_ms = MAX(t->duration_ms, 1),
		.power_milliwatts = caj_pod_milliwatts(s, &job->template.requests, &power) * caj_full_pods(s, job),
		.spread_ms = t->spread_ms,
		.weight_carbon = s->weights.carbon,
		.weight_cost = s->weights.cost,
		.weight_delay = s->weights.delay,
		.weight_renewable = s->weights.renewable,
		.max_carbon = limit(&s->max_carbon),
		.max_price = limit(&s->max_price),
		.min_renewable = limit(&s->min_renewable),
		.regions = place->regions,
		.n_regions = place->n_regions,
		.home = place->home,
		.critical = s->critical || caj->run_now,
		.run_at_latest_on_no_data = s->run_at_latest_on_no_data,
		.earlier_region = PLANNER_NO_REGION,
	};
	if (status->plan.n_segments > 0) {
		ret->earlier_region = (int16_t)grid_view_find(v, status->plan.segments[0].region);
		ret->earlier_start_ms = status->plan.segments[0].start_ms;
	}
}
