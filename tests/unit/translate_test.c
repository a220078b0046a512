/* SPDX-License-Identifier: Apache-2.0 */
/* Our kinds to planner input, and the planner's answer to what is published and to where the pods may run. */
#include "decide_fixture.h"

#include "decide/translate.h"

#define NOW "2023-02-09T10:10:00Z"
#define SLOTS 8
#define X PLANNER_UNKNOWN

static struct gridregion *region(const char *name, const char *spec)
{
	struct gridregion *r = arena_new(&fixture.arena, struct gridregion);
	struct grid_source *source = arena_new(&fixture.arena, struct grid_source);
	int32_t *carbon = arena_array(&fixture.arena, SLOTS, int32_t),
		*price = arena_array(&fixture.arena, SLOTS, int32_t);

	*r = *gridregion_of(
		parsed(&gridregion_type,
		       arena_printf(&fixture.arena, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s}}", name, spec)));
	for (int i = 0; i < SLOTS; i++) {
		carbon[i] = 100000 + i;
		price[i] = 200000 + i;
	}
	*source = (struct grid_source){ .metric = "carbon", .fetched_ms = at(NOW) - HOUR_MS };
	r->forecast = (struct grid_forecast){ .start_ms = at("2023-02-09T09:30:00Z"),
					      .slot_ms = SLOT_MS,
					      .n = SLOTS,
					      .carbon_p50 = carbon,
					      .price_p50 = price };
	r->sources = source;
	r->n_sources = 1;
	r->basis = (struct grid_basis){ "average", "direct", "consumption", "regional" };
	r->currency = "GBP";
	return r;
}

static const struct node *node(const char *labels, const char *cpu, const char *spec, bool is_ready)
{
	return node_of(parsed(&node_type, arena_printf(&fixture.arena,
						       "{\"metadata\":{\"name\":\"n\",\"labels\":{%s}},\"spec\":{%s},"
						       "\"status\":{\"allocatable\":{\"cpu\":\"%s\"},\"conditions\":"
						       "[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
						       labels, spec, cpu, is_ready ? "True" : "False")));
}

static struct grid_view view;
static struct translate_config config;

static void look(const struct gridregion *const *regions, int n, const struct node *const *nodes, size_t n_nodes)
{
	config = (struct translate_config){ .max_forecast_age_ms = 2 * HOUR_MS,
					    .carbon_error_mg_per_kwh = 20000,
					    .price_error_permille = 100 };
	grid_view_init(&view, &config, at(NOW), regions, n, nodes, n_nodes, &fixture.arena);
}

#define IN_LONDON "\"loadshift.io/region\":\"london\""
#define IN_WALES "\"loadshift.io/region\":\"wales\""

/* london with 6 cores, wales with 2; by name. */
static void two_regions(struct gridregion **london, struct gridregion **wales)
{
	const struct node *nodes[] = { node(IN_LONDON, "6", "", true), node(IN_WALES, "2", "", true) };
	const struct gridregion **list = arena_array(&fixture.arena, 2, const struct gridregion *);

	list[0] = *wales = region("wales", "");
	list[1] = *london = region("london", "");
	look(list, 2, nodes, 2);
}

static struct caj_place place_of(const char *spec, const char *status, const struct job *job,
				 struct caj_refusal *refusal)
{
	struct caj_place p;

