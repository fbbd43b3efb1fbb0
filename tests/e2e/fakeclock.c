/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fakeclock.c - preloaded into a program: its CLOCK_REALTIME is ahead of the system's by as many
 * nanoseconds as stand, a native 64-bit number, in the file that FAKECLOCK names, so that a test
 * can set that program's clock while it runs.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ll

static const volatile int64_t *ahead;

__attribute__((constructor)) static void map_file(void)
{
	static const int64_t none;
	const char *path = getenv("FAKECLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd >= 0 ? mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		close(fd);
	ahead = at != MAP_FAILED ? at : &none;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_REALTIME && ahead != NULL) {
		int64_t ns = ts->tv_sec * NS_PER_S + ts->tv_nsec + *ahead;

		ts->tv_sec = ns / NS_PER_S;
		ts->tv_nsec = ns % NS_PER_S;
	}
	return rc;
}
