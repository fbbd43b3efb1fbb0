/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * requests.c - a row for each request: is a session needed, and who handles it.
 *
 * By the time a handler runs, npf_wire_check_request() has vouched for the body's shape. A handler
 * returns 0 with its reply filled in, or -errno with a text; either way exactly one reply goes out.
 * A handler that needs memory first, or names looked up, returns -EINPROGRESS (core/memory.h), and
 * runs once more later.
 */
#include "engine/control/requests.h"

#include "engine/core/core.h"
#include "engine/control/dump_requests.h"
#include "engine/control/port_requests.h"
#include "engine/control/report.h"
#include "engine/monitor/monitor.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct reply {
	union {
		struct npf_error error;
		struct npf_wire_hello_reply hello;
		struct npf_wire_open_reply open;
		struct npf_wire_filter_reply filter;
		struct npf_wire_buffer_reply buffer;
		struct npf_wire_stats stats;
		struct npf_wire_send_reply send;
		struct npf_wire_dump_reply dump;
		struct npf_wire_dump_status dump_status;
		struct npf_wire_send_lane lane;
		struct npf_wire_port port;
		struct npf_wire_port_ended ended;
	} u;
	size_t len;
	void *tail; /* malloc'ed, or NULL */
	size_t tail_len;
	int fds[NPF_WIRE_MAXFDS];
	unsigned int n_fds;
	int own_fd; /* closed once the reply is out; -1: none */
};
static_assert(1 + NPF_BUFFER_NFDS <= NPF_WIRE_MAXFDS, "a session's descriptors fit one message");

static int handle_hello(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	const struct npf_wire_hello *req = msg->body;

	(void)e;
	conn->greeted = true;
	for (unsigned int i = 0; i < sizeof(conn->peer.program) - 1 && req->program[i] != '\0'; i++)
		conn->peer.program[i] =
			(char)(req->program[i] >= ' ' && req->program[i] < 0x7f ? req->program[i]
										: '?');
	snprintf(r->u.hello.version, sizeof(r->u.hello.version), "%s", NPF_VERSION);
	r->u.hello.pid = (uint32_t)getpid();
	r->len = sizeof(r->u.hello);
	return 0;
}

static void describe_port(
	const struct npf_engine_port *ep, const struct npf_peer *peer, struct npf_wire_port *out)
{
	const struct npf_port *p = &ep->port;

	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", p->conf->name);
	out->index = p->index;
	out->linktype = DLT_EN10MB;
	/* Whoever may not use it need not know more than that the name is taken. */
	if (!npf_access_port(ep->allow, peer))
		return;
	snprintf(out->device, sizeof(out->device), "%s", p->conf->device);
	snprintf(out->driver, sizeof(out->driver), "%s", p->driver);
	memcpy(out->mac, &p->mac, sizeof(out->mac));
	out->linktype = (uint32_t)p->linktype;
	out->mtu = p->mtu;
	out->flags = NPF_WIRE_PORT_CAPTURE;
	if (npf_port_link(p, &out->speed))
		out->flags |= NPF_WIRE_PORT_UP;
	if (ep->shadow != NULL)
		out->flags |= NPF_WIRE_PORT_SHADOW;
	if (p->promiscuous)
		out->flags |= NPF_WIRE_PORT_PROMISC;
	if (npf_engine_port_has_demand(ep))
		out->flags |= NPF_WIRE_PORT_ATTENDS;
	if (p->conf->send == NPF_SWITCH_ON && npf_port_is_ethernet(p))
		out->flags |= NPF_WIRE_PORT_SEND;
}

static int handle_ports(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	struct npf_wire_port *ports = calloc(e->n_ports, sizeof(*ports));

	(void)msg;
	if (ports == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < e->n_ports; i++)
		describe_port(e->ports[i], &conn->peer, &ports[i]);
	r->tail = ports;
	r->tail_len = e->n_ports * sizeof(*ports);
	return 0;
}