	*refusal = (struct caj_refusal){ 0 };
	caj_place(&view, caj_of("", spec, status), job, &p, refusal);
	return p;
}

static const char *home_of(const char *spec, const char *status, const struct job *job)
{
	struct caj_refusal refusal;
	struct caj_place p = place_of(spec, status, job, &refusal);

	assert_null(refusal.reason);
	return grid_view_name(&view, p.home);
}

/* "a,b": the regions that it may run in. */
static const char *places(const char *spec, const char *status, const struct job *job)
{
	struct caj_refusal refusal;
	struct caj_place p = place_of(spec, status, job, &refusal);
	const char *text = "";

	for (int i = 0; i < p.n_regions; i++)
		text = arena_printf(&fixture.arena, "%s%s%s", text, i ? "," : "", grid_view_name(&view, p.regions[i]));
	return text;
}

static const struct job *pinned_to(const char *name)
{
	return job_with(true, "",
			arena_printf(&fixture.arena,
				     ",\"template\":{\"spec\":{\"nodeSelector\":{"
				     "\"loadshift.io/region\":\"%s\"}}}",
				     name),
			"");
}

#define MAY_GO ",\"relocate\":{\"regions\":["

/* ---- the grid ---- */

static void columns_begin_with_the_present_slot(void **state)
{
	struct gridregion *london, *wales;

	(void)state;
	two_regions(&london, &wales);
	assert_int_equal(view.signals.first_slot_ms, at("2023-02-09T10:00:00Z"));
	assert_int_equal(view.signals.n_slots, SLOTS - 1);
	const struct planner_region *r = &view.signals.regions[grid_view_find(&view, "london")];
	assert_string_equal(r->name, "london");
	assert_int_equal(r->carbon_mg_per_kwh[0], 100001);
	assert_int_equal(r->carbon_mg_per_kwh[SLOTS - 2], 100007);
	assert_int_equal(r->price_micros_per_kwh[0], 200001);
	assert_null(r->renewable_permille);
	assert_int_equal(grid_view_find(&view, "atlantis"), -1);
}

static void stale_carbon_is_unknown_and_prices_keep(void **state)
{
	struct gridregion *london = region("london", ""), *cloud = region("cloud", "\"costBasis\":\"None\"");
	const struct gridregion *list[] = { london, cloud };

	(void)state;
	((struct grid_source *)london->sources)->fetched_ms = at(NOW) - 2 * HOUR_MS - 1;
	look(list, 2, NULL, 0);
	const struct planner_region *r = &view.signals.regions[grid_view_find(&view, "london")];
	assert_null(r->carbon_mg_per_kwh);
	assert_non_null(r->price_micros_per_kwh);
	assert_null(view.signals.regions[grid_view_find(&view, "cloud")].price_micros_per_kwh);
	/* Nothing to plan by in a cluster without regions. */
	look(NULL, 0, NULL, 0);
	assert_int_equal(view.signals.n_regions, 0);
	assert_int_equal(view.mean, -1);
}

static void the_mean_is_weighted_by_what_is_allocatable(void **state)
{
	struct gridregion *london = region("london", ""), *wales = region("wales", "");
	const struct gridregion *list[] = { london, wales };
	const struct node *nodes[] = { node(IN_LONDON, "6", "", true), node(IN_WALES, "2", "", true),
				       node(IN_WALES, "64", "\"unschedulable\":true", true),
				       node(IN_WALES, "64", "", false), node("", "64", "", true) };

	(void)state;
	((int32_t *)wales->forecast.carbon_p50)[1] = 300001;
	((int32_t *)wales->forecast.carbon_p50)[2] = X;
	look(list, 2, nodes, ARRAY_LEN(nodes));
	const struct planner_region *mean = &view.signals.regions[grid_view_find(&view, HOME_MEAN)];
	/* 3/4 * 100 001 + 1/4 * 300 001; and unknown where one of them is */
	assert_int_equal(mean->carbon_mg_per_kwh[0], 150001);
	assert_int_equal(mean->carbon_mg_per_kwh[1], X);
	/* Two ways to count carbon have no mean. */
	(void)str_copy(wales->basis.scope, sizeof(wales->basis.scope), STR("lifecycle"));
	look(list, 2, nodes, ARRAY_LEN(nodes));
	assert_int_equal(view.mean, -1);
}

/* ---- where a job may run ---- */

static void home_is_the_first_that_is_said(void **state)
{
	struct gridregion *london, *wales;

	(void)state;
	two_regions(&london, &wales);
	assert_string_equal(home_of("", "{}", NULL), HOME_MEAN);
	config.default_region = "wales";
	assert_string_equal(home_of("", "{}", NULL), "wales");
	assert_string_equal(home_of("", "{}", pinned_to("london")), "london");
	assert_string_equal(home_of(",\"homeRegion\":\"wales\"", "{}", pinned_to("london")), "wales");
	assert_string_equal(home_of(",\"homeRegion\":\"wales\"", "{\"home\":\"london\"}", NULL), "london");
}

static void it_stays_at_home_unless_it_may_move(void **state)
{
	struct gridregion *london, *wales;

	(void)state;
	two_regions(&london, &wales);
	assert_string_equal(places(",\"homeRegion\":\"london\"", "{}", NULL), "london");
	assert_string_equal(
		places(",\"homeRegion\":\"london\",\"relocate\":{\"regions\":[\"wales\",\"london\"]}", "{}", NULL),
		"london,wales");
	assert_string_equal(places(",\"relocate\":{\"regions\":[\"wales\"]}", "{}", NULL), HOME_MEAN ",wales");
}

/* terms: of a required node affinity; "" = none. */
static const struct job *bound_to(const char *terms, const char *selector)
{
	return job_with(
		true, "",
		arena_printf(&fixture.arena,
			     ",\"template\":{\"spec\":{\"nodeSelector\":{%s},\"affinity\":{\"nodeAffinity\":{"
			     "\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[%s]}}}}}",
			     selector, terms),
		"");
}

#define IN(key, values) "{\"key\":\"" key "\",\"operator\":\"In\",\"values\":[" values "]}"
#define TERM(expressions) "{\"matchExpressions\":[" expressions "]}"
#define REGION_IN(values) TERM(IN("loadshift.io/region", values))
#define ZONE_IN(values) TERM(IN("topology.kubernetes.io/region", values))

/* east, london, north and wales, all with nodes; wales has most of them, and is also called uk-west. */
static void four_regions(void)
{
	static const char *const names[] = { "wales", "north", "london", "east" };
	const struct gridregion **list = arena_array(&fixture.arena, 4, const struct gridregion *);
	const struct node **nodes = arena_array(&fixture.arena, 4, const struct node *);

	for (int i = 0; i < 4; i++) {
		list[i] = region(names[i], i == 0 ? "\"cloudRegions\":[\"uk-west\",\"uk-far\"]" : "");
		nodes[i] = node(arena_printf(&fixture.arena, "\"loadshift.io/region\":\"%s\"", names[i]),
				i == 0 ? "64" : "4", "", true);
	}
	look(list, 4, nodes, 4);
}

static void a_required_term_pins_like_a_node_selector(void **state)
{
	struct caj_refusal refusal;

	(void)state;
	four_regions();
	config.default_region = "london";
	assert_string_equal(home_of("", "{}", bound_to(REGION_IN("\"wales\""), "")), "wales");
	assert_string_equal(home_of("", "{}", bound_to(ZONE_IN("\"uk-west\""), "")), "wales");
	assert_string_equal(home_of("", "{}", bound_to("", "\"topology.kubernetes.io/region\":\"uk-west\"")), "wales");
	assert_string_equal(home_of("", "{}", bound_to(ZONE_IN("\"uk-west\",\"uk-far\""), "")), "wales");
	assert_string_equal(places(MAY_GO "\"wales\",\"east\"]}", "{}", bound_to(REGION_IN("\"wales\""), "")), "wales");
	assert_false(place_of(MAY_GO "\"wales\"]}", "{}", bound_to(REGION_IN("\"wales\""), ""), &refusal).constrained);
	/* Both expressions of a term hold, and the node selector with them. */
	assert_string_equal(places("", "{}",
				   bound_to(TERM(IN("loadshift.io/region", "\"wales\",\"east\"") "," IN(
						    "topology.kubernetes.io/region", "\"uk-west\",\"x\"")),
					    "")),
			    "wales");
	assert_string_equal(
		places("", "{}", bound_to(REGION_IN("\"wales\",\"east\""), "\"loadshift.io/region\":\"east\"")),
		"east");
}

static void several_allowed_regions_confine_the_plan(void **state)
{
	const struct job *two = bound_to(REGION_IN("\"wales\"") "," REGION_IN("\"east\",\"atlantis\""), "");

	(void)state;
	four_regions();
	/* Home is the larger one, and it stays there. */
	assert_string_equal(home_of("", "{}", two), "wales");
	assert_string_equal(places("", "{}", two), "wales");
	config.default_region = "east";
	assert_string_equal(home_of("", "{}", two), "east");
	config.default_region = "london";
	assert_string_equal(home_of("", "{}", two), "wales");
	/* What the user allows, as far as the template does. */
	assert_string_equal(places(MAY_GO "\"east\",\"north\"]}", "{}", two), "wales,east");
	assert_string_equal(places(",\"homeRegion\":\"north\"" MAY_GO "\"east\"]}", "{}", two), "east");
	/* The user names none that the template allows: it runs where it can. */
	assert_string_equal(places(",\"homeRegion\":\"north\"", "{}", two), "east,wales");
	assert_string_equal(home_of(",\"homeRegion\":\"north\"", "{}", two), "north");
}

static void terms_that_leave_a_region_open_confine_nothing(void **state)
{
	static const char *const open[] = {
		REGION_IN("\"wales\"") "," TERM("{\"key\":\"disk\",\"operator\":\"Exists\"}"),
		TERM("{\"key\":\"loadshift.io/region\",\"operator\":\"NotIn\",\"values\":[\"wales\"]}"),
		TERM("{\"key\":\"loadshift.io/region\",\"operator\":\"In\",\"values\":[7]}"),
		REGION_IN("\"wales\"") ",{}",
		REGION_IN("\"atlantis\""),
		REGION_IN(""),
	};

	(void)state;
	four_regions();
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		assert_string_equal(home_of("", "{}", bound_to(open[i], "")), HOME_MEAN);
		assert_string_equal(
			places(",\"homeRegion\":\"london\"" MAY_GO "\"east\"]}", "{}", bound_to(open[i], "")),
			"london,east");
	}
}

