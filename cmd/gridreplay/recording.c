/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's data: the recorded carbon CSV, forecasts with a seeded error, illustrative prices. */
#include <math.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rand.h"
#include "recording.h"

#define MAX_CSV_BYTES ((size_t)1024 * 1024)
#define PRICE_CAP_P (100 / 1.05) /* 100 p with 5 % VAT */

const struct region_info region_table[REGIONS] = {
	{ 1, "North Scotland", "Scottish Hydro Electric Power Distribution", "North Scotland", 'P', 2.4, 12 },
	{ 2, "South Scotland", "SP Distribution", "South Scotland", 'N', 2.1, 13 },
	{ 3, "North West England", "Electricity North West", "North West England", 'G', 2.1, 12 },
	{ 4, "North East England", "NPG North East", "North East England", 'F', 2.1, 12 },
	{ 5, "Yorkshire", "NPG Yorkshire", "Yorkshire", 'M', 2.0, 13 },
	{ 6, "North Wales & Merseyside", "SP Manweb", "North Wales and Merseyside", 'D', 2.2, 13 },
	{ 7, "South Wales", "WPD South Wales", "South Wales", 'K', 2.2, 12 },
	{ 8, "West Midlands", "WPD West Midlands", "West Midlands", 'E', 2.1, 12 },
	{ 9, "East Midlands", "WPD East Midlands", "East Midlands", 'B', 2.0, 14 },
	{ 10, "East England", "UKPN East", "East England", 'A', 2.1, 13 },
	{ 11, "South West England", "WPD South West", "South West England", 'L', 2.3, 11 },
	{ 12, "South England", "SSE South", "South England", 'H', 2.1, 12 },
	{ 13, "London", "UKPN London", "London", 'C', 2.0, 12 },
	{ 14, "South East England", "UKPN South East", "South East England", 'J', 2.2, 12 },
};

static int read_header(struct str line, int column[REGIONS], const char *path, struct error *err)
{
	struct str field;
	bool seen[REGIONS] = { false };

	if (!str_split(&line, ',', &field) || !str_is(str_trim(field), "time_utc"))
		return error_set(err, ERR_INVALID, "%s:1: first column must be time_utc", path);
	for (int i = 0; i < REGIONS; i++) {
		column[i] = -1;
		if (!str_split(&line, ',', &field))
			return error_set(err, ERR_INVALID, "%s:1: %d region columns, must be 14", path, i);
		for (int r = 0; r < REGIONS && column[i] < 0; r++)
			if (!seen[r] && str_is(str_trim(field), region_table[r].column))
				seen[column[i] = r] = true;
		if (column[i] < 0)
			return error_set(err, ERR_INVALID, "%s:1: unknown or repeated region '%.*s'", path,
					 (int)MIN(field.len, 40), field.ptr);
	}
	return line.ptr ? error_set(err, ERR_INVALID, "%s:1: more than 14 region columns", path) : 0;
}

static int read_row(struct recording *rec, struct str line, const int column[REGIONS], struct error *err)
{
	struct str field;
	int64_t ms, value;

	if (rec->n == RECORDING_MAX_SLOTS)
		return error_set(err, ERR_LIMIT, "more than %d rows", RECORDING_MAX_SLOTS);
	if (!str_split(&line, ',', &field) || !time_parse(field, &ms))
		return error_set(err, ERR_INVALID, "time must be like 2023-02-09T07:00Z");
	if (rec->n == 0)
		rec->start_ms = ms;
	if (ms != recording_time(rec, rec->n) || ms % SLOT_MS)
		return error_set(err, ERR_INVALID, "rows must follow each other by half an hour");
	for (int i = 0; i < REGIONS; i++) {
		if (!str_split(&line, ',', &field))
			return error_set(err, ERR_INVALID, "%d values, must be 14", i);
		value = MISSING;
		field = str_trim(field);
		if (field.len && !str_to_i64(field, 0, 1500, &value))
			return error_set(err, ERR_INVALID, "carbon must be a whole number from 0 to 1500, or empty");
		rec->carbon[rec->n][column[i]] = (int32_t)value;
	}
	rec->n++;
	return line.ptr ? error_set(err, ERR_INVALID, "more than 14 values") : 0;
}

