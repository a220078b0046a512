/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series that all providers' answers are made of, with the faults of values and times in them: derived from the
 * recorded carbon intensity by simple rules of our own making, so that what different providers say fits together. What
 * came, for slots that have ended; what the running issue expects, for the others. Server thread only.
 */
#ifndef GRIDREPLAY_SERIES_H
#define GRIDREPLAY_SERIES_H

#include "json/writer.h"
#include "replay.h"

enum quantity {
	Q_CARBON,       /* g/kWh, unweighted mean of the 14 regions */
	Q_WHOLESALE,    /* per MWh; ten times wholesale_price() */
	Q_SYSTEM_PRICE, /* per MWh: wholesale and a seeded imbalance */
	Q_DEMAND,       /* MW: 24,000 at night to 38,000 in the evening, local time */
	Q_WIND,         /* MW: its share of the mix, of demand */
	Q_SOLAR,        /* MW, likewise */
	Q_MARGIN,       /* MW: 46,000 less demand */
	Q_LOSS_OF_LOAD, /* 0..1: 0.5 at no margin, a tenth for every 4,000 MW */
	Q_TEMPERATURE,  /* degrees Celsius */
	Q_WIND_SPEED,   /* m/s: 2 and the share of wind */
	Q_IRRADIANCE,   /* W/m2 */
	QUANTITIES
};

/* Per mille of generation that give back the carbon intensity by the factors gas 394 and coal 937, the others 0. */
enum { MIX_COAL, MIX_GAS, MIX_NUCLEAR, MIX_HYDRO, MIX_SOLAR, MIX_WIND, MIX_FUELS };
void mix_of(double carbon, int hour_utc, int ret_permille[MIX_FUELS]);
/* Of the whole area at that time. */
void mix_at(const struct request *req, int64_t ms, int ret_permille[MIX_FUELS]);

struct point {
	enum { POINT_NONE, POINT_NULL, POINT_BAD, POINT_VALUE } state;
	double value;
};

/* `salt` tells series of one answer apart, so that faults do not hit them all in the same slots. */
struct point series_point(const struct request *req, enum quantity q, int64_t ms, int salt);
/* Without faults; NAN where nothing is known. */
double series_value(const struct request *req, enum quantity q, int slot);
/* Carbon of one of the 14 regions, with faults. */
struct point region_point(const struct request *req, int region, int64_t ms);
/* Is there a point at all? Recorded, within 48 h, and not swallowed by a fault. */
bool has_point(const struct request *req, int slot);
/* A point changed by the faults of values; series_point() does it. */
struct point fault_point(const struct request *req, enum quantity q, int slot, int salt, double value);

/* [from, to) without what lies beyond recording and 48 h; to is at most `until`. Steps from a border of `step_ms`. */
struct span {
	int64_t from_ms, to_ms, step_ms;
};
struct span series_span(const struct request *req, int64_t from_ms, int64_t to_ms, int64_t step_ms);
/* The end of what has been measured: the slot that runs. */
int64_t series_measured_ms(const struct request *req);
/* The time as it is written in the answer: faults 12 (1:00 is called 0:00 again) and 24 (a week ago) are in it. */
int64_t series_label(const struct request *req, int64_t ms);

/* Query parameter as a time: RFC 3339, a date, or "YYYYMMDDhhmm"; else the default. */
int64_t param_time(const struct request *req, const char *name, int64_t def_ms);
/* The parameter, or the default. */
const char *param_text(const struct request *req, const char *name, const char *def);
/* The zone as it is echoed: another one under fault 28. */
const char *zone_label(const struct request *req, const char *zone);

/* Number, null or nonsense; under fault 22 a number is a text. */
void jw_point(struct json_writer *w, const struct request *req, const char *key, struct point p, int places);
/* The same for CSV and XML, and "" for null. */
const char *point_text(struct point p, int places, char out[32]);
/* A member that nobody has told of, under fault 22. */
void jw_surprise(struct json_writer *w, const struct request *req);
/* The answer to a bad request. */
int refuse_json(struct request *req, int status, const char *key, const char *message);

#define DATE_TEXT 16
/* "2026-05-06" */
char *date_text(int64_t ms, char out[DATE_TEXT]);
/* "2026-05-06T00:00:00", without zone */
char *naive_text(int64_t ms, char out[TIME_TEXT]);
/* Settlement date and period (from 1) of a UTC time; under fault 12 counted from midnight UTC. */
int settlement_of(const struct request *req, int64_t ms, char ret_date[DATE_TEXT]);

#endif
