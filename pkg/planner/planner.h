/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner: given forecasts per region and jobs with their flexibility, the start and region of each job. Pure: no
 * clock, no I/O, no globals, same input same output; arrays in, structs out. Any thread, one round at a time.
 *
 * A **round** places jobs one after the other, critical and not deferrable ones first, then in order of latest start
 * (ties: earliest, then id), each under the power that those before it and the running ones have reserved:
 *
 *	planner_round_init(&round, &signals, jobs, n, &arena);
 *	planner_reserve(&round, region, start_ms, end_ms, power_milliwatts);   (running jobs)
 *	planner_round_run(&round, jobs, n, results, &arena);
 *
 * Objective of starting one job at t in region r (contracts 3), smaller is better; the weights are normalised to sum 1:
 *
 *	w_carbon * mean carbon over the run / carbon scale  +  w_cost * mean price over the run / price scale
 *	+ w_delay * (t - earliest) / (latest_start - earliest)  +  w_renewable * (1 - mean renewable share over the run)
 *
 * A scale is the mean |value| of the known values of that signal, over all slots that end after `now`, in all regions
 * that any job of the round allows; a scale of 0 drops the term. Means are time-weighted, partial slots prorated.
 *
 * Candidates in every allowed region: start_min = max(now, earliest); every slot border of the horizon after it;
 * latest_start. Borders past latest_start are none; a latest_start before start_min counts as start_min; a job that
 * cannot be deferred has start_min only (its region is still chosen). A start at a border after start_min is spread by
 * the job's spread_ms, never past latest_start; what is reserved, checked against limits and reported is the spread
 *run, what is compared is the objective at the border.
 *
 * A candidate whose run meets an unknown carbon value is not compared (when the carbon weight is not 0); nothing is
 * compared when no signal that has weight, delay apart, is known anywhere the job may run. An unknown price or
 *renewable share counts as the mean of those known in that region from now on, as a whole number (no effect of its
 *own), and the run's figure is then unknown. A region that knows none, while another allowed one does: counts as the
 *mean of these regions' means. No allowed region knows any: the term is dropped, from the noise too.
 *
 * The choice is the candidate with the least objective; ties: earliest start, then home, then order of `regions`. It
 * replaces the incumbent only when its gain exceeds the noise
 *
 *	w_carbon * carbon_error / carbon scale + w_cost * price_error / price scale
 *
 * where the incumbent is the job's earlier plan if that is still feasible (it need not be a border; a start that has
 * passed counts as start_min, a start spread from a border is compared at the border), else start_min at home. Without
 *a feasible incumbent (home not allowed, unknown, or over a limit) there is nothing to exceed.
 *
 * Limits: an unknown mean meets a soft limit and breaks a hard one. Power counts in every slot that a run touches.
 *
 * Precedence: critical > hard limits > deadline > objective. See enum planner_outcome.
 */
#ifndef PLANNER_PLANNER_H
#define PLANNER_PLANNER_H

#include "base/arena.h"
#include "base/clock.h"

#define PLANNER_UNKNOWN INT32_MIN
#define PLANNER_MAX_REGIONS 128
#define PLANNER_MAX_SLOTS 1344 /* four weeks of half hours */
#define PLANNER_MAX_OPTIONS 5
#define PLANNER_NO_REGION (-1)

/* Columns of n_slots values, borrowed for the round; PLANNER_UNKNOWN where there is none. NULL = all unknown. */
struct planner_region {
	const char *name;
	const int32_t *carbon_mg_per_kwh;
	const int32_t *price_micros_per_kwh;
	const int32_t *renewable_permille;
	int32_t carbon_error_mg_per_kwh; /* of its forecast; 0 = the round's. The largest of a job's regions counts */
	int64_t power_limit_milliwatts;  /* for all jobs together; 0 = none */
	bool power_limit_hard;           /* else the deadline and critical jobs may exceed it */
};

struct planner_signals {
	int64_t now_ms;
	int64_t first_slot_ms; /* start of slot 0, a multiple of slot_ms, not after now */
	int64_t slot_ms;
	int n_slots;
	const struct planner_region *regions;
	int n_regions;
	int32_t carbon_error_mg_per_kwh; /* contracts 3: 20 000 until scored */
	int32_t price_error_permille;    /* of the price scale: 100 until scored */
};

enum planner_enforcement { PLANNER_LIMIT_NONE, PLANNER_LIMIT_SOFT, PLANNER_LIMIT_HARD };

struct planner_limit {
	enum planner_enforcement enforcement;
	int32_t value; /* mg/kWh at most, micros/kWh at most, permille at least */
};

struct planner_job {
	const char *id;           /* for ties */
	int64_t earliest_ms;      /* submission or the user's earliest start, whichever is later */
	int64_t latest_start_ms;  /* TIME_NONE: not deferrable, runs at once */
	int64_t duration_ms;      /* > 0 */
	int64_t power_milliwatts; /* of the whole job */
	int64_t spread_ms;
	int32_t weight_carbon, weight_cost, weight_delay, weight_renewable; /* any scale, not all 0 */
	struct planner_limit max_carbon, max_price, min_renewable;          /* of the time-weighted mean over the run */
	const int16_t *regions; /* allowed ones, indices into signals.regions, home among them if it is allowed */
	int n_regions;
	int16_t home;                  /* baseline's place; always a region */
	bool critical;                 /* starts at start_min whatever the signals */
	bool run_at_latest_on_no_data; /* else at once */
	int16_t earlier_region;        /* PLANNER_NO_REGION: no earlier plan */
	int64_t earlier_start_ms;
};

