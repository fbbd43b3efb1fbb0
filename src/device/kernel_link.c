/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_link.c - queries by number, not by name: an interface that was deleted and made again
 * under its old name is another one, and the driver's socket is not bound to it.
 *
 * One socket a process answers for all interfaces of its network namespace.
 */
#include "device/kernel_link.h"

#include <net/if.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The socket of all queries, opened at the first need and kept. Return: the socket, or -1. */
static int query_socket(void)
{
	static _Atomic int kept = -1;
	int fd = atomic_load_explicit(&kept, memory_order_relaxed), none = -1;

	if (fd >= 0)
		return fd;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Relaxed: a descriptor's number is all there is to it. */
	if (fd < 0 || atomic_compare_exchange_strong_explicit(
			      &kept, &none, fd, memory_order_relaxed, memory_order_relaxed))
		return fd;
	npf_close(fd); /* another thread was faster */
	return none;
}

/* Return: 0, or -errno. */
static int query(unsigned int if_index, unsigned long what, struct ifreq *ifr)
{
	int fd = query_socket();

	*ifr = (struct ifreq){.ifr_ifindex = (int)if_index};
	return fd < 0 || ioctl(fd, SIOCGIFNAME, ifr) < 0 || ioctl(fd, what, ifr) < 0 ? -errno : 0;
}

int npf_kernel_link_state(unsigned int if_index)
{
	const short up = IFF_UP | IFF_RUNNING;
	struct ifreq ifr;
	int rc;

	if (if_index == 0)
		return 0;
	rc = query(if_index, SIOCGIFFLAGS, &ifr);
	if (rc < 0)
		return rc == -ENODEV || rc == -ENXIO ? -ENODEV : 0;
	return (ifr.ifr_flags & up) == up ? 0 : -ENETDOWN;
}

unsigned int npf_kernel_link_mtu(unsigned int if_index)
{
	struct ifreq ifr;

	if (if_index == 0 || query(if_index, SIOCGIFMTU, &ifr) < 0)
		return 0;
	return ifr.ifr_mtu > 0 ? (unsigned int)ifr.ifr_mtu : 0;
}

bool npf_kernel_link_is_promiscuous(unsigned int if_index)
{
	struct ifreq ifr;

	return if_index != 0 && query(if_index, SIOCGIFFLAGS, &ifr) == 0 &&
	       (ifr.ifr_flags & IFF_PROMISC) != 0;
}
