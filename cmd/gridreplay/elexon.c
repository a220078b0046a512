/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elexon Insights (BMRS): rows in {"data": [...]}, the same as a bare array where the path ends in /stream. Unknown
 * parameters are ignored, as there. Every settlement period is that of local time. FUELINST and FUELHH know no embedded
 * solar: its share is shown as wind, so that the factors give the carbon intensity back.
 */
#include "series.h"

#define MAX_ROWS 6000
#define STREAM_STEP_MS (5 * MINUTE_MS)

static bool path_is(const struct request *req, int i, const char *word)
{
	return req->n_path > i && str_is(req->path[i], word);
}

static void put_period(struct json_writer *w, const struct request *req, int64_t ms)
{
	char date[DATE_TEXT];
	int period = settlement_of(req, ms, date);

	jw_time(w, "startTime", series_label(req, ms));
	jw_string(w, "settlementDate", date);
	jw_i64(w, "settlementPeriod", period);
}

static void open_row(struct json_writer *w, const char *dataset, int64_t publish_ms)
{
	jw_object(w, NULL);
	jw_string(w, "dataset", dataset);
	if (publish_ms != TIME_NONE)
		jw_time(w, "publishTime", publish_ms);
}

static void close_row(struct json_writer *w, const struct request *req)
{
	jw_surprise(w, req);
	jw_end_object(w);
}

/* Newest first, as the service has them. */
static void system_prices(struct json_writer *w, const struct request *req)
{
	int64_t now = series_measured_ms(req), day;
	char date[DATE_TEXT], wanted[DATE_TEXT];
	struct point p;

	(void)str_copy(wanted, sizeof(wanted), req->n_path > 6 ? req->path[6] : STR(""));
	for (day = now - SLOT_MS; day >= now - 3 * DAY_MS; day -= SLOT_MS) {
		int period = settlement_of(req, day, date);

		p = series_point(req, Q_SYSTEM_PRICE, day, 0);
		if (!cstr_eq(date, wanted) || p.state == POINT_NONE)
			continue;
		jw_object(w, NULL);
		jw_string(w, "settlementDate", date);
		jw_i64(w, "settlementPeriod", period);
		jw_time(w, "startTime", series_label(req, day));
		jw_time(w, "createdDateTime", day + 44 * MINUTE_MS);
		jw_point(w, req, "systemSellPrice", p, 2);
		jw_point(w, req, "systemBuyPrice", p, 2);
		jw_bool(w, "bsadDefaulted", false);
		jw_string(w, "priceDerivationCode", "N");
		jw_i64(w, "reserveScarcityPrice", 0);
		jw_null(w, "replacementPrice");
		close_row(w, req);
	}
}

/* Two providers, one of which trades no more: price 0 and volume 0 (and both under fault 25). */
static void market_index(struct json_writer *w, const struct request *req)
{
	int64_t now = series_measured_ms(req);
	struct span s = series_span(req, param_time(req, "from", now - DAY_MS),
				    MIN(param_time(req, "to", now) + SLOT_MS, now + SLOT_MS), SLOT_MS);

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_WHOLESALE, t, 0);

		for (int leg = 0; leg < 2 && p.state != POINT_NONE; leg++) {
			bool dead = leg == 1 || req->fault[FAULT_DEAD];

			open_row(w, "MID", TIME_NONE);
			put_period(w, req, t);
			jw_string(w, "dataProvider", leg ? "N2EXMIDP" : "APXMIDP");
			if (dead)
				jw_i64(w, "price", 0);
			else
				jw_point(w, req, "price", p, 2);
			jw_double(w, "volume", dead ? 0 : 1500 + 100 * leg, 2);
			close_row(w, req);
		}
	}
}

static void put_fuel(struct json_writer *w, const struct request *req, const char *dataset, int64_t ms, int64_t end_ms,
		     const char *fuel, struct point p)
{
	open_row(w, dataset, end_ms);
	put_period(w, req, ms);
	jw_string(w, "fuelType", fuel);
	jw_point(w, req, "generation", p, 0);
	close_row(w, req);
}

static struct point part_of(struct point demand, int permille)
{
	demand.value *= permille / 1000.0;
	return demand;
}

