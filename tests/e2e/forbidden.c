/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forbidden.c - preloaded into the daemon: at SIGUSR2 some thread of it makes calls that an
 * attacker who runs code there would make, and says on standard error what became of each.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *what, long rc)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "forbidden: %s: %s\n", what,
		rc < 0 ? strerrorname_np(errno) : "done");

	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(99);
}

/* Not glibc's functions for the ids: those would change every thread. */
static void try_calls(int sig)
{
	int saved = errno;
	long fd;

	(void)sig;
	tell("setresuid", syscall(SYS_setresuid, 0, 0, 1));
	tell("setgroups", syscall(SYS_setgroups, 0, NULL));
	tell("chroot", chroot("/"));
	tell("reboot", syscall(SYS_reboot, 0, 0, 0, NULL)); /* EINVAL for those who may */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	tell("packet socket", fd);
	if (fd >= 0)
		close((int)fd);
	tell(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 ? "dumpable" : "not dumpable", 0);
	errno = saved;
}

__attribute__((constructor)) static void install(void)
{
	signal(SIGUSR2, try_calls);
}
