/* SPDX-License-Identifier: Apache-2.0 */
/* The process's own figures, with the names that every Prometheus client uses. Linux: proc(5). */
#include <dirent.h>

#include "metrics/internal.h"
#include "metrics/metrics.h"

static struct metric build_info = METRIC_GAUGE("loadshift_build_info", "Always 1; the version is a label.", "version");
static struct metric cpu_seconds =
	METRIC_COUNTER("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
static struct metric resident = METRIC_GAUGE("process_resident_memory_bytes", "Resident memory size in bytes.");
static struct metric open_fds = METRIC_GAUGE("process_open_fds", "Number of open file descriptors.");
static struct metric start_time =
	METRIC_GAUGE("process_start_time_seconds", "Start time of the process since the Unix epoch in seconds.");

static double clock_seconds(clockid_t id)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Field `index` (1-based, from 3 on) of /proc/self/stat, 0 when unreadable. */
static double stat_field(const char *text, int index)
{
	/* The second field is the name in parentheses and may hold anything. */
	const char *close = strrchr(text, ')');
	struct str rest = close ? str_from(close + 2) : STR_NULL, part;
	int64_t value = 0;

	for (int i = 3; str_split(&rest, ' ', &part); i++)
		if (i == index && str_to_i64(part, 0, INT64_MAX, &value))
			break;
	return (double)value;
}

static double count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double n = 0;

	if (!dir)
		return 0;
	for (const struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n - 1; /* the directory itself */
}

void metrics_update_process(void)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	struct metric_series *start = metric_only(&start_time);

	metric_set(metric_series(&build_info, LOADSHIFT_VERSION), 1);
	metric_set(metric_only(&cpu_seconds), clock_seconds(CLOCK_PROCESS_CPUTIME_ID));
	metric_set(metric_only(&open_fds), count_fds());
	if (buf_read_file(&text, "/proc/self/stat", &err))
		return;
	metric_set(metric_only(&resident), stat_field(buf_cstr(&text), 24) * (double)sysconf(_SC_PAGESIZE));
	/* The kernel counts from boot; once is enough, a later adjustment of the clock must not look like a restart. */
	if (metric_value(start) == 0)
		metric_set(start, clock_seconds(CLOCK_REALTIME) - clock_seconds(CLOCK_BOOTTIME) +
					  stat_field(buf_cstr(&text), 22) / (double)sysconf(_SC_CLK_TCK));
}
