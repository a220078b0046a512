/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what the collector knows: which source a region goes by, what is known of its area, and the gauges. */
#include <math.h>

#include "controller/collector_internal.h"
#include "metrics/metrics.h"

/* The metrics of a chain: what its sources are named for, or another that they bring along. */
static void links_of(const struct chain *c, enum grid_metric metric, struct grid_link out[GRID_CHAIN_MAX])
{
	for (int i = 0; i < c->n; i++) {
		const struct source *src = c->sources[i];
		enum grid_metric m = src && metric == GRID_PRICE ? src->metric : metric;

		out[i] = (struct grid_link){ 0 };
		if (src && src->tracks[m])
			out[i] = (struct grid_link){ src->provider, src->tracks[m], m, src->basis, src->currency };
	}
}

/* Why the sources before the chosen one, or all of them, are passed over. */
static const char *trouble_of(const struct collector_state *s, const struct chain *c, enum grid_metric metric,
			      int until, struct arena *arena)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(900);
	char when[TIME_TEXT];

	for (int i = 0; i < until; i++) {
		const struct source *src = c->sources[i];
		const struct grid_track *t = src ? src->tracks[metric == GRID_PRICE ? src->metric : metric] : NULL;

		(void)buf_addf(&text, "%s%s: ", text.len ? "; " : "", c->names[i]);
		if (!src)
			(void)buf_adds(&text, "no such provider, or it has no such zone");
		else if (s->providers[src->index].off[0])
			(void)buf_adds(&text, s->providers[src->index].off);
		else if (src->trouble[0])
			(void)buf_adds(&text, src->trouble);
		else if (!t || t->s.issued_ms == TIME_NONE)
			(void)buf_adds(&text, "no answer yet");
		else
			(void)buf_addf(&text, "newest data of %s", time_format(t->s.issued_ms, when));
	}
	return text.len ? arena_strdup(arena, buf_cstr(&text)) : NULL;
}

static void pick(const struct collector_state *s, const struct chain *c, enum grid_metric metric, int64_t now_ms,
		 struct arena *arena, struct collector_pick *ret)
{
	struct grid_link links[GRID_CHAIN_MAX];
	struct grid_choice choice;
	struct grid_series *series;
	const struct source *src;

	links_of(c, metric, links);
	grid_chain_choose(links, c->n, now_ms, &choice);
	*ret = (struct collector_pick){ .use = choice.use,
					.chain = choice.link,
					.usable = grid_choice_is_usable(&choice),
					.confidence_permille = choice.confidence_permille,
					.fetched_ms = TIME_NONE };
	/* The last good data of the first source are a trouble of that source too. */
	ret->trouble = trouble_of(
		s, c, metric, choice.use == GRID_USE_FRESH || choice.use == GRID_USE_LAST_RESORT ? choice.link : c->n,
		arena);
	if (choice.link < 0)
		return;
	src = c->sources[choice.link];
	series = arena_new(arena, struct grid_series);
	grid_chain_series(links, c->n, &choice, series);
	ret->provider = src->provider;
	ret->zone = arena_strdup(arena, src->zone);
	ret->product = src->product[0] ? arena_strdup(arena, src->product) : NULL;
	ret->metric = links[choice.link].metric;
	ret->basis = src->basis;
	ret->currency = src->currency;
	ret->fetched_ms = links[choice.link].track->fetched_ms;
	ret->series = series;
	for (int i = 0; i < c->n; i++)
		if (choice.filled_by & 1U << i)
			ret->fillers[ret->n_fillers++] =
				(struct collector_filler){ c->sources[i]->provider,
							   arena_strdup(arena, c->sources[i]->zone) };
}

/* A share of the mix: from the first source that has it and whose figures mean the same as the chosen one's. */
static const struct grid_series *share(const struct chain *c, const struct collector_pick *carbon,
				       enum grid_metric metric, int64_t now_ms, struct arena *arena)
{
	struct grid_link links[GRID_CHAIN_MAX];
	struct grid_choice choice;
	struct grid_series *out;

	if (carbon->chain < 0)
		return NULL;
	links_of(c, metric, links);
	for (int i = 0; i < c->n; i++)
		if (memcmp(&links[i].basis, &carbon->basis, sizeof(carbon->basis)) != 0)
			links[i] = (struct grid_link){ 0 };
	grid_chain_choose(links, c->n, now_ms, &choice);
	if (choice.link < 0)
		return NULL;
	out = arena_new(arena, struct grid_series);
	grid_chain_series(links, c->n, &choice, out);
	return out;
}

/* Do the usable figures of a group mean different things? */
static enum collector_mixed mixed(const struct collector_state *s, const char *group, int64_t now_ms)
{
	struct grid_link links[GRID_CHAIN_MAX], carbon = { 0 }, price = { 0 };
	struct grid_choice choice;

