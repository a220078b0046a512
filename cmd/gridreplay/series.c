/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's derived series, and the faults that lie in values and times. */
#include "series.h"

#include <math.h>

#include "base/rand.h"

void mix_of(double carbon, int hour_utc, int ret[MIX_FUELS])
{
	int g = (int)lround(carbon), rest;

	memset(ret, 0, sizeof(*ret) * MIX_FUELS);
	if (isnan(carbon) || g < 0)
		return;
	ret[MIX_COAL] = g > 394 ? MIN((g - 394) * 1000 / (937 - 394), 1000) : 0;
	ret[MIX_GAS] = g > 394 ? 1000 - ret[MIX_COAL] : g * 1000 / 394;
	rest = 1000 - ret[MIX_COAL] - ret[MIX_GAS];
	ret[MIX_NUCLEAR] = rest / 4;
	ret[MIX_HYDRO] = rest / 20;
	ret[MIX_SOLAR] = hour_utc >= 8 && hour_utc < 16 ? rest / 10 : 0;
	ret[MIX_WIND] = rest - ret[MIX_NUCLEAR] - ret[MIX_HYDRO] - ret[MIX_SOLAR];
}

void mix_at(const struct request *req, int64_t ms, int ret[MIX_FUELS])
{
	int slot = req->fault[FAULT_FLAT] ? req->slot : recording_slot(&req->replay->rec, ms);

	mix_of(series_value(req, Q_CARBON, slot), (int)(recording_time(&req->replay->rec, slot) % DAY_MS / HOUR_MS),
	       ret);
}

static int hour_utc(const struct request *req, int slot)
{
	return (int)(recording_time(&req->replay->rec, slot) % DAY_MS / HOUR_MS);
}

static double local_hour(const struct request *req, int slot)
{
	int64_t ms = recording_time(&req->replay->rec, slot);

	return (double)((ms + tz_offset_s(req->replay->london, ms) * SECOND_MS) % DAY_MS) / HOUR_MS;
}

static double national(const struct request *req, int slot)
{
	double sum = 0;
	int n = 0;

	for (int r = 0; r < REGIONS; r++) {
		int32_t v = slot < req->slot ? recording_truth(&req->replay->rec, r, slot)
					     : recording_forecast(&req->replay->rec, r, req->slot, slot);

		if (v == MISSING)
			continue;
		sum += v;
		n++;
	}
	return n ? sum / n : NAN;
}

static double noise(int slot, int seed)
{
	uint64_t state = ((uint64_t)(uint32_t)seed << 32) ^ (uint64_t)(uint32_t)slot;

	(void)rand_next(&state);
	return rand_unit(&state) - 0.5;
}

static double demand(const struct request *req, int slot)
{
	double h = local_hour(req, slot);

	return 31000 + 5000 * cos(2 * M_PI * (h - 17) / 24) + 2000 * cos(4 * M_PI * (h - 7) / 24);
}

static double share(const struct request *req, int slot, int fuel)
{
	int mix[MIX_FUELS];

	mix_of(national(req, slot), hour_utc(req, slot), mix);
	return mix[fuel] / 1000.0;
}

double series_value(const struct request *req, enum quantity q, int slot)
{
	double carbon = national(req, slot), h = hour_utc(req, slot);

	if (isnan(carbon))
		return NAN;
	switch (q) {
	case Q_CARBON:
		return carbon;
	case Q_WHOLESALE:
		return 10 * wholesale_price(&req->replay->rec, req->replay->london, slot);
	case Q_SYSTEM_PRICE:
		return 10 * wholesale_price(&req->replay->rec, req->replay->london, slot) + 40 * noise(slot, 1);
	case Q_DEMAND:
		return demand(req, slot);
	case Q_WIND:
		return demand(req, slot) * share(req, slot, MIX_WIND);
	case Q_SOLAR:
		return demand(req, slot) * share(req, slot, MIX_SOLAR);
	case Q_MARGIN:
		return 46000 - demand(req, slot);
	case Q_LOSS_OF_LOAD:
		return 0.5 * pow(10, -(46000 - demand(req, slot)) / 4000);
	case Q_TEMPERATURE:
		return 8 + 4 * cos(2 * M_PI * (h - 15) / 24) + noise(slot, 2);
	case Q_WIND_SPEED:
		return 2 + 12 * share(req, slot, MIX_WIND) + noise(slot, 3);
	case Q_IRRADIANCE:
		return MAX(0.0, 500 * sin(M_PI * (h - 6) / 12));
	default:
		return NAN;
	}
}

