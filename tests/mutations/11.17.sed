# SPDX-License-Identifier: Apache-2.0
# pkg/grid/schedule.c: what gave nothing is asked for again at once
/^int64_t grid_backoff_ms/,/^}/ s/^\tint64_t cap = GRID_BACKOFF_FIRST_MS;/\treturn 1;\n&/