/* What one start would mean; figures that rest on an unknown value are not known. Rounded half away from zero. */
struct planner_option {
	int16_t region; /* PLANNER_NO_REGION: no such option */
	int64_t start_ms;
	int64_t end_ms;
	double objective; /* NAN when it cannot be compared */
	int64_t energy_milliwatt_hours;
	int64_t carbon_milligrams;  /* valid if carbon_known */
	int64_t cost_micros;        /* valid if cost_known */
	int32_t renewable_permille; /* mean over the run, PLANNER_UNKNOWN if not known */
	bool carbon_known;
	bool cost_known;
};

enum planner_outcome {
	PLANNER_CHOSEN,  /* by the objective */
	PLANNER_KEPT,    /* the incumbent stays: nothing is better by more than the noise */
	PLANNER_AT_ONCE, /* not deferrable; critical: at home unless hard power forbids; or no data and RunNow */
	PLANNER_FORCED,  /* soft limits or soft power limit overridden by the deadline: latest start, or now if past; in
			    the allowed region with the least objective, at home when none is known. Where hard limits
			    rule out that time: the least objective of the starts that they allow */
	PLANNER_NO_DATA_WAIT, /* no data: latest start, at home */
	PLANNER_HARD_LIMIT,   /* a hard limit or hard power is met by no start, some start being known to break it:
				 choice.region is PLANNER_NO_REGION. A critical job minds only hard power,
				 at start_min */
	PLANNER_HARD_UNKNOWN, /* the same, but the data it needs are unknown for every start */
};

/*
 * What kept the job from its unconstrained best, the least objective of all candidates and of the later borders; NONE
 * when nothing did, and for critical jobs. When it got its best: HORIZON or NO_DATA if there was more to look at.
 */
enum planner_binding {
	PLANNER_BINDING_NONE,
	PLANNER_BINDING_DEADLINE, /* a start later than latest_start, within the horizon, would be better */
	PLANNER_BINDING_LIMIT,
	PLANNER_BINDING_POWER,
	PLANNER_BINDING_HORIZON, /* the forecast ends before latest_start + duration */
	PLANNER_BINDING_NO_DATA, /* nothing could be compared, or some candidates could not */
	PLANNER_BINDING_NOISE,   /* better ones exist, but not by more than the forecast's error */
};

struct planner_rejected {
	int32_t no_data, max_carbon, max_price, min_renewable, power;
};

struct planner_result {
	enum planner_outcome outcome;
	enum planner_binding binding;
	struct planner_option choice;
	struct planner_option baseline;    /* start_min at home, allowed or not, never spread, limits or not */
	struct planner_option best, worst; /* of all candidates with an objective that meet limits and power */
	struct planner_option options[PLANNER_MAX_OPTIONS]; /* best start of each region first, then the next best; */
	int n_options;                                      /* each feasible, no two with the same region and start */
	struct planner_rejected rejected;                   /* candidates, by the first reason that failed them */
	double gain; /* of choice over incumbent in the objective, or over the baseline without one; 0 if kept */
	double noise;
	double carbon_scale_mg_per_kwh, price_scale_micros_per_kwh; /* frozen with the plan */
};

struct planner_round {
	const struct planner_signals *signals;
	double carbon_scale, price_scale;
	struct planner_columns *columns; /* per region: prefix sums and reserved power; private */
};

/* Builds prefix sums and scales: O(regions x slots). All memory comes from the arena and lives as long as it. */
void planner_round_init(struct planner_round *round, const struct planner_signals *signals,
			const struct planner_job *jobs, size_t n_jobs, struct arena *arena);
/*
 * Power taken in that region in every slot that start to end touches; parts outside the horizon are ignored, and so is
 * PLANNER_NO_REGION (the region has been deleted since).
 */
void planner_reserve(struct planner_round *round, int region, int64_t start_ms, int64_t end_ms,
		     int64_t power_milliwatts);
/* One job against what is reserved so far; reserves nothing. No allocation; O(regions x slots). */
void planner_choose(const struct planner_round *round, const struct planner_job *job, struct planner_result *ret);
/* The order of a round, as indices of jobs. */
void planner_round_order(const struct planner_job *jobs, size_t n, size_t *order);
/* All jobs in order, each choice reserved before the next. results[i] belongs to jobs[i]. */
void planner_round_run(struct planner_round *round, const struct planner_job *jobs, size_t n,
		       struct planner_result *results, struct arena *arena);

/* The figures of any run by the round's signals: for expectations and what-if. */
void planner_evaluate(const struct planner_round *round, int region, int64_t start_ms, int64_t duration_ms,
		      int64_t power_milliwatts, struct planner_option *ret);

/*
 * The cost function by itself, shared with the extender's scores: weighted, scaled sum of one unit of work's signals.
 * A signal that is NAN or whose scale is 0 contributes nothing.
 */
double planner_cost(const struct planner_job *job, double carbon_mg_per_kwh, double carbon_scale,
		    double price_micros_per_kwh, double price_scale, double renewable_permille, double delay_fraction);

/* "chosen", "kept", ...; "deadline", ...: for reasons and metrics. */
const char *planner_outcome_name(enum planner_outcome o);
const char *planner_binding_name(enum planner_binding b);

#endif
