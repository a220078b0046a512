/* SPDX-License-Identifier: Apache-2.0 */
/* Boosted regression trees by histograms. */
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "forecast/trees.h"

/* A full binary tree in an array: node i has the children 2i + 1 and 2i + 2. */
struct node {
	int feature;     /* -1: a leaf */
	float threshold; /* left when x <= threshold */
	float value;
};

struct trees {
	int rounds, depth, nodes; /* nodes of one tree */
	double base;
	struct node *node; /* rounds * nodes */
};

struct cell {
	double sum;
	int n;
};

struct fit {
	const struct trees_options *o;
	int n, p;
	uint8_t *bin;               /* n * p, row after row */
	float (*upper)[TREES_BINS]; /* greatest value of each bin */
	double *gradient;           /* what is left to explain */
	int *rows, *node_of;        /* the sample, and where each of it is */
	int n_rows;
	int features[TREES_MAX_FEATURES]; /* the sample of them */
	int n_features;
	struct cell *histogram; /* [node of the level][feature][bin] */
	uint64_t random;
};

static int compare_floats(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static float at_least(float x)
{
	return isnan(x) ? -FLT_MAX : x;
}

/* Borders at equal counts over a sample of the rows. */
static void cut(struct fit *f, const float *x, int feature, float *sorted)
{
	int stride = f->n / 20000 + 1, n = 0, b = 0;

	for (int i = 0; i < f->n; i += stride)
		sorted[n++] = at_least(x[(ptrdiff_t)i * f->p + feature]);
	qsort(sorted, (size_t)n, sizeof(*sorted), compare_floats);
	for (int k = 1; k <= TREES_BINS; k++) {
		float border =
			sorted[(int64_t)n * k / TREES_BINS - (k == TREES_BINS || (int64_t)n * k / TREES_BINS > 0)];

		if (b == 0 || border > f->upper[feature][b - 1])
			f->upper[feature][b++] = border;
	}
	for (f->upper[feature][b - 1] = FLT_MAX; b < TREES_BINS; b++)
		f->upper[feature][b] = FLT_MAX;
	for (int i = 0; i < f->n; i++) {
		float value = at_least(x[(ptrdiff_t)i * f->p + feature]);
		int lo = 0, hi = TREES_BINS - 1;

		while (lo < hi) {
			int mid = (lo + hi) / 2;

			if (value <= f->upper[feature][mid])
				hi = mid;
			else
				lo = mid + 1;
		}
		f->bin[(ptrdiff_t)i * f->p + feature] = (uint8_t)lo;
	}
}

static void sample(struct fit *f)
{
	f->n_rows = 0;
	for (int i = 0; i < f->n; i++)
		if (rand_unit(&f->random) < f->o->row_share) {
			f->rows[f->n_rows] = i;
			f->node_of[f->n_rows++] = 0;
		}
	f->n_features = 0;
	for (int j = 0; j < f->p; j++)
		if (rand_unit(&f->random) < f->o->feature_share)
			f->features[f->n_features++] = j;
}

static struct cell *cells(const struct fit *f, int node, int feature)
{
	return f->histogram + ((size_t)node * (size_t)f->n_features + (size_t)feature) * TREES_BINS;
}

static void count(struct fit *f, int first_node, int width)
{
	memset(f->histogram, 0, (size_t)width * (size_t)f->n_features * TREES_BINS * sizeof(*f->histogram));
	for (int r = 0; r < f->n_rows; r++) {
		const uint8_t *bin = f->bin + (ptrdiff_t)f->rows[r] * f->p;
		double g = f->gradient[f->rows[r]];
		struct cell *c;

		if (f->node_of[r] < first_node)
			continue; /* its leaf is final */
		c = cells(f, f->node_of[r] - first_node, 0);
		for (int j = 0; j < f->n_features; j++, c += TREES_BINS) {
			struct cell *hit = &c[bin[f->features[j]]];

			hit->sum += g;
			hit->n++;
		}
	}
}

/* The best cut of one node, if any improves on it; *ret_bin is the last bin that goes left. */
static bool best_split(const struct fit *f, int node, int *ret_feature, int *ret_bin, struct cell *ret_all)
{
	struct cell all = { 0 };
	double best;
	bool found = false;

	for (int b = 0; b < TREES_BINS && f->n_features; b++) {
		all.sum += cells(f, node, 0)[b].sum;
		all.n += cells(f, node, 0)[b].n;
	}
	*ret_all = all;
	best = all.n ? all.sum * all.sum / (all.n + f->o->leaf_penalty) + 1e-9 : 0;
	for (int j = 0; j < f->n_features; j++) {
		const struct cell *c = cells(f, node, j);
		struct cell left = { 0 };

		for (int b = 0; b < TREES_BINS - 1; b++) {
			double right, gain;

			left.sum += c[b].sum;
			left.n += c[b].n;
			if (left.n < f->o->min_leaf || c[b].n == 0)
				continue;
			if (all.n - left.n < f->o->min_leaf)
				break;
			right = all.sum - left.sum;
			gain = left.sum * left.sum / (left.n + f->o->leaf_penalty) +
			       right * right / (all.n - left.n + f->o->leaf_penalty);
			if (gain > best) {
				best = gain;
				*ret_feature = f->features[j];
				*ret_bin = b;
				found = true;
			}
		}
	}
	return found;
}

static void grow(struct fit *f, struct node *tree)
{
	int depth = f->o->depth;
	int split_bin[1 << TREES_MAX_DEPTH];

	sample(f);
	for (int level = 0, first = 0, width = 1; level <= depth; level++, first += width, width *= 2) {
		count(f, first, width);
		for (int i = 0; i < width; i++) {
			struct node *node = &tree[first + i];
			struct cell all;
			int feature = -1;

			node->feature = -1;
			if (best_split(f, i, &feature, &split_bin[i], &all) && level < depth) {
				node->feature = feature;
				node->threshold = f->upper[feature][split_bin[i]];
			}
			node->value = all.n ? (float)(f->o->rate * all.sum / (all.n + f->o->leaf_penalty)) : 0;
		}
		for (int r = 0; r < f->n_rows && level < depth; r++) {
			int at = f->node_of[r];
			const struct node *node = &tree[at];

			if (at >= first && node->feature >= 0)
				f->node_of[r] =
					2 * at + 1 +
					(f->bin[(ptrdiff_t)f->rows[r] * f->p + node->feature] > split_bin[at - first]);
		}
	}
}

static double tree_value(const struct node *tree, const float *x)
{
	int at = 0;

	while (tree[at].feature >= 0)
		at = 2 * at + 1 + (at_least(x[tree[at].feature]) > tree[at].threshold);
	return (double)tree[at].value;
}

struct trees *trees_fit(const float *x, const float *y, int n, int p, const struct trees_options *options)
{
	struct fit f = { .o = options, .n = n, .p = p, .random = options->seed };
	struct trees *t = xcalloc(1, sizeof(*t));
	float *sorted = xcalloc((size_t)n, sizeof(*sorted));

	t->rounds = options->rounds;
	t->depth = options->depth;
	t->nodes = (1 << (options->depth + 1)) - 1;
	t->node = xcalloc((size_t)t->rounds * (size_t)t->nodes, sizeof(*t->node));
	f.bin = xcalloc((size_t)n * (size_t)p, 1);
	f.upper = xcalloc((size_t)p, sizeof(*f.upper));
	f.gradient = xcalloc((size_t)n, sizeof(*f.gradient));
	f.rows = xcalloc((size_t)n, sizeof(*f.rows));
	f.node_of = xcalloc((size_t)n, sizeof(*f.node_of));
	f.histogram = xcalloc(((size_t)1 << options->depth) * (size_t)p * TREES_BINS, sizeof(*f.histogram));
	for (int j = 0; j < p; j++)
		cut(&f, x, j, sorted);
	for (int i = 0; i < n; i++)
		t->base += (double)y[i] / n;
	for (int i = 0; i < n; i++)
		f.gradient[i] = (double)y[i] - t->base;
	for (int k = 0; k < t->rounds; k++) {
		struct node *tree = t->node + (ptrdiff_t)k * t->nodes;

		grow(&f, tree);
		for (int i = 0; i < n; i++)
			f.gradient[i] -= tree_value(tree, x + (ptrdiff_t)i * p);
	}
	free(sorted);
	free(f.bin);
	free(f.upper);
	free(f.gradient);
	free(f.rows);
	free(f.node_of);
	free(f.histogram);
	return t;
}

double trees_predict(const struct trees *t, const float *x)
{
	double sum = t->base;

	for (int k = 0; k < t->rounds; k++)
		sum += tree_value(t->node + (ptrdiff_t)k * t->nodes, x);
	return sum;
}

void trees_free(struct trees *t)
{
	if (!t)
		return;
	free(t->node);
	free(t);
}
