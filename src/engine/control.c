/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - the socket, its connections and the loop that serves them.
 *
 * A connection is hung up on when it breaks the protocol, does not take its replies, or was
 * caught lying in shared memory; hanging up, from either side, ends its session. What a request
 * means is requests.c's business.
 */
#include "engine/control.h"

#include "engine/access.h"
#include "engine/dumps.h"
#include "engine/links.h"
#include "engine/log.h"
#include "engine/ports.h"
#include "engine/requests.h"
#include "engine/session.h"
#include "engine/shadow.h"

#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define BACKLOG        64
#define MAX_CLIENTS    4096
#define FAULT_CHECK_MS 100

struct npf_control {
	int listen_fd, epoll_fd, signal_fd, timer_fd;
	char *path;
	dev_t dev; /* of the socket that we made: only that one is removed */
	ino_t ino;
	struct npf_conn *conns;
	unsigned int n_conns;
	bool accepting; /* false: no descriptors left, until a client goes */
	void *buf;      /* NPF_WIRE_BUFLEN */
};

/* ---- the socket ---- */

static int make_dir(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *dir;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Who may connect: the owner, a group, or everybody. */
static int set_access(const char *path, const char *group, char *err, size_t err_len)
{
	const struct group *gr;
	mode_t mode = 0660;
	gid_t gid = (gid_t)-1;

	if (group != NULL && strcmp(group, "any") == 0) {
		mode = 0666;
	} else {
		gr = getgrnam(group != NULL ? group : "npf");
		if (gr != NULL) {
			gid = gr->gr_gid;
		} else if (group != NULL) {
			snprintf(err, err_len,
				"npf.group: there is no group \"%s\"; make it with groupadd, or "
				"write \"any\"",
				group);
			return -EINVAL;
		} else {
			mode = 0600;
			npf_info("there is no group npf: only user %u may use %s; `group:` in the "
				 "configuration says otherwise",
				(unsigned int)geteuid(), path);
		}
	}
	if (chmod(path, mode) < 0 || (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)) {
		int rc = -errno;

		snprintf(err, err_len, "%s: can't set its group and mode: %s", path, strerror(-rc));
		return rc;
	}
	return 0;
}

static int bind_socket(
	struct npf_control *c, const struct npf_config *conf, char *err, size_t err_len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	npf_autofd int lock = -1, probe = -1;
	struct stat st;
	int rc;

	if (strlen(c->path) >= sizeof(addr.sun_path)) {
		snprintf(err, err_len, "%s: longer than a socket's path can be (%zu)", c->path,
			sizeof(addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, c->path);
	/* The lock keeps two daemons that start at once from each taking the other's socket for a
	 * dead one's. */
	lock = make_dir(c->path);
	if (lock < 0) {
		snprintf(err, err_len, "%s: its directory can't be made or opened: %s", c->path,
			strerror(-lock));
		return lock;
	}
	flock(lock, LOCK_EX);
	probe = npf_wire_connect(c->path);
	if (probe >= 0 || probe == -EAGAIN) {
		snprintf(err, err_len,
			"%s: another npf-dpdk serves this socket; stop it, or choose another with "
			"--socket",
			c->path);
		return -EADDRINUSE;
	}
	if (lstat(c->path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		snprintf(err, err_len,
			"%s: there is something that is not a socket; remove it, or choose another "
			"path",
			c->path);
		return -EEXIST;
	}
	if (probe == -ECONNREFUSED)
		unlink(c->path);
	c->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody but the owner until set_access() has opened it up. */
	mode_t mask = umask(0177);

	rc = c->listen_fd < 0 || bind(c->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0
		     ? -errno
		     : 0;
	umask(mask);
	if (rc == 0 && (lstat(c->path, &st) < 0 || listen(c->listen_fd, BACKLOG) < 0))
		rc = -errno;
	if (rc < 0) {
		snprintf(err, err_len, "%s: can't listen there: %s", c->path, strerror(-rc));
		return rc;
	}
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	return set_access(c->path, conf->npf.group, err, err_len);
}

/* ---- connections ---- */

static int watch(struct npf_control *c, int fd, void *tag)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = tag};

	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static void watch_listen(struct npf_control *c, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = &c->listen_fd};

	epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, c->listen_fd, &ev);
	c->accepting = on;
}

static void hang_up(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn)
{
	struct npf_conn **at = &c->conns;

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;
	c->n_conns--;
	if (conn->session != NULL)
		npf_session_close(e, conn->session);
	npf_close(conn->fd);
	free(conn->peer.groups);
	free(conn);
	if (!c->accepting)
		watch_listen(c, true);
}

static void admit(struct npf_control *c, int fd)
{
	struct npf_conn *conn = NULL;

	if (c->n_conns < MAX_CLIENTS)
		conn = calloc(1, sizeof(*conn));
	if (conn == NULL || npf_access_peer(fd, &conn->peer) < 0 || watch(c, fd, conn) < 0) {
		if (conn != NULL)
			free(conn->peer.groups);
		free(conn);
		npf_close(fd);
		return;
	}
	conn->fd = fd;
	conn->next = c->conns;
	c->conns = conn;
	c->n_conns++;
}

static void accept_all(struct npf_control *c)
{
	for (;;) {
		int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(c, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EMFILE || errno == ENFILE) {
			npf_warn("out of file descriptors: new clients wait until one goes; raise "
				 "the limit (ulimit -n)");
			watch_listen(c, false);
		}
		return;
	}
}

/* One message of a client. */
static void serve(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn)
{
	struct npf_wire_msg msg;
	int rc = npf_wire_recv_msg(conn->fd, c->buf, NPF_WIRE_BUFLEN, &msg);

	if (rc == -EAGAIN)
		return;
	if (rc > 0) {
		/* Answers know what an interface is like now. */
		npf_links_serve(e);
		rc = npf_request(e, conn, &msg);
		npf_wire_msg_close(&msg);
		if (rc == 0)
			return;
	}
	hang_up(c, e, conn);
}

static void hang_up_on_liars(struct npf_control *c, struct npf_engine *e)
{
	uint64_t expirations;

	if (read(c->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	for (struct npf_conn *conn = c->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->session == NULL || npf_session_fault(conn->session) == 0)
			continue;
		npf_warn("session %llu (%s, pid %d, uid %u): its position in the ring makes no "
			 "sense; ended",
			(unsigned long long)conn->session->id, conn->peer.program,
			(int)conn->peer.pid, (unsigned int)conn->peer.uid);
		hang_up(c, e, conn);
	}
}

static void every_while(struct npf_control *c, struct npf_engine *e)
{
	hang_up_on_liars(c, e);
	npf_sessions_remind(e);
	npf_dumps_tick(e);
	npf_ports_forget(e);
}

/* ---- life ---- */

int npf_control_listen(
	const struct npf_config *conf, struct npf_control **cp, char *err, size_t err_len)
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
	c->listen_fd = c->epoll_fd = c->signal_fd = c->timer_fd = -1;
	c->accepting = true;
	c->path = strdup(conf->npf.socket);
	c->buf = malloc(NPF_WIRE_BUFLEN);
	rc = c->path != NULL && c->buf != NULL ? bind_socket(c, conf, err, err_len) : -ENOMEM;
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
		watch(c, c->listen_fd, &c->listen_fd) < 0 ||
		watch(c, c->signal_fd, &c->signal_fd) < 0 ||
		watch(c, c->timer_fd, &c->timer_fd) < 0) {
		rc = -errno;
		snprintf(err, err_len, "can't wait for clients: %s", strerror(-rc));
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
static void watch_shadows(struct npf_control *c, struct npf_engine *e)
{
	for (unsigned int i = 0; i < e->n_ports; i++) {
		struct npf_engine_port *p = e->ports[i];

		if (p->shadow == NULL || p->shadow_served)
			continue;
		if (watch(c, npf_shadow_fd(p->shadow), p->shadow) < 0)
			npf_err("port %s: its shadow interface can't be waited for: %s",
				p->port.conf->name, strerror(errno));
		p->shadow_served = true;
	}
}

int npf_control_run(struct npf_control *c, struct npf_engine *e)
{
	int rc = watch(c, e->links_fd, &e->links_fd);

	if (rc < 0)
		return rc;
	for (;;) {
		/* One at a time: serving one client may hang up on another, whose event would then
		 * point nowhere. */
		struct epoll_event ev;
		int n;

		watch_shadows(c, e);
		n = epoll_wait(c->epoll_fd, &ev, 1, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (ev.data.ptr == &c->signal_fd)
			return 0;
		if (ev.data.ptr == &c->listen_fd)
			accept_all(c);
		else if (ev.data.ptr == &c->timer_fd)
			every_while(c, e);
		else if (ev.data.ptr == &e->links_fd)
			npf_links_serve(e);
		else if (!serve_shadow(e, ev.data.ptr))
			serve(c, e, ev.data.ptr);
	}
}

struct npf_control *npf_control_free(struct npf_control *c)
{
	struct stat st;

	if (c == NULL)
		return NULL;
	while (c->conns != NULL) {
		struct npf_conn *conn = c->conns;

		c->conns = conn->next;
		npf_close(conn->fd);
		free(conn->peer.groups);
		free(conn);
	}
	if (c->listen_fd >= 0 && lstat(c->path, &st) == 0 && st.st_dev == c->dev &&
		st.st_ino == c->ino)
		unlink(c->path);
	npf_close(c->listen_fd);
	npf_close(c->epoll_fd);
	npf_close(c->signal_fd);
	npf_close(c->timer_fd);
	free(c->path);
	free(c->buf);
	free(c);
	return NULL;
}
