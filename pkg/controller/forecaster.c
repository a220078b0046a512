/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that forecasts, see forecaster.h. What it computes is in pkg/grid. */
#include "controller/forecaster.h"

#include <sys/resource.h>

#include "api/gridregion.h"
#include "grid/forecast_store.h"
#include "log/log.h"
#include "metrics/metrics.h"

#define EVERY_MS HOUR_MS /* domain */
/* Real: it looks for sources that are new at least and at most so often. */
#define LOOK_MIN_MS (5 * SECOND_MS)
#define LOOK_MAX_MS (30 * SECOND_MS)
#define REST 9
#define NICE 10
#define PATIENCE_MS (5 * SECOND_MS)
#define ARENA_MAX ((size_t)256 * 1024 * 1024)
#define MAX_SHARED 16

/* A source that regions go by. */
struct target {
	struct forecast_subject subject;
	const struct grid_tariff *tariff; /* NULL: its prices follow no rule that we know */
	char area[GRID_NAME_MAX];         /* whose wind, demand, weather it depends on; "" = none */
	VEC(const char *) regions;
};

/* What was said of it. */
struct entry {
	struct forecast_subject subject;
	struct forecaster_word word;
	int64_t next_ms; /* domain */
	bool wanted;
};

/* A wholesale price that was forecast in this pass: the word of one zone, from which others are mapped. */
struct shared {
	const struct grid_tariff *of;
	struct own_forecast *forecast;
};

/* What is said of an area in this pass. */
struct area {
	char name[GRID_NAME_MAX];
	struct grid_exog exog;
};

struct pass {
	struct arena arena;
	VEC(struct area *) areas;
	VEC(struct target) targets;
	struct shared shared[MAX_SHARED];
	int n_shared;
};

struct forecaster {
	struct forecaster_config cfg;
	struct grid_tariff *tariffs; /* cfg.n_tariffs, with their time zones */
	struct tz **zones;           /* ditto */
	pthread_t thread;
	bool runs;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool stopping;
	VEC(struct entry *) entries; /* by the mutex; changed by the thread alone */
};

static struct metric error_gauge =
	METRIC_GAUGE("loadshift_forecast_error", "Mean absolute error of the last four weeks, in the metric's unit.",
		     "region", "metric", "source", "lead");
static struct metric pinball_gauge =
	METRIC_GAUGE("loadshift_forecast_pinball", "Mean pinball loss of p10, p50 and p90 of the last four weeks.",
		     "region", "metric", "source", "lead");
static struct metric coverage_gauge = METRIC_GAUGE(
	"loadshift_forecast_coverage_ratio",
	"Share of outturns within p10 to p90 of our own forecasts of the last four weeks.", "region", "metric", "lead");
static struct metric history_gauge = METRIC_GAUGE("loadshift_forecast_history_days",
						  "Days of history that forecasts are trained on; less than 14 give "
						  "none.",
						  "region", "metric");
static struct metric training_seconds =
	METRIC_COUNTER("loadshift_forecast_training_seconds_total", "Real time that training has taken.");

static bool is_stopping(struct forecaster *f)
{
	MUTEX_GUARD(&f->mutex);
	return f->stopping;
}

/* ---- what there is to do ---- */

static bool same_subject(const struct forecast_subject *a, const struct forecast_subject *b)
{
	return a->provider == b->provider && a->metric == b->metric && strcmp(a->zone, b->zone) == 0 &&
	       memcmp(&a->basis, &b->basis, sizeof(a->basis)) == 0;
}

/* False when there is nothing to forecast from: no data, or figures that are made up of the past already. */
static bool subject_of(const struct collector_pick *p, struct forecast_subject *ret)
{
	if (p->chain < 0 || !p->provider || p->provider->last_resort)
		return false;
	*ret = (struct forecast_subject){ .provider = p->provider, .metric = p->metric };
	if (p->metric == GRID_CARBON)
		ret->basis = p->basis;
	(void)str_copy(ret->zone, sizeof(ret->zone), str_from(p->zone));
	return true;
}

static const struct grid_tariff *tariff_of(const struct forecaster *f, const struct collector_pick *p)
{
	for (size_t i = 0; i < f->cfg.n_tariffs && p->metric == GRID_PRICE && p->product; i++) {
		const struct grid_tariff *t = &f->tariffs[i];

		if (strcmp(t->zone, p->zone) == 0 && str_has_prefix(str_from(p->product), str_from(t->product)))
			return t;
	}
	return NULL;
}