int recording_load(struct recording *rec, const char *path, struct error *err)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_CSV_BYTES);
	int column[REGIONS];
	struct str rest, line;

	*rec = (struct recording){ 0 };
	if (buf_read_file(&text, path, err))
		return -1;
	rest = buf_str(&text);
	for (int number = 1; str_split(&rest, '\n', &line); number++) {
		line = str_trim(line);
		if (number == 1) {
			if (read_header(line, column, path, err))
				return -1;
		} else if (line.len && read_row(rec, line, column, err)) {
			return error_wrap(err, "%s:%d", path, number);
		}
	}
	return rec->n ? 0 : error_set(err, ERR_INVALID, "%s: no rows", path);
}

void recording_release(struct recording *rec)
{
	free(rec->error);
	rec->error = NULL;
}

int recording_slot(const struct recording *rec, int64_t ms)
{
	int64_t slot = (time_slot_floor(ms, SLOT_MS) - rec->start_ms) / SLOT_MS;

	return (int)CLAMP(slot, -1000000, 1000000);
}

int64_t recording_time(const struct recording *rec, int slot)
{
	return rec->start_ms + slot * SLOT_MS;
}

int32_t recording_truth(const struct recording *rec, int region, int slot)
{
	return slot < 0 || slot >= rec->n ? MISSING : rec->carbon[slot][region];
}

double recording_national(const struct recording *rec, int slot)
{
	double sum = 0;
	int n = 0;

	for (int r = 0; r < REGIONS; r++)
		if (recording_truth(rec, r, slot) != MISSING) {
			sum += rec->carbon[slot][r];
			n++;
		}
	return n ? sum / n : NAN;
}

/* The lattice: one normal for each field (0 = common, 1.. = the regions), issue step and target step. */
#define ISSUE_STEP 12
#define TARGET_STEP 8
#define COMMON_SHARE 0.6

static double lattice(uint64_t seed, int field, int a, int b)
{
	uint64_t state =
		seed ^ ((uint64_t)(uint32_t)field << 40) ^ ((uint64_t)(uint32_t)a << 20) ^ (uint64_t)(uint32_t)b;

	(void)rand_next(&state); /* neighbouring lattice points differ in few bits: mix once before use */
	return rand_normal(&state);
}

static double field_at(uint64_t seed, int field, int issue, int target)
{
	int a = issue / ISSUE_STEP, b = target / TARGET_STEP;
	double fa = (double)(issue % ISSUE_STEP) / ISSUE_STEP, fb = (double)(target % TARGET_STEP) / TARGET_STEP;
	double w[4] = { (1 - fa) * (1 - fb), (1 - fa) * fb, fa * (1 - fb), fa * fb };
	double sum = 0, squares = 0;

	for (int i = 0; i < 4; i++) {
		squares += w[i] * w[i];
		if (w[i] > 0)
			sum += w[i] * lattice(seed, field, a + i / 2, b + i % 2);
	}
	return sum / sqrt(squares);
}

static float *error_at(const struct recording *rec, int region, int issue, int lead)
{
	return &rec->error[((size_t)region * (size_t)rec->n + (size_t)issue) * FORECAST_SLOTS + (size_t)lead];
}

#define BANDS 4
static const double band_target[BANDS] = { 21, 25, 32, 39 };

static int band_of(int lead)
{
	return MIN(lead / 24, BANDS - 1);
}

/* The bands' gains hold at their middles (6, 18, 30, 42 h), linear in between. */
static double gain_at(const double gain[BANDS], int lead)
{
	double x = CLAMP((lead - 12) / 24.0, 0.0, BANDS - 1.0);
	int i = MIN((int)x, BANDS - 2);

	return gain[i] + (gain[i + 1] - gain[i]) * (x - i);
}

