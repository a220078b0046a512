/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gridreplay: recorded grid data at the providers' own paths, shifted to now, with forecasts that are wrong by a seeded
 * error and faults on demand. For demo and tests; it serves whoever asks and keeps no secret.
 */
#include <math.h>
#include <signal.h>

#include "base/alloc.h"
#include "config/config.h"
#include "json/writer.h"
#include "edge.h"
#include "log/log.h"
#include "series.h"

struct options {
	char *listen;
	int64_t port;
	char *carbon;
	int64_t start_ms;
	int64_t seed;
	char *fault;
	char *request_log;
	char *download_host;
	char *tls_cert;
	char *tls_key;
	int64_t clock_origin_ms;
	int64_t clock_factor;
};

static const struct config_option options_table[] = {
	CONFIG_OPTION("listen", CONFIG_STRING, listen, "127.0.0.1", 0, 0, "address to listen on"),
	CONFIG_OPTION("port", CONFIG_INT, port, "8085", 0, 65535, "port; 0 = any free one, see the first log line"),
	CONFIG_OPTION("carbon", CONFIG_STRING, carbon, "demo/gb_regional_carbon_2023-02-09_3days.csv", 0, 0,
		      "CSV of recorded carbon intensity: time_utc and 14 GB regions"),
	CONFIG_OPTION("start", CONFIG_TIME, start_ms, NULL, 0, 0,
		      "domain time at which the recording begins [slot of the clock's origin]"),
	CONFIG_OPTION("seed", CONFIG_INT, seed, "1", 0, INT64_MAX, "of the forecast errors"),
	CONFIG_OPTION("fault", CONFIG_STRING, fault, NULL, 0, 0,
		      "11.NN[@provider][+START-DURATION],...: what goes wrong; may be given several times"),
	CONFIG_OPTION("request.log", CONFIG_STRING, request_log, NULL, 0, 0,
		      "file for a line of JSON about every request"),
	CONFIG_OPTION("download.host", CONFIG_STRING, download_host, "localhost", 0, 0,
		      "another name of this host, to which NESO's downloads are redirected"),
	CONFIG_OPTION("tls.cert", CONFIG_STRING, tls_cert, NULL, 0, 0,
		      "serve https with this certificate; read again when it changes"),
	CONFIG_OPTION("tls.key", CONFIG_STRING, tls_key, NULL, 0, 0, "its key"),
	CONFIG_OPTION("clock.origin", CONFIG_TIME, clock_origin_ms, NULL, 0, 0,
		      "where domain clock and real clock agree [now]"),
	CONFIG_OPTION("clock.factor", CONFIG_INT, clock_factor, "1", 1, CLOCK_MAX_FACTOR,
		      "how fast the domain clock runs"),
};

static void put_region_truth(struct json_writer *w, const struct replay *r, int region)
{
	jw_object(w, NULL);
	jw_i64(w, "regionid", region_table[region].id);
	jw_string(w, "shortname", region_table[region].name);
	jw_stringf(w, "gsp", "_%c", region_table[region].gsp);
	jw_array(w, "carbon");
	for (int slot = 0; slot < r->rec.n; slot++)
		if (recording_truth(&r->rec, region, slot) == MISSING)
			jw_null(w, NULL);
		else
			jw_i64(w, NULL, recording_truth(&r->rec, region, slot));
	jw_end_array(w);
	jw_array(w, "price");
	for (int slot = 0; slot < r->rec.n; slot++)
		jw_double(w, NULL, agile_price(&r->rec, r->london, region, slot), 2);
	jw_end_array(w);
	jw_end_object(w);
}

