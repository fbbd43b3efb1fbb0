/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - the configuration: what the YAML file (or the command line) asked for, checked.
 *
 * A loaded configuration is complete (defaults filled in) and consistent. The rest of the engine
 * only reads it.
 */
#ifndef NPF_ENGINE_CONFIG_CONFIG_H
#define NPF_ENGINE_CONFIG_CONFIG_H

#include "base/base.h"
#include "engine/config/dump.h"
#include "engine/config/monitor.h"
#include "engine/config/port.h"
#include "engine/config/replayed.h"
#include "engine/config/send.h"

enum npf_poll {
	NPF_POLL_ADAPTIVE, /* spin, then pause, then sleep up to a bound */
	NPF_POLL_BUSY,     /* always spin */
};

enum npf_hugepages {
	NPF_HUGEPAGES_AUTO, /* when enough are free, else ordinary pages with a warning */
	NPF_HUGEPAGES_ON,   /* required */
	NPF_HUGEPAGES_OFF,
};

struct npf_config_limits {
	uint32_t connections;   /* per uid */
	uint32_t sessions;      /* per uid */
	uint32_t memory;        /* MiB of ring memory per uid */
	uint32_t filter;        /* instructions of one filter */
	uint32_t buffer;        /* MiB: the largest buffer of one session */
	uint32_t lasting_dumps; /* per uid: dumps that outlive the connection that began them */
	uint32_t tap;           /* per cent of a tap's time, per uid, while others share the tap */
};

struct npf_config_daemon {
	char *socket;
	char *group; /* may use the socket; "any": all users; NULL: npf if there is such a group,
			else the owner only */
	char *user;  /* the daemon runs as this one once the devices are open; NULL: no change */
	enum npf_poll poll;
	enum npf_switch telemetry; /* absent: on */
	uint32_t buffer;           /* KiB: a session's buffer unless the client says a size */
	int *send_cpu;             /* of the send worker; NULL: the main lcore's */
	struct npf_config_limits limits;
};

struct npf_config_eal {
	char *lcores;    /* for --lcores; NULL: one main and one tap lcore */
	uint32_t memory; /* MiB */
	enum npf_hugepages hugepages;
	char **args; /* passed on as they are */
	unsigned int n_args;
};

struct npf_config {
	struct npf_config_daemon npf;
	struct npf_config_eal eal;
	struct npf_config_port *ports;
	unsigned int n_ports;
	struct npf_config_monitor *monitors;
	unsigned int n_monitors;
	struct npf_config_dump *dumps;
	unsigned int n_dumps;
	struct npf_config_send *sends;
	unsigned int n_sends;
};

/* What is wrong with a configuration: lines for people, with file name and line number. */
struct npf_config_faults {
	char lines[2048];
};

/*
 * npf_config_load - read, check and complete a YAML file.
 * Return: 0, or -errno; then faults has a line at least, unless memory ran out.
 * Owns:   *cp is the caller's, freed by npf_config_free().
 */
int npf_config_load(const char *path, struct npf_config **cp, struct npf_config_faults *faults);

/*
 * npf_config_from_vdevs - the configuration that `--vdev SPEC ...` stands for: ports npf0, npf1,
 * ... that may be sent on; a replay of a savefile waits for a client. Return: as npf_config_load().
 */
int npf_config_from_vdevs(char *const *specs, unsigned int n, struct npf_config **cp,
	struct npf_config_faults *faults);

struct npf_config *npf_config_free(struct npf_config *c); /* NULL is fine; returns NULL */

#endif
