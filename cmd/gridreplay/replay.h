/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gridreplay's parts: what a request is answered from, the table of providers, and the faults. Answers are made on the
 * server thread; the edge (edge.h) looks at faults and log from threads of its own.
 */
#ifndef GRIDREPLAY_REPLAY_H
#define GRIDREPLAY_REPLAY_H

#include <pthread.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/map.h"
#include "http/server.h"
#include "recording.h"

#define REPLAY_MAX_BODY ((size_t)4 * 1024 * 1024)
#define REPLAY_MAX_PATHS 4096
#define REPLAY_MAX_SEGMENTS 12
#define REPLAY_MAX_FAULTS 64
#define REPLAY_MAX_FAULT_TEXT 4096
/* The code says what it is wherever it is shown. */
#define REPLAY_PRODUCT "AGILE-ILLUSTRATIVE-26-01-01"
#define REPLAY_NOTICE "illustrative: made by gridreplay from recorded carbon intensity"

enum provider {
	PROVIDER_CARBON,
	PROVIDER_OCTOPUS,
	PROVIDER_ELEXON,
	PROVIDER_NESO,
	PROVIDER_PV_LIVE,
	PROVIDER_ELECTRICITY_MAPS,
	PROVIDER_WATTTIME,
	PROVIDER_CARBON_AWARE_SDK,
	PROVIDER_ENTSOE,
	PROVIDER_ENERGY_CHARTS,
	PROVIDER_EIA,
	PROVIDER_OPEN_METEO,
	PROVIDER_MET_OFFICE,
	PROVIDER_GENERIC,
	PROVIDER_PROMETHEUS,
	PROVIDERS
};
/* As in GridRegion.spec. */
extern const char *const provider_names[PROVIDERS];

/* Rows of research/providers.md section 11, the table of what goes wrong with providers. */
enum fault_row {
	FAULT_EMPTY = 1,        /* 200 with {}, [], {"data":[]} or no body, in turn */
	FAULT_SERVER_ERROR = 2, /* 500, 502 and 503 in turn */
	FAULT_SHORT = 3,        /* 31 windows of 97; prices end at the next 23:00 local */
	FAULT_INVENTED = 4,     /* smooth carbon of 40 to 117 kg/kWh, as a forgotten file gave */
	FAULT_CACHED = 5,       /* 200, no body, "Cache-Control: max-age" of a week */
	FAULT_WIPE = 6,         /* every second answer is empty */
	FAULT_MISSING = 7,      /* null where a value is due; the day's last hour of prices left out */
	FAULT_NEGATIVE = 8,     /* carbon below zero here and there; prices 30 p lower */
	FAULT_OUTLIER = 9,      /* some windows a hundred times too large */
	FAULT_BAD_POINT = 10,   /* an hour ahead and one behind are nonsense */
	FAULT_FLAT = 11,        /* the same value for hours */
	FAULT_DST = 12,         /* 0:00 comes twice and 1:00 never; settlement periods counted in UTC */
	FAULT_STEP = 13,        /* points of 15 min instead of hours or half hours */
	FAULT_LATE = 14,        /* tomorrow is not there: carbon to midnight, prices not before 20:30 local */
	FAULT_PAGES = 15,       /* small pages whose rows have moved by one between page 1 and 2 */
	FAULT_THROTTLED = 16,   /* 429, Retry-After: 2 */
	FAULT_STORM = 17,       /* well-formed, but nothing for now and later: what makes clients ask at once again */
	FAULT_AUTH = 18,        /* 401 to every key; tokens age in 3 min instead of 30 */
	FAULT_TLS = 19,         /* not here: give --tls-cert and swap the file */
	FAULT_SLOW = 20,        /* no answer for 40 s; see enum transport */
	FAULT_MOVED = 21,       /* 301 and 302 to another host, and 404, in turn */
	FAULT_SCHEMA = 22,      /* object for array, numbers as text, new fuels, renamed regions, unknown members */
	FAULT_HTML = 23,        /* an HTML page with status 200 */
	FAULT_SPAN = 24,        /* what was asked for is ignored: a week ago instead */
	FAULT_DEAD = 25,        /* a leg of the answer is all zeros: no gas, no nuclear, no price */
	FAULT_GAP = 26,         /* three windows that are never filled */
	FAULT_LOOKUP = 27,      /* 500 where names are looked up, while data are served */
	FAULT_MAPPING = 28,     /* another zone or another unit than was asked for */
	FAULT_ROWS = 29,
};

