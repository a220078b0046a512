# SPDX-License-Identifier: Apache-2.0
# pkg/grid/answer.c: an answer for last week is taken for this one
s/^\tfor (int64_t t = ms; t < ms + duration_ms/\twhile (ms + duration_ms <= a->from_ms)\n\t\tms += 7 * DAY_MS;\n&/
