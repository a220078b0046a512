/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs from CSV. */
#include "sim/jobs.h"

#include <math.h>

#include "base/alloc.h"
#include "base/csv.h"

enum {
	ID,
	ARRIVAL,
	DURATION,
	POWER,
	EARLIEST,
	LATEST_FINISH,
	ZONES,
	MIN_RUN,
	RESTART,
	MAX_INTERRUPTIONS,
	MIN_PARALLEL,
	MAX_PARALLEL,
	SPEEDUP,
	URGENCY,
	MAX_CARBON,
	MAX_PRICE,
	PODS,
	CPU,
	N_COLUMNS,
};

#define N_REQUIRED 4

static const char *const names[N_COLUMNS] = {
	[ID] = "id",
	[ARRIVAL] = "arrival_utc",
	[DURATION] = "duration_s",
	[POWER] = "power_w",
	[EARLIEST] = "earliest_utc",
	[LATEST_FINISH] = "latest_finish_utc",
	[ZONES] = "zones",
	[MIN_RUN] = "min_run_s",
	[RESTART] = "restart_wh",
	[MAX_INTERRUPTIONS] = "max_interruptions",
	[MIN_PARALLEL] = "min_parallel",
	[MAX_PARALLEL] = "max_parallel",
	[SPEEDUP] = "speedup",
	[URGENCY] = "urgency",
	[MAX_CARBON] = "max_carbon_g_per_kwh",
	[MAX_PRICE] = "max_price_per_mwh",
	[PODS] = "pods",
	[CPU] = "cpu",
};

struct jobs {
	struct csv *csv;
	const struct signals *signals;
	int64_t step_ms;
	int column[N_COLUMNS];
	char *path;
};

static int find_columns(struct jobs *j, struct error *err)
{
	for (int i = 0; i < N_COLUMNS; i++) {
		if (i < N_REQUIRED && csv_column(j->csv, names[i], &j->column[i], err))
			return -1;
		j->column[i] = csv_find(j->csv, names[i]);
	}
	for (int c = 0; c < csv_n_columns(j->csv); c++) {
		bool known = false;

		for (int i = 0; i < N_COLUMNS; i++)
			known |= j->column[i] == c;
		if (!known)
			return csv_error(j->csv, c, err, "unknown column; remove or rename it");
	}
	return 0;
}

int jobs_open(const char *path, const struct signals *s, int64_t step_ms, struct jobs **ret, struct error *err)
{
	_cleanup_(cleanup_jobs) struct jobs *j = xcalloc(1, sizeof(*j));

	j->signals = s;
	j->step_ms = step_ms;
	j->path = xstrdup(path);
	if (csv_open(path, &j->csv, err) || find_columns(j, err))
		return -1;
	*ret = steal_ptr(j);
	return 0;
}

void jobs_free(struct jobs *j)
{
	if (!j)
		return;
	csv_free(j->csv);
	free(j->path);
	free(j);
}

double jobs_read_fraction(const struct jobs *j)
{
	return csv_read_fraction(j->csv);
}

int jobs_error(const struct jobs *j, const struct job *job, struct error *err, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return error_set(err, ERR_INVALID, "%s:%lld: %s", j->path, (long long)job->line, text);
}

static int seconds(const struct jobs *j, int column, double min, int64_t *ret_ms, struct error *err)
{
	double s;

	if (csv_number_opt(j->csv, j->column[column], min, JOBS_MAX_DURATION_S, 0, &s, err))
		return -1;
	*ret_ms = llround(s * (double)SECOND_MS);
	return 0;
}

