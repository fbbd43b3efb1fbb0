/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - connections and the loop that serves them.
 *
 * A connection is closed when it breaks the protocol, does not take its replies, sends no HELLO in
 * time, or has put values into shared memory that can't be. Its end, from either side, ends its
 * session. requests.c handles the requests.
 *
 * Nothing here closes a socket that a client may have put descriptors into: closing it closes those
 * that were not read, which may block. So on a kernel that lets descriptors in, the connection
 * itself becomes a task at its end, and counts as its user's until its socket is closed.
 */
#include "engine/control/control.h"

#include "base/clock.h"
#include "engine/control/admission.h"
#include "engine/core/core.h"
#include "engine/dump/dump.h"
#include "engine/lifecycle/lifecycle.h"
#include "engine/control/listen.h"
#include "base/eventfd.h"
#include "base/log.h"
#include "engine/control/requests.h"
#include "engine/session/session.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define ACCEPTS        8 /* before somebody else is served */
#define FAULT_CHECK_MS 100
#define HELLO_NS       (5 * NPF_NS_PER_S)
#define LEAVE_MS       1000

struct npf_control {
	struct npf_listen listen;
	int epoll_fd, signal_fd, timer_fd;
	struct npf_engine *engine;
	struct npf_tasks *tasks;
	char *path;
	struct npf_conn *conns;
	struct npf_conn *leaving; /* ended, but they have not taken their descriptors */
	unsigned int n_conns;     /* whose sockets are not closed yet */
	bool accepting;           /* false: no descriptors left, until a client goes */
	void *buf;                /* NPF_WIRE_BUFLEN */
};

/* ---- connections ---- */

static int epoll_add(struct npf_control *c, int fd, void *tag)
{
	return npf_epoll_add(c->epoll_fd, fd, EPOLLIN | EPOLLRDHUP, tag);
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
static void free_landed(struct npf_control *c)
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

static void close_conn(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn)
{
	struct npf_conn **at = &c->conns;

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;
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
	free_landed(c);
}

/* ---- who comes ---- */

static void request_ready(struct npf_requester *requester);

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
		.ready = request_ready};
	conn->passed_file.tasks = c->tasks;
	conn->passed_file.uid = conn->peer.uid;
	return epoll_add(c, conn->fd, conn);
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

/* Some of those who wait: others are served in between. */
static void accept_some(struct npf_control *c)
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

/* ---- requests ---- */

/* Hold the request: its body outlives the buffer, and what else the client has sent waits. */
static int hold_request(struct npf_control *c, struct npf_conn *conn)
{
	struct epoll_event ev = {.events = EPOLLRDHUP, .data.ptr = conn};

	if (conn->held != NULL)
		return 0;
	conn->held = malloc(NPF_MAX(conn->msg.body_len, (size_t)1));
	if (conn->held == NULL)
		return -ENOMEM;
	memcpy(conn->held, conn->msg.body, conn->msg.body_len);
	conn->msg.body = conn->held;
	return epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, conn->fd, &ev) < 0 ? -errno : 0;
}

static int release_request(struct npf_control *c, struct npf_conn *conn)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = conn};

	if (conn->held == NULL)
		return 0;
	free(npf_steal_ptr(&conn->held));
	return epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, conn->fd, &ev) < 0 ? -errno : 0;
}

/* Is there room for descriptors now? What has been taken is noticed here only. */
static void settle_flights(struct npf_control *c)
{
	for (struct npf_conn *conn = c->conns; conn != NULL; conn = conn->next)
		npf_flight_has_landed(&conn->flight, conn->fd);
	free_landed(c);
}

static void handle_request(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn)
{
	int rc = npf_request(e, conn, &conn->msg);

	if (rc == NPF_REQUEST_LATER && conn->flight.waits && conn->held == NULL) {
		settle_flights(c);
		rc = npf_request(e, conn, &conn->msg);
	}
	if (rc == NPF_REQUEST_LATER)
		rc = hold_request(c, conn);
	else if (rc == 0)
		rc = release_request(c, conn);
	if (rc < 0)
		close_conn(c, e, conn);
}

static void request_ready(struct npf_requester *requester)
{
	struct npf_conn *conn = NPF_CONTAINER_OF(requester, struct npf_conn, requester);

	handle_request(conn->control, conn->control->engine, conn);
}

/* One message of a client. */
static void serve(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn)
{
	int rc;

	if (conn->held != NULL) {
		close_conn(c, e, conn); /* it does not wait for the reply */
		return;
	}
	rc = npf_wire_recv_msg(conn->fd, c->buf, NPF_WIRE_BUFLEN, &conn->msg);
	if (rc == -EAGAIN)
		return;
	if (rc <= 0) {
		close_conn(c, e, conn);
		return;
	}
	/* Replies have the present state of interfaces. */
	npf_links_serve(e);
	handle_request(c, e, conn);
}

/* Requests that wait until descriptors are taken. */
static void resume_waiting(struct npf_control *c, struct npf_engine *e)
{
	settle_flights(c);
	for (struct npf_conn *conn = c->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->flight.waits)
			handle_request(c, e, conn);
	}
}

static void close_faulted(struct npf_control *c, struct npf_engine *e)
{
	for (struct npf_conn *conn = c->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->session == NULL || npf_session_fault(conn->session) == 0)
			continue;
		npf_warn("session %llu (%s, pid %d, uid %u): its position in the ring makes no "
			 "sense; ended",
			(unsigned long long)conn->session->id, conn->peer.program,
			(int)conn->peer.pid, (unsigned int)conn->peer.uid);
		close_conn(c, e, conn);
	}
}

