# SPDX-License-Identifier: Apache-2.0
# pkg/controller/collector_state.c: a bad answer takes away what a good one gave
s/^\t\t(void)str_copy(src->trouble, .*/\t\tif (err)\n\t\t\tgrid_track_init(src->tracks[src->metric], src->metric, src->zone);\n&/
