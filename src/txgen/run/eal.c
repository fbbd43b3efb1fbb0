/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal.c - the generator's EAL: the user's arguments, and defaults for what they leave open.
 *
 * Hugepages without files (--in-memory) when some are free, else ordinary pages, told on stderr.
 * The PCI bus is left alone when a virtual device is named and no PCI device is. When the EAL does
 * not come up with hugepages that looked free (others may have taken them meanwhile), the program
 * starts itself anew with --no-huge, as an EAL cannot be initialised twice.
 */
#include "txgen/run/txgen.h"

#include <dirent.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_ARGS     256
#define WANT_HUGE_MB 96
#define PLAIN_MB     "256"

static bool given(int n, char **args, const char *const *names)
{
	for (int i = 0; i < n; i++) {
		for (const char *const *name = names; *name != NULL; name++) {
			size_t len = strlen(*name);
			bool brief = (*name)[1] != '-';

			if (strncmp(args[i], *name, len) == 0 &&
				(brief || args[i][len] == '\0' || args[i][len] == '='))
				return true;
		}
	}
	return false;
}

static const char *const memory_args[] = {"--in-memory", "--no-huge", "--file-prefix", "--huge-dir",
	"--huge-unlink", "--socket-mem", "--proc-type", "--single-file-segments", "--legacy-mem",
	"--match-allocations", NULL};
static const char *const no_huge[] = {"--no-huge", NULL};
static const char *const size_args[] = {"-m", NULL};
static const char *const vdev_args[] = {"--vdev", NULL};
static const char *const pci_args[] = {"-a", "-b", "-w", "--allow", "--block", "--no-pci", NULL};
static const char *const shconf_args[] = {"--no-shconf", "--in-memory", NULL};
static const char *const telemetry_args[] = {"--no-telemetry", "--telemetry", NULL};

static unsigned long read_number(const char *dir, const char *name)
{
	char path[512];
	unsigned long v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/%s", dir, name);
	f = fopen(path, "r");
	if (f != NULL) {
		if (fscanf(f, "%lu", &v) != 1)
			v = 0;
		fclose(f);
	}
	return v;
}

static unsigned long free_huge_mb(void)
{
	DIR *d = opendir("/sys/kernel/mm/hugepages");
	unsigned long mb = 0, kb;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (sscanf(e->d_name, "hugepages-%lukB", &kb) == 1) {
			unsigned long n = read_number(e->d_name, "free_hugepages");
			unsigned long taken = read_number(e->d_name, "resv_hugepages");

			mb += n > taken ? (n - taken) * kb / 1024 : 0;
		}
	}
	if (d != NULL)
		closedir(d);
	return mb;
}

static void again_without_hugepages(int argc, char **argv, int n_eal)
{
	char *args[MAX_ARGS + 3];
	int n = 0;

	if (argc > MAX_ARGS)
		return;
	fprintf(stderr, "npf-txgen: that failed with hugepages: trying without (slower)\n");
	for (int i = 0; i < argc; i++) {
		args[n++] = argv[i];
		if (i == n_eal)
			args[n++] = npf_unconst("--no-huge");
	}
	args[n] = NULL;
	execv("/proc/self/exe", args);
}

int npf_txgen_eal_init(int argc, char **argv, struct npf_error *err)
{
	char *args[MAX_ARGS + 1];
	int n_eal = 0, n = 0, rc;
	bool plain, huge = false;

	while (n_eal + 1 < argc && strcmp(argv[n_eal + 1], "--") != 0)
		n_eal++;
	if (n_eal > MAX_ARGS - 16)
		return npf_error_set(err, -E2BIG, "more than %d EAL arguments", MAX_ARGS - 16);
	for (int i = 0; i <= n_eal; i++)
		args[n++] = argv[i];
	plain = given(n_eal, argv + 1, no_huge);
	if (!given(n_eal, argv + 1, memory_args)) {
		huge = free_huge_mb() >= WANT_HUGE_MB;
		plain = !huge;
		args[n++] = npf_unconst(huge ? "--in-memory" : "--no-huge");
		if (plain)
			fprintf(stderr,
				"npf-txgen: fewer than %d MB of hugepages are free: using ordinary "
				"pages, slower (to change that: dpdk-hugepages.py -r 256M)\n",
				WANT_HUGE_MB);
	}
	if (plain && !given(n_eal, argv + 1, size_args)) {
		args[n++] = npf_unconst("-m");
		args[n++] = npf_unconst(PLAIN_MB);
	}
	if (plain && !given(n_eal, argv + 1, shconf_args))
		args[n++] = npf_unconst("--no-shconf");
	if (given(n_eal, argv + 1, vdev_args) && !given(n_eal, argv + 1, pci_args))
		args[n++] = npf_unconst("--no-pci");
	if (geteuid() != 0 && !given(n_eal, argv + 1, telemetry_args))
		args[n++] = npf_unconst("--no-telemetry");
	args[n] = NULL;
	if (rte_eal_init(n, args) < 0) {
		rc = rte_errno != 0 ? -rte_errno : -EINVAL;
		if (huge)
			again_without_hugepages(argc, argv, n_eal);
		return npf_error_set(err, rc, "the EAL does not start: %s (see its messages above)",
			rte_strerror(-rc));
	}
	return n_eal + 1 < argc ? n_eal + 2 : argc;
}

void npf_txgen_eal_fini(void)
{
	rte_eal_cleanup();
}
