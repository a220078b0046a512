/* SPDX-License-Identifier: Apache-2.0 */
/* Grid data providers as JSON, for the read API: licence and attribution, circuit, and how the last requests ended. */
#ifndef CONTROLLER_PROVIDER_REPORT_H
#define CONTROLLER_PROVIDER_REPORT_H

#include "controller/collector.h"
#include "json/writer.h"

/* One object for each provider into an open array. c NULL: what they are, and nothing of requests. Any thread. */
void provider_report(struct collector *c, struct json_writer *w);

#endif
