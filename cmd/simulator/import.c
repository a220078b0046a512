/* SPDX-License-Identifier: Apache-2.0 */
/* simulator import: published traces as the jobs that `simulator plan` reads. */
#include "config/config.h"
#include "sim/import.h"
#include "sim/outfile.h"
#include "simulator.h"

struct options {
	int format;
	char *in, *out;
	int64_t start_ms, watts_per_core, watts_per_gpu;
};

static const struct config_option options_table[] = {
	CONFIG_CHOICE("format", format, "swf", import_format_names, "the trace's layout"),
	CONFIG_OPTION("in", CONFIG_STRING, in, NULL, 0, 0, "the trace"),
	CONFIG_OPTION("out", CONFIG_STRING, out, NULL, 0, 0, "jobs file to write; default: standard output"),
	CONFIG_OPTION("start", CONFIG_TIME, start_ms, NULL, 0, 0,
		      "time of the trace's second 0; default: what it says, else " IMPORT_START),
	CONFIG_OPTION("watts-per-core", CONFIG_INT, watts_per_core, "10", 1, 1000000,
		      "power of a processor; for google2019 of the largest machine"),
	CONFIG_OPTION("watts-per-gpu", CONFIG_INT, watts_per_gpu, "250", 1, 1000000, "power of a GPU"),
};

static int import(void *arg, struct error *err)
{
	const struct options *o = arg;
	_cleanup_(outfile_discard) struct outfile out = OUTFILE_INIT;
	struct import_options how = { .format = (enum import_format)o->format,
				      .start_ms = o->start_ms,
				      .watts_per_core = (double)o->watts_per_core,
				      .watts_per_gpu = (double)o->watts_per_gpu };
	struct import_counts counts;

	if (!o->in)
		return error_set(err, ERR_INVALID, "--in is needed; see --help");
	if ((o->out && outfile_open(&out, o->out, err)) ||
	    import_trace(&how, o->in, o->out ? out.file : stdout, &counts, err) ||
	    (o->out && outfile_commit(&out, err)))
		return -1;
	if (fflush(stdout) != 0)
		return error_set(err, ERR_INTERNAL, "cannot write to standard output");
	(void)fprintf(stderr, "simulator import: %lld jobs, %lld rows left out\n", (long long)counts.jobs,
		      (long long)counts.left_out);
	return 0;
}

int simulator_import(int argc, char **argv, struct error *err)
{
	const struct config_spec spec = { .program = "simulator import",
					  .summary = "turns a published trace into a jobs file",
					  .options = options_table,
					  .n_options = ARRAY_LEN(options_table) };
	struct options options;

	return simulator_run(&spec, argc, argv, &options, import, &options, err);
}
