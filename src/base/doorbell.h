/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doorbell.h - one side wakes another that it does not trust.
 *
 * A doorbell is a pair of connected stream sockets: one end to ring, one end to wait on, each an
 * open file description of its own. An eventfd has one for both sides: a client that clears its
 * O_NONBLOCK and fills its counter makes the daemon's next write() block for ever.
 *
 * The end to wait on goes to the client, who may do with it what it likes: fill it, close it, shut
 * it down, pass it on, never read it, change its flags. Ringing sends one byte and never waits:
 * - a few bytes fill the socket, so a bell that nobody answers holds less than 8 KiB;
 * - the ringing end takes nothing in (SHUT_RD): what the client sends fails with EPIPE, its
 *   descriptors (SCM_RIGHTS) with it;
 * - a stream runs no socket filter of the receiver in the sender's call, as a packet socket does;
 * - the sender takes none of the locks that a reader holds while it copies, as a pipe's does.
 *
 * What a client can do is ask for many rings, and make each expensive: the call walks the list of
 * those who wait on the other end, a hundred thousand epoll watches if it likes. So there is a
 * budget, one for all doorbells of a user: ringing them takes half of a CPU's time at most, and
 * where single rings take more than 50 us, a hundredth. What was not used is kept for 5 ms.
 */
#ifndef NPF_BASE_DOORBELL_H
#define NPF_BASE_DOORBELL_H

#include "base/base.h"

#include <stdatomic.h>

/* A zeroed one is ready. Lifetime: longer than that of the doorbells that use it. */
struct npf_doorbell_budget {
	_Atomic uint64_t
		used_until_ns; /* CLOCK_MONOTONIC; what the rings so far took is paid then */
	_Atomic bool suspect;  /* the last ring took long: measure the next one */
};

struct npf_doorbell {
	int ring_fd; /* never passed to anybody; -1: closed */
	int wait_fd; /* readable once rung, and when the other end is closed; -1: passed on */
	struct npf_doorbell_budget *budget;
	struct npf_doorbell_budget own; /* where no other is given */
};

#define NPF_DOORBELL_NONE ((struct npf_doorbell){.ring_fd = -1, .wait_fd = -1})

/*
 * npf_doorbell_init - make the pair; both ends do not block and are closed on exec.
 * @b:      stays where it is until npf_doorbell_fini()
 * @budget: of the user who waits; NULL: the doorbell's own
 * Return:  0 or -errno (-EMFILE, -ENFILE, -ENOMEM); *b can be passed to npf_doorbell_fini() anyway.
 */
int npf_doorbell_init(struct npf_doorbell *b, struct npf_doorbell_budget *budget);

/* Closes the ends; who still waits sees that: readable, from now on. */
void npf_doorbell_fini(struct npf_doorbell *b);

/*
 * npf_doorbell_ring - make the other end readable; nothing if it is already, or closed.
 *
 * Context: any thread; one system call, which does not wait.
 * Return:  0; else the user's budget does not allow it now: so many nanoseconds later it does.
 */
uint64_t npf_doorbell_ring(struct npf_doorbell *b);

/* Was it rung, and not drained since? Else, when it is readable, the other side has ended without
 * having rung. */
bool npf_doorbell_is_rung(int wait_fd);

/* Forget the rings so far. @wait_fd: the end to wait on; also an eventfd that does not block. */
void npf_doorbell_drain(int wait_fd);

#endif
