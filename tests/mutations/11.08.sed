# SPDX-License-Identifier: Apache-2.0
# pkg/grid/answer.c: negative carbon stays negative
s/if (s->metric == GRID_CARBON \&\& value < 0) {/if (0) {/
