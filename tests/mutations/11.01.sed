# SPDX-License-Identifier: Apache-2.0
# pkg/grid/read.c: an answer without values counts as a good one
s/return error_set(err, ERR_NOT_FOUND, "no values in the answer");/return 0;/