static int handle_open(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	const struct npf_session_spec spec = {
		&conn->requester, &conn->peer, msg->body, npf_wire_tail(msg)};
	struct npf_session *s;
	int rc;

	if (conn->session != NULL)
		return npf_error_set(&r->u.error, -EBUSY,
			"this connection has a session already; connect once more for another");
	rc = npf_session_open(e, &spec, &s, &r->u.error);
	if (rc < 0)
		return rc;
	conn->session = s;
	r->u.open = (struct npf_wire_open_reply){.session = s->id, .filter_gen = s->filter_gen};
	describe_port(s->port, &conn->peer, &r->u.open.port);
	r->len = sizeof(r->u.open);
	if (s->consumer.buffer != NULL) {
		struct npf_buffer_info info;

		npf_buffer_info(s->consumer.buffer, &info);
		r->u.open.buffer_size = info.size;
		r->u.open.page_size = info.page_size;
		r->u.open.n_lanes = info.n_lanes;
		r->n_fds = npf_buffer_fds(s->consumer.buffer, r->fds + 1);
	}
	if (s->bell.wait_fd >= 0) {
		r->fds[0] = r->own_fd = npf_steal_fd(&s->bell.wait_fd);
		r->n_fds++;
	}
	return 0;
}

static int handle_set_filter(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	const struct npf_wire_filter *req = msg->body;
	int rc = npf_session_set_filter(
		e, &conn->requester, conn->session, npf_wire_tail(msg), req->n_insns, &r->u.error);

	if (rc < 0)
		return rc;
	r->u.filter = (struct npf_wire_filter_reply){
		.filter_gen = conn->session->filter_gen,
		.flags = npf_session_screens(conn->session) ? NPF_WIRE_FILTER_READER : 0,
	};
	r->len = sizeof(r->u.filter);
	return 0;
}

static int handle_set_params(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	(void)r;
	return npf_session_set_params(e, conn->session, msg->body);
}

/* Fills in the reply with the session's new buffer. */
static void reply_buffer(const struct npf_session *s, struct reply *r)
{
	struct npf_buffer_info info;

	npf_buffer_info(s->consumer.buffer, &info);
	r->u.buffer = (struct npf_wire_buffer_reply){
		.size = info.size,
		.page_size = info.page_size,
		.n_lanes = info.n_lanes,
	};
	r->len = sizeof(r->u.buffer);
	r->n_fds = npf_buffer_fds(s->consumer.buffer, r->fds);
}

static int handle_set_buffer(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	const struct npf_wire_set_buffer *req = msg->body;
	int rc = npf_session_set_buffer(e, &conn->requester, conn->session, req->size, &r->u.error);

	if (rc == 0)
		reply_buffer(conn->session, r);
	return rc;
}

static int handle_set_mode(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	int rc = npf_session_set_mode(
		e, &conn->requester, conn->session, msg->body, npf_wire_tail(msg), &r->u.error);

	if (rc == 0)
		reply_buffer(conn->session, r);
	return rc;
}

static int handle_stats(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	(void)e;
	(void)msg;
	npf_session_stats(conn->session, &r->u.stats);
	r->len = sizeof(r->u.stats);
	return 0;
}

static int handle_send(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	const struct npf_wire_send *req = msg->body;
	int rc = npf_session_send(e, conn->session, npf_wire_tail(msg), req->len, &r->u.error);

	if (rc < 0)
		return rc;
	r->u.send = (struct npf_wire_send_reply){.sent = 1};
	r->len = sizeof(r->u.send);
	return 0;
}

static int handle_send_lane(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	const struct npf_wire_send_lane *req = msg->body;
	uint64_t size = req->size;
	int rc = npf_session_send_lane(
		e, &conn->requester, conn->session, &size, r->fds, &r->u.error);

	if (rc < 0)
		return rc;
	r->u.lane = (struct npf_wire_send_lane){.size = size};
	r->len = sizeof(r->u.lane);
	r->n_fds = NPF_TX_NFDS;
	r->own_fd = r->fds[NPF_TX_NFDS - 1];
	return 0;
}

