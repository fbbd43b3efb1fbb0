/* SPDX-License-Identifier: BSD-3-Clause */
/* Which files of clients a dump is written into. */
#include "engine/handover/passed_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

static void refuses(int fd, const char *why)
{
	struct npf_error err = {""};

	assert_true(fd >= 0);
	assert_int_equal(npf_passed_file_check(fd, &err), -EINVAL);
	if (strstr(err.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
	close(fd);
}

static char path[] = "/tmp/npf-opened-XXXXXX";

static int make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0;
}

static int unmake(void **state)
{
	(void)state;
	return unlink(path);
}

static void a_regular_file_open_for_writing_is_taken(void **state)
{
	const int modes[] = {O_WRONLY, O_RDWR};
	struct npf_error err;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(modes); i++) {
		npf_autofd int fd = open(path, modes[i] | O_CLOEXEC);

		assert_int_equal(npf_passed_file_check(fd, &err), 0);
	}
}

static void a_file_that_its_opener_may_not_write_is_refused(void **state)
{
	(void)state;
	refuses(open(path, O_RDONLY | O_CLOEXEC), "not open for writing");
	refuses(open(path, O_PATH | O_CLOEXEC), "not open for writing");
	refuses(open(path, O_WRONLY | O_APPEND | O_CLOEXEC), "O_APPEND");
}

static void what_is_no_regular_file_is_refused(void **state)
{
	int fds[2];

	(void)state;
	refuses(open("/dev/null", O_WRONLY | O_CLOEXEC), "regular file");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	refuses(fds[1], "regular file");
	refuses(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "regular file");
}

static void files_of_the_kernel_are_refused(void **state)
{
	(void)state;
	refuses(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), "local file system");
	refuses(open("/proc/self/comm", O_RDWR | O_CLOEXEC), "local file system");
}

static void memory_that_nobody_is_charged_for_is_refused(void **state)
{
	(void)state;
	refuses(memfd_create("x", MFD_CLOEXEC), "memfd");
}

static void the_limit_of_a_process_is_that_of_its_files(void **state)
{
	struct rlimit rl;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &rl), 0);
	if (rl.rlim_cur == RLIM_INFINITY)
		assert_int_equal(npf_passed_file_limit(getpid()), 0);
	rl.rlim_cur = 123456;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(npf_passed_file_limit(getpid()), 123456);
	rl.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(npf_passed_file_limit(getpid()), 1);
	rl.rlim_cur = rl.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(npf_passed_file_limit(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_regular_file_open_for_writing_is_taken),
		cmocka_unit_test(a_file_that_its_opener_may_not_write_is_refused),
		cmocka_unit_test(what_is_no_regular_file_is_refused),
		cmocka_unit_test(files_of_the_kernel_are_refused),
		cmocka_unit_test(memory_that_nobody_is_charged_for_is_refused),
		cmocka_unit_test(the_limit_of_a_process_is_that_of_its_files),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