	for (size_t i = 0; group[0] && i < s->regions.len; i++) {
		const struct region *r = &s->regions.ptr[i];

		if (strcmp(r->group, group) != 0)
			continue;
		links_of(&r->carbon, GRID_CARBON, links);
		grid_chain_choose(links, r->carbon.n, now_ms, &choice);
		if (grid_choice_is_usable(&choice)) {
			if (carbon.provider && !grid_link_is_comparable(&carbon, &links[choice.link]))
				return COLLECTOR_MIXED_BASIS;
			carbon = links[choice.link];
		}
		links_of(&r->price, GRID_PRICE, links);
		grid_chain_choose(links, r->price.n, now_ms, &choice);
		if (grid_choice_is_usable(&choice)) {
			if (price.provider && !grid_link_is_comparable(&price, &links[choice.link]))
				return COLLECTOR_MIXED_PRICE;
			price = links[choice.link];
		}
	}
	return COLLECTOR_COMPARABLE;
}

static const struct grid_moment *moment_of(const struct source *src, int64_t now_ms)
{
	for (int i = 0; i < COLLECTOR_MOMENTS; i++)
		if (src->moments[i].start_ms != TIME_NONE && src->moments[i].start_ms <= now_ms)
			return &src->moments[i];
	return NULL;
}

/* The mix of the chosen source; else of the next in the chain whose figures mean the same. */
static void find_moment(const struct chain *c, int64_t now_ms, struct arena *arena, struct collector_view *ret)
{
	for (int i = 0; ret->carbon.chain >= 0 && i < c->n; i++) {
		const struct source *src = c->sources[i ? (i <= ret->carbon.chain ? i - 1 : i) : ret->carbon.chain];
		const struct grid_moment *m = src ? moment_of(src, now_ms) : NULL;
		struct grid_moment *copy;

		if (!m || memcmp(&src->basis, &ret->carbon.basis, sizeof(src->basis)) != 0)
			continue;
		copy = arena_new(arena, struct grid_moment);
		*copy = *m;
		ret->moment = copy;
		ret->moment_source = (struct collector_filler){ src->provider, arena_strdup(arena, src->zone) };
		return;
	}
}

static const struct chain *area_chain(const struct collector_state *s, const char *area, enum grid_metric metric)
{
	for (size_t i = 0; i < s->feeds.len; i++)
		if (s->feeds.ptr[i].metric == metric && strcmp(s->feeds.ptr[i].area, area) == 0)
			return &s->feeds.ptr[i].chain;
	return NULL;
}

static void find_stress(const struct collector_state *s, const char *area, int64_t now_ms, struct arena *arena,
			struct collector_view *ret)
{
	static const enum grid_metric metrics[] = { GRID_DEMAND, GRID_MARGIN, GRID_LOSS_OF_LOAD };
	struct collector_pick picks[ARRAY_LEN(metrics)] = { 0 };
	struct grid_stress_input in;

	ret->stress_permille = GRID_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		const struct chain *c = area_chain(s, area, metrics[i]);

		if (c)
			pick(s, c, metrics[i], now_ms, arena, &picks[i]);
	}
	in = (struct grid_stress_input){ picks[0].usable ? picks[0].series : NULL,
					 picks[1].usable ? picks[1].series : NULL,
					 picks[2].usable ? picks[2].series : NULL };
	ret->stress_permille = grid_stress_permille(&in, now_ms, &ret->stress_cause);
	if (ret->stress_permille != GRID_UNKNOWN)
		ret->stress_source =
			(struct collector_filler){ picks[ret->stress_cause].provider, picks[ret->stress_cause].zone };
}

bool collector_view_of(struct collector_state *s, const char *region, int64_t now_ms, struct arena *arena,
		       struct collector_view *ret)
{
	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->regions.len; i++) {
		const struct region *r = &s->regions.ptr[i];

		if (strcmp(r->name, region) != 0)
			continue;
		*ret = (struct collector_view){ .mixed = mixed(s, r->group, now_ms) };
		pick(s, &r->carbon, GRID_CARBON, now_ms, arena, &ret->carbon);
		pick(s, &r->price, GRID_PRICE, now_ms, arena, &ret->price);
		ret->renewable = share(&r->carbon, &ret->carbon, GRID_RENEWABLE, now_ms, arena);
		ret->low_carbon = share(&r->carbon, &ret->carbon, GRID_LOW_CARBON, now_ms, arena);
		find_moment(&r->carbon, now_ms, arena, ret);
		ret->area = r->area[0] ? arena_strdup(arena, r->area) : NULL;
		find_stress(s, r->area, now_ms, arena, ret);
		return true;
	}
	return false;
}

bool collector_area_of(struct collector_state *s, const char *area, enum grid_metric metric, int64_t now_ms,
		       struct arena *arena, struct collector_pick *ret)
{
	const struct chain *c;

	MUTEX_GUARD(&s->mutex);
	c = area_chain(s, area, metric);
	if (c)
		pick(s, c, metric, now_ms, arena, ret);
	return c != NULL;
}

static void copy_attempts(const struct provider_state *p, struct arena *arena, struct collector_status *ret)
{
	struct grid_attempt *out = arena_array(arena, COLLECTOR_MAX_ATTEMPTS, struct grid_attempt);

	for (int i = 0; i < p->n_attempts; i++) {
		const struct kept_attempt *k =
			&p->attempts[(p->next_attempt - 1 - i + COLLECTOR_MAX_ATTEMPTS) % COLLECTOR_MAX_ATTEMPTS];

		out[i] = k->a;
		out[i].request = arena_strdup(arena, k->request);
		out[i].reason = arena_strdup(arena, k->reason);
	}
	ret->attempts = out;
	ret->n_attempts = p->n_attempts;
}

