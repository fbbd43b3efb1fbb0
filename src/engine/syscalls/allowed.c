/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * allowed.c - which kind of thread may call what.
 *
 * A row stands for what a call does, not for the call that today's glibc makes of it: beside open()
 * there is openat(), which it really calls, and openat2(). Where two kinds of calls share one
 * number the arguments tell them apart (allow_some()).
 *
 * The lists become programs once. A thread loads its own by one system call, without memory of its
 * own: task threads come and go.
 */
#include "engine/syscalls/syscalls.h"

#include "engine/syscalls/allowed.h"
#include "base/log.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define TASK      (1u << NPF_SYSCALLS_TASK)
#define DISK      (1u << NPF_SYSCALLS_DISK)
#define COLLECTOR (1u << NPF_SYSCALLS_COLLECTOR)
#define READER    (1u << NPF_SYSCALLS_READER)
#define PLAYER    (1u << NPF_SYSCALLS_PLAYER)
#define ALL       (TASK | DISK | COLLECTOR | READER | PLAYER)
#ifdef NPF_SYSCALLS_SANITIZED
#	define SANITIZERS ALL
#else
#	define SANITIZERS 0u
#endif

static const struct {
	int call;
	unsigned int kinds;
} allowed[] = {
	/* glibc, for any thread: memory, locks, its end */
	{SCMP_SYS(brk), ALL},
	{SCMP_SYS(munmap), ALL},
	{SCMP_SYS(mremap), ALL},
	{SCMP_SYS(madvise), ALL},
	{SCMP_SYS(futex), ALL},
	{SCMP_SYS(futex_waitv), ALL},
	{SCMP_SYS(sched_yield), ALL},
	{SCMP_SYS(sched_getaffinity), ALL}, /* how many arenas malloc() makes */
	{SCMP_SYS(getrandom), ALL},
	{SCMP_SYS(getpid), ALL},
	{SCMP_SYS(gettid), ALL},
	{SCMP_SYS(rseq), ALL},
	{SCMP_SYS(set_robust_list), ALL},
	{SCMP_SYS(membarrier), ALL},
	{SCMP_SYS(exit), ALL},
	{SCMP_SYS(exit_group), ALL},
	{SCMP_SYS(rt_sigprocmask), ALL},
	{SCMP_SYS(rt_sigaction), ALL}, /* abort() */
	{SCMP_SYS(rt_sigreturn), ALL},
	{SCMP_SYS(restart_syscall), ALL},
	/* clocks, where the vDSO has none, and sleep */
	{SCMP_SYS(clock_gettime), ALL},
	{SCMP_SYS(clock_getres), ALL},
	{SCMP_SYS(gettimeofday), ALL},
	{SCMP_SYS(time), ALL},
	{SCMP_SYS(nanosleep), ALL},
	{SCMP_SYS(clock_nanosleep), ALL},
	/* the log; and what is open */
	{SCMP_SYS(write), ALL},
	{SCMP_SYS(writev), ALL},
	{SCMP_SYS(close), ALL},
	/* npf.user is taken on by all threads that there are by then; the kernel says no to who has
	 * no right. */
	{SCMP_SYS(setgroups), COLLECTOR | READER},
	{SCMP_SYS(setresgid), COLLECTOR | READER},
	{SCMP_SYS(setresuid), COLLECTOR | READER},

	/* files that are open */
	{SCMP_SYS(read), TASK | DISK | READER | PLAYER | SANITIZERS},
	{SCMP_SYS(readv), TASK | DISK | READER},
	{SCMP_SYS(pread64), TASK | READER},
	{SCMP_SYS(lseek), TASK | DISK | READER},
	{SCMP_SYS(fstat), TASK | DISK | COLLECTOR | READER | SANITIZERS},
	{SCMP_SYS(newfstatat), TASK | DISK | COLLECTOR | READER | SANITIZERS}, /* as fstat(), too */
	{SCMP_SYS(statx), TASK | DISK | COLLECTOR | READER | SANITIZERS},
	{SCMP_SYS(fstatfs), TASK | DISK},
	{SCMP_SYS(fcntl), TASK | DISK},
	{SCMP_SYS(ftruncate), TASK | DISK | COLLECTOR},
	{SCMP_SYS(fallocate), TASK | DISK},
	{SCMP_SYS(pwrite64), DISK},
	{SCMP_SYS(pwritev), DISK},
	{SCMP_SYS(pwritev2), DISK},
	{SCMP_SYS(fsync), DISK},
	{SCMP_SYS(fdatasync), DISK},
	{SCMP_SYS(sync_file_range), DISK},
	{SCMP_SYS(flock), DISK},
	{SCMP_SYS(fchown), DISK},
	{SCMP_SYS(fchmod), DISK},
	{SCMP_SYS(io_uring_enter), DISK}, /* of the one ring that it has set up before */

	/* files by their names: of a dump, its index and the time zone; of users and groups */
	{SCMP_SYS(open), TASK | DISK | SANITIZERS},
	{SCMP_SYS(openat), TASK | DISK | SANITIZERS},
	{SCMP_SYS(openat2), TASK | DISK},
	{SCMP_SYS(stat), TASK | DISK | SANITIZERS},
	{SCMP_SYS(lstat), TASK | DISK},
	{SCMP_SYS(statfs), TASK | DISK},
	{SCMP_SYS(access), TASK | DISK},
	{SCMP_SYS(faccessat), TASK | DISK},
	{SCMP_SYS(faccessat2), TASK | DISK},
	{SCMP_SYS(rename), DISK},
	{SCMP_SYS(renameat), DISK},
	{SCMP_SYS(renameat2), DISK},
	{SCMP_SYS(unlink), DISK},
	{SCMP_SYS(unlinkat), DISK},
	{SCMP_SYS(readlink), TASK | SANITIZERS},
	{SCMP_SYS(readlinkat), TASK | SANITIZERS},
	{SCMP_SYS(getdents), TASK},
	{SCMP_SYS(getdents64), TASK | SANITIZERS},

	/* wake-ups: doorbells and eventfds */
	{SCMP_SYS(sendto), TASK | COLLECTOR | PLAYER},
	{SCMP_SYS(sendmsg), TASK | COLLECTOR | PLAYER},
	{SCMP_SYS(poll), TASK | PLAYER},
	{SCMP_SYS(ppoll), TASK | PLAYER},

	/* descriptors that clients share and pass on; what asks sssd, nscd or systemd for a name */
	{SCMP_SYS(memfd_create), TASK},
	{SCMP_SYS(eventfd2), TASK},
	{SCMP_SYS(epoll_create1), TASK},
	{SCMP_SYS(epoll_ctl), TASK},
	{SCMP_SYS(epoll_wait), TASK},
	{SCMP_SYS(epoll_pwait), TASK},
	{SCMP_SYS(epoll_pwait2), TASK},
	{SCMP_SYS(timerfd_create), TASK},
	{SCMP_SYS(timerfd_settime), TASK},
	{SCMP_SYS(select), TASK},
	{SCMP_SYS(pselect6), TASK},
	{SCMP_SYS(connect), TASK},
	{SCMP_SYS(recvfrom), TASK},
	{SCMP_SYS(recvmsg), TASK},
	{SCMP_SYS(sendmmsg), TASK},
	{SCMP_SYS(shutdown), TASK},
	{SCMP_SYS(getsockopt), TASK},
	{SCMP_SYS(setsockopt), TASK},
	{SCMP_SYS(getpeername), TASK},
	{SCMP_SYS(getsockname), TASK},
	{SCMP_SYS(getuid), TASK},
	{SCMP_SYS(geteuid), TASK},
	{SCMP_SYS(getgid), TASK},
	{SCMP_SYS(getegid), TASK},
	{SCMP_SYS(uname), TASK},

	{SCMP_SYS(prctl), SANITIZERS},
	{SCMP_SYS(sigaltstack), SANITIZERS},
	{SCMP_SYS(getrlimit), SANITIZERS},
	{SCMP_SYS(prlimit64), SANITIZERS},
	{SCMP_SYS(getrusage), SANITIZERS},
	{SCMP_SYS(sysinfo), SANITIZERS},
	{SCMP_SYS(ioctl), SANITIZERS},
};

