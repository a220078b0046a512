# SPDX-License-Identifier: Apache-2.0
# pkg/controller/collector_fetch.c: one bad point refuses the whole answer
s/grid_answer_accept(&f->answer, failed ? -1 : 0, &err)/grid_answer_accept(\&f->answer, failed || f->answer.dropped[GRID_DROP_TYPE] ? -1 : 0, \&err)/
