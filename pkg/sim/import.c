/* SPDX-License-Identifier: Apache-2.0 */
/* Published traces to jobs. */
#include "sim/import.h"

#include <errno.h>
#include <math.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/map.h"

#define MAX_FIELDS 32
#define MAX_SECONDS 1e11
#define MAX_CORES 1e6

const char *const import_format_names[] = {
	[IMPORT_AZURE2017] = "azure2017",
	[IMPORT_GOOGLE2019] = "google2019",
	[IMPORT_ALIBABA_PAI] = "alibaba-pai",
	[IMPORT_SWF] = "swf",
	NULL,
};

struct import {
	const struct import_options *o;
	const char *path;
	FILE *in, *out;
	int64_t line, start_ms;
	struct import_counts counts;
	int n;
	struct str field[MAX_FIELDS];
	char text[IMPORT_MAX_LINE];
};

static int bad(const struct import *m, struct error *err, const char *what)
{
	return error_set(err, ERR_INVALID, "%s:%lld: not a row of %s: %s", m->path, (long long)m->line,
			 import_format_names[m->o->format], what);
}

/* One job, times in seconds of the trace. */
static void put(struct import *m, struct str id, double arrival_s, double duration_s, double watts)
{
	char at[TIME_TEXT];

	if (!(duration_s > 0) || !(watts > 0)) {
		m->counts.left_out++;
		return;
	}
	m->counts.jobs++;
	(void)fprintf(m->out, "%.*s,%s,%.15g,%.6g\n", STR_FMT(id),
		      time_format(m->start_ms + llround(arrival_s * (double)SECOND_MS), at), duration_s, watts);
}

/* 1 with the fields of the next line, 0 at the end, -1. */
static int next_line(struct import *m, char separator, struct error *err)
{
	struct str rest;

	do {
		size_t len;

		m->line++;
		if (!fgets(m->text, sizeof(m->text), m->in))
			return ferror(m->in) ? error_errno(err, ERR_INTERNAL, errno, "%s: read", m->path) : 0;
		len = strlen(m->text);
		if (len == sizeof(m->text) - 1 && m->text[len - 1] != '\n')
			return error_set(err, ERR_LIMIT, "%s:%lld: line is longer than %d bytes", m->path,
					 (long long)m->line, IMPORT_MAX_LINE - 1);
		for (size_t i = 0; separator == ' ' && i < len; i++)
			m->text[i] = m->text[i] == '\t' ? ' ' : m->text[i];
		rest = str_trim(str_of(m->text, len));
	} while (rest.len == 0);
	m->n = 0;
	while (m->n < MAX_FIELDS && str_split(&rest, separator, &m->field[m->n])) {
		m->field[m->n] = str_trim(m->field[m->n]);
		m->n += separator != ' ' || m->field[m->n].len > 0;
	}
	return 1;
}

static bool number(struct str s, double max, double *ret)
{
	return str_to_double(s, ret) && fabs(*ret) <= max;
}

/* What may stand in an id without quoting. */
static bool plain_id(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '"' || s.ptr[i] == ',' || (unsigned char)s.ptr[i] < ' ')
			return false;
	return s.len > 0 && s.len <= 100;
}

static int azure(struct import *m, struct error *err)
{
	int got;

	while ((got = next_line(m, ',', err)) > 0) {
		struct str cores_text = m->n > 9 ? m->field[9] : STR_NULL;
		double created, deleted, cores;

		if (cores_text.len && cores_text.ptr[0] == '>')
			cores_text = str_of(cores_text.ptr + 1, cores_text.len - 1);
		if (m->n < 11 || !plain_id(m->field[0]) || !number(m->field[3], MAX_SECONDS, &created) ||
		    !number(m->field[4], MAX_SECONDS, &deleted) || !number(cores_text, MAX_CORES, &cores))
			return bad(m, err, "vm, subscription, deployment, created, deleted, 4 of CPU, cores, memory");
		put(m, m->field[0], created, deleted - created, cores * m->o->watts_per_core);
	}
	return got;
}

