-- SPDX-License-Identifier: Apache-2.0
-- How well forecasts of the last four weeks have done, by day of lead. Errors are in the unit of the metric.
CREATE TABLE forecast_score (
	region TEXT NOT NULL,                          -- name of a GridRegion
	metric TEXT NOT NULL,
	source TEXT NOT NULL,                          -- the provider, loadshift-forecast, or previous-day
	lead_day INTEGER NOT NULL,                     -- 1: the first 24 hours after the issue
	scored_ms INTEGER NOT NULL,
	n_issues INTEGER NOT NULL,
	n_values INTEGER NOT NULL,
	mean_absolute_error INTEGER NOT NULL,
	mape_permille INTEGER,                         -- NULL: all actual values are zero
	pinball INTEGER NOT NULL,                      -- mean of p10, p50 and p90
	coverage_permille INTEGER,                     -- within p10 .. p90; NULL: it says one value only
	PRIMARY KEY (region, metric, source, lead_day)
) STRICT, WITHOUT ROWID;
CREATE INDEX forecast_score_scored ON forecast_score (scored_ms);
