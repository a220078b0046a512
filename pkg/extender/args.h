/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kube-scheduler sends to an extender (ExtenderArgs of k8s.io/kube-scheduler/extender/v1): a whole Pod, and the
 * candidate nodes either by name (nodeCacheCapable: true) or as a whole NodeList. Top-level keys are Pascal case.
 *
 * One pass over the body, in any order of keys. Of the Pod only the annotations in `enum extender_annotation` are
 * kept, of each Node its name and its text. Refused: what is not JSON, a value of the wrong type, no Pod, neither list,
 * a second value for anything that is read. Pure; one thread per struct.
 */
#ifndef EXTENDER_ARGS_H
#define EXTENDER_ARGS_H

#include "base/error.h"
#include "base/vec.h"
#include "extender/cursor.h"

#define EXTENDER_MAX_CANDIDATES 150000

/* Annotations of the pod, all named loadshift.io/<name>; see extender/wish.h. */
enum extender_annotation {
	EXTENDER_REGIONS,
	EXTENDER_DURATION,
	EXTENDER_MAX_CARBON,
	EXTENDER_MAX_PRICE,
	EXTENDER_WEIGHTS,
	EXTENDER_N_ANNOTATIONS,
};
/* "regions", "expected-duration-seconds", ... */
extern const char *const extender_annotation_names[EXTENDER_N_ANNOTATIONS];

/* Views into the body. The vectors' memory is kept from request to request. */
struct extender_args {
	struct cursor_text annotations[EXTENDER_N_ANNOTATIONS]; /* raw.ptr NULL = not set */
	VEC(struct cursor_text) names;                          /* of the candidate nodes */
	VEC(struct str) nodes;                                  /* their whole texts, if `whole_nodes` */
	bool whole_nodes;                                       /* the reply must hold Nodes, not NodeNames */
	struct str names_text; /* the NodeNames array as it stands in the body, if not */
};

#define EXTENDER_ARGS_INIT \
	{                  \
		0          \
	}
void extender_args_release(struct extender_args *a);

/* Replaces what was there. ERR_INVALID tells what is wrong and at which byte; ERR_LIMIT for too many candidates. */
int extender_args_parse(struct extender_args *a, struct str body, struct error *err) must_check;

#endif
