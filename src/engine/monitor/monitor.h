/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.h - monitors: which port one counts on, by which filters, and for whom.
 *
 * A monitor belongs to a session in MONITOR mode, or is one of the configuration. A collector
 * (collector.h) sums up what the lcores count for it. Context: the control thread; the collectors'
 * worker calls the sink.
 */
#ifndef NPF_ENGINE_MONITOR_MONITOR_H
#define NPF_ENGINE_MONITOR_MONITOR_H

#include "base/error.h"
#include "engine/core/core.h"
#include "engine/monitor/collector.h"

#include <jansson.h>

struct npf_monitor {
	struct npf_monitor *next;
	struct npf_engine_port *port;
	const struct npf_config_monitor *conf; /* NULL: a session's */
	struct npf_collector_worker *worker;
	struct npf_collector *collector;
	uint64_t interval_ns;
	npf_collector_sink sink;
	void *arg; /* the sink's; NULL: the monitor */
	int file;  /* a configured one's; -1: none */
	struct npf_filter_pair filters[NPF_WIRE_MAXROWS];
	struct npf_tap_row rows[NPF_WIRE_MAXROWS]; /* the same, for plans */
	struct npf_meter_consumer meter;
	struct npf_plan_hook hook;
};

struct npf_monitor_conf {
	struct npf_engine_port *port;
	uint64_t interval_ns;
	npf_collector_sink sink;
	void *arg; /* Owns: freed with the monitor. NULL: the sink gets the monitor itself */
	/* The session whose id, counters, direction and, without rows, filter hold. NULL: received
	 * packets. It outlives the monitor */
	const struct npf_consumer *model;
};

/* Return: NULL: no memory. Add its rows next, if it has any of its own, then start it. */
struct npf_monitor *npf_monitor_new(struct npf_engine *e, const struct npf_monitor_conf *conf);
/* One more filter. @requester: NULL: the daemon itself. Return: 0, or -errno with a text in err. */
int npf_monitor_add_row(struct npf_requester *requester, struct npf_monitor *m,
	const struct npf_filter_source *source, struct npf_error *err);
int npf_monitor_start(struct npf_monitor *m); /* Return: 0 or -errno; free it in both cases */

/* Add it to the lists of the engine and of its port, or remove it: the next plan has it, or no
 * longer has it. NULL and a monitor that is in no list are fine. */
void npf_monitor_link(struct npf_engine *e, struct npf_monitor *m);
void npf_monitor_unlink(struct npf_engine *e, struct npf_monitor *m);

/* On return the worker does not call its sink any more. No plan has the monitor. NULL is fine. */
void npf_monitor_stop(struct npf_monitor *m);
/* Stop and free it. NULL is fine; returns NULL. */
struct npf_monitor *npf_monitor_free(struct npf_monitor *m);

/* Check the filters of the configuration's monitors. No port is needed. Return: 0, or -errno with
 * err. */
int npf_monitors_check(const struct npf_config *conf, struct npf_error *err);

/* Start the monitors of the configuration, or only those on one port. Return: 0, or -errno with a
 * text in err. */
int npf_monitors_start_configured(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err);
/* The port is removed, and no plan has it. Its monitors report what they have counted so far, and
 * end. Return: how many monitors of the configuration have ended. */
unsigned int npf_monitors_end_port(struct npf_engine *e, const struct npf_engine_port *p);
/* The same for all; no lcore counts any more. */
void npf_monitors_end_all(struct npf_engine *e);

/* ---- For reports ---- */

json_t *npf_monitors_report(
	const struct npf_engine *e); /* "monitors": those of the configuration */
json_t *npf_monitor_describe(const struct npf_monitor *m);

#endif