static int handle_query(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	const struct npf_wire_query *req = msg->body;
	json_t *j = npf_report(e, req->what, &conn->peer);
	int rc;

	if (j == NULL)
		return npf_error_set(&r->u.error, -EINVAL,
			"there is no report \"%.40s\"; there are status, ports, sessions, users, "
			"stats, dumps, monitors, sends",
			req->what);
	r->own_fd = memfd_create("npf-report", MFD_CLOEXEC);
	rc = r->own_fd >= 0 && json_dumpfd(j, r->own_fd, JSON_INDENT(2)) == 0 ? 0 : -ENOMEM;
	json_decref(j);
	r->fds[0] = r->own_fd;
	r->n_fds = 1;
	return rc;
}

static void reply_dump(const struct npf_dump_answer *answer, struct reply *r)
{
	r->u.dump = answer->reply;
	r->len = sizeof(r->u.dump);
	r->fds[0] = answer->fd;
	r->n_fds = 1;
	if (answer->is_new)
		r->own_fd = answer->fd;
}

static int handle_dump(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	struct npf_dump_answer answer;
	int rc = npf_request_dump(e, conn, msg, &answer, &r->u.error);

	if (rc == 0)
		reply_dump(&answer, r);
	return rc;
}

static int handle_file(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	int rc = npf_passed_file_begin(&conn->passed_file, &r->own_fd, &r->u.error);

	(void)e;
	(void)msg;
	r->fds[0] = r->own_fd;
	r->n_fds = 1;
	return rc;
}

static int handle_dump_control(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	struct npf_dump_answer answer = {.fd = -1};
	int rc = npf_request_dump_control(e, conn, msg->body, &answer, &r->u.error);

	if (rc == 0)
		reply_dump(&answer, r);
	else if (answer.is_new)
		npf_close(answer.fd);
	return rc;
}

static int handle_dump_status(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	(void)e;
	(void)msg;
	r->len = sizeof(r->u.dump_status);
	return npf_request_dump_status(conn, &r->u.dump_status, &r->u.error);
}

static int handle_port_add(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	struct npf_engine_port *p;
	int rc = npf_request_port_add(e, conn, msg->body, &p, &r->u.error);

	if (rc < 0)
		return rc;
	describe_port(p, &conn->peer, &r->u.port);
	r->len = sizeof(r->u.port);
	return 0;
}

static int handle_port_del(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_msg *msg, struct reply *r)
{
	struct npf_ports_ended ended;
	int rc = npf_request_port_del(e, conn, msg->body, &ended, &r->u.error);

	if (rc < 0)
		return rc;
	r->u.ended = (struct npf_wire_port_ended){.sessions = ended.n_sessions,
		.monitors = ended.n_monitors,
		.dumps = ended.n_dumps,
		.sends = ended.n_sends};
	r->len = sizeof(r->u.ended);
	memcpy(r->fds, ended.done, sizeof(ended.done));
	r->n_fds = ended.n_done;
	return 0;
}

static int handle_read(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r)
{
	(void)msg;
	return npf_session_read(e, conn->session, &r->u.error);
}

struct handler {
	int (*run)(struct npf_engine *, struct npf_conn *, const struct npf_wire_msg *,
		struct reply *);
	enum {
		NEEDS_NOTHING,
		NEEDS_SESSION,
		NEEDS_PORT /* a session whose port is there */
	} needs;
	bool brings; /* descriptors */
};

