/* SPDX-License-Identifier: Apache-2.0 */
/* Rates and lengths of faults. */
#include "sim/cluster_faults.h"

#include <math.h>

#include "base/rand.h"

#define NEVER (INT64_MAX / 4)
#define MAX_PER_DAY 10000.0
#define MAX_LENGTH_MS (366 * DAY_MS)

const char *const cluster_fault_names[] = { "node", "operator", "provider", "evict", "conflict" };
static const int64_t lengths[FAULT_KINDS] = { HOUR_MS, 600 * SECOND_MS, 3 * HOUR_MS, 0, 0 };

static int bad(struct str part, const char *why, struct error *err)
{
	return error_set(err, ERR_INVALID, "--failures: '%.*s': %s", (int)MIN(part.len, 60), part.ptr ? part.ptr : "",
			 why);
}

static bool parse_rate(struct str s, double *ret_mean_ms)
{
	struct str rest = s, number, unit;
	int64_t per;
	double rate;

	if (!str_split(&rest, '/', &number) || !str_split(&rest, '/', &unit) || rest.ptr)
		return false;
	if (str_is(unit, "hour"))
		per = HOUR_MS;
	else if (str_is(unit, "day"))
		per = DAY_MS;
	else if (str_is(unit, "year"))
		per = 365 * DAY_MS;
	else
		return false;
	if (!str_to_double(number, &rate) || !(rate >= 0) || rate * (double)DAY_MS / (double)per > MAX_PER_DAY)
		return false;
	*ret_mean_ms = rate > 0 ? (double)per / rate : 0;
	return true;
}

static bool parse_length(struct str s, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', SECOND_MS }, { 'm', MINUTE_MS }, { 'h', HOUR_MS }, { 'd', DAY_MS } };
	double n;

	for (size_t i = 0; s.len > 1 && i < ARRAY_LEN(units); i++) {
		if (s.ptr[s.len - 1] != units[i].unit)
			continue;
		if (!str_to_double(str_of(s.ptr, s.len - 1), &n) || !(n > 0) || n * (double)units[i].ms < 1 ||
		    n * (double)units[i].ms > (double)MAX_LENGTH_MS)
			return false;
		*ret_ms = llround(n * (double)units[i].ms);
		return true;
	}
	return false;
}

static int parse_one(struct str part, struct faults *f, unsigned *seen, struct error *err)
{
	struct str rest = part, name, value = STR_NULL, length = STR_NULL;
	int64_t seed;

	(void)str_split(&rest, ':', &name);
	if (!str_split(&rest, ':', &value) || (str_split(&rest, ':', &length) && rest.ptr))
		return bad(part, "must be like node:0.01/day:1h", err);
	if (str_is(name, "seed")) {
		if (length.ptr || !str_to_i64(value, 0, INT64_MAX, &seed))
			return bad(part, "must be seed:NUMBER", err);
		f->seed = (uint64_t)seed;
		return 0;
	}
	for (int k = 0; k < FAULT_KINDS; k++) {
		if (!str_is(name, cluster_fault_names[k]))
			continue;
		if (*seen & (1u << k))
			return bad(part, "is there twice", err);
		*seen |= 1u << k;
		if (k == FAULT_CONFLICT)
			return !length.ptr && str_to_double(value, &f->conflict_share) && f->conflict_share >= 0 &&
					       f->conflict_share <= 0.9
				       ? 0
				       : bad(part, "must be conflict:SHARE, 0 to 0.9", err);
		if (!parse_rate(value, &f->kind[k].mean_ms))
			return bad(part, "the rate must be a number per hour, day or year, like 0.5/day", err);
		if (length.ptr && (k == FAULT_EVICT || !parse_length(length, &f->kind[k].length_ms)))
			return bad(part, k == FAULT_EVICT ? "takes no length" : "the length must be like 600s or 3h",
				   err);
		return 0;
	}
	return bad(part, "there are node, operator, provider, evict, conflict and seed", err);
}

int faults_parse(const char *spec, struct faults *ret, struct error *err)
{
	struct str rest = str_from(spec && *spec ? spec : NULL), part;
	struct faults f = { .seed = 1 };
	unsigned seen = 0;

	for (int k = 0; k < FAULT_KINDS; k++)
		f.kind[k].length_ms = lengths[k];
	while (rest.ptr && str_split(&rest, ',', &part))
		if (parse_one(str_trim(part), &f, &seen, err))
			return -1;
	*ret = f;
	return 0;
}

int64_t faults_next(const struct faults *f, enum fault_kind kind, uint64_t *rng)
{
	if (!(f->kind[kind].mean_ms > 0))
		return NEVER;
	return MAX((int64_t)fmin(-log(1 - rand_unit(rng)) * f->kind[kind].mean_ms, (double)NEVER), 1);
}
