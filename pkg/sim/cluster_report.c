/* SPDX-License-Identifier: Apache-2.0 */
/* The report page. */
#include "sim/cluster_report.h"

#include <math.h>

#include "base/alloc.h"
#include "sim/cluster_plot.h"

#define MAX_POINTS 400
#define MAX_BARS 24

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--card:#f6f7f9;--ink:#1c2430;--soft:#5b6675;--rule:#dfe3e8;"
	"--ours:#1668b8;--base:#b0752a;--bad:#b3261e;--good:#1b7340}"
	"@media(prefers-color-scheme:dark){:root{--bg:#14181d;--card:#1d232b;--ink:#e4e8ee;--soft:#9aa5b3;"
	"--rule:#333c47;--ours:#6db3f2;--base:#d9a05b;--bad:#ff8a80;--good:#7fd29b}}"
	"*{box-sizing:border-box}body{margin:0 auto;max-width:1120px;padding:20px 16px 48px;background:var(--bg);"
	"color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
	"h1{font-size:1.5rem;line-height:1.25;margin:0 0 4px}h2{font-size:1.02rem;margin:0 0 6px}"
	"p{margin:0 0 10px}.soft,figcaption,footer{color:var(--soft);font-size:.87rem}"
	".grid{display:grid;gap:14px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));margin:14px 0}"
	".tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));margin:16px 0}"
	".card{background:var(--card);border-radius:8px;padding:14px "
	"16px;margin:0;min-width:0}td.in,footer{overflow-wrap:anywhere}"
	".tile b{display:block;font-size:1.6rem;line-height:1.2;font-weight:650}.tile span{color:var(--soft);"
	"font-size:.84rem;display:block}.bad{color:var(--bad)}.good{color:var(--good)}"
	"svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font-size:12px}"
	"svg .value{font-size:10px}svg line.grid{stroke:var(--rule);stroke-width:1}"
	".all{grid-column:1/-1}.tile b.soft{font-size:1.15rem}"
	"svg .line{fill:none;stroke-width:1.4;stroke-linejoin:round}"
	".line.ours{stroke:var(--ours)}.line.base{stroke:var(--base);stroke-dasharray:4 2}"
	"rect.ours{fill:var(--ours)}rect.base{fill:var(--base)}"
	".key{display:inline-block;width:12px;height:12px;border-radius:2px;margin:0 5px 0 12px;vertical-align:-1px}"
	".key.ours{background:var(--ours);margin-left:0}.key.base{background:var(--base)}"
	"table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:4px 10px 4px 0;"
	"border-bottom:1px solid var(--rule);vertical-align:top}th{font-weight:600}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}footer{margin-top:18px}"
	"@media(max-width:560px){svg text{font-size:15px}svg .value{font-size:12px}.tile b{font-size:1.35rem}}";

static const char legend[] = "<p class=\"soft\"><span class=\"key ours\"></span>with Loadshift"
			     "<span class=\"key base\"></span>without</p>\n";

static double saved_percent(double without, double with)
{
	return without != 0 ? 100 * (without - with) / fabs(without) : NAN;
}

/* ---- figures ---- */

static void saved_tile(FILE *out, const char *what, const char *unit, bool known, double without, double with)
{
	double saved = known ? saved_percent(without, with) : NAN;
	char a[PLOT_NUMBER], b[PLOT_NUMBER];

	if (isnan(saved)) {
		(void)fprintf(out,
			      "<div class=\"card tile\"><b class=\"soft\">not available</b><span>%s</span></div>\n",
			      what);
		return;
	}
	(void)fprintf(out,
		      "<div class=\"card tile\"><b class=\"%s\">%.1f %%</b><span>%s %s than without: %s instead of "
		      "%s%s</span></div>\n",
		      saved < 0 ? "bad" : "good", fabs(saved), saved < 0 ? "more" : "less", what, plot_number(with, a),
		      plot_number(without, b), unit);
}

static double mean_wait_ms(const struct cluster_side *s)
{
	return s->completed ? s->wait_ms / (double)s->completed : 0;
}

