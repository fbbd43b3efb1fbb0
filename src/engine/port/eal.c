/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal.c - the EAL's command line.
 *
 * Hugepages in memory (--in-memory: no files, so nothing to clash with or to clean up) when
 * enough are free, else ordinary pages. PCI devices are only touched when the configuration names
 * one. What stands in eal.args comes last and wins.
 */
#include "engine/port/eal.h"

#include "base/log.h"
#include "eal/hugepages.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* The EAL leaves its runtime directory behind; remove ours, and those of daemons that were killed.
 */
static void sweep_runtime_dirs(void)
{
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
		if (sscanf(e->d_name, PREFIX "%d%n", &pid, &end) != 1 || e->d_name[end] != '\0')
			continue;
		if (pid == (int)getpid() || (kill(pid, 0) < 0 && errno == ESRCH))
			remove_runtime_dir(dirfd(d), e->d_name);
	}
	closedir(d);
}

/*
 * Without a runtime directory of its user the EAL uses one in /tmp, and makes and removes sockets
 * in whatever it finds under its names there. So it must be ours before the EAL starts.
 */
static int check_runtime_dir(struct npf_error *err)
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

	rc = check_runtime_dir(err);
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
	sweep_runtime_dirs();
}
