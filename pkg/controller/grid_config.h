/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's settings of grid data: which providers are used and how, what is collected for whole areas, and
 *sources of one's own. Pure. In the file:
 *
 *	grid:
 *	  providers:
 *	    electricity-maps: {secretFile: /run/secrets/electricity-maps}
 *	    prometheus: {baseURL: "http://prometheus.monitoring:9090"}
 *	    octopus-agile: {enabled: false}
 *	  feeds:
 *	    - {area: GB, metric: demand, provider: elexon, zone: GB}
 *	  sources:
 *	    - {name: rack-a, provider: prometheus, metric: carbon, query: "avg(rack_carbon)", scale: 1000}
 *	  tariffs:
 *	    - {product: AGILE-24-10-01, zone: C, slope: 2.2, peak: 0.12, peakFromHour: 16, peakToHour: 19, cap: 0.9524,
 *	       timeZone: Europe/London}
 */
#ifndef CONTROLLER_GRID_CONFIG_H
#define CONTROLLER_GRID_CONFIG_H

#include "controller/collector.h"
#include "grid/own_forecast.h"

struct grid_config {
	struct collector_provider
		*providers; /* ended by a NULL name; room for those of flags, see grid_config_provider() */
	const struct collector_feed *feeds;
	size_t n_feeds;
	const struct grid_custom *custom;
	size_t n_custom;
	const struct grid_tariff *tariffs;
	size_t n_tariffs;
};

#define GRID_CONFIG_MAX_TARIFFS 256

/*
 * From the JSON of grid.providers, grid.feeds and grid.sources; NULL = not there: then the feeds are those that GB has.
 * Everything is the arena's. ERR_INVALID names the key and the fix.
 */
int grid_config_parse(const char *providers, const char *feeds, const char *sources, struct arena *arena,
		      struct grid_config *ret, struct error *err) must_check;
/* From the JSON of grid.tariffs. Prices there are in the currency per kWh. Their time zones are not loaded yet. */
int grid_config_tariffs(const char *tariffs, struct arena *arena, struct grid_config *ret,
			struct error *err) must_check;
/* The settings of that provider, made when there are none yet; for flags. The name must be in the table. */
struct collector_provider *grid_config_provider(struct grid_config *c, const char *name);

#endif
