/* SPDX-License-Identifier: BSD-3-Clause */
/* report.h - the state of the daemon as JSON, for `npfctl` and telemetry. */
#ifndef NPF_ENGINE_REPORT_H
#define NPF_ENGINE_REPORT_H

#include "engine/engine.h"

#include <jansson.h>

/*
 * npf_report - "status", "ports", "sessions", "stats", "monitors", "dumps" or "sends".
 * Return: a new reference, or NULL: no such report, or out of memory.
 */
json_t *npf_report(const struct npf_engine *e, const char *what);

#endif
