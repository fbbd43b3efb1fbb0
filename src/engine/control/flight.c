/* SPDX-License-Identifier: BSD-3-Clause */
/* flight.c - a socket's send queue is empty when its reader has taken all, or has been closed. */
#include "engine/control/flight.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

bool npf_flight_has_landed(struct npf_flight *f, int fd)
{
	int unread = 0;

	if (f->is_begun)
		return false;
	if (f->charge.account == NULL)
		return true;
	if (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0)
		return false;
	npf_discharge(&f->charge);
	return true;
}

int npf_flight_begin(
	struct npf_flight *f, struct npf_accounts *accounts, const struct npf_peer *peer, int fd)
{
	struct npf_error ignored;

	f->waits = false;
	if (f->is_begun || npf_access_is_privileged(peer))
		return 0;
	if (npf_flight_has_landed(f, fd) && npf_charge(accounts, peer->uid, NPF_RES_DESCRIPTORS,
						    NPF_WIRE_MAXFDS, &f->charge, &ignored) == 0)
		f->is_begun = true;
	else
		f->waits = true;
	return f->waits ? -EAGAIN : 0;
}

void npf_flight_end(struct npf_flight *f, unsigned int n_fds)
{
	if (!f->is_begun)
		return;
	f->is_begun = false;
	if (n_fds == 0)
		npf_discharge(&f->charge);
	else
		npf_charge_adjust(&f->charge, n_fds);
}
