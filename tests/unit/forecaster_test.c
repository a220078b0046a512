/* SPDX-License-Identifier: Apache-2.0 */
/* The forecaster's thread between database and collector, and what a region's status makes of it. */
#include "db_fixture.h"

#include <math.h>
#include <stdatomic.h>

#include "api/gridregion.h"
#include "base/arena.h"
#include "controller/gridregion_controller.h"
#include "db/thread.h"
#include "grid/forecast_store.h"
#include "grid/history.h"
#include "http/client.h"

#define WAIT_MS (60 * SECOND_MS)
#define PUBLISHED 96 /* slots */

struct world {
	struct fixture *f;
	struct db_thread *db;
	struct http_loop *loop;
	struct collector *collector;
	struct store *regions;
	struct forecaster *forecaster;
	struct clock clock;
	int64_t slot_ms; /* the running one */
	atomic_int changed;
	struct arena arena;
};

static const struct collector_provider all_off[] = { { .name = "carbonintensity-gb", .disabled = true },
						     { .name = "octopus-agile", .disabled = true },
						     { 0 } };

static double carbon_at(int64_t ms)
{
	return 200000 + 60000 * sin((double)(ms % DAY_MS) * 2 * M_PI / DAY_MS) + (double)(ms / DAY_MS * 7919 % 20000);
}

static void on_changed(void *arg, const char *region)
{
	struct world *w = arg;

	assert_string_equal(region, "london");
	(void)atomic_fetch_add(&w->changed, 1);
}

static void on_grid_data(void *arg, const char *name)
{
	(void)arg, (void)name;
}

/* A region as an operator before this one left it: carbon of the last hour and, if `ahead`, of two days; no price. */
static const struct object *region(const struct world *w, bool ahead)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT((size_t)64 * 1024);
	const struct object *o = NULL;
	char slot[TIME_TEXT], before[TIME_TEXT];

	time_format(w->slot_ms, slot);
	time_format(w->slot_ms - HOUR_MS, before);
	(void)buf_addf(
		&text,
		"{\"metadata\":{\"name\":\"london\",\"uid\":\"u\",\"resourceVersion\":\"1\"},\"spec\":{\"carbon\":"
		"{\"chain\":[{\"provider\":\"carbonintensity-gb\",\"zone\":\"13\"}]},\"price\":{\"chain\":["
		"{\"provider\":\"octopus-agile\",\"zone\":\"C\"}]}},\"status\":{\"basis\":{\"accounting\":"
		"\"average\",\"scope\":\"direct\",\"boundary\":\"consumption\",\"resolution\":\"regional\"},"
		"\"sources\":[{\"metric\":\"carbon\",\"provider\":\"carbonintensity-gb\",\"zone\":\"13\","
		"\"issuedTime\":\"%s\",\"fetchedTime\":\"%s\"}],\"recent\":{\"startTime\":\"%s\",\"carbon\":"
		"[210000,211000],\"kind\":[\"actual\",\"actual\"]}",
		slot, slot, before);
	if (ahead) {
		(void)buf_addf(&text,
			       ",\"forecast\":{\"startTime\":\"%s\",\"slotSeconds\":1800,\"issuedTime\":\"%s\","
			       "\"carbonP50\":[",
			       slot, slot);
		for (int i = 0; i < PUBLISHED; i++)
			(void)buf_addf(&text, "%s%d", i ? "," : "", 150000 + i % 7);
		(void)buf_adds(&text, "]}");
	} else {
		(void)buf_addf(&text, ",\"forecast\":{\"startTime\":\"%s\",\"slotSeconds\":1800}", slot);
	}
	(void)buf_adds(&text, "}}");
	OK(object_parse(&gridregion_type, buf_str(&text), &o, err));
	return o;
}

/* Not at the end of a slot: what is looked at is to be of the same one. */
static struct clock settled_clock(void)
{
	int64_t left = time_slot_ceil(clock_wall_ms(), SLOT_MS) - clock_wall_ms();
	struct timespec nap = { .tv_sec = left / SECOND_MS + 1 };

	if (left < 20 * SECOND_MS)
		(void)nanosleep(&nap, NULL);
	return (struct clock){ clock_wall_ms(), 1 };
}

