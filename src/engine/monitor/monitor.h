/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.h - monitors as the engine knows them: on which port, with which filters, for whom.
 *
 * A watch is a session's (its client has asked for MONITOR mode) or stands in the configuration.
 * All belongs to the control thread, but what the monitor's worker does.
 */
#ifndef NPF_ENGINE_MONITOR_MONITOR_H
#define NPF_ENGINE_MONITOR_MONITOR_H

#include "base/error.h"
#include "engine/core/consumer.h"
#include "engine/core/engine.h"
#include "engine/core/filter_pair.h"
#include "engine/monitor/worker.h"

#include <jansson.h>

struct npf_watch {
	struct npf_watch *next;
	struct npf_engine_port *port;
	const struct npf_config_monitor *conf; /* NULL: a session's */
	struct npf_monitors *monitors;
	struct npf_monitor *monitor;
	uint64_t interval_ns;
	npf_monitor_sink sink;
	void *arg; /* the sink's; NULL: the watch */
	int file;  /* a configured one's; -1: none */
	struct npf_filter_pair filters[NPF_WIRE_MAXROWS];
	struct npf_tap_row rows[NPF_WIRE_MAXROWS]; /* the same, for plans */
	struct npf_meter_consumer meter;
	struct npf_plan_hook hook;
};

struct npf_watch_conf {
	struct npf_engine_port *port;
	uint64_t interval_ns;
	npf_monitor_sink sink;
	void *arg; /* Owns: freed with the watch. NULL: the sink gets the watch itself */
	/* Of the session whose id, feeds, direction and, without rows, filter hold; or NULL:
	 * received packets. Lifetime: the watch's */
	const struct npf_consumer *model;
};

/* Return: NULL: no memory. Then come its rows, if it has any of its own, and npf_watch_begin(). */
struct npf_watch *npf_watch_new(struct npf_engine *e, const struct npf_watch_conf *conf);
/* One more filter. Return: 0, or -errno with a text in err. */
int npf_watch_add_row(struct npf_engine *e, struct npf_watch *w, const struct npf_bpf_insn *insns,
	uint32_t n_insns, struct npf_error *err);
int npf_watch_begin(
	struct npf_watch *w); /* Return: 0 or -errno; npf_watch_end() is due either way */

/* Link it to engine and port, or take it off: the next plan has it, or no longer. NULL and one that
 * is not linked are fine. */
void npf_watch_link(struct npf_engine *e, struct npf_watch *w);
void npf_watch_unlink(struct npf_engine *e, struct npf_watch *w);

/* End the worker's calls of its sink; no plan has it. NULL is fine. */
void npf_watch_stop(struct npf_watch *w);
/* Stop and free it. NULL is fine; returns NULL. */
struct npf_watch *npf_watch_end(struct npf_watch *w);

/* Are the filters of the configuration good? No port is needed. Return: 0, or -errno with err. */
int npf_watch_check(const struct npf_config *conf, struct npf_error *err);

/* Make the standing ones, or only those on one port. Return: 0, or -errno with a text in err. */
int npf_watch_standing(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err);
/* The port, of which no plan knows any more, is removed: monitors on it tell what they have counted
 * so far, and that is their end. Return: how many standing ones there were. */
unsigned int npf_watch_leave_port(struct npf_engine *e, const struct npf_engine_port *p);
/* The same for all; no lcore counts any more. */
void npf_watch_end_all(struct npf_engine *e);

/* ---- For reports ---- */

json_t *npf_watch_report(const struct npf_engine *e); /* "monitors": the standing ones */
json_t *npf_watch_describe(const struct npf_watch *w);

#endif