static void a_pinned_template_and_an_earlier_release_tie_it_down(void **state)
{
	static const char both[] = ",\"homeRegion\":\"london\",\"relocate\":{\"regions\":[\"wales\"]}";
	static const char planned_there[] = "{\"plan\":{\"segments\":[{\"region\":\"wales\",\"startTime\":"
					    "\"2023-02-09T10:00:00Z\",\"endTime\":\"2023-02-09T11:00:00Z\"}]}}";
	struct gridregion *london, *wales;
	struct caj_refusal refusal;

	(void)state;
	two_regions(&london, &wales);
	assert_string_equal(places(both, "{}", pinned_to("wales")), "wales");
	assert_false(place_of(both, "{}", pinned_to("wales"), &refusal).constrained);
	assert_string_equal(
		places(both, planned_there, job_with(true, "\"loadshift.io/regions\":\"london,wales\"", "", "")),
		"wales");
	assert_string_equal(places(both, planned_there, job_with(true, "", "", "")), "london,wales");
}

static void regions_without_nodes_are_left_out_unless_they_scale_from_zero(void **state)
{
	const struct gridregion *list[] = { region("london", ""), region("wales", ""),
					    region("cloud", "\"capacity\":\"OnDemand\"") };
	const struct node *nodes[] = { node(IN_LONDON, "6", "", true) };
	static const char all[] = ",\"homeRegion\":\"london\",\"relocate\":{\"regions\":[\"wales\",\"cloud\"]}";

	(void)state;
	look(list, 3, nodes, 1);
	assert_string_equal(places(all, "{}", NULL), "london,cloud");
	/* Nodes that tell no region: time shift at home goes on, and nothing is confined. */
	look(list, 2, NULL, 0);
	assert_string_equal(places(",\"homeRegion\":\"london\"", "{}", NULL), "london");
	struct caj_refusal refusal;
	assert_false(place_of(",\"homeRegion\":\"london\"", "{}", NULL, &refusal).constrained);
}

