/* SPDX-License-Identifier: BSD-3-Clause */
/* count.h - packets through the meters of those who monitor a port: filters and counters, no copy.
 */
#ifndef NPF_ENGINE_DATAPATH_COUNT_H
#define NPF_ENGINE_DATAPATH_COUNT_H

#include "engine/datapath/burst.h"
#include "engine/datapath/tap.h"

/*
 * npf_count - count a burst of received packets for every monitor of the queue.
 * @now_ns, @mono_ns: when the burst was taken, CLOCK_REALTIME and CLOCK_MONOTONIC
 * Context: the tap lcore; wait-free. Overwrites b->rows.
 */
void npf_count(
	const struct npf_tap_queue *q, struct npf_burst *b, uint64_t now_ns, uint64_t mono_ns);

/*
 * How far a port that waits has come with a burst: packets below n are done, and packet n for
 * sessions below `session` (0: for none).
 */
struct npf_count_place {
	unsigned int n;
	uint64_t session;
};

/*
 * npf_count_part - count what lies between two places of a burst, so that a session which changes
 * between capture and monitor has each packet in one of them.
 */
void npf_count_part(const struct npf_tap_queue *q, struct npf_burst *b, struct npf_count_place from,
	struct npf_count_place to, uint64_t now_ns, uint64_t mono_ns);

/* Time has passed, with or without packets. */
void npf_count_tick(const struct npf_tap_queue *q, uint64_t mono_ns);

/*
 * Who counts what is sent through a port, where it is sent: what it takes to show a packet
 * to a capture might fail. Made and freed by the control thread, used by whoever holds the port's
 * tx lock.
 */
struct npf_sent_meters {
	unsigned int n_meters;
	struct npf_tap_meter *meters; /* with their rows in this block */
	struct npf_burst burst;
};

/* Room for so many. NULL: no memory. */
struct npf_sent_meters *npf_sent_meters_new(
	size_t n_meters, size_t n_rows, struct npf_tap_row **rowsp);
struct npf_sent_meters *npf_sent_meters_free(struct npf_sent_meters *sm); /* NULL is fine */

/* Count mbufs that the port took. @sender: id of the session */
void npf_count_sent(
	struct npf_sent_meters *sm, struct rte_mbuf *const *mbufs, unsigned int n, uint64_t sender);

#endif
