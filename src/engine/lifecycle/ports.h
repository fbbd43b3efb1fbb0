/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.h - opens and removes ports: those of the configuration at start, others at run time.
 *
 * All belongs to the control thread.
 */
#ifndef NPF_ENGINE_LIFECYCLE_PORTS_H
#define NPF_ENGINE_LIFECYCLE_PORTS_H

#include "base/error.h"
#include "engine/core/core.h"

/* Open all ports of the configuration, start them and their shadows. Return: 0, or -errno with a
 * text in err. */
int npf_ports_open(struct npf_engine *e, struct npf_error *err);

/* Close all; no tap and no sender runs. */
void npf_ports_close(struct npf_engine *e);

/*
 * npf_ports_add - one more port, with the monitors, dumps and sends of the configuration that name
 * it.
 * @conf:  checked by npf_config_port_check(), and complete
 * @allow: its list, whose names have been looked up
 * Owns:   both are taken, also on failure
 * Return: 0; -errno with a text in err, and nothing has changed.
 */
int npf_ports_add(struct npf_engine *e, struct npf_config_port *conf, struct npf_allow *allow,
	struct npf_engine_port **pp, struct npf_error *err);

/* What has ended with a port. */
struct npf_ports_ended {
	unsigned int n_sessions;
	unsigned int n_monitors; /* configured ones */
	unsigned int n_dumps;
	unsigned int n_sends; /* configured ones */
	unsigned int n_done;
	int done[NPF_WIRE_MAXFDS]; /* readable once a dump is on disk; Lifetime: the dumps' */
};

/*
 * npf_ports_del - remove a port: nothing polls it any more, what uses it ends, its device is
 * closed. Sessions stay, without anything to come, until their clients leave. Return: 0; -ENOMEM:
 * all is as before.
 */
int npf_ports_del(struct npf_engine *e, struct npf_engine_port *p, struct npf_ports_ended *ended);

/*
 * npf_ports_reopen - a port goes on with the interface that bears its name now; what uses the port
 * stays. Return: 0; -errno, with a text in err: the port does not run.
 */
int npf_ports_reopen(struct npf_engine *e, struct npf_engine_port *p, struct npf_error *err);

/* Look up the names of allow lists where that is due; free the removed ports that have no reference
 * left. To be called now and then. */
void npf_ports_tick(struct npf_engine *e);

#endif
