/* SPDX-License-Identifier: Apache-2.0 */
/* The provider table and the building of plans. */
#include <stdarg.h>

#include "grid/provider.h"

#define GRID_PROVIDER(p) &(p),
const struct grid_provider *const grid_providers[] = {
#include "grid/providers.inc"
	NULL
};
#undef GRID_PROVIDER
const int grid_n_providers = ARRAY_LEN(grid_providers) - 1;

const struct grid_provider *grid_provider_find(const char *name)
{
	for (int i = 0; i < grid_n_providers; i++)
		if (cstr_eq(name, grid_providers[i]->name))
			return grid_providers[i];
	return NULL;
}

bool grid_provider_serves(const struct grid_provider *p, const struct grid_request *req, const char *zone)
{
	return p->serves ? p->serves(req, zone) : strcmp(req->zone, zone) == 0;
}

int64_t grid_provider_next_poll_ms(const struct grid_provider *p, const struct grid_env *env,
				   const struct grid_request *req, int64_t known_until_ms, double jitter)
{
	return p->next_poll_ms ? p->next_poll_ms(env, req, known_until_ms, jitter)
			       : grid_poll_every(env, p->poll_every_ms, jitter);
}

const char *grid_env_note(const struct grid_env *env, const char *key)
{
	for (int i = 0; i < env->n_notes; i++)
		if (strcmp(env->notes[i].key, key) == 0)
			return env->notes[i].value;
	return NULL;
}

const struct grid_custom *grid_env_custom(const struct grid_env *env, const char *name)
{
	for (int i = 0; i < env->n_custom; i++)
		if (cstr_eq(env->custom[i].name, name))
			return &env->custom[i];
	return NULL;
}

int64_t grid_poll_every(const struct grid_env *env, int64_t every_ms, double jitter)
{
	return env->now_ms + every_ms + (int64_t)(jitter * (double)every_ms / 10);
}

struct grid_request *grid_plan_add(struct grid_plan *p, const char *id)
{
	struct grid_request *r;

	for (int i = 0; i < p->n; i++)
		if (strcmp(p->items[i].id, id) == 0)
			return NULL;
	if (p->n == GRID_PLAN_MAX || strlen(id) >= sizeof(r->id))
		return NULL;
	r = &p->items[p->n++];
	*r = (struct grid_request){ 0 };
	(void)str_copy(r->id, sizeof(r->id), str_from(id));
	return r;
}

bool grid_plan_url(struct grid_plan *p, struct grid_request *r, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(r->url, sizeof(r->url), fmt, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(r->url))
		return true;
	p->n--;
	return false;
}
