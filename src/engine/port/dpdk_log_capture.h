/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpdk_log_capture.h - captures what DPDK and its drivers log during a call, for an error text.
 *
 * Their calls return -1 and write the reason to the log. The log keeps it; a copy of its first line
 * is kept here.
 */
#ifndef NPF_ENGINE_PORT_DPDK_LOG_CAPTURE_H
#define NPF_ENGINE_PORT_DPDK_LOG_CAPTURE_H

#include "base/base.h"

/* Context: the control thread; one at a time. */
void npf_dpdk_log_capture_begin(void);
/* Return: the first line since then, "" if there was none. Lifetime: until the next begin. */
const char *npf_dpdk_log_capture_end(void);

#endif
