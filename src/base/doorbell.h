/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doorbell.h - one side wakes another that it does not trust.
 *
 * A doorbell is a pair of connected stream sockets: one end to ring, one end to wait on. Each end
 * is an open file description of its own. An eventfd is one description for both sides: a client
 * that clears its O_NONBLOCK and fills its counter makes the daemon's next write() block for ever.
 *
 * The client gets the end to wait on, and may do anything with it: fill it, close it, shut it down,
 * pass it on, never read it, change its flags. Ringing sends one byte and never waits:
 * - a few bytes fill the socket, so a doorbell whose bytes are not read holds less than 8 KiB;
 * - the ringing end receives nothing (SHUT_RD): what the client sends fails with EPIPE, together
 *   with its descriptors (SCM_RIGHTS);
 * - a send on a stream does not run the receiver's socket filter, as one on a packet socket does;
 * - the sender takes no lock that a reader holds while it copies, as a pipe's writer does.
 *
 * A client can cause many rings, and make each expensive: the call walks the list of those that
 * wait on the other end, which may be a hundred thousand epoll watches. So all doorbells of a user
 * share a budget: ringing them takes at most half of a CPU's time, and a hundredth where single
 * rings take more than 50 us. Budget that was not used is kept up to NPF_DOORBELL_BUDGET_NS.
 */
#ifndef NPF_BASE_DOORBELL_H
#define NPF_BASE_DOORBELL_H

#include "base/base.h"

#include <stdatomic.h>

#define NPF_DOORBELL_BUDGET_NS 5000000ull /* of wake-ups at once */

/* A zeroed one is ready. Lifetime: longer than that of the doorbells that use it. */
struct npf_doorbell_budget {
	_Atomic uint64_t used_until_ns; /* CLOCK_MONOTONIC; the rings so far are paid for then */
	_Atomic bool suspect;           /* the last ring took long: measure the next one */
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

/* Close the ends. An end to wait on that was passed on is readable from now on. */
void npf_doorbell_fini(struct npf_doorbell *b);

/*
 * npf_doorbell_ring - make the other end readable; no effect if it is readable or closed.
 *
 * Context: any thread; one system call, which does not wait.
 * Return:  0; else nothing was done: nanoseconds until the user's budget allows it.
 */
uint64_t npf_doorbell_ring(struct npf_doorbell *b);

/*
 * npf_doorbell_budget_used - how much of the budget is used now, ns; above NPF_DOORBELL_BUDGET_NS
 * nobody is woken. Context: any thread.
 */
uint64_t npf_doorbell_budget_used(const struct npf_doorbell_budget *budget);

/* Was it rung since it was last drained? A readable end that was not rung means that the other side
 * has closed it. */
bool npf_doorbell_is_rung(int wait_fd);

/* Forget the rings so far. @wait_fd: the end to wait on; also an eventfd that does not block. */
void npf_doorbell_drain(int wait_fd);

#endif
