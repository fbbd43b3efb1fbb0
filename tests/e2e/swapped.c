/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * swapped.c - preloaded into the daemon: between two of its calls somebody puts a link to the file
 * that VICTIM names in the place of the socket on which it has begun to listen.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

__attribute__((visibility("default"))) int listen(int fd, int backlog)
{
	struct sockaddr_un addr = {0};
	socklen_t len = sizeof(addr);
	const char *victim = getenv("VICTIM");

	if (victim != NULL && getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
		addr.sun_family == AF_UNIX &&
		(unlink(addr.sun_path) < 0 || symlink(victim, addr.sun_path) < 0))
		return -1;
	return (int)syscall(SYS_listen, fd, backlog);
}
