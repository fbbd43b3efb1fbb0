/* SPDX-License-Identifier: BSD-3-Clause */
/* System calls that are forbidden from then on, each tried in a process of its own. */
#include "engine/syscalls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Runs check() in a child without new privileges. It gives the number of what is wrong, or 0. */
static void in_child(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? check() : 99);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_refused(long rc, int with)
{
	return rc < 0 && errno == with;
}

/* With arguments for which the kernel has other errors, where it has. */
static int try_forbidden(void)
{
	struct npf_error err;

	if (npf_syscalls_forbid(false, &err) != 0)
		return 1;
	if (!is_refused(syscall(SYS_execve, "/", NULL, NULL), EPERM))
		return 2;
	if (!is_refused(syscall(SYS_execveat, -1, "x", NULL, NULL, 0), EPERM))
		return 3;
	if (!is_refused(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0), EPERM))
		return 4;
	if (!is_refused(syscall(SYS_setns, -1, 0), EPERM))
		return 5;
	if (!is_refused(syscall(SYS_unshare, CLONE_NEWUSER), EPERM))
		return 6;
	if (!is_refused(syscall(SYS_keyctl, -1), EPERM))
		return 7;
	if (!is_refused(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EPERM))
		return 8;
	if (!is_refused(syscall(SYS_iopl, 0), EPERM))
		return 9;
	if (!is_refused(socket(AF_ALG, SOCK_SEQPACKET, 0), EPERM))
		return 10;
	if (!is_refused(socket(1 << 20, SOCK_STREAM, 0), EPERM))
		return 11;
	return is_refused(syscall(SYS_clone3, NULL, 0), ENOSYS) ? 0 : 12;
}

static void what_is_forbidden_fails(void **state)
{
	(void)state;
	in_child(try_forbidden);
}

static int try_allowed(void)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_NETLINK};
	struct npf_error err;

	if (npf_syscalls_forbid(true, &err) != 0)
		return 1;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(families); i++)
		if (socket(families[i], families[i] == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0) < 0)
			return 2;
	if (syscall(SYS_iopl, 0) < 0 && errno != ENOSYS)
		return 3;
	return 0;
}

static void what_the_daemon_needs_is_not(void **state)
{
	(void)state;
	in_child(try_allowed);
}

static uint16_t seccomp_error;

static int try_without_seccomp(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct npf_error err;

	if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(seccomp_error), SCMP_SYS(seccomp), 0) != 0 ||
		seccomp_load(ctx) != 0)
		return 1;
	return npf_syscalls_forbid(false, &err) == 0 ? 0 : 2;
}

static void where_seccomp_is_not_there_the_daemon_does_without(void **state)
{
	static const uint16_t errors[] = {ENOSYS, EINVAL, EPERM};

	(void)state;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(errors); i++) {
		seccomp_error = errors[i];
		in_child(try_without_seccomp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_forbidden_fails),
		cmocka_unit_test(what_the_daemon_needs_is_not),
		cmocka_unit_test(where_seccomp_is_not_there_the_daemon_does_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
