/* SPDX-License-Identifier: Apache-2.0 */
/* simulator: traces and forecasts against recorded grids, through the very functions that the operator uses. */
#include "base/str.h"
#include "config/config.h"
#include "simulator.h"

static const struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv, struct error *err);
} commands[] = {
	{ "forecast", "forecasts a recorded series by rolling origin, and scores it", simulator_forecast },
	{ "plan", "places a trace of jobs by recorded signals, and accounts for it", simulator_plan },
	{ "cluster", "a whole cluster in virtual time, with and without Loadshift", simulator_cluster },
	{ "import", "turns a published trace into a jobs file", simulator_import },
};

static bool is_bad_input(const struct error *err)
{
	return err->code == ERR_INVALID || err->code == ERR_NOT_FOUND || err->code == ERR_LIMIT ||
	       err->code == ERR_DENIED;
}

int simulator_run(const struct config_spec *spec, int argc, char **argv, void *options,
		  int (*run)(void *arg, struct error *err), void *arg, struct error *err)
{
	struct arena arena;
	bool leave = false;
	int failed;

	arena_init(&arena, 4096, 1024 * 1024);
	failed = config_load(spec, argc, argv, options, &arena, &leave, err);
	if (!failed && !leave)
		failed = run(arg, err);
	arena_release(&arena);
	return !failed ? 0 : is_bad_input(err) ? 2 : 1;
}

static int usage(FILE *out)
{
	(void)fprintf(out, "usage: simulator COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	(void)fprintf(out, "\nsimulator COMMAND --help lists its options.\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;

	if (argc < 2)
		return usage(stderr);
	if (cstr_eq(argv[1], "--help") || cstr_eq(argv[1], "-h")) {
		(void)usage(stdout);
		return 0;
	}
	if (cstr_eq(argv[1], "--version")) {
		printf("simulator %s\n", LOADSHIFT_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (cstr_eq(argv[1], commands[i].name)) {
			int status = commands[i].run(argc - 1, argv + 1, &err);

			if (status)
				(void)fprintf(stderr, "simulator %s: %s\n", commands[i].name, err.msg);
			return status;
		}
	(void)fprintf(stderr, "simulator: no command '%.40s'\n", argv[1]);
	return usage(stderr);
}