static void what_cannot_be_compared_is_left_out(void **state)
{
	static const char both[] = ",\"homeRegion\":\"london\",\"relocate\":{\"regions\":[\"wales\"]}";
	struct gridregion *london, *wales;
	struct caj_refusal refusal;

	(void)state;
	two_regions(&london, &wales);
	wales->place_shift_disabled = true;
	assert_string_equal(places(both, "{}", NULL), "london");
	assert_non_null(place_of(both, "{}", NULL, &refusal).shift_disabled);
	wales->place_shift_disabled = false;
	wales->currency = "EUR";
	assert_string_equal(places(both, "{}", NULL), "london");
	wales->currency = NULL;
	assert_string_equal(places(both, "{}", NULL), "london,wales");
	(void)str_copy(wales->basis.accounting, sizeof(wales->basis.accounting), STR("marginal"));
	assert_string_equal(places(both, "{}", NULL), "london");
}

static void an_unknown_region_is_refused_by_its_field(void **state)
{
	struct gridregion *london, *wales;
	struct caj_refusal refusal;

	(void)state;
	two_regions(&london, &wales);
	(void)place_of(",\"homeRegion\":\"atlantis\"", "{}", NULL, &refusal);
	assert_string_equal(refusal.reason, "UnknownRegion");
	assert_non_null(strstr(refusal.message, "spec.homeRegion: there is no GridRegion \"atlantis\""));
	(void)place_of(",\"relocate\":{\"regions\":[\"wales\",\"atlantis\"]}", "{}", NULL, &refusal);
	assert_non_null(strstr(refusal.message, "spec.relocate.regions: there is no GridRegion \"atlantis\""));
}

/* ---- power ---- */

static void power_is_what_the_user_says_or_what_the_pod_asks_for(void **state)
{
	struct pod_requests four_cores = { 4000, INT64_C(8) << 30, 0 }, gpu = { 1000, 0, 2 };
	struct pod_requests hostile = { INT64_MAX, INT64_MAX, INT64_MAX };
	struct caj_spec spec = { .power_watts_per_pod = -1 };
	struct power_model profile = power_profile();

	(void)state;
	assert_int_equal(caj_pod_milliwatts(&spec, &four_cores, &profile), 40000 + 8 * 400);
	assert_int_equal(caj_pod_milliwatts(&spec, &gpu, &profile), 10000 + 2 * 300000);
	assert_int_equal(caj_pod_milliwatts(&spec, &hostile, &profile), 1000000000);
	spec.power_watts_per_pod = 0;
	assert_int_equal(caj_pod_milliwatts(&spec, &four_cores, &profile), 0);
	spec.power_watts_per_pod = 250;
	assert_int_equal(caj_pod_milliwatts(&spec, &four_cores, &profile), 250000);
}

