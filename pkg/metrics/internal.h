/* SPDX-License-Identifier: Apache-2.0 */
/* The process's own figures. */
#ifndef METRICS_INTERNAL_H
#define METRICS_INTERNAL_H

/* Brings loadshift_build_info and the process_* families up to date. */
void metrics_update_process(void);

#endif