static void add_target(const struct forecaster *f, struct pass *pass, const struct collector_pick *p, const char *area,
		       const char *region)
{
	struct forecast_subject s;
	struct target *t = NULL;
	const char **name;

	if (!subject_of(p, &s))
		return;
	for (size_t i = 0; i < pass->targets.len && !t; i++)
		if (same_subject(&pass->targets.ptr[i].subject, &s))
			t = &pass->targets.ptr[i];
	if (!t) {
		t = vec_push(&pass->targets, COLLECTOR_MAX_SOURCES);
		if (!t)
			return;
		t->subject = s;
		t->tariff = tariff_of(f, p);
		(void)str_copy(t->area, sizeof(t->area), str_from(area ? area : ""));
	}
	name = vec_push(&t->regions, COLLECTOR_MAX_REGIONS);
	if (name)
		*name = arena_strdup(&pass->arena, region);
}

static void gather(const struct forecaster *f, struct pass *pass)
{
	int64_t now_ms = clock_now_ms(&f->cfg.clock);
	struct object_list all = { 0 };
	struct arena scratch;

	arena_init(&scratch, 64 * 1024, ARENA_MAX);
	store_list(f->cfg.regions, &all);
	for (size_t i = 0; i < all.len; i++) {
		const char *name = all.items[i]->meta.name;
		struct collector_view view;

		arena_reset(&scratch);
		if (!collector_view(f->cfg.collector, name, now_ms, &scratch, &view))
			continue;
		add_target(f, pass, &view.carbon, view.area, name);
		add_target(f, pass, &view.price, view.area, name);
	}
	object_list_release(&all);
	arena_release(&scratch);
}

static void pass_release(struct pass *pass)
{
	for (size_t i = 0; i < pass->targets.len; i++)
		vec_release(&pass->targets.ptr[i].regions);
	vec_release(&pass->targets);
	for (size_t i = 0; i < pass->areas.len; i++) {
		grid_exog_release(&pass->areas.ptr[i]->exog);
		free(pass->areas.ptr[i]);
	}
	vec_release(&pass->areas);
	arena_release(&pass->arena);
}

/* ---- words ---- */

/* With the mutex held, or by the thread itself. */
static struct entry *find(const struct forecaster *f, const struct forecast_subject *s)
{
	for (size_t i = 0; i < f->entries.len; i++)
		if (same_subject(&f->entries.ptr[i]->subject, s))
			return f->entries.ptr[i];
	return NULL;
}

static struct entry *entry_of(struct forecaster *f, const struct forecast_subject *s)
{
	struct entry *e = find(f, s), **slot;

	if (e)
		return e;
	MUTEX_GUARD(&f->mutex);
	slot = vec_push(&f->entries, COLLECTOR_MAX_SOURCES);
	if (!slot)
		return NULL;
	e = *slot = xcalloc(1, sizeof(*e));
	e->subject = *s;
	e->next_ms = TIME_NONE;
	return e;
}

/* What no region goes by any more. */
static void drop_unwanted(struct forecaster *f)
{
	size_t n = 0;

	MUTEX_GUARD(&f->mutex);
	for (size_t i = 0; i < f->entries.len; i++) {
		if (f->entries.ptr[i]->wanted)
			f->entries.ptr[n++] = f->entries.ptr[i];
		else
			free(f->entries.ptr[i]);
	}
	f->entries.len = n;
}

static int32_t rounded(double x)
{
	return (int32_t)CLAMP(lround(x), -(long)INT32_MAX, (long)INT32_MAX);
}

static int32_t first_day(const struct forecast_scores *s, enum forecast_scored what)
{
	double mae = score_mae(&s->day[what][0]);

	return forecast_scores_count(s, what) && !isnan(mae) ? MAX(rounded(mae), FORECASTER_MIN_ERROR) : GRID_UNKNOWN;
}

static void take_scores(const struct forecast_scores *s, struct forecaster_word *w)
{
	w->error = first_day(s, SCORED_PUBLISHED);
	w->own_error = first_day(s, SCORED_OWN);
	w->n_bands = s->n_bands;
	for (int i = 0; i < s->n_bands; i++) {
		w->low[i] = rounded(s->low[i]);
		w->high[i] = rounded(s->high[i]);
	}
}

