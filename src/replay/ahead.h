/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ahead.h - savefiles that are read ahead. A thread reads the file into a ring of some
 * megabytes, so that the consumer of the packets never waits for a disk.
 *
 * One thread takes packets; another (or the same) starts and stops.
 */
#ifndef NPF_REPLAY_AHEAD_H
#define NPF_REPLAY_AHEAD_H

#include "replay/trace.h"

struct npf_ahead;

struct npf_ahead_conf {
	uint32_t longest; /* bytes of a packet that are kept; <= 1 MiB */
	/* Called once by the reading thread when the file has ended (rc is 0) or is damaged
	 * (-EBADMSG), after all packets before that were taken. Not called after a stop. */
	void (*over)(void *arg, const struct npf_trace *trace, int rc);
	/* Called by the reading thread before all else, to give up what it does not need. May be
	 * NULL. */
	void (*begun)(void *arg);
	void *arg;
};

/*
 * npf_ahead_start - begin to read.
 * Return: 0 or -errno. Owns: the trace is taken, unless it fails.
 */
int npf_ahead_start(
	const struct npf_ahead_conf *conf, struct npf_trace *trace, struct npf_ahead **ap);

/* No packet may be taken during the call. Waits for a read of the disk that is under way. Returns
 * NULL. */
struct npf_ahead *npf_ahead_stop(struct npf_ahead *a);

/*
 * npf_ahead_next - take the next packet.
 * Return: false: none was read yet.
 * Lifetime: of p->data, until npf_ahead_release().
 * Context: the thread that takes; wait-free, no system call.
 */
bool npf_ahead_next(struct npf_ahead *a, struct npf_trace_packet *p);
/* Give the last packet back: the next call takes it again. */
void npf_ahead_put_back(struct npf_ahead *a);
/* The packets taken are not used any more: the producer may overwrite them. */
void npf_ahead_release(struct npf_ahead *a);

/* Packets read so far that were longer than `longest`. */
uint64_t npf_ahead_too_long(const struct npf_ahead *a);

#endif
