/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal.c - the EAL's command line.
 *
 * Hugepages in memory (--in-memory: no files, so nothing to clash with or to clean up) when
 * enough are free, else ordinary pages. PCI devices are only touched when the configuration names
 * one. What stands in eal.args comes last and wins.
 */
#include "engine/port/port.h"

#include "base/log.h"
#include "eal/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_ARGS 512
#define PREFIX   "npf-" /* and the process id: the EAL's files of this daemon */

struct args {
	char *v[MAX_ARGS + 1];
	int n;
};

static void add(struct args *a, const char *fmt, ...) NPF_PRINTF(2, 3);

static void add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == MAX_ARGS)
		return;
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n], fmt, ap) >= 0)
		a->n++;
	va_end(ap);
}

static bool has_arg(const struct npf_config_eal *eal, const char *name)
{
	size_t len = strlen(name);

	for (unsigned int i = 0; i < eal->n_args; i++)
		if (strncmp(eal->args[i], name, len) == 0 &&
			(eal->args[i][len] == '\0' || eal->args[i][len] == '='))
			return true;
	return false;
}

static int choose_hugepages(const struct npf_config_eal *eal, bool *usep, struct npf_error *err)
{
	unsigned long have = npf_eal_free_hugepages();

	*usep = eal->hugepages != NPF_HUGEPAGES_OFF && !has_arg(eal, "--no-huge") &&
		!npf_eal_is_second_try();
	if (!*usep || have >= eal->memory)
		return 0;
	if (eal->hugepages == NPF_HUGEPAGES_ON)
		return npf_error_set(err, -ENOMEM,
			"eal.hugepages: %u MiB of hugepages are needed, %lu are free; reserve some "
			"with `echo 512 > /proc/sys/vm/nr_hugepages`",
			eal->memory, have);
	npf_warn("%lu MiB of hugepages are free, %u are wanted: using ordinary pages, which is "
		 "slower; `echo 512 > "
		 "/proc/sys/vm/nr_hugepages` reserves 1 GiB",
		have, eal->memory);
	*usep = false;
	return 0;
}

/* One main and one tap lcore, on the first two CPUs that this process may use. */
static void add_default_lcores(struct args *a)
{
	int cpus[2] = {0, -1}, n = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
			if (CPU_ISSET(cpu, &set))
				cpus[n++] = cpu;
	if (n < 2)
		npf_warn("only one CPU can be used: control and tap share it, packets may be lost");
	add(a, "--lcores=0@%d,1@%d", cpus[0], n < 2 ? cpus[0] : cpus[1]);
}

/*
 * The EAL answers a wrong argument with its whole usage text on standard output, which belongs to
 * nobody here: our own error says where to look. Return: what restore_stdout() wants.
 */
static int silence_stdout(void)
{
	npf_autofd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	fflush(stdout);
	if (null < 0 || saved < 0 || dup2(null, STDOUT_FILENO) < 0)
		return npf_close(saved);
	return saved;
}

static void restore_stdout(int saved)
{
	fflush(stdout);
	if (saved >= 0)
		dup2(saved, STDOUT_FILENO);
	npf_close(saved);
}

int npf_dpdk_init(const struct npf_config *conf, bool *hugepagesp, struct npf_error *err)
{
	/* The EAL keeps pointers to the strings: they live as long as the process. */
	static struct args a;
	const struct npf_config_eal *eal = &conf->eal;
	bool pci = false;
	int rc, saved_stdout;

	rc = npf_eal_check_runtime_dir(err);
	if (rc == 0)
		rc = choose_hugepages(eal, hugepagesp, err);
	if (rc < 0)
		return rc;
	add(&a, "npf-dpdk");
	if (*hugepagesp) {
		add(&a, "--in-memory");
	} else {
		add(&a, "--no-shconf");
		if (!has_arg(eal, "--no-huge"))
			add(&a, "--no-huge");
	}
	add(&a, "-m");
	add(&a, "%u", eal->memory);
	if (eal->lcores != NULL)
		add(&a, "--lcores=%s", eal->lcores);
	else
		add_default_lcores(&a);
	for (unsigned int i = 0; i < conf->n_ports; i++) {
		if (!npf_config_is_pci(conf->ports[i].device))
			continue;
		pci = true;
		add(&a, "--allow=%s", conf->ports[i].device);
	}
	if (!pci && !has_arg(eal, "--no-pci"))
		add(&a, "--no-pci");
	if (!has_arg(eal, "--file-prefix"))
		add(&a, "--file-prefix=" PREFIX "%d", (int)getpid());
	if (conf->npf.telemetry == NPF_SWITCH_OFF && !has_arg(eal, "--no-telemetry"))
		add(&a, "--no-telemetry");
	if (!has_arg(eal, "--log-level")) {
		/* The EAL warns of every kind of hugepage that this machine does not have. */
		add(&a, "--log-level=warning");
		add(&a, "--log-level=lib.eal:error");
		add(&a, "--log-level=lib.telemetry:error");
	}
	for (unsigned int i = 0; i < eal->n_args; i++)
		add(&a, "%s", eal->args[i]);

	/* rte_eal_init() reorders the array it gets, so it gets one of its own. */
	char *argv[MAX_ARGS + 1];

	memcpy(argv, a.v, sizeof(argv));
	saved_stdout = silence_stdout();
	rc = rte_eal_init(a.n, argv);
	restore_stdout(saved_stdout);
	if (rc < 0) {
		rc = rte_errno != 0 ? -rte_errno : -EINVAL;
		return npf_error_set(err, rc,
			"DPDK can't start: %s; look at eal.lcores, eal.memory, eal.args (its own "
			"words stand above)",
			strerror(-rc));
	}
	return 0;
}

void npf_dpdk_cleanup(void)
{
	rte_eal_cleanup();
	npf_eal_sweep_runtime_dirs(PREFIX);
}
