/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pauses, as caj_decide() carries them out. Pure. The planner has decided that the gap in a plan is worth what it
 * expects a pause to cost; here is what only the moment of the pause tells.
 *
 *	no pause	in the last PAUSE_LAST_MS (or two checkpoints) of the work
 *			before minRunSeconds of the present stretch, or beyond maxInterruptions
 *			for less than PAUSE_SHORTEST_MS
 *			that throws away more work than it gains, if the workload tells when it has saved its state
 */
#ifndef DECIDE_PAUSE_H
#define DECIDE_PAUSE_H

#include "decide/translate.h"

#define PAUSE_LAST_MS (600 * SECOND_MS)
#define PAUSE_SHORTEST_MS (600 * SECOND_MS)

/* Work that is done once more after a pause now. last_checkpoint_ms: TIME_NONE = the workload does not tell: 0. */
int64_t pause_lost_ms(int64_t since_ms, int64_t last_checkpoint_ms, int64_t now_ms);

struct pause_choice {
	int64_t now_ms;
	const char *region;      /* where it runs */
	const char *next_region; /* where it would go on, from next_start_ms to next_end_ms */
	int64_t next_start_ms, next_end_ms;
	int64_t left_ms; /* of its work */
	int64_t lost_ms;
	int64_t restart_milliwatt_hours;
	int64_t milliwatts; /* 0 = not known: restart_milliwatt_hours count as nothing */
	struct caj_weights weights;
};
/*
 * Does what is put off from the gap into the next segment gain more, in carbon and cost by their weights, than lost
 * work and restart take there? False when nothing is known of the grid then.
 */
bool pause_pays(const struct grid_view *v, const struct pause_choice *p);

#endif
