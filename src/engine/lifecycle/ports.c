/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - the life of ports, from the probing of the device to the last reference to a removed
 * port.
 *
 * Removal goes from the fast threads outwards: out of the taps' plans, so that no lcore polls the
 * port; out of the sender's hands; then whatever has read from it is ended, each after all that it
 * was given; then the device is closed. Other ports' taps meanwhile go on, but for the exchange of
 * a plan. What is left is a name and counters for the sessions whose clients have not gone yet.
 *
 * Queues are assigned to the taps in turn.
 */
#include "engine/lifecycle/ports.h"

#include "engine/core/core.h"
#include "engine/datapath/datapath.h"
#include "engine/dump/dump.h"
#include "base/log.h"
#include "engine/send/configured.h"
#include "engine/session/session.h"
#include "engine/monitor/monitor.h"

#include <string.h>

static void assign_queues(struct npf_engine *e, struct npf_engine_port *p)
{
	bool seen[NPF_TAPS_MAX] = {false};

	for (uint16_t q = 0; q < p->port.n_queues; q++) {
		uint8_t t = (uint8_t)(e->next_tap++ % e->n_taps);

		p->queue_tap[q] = t;
		if (!seen[t])
			p->taps[p->n_taps++] = t;
		seen[t] = true;
	}
}

static bool has_index(const struct npf_engine *e, uint16_t index)
{
	for (unsigned int i = 0; i < e->n_ports; i++)
		if (e->ports[i]->port.index == index)
			return true;
	for (const struct npf_engine_port *p = e->removed; p != NULL; p = p->next)
		if (p->port.index == index)
			return true;
	return false;
}

/* An index that no port has, nor a removed port that is still referred to. */
static uint16_t alloc_index(struct npf_engine *e)
{
	while (has_index(e, e->next_index))
		e->next_index++;
	return e->next_index++;
}

static void free_port(struct npf_engine_port *p)
{
	npf_config_port_free(p->own_conf);
	npf_allow_free(p->allow);
	npf_joint_set_free(p->set);
	npf_joint_set_free(p->next_set);
	free(p);
}

static void close_device(struct npf_engine_port *p)
{
	npf_engine_port_drop_stalls(p);
	npf_sent_meters_free(npf_txq_swap_sent_meters(&p->port, NULL));
	npf_port_close(&p->port);
}

/* Free the removed ports that have no reference left. */
static void reap(struct npf_engine *e)
{
	for (struct npf_engine_port **at = &e->removed; *at != NULL;) {
		struct npf_engine_port *p = *at;

		if (p->n_refs > 0) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		free_port(p);
	}
}

/* The device is there, and runs unless it waits for a client; no plan has it yet. */
static int open_port(struct npf_engine *e, const struct npf_config_port *conf,
	struct npf_config_port *own_conf, struct npf_allow *allow, struct npf_engine_port **pp,
	struct npf_error *err)
{
	struct npf_engine_port *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL) {
		npf_config_port_free(own_conf);
		npf_allow_free(allow);
		return -ENOMEM;
	}
	p->own_conf = own_conf;
	p->allow = allow;
	rc = npf_port_open(&p->port, conf, alloc_index(e), err);
	if (rc == 0 && conf->start != NPF_START_ATTACH) {
		rc = npf_port_start(&p->port);
		if (rc < 0)
			npf_error_set(
				err, rc, "port %s: can't start: %s", conf->name, strerror(-rc));
	}
	if (rc < 0) {
		close_device(p);
		free_port(p);
		return rc;
	}
	assign_queues(e, p);
	e->ports[e->n_ports++] = p;
	*pp = p;
	return 0;
}

static int open_shadow(struct npf_engine *e, struct npf_engine_port *p, struct npf_error *err)
{
	if (p->port.conf->shadow != NPF_SWITCH_ON)
		return 0;
	return npf_shadow_open(e, p, &p->shadow, err);
}

/* The names of its allow list are looked up here: no client is served yet. */
static int open_configured(
	struct npf_engine *e, const struct npf_config_port *conf, struct npf_error *err)
{
	struct npf_allow *allow = npf_allow_new(conf);
	struct npf_engine_port *p;

	if (allow == NULL)
		return -ENOMEM;
	npf_allow_resolve(allow);
	return open_port(e, conf, NULL, allow, &p, err);
}

int npf_ports_open(struct npf_engine *e, struct npf_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < e->conf->n_ports; i++)
		rc = open_configured(e, &e->conf->ports[i], err);
	if (rc == 0)
		rc = npf_engine_replan(e);
	for (unsigned int i = 0; rc == 0 && i < e->n_ports; i++)
		rc = open_shadow(e, e->ports[i], err);
	return rc;
}

void npf_ports_close(struct npf_engine *e)
{
	while (e->n_ports > 0) {
		struct npf_engine_port *p = e->ports[--e->n_ports];

		close_device(p);
		free_port(p);
	}
	reap(e);
}

