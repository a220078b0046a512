# SPDX-License-Identifier: Apache-2.0
# pkg/grid/providers/electricity_maps.c: another zone than was asked for is taken
s/if (!cstr_eq(zone, req->zone))/if (0)/