bool has_point(const struct request *req, int slot)
{
	const struct recording *rec = &req->replay->rec;

	if (req->slot < 0 || slot < 0 || slot >= rec->n || slot - req->slot >= FORECAST_SLOTS)
		return false;
	if (req->fault[FAULT_SHORT] && slot - req->slot >= 31)
		return false;
	if (req->fault[FAULT_STORM] && slot >= req->slot)
		return false;
	if (req->fault[FAULT_LATE] && recording_time(rec, slot) >= time_slot_floor(req->now_ms, DAY_MS) + DAY_MS)
		return false;
	/* The same three slots of every day, so that asking again does not help. */
	return !(req->fault[FAULT_GAP] && slot % 48 >= 30 && slot % 48 < 33);
}

static bool is_price(enum quantity q)
{
	return q == Q_WHOLESALE || q == Q_SYSTEM_PRICE;
}

struct point fault_point(const struct request *req, enum quantity q, int slot, int salt, double value)
{
	struct point p = { POINT_VALUE, value };
	int64_t hours;

	if (!has_point(req, slot))
		return (struct point){ POINT_NONE, NAN };
	if (isnan(value) || (req->fault[FAULT_MISSING] && (slot + salt) % 7 == 0))
		return (struct point){ POINT_NULL, NAN };
	/* An hour ahead, and an hour behind for what is measured only. */
	hours = recording_time(&req->replay->rec, slot) / HOUR_MS - req->now_ms / HOUR_MS;
	if (req->fault[FAULT_BAD_POINT] && (hours == 2 || hours == -2))
		return (struct point){ POINT_BAD, NAN };
	if (req->fault[FAULT_NEGATIVE] && q == Q_CARBON && (slot + salt) % 5 == 0)
		p.value = -13;
	if (req->fault[FAULT_NEGATIVE] && is_price(q))
		p.value -= 300;
	if (req->fault[FAULT_OUTLIER] && (slot + salt) % 11 == 0)
		p.value = p.value * 100 + 40000;
	if (req->fault[FAULT_INVENTED] && q == Q_CARBON)
		p.value = 40000 + slot % 78 * 1000;
	return p;
}

struct point series_point(const struct request *req, enum quantity q, int64_t ms, int salt)
{
	int slot = recording_slot(&req->replay->rec, ms);

	return fault_point(req, q, slot, salt, series_value(req, q, req->fault[FAULT_FLAT] ? req->slot : slot));
}

struct point region_point(const struct request *req, int region, int64_t ms)
{
	const struct recording *rec = &req->replay->rec;
	int slot = recording_slot(rec, ms), from = req->fault[FAULT_FLAT] ? req->slot : slot;
	int32_t v = from < req->slot ? recording_truth(rec, region, from)
				     : recording_forecast(rec, region, req->slot, from);

	return fault_point(req, Q_CARBON, slot, region_table[region].id, v == MISSING ? (double)NAN : v);
}

struct span series_span(const struct request *req, int64_t from_ms, int64_t to_ms, int64_t step_ms)
{
	const struct recording *rec = &req->replay->rec;
	int64_t step = req->fault[FAULT_STEP] ? 15 * MINUTE_MS : step_ms;
	struct span s = { MAX(from_ms, rec->start_ms), MIN(to_ms, recording_time(rec, rec->n)), step };

	s.to_ms = MIN(s.to_ms, recording_time(rec, req->slot + FORECAST_SLOTS));
	s.from_ms = time_slot_ceil(s.from_ms, step);
	return s;
}

