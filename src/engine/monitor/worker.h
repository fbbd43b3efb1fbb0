/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.h - monitors: several meters, one per tap lcore and one for what is sent, summed up at
 * the end of each interval and handed to a sink by a worker thread. No DPDK here.
 *
 * A sink that can't take an interval now gets it together with the next ones: what it is told
 * always adds up to what was counted.
 */
#ifndef NPF_ENGINE_MONITOR_WORKER_H
#define NPF_ENGINE_MONITOR_WORKER_H

#include "engine/datapath/meter.h"

#include <pthread.h>

/*
 * Takes an interval, or several in one (iv->covers). Called by the worker, for which
 * npf_monitor_stop() and the other monitors wait: it should not wait for long itself.
 * @end_ns: CLOCK_REALTIME
 * Return:  false: there is no room now.
 */
typedef bool (*npf_monitor_sink)(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns);

struct npf_monitor_conf {
	uint64_t interval_ns; /* a multiple of NPF_METER_WINDOW_NS */
	unsigned int n_rows;
	unsigned int n_lcores;
	pthread_mutex_t *sent_lock; /* held by who counts into the last meter */
	npf_monitor_sink sink;
	void *arg;
};

struct npf_monitor;
struct npf_monitors; /* all of them, and their worker */

struct npf_monitors *npf_monitors_new(void);
/* Every monitor was stopped. Ends the worker. NULL is fine; returns NULL. */
struct npf_monitors *npf_monitors_free(struct npf_monitors *ms);

/* The first interval begins now. Return: NULL: no memory. */
struct npf_monitor *npf_monitor_new(const struct npf_monitor_conf *conf);
struct npf_monitor *npf_monitor_free(struct npf_monitor *m); /* not started, or stopped again */

/* A meter for each lcore, and, after those, one of sent packets, which belongs to who holds the
 * lock. Lifetime: the monitor's. */
struct npf_meter *const *npf_monitor_meters(struct npf_monitor *m);

/*
 * npf_monitor_start - let the worker look after it; the first one's start makes the thread, on the
 * CPUs of the caller. Return: 0 or -errno.
 */
int npf_monitor_start(struct npf_monitors *ms, struct npf_monitor *m);
/* On return the sink will not be called any more. Call it once no lcore counts any more. */
void npf_monitor_stop(struct npf_monitors *ms, struct npf_monitor *m);

/*
 * npf_monitor_finish - tell the sink what was counted until now, the interval that has begun
 * included: its end is now. Stopped, and no lcore counts any more. What the sink does not take is
 * lost.
 */
void npf_monitor_finish(struct npf_monitor *m);

/*
 * npf_monitor_set_live - do lcores look after its meters? While none does (as after
 * npf_monitor_new()) the worker lets time pass for them. Set before the first lcore begins, and
 * unset after the last has stopped.
 */
void npf_monitor_set_live(struct npf_monitors *ms, struct npf_monitor *m, bool live);

/* What has been told so far. The tallies are n_rows each, the caller's to free. */
struct npf_monitor_view {
	uint64_t n_intervals;
	uint64_t last_end_ns; /* CLOCK_REALTIME; 0: none has ended */
	struct npf_wire_tally *last, *total;
};
int npf_monitor_view(
	struct npf_monitors *ms, const struct npf_monitor *m, struct npf_monitor_view *v);

/* Bytes of memory that it takes. */
size_t npf_monitor_memory(const struct npf_monitor *m);

#endif
