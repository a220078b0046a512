/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and checking the pod's annotations. */
#include "extender/wish.h"

#include "base/decimal.h"

#define MAX_WEIGHT 1000

static bool parse_regions(struct str value, struct extender_wish *w)
{
	struct str rest = value, part;

	while (str_split(&rest, ',', &part))
		if (!str_is_dns_name(str_trim(part)))
			return false;
	w->regions = value;
	return true;
}

static bool parse_duration(struct str value, struct extender_wish *w)
{
	int64_t seconds;

	if (!str_to_i64(value, 1, EXTENDER_MAX_DURATION_S, &seconds))
		return false;
	w->duration_ms = seconds * SECOND_MS;
	return true;
}

static int32_t *weight_field(struct planner_job *job, struct str name)
{
	if (str_is(name, "carbon"))
		return &job->weight_carbon;
	if (str_is(name, "cost"))
		return &job->weight_cost;
	if (str_is(name, "delay"))
		return &job->weight_delay;
	if (str_is(name, "renewable"))
		return &job->weight_renewable;
	return NULL;
}

static bool parse_weights(struct str value, struct extender_wish *w)
{
	struct planner_job job = { .weight_carbon = -1, .weight_cost = -1, .weight_delay = -1, .weight_renewable = -1 };
	struct str rest = value, part, name;
	int64_t sum = 0, weight;

	while (str_split(&rest, ',', &part)) {
		int32_t *field;

		if (!str_split(&part, '=', &name) || !part.ptr)
			return false;
		field = weight_field(&job, str_trim(name));
		if (!field || *field >= 0 || !str_to_i64(str_trim(part), 0, MAX_WEIGHT, &weight))
			return false;
		*field = (int32_t)weight;
		sum += weight;
	}
	if (sum == 0)
		return false;
	w->weights.weight_carbon = MAX(job.weight_carbon, 0);
	w->weights.weight_cost = MAX(job.weight_cost, 0);
	w->weights.weight_delay = MAX(job.weight_delay, 0);
	w->weights.weight_renewable = MAX(job.weight_renewable, 0);
	return true;
}

static bool parse_value(enum extender_annotation which, struct str value, struct extender_wish *w)
{
	switch (which) {
	case EXTENDER_REGIONS:
		return parse_regions(value, w);
	case EXTENDER_DURATION:
		return parse_duration(str_trim(value), w);
	case EXTENDER_MAX_CARBON:
		return decimal_parse(str_trim(value), 3, &w->max_carbon_mg_per_kwh);
	case EXTENDER_MAX_PRICE:
		return decimal_parse(str_trim(value), 6, &w->max_price_micros_per_kwh);
	case EXTENDER_WEIGHTS:
		return parse_weights(value, w);
	case EXTENDER_N_ANNOTATIONS:
		break;
	}
	return false;
}

void extender_wish_parse(const struct extender_args *args, struct extender_wish *ret)
{
	char scratch[EXTENDER_MAX_VALUE];

	ret->regions = STR_NULL;
	ret->duration_ms = EXTENDER_DEFAULT_DURATION_MS;
	ret->max_carbon_mg_per_kwh = ret->max_price_micros_per_kwh = INT64_MAX;
	ret->weights = (struct planner_job){ .weight_carbon = 60, .weight_cost = 30, .weight_delay = 10 };
	ret->bad = 0;
	for (int i = 0; i < EXTENDER_N_ANNOTATIONS; i++) {
		const struct cursor_text *text = &args->annotations[i];
		struct str value;

		if (!text->raw.ptr)
			continue;
		value = cursor_decode(*text, i == EXTENDER_REGIONS ? ret->regions_buf : scratch, EXTENDER_MAX_VALUE);
		if (value.len > EXTENDER_MAX_VALUE || !value.ptr ||
		    !parse_value((enum extender_annotation)i, value, ret))
			ret->bad |= 1u << i;
	}
}

bool extender_wish_allows(const struct extender_wish *w, const char *region)
{
	struct str rest = w->regions, part;

	if (!w->regions.ptr)
		return true;
	while (str_split(&rest, ',', &part))
		if (str_is(str_trim(part), region))
			return true;
	return false;
}
