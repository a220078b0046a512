/* SPDX-License-Identifier: Apache-2.0 */
/* Inside one planning round: round.c places job by job, round_together.c those that collide. */
#ifndef DECIDE_ROUND_INTERNAL_H
#define DECIDE_ROUND_INTERNAL_H

#include "base/vec.h"
#include "decide/round.h"
#include "planner/joint.h"

#define ROUND_NOBODY SIZE_MAX

/* What some job takes, for some time, of what all share. */
struct round_hold {
	int16_t region;
	int64_t start_ms, end_ms;
	int64_t amount[JOINT_RESOURCES];
	size_t holder; /* of the round's acting jobs, or ROUND_NOBODY */
};

struct round_ctx {
	const struct round_input *in;
	const struct grid_view *view;
	bool apart; /* no region has a power limit: one job's plan bears on no other's */
	struct planner_round round;
	/* Those that are open, in this order: to be planned, to be planned in observe mode, settled. */
	struct round_job **open;
	struct planner_job *asked;
	struct caj_flex **flex;            /* NULL: one block */
	struct planner_result *found;      /* of the first n_planned, like the next */
	const struct caj_choice **choices; /* NULL: the block that was found */
	size_t n_acting, n_planned, n_open;
	size_t holder; /* whose holds are being noted */
	VEC(struct round_hold) holds;
	struct arena *arena;  /* of the round */
	struct arena scratch; /* of one job */
};

/* Notes what is taken, for round_together(). */
void round_hold(struct round_ctx *c, int region, int64_t start_ms, int64_t end_ms, int64_t power_milliwatts,
		const struct job *job, int32_t pods);

/*
 * Where jobs want more of a region's power, CPU, memory or GPUs, or of a slot's releases, than there is: the acting
 * ones that are blocks and chosen by comparing are placed anew, together (planner/joint.h). That replaces what was
 * found one by one if more of them find room, or if it costs less by more than the noise of those that it moves.
 */
void round_together(struct round_ctx *c);

#endif
