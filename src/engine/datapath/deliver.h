/* SPDX-License-Identifier: BSD-3-Clause */
/* deliver.h - a burst to one client of a queue. Context: the tap lcore; wait-free. */
#ifndef NPF_ENGINE_DATAPATH_DELIVER_H
#define NPF_ENGINE_DATAPATH_DELIVER_H

#include "engine/datapath/burst.h"
#include "engine/datapath/tap.h"

/* What a queue's filter set says of a burst. */
struct npf_deliver_answers {
	const uint32_t *planes;   /* by member, a bit a packet; NULL: it was not asked */
	uint64_t cycles_a_member; /* that it took; 0, where nobody has a budget */
};

/*
 * npf_deliver_ask - run the queue's filter set, if it has one and the burst was received.
 */
struct npf_deliver_answers npf_deliver_ask(
	const struct npf_tap_queue *q, const struct npf_burst *b);

/* All of the burst, on a port that drops; as far as the client's user has time left. */
void npf_deliver(const struct npf_tap_client *c, struct npf_burst *b,
	const struct npf_deliver_answers *answers, struct npf_tap_turn *turn, uint64_t now_ns);

/* Packet i, on a port that waits, to be followed by npf_deliver_commit(). Return: false: no room,
 * try again later. */
bool npf_deliver_one(const struct npf_tap_client *c, struct npf_burst *b, unsigned int i);

/* Publish what was delivered one by one. */
void npf_deliver_commit(const struct npf_tap_client *c, uint64_t now_ns);

/* The lane says that its reader is due to be woken. */
void npf_deliver_wake(const struct npf_tap_client *c);

#endif