static void tiles(const struct report *r, FILE *out)
{
	const struct cluster_totals *t = r->totals;
	const struct cluster_side *o = &t->ours, *b = &t->baseline;
	char with[TIME_TEXT], without[TIME_TEXT];
	int64_t broken = 0;

	for (int v = 0; v < CLUSTER_VIOLATIONS; v++)
		broken += t->violations[v];
	(void)fprintf(out, "<div class=\"tiles\">\n");
	saved_tile(out, "carbon", " kg", t->carbon_unknown < t->jobs, (double)b->carbon / 1e6, (double)o->carbon / 1e6);
	saved_tile(out, "cost", "", t->cost_unknown < t->jobs, (double)b->cost / 1e6, (double)o->cost / 1e6);
	(void)fprintf(out,
		      "<div class=\"card tile\"><b>%lld</b><span>of %lld jobs completed; without: %lld</span></div>\n",
		      (long long)o->completed, (long long)t->jobs, (long long)b->completed);
	(void)fprintf(out,
		      "<div class=\"card tile\"><b class=\"%s\">%lld</b><span>missed their deadline; without: "
		      "%lld</span></div>\n",
		      o->missed_deadlines > b->missed_deadlines ? "bad" : "", (long long)o->missed_deadlines,
		      (long long)b->missed_deadlines);
	(void)fprintf(out,
		      "<div class=\"card tile\"><b>%s</b><span>mean wait, lost work included; without: "
		      "%s</span></div>\n",
		      time_format_duration((int64_t)mean_wait_ms(o), with),
		      time_format_duration((int64_t)mean_wait_ms(b), without));
	(void)fprintf(out,
		      "<div class=\"card tile\"><b class=\"%s\">%lld</b><span>promises broken</span></div>\n</div>\n",
		      broken ? "bad" : "good", (long long)broken);
}

/* ---- plots ---- */

struct binned {
	int n;
	int64_t start_ms, step_ms;
	const char *point;
	double *power[SERIES_SIDES], *intensity[SERIES_SIDES]; /* kW; g/kWh, NAN where next to nothing ran */
};

/* Hours and days that are whole, so that no rhythm of the day comes out as a longer one. */
static const struct {
	int slots;
	const char *name;
} points[] = {
	{ 1, "half an hour" }, { 2, "an hour" }, { 4, "2 hours" }, { 6, "3 hours" },  { 12, "6 hours" },
	{ 24, "12 hours" },    { 48, "a day" },  { 96, "2 days" }, { 336, "a week" },
};

static void bin_side(const struct cluster_series *s, enum series_side side, int first, int per, struct binned *b)
{
	b->power[side] = xcalloc((size_t)b->n + 1, sizeof(double));
	b->intensity[side] = xcalloc((size_t)b->n + 1, sizeof(double));
	for (int i = 0; i < b->n; i++) {
		int from = MAX(first + i * per, s->first), to = MIN(first + (i + 1) * per, s->last + 1);
		double wh = 0, grams = 0;

		for (int z = 0; z < s->n_zones; z++)
			for (int k = from; k < to; k++) {
				wh += s->side[side].energy_wh[series_cell(s, z, k)];
				grams += s->side[side].carbon_g[series_cell(s, z, k)];
			}
		b->power[side][i] = to > from ? 2 * wh / (to - from) / 1000 : NAN;
		b->intensity[side][i] = wh > 1 ? 1000 * grams / wh : NAN;
	}
}

static void bin(const struct cluster_series *s, struct binned *b)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(points) && (s->last - s->first) / points[i].slots >= MAX_POINTS)
		i++;
	int per = points[i].slots;
	int64_t start_ms = time_slot_floor(s->start_ms + s->first * SLOT_MS, per * SLOT_MS);
	int first = (int)((start_ms - s->start_ms) / SLOT_MS);

	*b = (struct binned){ .start_ms = start_ms, .step_ms = per * SLOT_MS, .point = points[i].name };
	b->n = s->last < s->first ? 0 : (s->last - first) / per + 1;
	for (int side = 0; side < SERIES_SIDES; side++)
		bin_side(s, (enum series_side)side, first, per, b);
}

static void over_time(const struct report *r, FILE *out)
{
	struct binned b;

	bin(r->series, &b);
	(void)fprintf(out, "<figure class=\"card\"><h2>Power</h2>%s", legend);
	plot_lines(out, "Power over time, with and without Loadshift", "kW", b.power[SERIES_OURS],
		   b.power[SERIES_BASELINE], b.n, b.start_ms, b.step_ms);
	(void)fprintf(out,
		      "<figcaption>Above idle, of all zones together; a point is the mean of %s, times are "
		      "UTC.</figcaption></figure>\n",
		      b.point);
	(void)fprintf(out, "<figure class=\"card\"><h2>Carbon of what ran</h2>%s", legend);
	plot_lines(out, "Carbon intensity of the energy used, with and without Loadshift", "g/kWh",
		   b.intensity[SERIES_OURS], b.intensity[SERIES_BASELINE], b.n, b.start_ms, b.step_ms);
	(void)fprintf(out, "<figcaption>Grams for each kilowatt hour that was used, when and where it was "
			   "used.</figcaption></figure>\n");
	for (int side = 0; side < SERIES_SIDES; side++) {
		free(b.power[side]);
		free(b.intensity[side]);
	}
}

