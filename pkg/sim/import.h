/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published traces as the jobs file of contracts 5: id, arrival_utc, duration_s, power_w. Row by row; memory does not
 *grow, except for google2019, where instances that have not ended are kept (IMPORT_MAX_OPEN at most). Layouts:
 *
 *	azure2017    vmtable.csv of AzurePublicDatasetV1 (Azure/AzurePublicDataset), no header: vm, subscription,
 *	             deployment, created, deleted (s), max, mean and p95 of CPU, category, cores, memory. Cores may be
 *">24". google2019   instance_events of clusterdata-2019 (google/cluster-data, traces v3) as CSV with a header: time
 *(us), type (SUBMIT 0, SCHEDULE 3, FINISH 6; number or name), collection_id, instance_index, and the request as cpus,
 *resource_request.cpus or resource_request_cpus: in units of the largest machine. From SCHEDULE to FINISH; others end
 *without a row. Time 0 and 2^63-1 are "before" and "after": left out. alibaba-pai  pai_task_table.csv of
 *cluster-trace-gpu-v2020 (alibaba/clusterdata), no header: job, task, instances, status, start, end (s), plan_cpu (% of
 *a core), plan_mem, plan_gpu (% of a GPU), gpu_type; those that Terminated. Or GAIA's extract (umassos/GAIA), header
 *arrival_time,length,cpus. swf          Standard Workload Format 2.2 (Parallel Workloads Archive): 18 fields, blanks
 *between; 1 job, 2 submit, 4 run time (s), 5 processors (else 8, requested). "; UnixStartTime:" gives the start.
 *
 * Rows without a duration or processors are left out and counted. What is not of that layout is refused with its line.
 */
#ifndef SIM_IMPORT_H
#define SIM_IMPORT_H

#include <stdio.h>

#include "base/clock.h"

#define IMPORT_MAX_LINE 65536
#define IMPORT_MAX_OPEN 4000000

enum import_format { IMPORT_AZURE2017, IMPORT_GOOGLE2019, IMPORT_ALIBABA_PAI, IMPORT_SWF };
extern const char *const import_format_names[]; /* NULL at the end */

struct import_options {
	enum import_format format;
	int64_t start_ms; /* of the trace's second 0; TIME_NONE: what the file says, else IMPORT_START */
	double watts_per_core, watts_per_gpu;
};

#define IMPORT_START "2020-01-01T00:00:00Z"

struct import_counts {
	int64_t jobs, left_out;
};

int import_trace(const struct import_options *o, const char *path, FILE *out, struct import_counts *ret,
		 struct error *err) must_check;

#endif
