/* SPDX-License-Identifier: Apache-2.0 */
/* What the collector knows: sources with their tracks, regions with their chains, and which source a region goes by. */
#include "base/alloc.h"
#include "controller/collector_internal.h"
#include "metrics/metrics.h"

static const struct grid_env no_env;

void collector_state_init(struct collector_state *s)
{
	*s = (struct collector_state){ 0 };
	(void)pthread_mutex_init(&s->mutex, NULL);
}

static void source_free(struct source *src)
{
	for (int m = 0; m < GRID_METRICS; m++)
		free(src->tracks[m]);
	free(src);
}

void collector_state_release(struct collector_state *s)
{
	for (size_t i = 0; i < s->sources.len; i++)
		source_free(s->sources.ptr[i]);
	vec_release(&s->sources);
	vec_release(&s->regions);
	(void)pthread_mutex_destroy(&s->mutex);
}

static struct source *source_find(struct collector_state *s, const struct grid_provider *p, enum grid_metric metric,
				  const char *zone, const char *pinned)
{
	for (size_t i = 0; i < s->sources.len; i++) {
		struct source *src = s->sources.ptr[i];

		if (src->provider == p && src->metric == metric && strcmp(src->zone, zone) == 0 &&
		    strcmp(src->pinned, pinned) == 0)
			return src;
	}
	return NULL;
}

static void add_track(struct source *src, enum grid_metric metric)
{
	src->tracks[metric] = xmalloc(sizeof(*src->tracks[metric]));
	grid_track_init(src->tracks[metric], metric, src->zone);
}

static struct source *source_get(struct collector_state *s, enum grid_metric metric,
				 const struct gridregion_source_spec *spec)
{
	const struct grid_provider *p = grid_provider_find(spec->provider);
	const char *pinned = spec->product ? spec->product : "";
	struct source *src, **slot;

	if (!p || !p->has_zone(&no_env, metric, spec->zone) || strlen(spec->zone) >= GRID_NAME_MAX ||
	    strlen(pinned) >= GRID_NAME_MAX)
		return NULL;
	src = source_find(s, p, metric, spec->zone, pinned);
	if (src)
		return src;
	slot = vec_push(&s->sources, COLLECTOR_MAX_SOURCES);
	if (!slot)
		return NULL;
	*slot = src = xcalloc(1, sizeof(*src));
	src->provider = p;
	src->metric = metric;
	(void)str_copy(src->zone, sizeof(src->zone), str_from(spec->zone));
	(void)str_copy(src->pinned, sizeof(src->pinned), str_from(pinned));
	for (int i = 0; i < COLLECTOR_MOMENTS; i++)
		src->moments[i].start_ms = TIME_NONE;
	add_track(src, metric);
	if (metric == GRID_CARBON)
		add_track(src, GRID_RENEWABLE);
	return src;
}

/* One column of a region's status as an answer; past slots come from `recent`. */
static void seed_track(struct grid_track *t, const struct gridregion *r, const int32_t *ahead, const int32_t *behind,
		       int64_t issued_ms, int64_t fetched_ms, int64_t now_ms)
{
	_cleanup_free_ struct grid_series *s = xcalloc(1, sizeof(*s));
	const struct grid_recent *recent = &r->recent;
	int changed;

	s->metric = t->s.metric;
	s->issued_ms = issued_ms;
	s->start_ms = time_slot_floor(now_ms, SLOT_MS) - GRID_PAST_SLOTS * SLOT_MS;
	s->n = GRID_SERIES_MAX;
	for (int i = 0; i < s->n; i++) {
		int64_t ms = s->start_ms + i * SLOT_MS,
			k = recent->start_ms == TIME_NONE ? -1 : (ms - recent->start_ms) / SLOT_MS;

		s->value[i] = grid_forecast_at(&r->forecast, ahead, ms);
		s->kind[i] = GRID_KIND_FORECAST;
		if (s->value[i] == GRID_UNKNOWN && behind && k >= 0 && k < recent->n && ms >= recent->start_ms) {
			s->value[i] = behind[k];
			s->kind[i] = recent->kind ? recent->kind[k] : GRID_KIND_ESTIMATED;
		}
	}
	(void)grid_track_merge(t, s, now_ms, fetched_ms, &changed);
}