static struct world *start(void **state, bool ahead)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->f = *state;
	w->clock = settled_clock();
	w->slot_ms = time_slot_floor(clock_now_ms(&w->clock), SLOT_MS);
	arena_init(&w->arena, 64 * 1024, (size_t)16 * 1024 * 1024);
	OK(db_migrate(w->f->db, NULL, err));
	OK(db_thread_new(w->f->url, &w->db, err));
	OK(http_loop_new(&w->loop, err));
	OK(collector_new(
		&(struct collector_options){
			.loop = w->loop, .clock = w->clock, .providers = all_off, .changed = on_grid_data },
		&w->collector, err));
	const struct object *o = region(w, ahead);
	const struct gridregion *r = gridregion_of(o);
	w->regions = store_new(10);
	store_put(w->regions, o, NULL, NULL);
	collector_set_regions(w->collector, &r, 1);
	object_unref(o);
	OK(forecaster_new(&(struct forecaster_config){ .clock = w->clock,
						       .db = w->db,
						       .regions = w->regions,
						       .collector = w->collector,
						       .changed = on_changed,
						       .arg = w },
			  &w->forecaster, err));
	return w;
}

static void stop(struct world *w)
{
	forecaster_free(w->forecaster);
	collector_free(w->collector);
	db_thread_free(w->db);
	http_loop_free(w->loop);
	store_free(w->regions);
	arena_release(&w->arena);
	free(w);
}

static void put_history(struct world *w, int days, const char *resolution)
{
	size_t n = (size_t)days * 48;
	_cleanup_free_ struct grid_sample *s = xcalloc(n, sizeof(*s));

	for (size_t i = 0; i < n; i++) {
		int64_t ms = w->slot_ms - (int64_t)(n - i) * SLOT_MS;

		s[i] = (struct grid_sample){ .provider = "carbonintensity-gb",
					     .zone = "13",
					     .metric = GRID_CARBON,
					     .basis = { "average", "direct", "consumption", "regional" },
					     .start_ms = ms,
					     .duration_ms = SLOT_MS,
					     .value = (int32_t)lround(carbon_at(ms)),
					     .kind = GRID_KIND_ESTIMATED,
					     .issued_ms = ms,
					     .fetched_ms = ms };
		(void)str_copy(s[i].basis.resolution, sizeof(s[i].basis.resolution), str_from(resolution));
	}
	OK(grid_history_put(w->f->db, s, n, err));
}

/* What the provider said four times a day: 7 g too much. */
static void put_published(struct world *w, int days)
{
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	int32_t values[PUBLISHED];

	OK(db_tx_begin(&tx, w->f->db, err));
	for (int k = 0; k < days * 4; k++) {
		int64_t ms = time_slot_floor(w->slot_ms, FORECAST_SCORE_EVERY_MS) - k * FORECAST_SCORE_EVERY_MS;
		const struct grid_vintage v = { .provider = "carbonintensity-gb",
						.basis = { "average", "direct", "consumption", "regional" },
						.quantile_permille = 500,
						.issued_ms = ms,
						.fetched_ms = ms,
						.start_ms = ms,
						.step_ms = SLOT_MS,
						.n = PUBLISHED,
						.value = values };

		for (int i = 0; i < PUBLISHED; i++)
			values[i] = (int32_t)lround(carbon_at(ms + i * SLOT_MS)) + 7000;
		OK(grid_history_put_vintages(w->f->db, "london", GRID_CARBON, &v, 1, err));
	}
	OK(db_tx_commit(&tx, err));
}

static void look(struct world *w, struct collector_view *view, struct forecaster_view *own)
{
	assert_true(collector_view(w->collector, "london", clock_now_ms(&w->clock), &w->arena, view));
	forecaster_view(w->forecaster, view, &w->arena, own);
}

static void wait_for_word(struct world *w, struct collector_view *view, struct forecaster_view *own)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	for (;;) {
		static const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };

		look(w, view, own);
		if (own->carbon && atomic_load(&w->changed))
			return;
		if (clock_mono_ms() > until)
			fail_msg("nothing was said of london");
		(void)nanosleep(&nap, NULL);
	}
}