/* What row 20 does to the connection: "11.20/drip". Without a name: hold. */
enum transport {
	TRANSPORT_NONE,
	TRANSPORT_HOLD,    /* no byte for 40 s */
	TRANSPORT_DRIP,    /* a byte every 200 ms, of an announced 100,000 */
	TRANSPORT_ENDLESS, /* chunks until the client has enough */
	TRANSPORT_CUT,     /* closed in the middle of the body */
	TRANSPORT_LARGE,   /* a body of 5 MiB */
	TRANSPORTS
};

struct fault {
	int row;
	enum transport transport; /* of row 20 */
	int provider;             /* -1 = all */
	int64_t from_ms, to_ms;
};

struct replay {
	struct clock clock;
	struct recording rec;
	struct tz *london;
	bool plain;            /* no TLS, so there is an edge */
	char download[64];     /* name of this host in redirects */
	pthread_mutex_t mutex; /* of the rest */
	struct fault faults[REPLAY_MAX_FAULTS];
	int n_faults;
	unsigned turn[PROVIDERS]; /* requests met by faults that take turns */
	int64_t count[PROVIDERS]; /* requests */
	struct map requests;      /* path -> struct path_count */
	FILE *log;                /* one line of JSON a request; NULL = none */
};

/* One request as the handlers see it. */
struct request {
	struct replay *replay;
	struct http_exchange *x;
	int64_t now_ms; /* domain time */
	int slot;       /* of now: the newest issue */
	enum provider provider;
	bool fault[FAULT_ROWS]; /* rows in force */
	struct str path[REPLAY_MAX_SEGMENTS];
	int n_path;
	struct buf *out;
	const char *type; /* of the answer; JSON unless the handler says otherwise */
};

/* One path of one provider. The first that fits is taken. */
struct source {
	enum provider provider;
	const char *prefix;                 /* the path itself, or what comes before a '/' */
	bool lookup;                        /* finds names, gives no data */
	bool keyed;                         /* wants a key */
	int (*answer)(struct request *req); /* fills req->out; the HTTP status */
};
/* NULL when no provider has such a path. */
const struct source *source_find(struct str path);

/*
 * "11.03@carbonintensity-gb+2h-30m": row, provider, domain time after the recording's start and length; several with
 * commas between. They replace those in force, or none does. Any thread.
 */
int faults_set(struct replay *r, struct str list, struct error *err) must_check;
/* Fills rows[], which must be zeroed; the transport fault in force. Any thread. */
enum transport faults_collect(struct replay *r, enum provider provider, int64_t now_ms, bool rows[FAULT_ROWS]);
/* Faults that replace the whole answer. True when the exchange is done with. */
bool faults_answer(struct request *req, const struct source *source);

/* Counts and logs. Any thread; method and target as they came, secrets in the query are left out. */
void log_request(struct replay *r, enum provider provider, int64_t now_ms, const char *path, const char *query,
		 int status, size_t bytes, const bool rows[FAULT_ROWS]);
/* Replies, and logs it. */
void reply(struct request *req, int status, const char *type, struct str body);
/* GET /_replay/requests: counts by path and by provider. */
void handle_requests(struct http_exchange *x, void *arg);
void requests_release(struct replay *r);

int carbon_answer(struct request *req);
int octopus_answer(struct request *req);
int elexon_answer(struct request *req);
int neso_action(struct request *req);
int neso_download(struct request *req);
int neso_object(struct request *req);
int pv_live_answer(struct request *req);
int electricity_maps_answer(struct request *req);
int watttime_login(struct request *req);
int watttime_region(struct request *req);
int watttime_answer(struct request *req);
int carbon_aware_sdk_answer(struct request *req);
int entsoe_answer(struct request *req);
int energy_charts_answer(struct request *req);
int eia_answer(struct request *req);
int open_meteo_answer(struct request *req);
int met_office_answer(struct request *req);
int generic_answer(struct request *req);
int prometheus_answer(struct request *req);

#endif
