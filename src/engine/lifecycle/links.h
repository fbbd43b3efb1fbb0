/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * links.h - follows the state of the kernel's interfaces below ports.
 *
 * An interface that goes down or comes up shows in the port's link and in the log, and sends on it
 * fail with -ENETDOWN while it is down. An interface that is deleted ends captures, as libpcap ends
 * them. Monitors and dumps stay, and the port goes on when an interface of that name appears.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_LIFECYCLE_LINKS_H
#define NPF_ENGINE_LIFECYCLE_LINKS_H

#include "engine/core/core.h"

/* npf_links_open - open the netlink socket. Return: a descriptor that is readable when there are
 * messages, the engine's own; or -errno. */
int npf_links_open(struct npf_engine *e);

/* Handle all messages; without any it costs one system call. */
void npf_links_serve(struct npf_engine *e);

/* End captures whose interface has disappeared. To be called now and then. */
void npf_links_tick(struct npf_engine *e);

#endif