static int pai_task(struct import *m, struct error *err)
{
	double instances, start, end, cpu = 0, gpu = 0;
	char id[96];

	if (m->n < 10 || !plain_id(m->field[0]) || !plain_id(m->field[1]))
		return bad(m, err, "job, task, instances, status, start, end, cpu, memory, gpu, gpu type");
	if (!str_is(m->field[3], "Terminated") || !number(m->field[4], MAX_SECONDS, &start) ||
	    !number(m->field[5], MAX_SECONDS, &end)) {
		m->counts.left_out++;
		return 0;
	}
	if (!number(m->field[2], MAX_CORES, &instances) ||
	    (m->field[6].len && !number(m->field[6], 100 * MAX_CORES, &cpu)) ||
	    (m->field[8].len && !number(m->field[8], 100 * MAX_CORES, &gpu)))
		return bad(m, err, "instances, plan_cpu or plan_gpu is no number");
	(void)snprintf(id, sizeof(id), "%.*s/%.*s", (int)MIN(m->field[0].len, 64), m->field[0].ptr,
		       (int)MIN(m->field[1].len, 24), m->field[1].ptr);
	put(m, str_from(id), start, end - start,
	    instances / 100 * (cpu * m->o->watts_per_core + gpu * m->o->watts_per_gpu));
	return 0;
}

static int pai(struct import *m, struct error *err)
{
	bool extract = false;
	int got;

	while ((got = next_line(m, ',', err)) > 0) {
		double arrival, length, cpus;
		char id[32];

		if (m->line == 1 && str_is(m->field[0], "arrival_time")) {
			extract = true;
			continue;
		}
		if (m->line == 1 && str_is(m->field[0], "job_name"))
			continue;
		if (!extract) {
			if (pai_task(m, err))
				return -1;
			continue;
		}
		if (m->n < 3 || !number(m->field[0], MAX_SECONDS, &arrival) ||
		    !number(m->field[1], MAX_SECONDS, &length) || !number(m->field[2], MAX_CORES, &cpus))
			return bad(m, err, "arrival_time, length, cpus");
		(void)snprintf(id, sizeof(id), "j%lld", (long long)(m->line - 1));
		put(m, str_from(id), arrival, length, cpus * m->o->watts_per_core);
	}
	return got;
}

/* "; UnixStartTime: 820454400" */
static void swf_header(struct import *m)
{
	static const struct str key = { "UnixStartTime:", 14 };
	double seconds;

	for (int i = 0; i + 1 < m->n; i++)
		if (str_has_suffix(m->field[i], key) && number(m->field[i + 1], MAX_SECONDS, &seconds) && seconds > 0 &&
		    m->o->start_ms == TIME_NONE)
			m->start_ms = llround(seconds) * SECOND_MS;
}

static int swf(struct import *m, struct error *err)
{
	int got;

	while ((got = next_line(m, ' ', err)) > 0) {
		double submit, run, processors, requested;

		if (m->field[0].len && m->field[0].ptr[0] == ';') {
			swf_header(m);
			continue;
		}
		if (m->n < 18 || !plain_id(m->field[0]) || !number(m->field[1], MAX_SECONDS, &submit) ||
		    !number(m->field[3], MAX_SECONDS, &run) || !number(m->field[4], MAX_CORES, &processors) ||
		    !number(m->field[7], MAX_CORES, &requested))
			return bad(m, err, "18 numbers with blanks between");
		put(m, m->field[0], submit, run, (processors > 0 ? processors : requested) * m->o->watts_per_core);
	}
	return got;
}

/* A Borg instance that has been submitted. */
struct instance {
	double submit_us, schedule_us, cpus;
};

enum { EVENT_OTHER, EVENT_SUBMIT, EVENT_SCHEDULE, EVENT_END, EVENT_FINISH };

static int event_of(struct str s)
{
	static const struct {
		const char *number, *name;
		int event;
	} events[] = {
		{ "0", "SUBMIT", EVENT_SUBMIT }, { "3", "SCHEDULE", EVENT_SCHEDULE }, { "4", "EVICT", EVENT_END },
		{ "5", "FAIL", EVENT_END },      { "6", "FINISH", EVENT_FINISH },     { "7", "KILL", EVENT_END },
		{ "8", "LOST", EVENT_END },
	};

	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (str_is(s, events[i].number) || str_is(s, events[i].name))
			return events[i].event;
	return EVENT_OTHER;
}

