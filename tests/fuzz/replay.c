/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - runs a fuzz target over its kept corpus, as an ordinary test.
 *
 * Argument: a file of the corpus; every file in its directory is run. An input that crashed once is
 * kept there, so that it never crashes again unnoticed.
 */
#include <dirent.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	int rc = 1;

	if (f == NULL || fstat(fileno(f), &st) < 0 ||
		(data = malloc((size_t)st.st_size + 1)) == NULL) {
		perror(path);
		if (f != NULL)
			fclose(f);
		return 1;
	}
	if (fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size) {
		/* A copy of the exact size, so that a sanitizer sees one byte too far. */
		uint8_t *exact = malloc((size_t)st.st_size);

		if (exact != NULL || st.st_size == 0) {
			memcpy(exact != NULL ? exact : data, data, (size_t)st.st_size);
			LLVMFuzzerTestOneInput(exact != NULL ? exact : data, (size_t)st.st_size);
			rc = 0;
		}
		free(exact);
	}
	free(data);
	fclose(f);
	return rc;
}

int main(int argc, char **argv)
{
	unsigned int n = 0;
	struct dirent *e;
	const char *dir;
	DIR *d;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE-OF-THE-CORPUS\n", argv[0]);
		return 2;
	}
	dir = dirname(argv[1]);
	d = opendir(dir);
	if (d == NULL) {
		perror(dir);
		return 1;
	}
	while ((e = readdir(d)) != NULL) {
		char path[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (run_file(path) != 0) {
			closedir(d);
			return 1;
		}
		n++;
	}
	closedir(d);
	printf("%u inputs\n", n);
	return n > 0 ? 0 : 1;
}
