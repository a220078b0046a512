/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's commands. Each takes its own arguments (argv[0] is its name), fills err and returns the exit status:
 * 0, 2 on bad input or usage, 1 on anything else.
 */
#ifndef SIMULATOR_SIMULATOR_H
#define SIMULATOR_SIMULATOR_H

#include "base/error.h"

int simulator_forecast(int argc, char **argv, struct error *err);
int simulator_plan(int argc, char **argv, struct error *err);
int simulator_cluster(int argc, char **argv, struct error *err);
int simulator_import(int argc, char **argv, struct error *err);

/* The exit status for an error: whether the input is to blame. */
static inline int simulator_exit_status(const struct error *err)
{
	return err->code == ERR_INVALID || err->code == ERR_NOT_FOUND || err->code == ERR_LIMIT ||
			       err->code == ERR_DENIED
		       ? 2
		       : 1;
}

#endif
