/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_confined.c - programs that open first and lock themselves up then: chroot, other user,
 * seccomp. Nothing may be opened, connected or executed after activation, except that libpcap's
 * pcap_stats() on Linux reads files under /sys: it is left out where opening is forbidden.
 */
#include "contract.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* Does everything that a program does after activation. Return: 0, or the number of the step that
 * failed. */
static int work(pcap_t *p, bool stats)
{
	u_char frame[100] = "\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5";
	struct pcap_stat ps;

	if (gather(p, 2) != 2)
		return 1;
	if (stats && pcap_stats(p, &ps) != 0)
		return 2;
	only_ours(p);
	if (pcap_setdirection(p, PCAP_D_INOUT) != 0)
		return 3;
	if (pcap_inject(p, frame, sizeof(frame)) != (int)sizeof(frame))
		return 4;
	pcap_setnonblock(p, 0, errbuf);
	pcap_breakloop(p);
	if (pcap_dispatch(p, -1, NULL, NULL) != PCAP_ERROR_BREAK)
		return 5;
	pcap_close(p);
	return 0;
}

static void in_child(const char *what, int (*lock_up)(void), bool stats)
{
	pcap_t *p = activated(fresh());
	int status;
	pid_t pid;

	only_ours(p);
	wire_send(2, 100, 1);
	pid = fork();
	if (pid == 0) {
		if (lock_up() < 0)
			_exit(99);
		_exit(work(p, stats));
	}
	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid");
	finding(what, "%d", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	pcap_close(p);
}

static int other_root_and_user(void)
{
	char dir[] = "/tmp/npf-contract-XXXXXX";

	if (mkdtemp(dir) == NULL || chdir(dir) < 0 || rmdir(dir) < 0 || chroot(".") < 0)
		return -1;
	return setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0
		       ? -1
		       : 0;
}

/* Kills whoever opens, creates, connects or executes. */
static int no_new_files(void)
{
	static const int forbidden[] = {SYS_open, SYS_openat, SYS_creat, SYS_socket, SYS_connect,
		SYS_execve, SYS_epoll_create1, SYS_memfd_create};
	enum {
		N = sizeof(forbidden) / sizeof(forbidden[0])
	};
	struct sock_filter code[2 * N + 2];
	struct sock_fprog prog = {.len = 2 * N + 2, .filter = code};

	code[0] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < N; i++) {
		code[1 + 2 * i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)forbidden[i], 0, 1);
		code[2 + 2 * i] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	code[2 * N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

void contract_confined(void)
{
	in_child("in a chroot, as nobody", other_root_and_user, true);
	in_child("without the right to open anything", no_new_files, false);
}