static void measure(const struct recording *rec, const double gain[BANDS], double ret[BANDS])
{
	double sum[BANDS] = { 0 };
	int n[BANDS] = { 0 };

	for (int r = 0; r < REGIONS; r++)
		for (int issue = 0; issue < rec->n; issue++)
			for (int lead = 0; lead < FORECAST_SLOTS && issue + lead < rec->n; lead++) {
				double truth = rec->carbon[issue + lead][r];
				double forecast = truth + gain_at(gain, lead) * (double)*error_at(rec, r, issue, lead);

				if (rec->carbon[issue + lead][r] == MISSING)
					continue;
				sum[band_of(lead)] += fabs(MAX(forecast, 0.0) - truth);
				n[band_of(lead)]++;
			}
	for (int i = 0; i < BANDS; i++)
		ret[i] = n[i] ? sum[i] / n[i] : 0;
}

void recording_seed(struct recording *rec, uint64_t seed)
{
	double gain[BANDS], mean[BANDS];

	free(rec->error);
	rec->error = xcalloc((size_t)REGIONS * (size_t)rec->n * FORECAST_SLOTS, sizeof(*rec->error));
	for (int issue = 0; issue < rec->n; issue++)
		for (int lead = 0; lead < FORECAST_SLOTS && issue + lead < rec->n; lead++) {
			double common = sqrt(COMMON_SHARE) * field_at(seed, 0, issue, issue + lead);

			for (int r = 0; r < REGIONS; r++)
				*error_at(rec, r, issue, lead) =
					(float)(common +
						sqrt(1 - COMMON_SHARE) * field_at(seed, r + 1, issue, issue + lead));
		}
	/* Clamping at zero makes the mean error a little less than proportional to the gain: a few steps settle it. */
	memcpy(gain, band_target, sizeof(gain));
	for (int step = 0; step < 8; step++) {
		measure(rec, gain, mean);
		for (int i = 0; i < BANDS; i++)
			gain[i] *= mean[i] > 0 ? band_target[i] / mean[i] : 1;
	}
	for (int r = 0; r < REGIONS; r++)
		for (int issue = 0; issue < rec->n; issue++)
			for (int lead = 0; lead < FORECAST_SLOTS; lead++)
				*error_at(rec, r, issue, lead) *= (float)gain_at(gain, lead);
}

int32_t recording_forecast(const struct recording *rec, int region, int issue, int slot)
{
	int32_t truth = recording_truth(rec, region, slot);
	int lead = slot - issue;

	if (truth == MISSING || issue < 0 || lead < 0 || lead >= FORECAST_SLOTS)
		return MISSING;
	return MAX(0, (int32_t)lround(truth + (double)*error_at(rec, region, issue, lead)));
}

static double local_hour(const struct tz *london, int64_t ms)
{
	int64_t local = ms + tz_offset_s(london, ms) * SECOND_MS;

	return (double)(local % DAY_MS) / HOUR_MS;
}

double wholesale_price(const struct recording *rec, const struct tz *london, int slot)
{
	double carbon = recording_national(rec, slot);
	double h = local_hour(london, recording_time(rec, slot));

	return 0.09 * carbon - 6 + 2 * cos(2 * M_PI * (h - 19) / 24) + 1.5 * cos(4 * M_PI * (h - 8) / 24);
}

double agile_price(const struct recording *rec, const struct tz *london, int region, int slot)
{
	double h = local_hour(london, recording_time(rec, slot));
	double price = region_table[region].slope * wholesale_price(rec, london, slot) +
		       (h >= 16 && h < 19 ? region_table[region].peak : 0);

	return isnan(price) ? NAN : round(MIN(price, PRICE_CAP_P) * 100) / 100;
}
