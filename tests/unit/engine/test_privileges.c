/* SPDX-License-Identifier: BSD-3-Clause */
/* What is dropped at the start, and what of it a daemon has that executes itself anew. */
#include "engine/privileges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SETUID     7
#define NET_RAW    13
#define SYS_MODULE 16
#define SYS_BOOT   22

/* Return: that line of /proc/self/status, a number to base 16. */
static unsigned long long status(const char *name)
{
	unsigned long long value = 0;
	char line[256], format[32];
	FILE *f = fopen("/proc/self/status", "re");

	snprintf(format, sizeof(format), "%s: %%llx", name);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, format, &value) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return value;
}

static bool has(const char *set, unsigned int cap)
{
	return (status(set) >> cap & 1) != 0;
}

/* Return: the exit status of a process: 0, or the number of what does not hold. */
static int try_start(char *user)
{
	struct npf_config conf = {.npf.user = user};
	struct npf_error err;
	bool may_become = user != NULL;

	if (npf_privileges_confine(&conf, &err) < 0)
		return 1;
	if (status("NoNewPrivs") != 1)
		return 2;
	if (!has("CapEff", NET_RAW) || has("CapEff", SETUID) != may_become)
		return 3;
	if (has("CapPrm", SYS_MODULE) || has("CapPrm", SYS_BOOT) || has("CapBnd", SYS_BOOT))
		return 4;
	if (user != NULL && status("CapBnd") != 0)
		return 5;
	return 0;
}

/* Anew: as the daemon executes itself when hugepages have run out. */
static int start(char *user, bool anew)
{
	pid_t pid = fork();
	int rc = 0;

	if (pid == 0) {
		rc = try_start(user);
		if (rc == 0 && anew)
			execl("/proc/self/exe", "test_privileges", "anew", user, NULL);
		_exit(rc);
	}
	assert_int_equal(waitpid(pid, &rc, 0), pid);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static void need_root(void)
{
	if (geteuid() != 0 || !has("CapEff", 8)) /* CAP_SETPCAP */
		skip();
}

static char nobody[] = "nobody";

static void root_keeps_what_devices_need_and_no_more(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(start(NULL, false), 0);
	assert_int_equal(start(nobody, false), 0);
}

static void a_daemon_that_begins_anew_can_still_start(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(start(NULL, true), 0);
	assert_int_equal(start(nobody, true), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_keeps_what_devices_need_and_no_more),
		cmocka_unit_test(a_daemon_that_begins_anew_can_still_start),
	};

	if (argc > 1)
		return try_start(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
