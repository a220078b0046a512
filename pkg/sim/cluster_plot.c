/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and bars as SVG. */
#include "sim/cluster_plot.h"

#include <math.h>
#include <stdbool.h>

#include "base/clock.h"

#define HEIGHT 230
#define LEFT 52
#define RIGHT 10
#define TOP 22
#define BOTTOM 26
#define MAX_NAME 16
#define PAIR_LEFT 140
#define PAIR_RIGHT 60
#define PAIR_HEIGHT 26

void plot_escape(const char *text, FILE *out)
{
	bool utf8 = str_is_utf8(str_from(text));

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '&')
			(void)fputs("&amp;", out);
		else if (*p == '<')
			(void)fputs("&lt;", out);
		else if (*p == '>')
			(void)fputs("&gt;", out);
		else if (*p == '"')
			(void)fputs("&quot;", out);
		else if (*p == '\'')
			(void)fputs("&#39;", out);
		else if (*p >= 0x80 && !utf8)
			(void)fputc('?', out);
		else if (*p >= ' ' && *p != 0x7f)
			(void)fputc(*p, out);
	}
}

char *plot_number(double value, char out[PLOT_NUMBER])
{
	double size = fabs(value);
	int places = size >= 100 || size == 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.01 ? 3 : 5;

	if (isnan(value))
		(void)snprintf(out, PLOT_NUMBER, "-");
	else
		(void)snprintf(out, PLOT_NUMBER, "%.*f", places, value);
	return out;
}

struct range {
	double min, max, step;
};

/* A round step with three to six of them in the range, which begins and ends with one and holds 0. */
static void range_close(struct range *r)
{
	double span = r->max - r->min, power, ratio;

	if (!(span > 0)) {
		r->max = r->min + 1;
		span = 1;
	}
	power = pow(10, floor(log10(span / 4)));
	ratio = span / 4 / power;
	r->step = power * (ratio > 5 ? 10 : ratio > 2 ? 5 : ratio > 1 ? 2 : 1);
	r->min = floor(r->min / r->step) * r->step;
	r->max = ceil(r->max / r->step - 1e-9) * r->step;
}

static void range_of(struct range *r, const double *a, const double *b, int n)
{
	*r = (struct range){ 0, 0, 1 };
	for (int i = 0; i < n; i++) {
		r->min = fmin(r->min, fmin(a[i], b[i]));
		r->max = fmax(r->max, fmax(a[i], b[i]));
	}
	range_close(r);
}

static void begin(FILE *out, const char *label, int height)
{
	(void)fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", PLOT_WIDTH, height);
	plot_escape(label, out);
	(void)fprintf(out, "\">\n");
}

/* Labels of a step have as many places as the step needs. */
static void tick_text(double value, double step, FILE *out)
{
	int places = (int)CLAMP(-floor(log10(step) + 1e-9), 0, 9);

	(void)fprintf(out, "%.*f", places, fabs(value) < step / 2 ? 0 : value);
}

static double y_of(const struct range *r, double value)
{
	return TOP + (HEIGHT - TOP - BOTTOM) * (r->max - value) / (r->max - r->min);
}

static void y_axis(FILE *out, const struct range *r, const char *unit)
{
	(void)fprintf(out, "<text class=\"unit\" x=\"4\" y=\"13\">");
	plot_escape(unit, out);
	(void)fprintf(out, "</text>\n");
	for (double v = r->min; v <= r->max + r->step / 2; v += r->step) {
		double y = y_of(r, v);

		(void)fprintf(out,
			      "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
			      "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
			      LEFT, PLOT_WIDTH - RIGHT, y, y, LEFT - 6, y + 4);
		tick_text(v, r->step, out);
		(void)fprintf(out, "</text>\n");
	}
}

struct span {
	int64_t start_ms, end_ms;
};

/* chars of the time from `from` on: "02-09" of a day, "07:00" of an hour, "2023-02" of a month. */
static void x_tick(FILE *out, const struct span *s, int64_t t, int from, int chars)
{
	double x = LEFT + (PLOT_WIDTH - LEFT - RIGHT) * (double)(t - s->start_ms) / (double)(s->end_ms - s->start_ms);
	char text[TIME_TEXT];

	(void)fprintf(out,
		      "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
		      "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%.*s</text>\n",
		      x, x, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 4, x, HEIGHT - 7, x > PLOT_WIDTH - 30 ? "end" : "middle",
		      chars, time_format(t, text) + from);
}

