/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.c - ports and taps come up, plans are made, all goes down again in order.
 *
 * A port with `start: attach` is in the plans only while it runs, and is polled: see attend.h.
 */
#include "engine/core/engine.h"

#include "base/clock.h"
#include "engine/core/account.h"
#include "engine/session/attend.h"
#include "engine/datapath/count.h"
#include "engine/dump/dump.h"
#include "engine/lifecycle/links.h"
#include "engine/datapath/tx.h"
#include "engine/lifecycle/ports.h"
#include "engine/send/configured.h"
#include "engine/session/session.h"
#include "engine/session/shadow.h"
#include "engine/monitor/monitor.h"

#include <rte_lcore.h>
#include <stdio.h>
#include <string.h>

struct npf_engine_port *npf_engine_find_port(struct npf_engine *e, const char *name)
{
	for (unsigned int i = 0; i < e->n_ports; i++)
		if (strcmp(e->ports[i]->port.conf->name, name) == 0)
			return e->ports[i];
	return NULL;
}

static int start_taps(struct npf_engine *e, char *err, size_t err_len)
{
	unsigned int lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		int rc;

		if (e->n_taps == NPF_TAPS_MAX)
			break;
		rc = npf_tap_start(lcore, e->conf->npf.poll, &e->taps[e->n_taps]);
		if (rc < 0) {
			snprintf(err, err_len, "lcore %u: %s", lcore, strerror(-rc));
			return rc;
		}
		e->n_taps++;
	}
	if (e->n_taps > 0)
		return 0;
	snprintf(err, err_len,
		"eal.lcores: at least two lcores are needed, one to control and one to poll; on "
		"one CPU write \"0@0,1@0\"");
	return -EINVAL;
}

int npf_engine_new(const struct npf_config *conf, bool hugepages, struct npf_engine **ep, char *err,
	size_t err_len)
{
	struct npf_engine *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return -ENOMEM;
	e->conf = conf;
	e->links_fd = -1;
	e->hugepages = hugepages;
	e->next_session = 1;
	e->started_ns = npf_clock_realtime();
	e->accounts = npf_accounts_new(&conf->npf.limits);
	e->monitors = npf_monitors_new();
	if (e->monitors == NULL || e->accounts == NULL) {
		npf_monitors_free(e->monitors);
		npf_accounts_free(e->accounts);
		free(e);
		return -ENOMEM;
	}
	rc = npf_port_setup_stamps();
	if (rc < 0)
		snprintf(err, err_len, "no room for time stamps in mbufs: %s", strerror(-rc));
	else
		rc = start_taps(e, err, err_len);
	if (rc == 0)
		rc = npf_ports_open(e, err, err_len);
	if (rc == 0) {
		rc = npf_links_open(e);
		if (rc < 0)
			snprintf(err, err_len, "the kernel's interfaces can't be watched: %s",
				strerror(-rc));
		rc = NPF_MIN(rc, 0);
	}
	if (rc == 0)
		rc = npf_watch_standing(e, NULL, err, err_len);
	if (rc == 0)
		rc = npf_sends_load(e, err, err_len);
	if (rc < 0) {
		npf_engine_free(e);
		return rc;
	}
	*ep = e;
	return 0;
}

struct npf_engine *npf_engine_free(struct npf_engine *e)
{
	if (e == NULL)
		return NULL;
	for (unsigned int i = 0; i < e->n_ports; i++)
		e->ports[i]->shadow = npf_shadow_close(e->ports[i]->shadow);
	while (e->sessions != NULL)
		npf_session_close(e, e->sessions);
	npf_dumps_end_all(e);
	npf_sends_end_all(e);
	npf_sender_stop(e->sender);
	for (unsigned int t = 0; t < e->n_taps; t++) {
		free(npf_tap_publish(e->taps[t], NULL));
		npf_tap_stop(e->taps[t]);
	}
	npf_watch_end_all(e);
	npf_monitors_free(e->monitors);
	npf_ports_close(e);
	npf_accounts_free(e->accounts);
	npf_close(e->links_fd);
	free(e);
	return NULL;
}

/* The lane of a port's sessions that tap t feeds; the port has a queue on it. */
static unsigned int lane_of(const struct npf_engine_port *p, unsigned int t)
{
	unsigned int lane = 0;

	while (p->taps[lane] != t)
		lane++;
	return lane;
}

static void describe_client(
	const struct npf_session *s, unsigned int lane, struct npf_tap_client *c)
{
	struct npf_buffer_info info;

	bool screens = npf_session_screens(s);

	npf_buffer_info(s->buffer, &info);
	*c = (struct npf_tap_client){
		.session = s->id,
		.owner = s->id,
		.lane = npf_buffer_lane(s->buffer, lane),
		.feed = &s->feeds[lane],
		.filter_in = s->filter_in,
		.filter_out = s->filter_out,
		.lane_size = info.size,
		/* A filter may look beyond what is to be kept. */
		.snaplen = screens ? NPF_REC_MAXCAP : s->snaplen,
		.screens = screens,
		.filter_gen = s->filter_gen,
		.want_in = s->params.direction != NPF_WIRE_OUT,
		.want_out = s->params.direction != NPF_WIRE_IN,
		.want_own = (s->params.flags & NPF_WIRE_OPEN_NO_OWN) == 0,
		.is_merged = info.n_lanes > 1,
		.bell = (struct npf_doorbell *)&s->bell,
	};
}

