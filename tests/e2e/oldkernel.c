/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oldkernel.c - preloaded into the daemon: the kernel is one from before SO_PASSRIGHTS
 * (Linux 6.16), so clients can put descriptors into its sockets.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PASSRIGHTS 83

__attribute__((visibility("default"))) int setsockopt(
	int fd, int level, int name, const void *value, socklen_t len)
{
	if (level == SOL_SOCKET && name == PASSRIGHTS) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
