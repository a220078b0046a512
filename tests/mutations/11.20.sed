# SPDX-License-Identifier: Apache-2.0
# pkg/controller/collector_fetch.c: bodies of any size are taken
s/#define MAX_BODY .*/#define MAX_BODY ((size_t)1024 * 1024 * 1024)/
