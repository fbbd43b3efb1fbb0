/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flight.h - descriptors on the way to a client.
 *
 * The kernel counts the descriptors that lie unread in sockets against the user who sent them: the
 * daemon's. Beyond a limit it sends no more of them, to anybody. So a client gets no reply with
 * descriptors before it has taken the last one, what a user has not taken is charged to him over
 * all of his connections, and a connection that has ended goes on counting until they are taken.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_CONTROL_FLIGHT_H
#define NPF_ENGINE_CONTROL_FLIGHT_H

#include "engine/core/core.h"

/* Of one connection. {0}: nothing is on the way. */
struct npf_flight {
	struct npf_charge charge;
	bool is_begun; /* charged for a reply that is not sent yet */
	bool waits;    /* a request waits until it can begin */
};

/*
 * npf_flight_begin - a reply that may bring descriptors is going to be made.
 * @fd: the connection's socket
 * Return: 0, also when it has begun; -EAGAIN: not before what was sent has been taken.
 */
int npf_flight_begin(
	struct npf_flight *f, struct npf_accounts *accounts, const struct npf_peer *peer, int fd);

/* The reply is out, with so many descriptors. Nothing, if none has begun. */
void npf_flight_end(struct npf_flight *f, unsigned int n_fds);

/* Has the client taken all that was sent, or gone? Then nothing is charged any more. */
bool npf_flight_has_landed(struct npf_flight *f, int fd);

#endif