static void measure(const struct target *t, const struct forecast_scores *s, const struct forecaster_word *w)
{
	static const int leads[] = { 1, 2, 4, 7, 14 };
	const char *metric = grid_metric_name(t->subject.metric);

	for (size_t r = 0; r < t->regions.len; r++) {
		const char *region = t->regions.ptr[r];

		metric_set(metric_series(&history_gauge, region, metric), w->forecast.history_days);
		for (int what = 0; what < N_SCORED; what++)
			for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
				const struct score *x = &s->day[what][leads[i] - 1];
				const char *source =
					forecast_scored_name((enum forecast_scored)what, t->subject.provider);
				char lead[16];

				(void)snprintf(lead, sizeof(lead), "day%d", leads[i]);
				if (x->n == 0)
					continue;
				metric_set(metric_series(&error_gauge, region, metric, source, lead), score_mae(x));
				metric_set(metric_series(&pinball_gauge, region, metric, source, lead),
					   score_pinball(x));
				if (what == SCORED_OWN)
					metric_set(metric_series(&coverage_gauge, region, metric, lead),
						   score_coverage_percent(x) / 100);
			}
	}
}

/* ---- one area ---- */

struct area_read {
	struct collector_pick picks[GRID_EXOG_MAX];
	int n;
	int64_t now_ms;
	struct grid_exog_past past;
};

static int run_read_area(struct db *db, void *arg, struct error *err)
{
	struct area_read *a = arg;

	grid_exog_past_release(&a->past); /* it may be run again */
	grid_exog_past_init(&a->past);
	for (int i = 0; i < a->n; i++)
		if (grid_exog_read(db, a->picks[i].metric, a->picks[i].provider, a->picks[i].zone, a->now_ms, &a->past,
				   err))
			return -1;
	return 0;
}

/* What is collected for the area, by the sources in use; without it all goes on. */
static void read_area(struct forecaster *f, struct pass *pass, struct area *area)
{
	struct area_read *a = xcalloc(1, sizeof(*a));
	struct error err = ERROR_INIT;

	a->now_ms = clock_now_ms(&f->cfg.clock);
	for (int i = 0; i < GRID_EXOG_MAX; i++) {
		struct collector_pick *p = &a->picks[a->n];

		if (collector_area(f->cfg.collector, area->name, grid_exog_metrics[i], a->now_ms, &pass->arena, p) &&
		    p->chain >= 0 && p->provider)
			a->n++;
	}
	if (a->n && db_call(f->cfg.db, &(struct db_work){ "forecast-read", run_read_area, a, NULL, PATIENCE_MS }, &err))
		log_warn("no forecasts of other things to go by", LOG_ERR(&err), LOG_STR("area", area->name));
	else
		grid_exog_build(&a->past, a->now_ms, &area->exog);
	grid_exog_past_release(&a->past);
	free(a);
}

static const struct grid_exog *exog_of(struct forecaster *f, struct pass *pass, const struct target *t)
{
	struct area **slot;

	if (!t->area[0])
		return NULL;
	for (size_t i = 0; i < pass->areas.len; i++)
		if (strcmp(pass->areas.ptr[i]->name, t->area) == 0)
			return &pass->areas.ptr[i]->exog;
	slot = vec_push(&pass->areas, COLLECTOR_MAX_FEEDS);
	if (!slot)
		return NULL;
	*slot = xcalloc(1, sizeof(**slot));
	(void)str_copy((*slot)->name, sizeof((*slot)->name), str_from(t->area));
	read_area(f, pass, *slot);
	return &(*slot)->exog;
}

/* ---- one source ---- */

/* On the db thread. */
struct work {
	const struct target *t;
	int64_t now_ms;
	struct forecast_past past;
	struct forecast_scores scores;
	const struct own_forecast *store; /* NULL: the first of these six hours is there already */
};

static int run_read(struct db *db, void *arg, struct error *err)
{
	struct work *w = arg;

	forecast_past_release(&w->past); /* it may be run again */
	return forecast_past_read(db, &w->t->subject, w->now_ms, &w->past, err);
}

static int run_write(struct db *db, void *arg, struct error *err)
{
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	struct work *w = arg;

	if (db_tx_begin(&tx, db, err) ||
	    (w->store && forecast_store_issue(db, w->past.zone, &w->t->subject, w->store, w->now_ms, err)))
		return -1;
	for (size_t i = 0; i < w->t->regions.len; i++)
		if (forecast_store_scores(db, w->t->regions.ptr[i], &w->t->subject, &w->scores, w->now_ms, err))
			return -1;
	return db_tx_commit(&tx, err);
}

/* The word of another zone of the same product in this pass, or NULL. */
static const struct shared *shared_of(const struct pass *pass, const struct target *t)
{
	for (int i = 0; t->tariff && i < pass->n_shared; i++)
		if (strcmp(pass->shared[i].of->product, t->tariff->product) == 0)
			return &pass->shared[i];
	return NULL;
}