struct google {
	struct csv *csv;
	int time, type, collection, instance, cpus;
	struct map open;
};

static void google_release(struct google *g)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&g->open, &i));)
		free(e->value);
	map_release(&g->open);
	csv_free(g->csv);
}

static int google_event(struct import *m, struct google *g, struct error *err)
{
	struct str collection = csv_field(g->csv, g->collection), index = csv_field(g->csv, g->instance);
	int event = event_of(csv_field(g->csv, g->type));
	struct instance *x;
	char id[64];
	double us, cpus;

	if (csv_number(g->csv, g->time, 0, 1e19, &us, err) ||
	    csv_number_opt(g->csv, g->cpus, 0, MAX_CORES, 0, &cpus, err))
		return -1;
	if (!plain_id(collection) || !plain_id(index))
		return csv_error(g->csv, g->collection, err, "collection_id and instance_index must be given");
	(void)snprintf(id, sizeof(id), "%.*s-%.*s", (int)MIN(collection.len, 32), collection.ptr,
		       (int)MIN(index.len, 24), index.ptr);
	x = map_get(&g->open, str_from(id));
	if (us == 0 || us >= 9e18) {
		m->counts.left_out += event == EVENT_SUBMIT;
	} else if (event == EVENT_SUBMIT && !x) {
		void *old;

		x = xcalloc(1, sizeof(*x));
		*x = (struct instance){ .submit_us = us, .cpus = cpus };
		if (map_put(&g->open, str_from(id), x, &old, err)) {
			free(x);
			return error_wrap(err, "%s:%lld", m->path, (long long)csv_line(g->csv));
		}
	} else if (event == EVENT_SCHEDULE && x) {
		x->schedule_us = us;
	} else if (event >= EVENT_END && x) {
		put(m, str_from(id), x->submit_us / 1e6,
		    event == EVENT_FINISH && x->schedule_us > 0 ? (us - x->schedule_us) / 1e6 : 0,
		    x->cpus * m->o->watts_per_core);
		free(map_del(&g->open, str_from(id)));
	}
	return 0;
}

static int google(struct import *m, struct error *err)
{
	_cleanup_(google_release) struct google g = { .csv = NULL };
	static const char *const requests[] = { "resource_request.cpus", "resource_request_cpus", "cpus" };
	int got;

	map_init(&g.open, IMPORT_MAX_OPEN);
	if (csv_open(m->path, &g.csv, err) || csv_column(g.csv, "time", &g.time, err) ||
	    csv_column(g.csv, "type", &g.type, err) || csv_column(g.csv, "collection_id", &g.collection, err) ||
	    csv_column(g.csv, "instance_index", &g.instance, err))
		return -1;
	g.cpus = -1;
	for (size_t i = 0; i < ARRAY_LEN(requests) && g.cpus < 0; i++)
		g.cpus = csv_find(g.csv, requests[i]);
	if (g.cpus < 0)
		return csv_column(g.csv, requests[0], &g.cpus, err);
	while ((got = csv_next(g.csv, err)) > 0)
		if (google_event(m, &g, err))
			return -1;
	m->counts.left_out += got == 0 ? (int64_t)g.open.len : 0;
	return got;
}

int import_trace(const struct import_options *o, const char *path, FILE *out, struct import_counts *ret,
		 struct error *err)
{
	static int (*const imports[])(struct import *, struct error *) = {
		[IMPORT_AZURE2017] = azure,
		[IMPORT_GOOGLE2019] = google,
		[IMPORT_ALIBABA_PAI] = pai,
		[IMPORT_SWF] = swf,
	};
	_cleanup_free_ struct import *m = xcalloc(1, sizeof(*m));
	int failed;

	*m = (struct import){ .o = o, .path = path, .out = out, .start_ms = o->start_ms };
	if (o->start_ms == TIME_NONE && !time_parse(STR(IMPORT_START), &m->start_ms))
		return error_set(err, ERR_INTERNAL, "no start");
	m->in = fopen(path, "re");
	if (!m->in)
		return error_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED, errno, "%s", path);
	(void)fprintf(out, "id,arrival_utc,duration_s,power_w\n");
	failed = imports[o->format](m, err);
	(void)fclose(m->in);
	if (failed)
		return -1;
	*ret = m->counts;
	return 0;
}
