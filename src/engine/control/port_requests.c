/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_requests.c - who may add and remove ports, and what they ask for as a configuration has it.
 *
 * A device is opened with the daemon's rights, which are nobody else's to use: root and the
 * daemon's own user only.
 */
#include "engine/control/port_requests.h"

#include "engine/core/core.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define MAX_RULES 64

static int check_right(const struct npf_conn *conn, struct npf_error *err)
{
	if (npf_access_is_privileged(&conn->peer))
		return 0;
	return npf_error_set(err, -EPERM,
		"only root and the daemon's own user can add and remove ports; this is user %u",
		(unsigned int)conn->peer.uid);
}

/* A line each. */
static int split_rules(const char *lines, struct npf_config_port *conf)
{
	conf->allow = calloc(MAX_RULES, sizeof(*conf->allow));
	if (conf->allow == NULL)
		return -ENOMEM;
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");

		if (conf->n_allow == MAX_RULES)
			return -E2BIG;
		conf->allow[conf->n_allow] = strndup(lines, len);
		if (conf->allow[conf->n_allow] == NULL)
			return -ENOMEM;
		conf->n_allow++;
		lines += len + (lines[len] == '\n');
	}
	return 0;
}

static int configure(
	const struct npf_wire_port_add *req, struct npf_config_port *conf, struct npf_error *err)
{
	bool attach = (req->flags & NPF_WIRE_ADD_ATTACH) != 0;
	bool wait = (req->flags & NPF_WIRE_ADD_WAIT) != 0;
	bool send = (req->flags & NPF_WIRE_ADD_SEND) != 0;
	bool shadow = (req->flags & NPF_WIRE_ADD_SHADOW) != 0;
	bool promisc = (req->flags & NPF_WIRE_ADD_NO_PROMISC) == 0;
	int rc;

	conf->name = strdup(req->name);
	conf->device = strdup(req->device);
	if (conf->name == NULL || conf->device == NULL)
		return -ENOMEM;
	rc = split_rules(req->allow, conf);
	if (rc < 0)
		return npf_error_set(err, rc, "allow: %s", strerror(-rc));
	conf->start = attach ? NPF_START_ATTACH : NPF_START_ALWAYS;
	conf->overflow = wait ? NPF_OVERFLOW_WAIT : NPF_OVERFLOW_DROP;
	conf->send = send ? NPF_SWITCH_ON : NPF_SWITCH_OFF;
	conf->shadow = shadow ? NPF_SWITCH_ON : NPF_SWITCH_OFF;
	conf->promiscuous = promisc ? NPF_SWITCH_ON : NPF_SWITCH_OFF;
	conf->rx_queues = (uint16_t)req->rx_queues;
	conf->rx_desc = (uint16_t)req->rx_desc;
	conf->mtu = (uint16_t)req->mtu;
	rc = npf_config_port_check(conf, err);
	if (rc == 0)
		npf_config_port_complete(conf);
	return rc;
}

static void names_ready(void *ctx)
{
	struct npf_conn *conn = ctx;

	conn->requester.ready(&conn->requester);
}

/* The port's list, its names looked up: that is done by a task when the request comes, and the list
 * is taken when the request is carried out once more. */
static int get_allow(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_config_port *conf, struct npf_allow **ap)
{
	struct npf_allow *allow = npf_steal_ptr(&conn->allow);

	if (allow == NULL) {
		allow = npf_allow_new(conf);
		if (allow == NULL)
			return -ENOMEM;
		if (npf_allow_has_names(allow)) {
			conn->allow = allow;
			npf_allow_submit(allow, e->tasks, conn->peer.uid, names_ready, conn);
			return -EINPROGRESS;
		}
	}
	*ap = allow;
	return 0;
}

int npf_request_port_add(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_port_add *req, struct npf_engine_port **pp, struct npf_error *err)
{
	struct npf_config_port *conf;
	struct npf_allow *allow = NULL;
	int rc = check_right(conn, err);

	if (rc < 0)
		return rc;
	conf = calloc(1, sizeof(*conf));
	if (conf == NULL)
		return -ENOMEM;
	rc = configure(req, conf, err);
	if (rc == 0)
		rc = get_allow(e, conn, conf, &allow);
	if (rc < 0) {
		npf_config_port_free(conf);
		return rc;
	}
	rc = npf_ports_add(e, conf, allow, pp, err);
	if (rc < 0) {
		npf_warn("no port added: %s", err->text[0] != '\0' ? err->text : strerror(-rc));
		return rc;
	}
	npf_info("port %s added by user %u: %s", req->name, (unsigned int)conn->peer.uid,
		req->device);
	return 0;
}

int npf_request_port_del(struct npf_engine *e, const struct npf_conn *conn,
	const struct npf_wire_port_name *req, struct npf_ports_ended *ended, struct npf_error *err)
{
	struct npf_engine_port *p = npf_engine_find_port(e, req->name);
	int rc = check_right(conn, err);

	if (rc < 0)
		return rc;
	if (p == NULL)
		return npf_error_set(
			err, -ENODEV, "there is no port %s; `npfctl ports` lists them", req->name);
	rc = npf_ports_del(e, p, ended);
	if (rc < 0)
		return rc;
	npf_info("port %s removed by user %u; with it ended: %u sessions, %u monitors, %u dumps, "
		 "%u sends",
		req->name, (unsigned int)conn->peer.uid, ended->n_sessions, ended->n_monitors,
		ended->n_dumps, ended->n_sends);
	return 0;
}