static void check_columns(const struct grid_forecast *f)
{
	assert_int_equal(f->n, GRIDREGION_MAX_SLOTS);
	for (int i = 0; i < f->n; i++) {
		assert_true(f->carbon_p10[i] != GRID_UNKNOWN && f->carbon_p90[i] != GRID_UNKNOWN);
		assert_true(f->carbon_p10[i] <= f->carbon_p50[i] && f->carbon_p50[i] <= f->carbon_p90[i]);
		/* What is published stays; it was always 7 g too much. */
		if (i < PUBLISHED) {
			assert_int_equal(f->carbon_p50[i], 150000 + i % 7);
			assert_in_range(f->carbon_p10[i], f->carbon_p50[i] - 7002, f->carbon_p50[i] - 6998);
			assert_int_equal(f->carbon_p90[i], f->carbon_p50[i]);
		}
	}
	/* Behind it is ours, with the day that the history has. */
	assert_true(abs(f->carbon_p50[PUBLISHED + 30] - f->carbon_p50[PUBLISHED + 6]) > 20000 ||
		    abs(f->carbon_p50[PUBLISHED + 18] - f->carbon_p50[PUBLISHED + 42]) > 20000);
}

/* An operator that comes back takes nothing for the provider's word that was ours. */
static void check_successor(struct world *w, const struct buf *status)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT((size_t)256 * 1024);
	struct collector *next = NULL;
	struct collector_view view;
	const struct object *o = NULL;
	const struct gridregion *r;

	(void)buf_addf(
		&text,
		"{\"metadata\":{\"name\":\"london\",\"uid\":\"u\"},\"spec\":{\"carbon\":{\"chain\":[{\"provider\":"
		"\"carbonintensity-gb\",\"zone\":\"13\"}]}},\"status\":%s}",
		buf_cstr(status));
	OK(object_parse(&gridregion_type, buf_str(&text), &o, err));
	OK(collector_new(
		&(struct collector_options){
			.loop = w->loop, .clock = w->clock, .providers = all_off, .changed = on_grid_data },
		&next, err));
	r = gridregion_of(o);
	assert_int_equal(r->forecast.n, GRIDREGION_MAX_SLOTS);
	collector_set_regions(next, &r, 1);
	assert_true(collector_view(next, "london", clock_now_ms(&w->clock), &w->arena, &view));
	assert_int_equal(grid_series_horizon_ms(view.carbon.series, clock_now_ms(&w->clock)),
			 w->slot_ms + PUBLISHED * SLOT_MS);
	collector_free(next);
	object_unref(o);
}

static void check_status(struct world *w, const struct collector_view *view, const struct forecaster_view *own)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT((size_t)128 * 1024);
	const struct object *o = store_get(w->regions, "london");
	struct gridregion *s = arena_new(&w->arena, struct gridregion);

	gridregion_status(gridregion_of(o), view, own, clock_now_ms(&w->clock), &w->arena, s);
	check_columns(&s->forecast);
	assert_null(s->forecast.price_p50);
	assert_int_equal(s->n_sources, 2);
	assert_string_equal(s->sources[0].provider, "carbonintensity-gb");
	assert_string_equal(s->sources[1].provider, "loadshift-forecast");
	assert_string_equal(s->sources[1].use, "forecast");
	assert_string_equal(s->sources[1].kind, "forecast");
	assert_int_equal(s->sources[1].issued_ms, own->carbon->forecast.issued_ms);
	assert_int_equal(s->sources[1].from_ms, w->slot_ms + PUBLISHED * SLOT_MS);
	assert_int_equal(gridregion_own_from_ms(s, "carbon"), s->sources[1].from_ms);
	assert_int_equal(gridregion_own_from_ms(s, "price"), INT64_MAX);
	assert_string_equal(s->basis.resolution, "regional");
	assert_in_range(s->carbon_error_mg_per_kwh, 6998, 7002);
	s->confidence_permille = 1000;
	assert_int_equal(gridregion_carbon_error(s, 20000), s->carbon_error_mg_per_kwh);
	assert_string_equal(condition_find(&s->conditions, "OwnForecast")->reason, "NotTrainedYet"); /* the price */
	gridregion_encode_status(s, &text);
	assert_true(text.len < (size_t)64 * 1024);
	check_successor(w, &text);
	/* Without a forecaster: as it was before there was one. */
	gridregion_status(gridregion_of(o), view, NULL, clock_now_ms(&w->clock), &w->arena, s);
	assert_int_equal(s->forecast.n, PUBLISHED);
	assert_null(s->forecast.carbon_p10);
	assert_int_equal(s->n_sources, 1);
	assert_int_equal(s->carbon_error_mg_per_kwh, GRID_UNKNOWN);
	assert_null(condition_find(&s->conditions, "OwnForecast"));
	object_unref(o);
}