int64_t series_measured_ms(const struct request *req)
{
	return recording_time(&req->replay->rec, req->slot);
}

int64_t series_label(const struct request *req, int64_t ms)
{
	if (req->fault[FAULT_DST] && ms % DAY_MS / HOUR_MS == 1)
		return ms - HOUR_MS;
	return req->fault[FAULT_SPAN] ? ms - 7 * DAY_MS : ms;
}

int64_t param_time(const struct request *req, const char *name, int64_t def_ms)
{
	const char *text = http_param(req->x, name);
	char whole[32];
	int64_t ms;

	if (!text)
		return def_ms;
	if (time_parse(str_from(text), &ms))
		return ms;
	if (strlen(text) == 10 && text[4] == '-')
		(void)snprintf(whole, sizeof(whole), "%sT00:00Z", text);
	else if (strlen(text) == 12)
		(void)snprintf(whole, sizeof(whole),
			       "%.4s-%.2s-%.2s"
			       "T%.2s:%.2sZ",
			       text, text + 4, text + 6, text + 8, text + 10);
	else if (strlen(text) == 13 && text[10] == 'T')
		(void)snprintf(whole, sizeof(whole), "%s:00Z", text);
	else
		(void)snprintf(whole, sizeof(whole), "%.19sZ", text);
	return time_parse(str_from(whole), &ms) ? ms : def_ms;
}

const char *param_text(const struct request *req, const char *name, const char *def)
{
	const char *text = http_param(req->x, name);

	return text ? text : def;
}

const char *zone_label(const struct request *req, const char *zone)
{
	return req->fault[FAULT_MAPPING] ? "ELSEWHERE" : zone;
}

void jw_point(struct json_writer *w, const struct request *req, const char *key, struct point p, int places)
{
	if (p.state == POINT_BAD)
		jw_string(w, key, "n/a");
	else if (p.state != POINT_VALUE)
		jw_null(w, key);
	else if (req->fault[FAULT_SCHEMA])
		jw_stringf(w, key, "%.*f", places, p.value);
	else
		jw_double(w, key, p.value, places);
}

const char *point_text(struct point p, int places, char out[32])
{
	if (p.state == POINT_VALUE)
		(void)snprintf(out, 32, "%.*f", places, p.value);
	else
		(void)str_copy(out, 32, p.state == POINT_BAD ? STR("n/a") : STR(""));
	return out;
}

void jw_surprise(struct json_writer *w, const struct request *req)
{
	if (!req->fault[FAULT_SCHEMA])
		return;
	jw_object(w, "_surprise");
	jw_array(w, "nested");
	jw_null(w, NULL);
	jw_end_array(w);
	jw_end_object(w);
}

int refuse_json(struct request *req, int status, const char *key, const char *message)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	jw_string(&w, key, message);
	jw_end_object(&w);
	return status;
}

char *date_text(int64_t ms, char out[DATE_TEXT])
{
	int year, month, day;

	time_civil_from_days(time_slot_floor(ms, DAY_MS) / DAY_MS, &year, &month, &day);
	(void)snprintf(out, DATE_TEXT, "%04d-%02d-%02d", year, month, day);
	return out;
}

char *naive_text(int64_t ms, char out[TIME_TEXT])
{
	(void)time_format(ms, out);
	out[strcspn(out, "Z")] = '\0';
	return out;
}

int settlement_of(const struct request *req, int64_t ms, char ret_date[DATE_TEXT])
{
	const struct tz *tz = req->replay->london;
	int64_t local = ms + tz_offset_s(tz, ms) * SECOND_MS, midnight;
	int year, month, day;

	if (req->fault[FAULT_DST]) {
		(void)date_text(ms, ret_date);
		return (int)(ms % DAY_MS / SLOT_MS) + 1;
	}
	time_civil_from_days(local / DAY_MS, &year, &month, &day);
	midnight = tz_local_to_utc_ms(tz, year, month, day, 0, 0);
	(void)date_text(local, ret_date);
	return (int)((ms - midnight) / SLOT_MS) + 1;
}