static const int uring[] = {
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(io_uring_enter),
};

static struct sock_fprog programs[NPF_SYSCALLS_KINDS];

/* Only tasks make code: of filters, and the libraries that names are looked up in are loaded by
 * them. */
static int allow_memory(scmp_filter_ctx ctx, unsigned int kinds)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < NPF_ARRAY_LEN(calls); i++)
		if ((kinds & (TASK | SANITIZERS)) != 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
		else
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

/* abort() kills the daemon, and nothing else may be killed; a socket is one of this machine; what
 * systemd looks up names with also counts capabilities. */
static int allow_some(scmp_filter_ctx ctx, unsigned int kinds)
{
	static const int sockets[] = {SCMP_SYS(socket), SCMP_SYS(socketpair)};
	int rc = seccomp_rule_add(
		ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0_32(SCMP_CMP_EQ, getpid()));

	if (rc == 0)
		rc = allow_memory(ctx, kinds);
	if (rc == 0 && kinds == TASK)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
			SCMP_A0_32(SCMP_CMP_EQ, PR_CAPBSET_READ));
	for (unsigned int i = 0; rc == 0 && kinds == TASK && i < NPF_ARRAY_LEN(sockets); i++)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, sockets[i], 1, SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
	return rc;
}

static int allow(scmp_filter_ctx ctx, enum npf_syscalls_kind kind)
{
	int rc = allow_some(ctx, 1u << kind);

	for (unsigned int i = 0; rc == 0 && i < NPF_ARRAY_LEN(allowed); i++)
		if ((allowed[i].kinds & 1u << kind) != 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i].call, 0);
	return rc;
}

