/* SPDX-License-Identifier: Apache-2.0 */
/* What the collector knows: sources with their tracks, regions and areas with their chains, and what became of
 * requests. */
#include "base/alloc.h"
#include "controller/collector_internal.h"

void collector_state_init(struct collector_state *s, const struct collector_options *o, const struct grid_env *envs)
{
	*s = (struct collector_state){ .envs = envs,
				       .wanted_feeds = o->feeds,
				       .n_wanted_feeds = o->n_feeds,
				       .max_age_ms = o->max_age_ms ? o->max_age_ms : GRID_MAX_AGE_MS,
				       .sink = o->sink };
	s->providers = xcalloc((size_t)grid_n_providers, sizeof(*s->providers));
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
	vec_release(&s->feeds);
	free(s->providers);
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

static void add_track(const struct collector_state *s, struct source *src, enum grid_metric metric)
{
	src->tracks[metric] = xmalloc(sizeof(*src->tracks[metric]));
	grid_track_init(src->tracks[metric], metric, src->zone);
	if (src->tracks[metric]->max_age_ms == GRID_MAX_AGE_MS)
		src->tracks[metric]->max_age_ms = s->max_age_ms;
	/* What stands in for the worst is no forecast that could be late. */
	if (src->provider->last_resort)
		src->tracks[metric]->max_age_ms = GRID_MAX_AGE_SLOW_MS;
}

static int provider_index(const char *name)
{
	for (int i = 0; i < grid_n_providers; i++)
		if (cstr_eq(name, grid_providers[i]->name))
			return i;
	return -1;
}

static struct source *source_new(struct collector_state *s, int provider, enum grid_metric metric, const char *zone,
				 const char *pinned)
{
	struct source **slot = vec_push(&s->sources, COLLECTOR_MAX_SOURCES), *src;

	if (!slot)
		return NULL;
	*slot = src = xcalloc(1, sizeof(*src));
	src->provider = grid_providers[provider];
	src->index = provider;
	src->metric = metric;
	(void)str_copy(src->zone, sizeof(src->zone), str_from(zone));
	(void)str_copy(src->pinned, sizeof(src->pinned), str_from(pinned));
	for (int i = 0; i < COLLECTOR_MOMENTS; i++)
		src->moments[i].start_ms = TIME_NONE;
	add_track(s, src, metric);
	if (metric == GRID_CARBON) {
		add_track(s, src, GRID_RENEWABLE);
		add_track(s, src, GRID_LOW_CARBON);
		if (src->provider->basis)
			src->provider->basis(&s->envs[provider], zone, &src->basis);
	}
	if (grid_metric_is_price(metric)) {
		const struct grid_custom *custom = grid_env_custom(&s->envs[provider], zone);

		src->currency = src->provider->currency_of ? src->provider->currency_of(zone) : src->provider->currency;
		if (custom)
			src->currency = custom->currency;
	}
	return src;
}

/* A price chain takes tariffs, and wholesale prices from who has no tariff. */
static struct source *source_get(struct collector_state *s, enum grid_metric metric,
				 const struct gridregion_source_spec *spec)
{
	const char *pinned = spec->product ? spec->product : "";
	int i = provider_index(spec->provider);
	const struct grid_provider *p = i < 0 ? NULL : grid_providers[i];
	struct source *src;

	if (!p || strlen(spec->zone) >= GRID_NAME_MAX || strlen(pinned) >= GRID_NAME_MAX)
		return NULL;
	if (metric == GRID_PRICE && !p->has_zone(&s->envs[i], metric, spec->zone))
		metric = GRID_WHOLESALE;
	if (!p->has_zone(&s->envs[i], metric, spec->zone))
		return NULL;
	src = source_find(s, p, metric, spec->zone, pinned);
	return src ? src : source_new(s, i, metric, spec->zone, pinned);
}

/*
 * One column of a region's status as an answer; past slots come from `recent`. What the operator itself has forecast
 * there is nobody's answer.
 */
static void seed_track(struct grid_track *t, const struct gridregion *r, const int32_t *ahead, const int32_t *behind,
		       int64_t issued_ms, int64_t fetched_ms, int64_t now_ms)
{
	int64_t own_ms = gridregion_own_from_ms(r, t->s.metric == GRID_CARBON ? "carbon" : "price");
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

		s->value[i] = ms < own_ms ? grid_forecast_at(&r->forecast, ahead, ms) : GRID_UNKNOWN;
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
	bool priced = grid_metric_is_price(src->metric);

	if (src->tracks[src->metric]->s.issued_ms != TIME_NONE || r->forecast.start_ms == TIME_NONE ||
	    src->provider->last_resort)
		return;
	for (int i = 0; i < r->n_sources; i++) {
		const struct grid_source *had = &r->sources[i];

		/* Once for each metric: the one in use comes first, then what filled its gaps. */
		if (!cstr_eq(had->metric, priced ? "price" : "carbon"))
			continue;
		if (!cstr_eq(had->provider, src->provider->name) || !cstr_eq(had->zone, src->zone) ||
		    had->issued_ms == TIME_NONE || had->issued_ms > now_ms ||
		    (src->pinned[0] && !cstr_eq(had->product, src->pinned)))
			return;
		if (priced) {
			seed_track(src->tracks[src->metric], r, r->forecast.price_p50, r->recent.price, had->issued_ms,
				   had->fetched_ms, now_ms);
			if (had->product)
				(void)str_copy(src->product, sizeof(src->product), str_from(had->product));
			return;
		}
		seed_track(src->tracks[GRID_CARBON], r, r->forecast.carbon_p50, r->recent.carbon, had->issued_ms,
			   had->fetched_ms, now_ms);
		seed_track(src->tracks[GRID_RENEWABLE], r, r->forecast.renewable, NULL, had->issued_ms, had->fetched_ms,
			   now_ms);
		return;
	}
}

static void chain_add(struct collector_state *s, struct chain *c, enum grid_metric metric,
		      const struct gridregion_source_spec *spec)
{
	struct source *src;

	if (c->n == GRID_CHAIN_MAX)
		return;
	c->sources[c->n] = src = source_get(s, metric, spec);
	(void)snprintf(c->names[c->n], sizeof(c->names[0]), "%s %s", spec->provider, spec->zone);
	c->n++;
	if (src)
		src->used = true;
}

static void set_chain(struct collector_state *s, struct chain *c, enum grid_metric metric,
		      const struct gridregion_source_spec *specs, int n, const struct gridregion *r, int64_t now_ms)
{
	for (int i = 0; i < n; i++) {
		chain_add(s, c, metric, &specs[i]);
		if (i < c->n && c->sources[i])
			seed(c->sources[i], r, now_ms);
	}
}

/* The area of the first source that lies in one. */
static void set_area(struct region *r)
{
	const struct chain *chains[] = { &r->carbon, &r->price };

	for (size_t k = 0; k < ARRAY_LEN(chains); k++)
		for (int i = 0; i < chains[k]->n; i++) {
			const struct source *src = chains[k]->sources[i];
			const char *area = src && src->provider->area ? src->provider->area(src->zone) : NULL;

			if (area) {
				(void)str_copy(r->area, sizeof(r->area), str_from(area));
				return;
			}
		}
}

static bool is_area_wanted(const struct collector_state *s, const char *area)
{
	for (size_t i = 0; i < s->regions.len; i++)
		if (strcmp(s->regions.ptr[i].area, area) == 0)
			return true;
	return false;
}

static struct feed_chain *feed_find(struct collector_state *s, const char *area, enum grid_metric metric)
{
	for (size_t i = 0; i < s->feeds.len; i++)
		if (s->feeds.ptr[i].metric == metric && strcmp(s->feeds.ptr[i].area, area) == 0)
			return &s->feeds.ptr[i];
	return NULL;
}

static void set_feeds(struct collector_state *s)
{
	s->feeds.len = 0;
	for (size_t i = 0; i < s->n_wanted_feeds; i++) {
		const struct collector_feed *w = &s->wanted_feeds[i];
		struct feed_chain *f = feed_find(s, w->area, w->metric);

		if (!is_area_wanted(s, w->area))
			continue;
		if (!f) {
			f = vec_push(&s->feeds, COLLECTOR_MAX_FEEDS);
			if (!f)
				return;
			f->metric = w->metric;
			(void)str_copy(f->area, sizeof(f->area), str_from(w->area));
		}
		chain_add(s, &f->chain, w->metric,
			  &(struct gridregion_source_spec){ w->provider, w->product, w->zone });
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
		*region = (struct region){ .touched = true, .told_slot_ms = TIME_NONE };
		(void)str_copy(region->name, sizeof(region->name), str_from(r->obj.meta.name));
		(void)str_copy(region->group, sizeof(region->group), str_from(r->group ? r->group : ""));
		set_chain(s, &region->carbon, GRID_CARBON, r->carbon_chain, r->n_carbon_chain, r, now_ms);
		set_chain(s, &region->price, GRID_PRICE, r->price_chain, r->n_price_chain, r, now_ms);
		set_area(region);
	}
	set_feeds(s);
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

/* Keeps what is best of one series. */
static void merge_series(struct source *src, const struct grid_request *req, const struct grid_series *series,
			 int64_t now_ms, struct merged *m)
{
	struct grid_track *t = src->tracks[series->metric];
	enum grid_verdict verdict;
	int64_t horizon;
	int changed;

	if (!t || strcmp(src->zone, series->zone) != 0)
		return;
	verdict = grid_track_merge(t, series, now_ms, now_ms, &changed);
	src->touched = src->touched || verdict != GRID_NOTHING;
	horizon = grid_series_horizon_ms(&t->s, now_ms);
	m->horizon_ms = MAX(m->horizon_ms, horizon);
	m->gaps = MAX(m->gaps, grid_track_gaps(t, MAX(req->from_ms, series->start_ms)));
	m->partly |= verdict == GRID_MERGED_PARTLY && src->metric == series->metric;
}

/*
 * Keeps the newest few, newest first. The same slot again replaces, but for what the newer one lacks: the national API
 * has an index and no mix.
 */
static void merge_moment(struct source *src, const struct grid_moment *m)
{
	int i = 0;

	if (strcmp(src->zone, m->zone) != 0)
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

/* What the database is told of one series: its known values, and the forecast as a whole. */
static void sink_series(const struct collector_state *s, const struct source *src, const struct grid_series *series,
			int64_t now_ms)
{
	_cleanup_free_ struct grid_sample *out = xcalloc((size_t)series->n + 1, sizeof(*out));
	struct grid_basis basis = { 0 };
	size_t n = 0;

	if (series->metric == GRID_CARBON)
		basis = src->basis;
	for (int i = 0; i < series->n; i++)
		if (series->value[i] != GRID_UNKNOWN)
			out[n++] = (struct grid_sample){ .provider = src->provider->name,
							 .zone = series->zone,
							 .metric = series->metric,
							 .basis = basis,
							 .start_ms = series->start_ms + i * SLOT_MS,
							 .duration_ms = SLOT_MS,
							 .value = series->value[i],
							 .kind = (enum grid_kind)series->kind[i],
							 .flags = series->flags[i],
							 .issued_ms = series->issued_ms,
							 .fetched_ms = now_ms };
	if (n && s->sink->samples)
		s->sink->samples(s->sink->arg, out, n);
	if (s->sink->vintage && grid_series_horizon_ms(series, now_ms) != TIME_NONE)
		s->sink->vintage(s->sink->arg, src->provider, series, &basis, now_ms);
}

/* Everything that some source has a place for, once. */
static void sink_answer(const struct collector_state *s, int provider, const struct grid_answer *a, int64_t now_ms)
{
	for (size_t k = 0; k < a->series.len; k++)
		for (size_t i = 0; i < s->sources.len; i++) {
			const struct source *src = s->sources.ptr[i];

			if (src->index != provider || !src->tracks[a->series.ptr[k]->metric] ||
			    strcmp(src->zone, a->series.ptr[k]->zone) != 0)
				continue;
			sink_series(s, src, a->series.ptr[k], now_ms);
			break;
		}
	for (size_t k = 0; s->sink->moment && k < a->moments.len; k++)
		s->sink->moment(s->sink->arg, grid_providers[provider], &a->moments.ptr[k], now_ms);
}

static bool asked_for(const struct source *src, const struct grid_request *req)
{
	return grid_provider_serves(src->provider, req, src->zone) && strcmp(src->asked, req->product) == 0;
}

void collector_state_merge(struct collector_state *s, int provider, const struct grid_request *req,
			   const struct grid_answer *a, int64_t now_ms, const struct error *err, struct merged *ret)
{
	*ret = (struct merged){ .horizon_ms = TIME_NONE };
	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->sources.len; i++) {
		struct source *src = s->sources.ptr[i];

		if (src->index != provider)
			continue;
		/* By what came, not by what was asked: the regions' answer brings the mix of GB along. */
		if (strcmp(src->asked, req->product) == 0) {
			for (size_t k = 0; k < a->series.len; k++)
				merge_series(src, req, a->series.ptr[k], now_ms, ret);
			for (size_t k = 0; k < a->moments.len; k++)
				merge_moment(src, &a->moments.ptr[k]);
		}
		if (!asked_for(src, req))
			continue;
		if (a->series.len == 0)
			ret->horizon_ms =
				MAX(ret->horizon_ms, grid_series_horizon_ms(&src->tracks[src->metric]->s, now_ms));
		if (a->points)
			(void)str_copy(src->product, sizeof(src->product), str_from(req->product));
		(void)str_copy(src->trouble, sizeof(src->trouble), err ? str_from(err->msg) : STR(""));
		/* A first failure is news too. */
		src->touched = src->touched || (err && src->tracks[src->metric]->s.issued_ms == TIME_NONE);
	}
	if (s->sink)
		sink_answer(s, provider, a, now_ms);
}

void collector_state_off(struct collector_state *s, int provider, const char *why)
{
	struct provider_state *p = &s->providers[provider];

	MUTEX_GUARD(&s->mutex);
	if (strcmp(p->off, why) == 0)
		return;
	(void)str_copy(p->off, sizeof(p->off), str_from(why));
	for (size_t i = 0; i < s->sources.len; i++)
		s->sources.ptr[i]->touched |= s->sources.ptr[i]->index == provider;
}

void collector_state_attempt(struct collector_state *s, int provider, const struct grid_attempt *a)
{
	struct provider_state *p = &s->providers[provider];
	struct kept_attempt *k;

	MUTEX_GUARD(&s->mutex);
	k = &p->attempts[p->next_attempt];
	p->next_attempt = (p->next_attempt + 1) % COLLECTOR_MAX_ATTEMPTS;
	p->n_attempts = MIN(p->n_attempts + 1, COLLECTOR_MAX_ATTEMPTS);
	k->a = *a;
	(void)str_copy(k->request, sizeof(k->request), str_from(a->request));
	(void)str_copy(k->reason, sizeof(k->reason), str_from(a->reason));
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

/* Stress is made of the area's feeds. */
static bool is_area_touched(const struct collector_state *s, const char *area)
{
	for (size_t i = 0; area[0] && i < s->feeds.len; i++)
		if (strcmp(s->feeds.ptr[i].area, area) == 0 && is_touched(&s->feeds.ptr[i].chain))
			return true;
	return false;
}

size_t collector_state_touched(struct collector_state *s, const char **out, size_t max, struct arena *arena)
{
	size_t n = 0;

	MUTEX_GUARD(&s->mutex);
	for (size_t i = 0; i < s->regions.len && n < max; i++) {
		struct region *r = &s->regions.ptr[i];

		if (r->touched || is_touched(&r->carbon) || is_touched(&r->price) || is_group_touched(s, r->group) ||
		    is_area_touched(s, r->area))
			out[n++] = arena_strdup(arena, r->name);
		r->touched = false;
	}
	for (size_t i = 0; i < s->sources.len; i++)
		s->sources.ptr[i]->touched = false;
	return n;
}
