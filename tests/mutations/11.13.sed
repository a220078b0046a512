# SPDX-License-Identifier: Apache-2.0
# pkg/grid/answer.c: points shorter than a slot are not taken
s/bool part = duration_ms > 0 \&\& duration_ms < SLOT_MS;/bool part = false;/