static void make(struct forecaster *f, struct pass *pass, const struct work *w, struct own_forecast *ret)
{
	const struct shared *same = shared_of(pass, w->t);
	int64_t began_ms = clock_mono_ms();

	/* Prices come zone by zone: another one's forecast may begin elsewhere. Then it is made anew. */
	if (same &&
	    same->forecast->start_ms == own_forecast_start_ms(&w->past.series, w->t->subject.metric, w->now_ms)) {
		own_forecast_map(same->forecast, same->of, w->t->tariff, ret);
		return;
	}
	own_forecast_make(&w->past.series, exog_of(f, pass, w->t), w->t->tariff, w->t->subject.metric, w->now_ms, ret);
	metric_add(metric_only(&training_seconds), (double)(clock_mono_ms() - began_ms) / 1000);
	if (w->t->tariff && ret->n && pass->n_shared < MAX_SHARED) {
		struct own_forecast *copy = arena_new(&pass->arena, struct own_forecast);

		*copy = *ret;
		pass->shared[pass->n_shared++] = (struct shared){ w->t->tariff, copy };
	}
}

static bool is_kept(const struct forecast_past *p, int64_t issued_ms)
{
	size_t n = p->issues[SCORED_OWN].len;

	return n && time_slot_floor(p->issues[SCORED_OWN].ptr[n - 1].issued_ms, FORECAST_SCORE_EVERY_MS) ==
			    time_slot_floor(issued_ms, FORECAST_SCORE_EVERY_MS);
}

static void score(struct work *w)
{
	const struct forecast_past *p = &w->past;
	const struct forecast_score_input in = {
		.actual = &p->series,
		.issues = { p->issues[SCORED_PUBLISHED].ptr, p->issues[SCORED_OWN].ptr },
		.n_issues = { (int)p->issues[SCORED_PUBLISHED].len, (int)p->issues[SCORED_OWN].len },
		.now_ms = w->now_ms,
	};

	forecast_scores(&in, &w->scores);
}

static void forecast_one(struct forecaster *f, struct pass *pass, const struct target *t, struct entry *e)
{
	struct work *w = xcalloc(1, sizeof(*w));
	struct forecaster_word *word = xcalloc(1, sizeof(*word));
	struct error err = ERROR_INIT;

	w->t = t;
	w->now_ms = clock_now_ms(&f->cfg.clock);
	*word = e->word;
	e->next_ms = time_slot_floor(w->now_ms, EVERY_MS) + EVERY_MS;
	if (db_call(f->cfg.db, &(struct db_work){ "forecast-read", run_read, w, NULL, PATIENCE_MS }, &err)) {
		log_warn("no history to forecast from", LOG_ERR(&err), LOG_STR("zone", t->subject.zone));
		word->reason = "NoHistory";
	} else {
		make(f, pass, w, &word->forecast);
		score(w);
		take_scores(&w->scores, word);
		measure(t, &w->scores, word);
		word->reason = word->forecast.n ? "Trained" : "TooLittleHistory";
		w->store = word->forecast.n && !is_kept(&w->past, word->forecast.issued_ms) ? &word->forecast : NULL;
		if (db_call(f->cfg.db, &(struct db_work){ "forecast-write", run_write, w, NULL, PATIENCE_MS }, &err))
			log_warn("a forecast was not kept", LOG_ERR(&err), LOG_STR("zone", t->subject.zone));
	}
	(void)pthread_mutex_lock(&f->mutex);
	e->word = *word;
	(void)pthread_mutex_unlock(&f->mutex);
	for (size_t i = 0; i < t->regions.len && !is_stopping(f); i++)
		f->cfg.changed(f->cfg.arg, t->regions.ptr[i]);
	forecast_past_release(&w->past);
	free(w);
	free(word);
}

/* ---- the thread ---- */

/* Real ms until the next one is due; 0 when there is none at all. */
static int64_t next_due_ms(const struct forecaster *f)
{
	int64_t next_ms = f->entries.len ? INT64_MAX : TIME_NONE;

	for (size_t i = 0; i < f->entries.len; i++)
		next_ms = MIN(next_ms, f->entries.ptr[i]->next_ms);
	return next_ms == TIME_NONE ? 0 : clock_real_until_ms(&f->cfg.clock, next_ms);
}