/* What the region's status says that this source gave, if the source has nothing yet. */
static void seed(struct source *src, const struct gridregion *r, int64_t now_ms)
{
	if (src->tracks[src->metric]->s.issued_ms != TIME_NONE || r->forecast.start_ms == TIME_NONE)
		return;
	for (int i = 0; i < r->n_sources; i++) {
		const struct grid_source *had = &r->sources[i];

		if (!cstr_eq(had->metric, grid_metric_name(src->metric)) ||
		    !cstr_eq(had->provider, src->provider->name) || !cstr_eq(had->zone, src->zone) ||
		    had->issued_ms == TIME_NONE || had->issued_ms > now_ms ||
		    (src->pinned[0] && !cstr_eq(had->product, src->pinned)))
			continue;
		if (src->metric == GRID_PRICE) {
			seed_track(src->tracks[GRID_PRICE], r, r->forecast.price_p50, r->recent.price, had->issued_ms,
				   had->fetched_ms, now_ms);
			if (had->product)
				(void)str_copy(src->product, sizeof(src->product), str_from(had->product));
			continue;
		}
		seed_track(src->tracks[GRID_CARBON], r, r->forecast.carbon_p50, r->recent.carbon, had->issued_ms,
			   had->fetched_ms, now_ms);
		seed_track(src->tracks[GRID_RENEWABLE], r, r->forecast.renewable, NULL, had->issued_ms, had->fetched_ms,
			   now_ms);
	}
}

static void set_chain(struct collector_state *s, struct chain *c, enum grid_metric metric,
		      const struct gridregion_source_spec *specs, int n, const struct gridregion *r, int64_t now_ms)
{
	c->n = n;
	for (int i = 0; i < n; i++) {
		c->sources[i] = source_get(s, metric, &specs[i]);
		(void)snprintf(c->names[i], sizeof(c->names[i]), "%s %s", specs[i].provider, specs[i].zone);
		if (c->sources[i]) {
			c->sources[i]->used = true;
			seed(c->sources[i], r, now_ms);
		}
	}
}

static void drop_unused(struct collector_state *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->sources.len; i++) {
		struct source *src = s->sources.ptr[i];

		if (src->used)
			s->sources.ptr[kept++] = src;
		else
			source_free(src);
	}
	s->sources.len = kept;
}

void collector_state_set(struct collector_state *s, const struct gridregion *const *regions, size_t n, int64_t now_ms)
{
	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->sources.len; i++)
		s->sources.ptr[i]->used = false;
	s->regions.len = 0;
	for (size_t i = 0; i < n; i++) {
		const struct gridregion *r = regions[i];
		struct region *region = vec_push(&s->regions, COLLECTOR_MAX_REGIONS);

		if (!region)
			break;
		*region = (struct region){ .touched = true };
		(void)str_copy(region->name, sizeof(region->name), str_from(r->obj.meta.name));
		(void)str_copy(region->group, sizeof(region->group), str_from(r->group ? r->group : ""));
		set_chain(s, &region->carbon, GRID_CARBON, r->carbon_chain, r->n_carbon_chain, r, now_ms);
		set_chain(s, &region->price, GRID_PRICE, r->price_chain, r->n_price_chain, r, now_ms);
	}
	drop_unused(s);
}

size_t collector_state_targets(struct collector_state *s, const struct grid_provider *p, const char *configured,
			       const char *discovered, struct grid_target *out, size_t max, struct arena *arena)
{
	size_t n = 0;

	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->sources.len && n < max; i++) {
		struct source *src = s->sources.ptr[i];
		const char *product = src->pinned[0] ? src->pinned : configured;

		if (src->provider != p)
			continue;
		out[n++] = (struct grid_target){ src->metric, arena_strdup(arena, src->zone),
						 src->metric == GRID_PRICE ? arena_strdup(arena, product) : NULL };
		(void)str_copy(src->asked, sizeof(src->asked),
			       str_from(src->metric != GRID_PRICE ? ""
					: product                 ? product
					: discovered              ? discovered
								  : ""));
	}
	return n;
}

static bool asked_for(const struct source *src, const struct grid_provider *p, const struct grid_request *req)
{
	return src->provider == p && p->serves(req, src->zone) && strcmp(src->asked, req->product) == 0;
}

static void merge_series(struct source *src, const struct grid_series *series, int64_t now_ms)
{
	int changed;

	if (!src->tracks[series->metric] || strcmp(src->zone, series->zone) != 0)
		return;
	src->touched = true;
	(void)grid_track_merge(src->tracks[series->metric], series, now_ms, now_ms, &changed);
}

/*
 * Keeps the newest few, newest first. The same slot again replaces, but for what the newer one lacks: the national API
 * has an index and no mix.
 */
