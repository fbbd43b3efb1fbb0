/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h - monitors as the engine knows them: on which port, with which filters, for whom.
 *
 * A watch is a session's (its client has asked for MONITOR mode) or stands in the configuration.
 * All belongs to the control thread, but what the monitor's worker does.
 */
#ifndef NPF_ENGINE_MONITOR_MONITOR_H
#define NPF_ENGINE_MONITOR_MONITOR_H

#include "engine/monitor/worker.h"
#include "engine/session/session.h"

#include <jansson.h>

struct npf_watch {
	struct npf_watch *next;
	struct npf_engine_port *port;
	struct npf_session *session;           /* NULL: a standing one */
	const struct npf_config_monitor *conf; /* NULL: a session's */
	struct npf_monitor *monitor;
	uint64_t interval_ns;
	struct npf_lane *lane; /* a session's: where the worker writes */
	bool detail;           /* ... npf_wire_interval */
	int file;              /* a standing one's; -1: none */
	unsigned int n_rows;   /* filters of its own; 0: one row, the session's filter */
	struct npf_filter *filter_in[NPF_WIRE_MAXROWS], *filter_out[NPF_WIRE_MAXROWS];
};

/*
 * npf_session_set_mode - what the ring brings from now on: packets, or counts.
 * On success the session has a new buffer, and the old one is closed after its last record. Return:
 * 0, or -errno with a text in err.
 */
int npf_session_set_mode(struct npf_engine *e, struct npf_asker *asker, struct npf_session *s,
	const struct npf_wire_set_mode *req, const void *tail, struct npf_wire_error *err);

/* Put it on the engine's list, or take it off: the next plan has it, or no longer. */
void npf_watch_link(struct npf_engine *e, struct npf_watch *w);
void npf_watch_unlink(struct npf_engine *e, struct npf_watch *w);

/* No plan has it. NULL is fine. After the first, its sink is quiet; after the second it is gone. */
void npf_watch_stop(struct npf_engine *e, struct npf_watch *w);
struct npf_watch *npf_watch_end(struct npf_engine *e, struct npf_watch *w);

/* Are the filters of the configuration good? No port is needed. Return: 0, or -errno with err. */
int npf_watch_check(const struct npf_config *conf, char *err, size_t err_len);

/* Make the standing ones, or only those on one port. Return: 0, or -errno with a text in err. */
int npf_watch_standing(
	struct npf_engine *e, const struct npf_engine_port *only, char *err, size_t err_len);
/* The port, of which no plan knows any more, is removed: monitors on it tell what they have counted
 * so far, and that is their end. Return: how many standing ones there were. */
unsigned int npf_watch_leave_port(struct npf_engine *e, const struct npf_engine_port *p);
/* The same for all; no lcore counts any more. */
void npf_watch_end_all(struct npf_engine *e);

/* ---- For plans ---- */

/* Add how many meters and rows there are on a port. */
void npf_watch_needs(const struct npf_engine *e, const struct npf_engine_port *p, size_t *n_metersp,
	size_t *n_rowsp);

/*
 * npf_watch_plan - fill in the meters of one queue, which feeds that lane, or of what is sent (lane
 * p->n_taps).
 * @rowsp: moved behind what was used
 * Return: how many meters.
 */
unsigned int npf_watch_plan(const struct npf_engine *e, const struct npf_engine_port *p,
	unsigned int lane, struct npf_tap_meter *meters, struct npf_tap_row **rowsp);

/* Before new plans are published, and after. */
void npf_watch_before(struct npf_engine *e);
void npf_watch_after(struct npf_engine *e);

/* ---- For reports ---- */

json_t *npf_watch_report(const struct npf_engine *e); /* "monitors": the standing ones */
json_t *npf_watch_describe(const struct npf_watch *w);

#endif