/* What came, without faults: carbon in g/kWh as recorded, prices in p/kWh without VAT as made up. */
static void handle_truth(struct http_exchange *x, void *arg)
{
	const struct replay *r = arg;
	struct buf out = BUF_INIT(REPLAY_MAX_BODY);
	struct json_writer w = json_writer(&out);

	jw_object(&w, NULL);
	jw_time(&w, "start", r->rec.start_ms);
	jw_i64(&w, "slotSeconds", SLOT_MS / SECOND_MS);
	jw_i64(&w, "slots", r->rec.n);
	jw_string(&w, "notes",
		  "carbon: recorded, shifted in time; national: derived, unweighted mean of the 14 regions; "
		  "generation mix (served): derived from carbon; price: illustrative");
	jw_array(&w, "regions");
	for (int i = 0; i < REGIONS; i++)
		put_region_truth(&w, r, i);
	jw_end_array(&w);
	jw_array(&w, "national");
	for (int slot = 0; slot < r->rec.n; slot++)
		jw_double(&w, NULL, recording_national(&r->rec, slot), 3);
	jw_end_array(&w);
	jw_end_object(&w);
	http_reply_take(x, 200, "application/json", &out);
}

static int split_path(struct request *req)
{
	struct str rest = str_from(http_path(req->x)), part;

	while (str_split(&rest, '/', &part)) {
		if (part.len == 0)
			continue;
		if (req->n_path == REPLAY_MAX_SEGMENTS)
			return -1;
		req->path[req->n_path++] = part;
	}
	return req->n_path ? 0 : -1;
}

static void handle(struct http_exchange *x, void *arg)
{
	struct replay *r = arg;
	const struct source *source = source_find(str_from(http_path(x)));
	struct buf out = BUF_INIT(REPLAY_MAX_BODY);
	struct request req = {
		.replay = r, .x = x, .now_ms = clock_now_ms(&r->clock), .out = &out, .type = "application/json"
	};
	int status;

	if (!source || split_path(&req)) {
		http_reply_error(x, 404, "no such path");
		return;
	}
	req.provider = source->provider;
	req.slot = recording_slot(&r->rec, req.now_ms);
	(void)faults_collect(r, req.provider, req.now_ms, req.fault);
	if (faults_answer(&req, source))
		return;
	status = source->answer(&req);
	if (out.overflow)
		reply(&req, 500, "text/plain", STR("answer too large"));
	else
		reply(&req, status, req.type, buf_str(&out));
	buf_release(&out);
}

/* Other faults from now on: the list as --fault takes it; an empty one ends them all. */
static void handle_faults(struct http_exchange *x, void *arg)
{
	struct error err = ERROR_INIT;

	if (faults_set(arg, http_body(x), &err))
		http_reply_error(x, 400, "%s", err.msg);
	else
		http_reply(x, 200, "text/plain", STR("ok\n"));
}

/* Joins every --fault into one list, since the table of options keeps only the last. */
static void join_faults(int argc, char **argv, struct buf *out)
{
	for (int i = 1; i < argc; i++) {
		const char *value = NULL;

		if (strncmp(argv[i], "--fault=", 8) == 0)
			value = argv[i] + 8;
		else if (cstr_eq(argv[i], "--fault") && i + 1 < argc)
			value = argv[++i];
		if (value)
			(void)buf_addf(out, "%s,", value);
	}
}

