/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fakeusers.c - preloaded into a program: its directory of users has one user and one group more,
 * both named fakeuser, and may be away. FAKEUSERS names a file of three native 64-bit numbers,
 * which a test changes while the program runs: 1 where look-ups of fakeuser never return; the
 * number of fakeuser, 0 where there is none; the nanoseconds that CLOCK_MONOTONIC is ahead.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ll
#define EXPORT   __attribute__((visibility("default")))

static const volatile struct {
	int64_t is_away, id, ahead;
} * directory;

static char fakeuser[] = "fakeuser";

__attribute__((constructor)) static void map_file(void)
{
	const char *path = getenv("FAKEUSERS");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = mmap(NULL, sizeof(*directory), PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		abort();
	directory = at;
}

/* Is it the directory's user? Then his number, once the directory answers. */
static int is_ours(const char *name, int64_t *idp)
{
	if (strcmp(name, fakeuser) != 0)
		return 0;
	while (directory->is_away != 0)
		usleep(10000);
	*idp = directory->id;
	return 1;
}

EXPORT int getpwnam_r(
	const char *name, struct passwd *pw, char *buf, size_t room, struct passwd **found)
{
	int (*next)(const char *, struct passwd *, char *, size_t, struct passwd **);
	int64_t id;

	if (!is_ours(name, &id)) {
		*(void **)&next = dlsym(RTLD_NEXT, "getpwnam_r");
		return next(name, pw, buf, room, found);
	}
	*pw = (struct passwd){.pw_name = fakeuser, .pw_uid = (uid_t)id};
	*found = id != 0 ? pw : NULL;
	return 0;
}

EXPORT int getgrnam_r(
	const char *name, struct group *gr, char *buf, size_t room, struct group **found)
{
	int (*next)(const char *, struct group *, char *, size_t, struct group **);
	int64_t id;

	if (!is_ours(name, &id)) {
		*(void **)&next = dlsym(RTLD_NEXT, "getgrnam_r");
		return next(name, gr, buf, room, found);
	}
	*gr = (struct group){.gr_name = fakeuser, .gr_gid = (gid_t)id};
	*found = id != 0 ? gr : NULL;
	return 0;
}

EXPORT struct passwd *getpwnam(const char *name)
{
	static struct passwd pw;
	static char buf[4096];
	struct passwd *found = NULL;

	getpwnam_r(name, &pw, buf, sizeof(buf), &found);
	return found;
}

EXPORT struct group *getgrnam(const char *name)
{
	static struct group gr;
	static char buf[65536];
	struct group *found = NULL;

	getgrnam_r(name, &gr, buf, sizeof(buf), &found);
	return found;
}

EXPORT int clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_MONOTONIC && directory != NULL) {
		int64_t ns = ts->tv_sec * NS_PER_S + ts->tv_nsec + directory->ahead;

		ts->tv_sec = ns / NS_PER_S;
		ts->tv_nsec = ns % NS_PER_S;
	}
	return rc;
}
