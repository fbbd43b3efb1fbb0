/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - the loop that serves connections.
 *
 * A connection is closed when it breaks the protocol, does not take its replies, sends no HELLO in
 * time, or has put values into shared memory that can't be. Its end, from either side, ends its
 * session. requests.c handles the requests.
 *
 * A user has a part of this thread's time. Who has had it is served a little later.
 */
#include "engine/control/control_priv.h"

#include "base/clock.h"
#include "engine/core/core.h"
#include "engine/dump/dump.h"
#include "engine/lifecycle/lifecycle.h"
#include "base/eventfd.h"
#include "base/log.h"
#include "engine/session/session.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define FAULT_CHECK_MS 100
#define HELLO_NS       (5 * NPF_NS_PER_S)
#define LEAVE_MS       1000

static int epoll_add(struct npf_control *c, int fd, void *tag)
{
	return npf_epoll_add(c->epoll_fd, fd, EPOLLIN | EPOLLRDHUP, tag);
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
	npf_conns_free_landed(c);
}

static void handle_request(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn)
{
	uint64_t begun = npf_clock_monotonic();
	int rc = npf_request(e, conn, &conn->msg);

	if (rc == NPF_REQUEST_LATER && conn->flight.waits && conn->held == NULL) {
		settle_flights(c);
		rc = npf_request(e, conn, &conn->msg);
	}
	npf_account_take_turn(conn->charge.account, begun, npf_clock_monotonic());
	if (rc == NPF_REQUEST_LATER)
		rc = hold_request(c, conn);
	else if (rc == 0)
		rc = release_request(c, conn);
	if (rc < 0)
		npf_conn_close(c, e, conn);
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

	if (!npf_conn_has_turn(c, conn))
		return;
	if (conn->held != NULL) {
		npf_conn_close(c, e, conn); /* it does not wait for the reply */
		return;
	}
	rc = npf_wire_recv_msg(conn->fd, c->buf, NPF_WIRE_BUFLEN, &conn->msg);
	if (rc == -EAGAIN)
		return;
	if (rc <= 0) {
		npf_conn_close(c, e, conn);
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
		npf_conn_close(c, e, conn);
	}
}

static void close_silent(struct npf_control *c, struct npf_engine *e)
{
	uint64_t now = npf_clock_monotonic();

	for (struct npf_conn *conn = c->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (!conn->greeted && now - conn->since_ns > HELLO_NS)
			npf_conn_close(c, e, conn);
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
	npf_engine_tick(e);
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
	c->ready = request_ready;
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

static void wake_rested(struct npf_control *c, uint64_t *lastp)
{
	uint64_t now;

	if (c->n_resting == 0)
		return;
	now = npf_clock_monotonic();
	if (now - *lastp < NPF_CONN_REST_MS * NPF_NS_PER_MS)
		return;
	*lastp = now;
	npf_conns_wake(c);
}

static int loop(struct npf_control *c, struct npf_engine *e)
{
	uint64_t woken_ns = 0;
	int rc = epoll_add(c, e->links_fd, &e->links_fd);

	if (rc < 0)
		return rc;
	for (;;) {
		/* One at a time: serving one client may hang up on another, whose event would then
		 * point nowhere. */
		struct epoll_event ev;
		int n;

		add_shadows(c, e);
		wake_rested(c, &woken_ns);
		n = epoll_wait(c->epoll_fd, &ev, 1, c->n_resting > 0 ? NPF_CONN_REST_MS : -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (ev.data.ptr == &c->signal_fd)
			return 0;
		if (ev.data.ptr == &c->listen)
			npf_conns_accept(c);
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

	npf_conns_close(c, e);
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
