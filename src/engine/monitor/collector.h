/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * collector.h - a collector sums up the meters of a monitor, one for each tap lcore and one for
 * sent packets, at the end of each interval. A worker thread hands the sums to a sink. No DPDK
 * here.
 *
 * A sink that has no room for an interval gets it together with the next ones: the sums that it
 * gets always add up to what was counted.
 */
#ifndef NPF_ENGINE_MONITOR_COLLECTOR_H
#define NPF_ENGINE_MONITOR_COLLECTOR_H

#include "engine/datapath/datapath.h"

#include <pthread.h>

/*
 * Takes an interval, or several in one (iv->covers). The worker calls it. npf_collector_stop() and
 * all other collectors wait meanwhile, so it should not wait for long.
 * @end_ns: CLOCK_REALTIME
 * Return:  false: there is no room now.
 */
typedef bool (*npf_collector_sink)(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns);

struct npf_collector_conf {
	uint64_t interval_ns; /* a multiple of NPF_METER_WINDOW_NS */
	unsigned int n_rows;
	unsigned int n_lcores;
	pthread_mutex_t *sent_lock; /* held while sent packets are counted into the last meter */
	npf_collector_sink sink;
	void *arg;
};

struct npf_collector;
struct npf_collector_worker; /* the thread that serves all collectors */

struct npf_collector_worker *npf_collector_worker_new(void);
/* All collectors have been stopped. Ends the thread. NULL is fine; returns NULL. */
struct npf_collector_worker *npf_collector_worker_free(struct npf_collector_worker *w);

/* The first interval begins now. Return: NULL: no memory. */
struct npf_collector *npf_collector_new(const struct npf_collector_conf *conf);
struct npf_collector *npf_collector_free(
	struct npf_collector *c); /* not started, or stopped again */

/* A meter for each lcore, then one for sent packets, which belongs to the holder of sent_lock.
 * Lifetime: the collector's. */
struct npf_meter *const *npf_collector_meters(struct npf_collector *c);

/*
 * npf_collector_start - add it to those that the worker serves. The first start makes the thread,
 * on the CPUs of the caller. Return: 0 or -errno.
 */
int npf_collector_start(struct npf_collector_worker *w, struct npf_collector *c);
/* On return the sink is not called any more. No lcore counts any more. */
void npf_collector_stop(struct npf_collector_worker *w, struct npf_collector *c);

/*
 * npf_collector_finish - hand the sink what was counted until now. The interval that has begun ends
 * now. The collector is stopped, and no lcore counts any more. What the sink does not take is lost.
 */
void npf_collector_finish(struct npf_collector *c);

/*
 * npf_collector_set_live - set whether lcores advance its meters. While none does (as after
 * npf_collector_new()) the worker advances them. Set it before the first lcore begins, unset it
 * after the last has stopped.
 */
void npf_collector_set_live(struct npf_collector_worker *w, struct npf_collector *c, bool live);

/* What the sink has got so far. Owns: the caller frees both arrays of n_rows tallies. */
struct npf_collector_view {
	uint64_t n_intervals;
	uint64_t last_end_ns; /* CLOCK_REALTIME; 0: none has ended */
	struct npf_wire_tally *last, *total;
};
int npf_collector_view(struct npf_collector_worker *w, const struct npf_collector *c,
	struct npf_collector_view *v);

/* Bytes of memory that it takes. */
size_t npf_collector_memory(const struct npf_collector *c);

#endif
