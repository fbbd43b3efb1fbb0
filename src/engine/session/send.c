/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send.c - what a session sends: a frame in a request, or a lane full of them.
 *
 * The right to send is checked when a lane is made; from then on the worker serves it until
 * the session ends.
 */
#include "engine/session/session.h"

#include "engine/core/core.h"
#include "engine/datapath/datapath.h"
#include "engine/send/configured.h"

#include <string.h>

/* Return: 0 or -errno with a text in err. */
static int may_send(const struct npf_port *port, struct npf_error *err)
{
	if (port->conf->send != NPF_SWITCH_ON)
		return npf_error_set(err, -EPERM,
			"sending is not allowed on port %s; `send: true` in the daemon's "
			"configuration allows it",
			port->conf->name);
	if (!npf_port_is_ethernet(port))
		return npf_error_set(err, -EOPNOTSUPP, NPF_TXQ_NOT_ETHERNET, port->conf->name);
	return 0;
}

static void explain(int rc, uint32_t len, const struct npf_port *port, struct npf_error *err)
{
	switch (rc) {
	case -EMSGSIZE:
		npf_error_set(err, rc,
			"a frame of %u bytes can't be sent on port %s: %u to %u are possible (MTU "
			"%u), and 4 more for each VLAN tag in it",
			len, port->conf->name, NPF_WIRE_FRAME_MIN, NPF_WIRE_FRAME_MAX(port->mtu),
			port->mtu);
		break;
	case -ENETDOWN:
		npf_error_set(err, rc,
			port->running ? "network is down: the interface behind port %s is down"
				      : "port %s is not running (start: attach, and nobody reads)",
			port->conf->name);
		break;
	case -EIO:
		npf_error_set(err, rc, "port %s took the frame, and its driver lost it",
			port->conf->name);
		break;
	default:
		npf_error_set(err, rc, "port %s did not take the frame: its transmit queue is full",
			port->conf->name);
		break;
	}
}

/* A session that only sends starts no port. */
static int use_port(struct npf_engine *e, struct npf_session *s, struct npf_error *err)
{
	return (s->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0 ? 0 : npf_engine_use(e, &s->consumer, err);
}

int npf_session_send(struct npf_engine *e, struct npf_session *s, const void *frame, uint32_t len,
	struct npf_error *err)
{
	struct npf_port *port = &s->port->port;
	int rc;

	if (s->port->removed) {
		s->send_failed++;
		return npf_error_set(err, -ENODEV, NPF_PORT_REMOVED, port->conf->name);
	}
	rc = may_send(port, err);
	if (rc == 0)
		rc = use_port(e, s, err);
	if (rc < 0)
		return rc;
	rc = npf_txq_send(port, frame, len, s->id);
	if (rc == 0) {
		s->sent++;
		return 0;
	}
	s->send_failed++;
	explain(rc, len, port, err);
	return rc;
}

/* Its memory stays. */
static void free_tx(struct npf_send_lane *tx)
{
	if (tx != NULL)
		npf_send_lane_fini(tx);
	free(tx);
}

static uint64_t round_up(uint64_t size)
{
	uint64_t p = NPF_TX_MIN;

	while (p < size && p < NPF_TX_MAX)
		p *= 2;
	return p;
}

int npf_session_send_lane(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, uint64_t *sizep, int fds[NPF_TX_NFDS], struct npf_error *err)
{
	struct npf_memory_conf conf = {.lane = round_up(*sizep != 0 ? *sizep : NPF_TX_DEFAULT)};
	struct npf_port *port = &s->port->port;
	struct npf_memory mem;
	struct npf_send_lane *tx;
	int rc = may_send(port, err);

	if (rc < 0)
		return rc;
	if (s->tx != NULL)
		return npf_error_set(err, -EBUSY, "this session has a send lane on port %s already",
			port->conf->name);
	rc = npf_memory_get(requester, &conf, &mem, err);
	if (rc < 0)
		return rc;
	rc = use_port(e, s, err);
	if (rc < 0) {
		npf_memory_free(e->tasks, &mem);
		return rc;
	}
	tx = calloc(1, sizeof(*tx));
	rc = tx != NULL ? npf_send_lane_init(tx, port, s->id, mem.lane) : -ENOMEM;
	if (rc == 0)
		rc = npf_sender_add_lane(e, tx);
	if (rc < 0) {
		free_tx(tx);
		npf_memory_free(e->tasks, &mem);
		return npf_error_set(err, rc, "a send lane can't be had: %s", strerror(-rc));
	}
	s->tx_charge = mem.charge;
	s->tx = tx;
	npf_tx_lane_fds(tx->lane, fds);
	npf_tx_lane_steal_done_fd(tx->lane);
	*sizep = conf.lane;
	return 0;
}

void npf_session_end_send(struct npf_engine *e, struct npf_session *s)
{
	struct npf_send_lane *tx = s->tx;
	struct npf_memory mem = {.uid = s->peer.uid};

	if (tx == NULL)
		return;
	s->tx = NULL;
	npf_sender_remove_lane(e, tx);
	mem.lane = tx->lane;
	mem.charge = npf_charge_steal(&s->tx_charge);
	free_tx(tx);
	npf_memory_free(e->tasks, &mem);
}

void npf_sessions_cancel_sends(struct npf_engine *e, const struct npf_engine_port *p)
{
	struct npf_send_plan *plan;

	if (e->sender == NULL)
		return;
	/* The lanes are ours while the worker has none. */
	plan = npf_sender_publish(e->sender, NULL);
	for (struct npf_session *s = e->sessions; s != NULL; s = s->next)
		if (s->port == p && s->tx != NULL)
			npf_send_lane_detach_port(s->tx);
	npf_sender_publish(e->sender, plan);
}

void npf_session_send_state(const struct npf_session *s, struct npf_tx_state *st)
{
	if (s->tx != NULL)
		npf_tx_lane_state(s->tx->lane, st);
	else
		*st = (struct npf_tx_state){0};
	st->sent += s->sent;
	st->failed += s->send_failed;
}

uint64_t npf_session_send_memory(const struct npf_session *s)
{
	return s->tx != NULL ? npf_tx_lane_memory(s->tx->lane) : 0;
}

int npf_session_send_fault(const struct npf_session *s)
{
	return s->tx != NULL ? npf_tx_lane_fault(s->tx->lane) : 0;
}