/* ---- coming ---- */

static int check_free(
	const struct npf_engine *e, const struct npf_config_port *conf, struct npf_error *err)
{
	if (e->n_ports == NPF_WIRE_MAXPORTS)
		return npf_error_set(
			err, -ENOSPC, "there are %u ports: more can't be had", e->n_ports);
	for (unsigned int i = 0; i < e->n_ports; i++) {
		const struct npf_config_port *other = e->ports[i]->port.conf;

		if (strcmp(conf->name, other->name) == 0)
			return npf_error_set(
				err, -EEXIST, "there is a port %s already", conf->name);
		if (npf_config_port_same_device(conf, other))
			return npf_error_set(err, -EBUSY,
				"device \"%.*s\" is already used by port %s%s",
				(int)strcspn(conf->device, ","), conf->device, other->name,
				strncmp(conf->device, "net_", 4) == 0
					? "; number them: net_pcap0, net_pcap1"
					: "");
	}
	return 0;
}

int npf_ports_add(struct npf_engine *e, struct npf_config_port *conf, struct npf_allow *allow,
	struct npf_engine_port **pp, struct npf_error *err)
{
	struct npf_ports_ended ended;
	struct npf_engine_port *p;
	int rc = check_free(e, conf, err);

	if (rc < 0) {
		npf_config_port_free(conf);
		npf_allow_free(allow);
		return rc;
	}
	/* What is left of a port of that name must not stand in the way. */
	npf_dumps_tick(e);
	rc = open_port(e, conf, conf, allow, &p, err);
	if (rc < 0)
		return rc;
	rc = npf_engine_replan(e);
	if (rc == 0)
		rc = open_shadow(e, p, err);
	if (rc == 0)
		rc = npf_monitors_start_configured(e, p, err);
	if (rc == 0)
		rc = npf_dumps_start_configured(e, p, err);
	if (rc == 0)
		rc = npf_sends_start_configured(e, p, err);
	if (rc == 0)
		*pp = p;
	else if (npf_ports_del(e, p, &ended) < 0)
		npf_err("out of memory: port %s stays", p->port.conf->name);
	return rc;
}

/* ---- coming back ---- */

int npf_ports_reopen(struct npf_engine *e, struct npf_engine_port *p, struct npf_error *err)
{
	int rc = 0, planned;

	if (p->port.device->reattach != NULL) {
		if (p->port.running)
			rc = p->port.device->reattach(&p->port);
		if (rc < 0)
			npf_error_set(err, rc, "%s",
				rc == -EPROTOTYPE ? "its link type is another one" : strerror(-rc));
		return rc;
	}
	p->removed = true; /* out of the plans */
	rc = npf_engine_replan(e);
	p->removed = false;
	if (rc < 0)
		return rc;
	npf_engine_port_drop_stalls(p);
	rc = npf_port_reopen(&p->port, err);
	planned = npf_engine_replan(e);
	return rc < 0 ? rc : planned;
}

/* ---- going ---- */

static void unlink_port(struct npf_engine *e, const struct npf_engine_port *p)
{
	unsigned int i = 0;

	while (e->ports[i] != p)
		i++;
	e->n_ports--;
	memmove(&e->ports[i], &e->ports[i + 1], (e->n_ports - i) * sizeof(e->ports[0]));
}

static void end_dumps(
	struct npf_engine *e, const struct npf_engine_port *p, struct npf_ports_ended *ended)
{
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next) {
		if (d->port != p || d->life != NPF_DUMP_RUNNING)
			continue;
		npf_dump_refresh(d); /* the port's counters are still there */
		npf_dump_stop(e, d);
		ended->n_dumps++;
		if (ended->n_done < NPF_WIRE_MAXFDS)
			ended->done[ended->n_done++] = d->done.wait_fd;
	}
}

int npf_ports_del(struct npf_engine *e, struct npf_engine_port *p, struct npf_ports_ended *ended)
{
	int rc;

	*ended = (struct npf_ports_ended){0};
	p->removed = true;
	rc = npf_engine_replan(e);
	if (rc < 0) {
		p->removed = false;
		return rc;
	}
	unlink_port(e, p);
	p->shadow = npf_shadow_close(p->shadow);
	ended->n_sends = npf_sends_end_port(e, p);
	npf_sessions_cancel_sends(e, p);
	end_dumps(e, p, ended);
	ended->n_monitors = npf_monitors_end_port(e, p);
	for (struct npf_session *s = e->sessions; s != NULL; s = s->next) {
		if (s->port != p)
			continue;
		ended->n_sessions++;
		npf_session_end(s);
	}
	close_device(p);
	p->next = e->removed;
	e->removed = p;
	return 0;
}

void npf_ports_tick(struct npf_engine *e)
{
	uint64_t now = npf_clock_monotonic();

	for (unsigned int i = 0; i < e->n_ports; i++)
		npf_allow_tick(e->ports[i]->allow, e->tasks, now);
	reap(e);
}
