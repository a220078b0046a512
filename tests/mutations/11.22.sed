# SPDX-License-Identifier: Apache-2.0
# pkg/grid/read.c: a number as text is none
/^bool grid_read_number/,/^}/ s/return text ? .*/return !text \&\& json_double(value, ret);/
