/* SPDX-License-Identifier: Apache-2.0 */
/* The reflector's decisions. Pure: no clock, no I/O, no randomness of its own. */
#include "k8s/reflector.h"

#include "base/alloc.h"

void reflector_fsm_init(struct reflector_fsm *f)
{
	*f = (struct reflector_fsm){ .state = REFLECTOR_EMPTY,
				     .limit = REFLECTOR_PAGE_LIMIT,
				     .last_error_ms = TIME_NONE };
}

void reflector_fsm_release(struct reflector_fsm *f)
{
	free(f->next);
	reflector_fsm_init(f);
}

static void set_next(struct reflector_fsm *f, char *next)
{
	free(f->next);
	f->next = next;
}

static enum reflector_action list_anew(struct reflector_fsm *f)
{
	set_next(f, NULL);
	f->state = REFLECTOR_LISTING;
	return REFLECTOR_LIST;
}

enum reflector_action reflector_fsm_start(struct reflector_fsm *f)
{
	return list_anew(f);
}

enum reflector_action reflector_fsm_page(struct reflector_fsm *f, const char *resource_version, char *next)
{
	set_next(f, next);
	if (next)
		return REFLECTOR_LIST;
	(void)str_copy(f->resource_version, sizeof(f->resource_version), str_from(resource_version));
	f->state = REFLECTOR_WATCHING;
	f->synced = true;
	f->refusals = 0;
	return REFLECTOR_WATCH;
}

enum reflector_action reflector_fsm_event(struct reflector_fsm *f, const char *resource_version)
{
	(void)str_copy(f->resource_version, sizeof(f->resource_version), str_from(resource_version));
	f->refusals = 0;
	return REFLECTOR_GO_ON;
}

/* The next delay; errors that are far apart do not add up. */
static enum reflector_action back_off(struct reflector_fsm *f, bool watch_next, int64_t least_ms, int64_t mono_ms,
				      double unit_jitter)
{
	if (f->last_error_ms != TIME_NONE && mono_ms - f->last_error_ms >= REFLECTOR_HEALTHY_MS)
		f->backoff_ms = 0;
	int64_t base_ms = MAX(f->backoff_ms, REFLECTOR_BACKOFF_MIN_MS);

	f->backoff_ms = MIN(base_ms * 2, REFLECTOR_BACKOFF_MAX_MS);
	f->delay_ms = MAX(base_ms + (int64_t)((double)base_ms * unit_jitter), least_ms);
	f->last_error_ms = mono_ms;
	f->watch_next = watch_next;
	f->state = REFLECTOR_BACKOFF;
	set_next(f, NULL);
	return REFLECTOR_WAIT;
}

enum reflector_action reflector_fsm_failed(struct reflector_fsm *f, const struct error *why, int64_t mono_ms,
					   double unit_jitter)
{
	bool watching = f->state == REFLECTOR_WATCHING;
	bool quiet = f->last_error_ms == TIME_NONE || mono_ms - f->last_error_ms >= REFLECTOR_BACKOFF_MAX_MS;

	if (why->code == ERR_GONE && quiet) {
		f->last_error_ms = mono_ms;
		return list_anew(f);
	}
	/*
	 * A watch that the server refuses again and again has a version it does not like, whatever it says: etcd
	 * restored from a backup answers "too large resource version" with 504, for example.
	 */
	if (watching && why->http)
		f->refusals++;
	if (!watching && why->code == ERR_LIMIT)
		f->limit = MAX(f->limit / 5, 1);
	bool hopeless = why->code == ERR_GONE || why->code == ERR_INVALID || f->refusals >= REFLECTOR_MAX_REFUSALS;
	return back_off(f, watching && !hopeless, why->retry_after_ms, mono_ms, unit_jitter);
}

enum reflector_action reflector_fsm_ended(struct reflector_fsm *f, int64_t lived_ms, int64_t mono_ms,
					  double unit_jitter)
{
	if (lived_ms < SECOND_MS)
		return back_off(f, true, 0, mono_ms, unit_jitter);
	return REFLECTOR_WATCH;
}

enum reflector_action reflector_fsm_wake(struct reflector_fsm *f)
{
	if (!f->watch_next)
		return list_anew(f);
	f->state = REFLECTOR_WATCHING;
	return REFLECTOR_WATCH;
}
