/* SPDX-License-Identifier: Apache-2.0 */
/* Finding what an exogenous forecast said at a given time. */
#include "forecast/series.h"

const double *forecast_exog_row(const struct forecast_exog *exog, int slot, int64_t as_of_ms)
{
	int lo = 0, hi = exog ? exog->n_vintages : 0, stop;

	/* The first vintage issued after as_of. */
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (exog->vintages[mid].issued_ms <= as_of_ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	stop = MAX(0, lo - FORECAST_VINTAGES_BACK);
	for (int i = lo - 1; i >= stop; i--) {
		const struct forecast_vintage *v = &exog->vintages[i];

		if (slot >= v->first && slot < v->first + v->n)
			return v->rows + (ptrdiff_t)(slot - v->first) * exog->n_columns;
	}
	return NULL;
}