static int forbid_uring(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < NPF_ARRAY_LEN(uring); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), uring[i], 0);
	return rc;
}

/* libseccomp has programs for files only. */
static int export(scmp_filter_ctx ctx, struct sock_fprog *prog)
{
	npf_autofd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	npf_autofree struct sock_filter *code = NULL;
	struct stat st;
	size_t size;
	int rc;

	if (fd < 0)
		return -errno;
	rc = seccomp_export_bpf(ctx, fd);
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return -errno;
	size = st.st_size;
	if (size / sizeof(*code) > BPF_MAXINSNS)
		return -E2BIG;
	code = malloc(size);
	if (code == NULL)
		return -ENOMEM;
	if (pread(fd, code, size, 0) != st.st_size)
		return -EIO;
	free(prog->filter);
	prog->len = size / sizeof(*code);
	prog->filter = npf_steal_ptr(&code);
	return 0;
}

static int prepare(enum npf_syscalls_kind kind)
{
	const bool is_driver = kind == NPF_SYSCALLS_DRIVER;
	scmp_filter_ctx ctx = seccomp_init(is_driver ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int rc = ctx != NULL ? 0 : -ENOMEM;

	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree */
	if (rc == 0)
		rc = is_driver ? forbid_uring(ctx) : allow(ctx, kind);
	if (rc == 0)
		rc = export(ctx, &programs[kind]);
	seccomp_release(ctx);
	return rc;
}

int npf_syscalls_prepare(void)
{
	int rc = 0;

	for (unsigned int kind = 0; rc == 0 && kind < NPF_SYSCALLS_KINDS; kind++)
		rc = prepare(kind);
	return rc;
}

void npf_syscalls_confine(enum npf_syscalls_kind kind)
{
	const struct sock_fprog *prog = &programs[kind];

	if (prog->len == 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, prog) == 0)
		return;
	/* Linux 4.14 has the flag. */
	if (errno == EINVAL && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) == 0)
		return;
	npf_warn("a thread does without its list of system calls: %s", strerror(errno));
}
