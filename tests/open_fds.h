/* SPDX-License-Identifier: BSD-3-Clause */
/* open_fds.h - how many descriptors this process has, for tests that compare two counts. */
#ifndef TESTS_OPEN_FDS_H
#define TESTS_OPEN_FDS_H

#include <dirent.h>
#include <stdlib.h>

static inline int n_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (dir == NULL)
		abort();
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

#endif
