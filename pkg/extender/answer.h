/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the body of a request to the body of the reply: read, decide, write. No clock, no I/O. This is what the HTTP
 * glue, the fuzz target and the tests call.
 *
 * /filter answers ExtenderFilterResult: NodeNames, or Nodes where whole nodes came (each byte for byte as it came),
 * and FailedAndUnresolvableNodes {name: reason} for what was dropped. /prioritize answers a bare array of {Host,
 * Score}, in the order of the candidates. A name is written as it stood in the request, so that none is ever returned
 * that was not in it.
 */
#ifndef EXTENDER_ANSWER_H
#define EXTENDER_ANSWER_H

#include "extender/decide.h"

/* A reply is never larger than this; the largest request that is sensible makes one far smaller. */
#define EXTENDER_MAX_REPLY (64 * 1024 * 1024)

enum extender_verb { EXTENDER_FILTER, EXTENDER_PRIORITIZE, EXTENDER_N_VERBS };

/* Memory that is kept from request to request; one thread at a time. */
struct extender_scratch {
	struct extender_args args;
	VEC(uint8_t) regions; /* of each candidate */
	struct extender_wish wish;
};

void extender_scratch_release(struct extender_scratch *s);

/* What happened, for the counters. */
struct extender_outcome {
	enum extender_ranking ranking; /* /prioritize, and NOT_SYNCED on /filter too */
	unsigned bad_annotations;      /* bit per enum extender_annotation */
	bool lifted_regions, lifted_caps;
	size_t candidates;
};

/*
 * snapshot NULL = not synced: everything passes, with 5. The reply is appended to ret_reply. ERR_INVALID for a bad
 * body, ERR_LIMIT for one that is too much.
 */
int extender_answer(enum extender_verb verb, struct str body, const struct extender_snapshot *snapshot, int64_t now_ms,
		    struct extender_scratch *scratch, struct buf *ret_reply, struct extender_outcome *ret,
		    struct error *err) must_check;

#endif
