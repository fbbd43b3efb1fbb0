/* SPDX-License-Identifier: BSD-3-Clause */
/* runtime_dir.c - see eal.h. */
#include "eal/eal.h"

#include <rte_eal.h>
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/*
 * A directory in which nobody else can make, remove or replace names. Only then is a name that was
 * seen there still the same file a moment later.
 * Return: a descriptor; -EPERM: it is not such a directory; -ENOTDIR or -ELOOP: no directory, or a
 * link; or -errno of openat().
 */
static int open_own_dir(int at, const char *name)
{
	npf_autofd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return -EPERM;
	return npf_steal_fd(&fd);
}

/* Takes fd over. */
static DIR *read_dir(int fd)
{
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d == NULL)
		npf_close(fd);
	return d;
}

/* Removes what the EAL of a process kept in its runtime directory: its telemetry socket, and then
 * nothing. */
static void remove_runtime_dir(int parent, const char *name)
{
	DIR *d = read_dir(open_own_dir(parent, name));
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	unlinkat(parent, name, AT_REMOVEDIR);
}

void npf_eal_sweep_runtime_dirs(const char *prefix)
{
	size_t prefix_len = strlen(prefix);
	char parent[PATH_MAX];
	struct dirent *e;
	int pid, end;
	DIR *d;

	snprintf(parent, sizeof(parent), "%s", rte_eal_get_runtime_dir());
	dirname(parent);
	d = read_dir(open_own_dir(AT_FDCWD, parent));
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		const char *number = e->d_name + prefix_len;

		if (strncmp(e->d_name, prefix, prefix_len) != 0 ||
			sscanf(number, "%d%n", &pid, &end) != 1 || number[end] != '\0')
			continue;
		if (pid == (int)getpid() || (kill(pid, 0) < 0 && errno == ESRCH))
			remove_runtime_dir(dirfd(d), e->d_name);
	}
	closedir(d);
}

int npf_eal_check_runtime_dir(struct npf_error *err)
{
	static const char path[] = "/tmp/dpdk";
	int rc;

	if (geteuid() == 0 || getenv("XDG_RUNTIME_DIR") != NULL)
		return 0;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return npf_error_set(err, -errno, "%s can't be made: %s; set XDG_RUNTIME_DIR", path,
			strerror(errno));
	rc = open_own_dir(AT_FDCWD, path);
	if (rc < 0)
		return npf_error_set(err, -EPERM,
			"%s is not a directory of user %u's that nobody else can write to: set "
			"XDG_RUNTIME_DIR to one that is",
			path, geteuid());
	npf_close(rc);
	return 0;
}
