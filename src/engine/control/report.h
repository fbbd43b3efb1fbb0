/* SPDX-License-Identifier: BSD-3-Clause */
/* report.h - the state of the daemon as JSON, for `npfctl` and telemetry. */
#ifndef NPF_ENGINE_CONTROL_REPORT_H
#define NPF_ENGINE_CONTROL_REPORT_H

#include "engine/session/session.h"

#include <jansson.h>

/*
 * npf_report - "status", "ports", "sessions", "stats", "monitors", "dumps" or "sends".
 * @peer: for whom. Root and the daemon's own user see all. Others see the ports that they may use,
 *        and their own sessions and dumps; nothing of the load, nor of what the configuration
 *        monitors and sends.
 * Return: a new reference, or NULL: no such report, or out of memory.
 */
json_t *npf_report(struct npf_engine *e, const char *what, const struct npf_peer *peer);

#endif