static void run_pass(struct forecaster *f)
{
	struct pass pass = { 0 };

	arena_init(&pass.arena, 64 * 1024, ARENA_MAX);
	gather(f, &pass);
	for (size_t i = 0; i < f->entries.len; i++)
		f->entries.ptr[i]->wanted = false;
	for (size_t i = 0; i < pass.targets.len && !is_stopping(f); i++) {
		struct entry *e = entry_of(f, &pass.targets.ptr[i].subject);

		if (!e)
			break;
		e->wanted = true;
		if (e->next_ms != TIME_NONE && clock_now_ms(&f->cfg.clock) < e->next_ms)
			continue;
		forecast_one(f, &pass, &pass.targets.ptr[i], e);
	}
	if (!is_stopping(f))
		drop_unwanted(f);
	pass_release(&pass);
}

static void rest(struct forecaster *f, int64_t ms)
{
	int64_t at = clock_wall_ms() + ms;
	struct timespec until = { .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 };

	MUTEX_GUARD(&f->mutex);
	while (!f->stopping && clock_wall_ms() < at)
		if (pthread_cond_timedwait(&f->cond, &f->mutex, &until))
			break;
}

static void *forecaster_main(void *arg)
{
	struct forecaster *f = arg;

	/*
	 * Everything else comes first: of this thread alone, in Linux; without it all goes on. Not the very last, since
	 * it holds a lock now and then that others wait for.
	 */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	while (!is_stopping(f)) {
		int64_t began_ms = clock_mono_ms();

		run_pass(f);
		rest(f, MAX(CLAMP(next_due_ms(f), LOOK_MIN_MS, LOOK_MAX_MS), REST * (clock_mono_ms() - began_ms)));
	}
	return NULL;
}

static int load_zones(struct forecaster *f, struct error *err)
{
	for (size_t i = 0; i < f->cfg.n_tariffs; i++) {
		struct tz *tz;

		f->tariffs[i] = f->cfg.tariffs[i];
		if (tz_load(f->tariffs[i].time_zone, &tz, err))
			return error_wrap(err, "grid.tariffs[%zu].timeZone", i);
		f->tariffs[i].rule.zone = f->zones[i] = tz;
	}
	return 0;
}

int forecaster_new(const struct forecaster_config *cfg, struct forecaster **ret, struct error *err)
{
	struct forecaster *f = xcalloc(1, sizeof(*f));

	f->cfg = *cfg;
	f->tariffs = xcalloc(cfg->n_tariffs + 1, sizeof(*f->tariffs));
	f->zones = xcalloc(cfg->n_tariffs + 1, sizeof(*f->zones));
	(void)pthread_mutex_init(&f->mutex, NULL);
	(void)pthread_cond_init(&f->cond, NULL);
	if (load_zones(f, err)) {
		forecaster_free(f);
		return -1;
	}
	*ret = f;
	return 0;
}

int forecaster_start(struct forecaster *f, struct error *err)
{
	if (pthread_create(&f->thread, NULL, forecaster_main, f))
		return error_set(err, ERR_INTERNAL, "start a thread");
	f->runs = true;
	return 0;
}

void forecaster_free(struct forecaster *f)
{
	if (!f)
		return;
	(void)pthread_mutex_lock(&f->mutex);
	f->stopping = true;
	(void)pthread_cond_broadcast(&f->cond);
	(void)pthread_mutex_unlock(&f->mutex);
	if (f->runs)
		(void)pthread_join(f->thread, NULL);
	for (size_t i = 0; i < f->entries.len; i++)
		free(f->entries.ptr[i]);
	vec_release(&f->entries);
	for (size_t i = 0; i < f->cfg.n_tariffs; i++)
		tz_free(f->zones[i]);
	free(f->zones);
	free(f->tariffs);
	(void)pthread_cond_destroy(&f->cond);
	(void)pthread_mutex_destroy(&f->mutex);
	free(f);
}

static const struct forecaster_word *word_on(const struct forecaster *f, const struct collector_pick *p,
					     struct arena *arena)
{
	struct forecast_subject s;
	struct forecaster_word *copy;
	const struct entry *e = subject_of(p, &s) ? find(f, &s) : NULL;

	if (!e || !e->word.reason)
		return NULL;
	copy = arena_new(arena, struct forecaster_word);
	*copy = e->word;
	return copy;
}

void forecaster_view(struct forecaster *f, const struct collector_view *picks, struct arena *arena,
		     struct forecaster_view *ret)
{
	MUTEX_GUARD(&f->mutex);
	*ret = (struct forecaster_view){ word_on(f, &picks->carbon, arena), word_on(f, &picks->price, arena) };
}
