/* SPDX-License-Identifier: BSD-3-Clause */
/* System calls that are forbidden from then on, to a process and to its threads, each tried in a
 * process of its own. */
#include "engine/syscalls/syscalls.h"

#include "engine/syscalls/allowed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
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

/* ---- threads ---- */

#define TASK      (1u << NPF_SYSCALLS_TASK)
#define DISK      (1u << NPF_SYSCALLS_DISK)
#define COLLECTOR (1u << NPF_SYSCALLS_COLLECTOR)
#define READER    (1u << NPF_SYSCALLS_READER)
#define PLAYER    (1u << NPF_SYSCALLS_PLAYER)
#define DRIVER    (1u << NPF_SYSCALLS_DRIVER)
#define ALL       (TASK | DISK | COLLECTOR | READER | PLAYER | DRIVER)
#define NOBODY    0u
#ifdef NPF_SYSCALLS_SANITIZED
#	define SANITIZERS ALL
#else
#	define SANITIZERS 0u
#endif

static long map(int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 0 : -1;
}

static long try_map(void)
{
	return map(PROT_READ | PROT_WRITE);
}

static long try_map_code(void)
{
	return map(PROT_READ | PROT_EXEC);
}

static long try_protect_code(void)
{
	return mprotect(NULL, 4096, PROT_READ | PROT_EXEC);
}

static long try_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static long try_stat(void)
{
	return access("/", F_OK);
}

static long try_rename(void)
{
	return rename("/nonexistent/a", "/nonexistent/b");
}

static long try_unlink(void)
{
	return unlink("/nonexistent/a");
}

static long try_link(void)
{
	return link("/nonexistent/a", "/nonexistent/b");
}

static long try_chmod(void)
{
	return chmod("/nonexistent/a", 0);
}

static long try_read(void)
{
	return read(-1, NULL, 0);
}

static long try_write(void)
{
	return write(-1, NULL, 0);
}

static long try_pwrite(void)
{
	return pwrite(-1, NULL, 0, 0);
}

static long try_truncate(void)
{
	return ftruncate(-1, 0);
}

static long try_sync(void)
{
	return fsync(-1);
}

static long try_close(void)
{
	return close(-1);
}

static long try_ioctl(void)
{
	return ioctl(-1, 0);
}

static long try_dup(void)
{
	return dup2(-1, 5);
}

