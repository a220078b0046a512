/* SPDX-License-Identifier: Apache-2.0 */
/* What jobs of the same weights pay per slot, and what one job may choose from. */
#include <math.h>

#include "planner/joint_internal.h"

/* milliwatts times milliseconds in a kilowatt-hour */
#define PER_KILOWATT_HOUR 3.6e12

/* Padding behind each region's arrays, so that loops over borders leave no rest. */
static double *region_array(const struct joint *j)
{
	return xcalloc((size_t)j->n_regions * (size_t)j->stride, sizeof(double));
}

static void class_fill(const struct joint *j, struct joint_class *c)
{
	for (int r = 0; r < j->n_regions; r++) {
		const struct planner_columns *columns = &j->round->columns[r];
		size_t base = (size_t)r * (size_t)j->stride;
		int n = j->n_slots;

		c->shut[base + (size_t)n] = n;
		for (int i = 0; i < n; i++) {
			double v = c->constant;

			for (int k = 0; k < N_SIGNALS; k++) {
				const struct column *col = &columns->signal[k];

				v += c->weight[k] * (col->end ? col->sum[i + 1] - col->sum[i] : c->fill[k]);
			}
			c->unit[base + (size_t)i] = v;
			c->sum[base + (size_t)i + 1] = c->sum[base + (size_t)i] + v;
		}
		for (int i = 0; i < n; i++)
			c->shut[base + (size_t)i] = c->needs_carbon ? columns->signal[CARBON].unknown[i] : n;
	}
}

static void class_alloc(const struct joint *j, struct joint_class *c)
{
	if (c->unit)
		return;
	c->unit = region_array(j);
	c->sum = region_array(j);
	c->priced = region_array(j);
	c->shut = xcalloc((size_t)j->n_regions * (size_t)j->stride, sizeof(int));
}

void joint_class_release(struct joint_class *c)
{
	free(c->unit);
	free(c->sum);
	free(c->priced);
	free(c->shut);
}

static void class_init(const struct joint *j, struct joint_class *c, const struct search *s)
{
	double duration_ms = (double)s->job->duration_ms;

	c->needs_carbon = s->needs_carbon;
	c->constant = s->constant;
	for (int k = 0; k < N_SIGNALS; k++) {
		bool all_known = true;

		for (int r = 0; r < j->n_regions; r++)
			all_known &= j->round->columns[r].signal[k].end > 0;
		c->weight[k] = s->k[k] * duration_ms;
		c->fill[k] = all_known ? 0 : s->fill[k];
	}
}

static bool class_equal(const struct joint_class *a, const struct joint_class *b)
{
	for (int k = 0; k < N_SIGNALS; k++) {
		/* k was divided by the duration: the last bits differ */
		if (fabs(a->weight[k] - b->weight[k]) > 1e-12 * fabs(a->weight[k]) || a->fill[k] != b->fill[k])
			return false;
	}
	return a->needs_carbon == b->needs_carbon;
}

static int class_find(struct joint *j, const struct search *s)
{
	struct joint_class c = { 0 };

	class_init(j, &c, s);
	for (int i = 0; i < j->n_classes; i++) {
		if (class_equal(&j->classes[i], &c))
			return i;
	}
	if (j->n_classes == JOINT_MAX_CLASSES)
		return JOINT_MAX_CLASSES;
	class_alloc(j, &c);
	class_fill(j, &c);
	memcpy(c.priced, c.sum, (size_t)j->n_regions * (size_t)j->stride * sizeof(double));
	j->classes[j->n_classes] = c;
	return j->n_classes++;
}

const struct joint_class *joint_class(struct joint *j, const struct joint_item *x)
{
	struct joint_class *c = &j->classes[x->class];
	struct search s;

	if (x->class < JOINT_MAX_CLASSES)
		return c;
	search_init(&s, j->round, item_job(x));
	class_alloc(j, c);
	class_init(j, c, &s);
	class_fill(j, c);
	for (size_t i = 0; i < (size_t)j->n_regions * (size_t)j->stride; i++)
		c->priced[i] = c->sum[i] + j->price_sum[JOINT_POWER][i];
	return c;
}

/* The slots from .. to - 1 that a run touches. */
static void item_window(const struct joint *j, struct joint_item *x, const struct search *s)
{
	const struct planner_job *job = item_job(x);
	int64_t slot_ms = j->signals->slot_ms, spread_ms = job->spread_ms;
	int64_t touched = (spread_ms + job->duration_ms + slot_ms - 1) / slot_ms;
	bool now_on_border = s->start_min_ms == search_border_ms(s, s->first - 1);
	int64_t last = s->last, border_ms = search_border_ms(s, s->last);

	/* a job that is never spread may count its first and last moments among the borders */
	x->first = s->first - (spread_ms == 0 && now_on_border);
	if (x->first == s->first)
		x->apart_ms[x->n_apart++] = s->start_min_ms;
	if (last >= x->first && border_ms + spread_ms > s->latest_ms) {
		x->apart_ms[x->n_apart++] = border_ms;
		last--;
	}
	if (s->latest_ms > s->start_min_ms && (spread_ms > 0 || s->latest_ms > border_ms))
		x->apart_ms[x->n_apart++] = s->latest_ms;
	x->touched = (int16_t)MIN(touched, j->n_slots + 1);
	x->last = (int32_t)MIN(last, j->n_slots - x->touched);
	x->whole = (int16_t)MIN(s->whole, j->n_slots + 1);
	x->part = s->part_ms / (double)slot_ms;
	x->start_min_ms = s->start_min_ms;
	x->latest_ms = s->latest_ms;
}

void joint_item_init(struct joint *j, struct joint_item *x, const struct joint_job *job)
{
	struct search s;
	double total;

	search_init(&s, j->round, &job->job);
	*x = (struct joint_item){ .job = job, .at = NO_SPOT, .wish = NO_SPOT, .incumbent = NO_SPOT, .next = -1 };
	x->previous = -1;
	total = (double)job->job.power_milliwatts * (double)job->job.duration_ms / PER_KILOWATT_HOUR;
	x->energy = (double)job->job.power_milliwatts * (double)j->signals->slot_ms / PER_KILOWATT_HOUR;
	x->delay_per_slot = s.delay_per_ms * (double)j->signals->slot_ms * total;
	x->noise = s.noise * total;
	x->limited =
		job->job.max_carbon.enforcement || job->job.max_price.enforcement || job->job.min_renewable.enforcement;
	x->class = (int16_t)class_find(j, &s);
	item_window(j, x, &s);
	if (s.blind) /* nothing to compare by */
		x->first = x->last + 1, x->n_apart = 0;
}
