/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CarbonAwareJob (loadshift.io/v1alpha1, `caj`): a Job, its flexibility, its plan and what it saved. Mirrors
 * crds/carbonawarejobs.yaml; contracts 1. Only fields that are obeyed are here.
 *
 * Times in spec and status are domain times (base/clock.h); metadata's are real ones. Decoded objects are immutable; a
 * new status is a `struct caj_status` in the reconcile's arena that is encoded and compared as text.
 */
#ifndef API_CARBONAWAREJOB_H
#define API_CARBONAWAREJOB_H

#include "base/buf.h"
#include "base/clock.h"
#include "k8s/condition.h"
#include "k8s/object.h"

#define CAJ_MAX_REGIONS 32
#define CAJ_MAX_OPTIONS 5
#define CAJ_MAX_SEGMENTS 16
#define CAJ_MAX_RUNS 16
/* spec.scale: levels of parallelism. */
#define CAJ_MAX_PARALLELISM 64
/* spec.interrupt: pauses at most, so that the segments between them have room in a plan. */
#define CAJ_MAX_INTERRUPTIONS (CAJ_MAX_SEGMENTS - 1)
/* Bytes of an encoded status (contracts 1). */
#define CAJ_MAX_STATUS 8192
/* The child has the same name, and a pod's name adds 11 characters to it. */
#define CAJ_MAX_NAME 52

/* Labels and annotations of ours (contracts 8). */
#define LABEL_REGION "loadshift.io/region"
#define LABEL_TOPOLOGY_REGION "topology.kubernetes.io/region"
#define LABEL_CAJ "loadshift.io/carbonawarejob" /* on the Job and its pods: the object's name */
#define LABEL_MODE "loadshift.io/mode"          /* on the namespace: act or observe */
#define ANNOTATION_RUN_NOW "loadshift.io/run-now"
#define ANNOTATION_NOT_BEFORE "loadshift.io/not-before"
#define ANNOTATION_RELEASED "loadshift.io/released" /* on the Job, set in the release patch: status.releasedTime */
#define ANNOTATION_PAUSED "loadshift.io/paused"     /* on the Job, set in the patch that pauses it: status.pausedTime */
#define ANNOTATION_PARALLELISM "loadshift.io/parallelism" /* on the Job: the one that we have set last */
#define ANNOTATION_PLACED "loadshift.io/placed" /* on the Job: where its affinity sends it, see caj_placed_of() */
#define ANNOTATION_LAST_CHECKPOINT "loadshift.io/last-checkpoint" /* on the Job, by its workload: RFC 3339 */
#define ANNOTATION_TEMPLATE_HASH "loadshift.io/template-hash"     /* on the Job: of the jobTemplate it was made from */
/* On the Job: the template's ttlSecondsAfterFinished, given to the Job only once its end has been recorded. */
#define ANNOTATION_JOB_TTL "loadshift.io/ttl-seconds-after-finished"
#define ANNOTATION_REGIONS "loadshift.io/regions" /* on the pods, for the extender */
#define ANNOTATION_DURATION "loadshift.io/expected-duration-seconds"
#define ANNOTATION_MAX_CARBON "loadshift.io/max-carbon-g-per-kwh"
#define ANNOTATION_MAX_PRICE "loadshift.io/max-price-per-kwh"
#define ANNOTATION_WEIGHTS "loadshift.io/weights"

struct caj_limit {
	bool set;
	bool hard;
	int32_t value; /* mg/kWh, micros of the currency per kWh, or permille */
};

/* finishBy: the next time after submission at which the clock shows hour:minute in time_zone on one of the days. */
struct caj_finish_by {
	const char *time_zone; /* IANA name; NULL = finishBy not set */
	int8_t hour, minute;
	uint8_t weekdays; /* bit 0 = Sunday .. bit 6 = Saturday; 0x7f = every day */
};

struct caj_weights {
	int32_t carbon, cost, delay, renewable; /* default 60, 30, 10, 0 */
};

/* spec.interrupt: may be paused. Not set = all 0. */
struct caj_interrupt {
	bool set;
	int64_t min_run_ms;              /* of each part of the run */
	int64_t checkpoint_ms;           /* saving its state takes so long, without work */
	int64_t restart_milliwatt_hours; /* taken by each resumption */
	int max_interruptions;           /* 1 .. CAJ_MAX_INTERRUPTIONS */
};

/* spec.scale: may run with min .. max pods; n pods draw n times a pod's power. Duration is meant at max. */
struct caj_scale {
	bool set;
	int min, max;                    /* 1 <= min <= max <= CAJ_MAX_PARALLELISM */
	int n_speedup;                   /* max, or 0: linear */
	const int32_t *speedup_permille; /* [n - 1]: work per time of n pods, in thousandths of that of one; rising */
};

struct caj_spec {
	bool suspend;
	int64_t earliest_start_ms; /* TIME_NONE = not set, like the next ones */
	int64_t deadline_ms;
	int64_t max_delay_ms;
	struct caj_finish_by finish_by;
	int64_t expected_duration_ms;
	int64_t safety_margin_ms;
	int64_t power_watts_per_pod; /* -1 = not set */
	const char *home_region;     /* NULL = not set */
	const char *const *relocate; /* regions beside home */
	int n_relocate;
	struct caj_interrupt interrupt;
	struct caj_scale scale;
	struct caj_limit max_carbon, max_price, min_renewable;
	struct caj_weights weights;
	bool critical;
	bool run_at_latest_on_no_data;
	int64_t ttl_after_finished_ms;