static void goes_on_behind_what_is_published(void **state)
{
	struct world *w = start(state, true);
	struct collector_view view;
	struct forecaster_view own;

	put_history(w, 40, "regional");
	put_published(w, 20);
	look(w, &view, &own);
	assert_null(own.carbon);
	OK(forecaster_start(w->forecaster, err));
	wait_for_word(w, &view, &own);
	assert_string_equal(own.carbon->reason, "Trained");
	assert_in_range(own.carbon->forecast.history_days, 39, 40);
	assert_null(own.price);
	check_status(w, &view, &own);
	forecaster_free(w->forecaster);
	w->forecaster = NULL;
	/* Its word is kept, once in six hours, and the provider's was scored. */
	assert_int_equal(fixture_i64(w->f->db, "SELECT count(*) FROM forecast_vintage v JOIN source s ON s.id = "
					       "v.source_id WHERE s.provider = 'loadshift-forecast'"),
			 3);
	assert_int_equal(fixture_i64(w->f->db,
				     "SELECT mean_absolute_error FROM forecast_score WHERE region = 'london' "
				     "AND metric = 'carbon' AND source = 'carbonintensity-gb' AND lead_day = 1"),
			 7000);
	assert_true(fixture_i64(w->f->db, "SELECT n_issues FROM forecast_score WHERE source = 'previous-day' AND "
					  "lead_day = 2") > 70);
	struct forecast_subject s = { .provider = &grid_carbonintensity_gb,
				      .zone = "13",
				      .metric = GRID_CARBON,
				      .basis = { "average", "direct", "consumption", "regional" } };
	struct forecast_past past;
	OK(forecast_past_read(w->f->db, &s, clock_now_ms(&w->clock), &past, err));
	assert_int_equal(past.issues[SCORED_OWN].len, 1);
	assert_int_equal(past.issues[SCORED_OWN].ptr[0].n, OWN_FORECAST_SLOTS);
	assert_memory_equal(past.issues[SCORED_OWN].ptr[0].p90, own.carbon->forecast.p90,
			    sizeof(own.carbon->forecast.p90));
	assert_int_equal(past.issues[SCORED_PUBLISHED].len, 80);
	forecast_past_release(&past);
	stop(w);
}

/* A source that tells what is and not what will be: ours is what is known ahead, with its doubt. */
static void stands_in_where_nothing_is_published(void **state)
{
	struct world *w = start(state, false);
	struct gridregion *s = arena_new(&w->arena, struct gridregion);
	const struct object *o = store_get(w->regions, "london");
	struct collector_view view;
	struct forecaster_view own;

	put_history(w, 40, "regional");
	look(w, &view, &own);
	assert_false(view.carbon.usable);
	gridregion_status(gridregion_of(o), &view, &own, clock_now_ms(&w->clock), &w->arena, s);
	assert_false(condition_is_true(&s->conditions, "Fresh"));
	assert_int_equal(s->forecast.start_ms, TIME_NONE);
	OK(forecaster_start(w->forecaster, err));
	wait_for_word(w, &view, &own);
	gridregion_status(gridregion_of(o), &view, &own, clock_now_ms(&w->clock), &w->arena, s);
	assert_int_equal(s->forecast.n, GRIDREGION_MAX_SLOTS);
	assert_int_equal(s->now.carbon_mg_per_kwh, own.carbon->forecast.p50[0]);
	assert_int_equal(s->recent.carbon[s->recent.n - 1], 211000);
	assert_string_equal(condition_find(&s->conditions, "Fresh")->reason, "OwnForecast");
	assert_true(condition_is_true(&s->conditions, "Fresh"));
	assert_string_equal(s->sources[0].use, "history only");
	assert_string_equal(s->sources[1].provider, "loadshift-forecast");
	assert_int_equal(s->confidence_permille, FORECASTER_CONFIDENCE_PERMILLE);
	assert_int_equal(gridregion_carbon_error(s, 20000), 33333);
	/* When the source falls silent, so does it. */
	gridregion_status(gridregion_of(o), &view, &own, clock_now_ms(&w->clock) + 7 * HOUR_MS, &w->arena, s);
	assert_false(condition_is_true(&s->conditions, "Fresh"));
	assert_int_equal(s->forecast.start_ms, TIME_NONE);
	object_unref(o);
	stop(w);
}