static int read_required(const struct jobs *j, struct arena *arena, struct job *job, struct error *err)
{
	struct str id = csv_field(j->csv, j->column[ID]);

	if (id.len == 0 || id.len > JOBS_MAX_ID)
		return csv_error(j->csv, j->column[ID], err, "must be 1 to %d bytes", JOBS_MAX_ID);
	for (size_t i = 0; i < id.len; i++)
		if (id.ptr[i] == '"' || id.ptr[i] == ',' || (unsigned char)id.ptr[i] < ' ')
			return csv_error(j->csv, j->column[ID], err, "must not hold quotes, commas or control bytes");
	job->id = arena_strndup(arena, id.ptr, id.len);
	if (csv_time(j->csv, j->column[ARRIVAL], &job->arrival_ms, err) ||
	    csv_number(j->csv, j->column[POWER], 0, JOBS_MAX_WATTS, &job->power_w, err))
		return -1;
	if (csv_field(j->csv, j->column[DURATION]).len == 0)
		return csv_error(j->csv, j->column[DURATION], err, "must be given");
	if (seconds(j, DURATION, 0.001, &job->duration_ms, err))
		return -1;
	job->given_ms = job->duration_ms;
	if (j->step_ms) {
		job->arrival_ms = time_slot_floor(job->arrival_ms, j->step_ms);
		job->duration_ms = MAX(time_slot_floor(job->duration_ms, j->step_ms), j->step_ms);
	}
	return 0;
}

static int read_zones(const struct jobs *j, struct arena *arena, struct job *job, struct error *err)
{
	struct str rest = csv_field(j->csv, j->column[ZONES]), part;
	int16_t *zones = arena_array(arena, (size_t)j->signals->n_zones, int16_t);

	job->zones = zones;
	if (rest.len == 0 && j->signals->n_zones > 1)
		return csv_error(j->csv, j->column[ZONES], err,
				 "column 'zones' must name the job's zone: the signals have %d", j->signals->n_zones);
	job->n_zones = rest.len == 0;
	while (rest.len && str_split(&rest, '|', &part)) {
		int zone = signals_zone(j->signals, str_trim(part));

		if (zone < 0)
			return csv_error(j->csv, j->column[ZONES], err, "the signals have no zone '%.*s'",
					 (int)MIN(part.len, 40), part.ptr);
		for (int i = 0; i < job->n_zones; i++)
			if (zones[i] == zone)
				return csv_error(j->csv, j->column[ZONES], err, "'%.*s' is there twice",
						 (int)MIN(part.len, 40), part.ptr);
		zones[job->n_zones++] = (int16_t)zone;
	}
	return 0;
}

static int read_pauses(const struct jobs *j, struct job *job, struct error *err)
{
	int64_t most;

	if (seconds(j, MIN_RUN, 0, &job->min_run_ms, err) ||
	    csv_number_opt(j->csv, j->column[RESTART], 0, JOBS_MAX_WATTS, 0, &job->restart_wh, err) ||
	    csv_i64_opt(j->csv, j->column[MAX_INTERRUPTIONS], 0, 1000000, INTERRUPT_ANY, &most, err))
		return -1;
	job->max_interruptions = (int)most;
	for (int i = MIN_RUN; i <= MAX_INTERRUPTIONS; i++)
		job->tells_pauses |= csv_field(j->csv, j->column[i]).len > 0;
	return 0;
}

static int read_speedup(const struct jobs *j, double *throughput, int max, struct error *err)
{
	struct str rest = csv_field(j->csv, j->column[SPEEDUP]), part;
	int n = 0;

	for (int i = 1; i <= max; i++)
		throughput[i] = i;
	if (rest.len == 0)
		return 0;
	while (str_split(&rest, '|', &part)) {
		if (n == max || !str_to_double(str_trim(part), &throughput[n + 1]) ||
		    !(throughput[n + 1] > throughput[n]) || throughput[n + 1] > 1e6)
			return csv_error(j->csv, j->column[SPEEDUP], err,
					 "must be max_parallel (%d) rising numbers above 0, for 1 pod, 2, ...", max);
		n++;
	}
	if (n != max)
		return csv_error(j->csv, j->column[SPEEDUP], err, "has %d numbers, must have max_parallel (%d)", n,
				 max);
	return 0;
}

