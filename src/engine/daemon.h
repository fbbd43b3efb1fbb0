/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon.h - the door of the engine: the daemon, from its configuration to its orderly end.
 */
#ifndef NPF_ENGINE_DAEMON_H
#define NPF_ENGINE_DAEMON_H

#include "base/base.h"

struct npf_daemon_options {
	const char *config; /* YAML file, or NULL: then the vdevs */
	const char *socket; /* overrides the configuration's; or NULL */
	char *const *vdevs; /* devargs of ports npf0, npf1, ... */
	unsigned int n_vdevs;
	bool check;    /* only say whether the configuration is good */
	bool dumpable; /* core is dumped, and the daemon's own user may debug it */
	char **argv;   /* how the process was started, to start it again; or NULL */
};

/*
 * npf_daemon_run - serve until SIGTERM or SIGINT. What there is to say goes to the log.
 * Context: the main thread, once in a process: the EAL can't be started twice.
 * Return:  0 after an orderly stop, or -errno.
 */
int npf_daemon_run(const struct npf_daemon_options *o);

#endif
