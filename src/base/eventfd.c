/* SPDX-License-Identifier: BSD-3-Clause */
/* eventfd.c - see eventfd.h. */
#include "base/eventfd.h"

#include <sys/epoll.h>

int npf_epoll_add(int epoll_fd, int fd, uint32_t events, void *tag)
{
	struct epoll_event ev = {.events = events, .data.ptr = tag};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}