static void merge_moment(struct source *src, const struct grid_moment *m)
{
	int i = 0;

	if (src->metric != GRID_CARBON || strcmp(src->zone, m->zone) != 0)
		return;
	while (i < COLLECTOR_MOMENTS && src->moments[i].start_ms > m->start_ms)
		i++;
	if (i == COLLECTOR_MOMENTS)
		return;
	src->touched = true;
	if (src->moments[i].start_ms == m->start_ms) {
		struct grid_moment *kept = &src->moments[i];

		if (m->index[0])
			memcpy(kept->index, m->index, sizeof(kept->index));
		if (m->n_mix) {
			memcpy(kept->mix, m->mix, sizeof(kept->mix));
			kept->n_mix = m->n_mix;
		}
		return;
	}
	memmove(&src->moments[i + 1], &src->moments[i], (size_t)(COLLECTOR_MOMENTS - 1 - i) * sizeof(*m));
	src->moments[i] = *m;
}

void collector_state_merge(struct collector_state *s, const struct grid_provider *p, const struct grid_request *req,
			   const struct grid_answer *a, int64_t now_ms, const struct error *err)
{
	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->sources.len; i++) {
		struct source *src = s->sources.ptr[i];

		if (src->provider != p)
			continue;
		/* By what came, not by what was asked: the regions' answer brings the mix of GB along. */
		if (strcmp(src->asked, req->product) == 0) {
			for (size_t k = 0; k < a->series.len; k++)
				merge_series(src, a->series.ptr[k], now_ms);
			for (size_t k = 0; k < a->moments.len; k++)
				merge_moment(src, &a->moments.ptr[k]);
		}
		if (!asked_for(src, p, req))
			continue;
		if (a->points)
			(void)str_copy(src->product, sizeof(src->product), str_from(req->product));
		(void)str_copy(src->trouble, sizeof(src->trouble), err ? str_from(err->msg) : STR(""));
		/* A first failure is news too. */
		src->touched = src->touched || (err && src->tracks[src->metric]->s.issued_ms == TIME_NONE);
	}
}

int64_t collector_state_horizon(struct collector_state *s, const struct grid_provider *p,
				const struct grid_request *req, int64_t now_ms)
{
	int64_t latest = TIME_NONE;

	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->sources.len; i++) {
		const struct source *src = s->sources.ptr[i];

		if (asked_for(src, p, req))
			latest = MAX(latest, grid_series_horizon_ms(&src->tracks[src->metric]->s, now_ms));
	}
	return latest;
}

static bool is_touched(const struct chain *c)
{
	for (int i = 0; i < c->n; i++)
		if (c->sources[i] && c->sources[i]->touched)
			return true;
	return false;
}

static bool is_group_touched(const struct collector_state *s, const char *group)
{
	for (size_t i = 0; group[0] && i < s->regions.len; i++)
		if (strcmp(s->regions.ptr[i].group, group) == 0 && is_touched(&s->regions.ptr[i].carbon))
			return true;
	return false;
}

size_t collector_state_touched(struct collector_state *s, const char **out, size_t max, struct arena *arena)
{
	size_t n = 0;

	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->regions.len && n < max; i++) {
		struct region *r = &s->regions.ptr[i];

		if (r->touched || is_touched(&r->carbon) || is_touched(&r->price) || is_group_touched(s, r->group))
			out[n++] = arena_strdup(arena, r->name);
		r->touched = false;
	}
	for (size_t i = 0; i < s->sources.len; i++)
		s->sources.ptr[i]->touched = false;
	return n;
}

/* The first usable source, else the first with data, else -1. */
static int choose(const struct chain *c, enum grid_metric metric, int64_t now_ms, bool *ret_usable)
{
	int fallback = -1;

	*ret_usable = false;
	for (int i = 0; i < c->n; i++) {
		const struct grid_track *t = c->sources[i] ? c->sources[i]->tracks[metric] : NULL;

		if (t && grid_track_is_usable(t, now_ms)) {
			*ret_usable = true;
			return i;
		}
		if (t && t->s.issued_ms != TIME_NONE && fallback < 0)
			fallback = i;
	}
	return fallback;
}

/* Why the sources before the chosen one, or all of them, are passed over. */
static const char *trouble_of(const struct chain *c, enum grid_metric metric, int until, struct arena *arena)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(600);
	char when[TIME_TEXT];

	for (int i = 0; i < until; i++) {
		const struct source *src = c->sources[i];

		(void)buf_addf(&text, "%s%s: ", text.len ? "; " : "", c->names[i]);
		if (!src)
			(void)buf_adds(&text, "no such provider, or it has no such zone");
		else if (src->trouble[0])
			(void)buf_adds(&text, src->trouble);
		else if (src->tracks[metric]->s.issued_ms == TIME_NONE)
			(void)buf_adds(&text, "no answer yet");
		else
			(void)buf_addf(&text, "newest data of %s", time_format(src->tracks[metric]->s.issued_ms, when));
	}
	return text.len ? arena_strdup(arena, buf_cstr(&text)) : NULL;
}

