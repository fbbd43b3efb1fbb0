/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpdk_words.h - what DPDK and its drivers say while something is tried, for an error text.
 *
 * Their calls return -1 and write the reason to the log: there it stays, a copy of its first line
 * is kept here.
 */
#ifndef NPF_ENGINE_PORT_DPDK_WORDS_H
#define NPF_ENGINE_PORT_DPDK_WORDS_H

#include "base/base.h"

/* Context: the control thread; one at a time. */
void npf_dpdk_words_begin(void);
/* Return: the first line since then, "" if there was none. Lifetime: until the next begin. */
const char *npf_dpdk_words_end(void);

#endif
