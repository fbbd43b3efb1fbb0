/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon.c - start and stop, in the order in which they must happen.
 *
 * The socket comes first, so that a second daemon fails before it touches a device; signals are
 * blocked with it, before there are other threads. Rights that nothing needs are dropped first, the
 * others last, when all devices are open.
 */
#include "engine/daemon.h"

#include "engine/config/config.h"
#include "engine/control/control.h"
#include "device/devargs.h"
#include "engine/dump/dump.h"
#include "engine/port/port.h"
#include "engine/lifecycle/lifecycle.h"
#include "device/iface_ring.h"
#include "eal/eal.h"
#include "base/log.h"
#include "engine/privileges.h"
#include "engine/syscalls/syscalls.h"
#include "engine/send/configured.h"
#include "engine/monitor/monitor.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

static int load(const struct npf_daemon_options *o, struct npf_config **cp)
{
	struct npf_config_faults faults;
	struct npf_error err;
	char *path;
	int rc;

	if (o->config != NULL)
		rc = npf_config_load(o->config, cp, &faults);
	else
		rc = npf_config_from_vdevs(o->vdevs, o->n_vdevs, cp, &faults);
	if (rc < 0) {
		for (char *line = strtok(faults.lines, "\n"); line != NULL;
			line = strtok(NULL, "\n"))
			npf_err("%s", line);
		return rc;
	}
	rc = npf_replayed_check(*cp, &err);
	if (rc == 0)
		rc = npf_monitors_check(*cp, &err);
	if (rc == 0)
		rc = npf_sends_check(*cp, &err);
	if (rc < 0) {
		npf_err("%s", err.text);
		return rc;
	}
	rc = npf_privileges_settle(*cp);
	if (rc < 0 || o->socket == NULL)
		return rc;
	path = strdup(o->socket);
	if (path == NULL)
		return -ENOMEM;
	free((*cp)->npf.socket);
	(*cp)->npf.socket = path;
	return 0;
}

/* Each session takes a handful of descriptors: ask for as many as we may have. And while root, for
 * memory that may be locked: the kernel counts what dumps are written from by it. */
static void raise_limits(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit lim;

	if (geteuid() == 0)
		setrlimit(RLIMIT_MEMLOCK, &unlimited);

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
	/* A file that may not become larger (ulimit -f) is like a disk that is full. */
	signal(SIGXFSZ, SIG_IGN);
}

/* The EAL can't be tried twice in one process. Returns only when there is no reason to try again,
 * or no way to. */
static void try_again(
	const struct npf_config *conf, char **argv, bool hugepages, struct npf_control **cp)
{
	if (!hugepages || conf->eal.hugepages == NPF_HUGEPAGES_ON || argv == NULL)
		return;
	npf_warn("DPDK can't have the hugepages that were free a moment ago: starting again on "
		 "ordinary pages, which is slower");
	*cp = npf_control_free(*cp);
	npf_eal_begin_anew(argv);
}

static int serve(const struct npf_config *conf, const struct npf_daemon_options *o)
{
	struct npf_control *control = NULL;
	struct npf_engine *engine = NULL;
	struct npf_error err = {"out of memory"};
	bool hugepages = false, eal = false;
	int rc;

	raise_limits();
	json_object_seed(0); /* from /dev/urandom, which not every thread can open later */
	rc = npf_privileges_check(conf, &err);
	if (rc == 0)
		rc = npf_privileges_confine(conf, &err);
	if (rc == 0)
		rc = npf_control_listen(conf, &control, &err);
	if (rc == 0)
		rc = npf_dpdk_init(conf, &hugepages, &err);
	/* Fewer than it wants, or none at all. */
	if (rc == -ENOMEM || rc == -EACCES)
		try_again(conf, o->argv, hugepages, &control);
	eal = rc == 0 && control != NULL;
	/* While there are no threads but the EAL's: others have lists of their own beside this. */
	if (rc == 0)
		rc = npf_syscalls_forbid(npf_privileges_have_io_ports(conf), &err);
	if (rc == 0)
		rc = npf_lifecycle_begin(conf, hugepages, &engine, &err);
	if (rc == 0)
		rc = npf_privileges_drop(conf, o->dumpable, &err);
	/* Files are made by the user that the daemon stays. */
	if (rc == 0)
		rc = npf_dumps_start_configured(engine, NULL, &err);
	if (rc == 0)
		rc = npf_sends_start_configured(engine, NULL, &err);
	if (rc == 0) {
		for (unsigned int i = 0; i < engine->n_ports; i++)
			npf_info("port %s: %s, %u rx queue%s", engine->ports[i]->port.conf->name,
				engine->ports[i]->port.conf->device,
				engine->ports[i]->port.n_queues,
				engine->ports[i]->port.n_queues == 1 ? "" : "s");
		npf_log(NPF_LOG_INFO, "ready");
		sd_notify(0, "READY=1");
		rc = npf_control_run(control, engine);
		if (rc < 0)
			npf_error_set(&err, rc, "can't wait for clients: %s", strerror(-rc));
		sd_notify(0, "STOPPING=1");
	}
	if (rc < 0)
		npf_err("%s", err.text);
	if (eal)
		npf_eal_stop_interrupts();
	npf_lifecycle_end(engine);
	npf_control_free(control);
	if (eal)
		npf_dpdk_cleanup();
	return rc;
}

/* A configuration is good also where its interfaces are not there (yet). */
static void warn_of_missing(const struct npf_config *conf)
{
	struct npf_iface_info info;
	char name[NPF_IFACE_NAME];

	for (unsigned int i = 0; i < conf->n_ports; i++) {
		const struct npf_config_port *p = &conf->ports[i];

		/* A TAP is made by its driver. */
		if (strncmp(p->device, "net_tap", 7) != 0 && npf_devargs_iface(p->device, name) &&
			npf_iface_get_info(name, &info) < 0)
			npf_warn("port %s: there is no interface \"%s\" now: it must be there when "
				 "the daemon starts",
				p->name, name);
	}
}

int npf_daemon_run(const struct npf_daemon_options *o)
{
	struct npf_config *conf = NULL;
	int rc = load(o, &conf);

	if (rc == 0 && o->check) {
		warn_of_missing(conf);
		npf_info("%s: good: %u port%s", o->config != NULL ? o->config : "the command line",
			conf->n_ports, conf->n_ports == 1 ? "" : "s");
	} else if (rc == 0) {
		rc = serve(conf, o);
	}
	npf_config_free(conf);
	return rc;
}
