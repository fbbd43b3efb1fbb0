/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forbidden.c - preloaded into the daemon: at SIGUSR2 some thread of it makes calls that an
 * attacker who runs code there would make, and says on standard error what became of each.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
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
	tell("execve", syscall(SYS_execve, "/bin/true", NULL, NULL));
	tell("process_vm_readv", syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
	tell("mount", syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
	tell("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
	tell("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0));
	tell("keyctl", syscall(SYS_keyctl, 0, -3, 0));
	tell("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, NULL));
	tell("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	tell("vsock socket", socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
	tell("alg socket", socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	tell("clone3", syscall(SYS_clone3, NULL, 0));
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
