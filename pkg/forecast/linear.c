/* SPDX-License-Identifier: Apache-2.0 */
/* Ridge regression by blocked normal equations. */
#include <math.h>

#include "base/alloc.h"
#include "forecast/linear.h"

/*
 * A block holds the lower triangle, row after row, of sum v v' with v = (1, x, y): the first row counts the rows, the
 * last one is the right side.
 */
#define BATCH 4

struct linear {
	int p;    /* features */
	int dim;  /* p + 2 */
	int size; /* of one triangle */
	int n_blocks;
	double *blocks;
	int *rows;
	int gathered;    /* rows in sum */
	double *pending; /* BATCH * dim: rows still to be added to pending_block */
	int n_pending, pending_block;
	double *v;     /* dim */
	double *sum;   /* size */
	double *lower; /* size: Cholesky factor */
};

struct linear *linear_new(int n_features, int n_blocks)
{
	struct linear *l = xcalloc(1, sizeof(*l));

	l->p = n_features;
	l->dim = n_features + 2;
	l->size = l->dim * (l->dim + 1) / 2;
	l->n_blocks = n_blocks;
	l->blocks = xcalloc((size_t)n_blocks * (size_t)l->size, sizeof(double));
	l->rows = xcalloc((size_t)n_blocks, sizeof(int));
	l->pending = xcalloc(BATCH * (size_t)l->dim, sizeof(double));
	l->v = xcalloc((size_t)l->dim, sizeof(double));
	l->sum = xcalloc((size_t)l->size, sizeof(double));
	l->lower = xcalloc((size_t)l->size, sizeof(double));
	return l;
}

void linear_free(struct linear *l)
{
	if (!l)
		return;
	free(l->blocks);
	free(l->rows);
	free(l->pending);
	free(l->v);
	free(l->sum);
	free(l->lower);
	free(l);
}

void linear_clear(struct linear *l)
{
	memset(l->blocks, 0, (size_t)l->n_blocks * (size_t)l->size * sizeof(double));
	memset(l->rows, 0, (size_t)l->n_blocks * sizeof(int));
	l->n_pending = 0;
}

/* Four rows at once: the triangle is read and written once for all of them. Missing ones are zero. */
static void flush(struct linear *l)
{
	const double *restrict a = l->pending, *restrict b = a + l->dim, *restrict c = b + l->dim,
			       *restrict d = c + l->dim;
	double *restrict row = l->blocks + (size_t)l->pending_block * (size_t)l->size;

	if (l->n_pending == 0)
		return;
	memset(l->pending + l->n_pending * l->dim, 0,
	       (size_t)(BATCH - l->n_pending) * (size_t)l->dim * sizeof(*l->pending));
	for (int i = 0; i < l->dim; row += ++i)
		for (int j = 0; j <= i; j++)
			row[j] += a[i] * a[j] + b[i] * b[j] + (c[i] * c[j] + d[i] * d[j]);
	l->rows[l->pending_block] += l->n_pending;
	l->n_pending = 0;
}

void linear_add(struct linear *l, int block, const double *x, double y)
{
	double *v;

	if (l->n_pending == BATCH || (l->n_pending && block != l->pending_block))
		flush(l);
	l->pending_block = block;
	v = l->pending + l->n_pending++ * l->dim;
	v[0] = 1;
	memcpy(v + 1, x, (size_t)l->p * sizeof(*v));
	v[l->p + 1] = y;
}

/* Row i of a packed lower triangle. */
static inline double *triangle(double *t, int i)
{
	return t + i * (i + 1) / 2;
}

static double dot(const double *restrict a, const double *restrict b, int n)
{
	double s[4] = { 0 };
	int i = 0;

	for (; i + 3 < n; i += 4)
		for (int k = 0; k < 4; k++)
			s[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		s[0] += a[i] * b[i];
	return s[0] + s[1] + (s[2] + s[3]);
}

/* Factors the first m rows of `sum`, `ridge` added to the diagonal but for the intercept; false when not positive
 * definite. */
static bool factor(struct linear *l, int m, double ridge)
{
	for (int i = 0; i < m; i++) {
		const double *a = triangle(l->sum, i);
		double *li = triangle(l->lower, i);

		for (int j = 0; j <= i; j++) {
			const double *lj = triangle(l->lower, j);
			double rest = a[j] + (j == i && i > 0 ? ridge : 0) - dot(li, lj, j);

			if (j < i)
				li[j] = rest / lj[j];
			else if (rest > 1e-12 * (fabs(a[i]) + 1e-12))
				li[i] = sqrt(rest);
			else
				return false;
		}
	}
	return true;
}

int linear_gather(struct linear *l, int first_block, int n_blocks)
{
	double *restrict sum = l->sum;
	int rows = 0;

	flush(l);
	memset(sum, 0, (size_t)l->size * sizeof(*sum));
	for (int b = first_block; b < MIN(first_block + n_blocks, l->n_blocks); b++) {
		const double *restrict block = l->blocks + (size_t)b * (size_t)l->size;

		if (l->rows[b] == 0)
			continue;
		for (int i = 0; i < l->size; i++)
			sum[i] += block[i];
		rows += l->rows[b];
	}
	l->gathered = rows;
	return rows;
}

bool linear_solve(struct linear *l, int n_first, double penalty, double *ret_weights)
{
	int m = n_first + 1;
	const double *right = triangle(l->sum, l->p + 1);
	double *w = l->v;

	if (l->gathered == 0 || !factor(l, m, penalty * l->gathered))
		return false;
	for (int i = 0; i < m; i++)
		w[i] = (right[i] - dot(triangle(l->lower, i), w, i)) / triangle(l->lower, i)[i];
	for (int i = m - 1; i >= 0; i--) {
		const double *row = triangle(l->lower, i);

		w[i] /= row[i];
		for (int k = 0; k < i; k++)
			w[k] -= row[k] * w[i];
	}
	memcpy(ret_weights, w + 1, (size_t)n_first * sizeof(*w));
	memset(ret_weights + n_first, 0, (size_t)(l->p - n_first) * sizeof(*w));
	ret_weights[l->p] = w[0];
	return true;
}