/* A plan and all that it points to are one block, so that free() is enough. */
static struct npf_plan *make_plan(struct npf_engine *e, unsigned int t)
{
	size_t n_queues = 0, n_clients = 0, n_meters = 0, n_rows = 0;
	struct npf_tap_client *clients;
	struct npf_tap_meter *meters;
	struct npf_tap_row *rows;
	struct npf_plan *plan;

	for (unsigned int i = 0; i < e->n_ports; i++)
		for (uint16_t q = 0; q < e->ports[i]->port.n_queues; q++) {
			n_queues++;
			n_clients += e->ports[i]->n_captures;
			npf_watch_needs(e, e->ports[i], &n_meters, &n_rows);
		}
	plan = calloc(1, sizeof(*plan) + n_queues * sizeof(*plan->queues) +
				 n_clients * sizeof(*clients) + n_meters * sizeof(*meters) +
				 n_rows * sizeof(*rows));
	if (plan == NULL)
		return NULL;
	plan->queues = (struct npf_tap_queue *)(plan + 1);
	clients = (struct npf_tap_client *)(plan->queues + n_queues);
	meters = (struct npf_tap_meter *)(clients + n_clients);
	rows = (struct npf_tap_row *)(meters + n_meters);
	for (unsigned int i = 0; i < e->n_ports; i++) {
		struct npf_engine_port *p = e->ports[i];

		if (p->gone || !npf_attend_is_polled(p))
			continue;
		for (uint16_t q = 0; q < p->port.n_queues; q++) {
			const struct npf_dump *d = e->dumps;
			struct npf_tap_queue *queue;

			if (p->queue_tap[q] != t)
				continue;
			queue = &plan->queues[plan->n_queues++];
			*queue = (struct npf_tap_queue){
				.port = &p->port,
				.queue = q,
				.wait = p->port.conf->overflow == NPF_OVERFLOW_WAIT,
				.stall = &p->stalls[q],
				.clients = clients,
			};
			for (const struct npf_session *s = e->sessions; s != NULL; s = s->next) {
				npf_dumps_plan(&d, p, lane_of(p, t), s->id, queue, &clients);
				if (s->port != p || s->buffer == NULL || s->watch != NULL ||
					s->dump_id != 0 || s->ended || !npf_attend_is_served(s))
					continue;
				describe_client(s, lane_of(p, t), clients++);
				queue->n_clients++;
			}
			npf_dumps_plan(&d, p, lane_of(p, t), UINT64_MAX, queue, &clients);
			queue->meters = meters;
			queue->n_meters = npf_watch_plan(e, p, lane_of(p, t), meters, &rows);
			meters += queue->n_meters;
		}
	}
	return plan;
}

/* Who counts what is sent there; NULL: nobody. */
static int make_sent_meters(
	const struct npf_engine *e, const struct npf_engine_port *p, struct npf_sent_meters **smp)
{
	size_t n_meters = 0, n_rows = 0;
	struct npf_tap_row *rows;

	*smp = NULL;
	if (!p->gone)
		npf_watch_needs(e, p, &n_meters, &n_rows);
	if (n_meters == 0)
		return 0;
	*smp = npf_sent_meters_new(n_meters, n_rows, &rows);
	if (*smp == NULL)
		return -ENOMEM;
	(*smp)->n_meters = npf_watch_plan(e, p, p->n_taps, (*smp)->meters, &rows);
	return 0;
}

int npf_engine_replan(struct npf_engine *e)
{
	struct npf_sent_meters *sent[NPF_WIRE_MAXPORTS] = {NULL};
	struct npf_plan *plans[NPF_TAPS_MAX] = {NULL};
	int rc = 0;

	for (unsigned int t = 0; rc == 0 && t < e->n_taps; t++) {
		plans[t] = make_plan(e, t);
		rc = plans[t] != NULL ? 0 : -ENOMEM;
	}
	for (unsigned int i = 0; rc == 0 && i < e->n_ports; i++)
		rc = make_sent_meters(e, e->ports[i], &sent[i]);
	if (rc < 0) {
		for (unsigned int t = 0; t < e->n_taps; t++)
			free(plans[t]);
		for (unsigned int i = 0; i < e->n_ports; i++)
			npf_sent_meters_free(sent[i]);
		return rc;
	}
	for (unsigned int i = 0; i < e->n_ports; i++)
		atomic_store_explicit(&e->ports[i]->port.shown, npf_session_shown(e, e->ports[i]),
			memory_order_relaxed);
	npf_watch_before(e);
	for (unsigned int t = 0; t < e->n_taps; t++)
		free(npf_tap_publish(e->taps[t], plans[t]));
	for (unsigned int i = 0; i < e->n_ports; i++)
		npf_sent_meters_free(npf_port_swap_sent_meters(&e->ports[i]->port, sent[i]));
	npf_watch_after(e);
	npf_sends_after(e);
	return 0;
}

int npf_engine_leave(struct npf_engine *e, struct npf_engine_port *p)
{
	bool pause = p->port.running && p->port.conf->start == NPF_START_ATTACH && p->n_users == 0;
	int rc;

	if (p->gone)
		return 0;
	if (pause)
		p->port.running = false; /* takes it out of the plans; really stopped below */
	rc = npf_engine_replan(e);
	if (pause)
		p->port.running = true;
	if (rc < 0 || !pause)
		return rc;
	for (uint16_t q = 0; q < p->port.n_queues; q++)
		npf_tap_stall_drop(&p->stalls[q]);
	npf_port_stop(&p->port);
	return 0;
}