static void a_planned_job_has_the_mean_power_of_where_it_may_run(void **state)
{
	const struct gridregion *list[] = { region("london", ""), region("wales", "") };
	struct node annotated = *node(IN_WALES, "10", "", true);
	const struct pair watts[] = { { ANNOTATION_IDLE_WATTS, "100" }, { ANNOTATION_PEAK_WATTS, "300" } };
	struct planner_job pj;
	struct caj_refusal refusal;
	struct caj_timing t;
	struct caj_place p;

	(void)state;
	annotated.obj.meta.annotations = (struct pairs){ watts, ARRAY_LEN(watts) };
	const struct node *nodes[] = { node(IN_LONDON, "10", "", true), &annotated };
	look(list, 2, nodes, 2);
	const struct job *job = job_with(true, "",
					 ",\"parallelism\":3,\"template\":{\"spec\":{\"containers\":[{\"resources\":{"
					 "\"requests\":{\"cpu\":\"2\"}}}]}}",
					 "");
	static const struct {
		const char *spec;
		int64_t watts;
	} cases[] = { { ",\"homeRegion\":\"london\"", 3 * 20 },
		      { ",\"homeRegion\":\"wales\"", 3 * 40 },
		      { ",\"homeRegion\":\"london\"" MAY_GO "\"wales\"]}", 3 * 30 },
		      { "", 3 * 30 },
		      { ",\"powerWattsPerPod\":7,\"homeRegion\":\"wales\"", 3 * 7 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct carbonawarejob *caj = caj_of("", cases[i].spec, "{}");

		caj_timing(caj, at(NOW), TIME_NONE, &t, &refusal);
		caj_place(&view, caj, job, &p, &refusal);
		caj_to_planner(&view, caj, job, &t, &p, &pj);
		assert_int_equal(pj.power_milliwatts, cases[i].watts * 1000);
	}
}

/* A release to wales, where power was reserved: after it the template looks as if it were pinned there. */
static const struct job *placed_in_wales(const char *own_term)
{
	return job_with(
		true,
		"\"loadshift.io/regions\":\"london,wales\",\"loadshift.io/placed\":\"wales loadshift.io/region -\"",
		arena_printf(&fixture.arena,
			     ",\"template\":{\"spec\":{\"affinity\":{\"nodeAffinity\":{"
			     "\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":["
			     "{\"matchExpressions\":[%s" IN("loadshift.io/region", "\"wales\"") "]}]}}}}}",
			     own_term),
		"");
}

static void what_has_begun_may_move_if_it_may_pause(void **state)
{
	static const char both[] = ",\"homeRegion\":\"london\"" MAY_GO "\"wales\"]}";
	static const char pausing[] = ",\"homeRegion\":\"london\",\"interrupt\":{}" MAY_GO "\"wales\"]}";
	static const char begun[] = "{\"home\":\"london\",\"plan\":{\"segments\":[{\"region\":\"wales\",\"startTime\":"
				    "\"2023-02-09T04:00:00Z\",\"endTime\":\"2023-02-09T06:00:00Z\"}]},\"progress\":{"
				    "\"region\":\"wales\",\"workSeconds\":60%s}}";
	const char *free = arena_printf(&fixture.arena, begun, "");
	const char *held = arena_printf(&fixture.arena, begun, ",\"inPlace\":true");
	struct gridregion *london, *wales;
	struct caj_placed placed;

	(void)state;
	two_regions(&london, &wales);
	assert_true(caj_placed_of(placed_in_wales(""), &placed));
	assert_string_equal(placed.region, "wales");
	assert_string_equal(placed.required, "loadshift.io/region");
	assert_string_equal(placed.preferred, "");
	assert_false(caj_placed_of(job_with(true, "\"loadshift.io/placed\":\"wales\"", "", ""), &placed));
	assert_string_equal(places(pausing, free, placed_in_wales("")), "london,wales");
	assert_string_equal(places(pausing, held, placed_in_wales("")), "wales");
	assert_string_equal(places(both, free, placed_in_wales("")), "wales");
	/* The user's own expression still counts. */
	assert_string_equal(places(pausing, free, placed_in_wales(IN("loadshift.io/region", "\"wales\",\"east\"") ",")),
			    "wales");
	/* Where it has run it may go on, also when the user has taken back that region. */
	assert_string_equal(places(",\"homeRegion\":\"london\",\"interrupt\":{}", free, placed_in_wales("")),
			    "london,wales");
}

static void pods_at_once_are_the_smaller_of_parallelism_and_completions(void **state)
{
	(void)state;
	assert_int_equal(caj_pods(job_with(true, "", "", "")), 1);
	assert_int_equal(caj_pods(job_with(true, "", ",\"parallelism\":0", "")), 1);
	assert_int_equal(caj_pods(job_with(true, "", ",\"parallelism\":8", "")), 8);
	assert_int_equal(caj_pods(job_with(true, "", ",\"parallelism\":8,\"completions\":3", "")), 3);
}

/* ---- affinity ---- */

static struct plan_affinity affinity_of(const char *spec, const char *region)
{
	const struct carbonawarejob *caj = caj_of("", spec, "{}");
	struct caj_refusal refusal = { 0 };
	struct plan_affinity a;
	struct caj_place p;

	caj_place(&view, caj, NULL, &p, &refusal);
	caj_affinity(&view, caj, &p, region ? grid_view_find(&view, region) : PLANNER_NO_REGION, &fixture.arena, &a);
	return a;
}

#define MOVABLE ",\"homeRegion\":\"london\",\"relocate\":{\"regions\":[\"wales\"]}"

static void pods_are_kept_to_the_allowed_regions(void **state)
{
	struct gridregion *london, *wales;

	(void)state;
	two_regions(&london, &wales);
	struct plan_affinity a = affinity_of(MOVABLE, "wales");
	assert_string_equal(a.regions, "london,wales");
	assert_string_equal(a.key, LABEL_REGION);
	assert_int_equal(a.n_allowed, 2);
	assert_string_equal(a.allowed[1], "wales");
	assert_int_equal(a.n_planned, 1);
	assert_string_equal(a.planned[0], "wales");
	assert_false(a.require_planned);
	/* Released without a plan: the allowed ones all the same. */
	a = affinity_of(MOVABLE, NULL);
	assert_int_equal(a.n_allowed, 2);
	assert_int_equal(a.n_planned, 0);
	/* Nobody named a place. */
	assert_null(affinity_of("", "wales").regions);
	assert_null(affinity_of(",\"relocate\":{\"regions\":[\"wales\"]}", "wales").regions);
}

static void power_and_hard_limits_need_the_planned_region(void **state)
{
	struct gridregion *london = region("london", ""), *wales = region("wales", "\"powerLimit\":{\"watts\":5000}");
	const struct gridregion *list[] = { london, wales };
	const struct node *nodes[] = { node(IN_LONDON, "6", "", true), node(IN_WALES, "2", "", true) };

	(void)state;
	look(list, 2, nodes, 2);
	assert_true(affinity_of(MOVABLE, "wales").require_planned);
	assert_false(affinity_of(MOVABLE, "london").require_planned);
	assert_true(affinity_of(MOVABLE ",\"limits\":{\"minRenewablePercent\":{\"value\":50,\"enforcement\":\"Hard\"}}",
				"london")
			    .require_planned);
}

static void without_a_common_label_the_planned_region_is_all_that_can_be_asked_for(void **state)
{
	const struct gridregion *list[] = { region("london", ""), region("wales", "\"cloudRegions\":[\"uk-west\"]") };
	const struct node *nodes[] = { node(IN_LONDON, "6", "", true),
				       node("\"topology.kubernetes.io/region\":\"uk-west\"", "2", "", true) };

	(void)state;
	look(list, 2, nodes, 2);
	struct plan_affinity a = affinity_of(MOVABLE, "wales");
	assert_string_equal(a.key, LABEL_TOPOLOGY_REGION);
	assert_string_equal(a.planned[0], "uk-west");
	assert_true(a.require_planned);
	assert_null(affinity_of(MOVABLE, NULL).key);
}

static void a_region_that_scales_from_zero_is_named_as_its_nodes_will_be(void **state)
{
	const struct gridregion *list[] = { region("london",
						   "\"cloudRegions\":[\"uk-south\"],\"capacity\":\"OnDemand\""),
					    region("wales", "\"cloudRegions\":[\"uk-west\",\"uk-west-2\"],"
							    "\"capacity\":\"OnDemand\"") };

	(void)state;
	look(list, 2, NULL, 0);
	struct plan_affinity a = affinity_of(MOVABLE, "wales");
	assert_string_equal(a.key, LABEL_TOPOLOGY_REGION);
	assert_int_equal(a.n_allowed, 3);
	assert_int_equal(a.n_planned, 2);
}

/* ---- what is published ---- */

static struct plan_entry *published_after(struct plan_entry *earlier, const struct carbonawarejob *caj,
					  struct planner_result *r)
{
	struct caj_refusal refusal = { 0 };
	struct planner_job pj;
	struct caj_timing t;
	struct caj_place p;

	caj_timing(caj, at(NOW), TIME_NONE, &t, &refusal);
	caj_place(&view, caj, NULL, &p, &refusal);
	caj_to_planner(&view, caj, job_with(true, "", "", ""), &t, &p, &pj);
	struct plan_source source = { .view = &view,
				      .caj = caj,
				      .job = job_with(true, "", "", ""),
				      .timing = &t,
				      .place = &p,
				      .planner_job = &pj,
				      .result = r,
				      .basis = 1 };
	return plan_entry_new(&source, earlier, &fixture.arena);
}

static struct plan_entry *published(const struct carbonawarejob *caj, struct planner_result *r)
{
	return published_after(NULL, caj, r);
}

static struct planner_option option(const char *where, const char *start, int64_t carbon_mg)
{
	return (struct planner_option){ .region = (int16_t)grid_view_find(&view, where),
					.start_ms = at(start),
					.energy_milliwatt_hours = 1000000,
					.carbon_milligrams = carbon_mg,
					.carbon_known = true };
}

static void the_explanation_compares_with_the_frozen_baseline(void **state)
{
	struct gridregion *london, *wales;
	struct planner_result r = { .outcome = PLANNER_CHOSEN };

	(void)state;
	two_regions(&london, &wales);
	r.baseline = option("london", NOW, 213000);
	r.choice = option("wales", "2023-02-09T12:00:00Z", 12000);
	const struct carbonawarejob *caj = caj_of("",
						  MOVABLE ",\"expectedDurationSeconds\":3600,\"maxDelaySeconds\":36000,"
							  "\"powerWattsPerPod\":1000",
						  "{}");
	struct plan_entry *p = published(caj, &r);
	assert_string_equal(p->reason, "Optimised");
	assert_string_equal(p->explanation,
			    "starts 2023-02-09T12:00Z in wales: 12 g/kWh over the run instead of 213 g/kWh at "
			    "once in london");
	assert_int_equal(p->plan.segments[0].end_ms, at("2023-02-09T13:00:00Z"));
	assert_int_equal(p->baseline.expected.carbon_milligrams, 213000);
	assert_true(plan_entry_is_for(p, caj));
	/* Half an hour later the same plan stands: the same words, nothing to tell anybody. */
	struct carbonawarejob later = *caj;
	later.status.baseline = p->baseline;
	r.outcome = PLANNER_KEPT;
	r.baseline.carbon_milligrams = 150000;
	struct plan_entry *again = published(&later, &r);
	assert_true(plan_entry_equal(p, again));
	/* An annotation has no generation, and counts all the same. */
	later.run_now = true;
	assert_false(plan_entry_is_for(p, &later));
	plan_entry_unref(again);
	again = published(&later, &r);
	assert_false(plan_entry_equal(p, again));
	plan_entry_unref(again);
	plan_entry_unref(p);
}

static void what_says_the_same_is_the_same_entry(void **state)
{
	struct gridregion *london, *wales;
	struct planner_result r = { .outcome = PLANNER_CHOSEN, .n_options = 1 };

	(void)state;
	two_regions(&london, &wales);
	r.baseline = option("london", NOW, 213000);
	r.choice = r.options[0] = option("wales", "2023-02-09T12:00:00Z", 12000);
	struct carbonawarejob caj =
		*caj_of("", MOVABLE ",\"expectedDurationSeconds\":3600,\"maxDelaySeconds\":36000", "{}");
	struct plan_entry *p = published(&caj, &r);
	assert_string_equal(p->uid, caj.obj.meta.uid);
	assert_string_equal(p->options[0].region, "wales");
	struct plan_entry *again = published_after(p, &caj, &r);
	assert_ptr_equal(again, p);
	plan_entry_unref(again);
	/* Once the status has its words it has its options, too. */
	caj.status.plan_id = arena_strdup(&fixture.arena, p->plan_id);
	caj.status.explanation = arena_strdup(&fixture.arena, p->explanation);
	again = published_after(p, &caj, &r);
	assert_int_equal(again->n_options, 0);
	assert_ptr_equal(again->explanation, caj.status.explanation);
	assert_true(plan_entry_equal(p, again));
	plan_entry_unref(p);
	p = published_after(again, &caj, &r);
	assert_ptr_equal(again, p);
	plan_entry_unref(again);
	r.choice.start_ms += SLOT_MS;
	again = published_after(p, &caj, &r);
	assert_false(plan_entry_equal(p, again));
	plan_entry_unref(again);
	plan_entry_unref(p);
}

static void no_room_is_not_the_users_limit(void **state)
{
	struct gridregion *london, *wales;
	struct planner_result r = { .outcome = PLANNER_HARD_LIMIT, .choice.region = PLANNER_NO_REGION };

	(void)state;
	two_regions(&london, &wales);
	r.baseline = option("london", NOW, 213000);
	const struct carbonawarejob *caj = caj_of("",
						  MOVABLE ",\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":100,"
							  "\"enforcement\":\"Hard\"}}",
						  "{}");
	r.binding = PLANNER_BINDING_LIMIT;
	struct plan_entry *p = published(caj, &r);
	assert_false(p->no_power);
	assert_string_equal(p->reason, "HardLimitUnmet");
	assert_non_null(strstr(p->explanation, "at most 100 g/kWh"));
	assert_int_equal(p->plan.n_segments, 0);
	plan_entry_unref(p);
	r.binding = PLANNER_BINDING_POWER;
	p = published(caj, &r);
	assert_true(p->no_power);
	assert_string_equal(p->reason, "NoPower");
	plan_entry_unref(p);
}

static void the_longest_names_fit(void **state)
{
	const struct gridregion *list[CAJ_MAX_REGIONS];
	const char *names = "";
	char *value = arena_printf(&fixture.arena, "%063d", 1);

	(void)state;
	for (int i = 0; i < CAJ_MAX_REGIONS; i++) {
		const char *clouds = "";

		for (int k = 0; k < GRIDREGION_MAX_CLOUD_REGIONS; k++)
			clouds = arena_printf(&fixture.arena, "%s%s\"%s%d\"", clouds, k ? "," : "", value + 4, 100 + k);
		list[i] =
			region(arena_printf(&fixture.arena, "r%061d", i),
			       arena_printf(&fixture.arena, "\"capacity\":\"OnDemand\",\"cloudRegions\":[%s]", clouds));
		names = arena_printf(&fixture.arena, "%s%s\"%s\"", names, i ? "," : "", list[i]->obj.meta.name);
	}
	look(list, CAJ_MAX_REGIONS, NULL, 0);
	struct plan_affinity a =
		affinity_of(arena_printf(&fixture.arena, ",\"homeRegion\":\"%s\",\"relocate\":{\"regions\":[%s]}",
					 list[0]->obj.meta.name, names),
			    list[0]->obj.meta.name);
	assert_int_equal(a.n_allowed, CAJ_MAX_REGIONS * GRIDREGION_MAX_CLOUD_REGIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(columns_begin_with_the_present_slot),
		TEST(stale_carbon_is_unknown_and_prices_keep),
		TEST(the_mean_is_weighted_by_what_is_allocatable),
		TEST(home_is_the_first_that_is_said),
		TEST(it_stays_at_home_unless_it_may_move),
		TEST(a_required_term_pins_like_a_node_selector),
		TEST(several_allowed_regions_confine_the_plan),
		TEST(terms_that_leave_a_region_open_confine_nothing),
		TEST(a_pinned_template_and_an_earlier_release_tie_it_down),
		TEST(regions_without_nodes_are_left_out_unless_they_scale_from_zero),
		TEST(what_cannot_be_compared_is_left_out),
		TEST(an_unknown_region_is_refused_by_its_field),
		TEST(power_is_what_the_user_says_or_what_the_pod_asks_for),
		TEST(a_planned_job_has_the_mean_power_of_where_it_may_run),
		TEST(pods_at_once_are_the_smaller_of_parallelism_and_completions),
		TEST(pods_are_kept_to_the_allowed_regions),
		TEST(power_and_hard_limits_need_the_planned_region),
		TEST(without_a_common_label_the_planned_region_is_all_that_can_be_asked_for),
		TEST(a_region_that_scales_from_zero_is_named_as_its_nodes_will_be),
		TEST(the_explanation_compares_with_the_frozen_baseline),
		TEST(what_says_the_same_is_the_same_entry),
		TEST(no_room_is_not_the_users_limit),
		TEST(the_longest_names_fit),
		TEST(what_has_begun_may_move_if_it_may_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
