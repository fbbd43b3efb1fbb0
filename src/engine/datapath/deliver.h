/* SPDX-License-Identifier: BSD-3-Clause */
/* deliver.h - a burst to the clients of a queue. Context: the tap lcore; wait-free. */
#ifndef NPF_ENGINE_DATAPATH_DELIVER_H
#define NPF_ENGINE_DATAPATH_DELIVER_H

#include "engine/datapath/burst.h"
#include "engine/datapath/tap.h"

/* All of the burst to the queue's clients, on a port that drops; to each as far as its user has
 * time left. */
void npf_deliver(const struct npf_tap_queue *q, struct npf_burst *b, struct npf_tap_turn *turn,
	uint64_t now_ns);

/* Count what has been put off. To be called now and then, and before the plan changes. */
void npf_deliver_settle(const struct npf_tap_queue *q, const struct npf_tap_turn *turn);

/* Packet i, on a port that waits, to be followed by npf_deliver_commit(). Return: false: no room,
 * try again later. */
bool npf_deliver_one(const struct npf_tap_client *c, struct npf_burst *b, unsigned int i);

/* Publish what was delivered one by one. */
void npf_deliver_commit(const struct npf_tap_client *c, uint64_t now_ns);

/* The lane says that its reader is due to be woken. */
void npf_deliver_wake(const struct npf_tap_client *c);

#endif
