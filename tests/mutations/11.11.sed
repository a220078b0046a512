# SPDX-License-Identifier: Apache-2.0
# pkg/grid/answer.c: a flat line is believed
s/if (!flat)/if (0)/
