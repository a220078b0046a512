/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's parts: what a request is answered from, the two providers' paths, and the faults. Server thread only. */
#ifndef GRIDREPLAY_REPLAY_H
#define GRIDREPLAY_REPLAY_H

#include "base/buf.h"
#include "base/map.h"
#include "http/server.h"
#include "recording.h"

#define REPLAY_MAX_BODY ((size_t)4 * 1024 * 1024)
#define REPLAY_MAX_PATHS 4096
#define REPLAY_MAX_SEGMENTS 12
#define REPLAY_MAX_FAULTS 32
/* The code says what it is wherever it is shown. */
#define REPLAY_PRODUCT "AGILE-ILLUSTRATIVE-26-01-01"

enum provider { PROVIDER_CARBON, PROVIDER_OCTOPUS, PROVIDERS };
extern const char *const provider_names[PROVIDERS];

/* Rows of research/providers.md section 11, the table of what goes wrong with providers. */
enum fault_row {
	FAULT_EMPTY = 1,        /* 200 with {}, [], {"data":[]} or no body, in turn */
	FAULT_SERVER_ERROR = 2, /* 500, 502 and 503 in turn */
	FAULT_SHORT = 3,        /* 31 windows of 97; prices end at the next 23:00 local */
	FAULT_WIPE = 6,         /* every second answer is empty */
	FAULT_MISSING = 7,      /* null where a value is due; the day's last hour of prices left out */
	FAULT_NEGATIVE = 8,     /* carbon below zero here and there; prices 30 p lower */
	FAULT_OUTLIER = 9,      /* some windows a hundred times too large */
	FAULT_BAD_POINT = 10,   /* one window is nonsense */
	FAULT_LATE = 14,        /* tomorrow is not there: carbon to midnight, prices not before 20:30 local */
	FAULT_PAGES = 15,       /* small pages whose rows have moved by one between page 1 and 2 */
	FAULT_THROTTLED = 16,   /* 429, Retry-After: 2 */
	FAULT_SLOW = 20,        /* no answer for 40 s */
	FAULT_MOVED = 21,       /* 301 and 302 to another host, and 404, in turn */
	FAULT_SCHEMA = 22,      /* object for array and the reverse, new fuels, renamed regions, unknown members */
	FAULT_HTML = 23,        /* an HTML page with status 200 */
	FAULT_GAP = 26,         /* three windows that are never filled */
	FAULT_ROWS = 29,
};

struct fault {
	int row;
	int provider; /* -1 = all */
	int64_t from_ms, to_ms;
};

struct replay {
	struct clock clock;
	struct recording rec;
	struct tz *london;
	struct fault faults[REPLAY_MAX_FAULTS];
	int n_faults;
	unsigned turn[PROVIDERS]; /* requests met by faults that take turns */
	struct map requests;      /* path -> struct path_count */
};

/* One request as the handlers see it. */
struct request {
	struct replay *replay;
	struct http_exchange *x;
	int64_t now_ms; /* domain time */
	int slot;       /* of now: the newest issue */
	int provider;
	bool fault[FAULT_ROWS]; /* rows in force */
	struct str path[REPLAY_MAX_SEGMENTS];
	int n_path;
	struct buf *out;
};

/* "11.03@carbonintensity-gb+2h-30m": row, provider, domain time after the recording's start and length. */
int faults_parse(struct replay *r, struct str list, struct error *err) must_check;
/* Fills req->fault. */
void faults_collect(struct request *req);
/* Faults that replace the whole answer. True when the exchange is done with. */
bool faults_answer(struct request *req);

/* Fill req->out; the HTTP status. */
int carbon_answer(struct request *req);
int octopus_answer(struct request *req);

#endif
