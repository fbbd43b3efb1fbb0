/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal.c - the generator's EAL: the user's arguments, and defaults for what they leave open.
 *
 * Hugepages without files (--in-memory) when some are free, else ordinary pages, with a warning.
 * The PCI bus is left alone when a virtual device is named and no PCI device is. When the EAL does
 * not start although hugepages were free, the program begins anew without them.
 */
#include "txgen/run/txgen.h"

#include "eal/eal.h"

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
		huge = !npf_eal_is_second_try() && npf_eal_free_hugepages() >= WANT_HUGE_MB;
		plain = !huge;
		args[n++] = npf_unconst(huge ? "--in-memory" : "--no-huge");
		if (plain && !npf_eal_is_second_try())
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
	rc = npf_eal_check_runtime_dir(err);
	if (rc < 0)
		return rc;
	if (rte_eal_init(n, args) < 0) {
		rc = rte_errno != 0 ? -rte_errno : -EINVAL;
		if (huge) {
			fprintf(stderr,
				"npf-txgen: that failed with hugepages: trying without (slower)\n");
			npf_eal_begin_anew(argv);
		}
		return npf_error_set(err, rc, "the EAL does not start: %s (see its messages above)",
			rte_strerror(-rc));
	}
	return n_eal + 1 < argc ? n_eal + 2 : argc;
}

void npf_txgen_eal_fini(void)
{
	rte_eal_cleanup();
}
