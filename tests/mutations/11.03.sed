# SPDX-License-Identifier: Apache-2.0
# pkg/grid/merge.c: what a newer answer leaves out is lost
s/missed += !past \&\&/if (!past \&\& ms < answer->start_ms + answer->n * SLOT_MS)\n\t\t\t\tt->s.value[i] = GRID_UNKNOWN;\n\t\t\tmissed += !past \&\&/