#define DAY_SLOTS 48

/* What time of the day work has moved to. */
static void over_the_day(const struct report *r, FILE *out)
{
	const struct cluster_series *s = r->series;
	double power[SERIES_SIDES][DAY_SLOTS] = { { 0 } };
	int days = MAX((s->last - s->first + DAY_SLOTS) / DAY_SLOTS, 1);

	for (int side = 0; side < SERIES_SIDES; side++)
		for (int k = s->first; k <= s->last; k++) {
			int64_t of_day = (s->start_ms + k * SLOT_MS) % DAY_MS / SLOT_MS;

			for (int z = 0; z < s->n_zones; z++)
				power[side][of_day] += 2 * s->side[side].energy_wh[series_cell(s, z, k)] / 1000 / days;
		}
	(void)fprintf(out, "<figure class=\"card\"><h2>The mean day</h2>%s", legend);
	plot_lines(out, "Mean power by time of day, with and without Loadshift", "kW", power[SERIES_OURS],
		   power[SERIES_BASELINE], DAY_SLOTS, 0, SLOT_MS);
	(void)fprintf(out, "<figcaption>Mean power by time of day, UTC.</figcaption></figure>\n");
}

struct zone_sum {
	const char *name;
	double ours, base; /* kg */
};

static int by_size(const void *a, const void *b)
{
	const struct zone_sum *x = a, *y = b;
	double s = fmax(fabs(x->ours), fabs(x->base)), t = fmax(fabs(y->ours), fabs(y->base));

	if (s != t)
		return s > t ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The largest first; what is beyond MAX_BARS together. */
static int zones_of(const struct report *r, struct zone_sum *z)
{
	const struct cluster_series *s = r->series;
	const struct signals *truth = cluster_grid_truth(r->config->grid);

	for (int i = 0; i < s->n_zones; i++) {
		z[i] = (struct zone_sum){ .name = truth->zones[i].name };
		for (int k = s->first; k <= s->last; k++) {
			z[i].ours += s->side[SERIES_OURS].carbon_g[series_cell(s, i, k)] / 1000;
			z[i].base += s->side[SERIES_BASELINE].carbon_g[series_cell(s, i, k)] / 1000;
		}
	}
	qsort(z, (size_t)s->n_zones, sizeof(*z), by_size);
	for (int i = MAX_BARS; i < s->n_zones; i++) {
		z[MAX_BARS - 1].ours += z[i].ours;
		z[MAX_BARS - 1].base += z[i].base;
		z[MAX_BARS - 1].name = "all others";
	}
	return MIN(s->n_zones, MAX_BARS);
}

static void by_zone(const struct report *r, FILE *out)
{
	struct zone_sum z[SIGNALS_MAX_ZONES];
	const char *names[MAX_BARS];
	double ours[MAX_BARS], base[MAX_BARS];
	int n = zones_of(r, z);

	for (int i = 0; i < n; i++) {
		names[i] = z[i].name;
		ours[i] = z[i].ours;
		base[i] = z[i].base;
	}
	(void)fprintf(out, "<figure class=\"card\"><h2>Carbon by zone</h2>%s", legend);
	plot_pairs(out, "Carbon by zone, with and without Loadshift", "kg", names, ours, base, n);
	(void)fprintf(out, "<figcaption>A zone that takes work from others has more than without, and they have less: "
			   "the sum counts.</figcaption></figure>\n");
}

static void waits(const struct report *r, FILE *out)
{
	double ours[CLUSTER_WAITS], base[CLUSTER_WAITS];

	for (int i = 0; i < CLUSTER_WAITS; i++) {
		ours[i] = (double)r->totals->ours.waits[i];
		base[i] = (double)r->totals->baseline.waits[i];
	}
	(void)fprintf(out, "<figure class=\"card\"><h2>Waits</h2>%s", legend);
	plot_pairs(out, "Jobs by waiting time, with and without Loadshift", "jobs", cluster_wait_names, ours, base,
		   CLUSTER_WAITS);
	(void)fprintf(out, "<figcaption>From arrival to end, less the job's own length.</figcaption></figure>\n");
}

/* ---- tables ---- */

static void split(const struct report *r, FILE *out)
{
	const struct cluster_totals *t = r->totals;
	const struct {
		const char *name, *means;
		const struct cluster_saving *s;
	} rows[] = {
		{ "by time", "at home, but later", &t->time },
		{ "by place", "in another zone", &t->place },
		{ "in all", "the two together", &t->split_total },
		{ "of that, not expected", "less what the plans promised: the forecast's error, lost pods, full nodes",
		  &t->forecast_error },
	};
	char a[PLOT_NUMBER], b[PLOT_NUMBER];

	(void)fprintf(out, "<section class=\"card\"><h2>Where the savings come from</h2><div class=\"wide\"><table>"
			   "<tr><th>saved</th><th class=\"n\">carbon, kg</th><th class=\"n\">cost</th></tr>\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		(void)fprintf(out,
			      "<tr><td>%s<br><span class=\"soft\">%s</span></td><td class=\"n\">%s</td>"
			      "<td class=\"n\">%s</td></tr>\n",
			      rows[i].name, rows[i].means,
			      plot_number(t->split_jobs ? (double)rows[i].s->carbon / 1e6 : NAN, a),
			      plot_number(t->split_cost_jobs ? (double)rows[i].s->cost / 1e6 : NAN, b));
	(void)fprintf(out,
		      "</table></div><p class=\"soft\">By the operator's own accounts of %lld jobs (status.savings), "
		      "each against its own run at once at home. The figures on top are measured apart, against the "
		      "whole cluster without Loadshift, whose jobs wait for room and are lost, too.</p></section>\n",
		      (long long)t->split_jobs);
}

static void fault_row(FILE *out, const char *what, int64_t times, const char *fmt, ...) printf_like(4, 5);

static void fault_row(FILE *out, const char *what, int64_t times, const char *fmt, ...)
{
	va_list args;

	(void)fprintf(out, "<tr><td>%s</td><td class=\"n\">%lld</td><td>", what, (long long)times);
	va_start(args, fmt);
	(void)vfprintf(out, fmt, args);
	va_end(args);
	(void)fprintf(out, "</td></tr>\n");
}

static void faults(const struct report *r, FILE *out)
{
	const struct cluster_totals *t = r->totals;
	char a[PLOT_NUMBER], b[PLOT_NUMBER], down[TIME_TEXT];

	(void)fprintf(out, "<section class=\"card\"><h2>What went wrong</h2><div class=\"wide\"><table>"
			   "<tr><th>failure</th><th class=\"n\">times</th><th>and then</th></tr>\n");
	fault_row(out, "node lost", t->faults[FAULT_NODE], "%lld pods were lost, with those evicted",
		  (long long)t->pods_lost);
	fault_row(out, "pod evicted", t->faults[FAULT_EVICT], "%s kWh ran in vain; without Loadshift %s kWh",
		  plot_number((double)t->ours.lost_energy / 1e6, a),
		  plot_number((double)t->baseline.lost_energy / 1e6, b));
	fault_row(out, "operator died", t->faults[FAULT_OPERATOR], "away for %s; %lld starts came late for it",
		  time_format_duration(t->operator_down_ms, down), (long long)t->late_outage);
	fault_row(out, "no grid data", t->faults[FAULT_PROVIDER], "for %s in all",
		  time_format_duration(t->provider_down_ms, down));
	fault_row(out, "write conflict", t->faults[FAULT_CONFLICT], "%lld writes were refused and made again",
		  (long long)t->conflicts);
	fault_row(out, "no room", t->ours.waited_for_room,
		  "jobs waited for a node; %lld so that they started late; without Loadshift %lld waited",
		  (long long)t->late_no_room, (long long)t->baseline.waited_for_room);
	fault_row(out, "job failed", t->ours.failed, "after seven lost pods; without Loadshift %lld",
		  (long long)t->baseline.failed);
	(void)fprintf(out, "</table></div></section>\n");
}

static void promises(const struct report *r, FILE *out)
{
	static const char *const words[CLUSTER_VIOLATIONS] = {
		"a second Job for one object",
		"ran twice",
		"started before that was recorded",
		"started before its earliest start",
		"started after its latest start",
		"ran outside its zones",
		"lost",
		"written without end",
	};

	(void)fprintf(out, "<section class=\"card\"><h2>Promises, watched all the time</h2><div class=\"wide\"><table>"
			   "<tr><th>no job may be</th><th class=\"n\">jobs</th></tr>\n");
	for (int v = 0; v < CLUSTER_VIOLATIONS; v++)
		(void)fprintf(out, "<tr><td>%s</td><td class=\"n %s\">%lld</td></tr>\n", words[v],
			      r->totals->violations[v] ? "bad" : "", (long long)r->totals->violations[v]);
	(void)fprintf(out, "</table></div></section>\n");
}

static void given(FILE *out, const char *what, const char *value)
{
	(void)fprintf(out, "<tr><td>%s</td><td class=\"in\">", what);
	plot_escape(value, out);
	(void)fprintf(out, "</td></tr>\n");
}

static void input(const struct report *r, FILE *out)
{
	const struct cluster_config *c = r->config;
	const struct cluster_totals *t = r->totals;
	char text[96];

	(void)fprintf(out, "<section class=\"card all\"><h2>Input</h2><div class=\"wide\"><table>\n");
	given(out, "signals", r->signals);
	given(out, "jobs", r->jobs);
	given(out, "forecast", r->forecast);
	given(out, "failures", r->failures ? r->failures : "none");
	(void)snprintf(text, sizeof(text), "%zu in %d zones", c->nodes->n, cluster_grid_truth(c->grid)->n_zones);
	given(out, "nodes", text);
	(void)snprintf(text, sizeof(text), "%d carbon, %d price, %d delay", c->weight_carbon, c->weight_cost,
		       c->weight_delay);
	given(out, "weights", text);
	(void)snprintf(text, sizeof(text), "%lld planning rounds, %.1f writes a job", (long long)t->rounds,
		       t->jobs ? (double)t->writes / (double)t->jobs : 0);
	given(out, "work of the operator", text);
	(void)fprintf(out, "</table></div></section>\n");
}

static void left_out(FILE *out, const char *what, int64_t jobs, int64_t of)
{
	if (jobs > 0)
		(void)fprintf(out, "<p>%s %lld jobs ran when no %s was recorded: the figure is without them.</p>\n",
			      jobs == of ? "All" : "Of all,", (long long)jobs, what);
}

static void footer(const struct report *r, FILE *out)
{
	const struct cluster_totals *t = r->totals;

	(void)fprintf(
		out,
		"<footer><p><b>What the figures are.</b> A simulation, by the operator's own planner and decisions; "
		"Kubernetes is modelled. Carbon is location-based, average and attributional: what the grid "
		"emitted on average for the energy that these jobs used. It is neither avoided emissions nor an "
		"offset. Energy is that of the pods, above what the nodes draw idle, lost work included.</p>\n");
	left_out(out, "carbon", t->carbon_unknown, t->jobs);
	left_out(out, "price", t->cost_unknown, t->jobs);
	(void)fprintf(out, "<p>Grid data: ");
	if (r->attribution) {
		plot_escape(r->attribution, out);
	} else {
		(void)fprintf(out, "as in ");
		plot_escape(r->signals, out);
		(void)fprintf(out, "; the licence and attribution of whoever published them go with these figures");
	}
	(void)fprintf(out, ".</p></footer>\n");
}

void report_write(const struct report *r, FILE *out)
{
	const struct cluster_totals *t = r->totals;
	char from[TIME_TEXT], to[TIME_TEXT];

	(void)fprintf(out,
		      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
		      "<title>Simulated cluster</title><style>%s</style></head><body>\n",
		      style);
	(void)fprintf(
		out,
		"<h1>A simulated cluster, with and without Loadshift</h1>"
		"<p class=\"soft\">%lld jobs, %.10s to %.10s. Without Loadshift is the baseline: each job starts as "
		"soon as it may, in its home zone, on the same nodes with the same failures.</p>\n",
		(long long)t->jobs, time_format(t->first_ms, from), time_format(t->last_ms, to));
	tiles(r, out);
	(void)fprintf(out, "<div class=\"grid\">\n");
	over_time(r, out);
	over_the_day(r, out);
	waits(r, out);
	by_zone(r, out);
	split(r, out);
	faults(r, out);
	promises(r, out);
	input(r, out);
	(void)fprintf(out, "</div>\n");
	footer(r, out);
	(void)fprintf(out, "</body></html>\n");
}
