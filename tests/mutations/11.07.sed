# SPDX-License-Identifier: Apache-2.0
# pkg/grid/read.c: a missing value is 0
/^void grid_put_json/,/^}/ s/grid_answer_drop(a, GRID_DROP_MISSING);/grid_put_number(a, metric, zone, ms, duration_ms, 0, factor, kind);/