/* The first of each month, or of every second, third, ... of them, so that there are six at most. */
static void month_axis(FILE *out, const struct span *s)
{
	int months = (int)((s->end_ms - s->start_ms) / (30 * DAY_MS)), every = months / 6 + 1, y, m, d;

	time_civil_from_days(time_slot_floor(s->start_ms, DAY_MS) / DAY_MS, &y, &m, &d);
	for (int k = y * 12 + m - 1;; k++) {
		int64_t t = time_days_from_civil(k / 12, k % 12 + 1, 1) * DAY_MS;

		if (t > s->end_ms)
			return;
		if (t >= s->start_ms && k % every == 0)
			x_tick(out, s, t, 0, 7);
	}
}

static void x_axis(FILE *out, int64_t start_ms, int64_t end_ms)
{
	static const int64_t steps[] = { HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS,
					 DAY_MS,  2 * DAY_MS,  5 * DAY_MS,  10 * DAY_MS };
	const struct span s = { start_ms, end_ms };
	size_t i = 0;

	while (i < ARRAY_LEN(steps) && (end_ms - start_ms) / steps[i] > 6)
		i++;
	if (i == ARRAY_LEN(steps)) {
		month_axis(out, &s);
		return;
	}
	for (int64_t t = time_slot_ceil(start_ms, steps[i]); t <= end_ms; t += steps[i])
		x_tick(out, &s, t, steps[i] < DAY_MS ? 11 : 5, 5);
}

static void line(FILE *out, const char *class, const struct range *r, const double *y, int n)
{
	bool drawing = false;

	(void)fprintf(out, "<path class=\"line %s\" d=\"", class);
	for (int i = 0; i < n; i++) {
		double x = LEFT + (PLOT_WIDTH - LEFT - RIGHT) * (i + 0.5) / n;

		if (!isnan(y[i]))
			(void)fprintf(out, "%c%.1f %.1f", drawing ? 'L' : 'M', x, y_of(r, y[i]));
		drawing = !isnan(y[i]);
	}
	(void)fprintf(out, "\"/>\n");
}

void plot_lines(FILE *out, const char *label, const char *unit, const double *ours, const double *base, int n,
		int64_t start_ms, int64_t step_ms)
{
	struct range r;

	range_of(&r, ours, base, n);
	begin(out, label, HEIGHT);
	y_axis(out, &r, unit);
	if (n > 0) {
		x_axis(out, start_ms, start_ms + n * step_ms);
		line(out, "base", &r, base, n);
		line(out, "ours", &r, ours, n);
	}
	(void)fprintf(out, "</svg>\n");
}

static double bar_x(const struct range *r, double value)
{
	return PAIR_LEFT + (PLOT_WIDTH - PAIR_LEFT - PAIR_RIGHT) * (value - r->min) / (r->max - r->min);
}

/* Whole numbers are counts, and shown as such. */
static bool all_whole(const double *value, int n)
{
	for (int i = 0; i < n; i++)
		if (value[i] != floor(value[i]))
			return false;
	return true;
}

static void bar(FILE *out, const char *class, const struct range *r, double value, bool whole, int y)
{
	double zero = bar_x(r, 0), end = bar_x(r, value);
	char text[PLOT_NUMBER];

	if (isnan(value))
		return;
	if (whole)
		(void)snprintf(text, sizeof(text), "%.0f", value);
	else
		(void)plot_number(value, text);
	(void)fprintf(out,
		      "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"9\"/>"
		      "<text class=\"value\" x=\"%.1f\" y=\"%d\">%s</text>\n",
		      class, fmin(zero, end), y, fabs(end - zero), fmax(zero, end) + 4, y + 8, text);
}

void plot_pairs(FILE *out, const char *label, const char *unit, const char *const *names, const double *ours,
		const double *base, int n)
{
	bool whole = all_whole(ours, n) && all_whole(base, n);
	int height = TOP + n * PAIR_HEIGHT + 6;
	struct range r = { 0, 0, 0 };

	for (int i = 0; i < n; i++) {
		r.min = fmin(r.min, fmin(ours[i], base[i]));
		r.max = fmax(r.max, fmax(ours[i], base[i]));
	}
	if (!(r.max > r.min))
		r.max = r.min + 1;
	begin(out, label, height);
	(void)fprintf(out, "<text class=\"unit\" x=\"%d\" y=\"13\">", PAIR_LEFT);
	plot_escape(unit, out);
	(void)fprintf(out, "</text><line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", bar_x(&r, 0),
		      bar_x(&r, 0), TOP - 2, height - 4);
	for (int i = 0; i < n; i++) {
		int y = TOP + i * PAIR_HEIGHT;
		char name[MAX_NAME + 1];

		(void)str_copy(name, sizeof(name), str_from(names[i]));
		(void)fprintf(out, "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">", PAIR_LEFT - 8,
			      y + 14);
		plot_escape(name, out);
		(void)fprintf(out, "</text>\n");
		bar(out, "base", &r, base[i], whole, y);
		bar(out, "ours", &r, ours[i], whole, y + 10);
	}
	(void)fprintf(out, "</svg>\n");
}
