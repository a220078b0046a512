/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's providers: a name and the paths that are theirs. Another one is a line in each table, and a handler. */
#include "replay.h"

const char *const provider_names[PROVIDERS] = {
	[PROVIDER_CARBON] = "carbonintensity-gb",
	[PROVIDER_OCTOPUS] = "octopus-agile",
	[PROVIDER_ELEXON] = "elexon",
	[PROVIDER_NESO] = "neso",
	[PROVIDER_PV_LIVE] = "pv-live",
	[PROVIDER_ELECTRICITY_MAPS] = "electricity-maps",
	[PROVIDER_WATTTIME] = "watttime",
	[PROVIDER_CARBON_AWARE_SDK] = "carbon-aware-sdk",
	[PROVIDER_ENTSOE] = "entsoe",
	[PROVIDER_ENERGY_CHARTS] = "energy-charts",
	[PROVIDER_EIA] = "eia",
	[PROVIDER_OPEN_METEO] = "open-meteo",
	[PROVIDER_MET_OFFICE] = "met-office",
	[PROVIDER_GENERIC] = "generic",
	[PROVIDER_PROMETHEUS] = "prometheus",
};

#define LOOKUP .lookup = true
#define KEYED .keyed = true
static const struct source sources[] = {
	{ PROVIDER_CARBON, "/intensity", .answer = carbon_answer },
	{ PROVIDER_CARBON, "/generation", .answer = carbon_answer },
	{ PROVIDER_CARBON, "/regional/postcode", LOOKUP, .answer = carbon_answer },
	{ PROVIDER_CARBON, "/regional", .answer = carbon_answer },
	{ PROVIDER_OCTOPUS, "/v1/products/" REPLAY_PRODUCT, .answer = octopus_answer },
	{ PROVIDER_OCTOPUS, "/v1/products", LOOKUP, .answer = octopus_answer },
	{ PROVIDER_OCTOPUS, "/v1/industry", LOOKUP, .answer = octopus_answer },
	{ PROVIDER_ELEXON, "/bmrs/api/v1", .answer = elexon_answer },
	{ PROVIDER_NESO, "/api/3/action/package_show", LOOKUP, .answer = neso_action },
	{ PROVIDER_NESO, "/api/3/action", .answer = neso_action },
	{ PROVIDER_NESO, "/dataset", .answer = neso_download },
	{ PROVIDER_NESO, "/presigned", .answer = neso_object },
	{ PROVIDER_PV_LIVE, "/pvlive/api/v4", .answer = pv_live_answer },
	{ PROVIDER_ELECTRICITY_MAPS, "/v3/carbon-intensity", KEYED, .answer = electricity_maps_answer },
	{ PROVIDER_ELECTRICITY_MAPS, "/v3/power-breakdown", KEYED, .answer = electricity_maps_answer },
	/* Its keys are tokens: see there. */
	{ PROVIDER_WATTTIME, "/login", .answer = watttime_login },
	{ PROVIDER_WATTTIME, "/v3/region-from-loc", LOOKUP, .answer = watttime_region },
	{ PROVIDER_WATTTIME, "/v3/forecast", .answer = watttime_answer },
	{ PROVIDER_WATTTIME, "/v3/historical", .answer = watttime_answer },
	{ PROVIDER_WATTTIME, "/v3/signal-index", .answer = watttime_answer },
	{ PROVIDER_CARBON_AWARE_SDK, "/emissions", .answer = carbon_aware_sdk_answer },
	{ PROVIDER_PROMETHEUS, "/api/v1/query_range", .answer = prometheus_answer },
	{ PROVIDER_ENTSOE, "/api", KEYED, .answer = entsoe_answer },
	{ PROVIDER_ENERGY_CHARTS, "/price", .answer = energy_charts_answer },
	{ PROVIDER_EIA, "/v2/electricity/rto", KEYED, .answer = eia_answer },
	{ PROVIDER_OPEN_METEO, "/v1/forecast", .answer = open_meteo_answer },
	{ PROVIDER_MET_OFFICE, "/sitespecific/v0/point", KEYED, .answer = met_office_answer },
	{ PROVIDER_GENERIC, "/files", .answer = generic_answer },
};

const struct source *source_find(struct str path)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct str prefix = str_from(sources[i].prefix);

		if (str_has_prefix(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/'))
			return &sources[i];
	}
	return NULL;
}
