/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All jobs together, private to pkg/planner. What a job costs, and what it pays for power, is proportional to its
 * energy per slot: so one array of prefix sums per region tells all jobs of the same weights what a run costs them.
 */
#ifndef PLANNER_JOINT_INTERNAL_H
#define PLANNER_JOINT_INTERNAL_H

#include "base/alloc.h"
#include "planner/internal.h"
#include "planner/joint.h"

/* One choice for one job. */
struct spot {
	int64_t at_ms;    /* where it is compared; it starts later by its spread */
	double cost;      /* without prices */
	int16_t region;   /* PLANNER_NO_REGION: none */
	int16_t from, to; /* slots that it touches: from .. to - 1 */
};

#define NO_SPOT ((struct spot){ .region = PLANNER_NO_REGION, .cost = INFINITY })

/* Costs per region for jobs with the same weights. Arrays are [region][stride]. */
struct joint_class {
	double weight[N_SIGNALS], fill[N_SIGNALS], constant;
	bool needs_carbon;
	double *unit;   /* cost per kWh in a slot */
	double *sum;    /* prefix sums of unit */
	double *priced; /* the same with the prices of power */
	int *shut;      /* the first slot from i on without a value */
};

/* start_min, a border whose spread the latest start cuts short, and the latest start */
#define MAX_APART 3

/* A region that a job is allowed in, and what it costs there at least. */
struct joint_option {
	float least;
	int16_t region;
};

struct joint_item {
	const struct joint_job *job;
	struct joint_option *options; /* one for each region, cheapest first */
	struct spot at;               /* in the plan */
	struct spot wish;             /* at the latest prices */
	struct spot incumbent;        /* staying there costs no noise */
	double energy;                /* kWh per slot */
	double delay_per_slot;        /* weighted by energy, like all costs here */
	double noise;                 /* what leaving the incumbent costs */
	double part;                  /* of a slot, after the whole ones */
	double unlimited;             /* least cost if there were no limits; INFINITY: no candidate */
	int64_t start_min_ms, latest_ms;
	int64_t apart_ms[MAX_APART]; /* candidates besides those borders */
	int n_apart;
	int32_t first, last;           /* borders that it may start at, spread */
	int32_t next, previous;        /* jobs in the same region; -1 = none */
	int16_t class, whole, touched; /* whole slots; slots touched from a border on, by the spread run */
	bool limited;                  /* has limits on means */
	bool settled;                  /* in segments of its own, and stays */
};

/* joint_anneal.c: a copy of the plan in which there may be too little room. Arrays are made when they are needed. */
struct anneal {
	struct spot *at;    /* [job] */
	int64_t *room;      /* [row][slot]: below 0 where there are too many */
	double *penalty;    /* [row][slot]: of being beyond the room, per row_unit */
	float *noise;       /* by which costs are shaken: positive, Gumbel's but for the sign */
	double temperature; /* of it, per kWh of a slot */
	int sweep, sweeps;  /* done, and in all of this round; equal when it is over */
};

struct joint {
	const struct planner_round *round;
	const struct planner_signals *signals;
	const struct joint_row *rows;
	int n_rows, n_regions, n_slots, stride;
	size_t n, allocated;
	struct joint_item *items;
	int32_t *heads; /* [region] */
	uint64_t seed;
	struct joint_class classes[JOINT_MAX_CLASSES + 1]; /* the last is made anew for each job that needs it */
	int n_classes;
	int16_t (*region_rows)[JOINT_MAX_ROWS_PER_REGION + 1]; /* [region], ends with -1 */
	int64_t *room;                                         /* [row][slot]: capacity less what the plan takes */
	double *price, *best_price;                            /* [row][slot], per row_unit */
	double *demand, *direction;                            /* [row][slot]: of the wishes; of the steps */
	double *scale;                                         /* [row]: what is a large excess there */
	double *price_sum[JOINT_RESOURCES]; /* [region][stride]: prefix sums; of releases the prices themselves */
	bool priced[JOINT_RESOURCES];       /* some price is not 0 */
	double row_unit[JOINT_RESOURCES];
	int64_t least[JOINT_RESOURCES]; /* that any job takes of it */
	double bound_then;              /* at the last look whether it still rises */
	bool settled;
	double objective, bound;  /* of the plan; of any */
	size_t missing, hopeless; /* without a start; of these, without a candidate */
	double step;
	int stalled, steps, sampled;
	bool relaxed; /* the bound is for more than blocks, and stays */
	uint32_t *order;
	struct spot *kept;
	struct anneal anneal;
};

