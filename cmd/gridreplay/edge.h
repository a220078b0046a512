/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edge: a plain TCP listener in front of the real server, for what no honest server does. It reads the head of a
 * request; where fault 11.20 is in force it plays the connection false, else it hands the request on and the answer
 * back, one request a connection. A thread each for the listener and every connection.
 */
#ifndef GRIDREPLAY_EDGE_H
#define GRIDREPLAY_EDGE_H

#include "replay.h"

struct edge;
/* ERR_UNAVAILABLE when it cannot listen there. The address is numeric. */
int edge_new(struct replay *r, const char *address, int port, int server_port, struct edge **ret,
	     struct error *err) must_check;
int edge_port(const struct edge *e);
/* Ends the listener and, within a second, the connections. NULL is fine. */
void edge_free(struct edge *e);

#endif
