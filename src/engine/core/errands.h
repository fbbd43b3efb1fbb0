/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errands.h - what may take long or hang is done by threads, so that the control thread never
 * waits.
 *
 * An errand is done on behalf of a user. A user has a few threads at most at a time, so one who
 * lets his errands hang keeps waiting himself, and nobody else does.
 *
 * Context: everything but run() belongs to the control thread.
 */
#ifndef NPF_ENGINE_CORE_ERRANDS_H
#define NPF_ENGINE_CORE_ERRANDS_H

#include "base/base.h"

#include <sys/types.h>

#define NPF_ERRANDS_PER_USER 4  /* running at the same time */
#define NPF_ERRANDS_THREADS  64 /* for all users ... */
#define NPF_ERRANDS_RESERVE  8  /* ... and so many more for root and the daemon's own user */

struct npf_errands;

/* Lifetime: until done() is called, which may free it or send it again. */
struct npf_errand {
	struct npf_errand *next; /* the pool's */
	uid_t uid;
	/* Context: a thread of the pool. May block for any time. */
	void (*run)(struct npf_errand *);
	/* Context: npf_errands_reap(). */
	void (*done)(struct npf_errand *);
};

/* Return: NULL: no memory, descriptor or thread. */
struct npf_errands *npf_errands_new(void);

/*
 * npf_errands_free - wait a while for what is still to be done, and call done() for that.
 * @timeout_ms: after so long the rest is left alone, with its threads: an errand that hangs would
 *              hang whoever waits for it. Its done() is never called.
 * Return: how many are left; 0: all is freed.
 */
unsigned int npf_errands_free(struct npf_errands *p, int timeout_ms);

/* Hand over an errand. Never fails and never waits: what finds no thread waits for one. */
void npf_errands_send(struct npf_errands *p, struct npf_errand *errand);

/* Readable when npf_errands_reap() has something to do. */
int npf_errands_fd(const struct npf_errands *p);

/* Call done() of what has been done. */
void npf_errands_reap(struct npf_errands *p);

#endif
