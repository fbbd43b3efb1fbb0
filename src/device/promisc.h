/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * promisc.h - is an interface of the kernel's promiscuous by somebody's order?
 *
 * PMDs that stand on one (net_af_packet, net_af_xdp, net_tap) set the interface's flag and leave it
 * set. Who starts one asks before, and takes back what was not so.
 */
#ifndef NPF_DEVICE_PROMISC_H
#define NPF_DEVICE_PROMISC_H

#include "base/base.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* @index: of the interface; 0: there is none */
static inline bool npf_iface_is_promiscuous(unsigned int index)
{
	npf_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	return fd >= 0 && if_indextoname(index, ifr.ifr_name) != NULL &&
	       ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_PROMISC) != 0;
}

#endif
