/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers of the read API look like, for its description. */
#include "readapi/internal.h"

/*
 * An answer's members, "name: type" each. A type is string, integer, number, boolean, object or date-time, words with
 * '|' between them, or the name of another schema; [type] is a list of it. '!' behind the name: always there; '?'
 * behind the type: or null.
 */
struct schema {
	const char *name, *members;
};

#define REGION_NOW                                                                           \
	"name!: string, displayName: string, group: string, slotStartTime!: date-time, "     \
	"carbonMilligramsPerKWh: integer, pricePerKWhMicros: integer, currency: string, "    \
	"renewablePerMille: integer, stressPerMille: integer, confidencePerMille: integer, " \
	"issuedTime: date-time, knownUntilTime: date-time, basis: Basis, fresh!: boolean, "  \
	"degraded!: boolean, placeShiftDisabled!: boolean, sources!: [Source]"

static const struct schema schemas[] = {
	{ "Error", "error!: string" },
	{ "Description", "openapi!: string, info!: object, servers!: [object], security!: [object], paths!: object, "
			 "components!: object" },
	{ "Basis", "accounting!: average|marginal, scope!: direct|lifecycle, boundary!: production|consumption, "
		   "resolution!: national|regional|zone" },
	{ "Source", "metric: string, use: string, provider: string, zone: string, product: string, kind: string, "
		    "confidencePerMille: integer, note: string, currency: string, attribution: string, "
		    "licence: string, issuedTime: date-time, fetchedTime: date-time, fromTime: date-time" },
	{ "Region", REGION_NOW },
	{ "Regions", "time!: date-time, regions!: [Region]" },
	{ "Fuel", "fuel!: string, perMille!: integer" },
	{ "Condition", "type!: string, status!: True|False|Unknown, reason!: string, message!: string, "
		       "lastTransitionTime: date-time, observedGeneration: integer" },
	{ "RegionNow",
	  "time!: date-time, " REGION_NOW ", stressCause: string, mix!: [Fuel], conditions!: [Condition]" },
	{ "OwnForecast", "reason!: string, message!: string" },
	{ "Forecast", "name!: string, startTime!: date-time, slotSeconds!: integer, issuedTime: date-time, "
		      "currency: string, carbonErrorMilligramsPerKWh: integer, ownForecast!: OwnForecast, "
		      "carbonP10MilligramsPerKWh: [integer?], "
		      "carbonP50MilligramsPerKWh: [integer?], carbonP90MilligramsPerKWh: [integer?], "
		      "priceP10PerKWhMicros: [integer?], priceP50PerKWhMicros: [integer?], "
		      "priceP90PerKWhMicros: [integer?], renewablePerMille: [integer?], sources!: [Source]" },
	{ "WorkloadForecast", "namespace: string, startTime!: date-time, slotSeconds!: integer, "
			      "plannedMilliwatts!: [integer], pastRuns!: integer, expectedP10Milliwatts: [integer], "
			      "expectedP50Milliwatts: [integer], expectedP90Milliwatts: [integer]" },
	{ "Figures", "energyMilliWattHours: integer, carbonMilligrams: integer, cost: number" },
	{ "Saving", "carbonMilligrams: integer, cost: number" },
	{ "Savings", "time!: Saving, place!: Saving, forecastError!: Saving, total!: Saving" },
	{ "Job", "namespace!: string, name!: string, uid!: string, state!: string, region: string, home: string, "
		 "estimatedStartTime: date-time, latestStartTime: date-time, deadlineTime: date-time, "
		 "releasedTime: date-time, pausedTime: date-time, explanation: string, currency: string, expected: "
		 "Figures, actual: Figures, "
		 "savings: Savings" },
	{ "Jobs", "jobs!: [Job], continue: string" },
	{ "Sums", "namespace: string, jobs!: integer, finished!: integer, jobsWithSavings!: integer, "
		  "jobsWithMoreCarbon!: integer, jobsWithMoreCost!: integer, energyMilliWattHours!: integer, "
		  "carbonMilligrams!: integer, savedCarbonMilligrams!: integer, currency: string, cost: number, "
		  "savedCost: number" },
	{ "Statistics", "baseline!: string, totals!: [Sums], namespaces!: [Sums]" },
	{ "Attempt", "time!: date-time, request!: string, result!: string, reason: string, httpStatus: integer, "
		     "points!: integer, bytes!: integer, durationMilliseconds!: integer" },
	{ "Provider", "name!: string, licence: string, attribution: string, note: string, exportable!: boolean, "
		      "wanted: boolean, off: string, circuit: closed|half-open|open, budgetLeft: integer, "
		      "lastAttemptTime: date-time, lastGoodTime: date-time, attempts: [Attempt]" },
	{ "Providers", "time!: date-time, providers!: [Provider]" },
	{ "Table", "table!: string, rows!: integer, oldestTime: date-time, newestTime: date-time" },
	{ "DataStatus", "kind!: sqlite|postgresql, sizeBytes!: integer, queued!: integer, tables!: [Table]" },
};

