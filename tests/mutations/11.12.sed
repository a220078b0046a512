# SPDX-License-Identifier: Apache-2.0
# pkg/grid/answer.c: the second of two values of one slot wins, and nobody counts
/^static void set(/,/^}/ s/if (s->value\[i\] != GRID_UNKNOWN) {/if (0) {/
