/* SPDX-License-Identifier: BSD-3-Clause */
/* count.h - a burst through the meters of its queue: filters and counters, no copy. */
#ifndef NPF_ENGINE_COUNT_H
#define NPF_ENGINE_COUNT_H

#include "engine/burst.h"
#include "engine/tap.h"

/*
 * npf_count - count a burst for every monitor of the queue.
 * @now_ns, @mono_ns: when the burst was taken, CLOCK_REALTIME and CLOCK_MONOTONIC
 * Context: the tap lcore; wait-free. Overwrites b->keep.
 */
void npf_count(
	const struct npf_tap_queue *q, struct npf_burst *b, uint64_t now_ns, uint64_t mono_ns);

/* Time has passed, with or without packets. */
void npf_count_tick(const struct npf_tap_queue *q, uint64_t mono_ns);

#endif