/* Of slots that no job fits into: many times what anything costs, and it stays. */
#define SHUT_PRICE 1e4

#define STEP_LEAST 1e-4   /* of the first: prices are as good as they get */
#define ASK_EVERY 64      /* jobs between two questions for the time */
#define ROUND_OFF_EVERY 4 /* steps */
#define SETTLE_EVERY 8    /* steps, between looks whether the bound still rises */
#define SETTLED 0.05      /* of the gap */
#define SAMPLE 1000       /* jobs, about, of whom the first steps ask */
#define SAMPLED_STEPS 32

/* By what a spot is chosen: its cost; with what its room costs; with what lack of room costs, shaken. */
enum joint_prices { JOINT_TRUE_COST, JOINT_WITH_PRICES, JOINT_ANNEALED };

static inline const struct planner_job *item_job(const struct joint_item *x)
{
	return &x->job->job;
}

/* joint_price.c */
/* Sorts the options of a new job; sets its least cost. */
void joint_item_rank(struct joint *j, struct joint_item *x);
/* The cheapest spot of one job, and what it was chosen by; NO_SPOT if it has none. */
struct spot joint_cheapest(struct joint *j, const struct joint_item *x, enum joint_prices prices, bool need_room,
			   double *ret_value);
/* The same if it is below that, else NO_SPOT. */
struct spot joint_cheaper(struct joint *j, const struct joint_item *x, enum joint_prices prices, bool need_room,
			  double below, double *ret_value);
/* One start anywhere; NO_SPOT if its run meets the unknown or breaks a limit of the job's own. */
struct spot joint_spot_at(struct joint *j, const struct joint_item *x, int region, int64_t at_ms);
bool joint_has_room(const struct joint *j, const struct joint_item *x, const struct spot *s);
bool joint_slot_has_room(const struct joint *j, const struct joint_item *x, int region, int slot, bool starts);
/* What the prices add to a spot. */
double joint_price_of(const struct joint *j, const struct joint_item *x, const struct spot *s);
/* After the prices have changed. */
void joint_sum_prices(struct joint *j);

/* joint_class.c */
void joint_item_init(struct joint *j, struct joint_item *x, const struct joint_job *job);
const struct joint_class *joint_class(struct joint *j, const struct joint_item *x);
void joint_class_release(struct joint_class *c);

/* joint.c: those of the bound. */
void joint_use_best_prices(struct joint *j);

/* joint_plan.c */
/* Of j->room, or of the copy that is annealed; sign -1 gives it back. */
void joint_take_room(const struct joint *j, int64_t *room, const struct joint_item *x, const struct spot *s, int sign);
void joint_put(struct joint *j, struct joint_item *x, const struct spot *s);
void joint_take(struct joint *j, struct joint_item *x);
void joint_fill(struct joint *j, enum joint_prices prices);
/* Everybody to where prices or annealing send them, if there is room; kept if the plan is better. */
void joint_round_off(struct joint *j, enum joint_prices prices);
/* Both: false if time ran out. Everybody alone to a cheaper place with room. */
bool joint_polish(struct joint *j, bool (*out_of_time)(void *arg), void *arg);
/* Those without a place to one from which others are moved away. */
bool joint_search(struct joint *j, bool (*out_of_time)(void *arg), void *arg);

static inline bool joint_is_sampling(const struct joint *j)
{
	return j->n >= 2 * SAMPLE && j->sampled < SAMPLED_STEPS;
}

/* joint_flex.c: kWh, more than 0. */
double joint_total_energy(const struct joint_item *x);

/* joint_anneal.c: one sweep, of a round that is over when sweep == sweeps; false if time ran out before its end. */
bool joint_anneal(struct joint *j, bool (*out_of_time)(void *arg), void *arg);
/* After jobs or room have changed: this round begins anew. */
void joint_anneal_reset(struct joint *j);
void joint_anneal_release(struct joint *j);
/* For JOINT_ANNEALED: what a spot is punished with; the same added to v[i] for starts at border from + i, i < n. */
double joint_penalty_of(const struct joint *j, const struct joint_item *x, const struct spot *s);
void joint_add_penalties(const struct joint *j, const struct joint_item *x, int region, int from, int n, double *v);
void joint_add_noise(struct joint *j, const struct joint_item *x, int n, double *v);

/* joint_dual.c: one subgradient step; false if time ran out before all jobs were looked at. */
bool joint_dual_step(struct joint *j, bool (*out_of_time)(void *arg), void *arg);

#endif
