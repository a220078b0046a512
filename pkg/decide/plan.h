/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job's published plan: what a planning round says about it, in words and figures, immutable and shared by
 * reference count. Made from the planner's result; read by caj_decide().
 *
 * There is one for every pending job, so its size counts: it is one allocation, a round that says the same as the one
 * before keeps the old entry, and once the status has been written the words are shared with the store's object.
 */
#ifndef DECIDE_PLAN_H
#define DECIDE_PLAN_H

#include <stdatomic.h>

#include "decide/flexible.h"

/* Where the release patch lets the pods run. Nothing set = anywhere. */
struct plan_affinity {
	const char *regions; /* "a,b": the allowed ones, for the extender's annotation; NULL = not confined */
	const char *key;     /* node label of the regions, NULL = they share none: no affinity */
	const char *const *allowed;
	int n_allowed; /* values of key; 0 = not confined, the planned region is only preferred */
	const char *const *planned;
	int n_planned;        /* values of key that mean the planned region */
	bool require_planned; /* power was reserved there, or a hard limit needs it; else it is only preferred */
};

struct plan_entry {
	struct arena arena; /* holds the entry itself */
	_Atomic(int) refs;
	const struct object *told; /* whose status says all this already: its words are borrowed; NULL = none */
	const char *uid;           /* of the CarbonAwareJob */
	int64_t generation;        /* of the spec it was made for */
	bool run_now;              /* the annotations it was made for, which have no generation */
	int64_t not_before_ms;
	int64_t planned_ms; /* the round's now */
	enum planner_outcome outcome;
	bool no_data;        /* at once or waiting because the signals are unknown */
	bool shift_disabled; /* regions were left out of the comparison */
	bool over_power;     /* the deadline overrode a soft power limit */
	bool no_power;       /* no segment because of a region's hard power limit, not of the user's: wait for room */
	const char *reason;  /* of condition Planned, CamelCase */
	const char *plan_id; /* changes when the segments change */
	const char *home;
	const char *currency;   /* NULL = no prices */
	const char *cost_basis; /* "Tariff" | "Shadow" | "None" */
	struct caj_plan plan;   /* no segment: a hard limit forbids every start */
	struct caj_baseline baseline;
	int n_options;
	struct caj_option *options;
	const char *explanation; /* one sentence */
	uint64_t basis;          /* see plan_source; the planning round's own, nobody else reads it */
};

/* What an entry is made from; all borrowed. */
struct plan_source {
	const struct grid_view *view;
	const struct carbonawarejob *caj;
	const struct job *job;
	const struct caj_timing *timing;
	const struct caj_place *place;
	const struct planner_job *planner_job;
	const struct planner_result *result;
	const struct caj_flex *flex;          /* NULL: one block, as the result says; the next ones are NULL too */
	const struct caj_choice *choice;      /* of caj_flex_choose(), n > 0; its figures are in the result's choice */
	const struct caj_plan *stands;        /* the plan before it; may be empty */
	const struct planner_option *instead; /* what the part of it that the choice replaces would be now, or NULL */
	uint64_t basis;                       /* hash of all that the plan rests on: while it stays, so does the plan */
};
/*
 * With one reference; strings are copied: nothing of the source is kept. If it would equal `earlier` (NULL = none), a
 * reference to that, with the new basis.
 */
struct plan_entry *plan_entry_new(const struct plan_source *s, struct plan_entry *earlier, struct arena *scratch);
struct plan_entry *plan_entry_ref(struct plan_entry *p);
void plan_entry_unref(struct plan_entry *p);
static inline void plan_entry_cleanup(struct plan_entry **p)
{
	if (*p)
		plan_entry_unref(*p);
}

/*
 * Where the pods of that job may run when it is released to `region` (PLANNER_NO_REGION: no plan). It rests on
 * GridRegions and nodes alone, so that a release that was recorded by an earlier process is confined like any other.
 * Arrays and the joined names live in the arena, values in v.
 */
void caj_affinity(const struct grid_view *v, const struct carbonawarejob *caj, const struct caj_place *place,
		  int region, struct arena *arena, struct plan_affinity *ret);

/* Made for the spec and the override annotations as they are now. */
bool plan_entry_is_for(const struct plan_entry *p, const struct carbonawarejob *caj);

/* Same figures and words: publishing it again would tell nobody anything. */
bool plan_entry_equal(const struct plan_entry *a, const struct plan_entry *b);

#endif
