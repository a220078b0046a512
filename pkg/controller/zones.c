/* SPDX-License-Identifier: Apache-2.0 */
/* Cache of time zones. */
#include "controller/zones.h"

#include "base/alloc.h"
#include "base/map.h"

#define MAX_ZONES 700

struct zones {
	pthread_mutex_t mutex;
	struct map by_name;
};

struct zones *zones_new(void)
{
	struct zones *z = xcalloc(1, sizeof(*z));

	(void)pthread_mutex_init(&z->mutex, NULL);
	map_init(&z->by_name, MAX_ZONES);
	return z;
}

void zones_free(struct zones *z)
{
	struct map_entry *e;

	if (!z)
		return;
	for (size_t i = 0; (e = map_next(&z->by_name, &i));)
		tz_free(e->value);
	map_release(&z->by_name);
	(void)pthread_mutex_destroy(&z->mutex);
	free(z);
}

int zones_get(struct zones *z, const char *name, const struct tz **ret, struct error *err)
{
	MUTEX_GUARD(&z->mutex);
	struct tz *tz = map_get(&z->by_name, str_from(name));
	void *old;

	if (!tz) {
		if (tz_load(name, &tz, err))
			return -1;
		if (map_put(&z->by_name, str_from(name), tz, &old, err)) {
			tz_free(tz);
			return -1;
		}
	}
	*ret = tz;
	return 0;
}
