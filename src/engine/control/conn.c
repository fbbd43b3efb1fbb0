/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conn.c - connections: who comes, who rests, who goes.
 *
 * Nothing here closes a socket that a client may have put descriptors into: closing it closes those
 * that were not read, which may block. So on a kernel that lets descriptors in, the connection
 * itself becomes a task at its end, and counts as its user's until its socket is closed.
 */
#include "engine/control/control_priv.h"

#include "base/clock.h"
#include "base/eventfd.h"
#include "base/log.h"
#include "engine/control/admission.h"
#include "engine/core/core.h"
#include "engine/dump/dump.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#define ACCEPTS 8 /* before somebody else is served */

static int watch(struct npf_control *c, struct npf_conn *conn)
{
	return npf_epoll_add(c->epoll_fd, conn->fd, EPOLLIN | EPOLLRDHUP, conn);
}

static void set_accepting(struct npf_control *c, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = &c->listen};

	epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, c->listen.fd, &ev);
	c->accepting = on;
}

static void run_close(struct npf_task *task)
{
	struct npf_conn *conn = NPF_CONTAINER_OF(task, struct npf_conn, task);

	npf_wire_msg_close(&conn->msg);
	npf_close(conn->fd);
}

static void free_conn(struct npf_task *task)
{
	struct npf_conn *conn = NPF_CONTAINER_OF(task, struct npf_conn, task);
	struct npf_control *c = conn->control;

	npf_discharge(&conn->charge);
	free(conn->peer.groups);
	free(conn->refusal);
	free(conn->held);
	free(conn);
	c->n_conns--;
	if (!c->accepting)
		set_accepting(c, true);
}

/* It is in no list and not in epoll any more. */
static void dispose(struct npf_control *c, struct npf_conn *conn)
{
	if (!c->listen.takes_fds) {
		run_close(&conn->task);
		free_conn(&conn->task);
		return;
	}
	conn->task.uid = conn->peer.uid;
	conn->task.run = run_close;
	conn->task.done = free_conn;
	npf_tasks_submit(c->tasks, &conn->task);
}

/* Those that leave count as connections until their descriptors are taken. */
void npf_conns_free_landed(struct npf_control *c)
{
	for (struct npf_conn **at = &c->leaving; *at != NULL;) {
		struct npf_conn *conn = *at;

		if (!npf_flight_has_landed(&conn->flight, conn->fd)) {
			at = &conn->next;
			continue;
		}
		*at = conn->next;
		dispose(c, conn);
	}
}

void npf_conn_close(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn)
{
	struct npf_conn **at = &c->conns;

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;
	c->n_resting -= conn->rests;
	if (conn->session != NULL)
		npf_session_close(e, conn->session);
	npf_dumps_stop_kept(e, conn);
	npf_requester_detach(&conn->requester);
	npf_passed_file_end(&conn->passed_file);
	conn->allow = npf_allow_free(conn->allow);
	epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
	/* The client gets the end of the stream now, though the socket may be closed later. */
	shutdown(conn->fd, SHUT_RDWR);
	npf_flight_end(&conn->flight, 0);
	conn->next = c->leaving;
	c->leaving = conn;
	npf_conns_free_landed(c);
}

/* ---- who comes ---- */

static int accept_client(struct npf_control *c, struct npf_conn *conn)
{
	int rc = npf_access_peer(conn->fd, &conn->peer);

	if (rc < 0)
		return rc;
	rc = npf_admit(c->engine->accounts, conn, c->n_conns);
	if (rc < 0)
		return rc;
	conn->requester = (struct npf_requester){.accounts = c->engine->accounts,
		.tasks = c->tasks,
		.uid = conn->peer.uid,
		.ready = c->ready};
	conn->passed_file.tasks = c->tasks;
	conn->passed_file.uid = conn->peer.uid;
	conn->passed_file.pid = conn->peer.pid;
	return watch(c, conn);
}

static void add_client(struct npf_control *c, int fd)
{
	struct npf_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL) {
		/* Nothing was received from it, but something may lie in it. */
		npf_err("out of memory: a client's socket stays open");
		return;
	}
	conn->control = c;
	conn->fd = fd;
	conn->passed_file.fd = -1;
	conn->since_ns = npf_clock_monotonic();
	c->n_conns++;
	if (accept_client(c, conn) < 0) {
		shutdown(fd, SHUT_RDWR);
		dispose(c, conn);
		return;
	}
	conn->next = c->conns;
	c->conns = conn;
}

void npf_conns_accept(struct npf_control *c)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(c->listen.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			add_client(c, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EMFILE || errno == ENFILE) {
			npf_warn("out of file descriptors: new clients wait until one goes; raise "
				 "the limit (ulimit -n)");
			set_accepting(c, false);
		}
		return;
	}
}

/* ---- who rests ---- */

bool npf_conn_has_turn(struct npf_control *c, struct npf_conn *conn)
{
	if (npf_account_has_turn(conn->charge.account, npf_clock_monotonic()))
		return true;
	/* Not even the end of its stream is reported, which would come again and again. */
	epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
	conn->rests = true;
	c->n_resting++;
	return false;
}

void npf_conns_wake(struct npf_control *c)
{
	uint64_t now = npf_clock_monotonic();

	for (struct npf_conn *conn = c->conns; conn != NULL; conn = conn->next) {
		if (!conn->rests || !npf_account_has_turn(conn->charge.account, now))
			continue;
		if (watch(c, conn) < 0)
			continue; /* no memory: later */
		conn->rests = false;
		c->n_resting--;
	}
}

/* ---- the end ---- */

void npf_conns_close(struct npf_control *c, struct npf_engine *e)
{
	c->accepting = true; /* a connection that closes makes room for no other */
	while (c->conns != NULL)
		npf_conn_close(c, e, c->conns);
	while (c->leaving != NULL) {
		struct npf_conn *conn = c->leaving;

		c->leaving = conn->next;
		npf_discharge(&conn->flight.charge);
		dispose(c, conn);
	}
}
