# SPDX-License-Identifier: Apache-2.0
# pkg/grid/fuel.c: a mix with dead legs counts as whole
s/return generating >= 3 \&\& !dead;/return generating + !dead >= 0;/
