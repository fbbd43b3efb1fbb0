/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * links.c - applies the kernel's messages about interfaces to ports.
 *
 * A port is bound to an interface's index and waits for its name: an interface that is renamed
 * stays the port's. When messages were lost, a list of all interfaces is requested; an interface
 * that is not in it has disappeared.
 */
#include "engine/lifecycle/links.h"

#include "device/link_msg.h"
#include "base/log.h"
#include "engine/lifecycle/ports.h"
#include "engine/session/session.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGES (64 << 10) /* bytes: more than the kernel puts into one datagram */

static void request_all(struct npf_engine *e)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} req = {
		.h = {.nlmsg_len = sizeof(req),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	};

	/* The kernel serves one such request at a time. */
	e->links_stale = e->links_requested;
	if (e->links_requested)
		return;
	for (unsigned int i = 0; i < e->n_ports; i++)
		e->ports[i]->port.iface.is_listed = false;
	e->links_requested = send(e->links_fd, &req, sizeof(req), 0) >= 0;
	if (!e->links_requested)
		npf_warn("interfaces can't be asked for: %s", strerror(errno));
}

int npf_links_open(struct npf_engine *e)
{
	const struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int rc;

	e->links_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (e->links_fd < 0)
		return -errno;
	if (bind(e->links_fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		rc = -errno;
		npf_close(e->links_fd);
		e->links_fd = -1;
		return rc;
	}
	request_all(e);
	return e->links_fd;
}

/* ---- what it means for a port ---- */

/* Captures of a port whose interface has disappeared: as libpcap's, they end. */
static void end_captures(struct npf_engine *e, struct npf_engine_port *p)
{
	for (struct npf_session *s = e->sessions; s != NULL; s = s->next)
		if (s->port == p)
			npf_session_end_capture(s);
	if (npf_engine_replan(e) < 0) {
		npf_err("out of memory: captures of port %s do not end yet", p->port.conf->name);
		return;
	}
	p->port.iface.is_ending = false;
	for (struct npf_session *s = e->sessions; s != NULL; s = s->next)
		if (s->port == p && s->ended)
			npf_session_end(s);
}

static void set_absent(struct npf_engine_port *p)
{
	npf_port_iface_set_absent(&p->port);
	/* A little later: what had come until now is on its way through the tap. */
	p->port.iface.is_ending = true;
	npf_warn("port %s: interface %s has disappeared; captures end, and the port goes on when "
		 "it comes back",
		p->port.conf->name, p->port.iface.name);
}

void npf_links_tick(struct npf_engine *e)
{
	for (unsigned int i = 0; i < e->n_ports; i++)
		if (e->ports[i]->port.iface.is_ending)
			end_captures(e, e->ports[i]);
}

static void reattach(struct npf_engine *e, struct npf_engine_port *p, const struct npf_link *l)
{
	struct npf_error err = {"out of memory"};
	int rc;

	if (p->port.iface.is_ending)
		end_captures(e, p);
	rc = npf_ports_reopen(e, p, &err);
	/* Also of one that can't be used: it is tried once. */
	p->port.iface.index = l->index;
	if (rc == 0) {
		npf_info("port %s: interface %s is back", p->port.conf->name, p->port.iface.name);
		npf_port_iface_update(&p->port, l);
		return;
	}
	npf_err("port %s: interface %s is back, but can't be used: %s%s", p->port.conf->name,
		p->port.iface.name, err.text,
		e->conf->npf.user != NULL ? "; the daemon has dropped its rights (npf.user): "
					    "restart npf-dpdk, or use iface:NAME"
					  : "");
}

static void log_state(const struct npf_port *p, enum npf_iface_state before)
{
	static const char *const words[] = {
		[NPF_IFACE_UP] = "is up",
		[NPF_IFACE_NO_CARRIER] = "has no carrier",
		[NPF_IFACE_DOWN] = "is down",
	};

	if (p->iface.state != before)
		npf_info("port %s: interface %s %s", p->conf->name, p->iface.name,
			words[p->iface.state]);
}

static void handle_present(
	struct npf_engine *e, struct npf_engine_port *p, const struct npf_link *l)
{
	struct npf_port *port = &p->port;
	bool is_mine = port->iface.index == l->index;
	enum npf_iface_state before;

	if (!is_mine && strcmp(port->iface.name, l->name) != 0)
		return;
	port->iface.is_listed = true;
	if (!is_mine) {
		if (port->iface.state != NPF_IFACE_ABSENT)
			set_absent(p);
		reattach(e, p, l);
	}
	if (port->iface.state == NPF_IFACE_ABSENT)
		return;
	before = port->iface.state;
	npf_port_iface_update(port, l);
	log_state(port, before);
}

/* The interface is not in this namespace any more. */
static void handle_absent(struct npf_engine_port *p, bool maybe_moved)
{
	if (!p->port.iface.is_held || !maybe_moved) {
		set_absent(p);
		return;
	}
	npf_info("port %s: interface %s is in another network namespace now: its link is not known",
		p->port.conf->name, p->port.iface.name);
	npf_port_iface_untrack(&p->port);
}

static void handle(struct npf_engine *e, enum npf_link_event event, const struct npf_link *l)
{
	if (event == NPF_LINK_ALL_LISTED) {
		e->links_requested = false;
		if (e->links_stale) {
			request_all(e);
			return;
		}
	}
	for (unsigned int i = 0; i < e->n_ports; i++) {
		struct npf_engine_port *p = e->ports[i];
		const struct npf_iface_of *iface = &p->port.iface;

		if (iface->state == NPF_IFACE_NONE)
			continue;
		if (event == NPF_LINK_PRESENT)
			handle_present(e, p, l);
		else if (iface->state != NPF_IFACE_ABSENT &&
			 (event == NPF_LINK_ABSENT ? iface->index == l->index : !iface->is_listed))
			handle_absent(p, event == NPF_LINK_ALL_LISTED || l->moved);
	}
}

void npf_links_serve(struct npf_engine *e)
{
	static _Alignas(NLMSG_ALIGNTO) uint8_t messages[MESSAGES];

	while (e->links_fd >= 0) {
		ssize_t n = recv(e->links_fd, messages, sizeof(messages), 0);
		struct npf_link_reader r = {messages, n > 0 ? (size_t)n : 0};
		enum npf_link_event event;
		struct npf_link l;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS)
			return;
		if (n < 0) /* messages were lost */
			request_all(e);
		while ((event = npf_link_next(&r, &l)) != NPF_LINK_NONE) {
			e->links_stale |= r.interrupted;
			handle(e, event, &l);
		}
	}
}
