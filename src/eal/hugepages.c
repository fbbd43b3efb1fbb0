/* SPDX-License-Identifier: BSD-3-Clause */
/* hugepages.c - the kernel's counts in sysfs, and a mark in the environment. */
#include "eal/eal.h"

#include <dirent.h>
#include <stdio.h>

#define DIR_PATH   "/sys/kernel/mm/hugepages"
#define SECOND_TRY "NPF_DPDK_SECOND_TRY"

/* 0 where it can't be read. */
static unsigned long read_count(const char *size, const char *name)
{
	char path[512];
	unsigned long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), DIR_PATH "/%s/%s", size, name);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

unsigned long npf_eal_free_hugepages(void)
{
	DIR *d = opendir(DIR_PATH);
	unsigned long mib = 0, kib;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		unsigned long n, reserved;

		if (sscanf(e->d_name, "hugepages-%lukB", &kib) != 1)
			continue;
		n = read_count(e->d_name, "free_hugepages");
		reserved = read_count(e->d_name, "resv_hugepages");
		mib += (n - NPF_MIN(n, reserved)) * kib / 1024;
	}
	if (d != NULL)
		closedir(d);
	return mib;
}

void npf_eal_begin_anew(char **argv)
{
	if (setenv(SECOND_TRY, "1", 1) == 0)
		execv("/proc/self/exe", argv);
}

bool npf_eal_is_second_try(void)
{
	return getenv(SECOND_TRY) != NULL;
}