const struct collector_status *collector_status_of(struct collector_state *s, struct arena *arena)
{
	struct collector_status *out = arena_array(arena, (size_t)grid_n_providers, struct collector_status);

	MUTEX_GUARD(&s->mutex);
	for (int i = 0; i < grid_n_providers; i++) {
		const struct provider_state *p = &s->providers[i];

		out[i] = (struct collector_status){ .provider = grid_providers[i],
						    .off = p->off[0] ? arena_strdup(arena, p->off) : NULL,
						    .circuit = p->circuit,
						    .budget_left = p->budget_left };
		for (size_t k = 0; k < s->sources.len && !out[i].wanted; k++)
			out[i].wanted = s->sources.ptr[k]->index == i;
		copy_attempts(p, arena, &out[i]);
	}
	return out;
}

static struct metric data_age = METRIC_GAUGE("loadshift_grid_data_age_seconds",
					     "Domain seconds since the data in use were issued.", "region", "metric");
static struct metric horizon = METRIC_GAUGE("loadshift_grid_horizon_seconds",
					    "Domain seconds from now to the end of what is known.", "region", "metric");
static struct metric confidence =
	METRIC_GAUGE("loadshift_grid_confidence_ratio", "How far the data in use can be trusted, 0 (not known) to 1.",
		     "region", "metric");
static struct metric in_use =
	METRIC_GAUGE("loadshift_grid_source_in_use",
		     "1 for the source that a region or area goes by, 0 for the others.", "region", "metric", "source");
static struct metric stress = METRIC_GAUGE(
	"loadshift_grid_stress_ratio", "Strain on the grid of the region's area, 0 to 1; NaN = not known.", "region");

static void measure_chain(const char *name, const struct chain *c, enum grid_metric metric, int64_t now_ms)
{
	const char *label = grid_metric_name(metric);
	struct grid_link links[GRID_CHAIN_MAX];
	struct grid_choice choice;
	const struct grid_series *s;
	int64_t until;

	links_of(c, metric, links);
	grid_chain_choose(links, c->n, now_ms, &choice);
	for (int i = 0; i < c->n; i++)
		metric_set(metric_series(&in_use, name, label, c->names[i]),
			   i == choice.link && grid_choice_is_usable(&choice));
	metric_set(metric_series(&confidence, name, label), (double)choice.confidence_permille / 1000);
	if (choice.link < 0)
		return;
	s = &links[choice.link].track->s;
	until = grid_series_horizon_ms(s, now_ms);
	metric_set(metric_series(&data_age, name, label), (double)(now_ms - s->issued_ms) / 1000);
	metric_set(metric_series(&horizon, name, label), until == TIME_NONE ? 0 : (double)(until - now_ms) / 1000);
}

/* Of the running slot, computed by us from what that provider said, under the region's own name. */
static void tell_stress(const struct collector_state *s, struct region *r, const struct collector_view *v,
			int64_t now_ms)
{
	int64_t slot_ms = time_slot_floor(now_ms, SLOT_MS);
	const struct grid_sample sample = { .provider = v->stress_source.provider->name,
					    .zone = r->name,
					    .metric = GRID_STRESS,
					    .start_ms = slot_ms,
					    .duration_ms = SLOT_MS,
					    .value = v->stress_permille,
					    .kind = GRID_KIND_ESTIMATED,
					    .issued_ms = now_ms,
					    .fetched_ms = now_ms };

	if (r->told_slot_ms == slot_ms && r->told_permille == v->stress_permille)
		return;
	r->told_slot_ms = slot_ms;
	r->told_permille = v->stress_permille;
	s->sink->samples(s->sink->arg, &sample, 1);
}

void collector_view_measure(struct collector_state *s, int64_t now_ms)
{
	struct arena arena;
	struct collector_view v;

	arena_init(&arena, 64 * 1024, (size_t)4 * 1024 * 1024);
	{
		MUTEX_GUARD(&s->mutex);
		for (size_t i = 0; i < s->regions.len; i++) {
			struct region *r = &s->regions.ptr[i];

			measure_chain(r->name, &r->carbon, GRID_CARBON, now_ms);
			measure_chain(r->name, &r->price, GRID_PRICE, now_ms);
			arena_reset(&arena);
			find_stress(s, r->area, now_ms, &arena, &v);
			metric_set(metric_series(&stress, r->name),
				   v.stress_permille == GRID_UNKNOWN ? (double)NAN : (double)v.stress_permille / 1000);
			if (v.stress_permille != GRID_UNKNOWN && s->sink && s->sink->samples)
				tell_stress(s, r, &v, now_ms);
		}
		for (size_t i = 0; i < s->feeds.len; i++)
			measure_chain(s->feeds.ptr[i].area, &s->feeds.ptr[i].chain, s->feeds.ptr[i].metric, now_ms);
	}
	arena_release(&arena);
}