static long try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_inet(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long try_bind(void)
{
	return bind(-1, NULL, 0);
}

static long try_connect(void)
{
	return connect(-1, NULL, 0);
}

static long try_send(void)
{
	return send(-1, NULL, 0, MSG_NOSIGNAL);
}

static long try_receive(void)
{
	return recv(-1, NULL, 0, 0);
}

static long try_poll(void)
{
	return poll(NULL, 0, 0);
}

static long try_memfd(void)
{
	return memfd_create("test", MFD_CLOEXEC);
}

static long try_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static long try_timer(void)
{
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static long try_uring_setup(void)
{
	return syscall(SYS_io_uring_setup, 0, NULL);
}

static long try_uring_register(void)
{
	return syscall(SYS_io_uring_register, -1, 0, NULL, 0);
}

static long try_uring_enter(void)
{
	return syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
}

static long try_signal_itself(void)
{
	return syscall(SYS_tgkill, getpid(), gettid(), 0);
}

static long try_signal_others(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long try_kill(void)
{
	return kill(getpid(), 0);
}

/* Flags that exclude each other. */
static long try_clone(void)
{
	return syscall(SYS_clone, CLONE_SIGHAND, NULL, NULL, NULL, 0);
}

static long try_priority(void)
{
	return getpriority(PRIO_PROCESS, 0);
}

static long try_prctl(void)
{
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static long try_count_capabilities(void)
{
	return prctl(PR_CAPBSET_READ, 0, 0, 0, 0);
}

static long try_setresuid(void)
{
	return syscall(SYS_setresuid, -1, -1, -1);
}

static long try_seccomp(void)
{
	return syscall(SYS_seccomp, -1, 0, NULL);
}

/* Each with arguments that nobody is refused by the kernel with EPERM: who may call it. */
static const struct {
	long (*call)(void);
	unsigned int may;
} calls[] = {
	{try_map, ALL},
	{try_map_code, TASK | DRIVER | SANITIZERS},
	{try_protect_code, TASK | DRIVER | SANITIZERS},
	{try_open, TASK | DISK | DRIVER | SANITIZERS},
	{try_stat, TASK | DISK | DRIVER},
	{try_rename, DISK | DRIVER},
	{try_unlink, DISK | DRIVER},
	{try_link, DRIVER},
	{try_chmod, DRIVER},
	{try_read, TASK | DISK | READER | PLAYER | DRIVER | SANITIZERS},
	{try_write, ALL},
	{try_pwrite, DISK | DRIVER},
	{try_truncate, TASK | DISK | COLLECTOR | DRIVER},
	{try_sync, DISK | DRIVER},
	{try_close, ALL},
	{try_ioctl, DRIVER | SANITIZERS},
	{try_dup, DRIVER},
	{try_unix, TASK | DRIVER},
	{try_inet, DRIVER},
	{try_netlink, DRIVER},
	{try_bind, DRIVER},
	{try_connect, TASK | DRIVER},
	{try_send, TASK | COLLECTOR | PLAYER | DRIVER},
	{try_receive, TASK | DRIVER},
	{try_poll, TASK | PLAYER | DRIVER},
	{try_memfd, TASK | DRIVER},
	{try_eventfd, TASK | DRIVER},
	{try_timer, TASK | DRIVER},
	{try_uring_setup, NOBODY},
	{try_uring_register, NOBODY},
	{try_uring_enter, DISK},
	{try_signal_itself, ALL},
	{try_signal_others, DRIVER},
	{try_kill, DRIVER},
	{try_clone, DRIVER},
	{try_priority, DRIVER},
	{try_prctl, DRIVER | SANITIZERS},
	{try_count_capabilities, TASK | DRIVER | SANITIZERS},
	{try_setresuid, COLLECTOR | READER | DRIVER},
	{try_seccomp, DRIVER},
};

static enum npf_syscalls_kind kind;

/* Return: the number of the first call that is refused and should not be, or the other way round;
 * or 0. */
static void *try_as_kind(void *arg)
{
	int *wrongp = arg;

	npf_syscalls_confine(kind);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(calls); i++) {
		bool refused = is_refused(calls[i].call(), EPERM);

		if (refused == ((calls[i].may & 1u << kind) != 0)) {
			*wrongp = (int)i + 1;
			break;
		}
	}
	return NULL;
}

static int run_thread(void)
{
	pthread_t thread;
	int wrong = 0;

	if (pthread_create(&thread, NULL, try_as_kind, &wrong) != 0)
		return 98;
	pthread_join(thread, NULL);
	return wrong;
}

static int try_thread(void)
{
	struct npf_error err;

	return npf_syscalls_forbid(false, &err) == 0 ? run_thread() : 97;
}

static void a_thread_may_call_what_its_kind_needs_and_no_more(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NPF_SYSCALLS_KINDS; i++) {
		kind = i;
		in_child(try_thread);
	}
}

static int try_main_afterwards(void)
{
	int rc = try_thread();

	return rc != 0 ? rc : try_unix() < 0 || try_inet() < 0 || try_map_code() < 0;
}

static void other_threads_go_on_as_before(void **state)
{
	(void)state;
	kind = NPF_SYSCALLS_COLLECTOR;
	in_child(try_main_afterwards);
}

static int try_unprepared(void)
{
	npf_syscalls_confine(NPF_SYSCALLS_COLLECTOR);
	return try_inet() < 0;
}

static void nothing_is_forbidden_to_a_thread_before_it_is_to_all(void **state)
{
	(void)state;
	in_child(try_unprepared);
}

static uint16_t seccomp_error;

static int try_without_seccomp(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct npf_error err;

	if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(seccomp_error), SCMP_SYS(seccomp), 0) != 0 ||
		seccomp_load(ctx) != 0)
		return 1;
	if (npf_syscalls_forbid(false, &err) != 0)
		return 2;
	npf_syscalls_confine(NPF_SYSCALLS_COLLECTOR);
	return try_inet() < 0;
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
		cmocka_unit_test(a_thread_may_call_what_its_kind_needs_and_no_more),
		cmocka_unit_test(other_threads_go_on_as_before),
		cmocka_unit_test(nothing_is_forbidden_to_a_thread_before_it_is_to_all),
		cmocka_unit_test(where_seccomp_is_not_there_the_daemon_does_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
