/* SPDX-License-Identifier: Apache-2.0 */
/* The collector's life cycle, and when it looks at the schedule of each provider. */
#include "controller/collector.h"

#include "base/alloc.h"
#include "controller/collector_internal.h"

/* Never faster than this, however fast the domain clock runs. Real ms. */
#define MIN_DELAY_MS 100
/* The clock is looked at again at least so often: it may be stepped. Real ms. */
#define MAX_SLEEP_MS (60 * SECOND_MS)
/* Gauges are brought up to date at most so often. Real ms. */
#define MEASURE_EVERY_MS SECOND_MS
#define ARENA_MAX ((size_t)16 * 1024 * 1024)

static void tick(void *arg)
{
	struct collector *c = arg;
	int64_t now_ms = clock_now_ms(&c->clock), next = now_ms + DAY_MS;

	c->timer = 0;
	if (c->stopped)
		return;
	arena_reset(&c->arena);
	for (int i = 0; i < grid_n_providers; i++)
		next = MIN(next, poller_poll(&c->pollers[i], now_ms));
	if (c->measured_ms == TIME_NONE || clock_mono_ms() - c->measured_ms >= MEASURE_EVERY_MS) {
		c->measured_ms = clock_mono_ms();
		collector_view_measure(&c->state, now_ms);
	}
	collector_tell(c);
	collector_wake(c, clock_real_until_ms(&c->clock, next));
}

void collector_wake(struct collector *c, int64_t delay_ms)
{
	int64_t at_ms = clock_mono_ms() + CLAMP(delay_ms, MIN_DELAY_MS, MAX_SLEEP_MS);

	if (c->timer && c->timer_ms <= at_ms)
		return;
	if (c->timer)
		http_loop_cancel_timer(c->loop, c->timer);
	c->timer_ms = at_ms;
	c->timer = http_loop_after(c->loop, at_ms - clock_mono_ms(), tick, c);
}

void collector_tell(struct collector *c)
{
	const char **names = arena_array(&c->arena, COLLECTOR_MAX_REGIONS, const char *);
	size_t n = collector_state_touched(&c->state, names, COLLECTOR_MAX_REGIONS, &c->arena);

	for (size_t i = 0; i < n; i++)
		c->changed(c->arg, names[i]);
}

/* New regions: what is known of them may be said at once, what is not is asked for. */
static void regions_set(void *arg)
{
	struct collector *c = arg;

	if (c->stopped)
		return;
	arena_reset(&c->arena);
	collector_tell(c);
	collector_wake(c, 0);
}

static void collector_release(struct collector *c)
{
	for (int i = 0; i < grid_n_providers; i++)
		poller_release(&c->pollers[i]);
	free(c->pollers);
	free(c->envs);
	for (size_t i = 0; c->custom && c->custom[i].name; i++)
		tz_free((struct tz *)c->custom[i].tz);
	free(c->custom);
	collector_state_release(&c->state);
	arena_release(&c->arena);
	(void)pthread_mutex_destroy(&c->mutex);
	(void)pthread_cond_destroy(&c->cond);
	free(c);
}

/* The custom sources, one provider's after the other, so that each poller's are an array. */
static int sort_custom(struct collector *c, const struct collector_options *o, struct error *err)
{
	struct tz *tz;
	size_t n = 0;

	c->custom = xcalloc(o->n_custom + 1, sizeof(*c->custom));
	for (int i = 0; i < grid_n_providers; i++) {
		struct poller *p = &c->pollers[i];

		p->custom = &c->custom[n];
		for (size_t k = 0; k < o->n_custom && p->n_custom < GRID_MAX_CUSTOM; k++)
			if (cstr_eq(o->custom[k].provider, grid_providers[i]->name)) {
				c->custom[n++] = o->custom[k];
				p->n_custom++;
				if (!o->custom[k].time_zone)
					continue;
				if (tz_load(o->custom[k].time_zone, &tz, err))
					return error_wrap(err, "grid.sources %s.timeZone", o->custom[k].name);
				c->custom[n - 1].tz = tz;
			}
		c->envs[i] = (struct grid_env){ .custom = p->custom, .n_custom = p->n_custom };
	}
	return 0;
}

int collector_new(const struct collector_options *o, struct collector **ret, struct error *err)
{
	struct collector *c = xcalloc(1, sizeof(*c));

	c->pollers = xcalloc((size_t)grid_n_providers, sizeof(*c->pollers));
	c->envs = xcalloc((size_t)grid_n_providers, sizeof(*c->envs));
	c->loop = o->loop;
	c->clock = o->clock;
	c->changed = o->changed;
	c->arg = o->arg;
	c->sink = o->sink;
	c->history = o->history;
	c->measured_ms = TIME_NONE;
	arena_init(&c->arena, 4096, ARENA_MAX);
	(void)pthread_mutex_init(&c->mutex, NULL);
	(void)pthread_cond_init(&c->cond, NULL);
	collector_state_init(&c->state, o, c->envs);
	if (sort_custom(c, o, err)) {
		collector_release(c);
		return -1;
	}
	for (int i = 0; i < grid_n_providers; i++)
		if (poller_init(&c->pollers[i], c, i, o, err)) {
			collector_release(c);
			return error_wrap(err, "grid data provider %s", grid_providers[i]->name);
		}
	*ret = c;
	return 0;
}

/* On the net thread, so that no callback is running while its ground is taken away. */
static void stop(void *arg)
{
	struct collector *c = arg;

	c->stopped = true;
	if (c->timer)
		http_loop_cancel_timer(c->loop, c->timer);
	for (int i = 0; i < grid_n_providers; i++)
		while (c->pollers[i].fetches.len)
			fetch_cancel(c->pollers[i].fetches.ptr[0]);
	MUTEX_GUARD(&c->mutex);
	c->gone = true;
	(void)pthread_cond_signal(&c->cond);
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	http_loop_post(c->loop, stop, c);
	(void)pthread_mutex_lock(&c->mutex);
	while (!c->gone)
		(void)pthread_cond_wait(&c->cond, &c->mutex);
	(void)pthread_mutex_unlock(&c->mutex);
	collector_release(c);
}

void collector_set_regions(struct collector *c, const struct gridregion *const *regions, size_t n)
{
	collector_state_set(&c->state, regions, n, clock_now_ms(&c->clock));
	http_loop_post(c->loop, regions_set, c);
}

bool collector_view(struct collector *c, const char *region, int64_t now_ms, struct arena *arena,
		    struct collector_view *ret)
{
	return collector_view_of(&c->state, region, now_ms, arena, ret);
}

bool collector_area(struct collector *c, const char *area, enum grid_metric metric, int64_t now_ms, struct arena *arena,
		    struct collector_pick *ret)
{
	return collector_area_of(&c->state, area, metric, now_ms, arena, ret);
}

const struct collector_status *collector_status(struct collector *c, struct arena *arena)
{
	return collector_status_of(&c->state, arena);
}
