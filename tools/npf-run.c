/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npf-run.c - run an unmodified libpcap program with libnpfdp as its libpcap.
 *
 * It puts the directory of the compat libpcap.so.0.8 in front of LD_LIBRARY_PATH and becomes
 * the program. The directory is found from where npf-run itself lies, in the build tree and
 * installed alike, so a moved installation still works. Programs with set-user-ID or file
 * capabilities ignore LD_LIBRARY_PATH; npf-run(1) says what to do for them.
 */
#include "base/base.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "npf-run-config.h"

static const char usage[] =
	"usage: npf-run [--socket PATH] PROGRAM [ARG...]\n"
	"Runs PROGRAM with libnpfdp as its libpcap: DPDK ports of npf-dpdk are devices to it.\n"
	"  --socket PATH  control socket of npf-dpdk (default: $NPF_SOCKET, else " NPF_RUN_SOCKET
	")\n"
	"  --print-dir    print the directory of the compat libpcap.so.0.8 and exit\n";

/* Where the compat library may lie, relative to npf-run's own directory. */
static const char *const places[] = {
	"../src/api/compat",
	NPF_RUN_COMPAT_RELATIVE,
	NPF_RUN_COMPAT_INSTALLED,
};

/* Writes the directory with the compat library into dir. Return: 0 or -ENOENT. */
static int find_compat(char dir[PATH_MAX])
{
	char self[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -ENOENT;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < NPF_ARRAY_LEN(places); i++) {
		if (places[i][0] == '/')
			snprintf(path, sizeof(path), "%s/libpcap.so.0.8", places[i]);
		else
			snprintf(path, sizeof(path), "%s/%s/libpcap.so.0.8", self, places[i]);
		if (access(path, R_OK) < 0)
			continue;
		*strrchr(path, '/') = '\0';
		if (realpath(path, dir) != NULL)
			return 0;
	}
	return -ENOENT;
}

static int put_in_front(const char *name, const char *dir)
{
	const char *old = getenv(name);
	npf_autofree char *value = NULL;

	if (old == NULL || old[0] == '\0')
		return setenv(name, dir, 1);
	if (asprintf(&value, "%s:%s", dir, old) < 0)
		return -1;
	return setenv(name, value, 1);
}

/* The program may change its directory before it opens a device. */
static int set_socket(const char *path)
{
	npf_autofree char *cwd = NULL;
	npf_autofree char *value = NULL;

	if (path[0] == '/')
		return setenv("NPF_SOCKET", path, 1);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL || asprintf(&value, "%s/%s", cwd, path) < 0)
		return -1;
	return setenv("NPF_SOCKET", value, 1);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"print-dir", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	char dir[PATH_MAX];
	bool print = false;
	int opt;

	/* '+': the program's options are the program's. */
	while ((opt = getopt_long(argc, argv, "+s:hV", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			if (set_socket(optarg) < 0) {
				perror("npf-run: --socket");
				return 125;
			}
			break;
		case 'p':
			print = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("npf-run " NPF_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 125;
		}
	}
	if (find_compat(dir) < 0) {
		fputs("npf-run: can't find libnpfdp's libpcap.so.0.8: is it installed?\n", stderr);
		return 125;
	}
	if (print) {
		puts(dir);
		return 0;
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return 125;
	}
	if (put_in_front("LD_LIBRARY_PATH", dir) < 0) {
		perror("npf-run");
		return 125;
	}
	execvp(argv[optind], argv + optind);
	opt = errno;
	fprintf(stderr, "npf-run: %s: %s\n", argv[optind], strerror(opt));
	return opt == ENOENT ? 127 : 126;
}