static bool is_plain(struct str type)
{
	return str_is(type, "string") || str_is(type, "integer") || str_is(type, "number") || str_is(type, "boolean") ||
	       str_is(type, "object");
}

/* "integer", or ["integer", "null"]. */
static void put_type(struct json_writer *w, struct str type, bool nullable)
{
	if (!nullable) {
		jw_str(w, "type", type);
		return;
	}
	jw_array(w, "type");
	jw_str(w, NULL, type);
	jw_string(w, NULL, "null");
	jw_end_array(w);
}

static void put_words(struct json_writer *w, struct str words)
{
	struct str word;

	put_type(w, STR("string"), false);
	jw_array(w, "enum");
	while (str_split(&words, '|', &word))
		jw_str(w, NULL, word);
	jw_end_array(w);
}

void readapi_describe(struct json_writer *w, const char *key, struct str type)
{
	bool is_list = str_has_prefix(type, STR("[")), nullable;

	if (is_list)
		type = str_of(type.ptr + 1, type.len - 2);
	nullable = type.len && type.ptr[type.len - 1] == '?';
	type.len -= nullable;
	jw_object(w, key);
	if (is_list) {
		put_type(w, STR("array"), false);
		jw_object(w, "items");
	}
	if (is_plain(type)) {
		put_type(w, type, nullable);
	} else if (str_is(type, "date-time")) {
		put_type(w, STR("string"), nullable);
		jw_str(w, "format", type);
	} else if (memchr(type.ptr, '|', type.len)) {
		put_words(w, type);
	} else {
		jw_stringf(w, "$ref", "#/components/schemas/%.*s", STR_FMT(type));
	}
	if (is_list)
		jw_end_object(w);
	jw_end_object(w);
}

/* The next of "name!: type, ...". */
static bool next_member(struct str *rest, struct str *ret_name, struct str *ret_type, bool *ret_always)
{
	struct str part;

	if (!str_split(rest, ',', &part) || !str_split(&part, ':', ret_name))
		return false;
	*ret_name = str_trim(*ret_name);
	*ret_type = str_trim(part);
	*ret_always = str_has_suffix(*ret_name, STR("!"));
	ret_name->len -= *ret_always;
	return true;
}

static void put_schema(struct json_writer *w, const struct schema *s)
{
	struct str rest = str_from(s->members), name, type;
	bool always;

	jw_object(w, s->name);
	put_type(w, STR("object"), false);
	jw_object(w, "properties");
	while (next_member(&rest, &name, &type, &always)) {
		char key[64];

		if (str_copy(key, sizeof(key), name))
			readapi_describe(w, key, type);
	}
	jw_end_object(w);
	jw_array(w, "required");
	for (rest = str_from(s->members); next_member(&rest, &name, &type, &always);)
		if (always)
			jw_str(w, NULL, name);
	jw_end_array(w);
	jw_end_object(w);
}

void readapi_describe_schemas(struct json_writer *w)
{
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
		put_schema(w, &schemas[i]);
}