/* Interconnectors that export and pumped storage are negative; new cables bring new codes (fault 22). */
static void fuels_of(struct json_writer *w, const struct request *req, const char *dataset, int64_t ms, int64_t step_ms)
{
	struct point demand = series_point(req, Q_DEMAND, ms, 0);
	int mix[MIX_FUELS], alive = req->fault[FAULT_DEAD] ? 0 : 1;

	if (demand.state == POINT_NONE)
		return;
	mix_at(req, ms, mix);
	const struct {
		const char *code;
		int permille;
	} rows[] = { { "CCGT", alive * mix[MIX_GAS] },
		     { "COAL", mix[MIX_COAL] },
		     { "NUCLEAR", alive * mix[MIX_NUCLEAR] },
		     { "NPSHYD", mix[MIX_HYDRO] },
		     { "WIND", mix[MIX_WIND] + mix[MIX_SOLAR] },
		     { "PS", -20 },
		     { "INTIRL", -10 },
		     { "OCGT", 0 },
		     { "OIL", 0 },
		     { "INTNED", 0 },
		     { "INTNEM", 0 },
		     { "INTELEC", 0 },
		     { "OTHER", 0 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		put_fuel(w, req, dataset, ms, ms + step_ms, rows[i].code, part_of(demand, rows[i].permille));
	if (req->fault[FAULT_SCHEMA])
		put_fuel(w, req, dataset, ms, ms + step_ms, "INTNEWCABLE", part_of(demand, 5));
}

static void fuels(struct json_writer *w, const struct request *req, const char *dataset, int64_t step_ms)
{
	int64_t now = time_slot_floor(req->now_ms, step_ms), from, to;
	struct span s;

	from = param_time(req, "publishDateTimeFrom", param_time(req, "settlementDateFrom", now - HOUR_MS));
	to = param_time(req, "publishDateTimeTo", param_time(req, "settlementDateTo", now) + DAY_MS);
	s = series_span(req, MAX(from, now - DAY_MS), MIN(to, now - step_ms + 1), step_ms);
	s.step_ms = step_ms;
	s.from_ms = time_slot_ceil(s.from_ms, step_ms);
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms)
		fuels_of(w, req, dataset, t, step_ms);
}

/* Demand, wind and loss of load: what was measured, or what is expected. */
static void outturn(struct json_writer *w, const struct request *req, bool dataset)
{
	int64_t now = series_measured_ms(req), from, to;
	struct span s;

	from = param_time(req, "settlementDateFrom", param_time(req, "publishDateTimeFrom", now - DAY_MS)) - HOUR_MS;
	to = param_time(req, "settlementDateTo", now) + DAY_MS;
	s = series_span(req, from, MIN(to, now), SLOT_MS);
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_DEMAND, t, 0);

		if (p.state == POINT_NONE)
			continue;
		open_row(w, "INDO", t + SLOT_MS + 15 * MINUTE_MS);
		put_period(w, req, t);
		if (dataset) {
			jw_point(w, req, "demand", p, 0);
		} else {
			jw_point(w, req, "initialDemandOutturn", p, 0);
			jw_point(w, req, "initialTransmissionSystemDemandOutturn", p, 0);
		}
		close_row(w, req);
	}
}

static void demand_forecast(struct json_writer *w, const struct request *req, bool dataset)
{
	int64_t now = series_measured_ms(req);
	struct span s = series_span(req, dataset ? now : param_time(req, "from", now),
				    dataset ? now + 2 * DAY_MS : param_time(req, "to", now + 2 * DAY_MS), SLOT_MS);

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_DEMAND, t, 0);

		if (p.state == POINT_NONE)
			continue;
		open_row(w, "NDF", now);
		put_period(w, req, t);
		if (dataset) {
			jw_point(w, req, "demand", p, 0);
		} else {
			jw_point(w, req, "transmissionSystemDemand", p, 0);
			jw_point(w, req, "nationalDemand", p, 0);
		}
		jw_string(w, "boundary", "N");
		close_row(w, req);
	}
}

