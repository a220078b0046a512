/* SPDX-License-Identifier: Apache-2.0 */
/* Convex combinations of forecasts. */
#include <math.h>

#include "forecast/stack.h"

#define MAX_STEPS 2000

struct problem {
	int m;
	double g[STACK_MAX_MEMBERS][STACK_MAX_MEMBERS]; /* minimise w' g w */
};

static void set_up(struct problem *p, const double *errors, int n, int m, double shrink)
{
	double trace = 0;

	p->m = m;
	for (int i = 0; i < m; i++)
		for (int j = 0; j < m; j++)
			p->g[i][j] = 0;
	for (int r = 0; r < n; r++, errors += m)
		for (int i = 0; i < m; i++)
			for (int j = 0; j <= i; j++)
				p->g[i][j] += errors[i] * errors[j];
	for (int i = 0; i < m; i++)
		trace += p->g[i][i];
	for (int i = 0; i < m; i++) {
		for (int j = 0; j < i; j++)
			p->g[j][i] = p->g[i][j];
		p->g[i][i] += shrink * trace / m + 1e-12;
	}
}

/* Moves weight from the member where it costs most to the one where it costs least; false when nothing is gained. */
static int step(const struct problem *p, double *w)
{
	double slope[STACK_MAX_MEMBERS], curve, move;
	int from = -1, to = 0;

	for (int i = 0; i < p->m; i++) {
		slope[i] = 0;
		for (int j = 0; j < p->m; j++)
			slope[i] += p->g[i][j] * w[j];
		if (slope[i] < slope[to])
			to = i;
	}
	for (int i = 0; i < p->m; i++)
		if (w[i] > 0 && (from < 0 || slope[i] > slope[from]))
			from = i;
	curve = p->g[from][from] + p->g[to][to] - 2 * p->g[from][to];
	if (from == to || curve <= 0 || slope[from] - slope[to] <= 1e-9 * fabs(slope[from]))
		return 0;
	move = fmin(w[from], (slope[from] - slope[to]) / curve);
	w[to] += move;
	w[from] = move < w[from] ? w[from] - move : 0;
	return 1;
}

void stack_weights(const double *errors, int n, int m, double shrink, double *ret_weights)
{
	struct problem p;

	set_up(&p, errors, n, m, shrink);
	for (int i = 0; i < m; i++)
		ret_weights[i] = 1.0 / m;
	for (int i = 0; i < MAX_STEPS && step(&p, ret_weights); i++)
		;
}
