/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h - when a frame of a schedule is due. No DPDK here.
 *
 * The schedule is absolute: frame i is due at the batch's start plus its own time, however
 * late the ones before it were, so that no drift grows. After an interruption the frames that are
 * overdue are not sent back to back, which the schedule's author never meant, but with a
 * quarter of their distances, until they are on time again.
 *
 * A time that goes back is overdue at once, and no distance is reckoned from it: the latest time so
 * far stands for it.
 */
#ifndef NPF_ENGINE_SEND_PACE_H
#define NPF_ENGINE_SEND_PACE_H

#include "base/base.h"

struct npf_pace {
	uint64_t start_ns; /* when the batch began, CLOCK_MONOTONIC */
	uint64_t start_at; /* ... and the time of its first frame */
	uint64_t last_ns;  /* when the frame before was sent */
	uint64_t last_at;  /* the latest time in the schedule of those sent */
	bool started;
};

/* A new batch: its first timed frame is due at once, and starts the schedule with its own time. */
static inline void npf_pace_reset(struct npf_pace *p)
{
	*p = (struct npf_pace){.started = false};
}

/* When the schedule wants a frame to leave; @now_ns for the first. Saturates. */
static inline uint64_t npf_pace_time(const struct npf_pace *p, uint64_t at_ns, uint64_t now_ns)
{
	uint64_t t;

	if (!p->started)
		return now_ns;
	if (at_ns < p->start_at)
		return p->start_ns;
	return __builtin_add_overflow(p->start_ns, at_ns - p->start_at, &t) ? UINT64_MAX : t;
}

/* When it may leave: at its time, or later while there is something to catch up on. */
static inline uint64_t npf_pace_due(const struct npf_pace *p, uint64_t at_ns, uint64_t now_ns)
{
	uint64_t time = npf_pace_time(p, at_ns, now_ns), soonest;

	if (!p->started || at_ns <= p->last_at)
		return time;
	soonest = p->last_ns + (at_ns - p->last_at) / 4;
	return NPF_MAX(time, soonest);
}

/* A frame was sent. */
static inline void npf_pace_sent(struct npf_pace *p, uint64_t at_ns, uint64_t now_ns)
{
	if (!p->started) {
		p->started = true;
		p->start_ns = now_ns;
		p->start_at = p->last_at = at_ns;
	}
	p->last_ns = now_ns;
	p->last_at = NPF_MAX(p->last_at, at_ns);
}

#endif