	/* Facts of jobTemplate, which itself is not kept (it is read again when the Job is created). */
	bool template_present;
	const char *template_kueue_queue;
	bool template_suspended; /* jobTemplate.spec.suspend: true, which is refused: use spec.suspend */
	int64_t template_active_deadline_ms;
};

/* Figures of a run, planned or real. What rests on a missing input is not known, never 0. */
struct caj_figures {
	bool energy_known, carbon_known, cost_known;
	int64_t energy_milliwatt_hours;
	int64_t carbon_milligrams;
	int64_t cost_micros;
};

struct caj_segment {
	const char *region;
	int64_t start_ms, end_ms;
	int32_t parallelism;
};

struct caj_plan {
	int n_segments;               /* 0 = no plan */
	struct caj_segment *segments; /* at most CAJ_MAX_SEGMENTS */
	struct caj_figures expected;
};

struct caj_baseline {
	const char *rule; /* "run-at-once-at-home"; NULL = none yet */
	const char *region;
	int64_t start_ms;
	struct caj_figures expected; /* by the forecast at the first plan */
};

struct caj_option {
	const char *region;
	int64_t start_ms;
	struct caj_figures expected;
};

struct caj_run {
	const char *region;
	const char *job_uid;
	int32_t segment; /* pauses before it */
	int64_t start_ms, end_ms;
	int32_t pods;
	struct caj_figures figures;
};

/* How far a job has got that may pause or scale, kept by and for decide/progress.h. A stretch has one parallelism. */
struct caj_ledger {
	bool begun;         /* else nothing of this is there */
	int64_t work_ms;    /* of stretches that have ended, as time at full parallelism */
	int64_t since_ms;   /* a pod runs since then; TIME_NONE = none has been seen to since the release */
	const char *region; /* of the present stretch, or the last one; NULL = nobody's plan */
	int32_t parallelism;
	int32_t interruptions, moves;
	bool in_place; /* the API server takes no other region for a Job that has started */
};

struct caj_actual {
	bool final; /* the last reading: 24 h after the run where the provider has no outturn */
	struct caj_figures figures;
	const char *carbon_source; /* "carbonintensity-gb regional, estimated" */
	const char *energy_scope;  /* "Dynamic" */
	const char *cost_basis;    /* "Tariff" | "Shadow" | "None" */
};

/* One part of the saving: baseline minus real; may be negative. */
struct caj_saving {
	bool carbon_known, cost_known;
	int64_t carbon_milligrams;
	int64_t cost_micros;
};

struct caj_savings {
	bool present;
	struct caj_saving time, place, forecast_error, total;
};

struct caj_status {
	int64_t observed_generation;
	const char *template_hash;            /* NULL until the Job was created */
	int64_t deadline_ms, latest_start_ms; /* TIME_NONE: runs at once */
	int64_t learned_duration_ms;          /* of earlier runs, frozen; <= 0: the spec says it, or none is known */
	const char *home; /* region's name, or "mean" (allocatable-weighted); NULL = not frozen yet */
	const char *plan_id;
	struct caj_plan plan;
	const char *currency; /* of every cost here; NULL = no costs */
	struct caj_baseline baseline;
	int64_t estimated_start_ms;
	const char *explanation;
	int n_options;
	struct caj_option *options; /* at most CAJ_MAX_OPTIONS */
	const char *job_name, *job_uid;
	int64_t released_ms; /* the last time; what was recorded before a pause that is later is over */
	int64_t paused_ms;   /* the last time; TIME_NONE = never */
	struct caj_ledger ledger;
	int n_runs;
	struct caj_run *runs;                  /* at most CAJ_MAX_RUNS, for which a copy has room */
	const struct caj_actual *actual;       /* NULL = nothing has run, like the next */
	const struct caj_savings *savings;     /* present */
	const char *saved_carbon, *saved_cost; /* saved{carbon,cost}: the columns' text, "~412 g" while expected */
	struct conditions conditions;
};

struct carbonawarejob {
	struct object obj;
	struct caj_spec spec;
	struct caj_status status;
	/* override annotations; a bad not-before is TIME_NONE and named in bad_annotation */
	bool run_now;
	int64_t not_before_ms;
	const char *bad_annotation; /* NULL, or which one and why */
	const char *bad_spec;       /* NULL, or the field that does not decode and why: Accepted=False */
};

extern const struct object_type carbonawarejob_type;

static inline const struct carbonawarejob *carbonawarejob_of(const struct object *o)
{
	return container_of(o, struct carbonawarejob, obj);
}

/* "status" as JSON: the same struct gives the same text; what is not set is left out. ERR_LIMIT past CAJ_MAX_STATUS. */
int caj_status_encode(const struct caj_status *s, struct buf *out, struct error *err) must_check;
/* Deep copy of everything into the arena, conditions and runs with room for more. */
void caj_status_copy(const struct caj_status *from, struct arena *a, struct caj_status *ret);
/* `region`, for tables: where it is planned to run, runs by its plan, or ran last; NULL = nowhere. */
const char *caj_status_region(const struct caj_status *s);

/* Condition types (contracts 1). */
#define COND_ACCEPTED "Accepted"
#define COND_PLANNED "Planned"
#define COND_RELEASED "Released"
#define COND_DEADLINE_AT_RISK "DeadlineAtRisk"
#define COND_START_BLOCKED "StartBlocked"
#define COND_DEGRADED "Degraded"
#define COND_COMPLETE "Complete"
#define COND_FAILED "Failed"
#define COND_SUSPENDED "Suspended"
#define COND_READY "Ready"

#endif