static int read_scale(const struct jobs *j, struct arena *arena, struct job *job, struct error *err)
{
	int64_t min, max;
	double *throughput, *power;

	if (csv_i64_opt(j->csv, j->column[MAX_PARALLEL], 1, ELASTIC_MAX_LEVELS, 0, &max, err) ||
	    csv_i64_opt(j->csv, j->column[MIN_PARALLEL], 1, MAX(max, 1), 1, &min, err))
		return -1;
	if (max == 0 && csv_field(j->csv, j->column[SPEEDUP]).len)
		return csv_error(j->csv, j->column[SPEEDUP], err, "needs max_parallel");
	if (max == 0)
		return 0;
	throughput = arena_array(arena, (size_t)max + 1, double);
	power = arena_array(arena, (size_t)max + 1, double);
	for (int i = 1; i <= max; i++)
		power[i] = (double)i / (double)max;
	job->scale = (struct elastic_profile){ (int)min, (int)max, throughput, power };
	return read_speedup(j, throughput, (int)max, err);
}

static int read_pods(const struct jobs *j, struct job *job, struct error *err)
{
	return csv_i64_opt(j->csv, j->column[PODS], 1, JOBS_MAX_PODS, 1, &job->pods, err) ||
			       csv_number_opt(j->csv, j->column[CPU], 0.001, JOBS_MAX_CORES, 1, &job->cores, err)
		       ? -1
		       : 0;
}

static int read_rest(const struct jobs *j, struct job *job, struct error *err)
{
	struct str urgency = csv_field(j->csv, j->column[URGENCY]);

	job->critical = str_is(urgency, "Critical");
	if (urgency.len && !job->critical && !str_is(urgency, "Normal"))
		return csv_error(j->csv, j->column[URGENCY], err, "must be Normal or Critical");
	return csv_time_opt(j->csv, j->column[EARLIEST], job->arrival_ms, &job->earliest_ms, err) ||
			       csv_time_opt(j->csv, j->column[LATEST_FINISH], TIME_NONE, &job->latest_finish_ms, err) ||
			       csv_number_opt(j->csv, j->column[MAX_CARBON], -SIGNALS_MAX_VALUE, SIGNALS_MAX_VALUE, NAN,
					      &job->max_carbon, err) ||
			       csv_number_opt(j->csv, j->column[MAX_PRICE], -SIGNALS_MAX_VALUE, SIGNALS_MAX_VALUE, NAN,
					      &job->max_price, err)
		       ? -1
		       : 0;
}

int jobs_next(struct jobs *j, struct arena *arena, struct job *ret, struct error *err)
{
	int got = csv_next(j->csv, err);
	struct job job = { .line = csv_line(j->csv) };

	if (got <= 0)
		return got;
	if (read_required(j, arena, &job, err) || read_zones(j, arena, &job, err) || read_pauses(j, &job, err) ||
	    read_scale(j, arena, &job, err) || read_rest(j, &job, err) || read_pods(j, &job, err))
		return -1;
	*ret = job;
	return 1;
}

static bool length_parse(struct str s, double max_s, int64_t *ret_ms)
{
	double v;

	if (!str_to_double(s, &v) || !(v >= 0) || v > max_s)
		return false;
	*ret_ms = llround(v * (double)SECOND_MS);
	return true;
}

int queue_parse(struct str text, struct queue *ret, struct error *err)
{
	struct str rest = text, part[4];
	struct queue q = { .max_length_ms = INT64_MAX };
	size_t n = 0;

	while (n < ARRAY_LEN(part) && str_split(&rest, ':', &part[n]))
		n++;
	if (n != 3 || !(str_is(part[0], "inf") || length_parse(part[0], 1e12, &q.max_length_ms)) ||
	    !length_parse(part[1], JOBS_MAX_DURATION_S, &q.mean_ms) || q.mean_ms == 0 ||
	    !length_parse(part[2], JOBS_MAX_DURATION_S, &q.wait_ms))
		return error_set(
			err, ERR_INVALID,
			"--queue must be MAXLEN:MEAN:WAIT in seconds, like 7200:2270:21600; MAXLEN may be inf");
	*ret = q;
	return 0;
}
