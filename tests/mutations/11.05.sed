# SPDX-License-Identifier: Apache-2.0
# pkg/grid/schedule.c: a bad answer is kept for a week
s/^\tif (f == GRID_BAD_ANSWER \&\& failures < 5)/\tif (f == GRID_BAD_ANSWER)\n\t\treturn 7 * DAY_MS;\n&/