static const struct grid_series *copy_series(const struct grid_track *t, struct arena *arena)
{
	struct grid_series *s;

	if (!t || t->s.issued_ms == TIME_NONE)
		return NULL;
	s = arena_new(arena, struct grid_series);
	*s = t->s;
	return s;
}

static void pick(const struct chain *c, enum grid_metric metric, int64_t now_ms, struct arena *arena,
		 struct collector_pick *ret)
{
	const struct source *src;

	*ret = (struct collector_pick){ .fetched_ms = TIME_NONE };
	ret->chain = choose(c, metric, now_ms, &ret->usable);
	ret->trouble = trouble_of(c, metric, ret->usable ? ret->chain : c->n, arena);
	if (ret->chain < 0)
		return;
	src = c->sources[ret->chain];
	ret->provider = src->provider;
	ret->zone = arena_strdup(arena, src->zone);
	ret->product = src->product[0] ? arena_strdup(arena, src->product) : NULL;
	ret->fetched_ms = src->tracks[metric]->fetched_ms;
	ret->series = copy_series(src->tracks[metric], arena);
}

/* Do the usable carbon figures of a group mean different things? */
static bool is_mixed(const struct collector_state *s, const char *group, int64_t now_ms)
{
	struct grid_basis first = { 0 }, b = { 0 };
	bool have = false, usable;

	for (size_t i = 0; group[0] && i < s->regions.len; i++) {
		const struct region *r = &s->regions.ptr[i];
		int chosen;

		if (strcmp(r->group, group) != 0)
			continue;
		chosen = choose(&r->carbon, GRID_CARBON, now_ms, &usable);
		if (!usable)
			continue;
		r->carbon.sources[chosen]->provider->basis(&no_env, r->carbon.sources[chosen]->zone, &b);
		if (have && memcmp(&first, &b, sizeof(b)) != 0)
			return true;
		first = b;
		have = true;
	}
	return false;
}

static const struct grid_moment *copy_moment(const struct source *src, int64_t now_ms, struct arena *arena)
{
	for (int i = 0; i < COLLECTOR_MOMENTS; i++)
		if (src->moments[i].start_ms != TIME_NONE && src->moments[i].start_ms <= now_ms) {
			struct grid_moment *m = arena_new(arena, struct grid_moment);

			*m = src->moments[i];
			return m;
		}
	return NULL;
}

bool collector_view_of(struct collector_state *s, const char *region, int64_t now_ms, struct arena *arena,
		       struct collector_view *ret)
{
	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->regions.len; i++) {
		const struct region *r = &s->regions.ptr[i];

		if (strcmp(r->name, region) != 0)
			continue;
		*ret = (struct collector_view){ .mixed = is_mixed(s, r->group, now_ms) };
		pick(&r->carbon, GRID_CARBON, now_ms, arena, &ret->carbon);
		pick(&r->price, GRID_PRICE, now_ms, arena, &ret->price);
		if (ret->carbon.chain >= 0) {
			const struct source *src = r->carbon.sources[ret->carbon.chain];

			ret->renewable = copy_series(src->tracks[GRID_RENEWABLE], arena);
			ret->moment = copy_moment(src, now_ms, arena);
		}
		return true;
	}
	return false;
}

static struct metric data_age = METRIC_GAUGE("loadshift_grid_data_age_seconds",
					     "Domain seconds since the data in use were issued.", "region", "metric");
static struct metric horizon = METRIC_GAUGE("loadshift_grid_horizon_seconds",
					    "Domain seconds from now to the end of what is known.", "region", "metric");

static void measure_chain(const struct region *r, const struct chain *c, enum grid_metric metric, int64_t now_ms)
{
	bool usable;
	int chosen = choose(c, metric, now_ms, &usable);
	const struct grid_series *s;
	int64_t until;

	if (chosen < 0)
		return;
	s = &c->sources[chosen]->tracks[metric]->s;
	until = grid_series_horizon_ms(s, now_ms);
	metric_set(metric_series(&data_age, r->name, grid_metric_name(metric)), (double)(now_ms - s->issued_ms) / 1000);
	metric_set(metric_series(&horizon, r->name, grid_metric_name(metric)),
		   until == TIME_NONE ? 0 : (double)(until - now_ms) / 1000);
}

void collector_state_measure(struct collector_state *s, int64_t now_ms)
{
	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->regions.len; i++) {
		measure_chain(&s->regions.ptr[i], &s->regions.ptr[i].carbon, GRID_CARBON, now_ms);
		measure_chain(&s->regions.ptr[i], &s->regions.ptr[i].price, GRID_PRICE, now_ms);
	}
}