static const struct handler handlers[NPF_WIRE_N_TYPES] = {
	[NPF_WIRE_HELLO] = {handle_hello, NEEDS_NOTHING},
	[NPF_WIRE_PORTS] = {handle_ports, NEEDS_NOTHING},
	[NPF_WIRE_OPEN] = {handle_open, NEEDS_NOTHING, true},
	[NPF_WIRE_SET_FILTER] = {handle_set_filter, NEEDS_PORT},
	[NPF_WIRE_SET_PARAMS] = {handle_set_params, NEEDS_PORT},
	[NPF_WIRE_SET_BUFFER] = {handle_set_buffer, NEEDS_PORT, true},
	[NPF_WIRE_STATS] = {handle_stats, NEEDS_SESSION},
	[NPF_WIRE_SEND] = {handle_send, NEEDS_SESSION},
	[NPF_WIRE_QUERY] = {handle_query, NEEDS_NOTHING, true},
	[NPF_WIRE_DUMP] = {handle_dump, NEEDS_NOTHING, true},
	[NPF_WIRE_DUMP_CONTROL] = {handle_dump_control, NEEDS_NOTHING, true},
	[NPF_WIRE_DUMP_STATUS] = {handle_dump_status, NEEDS_SESSION},
	[NPF_WIRE_SET_MODE] = {handle_set_mode, NEEDS_PORT, true},
	[NPF_WIRE_SEND_LANE] = {handle_send_lane, NEEDS_PORT, true},
	[NPF_WIRE_PORT_ADD] = {handle_port_add, NEEDS_NOTHING},
	[NPF_WIRE_PORT_DEL] = {handle_port_del, NEEDS_NOTHING, true},
	[NPF_WIRE_READ] = {handle_read, NEEDS_PORT},
	[NPF_WIRE_FILE] = {handle_file, NEEDS_NOTHING, true},
};

static int dispatch(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct reply *r, bool *hang_up)
{
	const struct handler *h;
	int rc = npf_wire_check_request(msg, &r->u.error);

	if (rc < 0) {
		*hang_up = true;
		return rc;
	}
	if (conn->refusal != NULL) {
		*hang_up = true;
		r->u.error = *conn->refusal;
		return -EDQUOT;
	}
	h = &handlers[msg->hdr.type];
	if (!conn->greeted && msg->hdr.type != NPF_WIRE_HELLO) {
		*hang_up = true;
		return npf_error_set(&r->u.error, -EPROTO, "bad request: HELLO must come first");
	}
	if (h->needs != NEEDS_NOTHING && conn->session == NULL)
		return npf_error_set(
			&r->u.error, -EPROTO, "bad request: no session is open on this connection");
	if (h->needs == NEEDS_PORT && conn->session->port->removed)
		return npf_error_set(&r->u.error, -ENODEV, NPF_PORT_REMOVED,
			conn->session->port->port.conf->name);
	if (h->needs == NEEDS_PORT && conn->session->ended)
		return npf_error_set(&r->u.error, -ENODEV, "The interface disappeared");
	if (h->brings && npf_flight_begin(&conn->flight, e->accounts, &conn->peer, conn->fd) < 0)
		return -EINPROGRESS;
	return h->run(e, conn, msg, r);
}

int npf_request(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg)
{
	struct reply r = {.own_fd = -1};
	struct npf_wire_out out = {
		.hdr = {.magic = NPF_WIRE_MAGIC,
			.version = NPF_WIRE_VERSION,
			.type = msg->hdr.type | NPF_WIRE_REPLY,
			.seq = msg->hdr.seq},
		.body = &r.u,
		.fds = r.fds,
	};
	bool hang_up = false;
	int rc = dispatch(e, conn, msg, &r, &hang_up);

	if (rc == -EINPROGRESS)
		return NPF_REQUEST_LATER;
	npf_requester_discard(&conn->requester);
	conn->allow = npf_allow_free(conn->allow);
	if (rc < 0) {
		if (r.u.error.text[0] == '\0')
			npf_error_set(&r.u.error, rc, "%s", strerror(-rc));
		out.hdr.status = rc;
		out.body_len = sizeof(r.u.error);
	} else {
		out.body_len = r.len;
		out.tail = r.tail;
		out.tail_len = r.tail_len;
		out.n_fds = r.n_fds;
	}
	/* The socket does not block: a client that lets its replies pile up is hung up on. */
	rc = npf_wire_send_msg(conn->fd, &out);
	npf_flight_end(&conn->flight, rc == 0 ? out.n_fds : 0);
	free(r.tail);
	npf_close(r.own_fd);
	return rc < 0 || hang_up ? -EPIPE : 0;
}
