/* SPDX-License-Identifier: BSD-3-Clause */
/* eventfd.h - waking a thread that waits for a descriptor. Between processes: doorbell.h. */
#ifndef NPF_BASE_EVENTFD_H
#define NPF_BASE_EVENTFD_H

#include "base/base.h"

/* Make an eventfd readable. One that is at its limit is readable already. Keeps errno. Context:
 * any, signal handlers too. */
static inline void npf_eventfd_signal(int fd)
{
	static const uint64_t one = 1;
	int saved = errno;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	errno = saved;
}

/* Let an epoll set wait for a descriptor. @tag: the event's data.ptr. Return: 0 or -errno. */
int npf_epoll_add(int epoll_fd, int fd, uint32_t events, void *tag);

#endif
