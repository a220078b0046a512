/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's commands. Each takes its own arguments (argv[0] is its name), fills err and returns the exit status:
 * 0, 2 on bad input or usage, 1 on anything else.
 */
#ifndef SIMULATOR_SIMULATOR_H
#define SIMULATOR_SIMULATOR_H

#include "base/error.h"

struct config_spec;

int simulator_forecast(int argc, char **argv, struct error *err);
int simulator_plan(int argc, char **argv, struct error *err);
int simulator_cluster(int argc, char **argv, struct error *err);
int simulator_import(int argc, char **argv, struct error *err);

/* Their common part: reads the arguments into *options, then calls run(arg), unless --help was all. */
int simulator_run(const struct config_spec *spec, int argc, char **argv, void *options,
		  int (*run)(void *arg, struct error *err), void *arg, struct error *err);

#endif
