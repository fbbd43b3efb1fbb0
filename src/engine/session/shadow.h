/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shadow.h - a kernel interface (TAP) of the port's name, for tools that also need the kernel's
 * view of an interface.
 *
 * What the kernel sends there is sent on the port; what the port receives for its own address, and
 * broadcast and multicast, goes to the kernel. It is a session like any other, so its packets show
 * in `npfctl sessions`, and other sessions see what it sends.
 */
#ifndef NPF_ENGINE_SESSION_SHADOW_H
#define NPF_ENGINE_SESSION_SHADOW_H

#include "base/error.h"
#include "engine/core/core.h"

struct npf_shadow;

/*
 * npf_shadow_open - make the interface, with the port's MAC address and MTU, and bring it up.
 * Return: 0, or -errno with a text in err. Needs CAP_NET_ADMIN now, not later.
 */
int npf_shadow_open(struct npf_engine *e, struct npf_engine_port *port, struct npf_shadow **sp,
	struct npf_error *err);
struct npf_shadow *npf_shadow_close(struct npf_shadow *s); /* NULL is fine; returns NULL */

/* Readable when npf_shadow_serve() has something to do. */
int npf_shadow_fd(const struct npf_shadow *s);

/* Carry some frames each way; never blocks. Context: control thread. */
void npf_shadow_serve(struct npf_shadow *s);

#endif
