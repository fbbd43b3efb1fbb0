/* SPDX-License-Identifier: BSD-3-Clause */
/* count.h - counts packets in the meters of the monitors of a port: filters and counters, no copy.
 */
#ifndef NPF_ENGINE_DATAPATH_COUNT_H
#define NPF_ENGINE_DATAPATH_COUNT_H

#include "engine/datapath/burst.h"
#include "engine/datapath/tap.h"

/*
 * npf_count - count a burst of received packets for every monitor of the queue whose user has time
 * left.
 * @now_ns, @mono_ns: when the burst was taken, CLOCK_REALTIME and CLOCK_MONOTONIC
 * Context: the tap lcore; wait-free. Overwrites b->rows.
 */
void npf_count(const struct npf_tap_queue *q, struct npf_burst *b, struct npf_tap_turn *turn,
	uint64_t now_ns, uint64_t mono_ns);

/*
 * A position in a burst on a port that waits: packets below n are done, and packet n is done for
 * sessions below `session` (0: for none).
 */
struct npf_burst_position {
	unsigned int n;
	uint64_t session;
};

/*
 * npf_count_range - count the packets between two positions of a burst, of a port that waits:
 * whatever time that takes. A session that changes
 * between capture and monitor has each packet in exactly one of them.
 */
void npf_count_range(const struct npf_tap_queue *q, struct npf_burst *b,
	struct npf_burst_position from, struct npf_burst_position to, uint64_t now_ns,
	uint64_t mono_ns);

/* Time has passed, with or without packets. */
void npf_count_tick(const struct npf_tap_queue *q, uint64_t mono_ns);

/*
 * The meters that count what is sent through a port. They count where it is sent, since the copy of
 * a packet for captures may fail. The control thread makes and frees them; the holder of the port's
 * tx lock uses them.
 */
struct npf_sent_meters {
	unsigned int n_meters;
	struct npf_tap_meter *meters; /* with their rows in this block */
	struct npf_burst burst;
};

/* Allocate room for so many. Return: NULL: no memory. */
struct npf_sent_meters *npf_sent_meters_new(
	size_t n_meters, size_t n_rows, struct npf_tap_row **rowsp);
struct npf_sent_meters *npf_sent_meters_free(struct npf_sent_meters *sm); /* NULL is fine */

/* Count mbufs that the port took. @sender: id of the session */
void npf_count_sent(
	struct npf_sent_meters *sm, struct rte_mbuf *const *mbufs, unsigned int n, uint64_t sender);

#endif