static void wind_forecast(struct json_writer *w, const struct request *req)
{
	int64_t now = series_measured_ms(req);
	struct span s = series_span(req, now - 12 * HOUR_MS, now + 2 * DAY_MS, HOUR_MS);

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_WIND, t, 0);

		if (p.state == POINT_NONE)
			continue;
		open_row(w, "WINDFOR", now);
		jw_time(w, "startTime", series_label(req, t));
		jw_point(w, req, "generation", p, 0);
		close_row(w, req);
	}
}

static void loss_of_load(struct json_writer *w, const struct request *req)
{
	int64_t now = series_measured_ms(req);
	struct span s = series_span(req, param_time(req, "from", now), param_time(req, "to", now + DAY_MS), SLOT_MS);

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_LOSS_OF_LOAD, t, 0), margin = series_point(req, Q_MARGIN, t, 1);

		if (p.state == POINT_NONE)
			continue;
		open_row(w, "LOLPDRM", now);
		put_period(w, req, t);
		jw_i64(w, "forecastHorizon", 12);
		jw_point(w, req, "lossOfLoadProbability", p, 6);
		jw_point(w, req, "deratedMargin", margin, 1);
		close_row(w, req);
	}
}

static void frequency(struct json_writer *w, const struct request *req)
{
	int64_t now = time_slot_floor(req->now_ms, 2 * MINUTE_MS);
	int64_t from = param_time(req, "measurementDateTimeFrom", now - HOUR_MS);
	int64_t to = MIN(param_time(req, "measurementDateTimeTo", now), now);
	int n = 0;

	from = time_slot_ceil(MAX(from, to - DAY_MS), 15 * SECOND_MS);
	for (int64_t t = from; t < to && n < MAX_ROWS; t += 15 * SECOND_MS, n++) {
		struct point p = series_point(req, Q_DEMAND, t, 0);

		if (p.state == POINT_NONE)
			continue;
		p.value = p.value > 1e6 ? p.value : 50 + 0.01 * (double)(t / (15 * SECOND_MS) % 13 - 6);
		jw_object(w, NULL);
		jw_string(w, "dataset", "FREQ");
		jw_time(w, "measurementTime", series_label(req, t));
		jw_point(w, req, "frequency", p, 3);
		jw_end_object(w);
	}
}

static bool put_rows(struct json_writer *w, const struct request *req)
{
	if (path_is(req, 3, "balancing") && path_is(req, 5, "system-prices"))
		system_prices(w, req);
	else if ((path_is(req, 3, "balancing") && path_is(req, 5, "market-index")) || path_is(req, 4, "MID"))
		market_index(w, req);
	else if (path_is(req, 4, "FUELINST"))
		fuels(w, req, "FUELINST", STREAM_STEP_MS);
	else if (path_is(req, 4, "FUELHH"))
		fuels(w, req, "FUELHH", SLOT_MS);
	else if (path_is(req, 4, "INDO") || path_is(req, 4, "outturn"))
		outturn(w, req, path_is(req, 4, "INDO"));
	else if (path_is(req, 4, "NDF") || path_is(req, 4, "demand"))
		demand_forecast(w, req, path_is(req, 4, "NDF"));
	else if (path_is(req, 4, "WINDFOR"))
		wind_forecast(w, req);
	else if (path_is(req, 4, "LOLPDRM") || path_is(req, 5, "loss-of-load"))
		loss_of_load(w, req);
	else if (path_is(req, 4, "FREQ"))
		frequency(w, req);
	else
		return false;
	return true;
}

/* /bmrs/api/v1/{datasets/X[/stream] | balancing/... | demand/outturn | forecast/...} */
int elexon_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	/* Row 22 of the faults: what was an object is an array, and the reverse. */
	bool bare = str_is(req->path[req->n_path - 1], "stream") != req->fault[FAULT_SCHEMA];

	if (!bare)
		jw_object(&w, NULL);
	jw_array(&w, bare ? NULL : "data");
	if (!put_rows(&w, req)) {
		buf_reset(req->out);
		return refuse_json(req, 404, "title", "Not Found");
	}
	jw_end_array(&w);
	if (!bare)
		jw_end_object(&w);
	return 200;
}