static void other_figures_are_no_history(void **state)
{
	struct world *w = start(state, true);
	struct collector_view view;
	struct forecaster_view own;
	struct gridregion *s = arena_new(&w->arena, struct gridregion);

	put_history(w, 40, "national");
	put_history(w, 9, "regional");
	OK(forecaster_start(w->forecaster, err));
	wait_for_word(w, &view, &own);
	assert_string_equal(own.carbon->reason, "TooLittleHistory");
	assert_int_equal(own.carbon->forecast.history_days, 9);
	const struct object *o = store_get(w->regions, "london");
	gridregion_status(gridregion_of(o), &view, &own, clock_now_ms(&w->clock), &w->arena, s);
	assert_int_equal(s->forecast.n, PUBLISHED);
	assert_null(s->forecast.carbon_p10);
	const struct condition *c = condition_find(&s->conditions, "OwnForecast");
	assert_string_equal(c->reason, "TooLittleHistory");
	assert_non_null(strstr(c->message, "9 days of history of carbonintensity-gb 13, 14 are needed"));
	object_unref(o);
	stop(w);
}

/* Of hourly issues about one in six hours is kept, and always the newest. */
static void other_forecasts_are_thinned_out(void **state)
{
	struct fixture *f = *state;
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	const int64_t t0 = INT64_C(1767225600000);
	struct grid_exog_past past;
	int32_t values[8];

	OK(db_migrate(f->db, NULL, err));
	OK(db_tx_begin(&tx, f->db, err));
	for (int i = 0; i < 100; i++) {
		const struct grid_vintage v = { .provider = "elexon",
						.quantile_permille = 500,
						.issued_ms = t0 + i * HOUR_MS,
						.fetched_ms = t0 + i * HOUR_MS,
						.start_ms = t0 + i * HOUR_MS,
						.step_ms = SLOT_MS,
						.n = 8,
						.value = values };

		for (int k = 0; k < 8; k++)
			values[k] = 100 * i + k;
		OK(grid_history_put_vintages(f->db, "gb", GRID_WIND, &v, 1, err));
	}
	OK(db_tx_commit(&tx, err));
	grid_exog_past_init(&past);
	OK(grid_exog_read(f->db, GRID_WIND, &grid_elexon, "GB", t0 + 97 * HOUR_MS, &past, err));
	assert_int_equal(past.n, 1);
	assert_in_range(past.columns[0].issues.len, 16, 22);
	for (size_t i = 0; i < past.columns[0].issues.len; i++) {
		const struct forecast_issue *x = &past.columns[0].issues.ptr[i];

		assert_int_equal(x->p50[3], 100 * (x->issued_ms - t0) / HOUR_MS + 3);
		assert_true(i == 0 ||
			    (x->issued_ms > x[-1].issued_ms && x->issued_ms <= x[-1].issued_ms + 6 * HOUR_MS));
	}
	assert_int_equal(past.columns[0].issues.ptr[past.columns[0].issues.len - 1].issued_ms, t0 + 97 * HOUR_MS);
	grid_exog_past_release(&past);
}

static void ends_while_it_works(void **state)
{
	struct world *w = start(state, true);

	put_history(w, 40, "regional");
	OK(forecaster_start(w->forecaster, err));
	stop(w);
}

static int global_init(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return http_client_global_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(goes_on_behind_what_is_published),
		DB_TEST(stands_in_where_nothing_is_published),
		DB_TEST(other_figures_are_no_history),
		DB_TEST(other_forecasts_are_thinned_out),
		DB_TEST(ends_while_it_works),
	};
	void *none = NULL;

	return global_init(&none) || fixture_run("forecaster", tests, ARRAY_LEN(tests));
}
