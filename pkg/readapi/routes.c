/* SPDX-License-Identifier: Apache-2.0 */
/* Which path is answered by what. */
#include "readapi/internal.h"

#define LIMIT                                                                     \
	{                                                                         \
		"limit", "integer", "at most so many, 1 to 1000; 100 unless told" \
	}
#define OFFSET                                                                                     \
	{                                                                                          \
		"offset", "integer", "pass over so many rows: the nextOffset of the answer before" \
	}
#define VIEW(name, resource, summary, ...)                                                            \
	{                                                                                             \
		"/views/" name, resource, readapi_view, summary, { LIMIT, OFFSET, __VA_ARGS__ }, NULL \
	}
#define NAMESPACE                                                                           \
	{                                                                                   \
		"namespace", "string", "of this namespace only; all namespaces unless told" \
	}

const struct readapi_route readapi_routes[] = {
	{ "/openapi.json", READAPI_NONE, readapi_openapi, "This description.", { { 0 } }, "Description" },
	{ "/regions",
	  READAPI_REGIONS,
	  readapi_regions,
	  "All GridRegions with their running half hour and its sources.",
	  { { 0 } },
	  "Regions" },
	{ "/regions/{name}/current",
	  READAPI_REGIONS,
	  readapi_region_current,
	  "The running half hour of a GridRegion, with generation mix, sources and conditions.",
	  { { 0 } },
	  "RegionNow" },
	{ "/regions/{name}/forecast",
	  READAPI_REGIONS,
	  readapi_region_forecast,
	  "What is known ahead, in columns of one value per slot from startTime on; null is not known.",
	  { { "hours", "integer", "so far ahead, 1 to 336" } },
	  "Forecast" },
	{ "/forecast-scores",
	  READAPI_REGIONS,
	  readapi_forecast_scores,
	  "How well forecasts of the last four weeks have done, by region, metric, day of lead and source; in the "
	  "metric's unit (mg/kWh, millionths of the currency per kWh). From the database.",
	  { LIMIT, OFFSET, { "region", "string", "of this GridRegion only" } },
	  NULL },
	{ "/workload-forecast",
	  READAPI_JOBS,
	  readapi_workload_forecast,
	  "Power of CarbonAwareJobs ahead, in columns of one value per half hour from startTime on: as planned, and as "
	  "expected from the past (database).",
	  { NAMESPACE, { "hours", "integer", "so far ahead, 1 to 336; 96 unless told" } },
	  "WorkloadForecast" },
	{ "/jobs",
	  READAPI_JOBS,
	  readapi_jobs,
	  "CarbonAwareJobs with plan, savings and explanation.",
	  { NAMESPACE,
	    LIMIT,
	    { "state", "string", "only jobs in this state, such as Deferred" },
	    { "continue", "string", "go on behind the answer that gave this" } },
	  "Jobs" },
	{ "/decisions",
	  READAPI_JOBS,
	  readapi_decisions,
	  "What was decided about jobs, newest first; from the database.",
	  { NAMESPACE,
	    LIMIT,
	    OFFSET,
	    { "job", "string", "of this CarbonAwareJob only" },
	    { "since", "date-time", "not earlier than that" } },
	  NULL },
	{ "/statistics",
	  READAPI_JOBS,
	  readapi_statistics,
	  "Totals by namespace and currency against running at once at home; losses count as losses.",
	  { NAMESPACE },
	  "Statistics" },
	{ "/providers",
	  READAPI_REGIONS,
	  readapi_providers,
	  "Grid data providers: circuit, last attempts, freshness, licence.",
	  { { 0 } },
	  "Providers" },
	{ "/data/status",
	  READAPI_REGIONS,
	  readapi_data_status,
	  "The database: size, and rows and times by table.",
	  { { 0 } },
	  "DataStatus" },
	VIEW("current-grid-status", READAPI_REGIONS, "What is known of each zone now, as it was fetched.", { 0 }),
	VIEW("regional-compute-opportunities", READAPI_REGIONS,
	     "The ready nodes of each region, its carbon now and its best "
	     "half hour of the next day.",
	     { 0 }),
	VIEW("workload-optimisation-opportunities", READAPI_JOBS,
	     "Deferrable jobs whose home is above one of their limits.", NAMESPACE),
	VIEW("latest-grid-conditions", READAPI_REGIONS, "The newest value of each zone, metric and source.", { 0 }),
};
const int readapi_n_routes = ARRAY_LEN(readapi_routes);

/* `path` is the route's, with what stands for {name} copied. */
static bool matches(const char *route, const char *path, char name[READAPI_MAX_NAME])
{
	const char *open = strchr(route, '{'), *rest;
	size_t before, len;

	name[0] = '\0';
	if (!open)
		return strcmp(route, path) == 0;
	before = (size_t)(open - route);
	if (strncmp(route, path, before) != 0)
		return false;
	rest = strchr(open, '}') + 1;
	path += before;
	len = strcspn(path, "/");
	return len > 0 && strcmp(path + len, rest) == 0 && str_copy(name, READAPI_MAX_NAME, str_of(path, len));
}

static bool has_param(const struct readapi_route *route, struct str name)
{
	for (size_t i = 0; i < READAPI_MAX_PARAMS && route->params[i].name; i++)
		if (str_is(name, route->params[i].name))
			return true;
	return false;
}

int readapi_check_query(const struct readapi_route *route, const char *query, struct error *err)
{
	struct str rest = *query ? str_from(query) : STR_NULL, part, seen[READAPI_MAX_PARAMS];
	size_t n = 0;

	while (str_split(&rest, '&', &part)) {
		struct str name;

		if (str_empty(part))
			continue;
		(void)str_split(&part, '=', &name);
		if (!has_param(route, name))
			return error_set(err, ERR_INVALID, "%s has no parameter \"%.*s\"; see /api/v1/openapi.json",
					 route->path, (int)MIN(name.len, 40), name.ptr);
		for (size_t i = 0; i < n; i++)
			if (str_eq(seen[i], name))
				return error_set(err, ERR_INVALID, "parameter %.*s is there twice", STR_FMT(name));
		seen[n++] = name;
	}
	return 0;
}

const struct readapi_route *readapi_route_find(const char *path, char name[READAPI_MAX_NAME])
{
	for (int i = 0; i < readapi_n_routes; i++)
		if (matches(readapi_routes[i].path, path, name))
			return &readapi_routes[i];
	return NULL;
}
