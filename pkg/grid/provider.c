/* SPDX-License-Identifier: Apache-2.0 */
/* The provider table and the building of plans. */
#include <stdarg.h>

#include "grid/provider.h"

const struct grid_provider *const grid_providers[GRID_PROVIDERS] = { &grid_carbonintensity_gb, &grid_octopus_agile };

const struct grid_provider *grid_provider_find(const char *name)
{
	for (int i = 0; i < GRID_PROVIDERS; i++)
		if (cstr_eq(name, grid_providers[i]->name))
			return grid_providers[i];
	return NULL;
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
