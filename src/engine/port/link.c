/* SPDX-License-Identifier: BSD-3-Clause */
/* link.c - the kernel interface that a port stands on, as far as is known. */
#include "device/devargs.h"
#include "device/iface_ring.h"
#include "base/log.h"
#include "engine/port/port.h"

#include <string.h>

static void set_state(struct npf_port *p, enum npf_iface_state state)
{
	p->iface.state = state;
	atomic_store_explicit(&p->link_down, state != NPF_IFACE_NONE && state != NPF_IFACE_UP,
		memory_order_relaxed);
}

void npf_port_iface_init(struct npf_port *p)
{
	struct npf_link l = {.carrier = true};
	struct npf_iface_info info;

	if (!npf_devargs_iface(p->conf->device, l.name) || npf_iface_get_info(l.name, &info) < 0)
		return;
	memcpy(p->iface.name, l.name, sizeof(p->iface.name));
	p->iface.index = l.index = info.index;
	p->iface.is_listed = true;
	p->iface.is_held = strncmp(p->conf->device, "net_tap", 7) == 0;
	l.up = info.up;
	l.arphrd = info.arphrd;
	npf_port_iface_update(p, &l);
	if (!info.up && p->device == &npf_port_iface)
		npf_warn("port %s: interface %s is down", p->conf->name, l.name);
}

void npf_port_iface_update(struct npf_port *p, const struct npf_link *l)
{
	if (p->device == &npf_port_iface) {
		if (l->mtu != 0)
			p->mtu = (uint16_t)NPF_MIN(l->mtu, (uint32_t)UINT16_MAX);
		if (l->has_mac)
			memcpy(&p->mac, l->mac, sizeof(p->mac));
	}
	set_state(p, !l->up ? NPF_IFACE_DOWN : l->carrier ? NPF_IFACE_UP : NPF_IFACE_NO_CARRIER);
}

void npf_port_iface_set_absent(struct npf_port *p)
{
	p->iface.index = 0;
	set_state(p, NPF_IFACE_ABSENT);
}

void npf_port_iface_untrack(struct npf_port *p)
{
	set_state(p, NPF_IFACE_NONE);
}
