# SPDX-License-Identifier: Apache-2.0
# pkg/grid/providers/octopus_agile.c: the first page is taken for all of them
s/(void)str_copy(a->next, sizeof(a->next), str_from(url));/a->next[0] = 0;/
