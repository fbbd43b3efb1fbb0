/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - the daemon's log: stderr, one line a decision. Never called on the datapath.
 *
 * Under systemd (JOURNAL_STREAM is set) each line starts with its <N> priority.
 */
#ifndef NPF_BASE_LOG_H
#define NPF_BASE_LOG_H

#include "base/base.h"

enum npf_log_level {
	NPF_LOG_ERR = 3,
	NPF_LOG_WARNING = 4,
	NPF_LOG_INFO = 6,
};

void npf_log(enum npf_log_level level, const char *fmt, ...) NPF_PRINTF(2, 3);

#define npf_err(...)  npf_log(NPF_LOG_ERR, __VA_ARGS__)
#define npf_warn(...) npf_log(NPF_LOG_WARNING, __VA_ARGS__)
#define npf_info(...) npf_log(NPF_LOG_INFO, __VA_ARGS__)

#endif