static void close_silent(struct npf_control *c, struct npf_engine *e)
{
	uint64_t now = npf_clock_monotonic();

	for (struct npf_conn *conn = c->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (!conn->greeted && now - conn->since_ns > HELLO_NS)
			close_conn(c, e, conn);
	}
}

static void on_timer(struct npf_control *c, struct npf_engine *e)
{
	uint64_t expirations;

	if (read(c->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	close_faulted(c, e);
	close_silent(c, e);
	resume_waiting(c, e);
	npf_sessions_tick(e);
	npf_links_tick(e);
	npf_dumps_tick(e);
	npf_ports_tick(e);
}

/* ---- life ---- */

int npf_control_listen(
	const struct npf_config *conf, struct npf_control **cp, struct npf_error *err)
{
	struct itimerspec every = {
		.it_interval.tv_nsec = FAULT_CHECK_MS * 1000000l,
		.it_value.tv_nsec = FAULT_CHECK_MS * 1000000l,
	};
	struct npf_control *c = calloc(1, sizeof(*c));
	sigset_t stop;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->listen.fd = c->epoll_fd = c->signal_fd = c->timer_fd = -1;
	c->accepting = true;
	c->path = strdup(conf->npf.socket);
	c->buf = malloc(NPF_WIRE_BUFLEN);
	rc = c->path != NULL && c->buf != NULL
		     ? npf_listen_open(&c->listen, c->path, conf->npf.group, err)
		     : -ENOMEM;
	if (rc < 0) {
		npf_control_free(c);
		return rc;
	}
	/* Blocked before any other thread exists, so that all inherit it. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	c->signal_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->signal_fd < 0 || c->epoll_fd < 0 || c->timer_fd < 0 ||
		timerfd_settime(c->timer_fd, 0, &every, NULL) < 0 ||
		epoll_add(c, c->listen.fd, &c->listen) < 0 ||
		epoll_add(c, c->signal_fd, &c->signal_fd) < 0 ||
		epoll_add(c, c->timer_fd, &c->timer_fd) < 0) {
		rc = -errno;
		npf_error_set(err, rc, "can't wait for clients: %s", strerror(-rc));
		npf_control_free(c);
		return rc;
	}
	*cp = c;
	return 0;
}

/* Is this what an event of a port's shadow interface points to? Then serve it. */
static bool serve_shadow(struct npf_engine *e, const void *tag)
{
	for (unsigned int i = 0; i < e->n_ports; i++) {
		if (e->ports[i]->shadow == NULL || e->ports[i]->shadow != tag)
			continue;
		npf_shadow_serve(e->ports[i]->shadow);
		return true;
	}
	return false;
}

/* Wait for the shadows that have come since. One that is closed leaves by itself. */
static void add_shadows(struct npf_control *c, struct npf_engine *e)
{
	for (unsigned int i = 0; i < e->n_ports; i++) {
		struct npf_engine_port *p = e->ports[i];

		if (p->shadow == NULL || p->shadow_served)
			continue;
		if (epoll_add(c, npf_shadow_fd(p->shadow), p->shadow) < 0)
			npf_err("port %s: its shadow interface can't be waited for: %s",
				p->port.conf->name, strerror(errno));
		p->shadow_served = true;
	}
}

static int loop(struct npf_control *c, struct npf_engine *e)
{
	int rc = epoll_add(c, e->links_fd, &e->links_fd);

	if (rc < 0)
		return rc;
	for (;;) {
		/* One at a time: serving one client may hang up on another, whose event would then
		 * point nowhere. */
		struct epoll_event ev;
		int n;

		add_shadows(c, e);
		n = epoll_wait(c->epoll_fd, &ev, 1, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (ev.data.ptr == &c->signal_fd)
			return 0;
		if (ev.data.ptr == &c->listen)
			accept_some(c);
		else if (ev.data.ptr == &c->timer_fd)
			on_timer(c, e);
		else if (ev.data.ptr == &e->links_fd)
			npf_links_serve(e);
		else if (ev.data.ptr == c->tasks)
			npf_tasks_reap(c->tasks);
		else if (!serve_shadow(e, ev.data.ptr))
			serve(c, e, ev.data.ptr);
	}
}

/* Close all connections, and wait a while for the tasks. */
static void end(struct npf_control *c, struct npf_engine *e)
{
	unsigned int left;

	c->accepting = true; /* a connection that closes makes room for no other */
	while (c->conns != NULL)
		close_conn(c, e, c->conns);
	while (c->leaving != NULL) {
		struct npf_conn *conn = c->leaving;

		c->leaving = conn->next;
		npf_discharge(&conn->flight.charge);
		dispose(c, conn);
	}
	left = npf_tasks_free(c->tasks, LEAVE_MS);
	if (left > 0)
		npf_warn("%u tasks for clients have not ended (descriptors that do not close, "
			 "memory being cleared, or names being looked up): left alone",
			left);
	c->tasks = e->tasks = NULL;
}

int npf_control_run(struct npf_control *c, struct npf_engine *e)
{
	int rc;

	c->engine = e;
	c->tasks = e->tasks = npf_tasks_new();
	if (c->tasks == NULL)
		return -ENOMEM;
	rc = epoll_add(c, npf_tasks_fd(c->tasks), c->tasks);
	if (rc == 0)
		rc = loop(c, e);
	end(c, e);
	return rc;
}

struct npf_control *npf_control_free(struct npf_control *c)
{
	if (c == NULL)
		return NULL;
	npf_listen_close(&c->listen);
	npf_close(c->epoll_fd);
	npf_close(c->signal_fd);
	npf_close(c->timer_fd);
	free(c->path);
	free(c->buf);
	free(c);
	return NULL;
}