static int set_up(struct replay *r, const struct options *o, int argc, char **argv, struct error *err)
{
	_cleanup_(buf_release) struct buf faults = BUF_INIT(REPLAY_MAX_FAULT_TEXT);
	int64_t origin = o->clock_origin_ms == TIME_NONE ? clock_wall_ms() : o->clock_origin_ms;

	r->clock = (struct clock){ .origin_ms = origin, .factor = (int32_t)o->clock_factor };
	r->plain = o->tls_cert == NULL;
	(void)pthread_mutex_init(&r->mutex, NULL);
	map_init(&r->requests, REPLAY_MAX_PATHS);
	if (!str_copy(r->download, sizeof(r->download), str_from(o->download_host)))
		return error_set(err, ERR_INVALID, "--download-host must be at most %zu characters",
				 sizeof(r->download) - 1);
	r->log = o->request_log ? fopen(o->request_log, "ae") : NULL;
	if (o->request_log && !r->log)
		return error_set(err, ERR_INVALID, "--request-log '%s' cannot be written", o->request_log);
	if (tz_load("Europe/London", &r->london, err) || recording_load(&r->rec, o->carbon, err))
		return -1;
	r->rec.start_ms = time_slot_floor(o->start_ms == TIME_NONE ? origin : o->start_ms, SLOT_MS);
	recording_seed(&r->rec, (uint64_t)o->seed);
	if (o->fault)
		join_faults(argc, argv, &faults);
	/* From the config file: no flag to join. */
	if (o->fault && faults.len == 0)
		(void)buf_adds(&faults, o->fault);
	if (buf_check(&faults, "--fault", err))
		return -1;
	return faults_set(r, buf_str(&faults), err);
}

static void tear_down(struct replay *r)
{
	requests_release(r);
	recording_release(&r->rec);
	tz_free(r->london);
}

static int run(struct replay *r, const struct options *o, const sigset_t *signals, struct error *err)
{
	const struct http_route routes[] = {
		{ .method = "GET", .path = "/_replay/requests", .fn = handle_requests, .arg = r },
		{ .method = "GET", .path = "/_replay/truth", .fn = handle_truth, .arg = r },
		{ .method = "PUT",
		  .path = "/_replay/faults",
		  .max_body = REPLAY_MAX_FAULT_TEXT,
		  .fn = handle_faults,
		  .arg = r },
		{ .method = "GET", .path = "/*", .fn = handle, .arg = r },
	};
	const struct http_server_config cfg = { .name = "replay",
						/* Plain, it stands behind the edge. */
						.address = r->plain ? "127.0.0.1" : o->listen,
						.port = r->plain ? 0 : (int)o->port,
						.cert_file = o->tls_cert,
						.key_file = o->tls_key,
						/* Short, so that a new certificate is soon met. */
						.keepalive_ms = SECOND_MS,
						.routes = routes,
						.n_routes = ARRAY_LEN(routes) };
	struct http_server *server;
	struct edge *edge = NULL;
	int number, faults = r->n_faults; /* before anybody can set others */

	if (http_server_new(&cfg, &server, err))
		return -1;
	if (r->plain && edge_new(r, o->listen, (int)o->port, http_server_port(server), &edge, err)) {
		http_server_free(server, 0);
		return -1;
	}
	log_info("serving", LOG_I64("port", edge ? edge_port(edge) : http_server_port(server)),
		 LOG_TIME("start", r->rec.start_ms), LOG_TIME("end", recording_time(&r->rec, r->rec.n)),
		 LOG_I64("faults", faults));
	(void)sigwait(signals, &number);
	edge_free(edge);
	http_server_free(server, SECOND_MS);
	return 0;
}

int main(int argc, char **argv)
{
	static struct replay replay;
	const struct config_spec spec = { .program = "gridreplay",
					  .summary = "serves recorded grid data at the providers' own paths",
					  .options = options_table,
					  .n_options = ARRAY_LEN(options_table) };
	struct options options;
	struct error err = ERROR_INIT;
	struct arena arena;
	sigset_t signals;
	bool leave = false;
	int failed;

	/* Blocked before the first thread starts, so that only sigwait() sees them. */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	arena_init(&arena, 4096, 1024 * 1024);
	log_init("gridreplay", LOG_INFO);
	failed = config_load(&spec, argc, argv, &options, &arena, &leave, &err);
	if (!failed && !leave) {
		failed = set_up(&replay, &options, argc, argv, &err) || run(&replay, &options, &signals, &err);
		tear_down(&replay);
	}
	if (failed)
		(void)fprintf(stderr, "gridreplay: %s\n", err.msg);
	arena_release(&arena);
	return failed ? 1 : 0;
}
