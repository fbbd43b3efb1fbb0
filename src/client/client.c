/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c - a session's life and its control calls.
 *
 * One mutex covers the connection and the filter. The reading side (read.c) takes it only for a
 * record of another filter generation than the one in force, so that a busy reader shares nothing
 * with a thread that reads statistics.
 */
#include "client/client_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* How soon after it was opened a session counts from its start when it begins to count. */
#define CARRY_NS NPF_NS_PER_S

/* Descriptors of a buffer with one lane. */
#define MIN_BUFFER_FDS 3u

static int set_error(struct npf_error *err, int rc, const char *what)
{
	return npf_error_set(err, rc, "%s: %s%s", what, strerror(-rc),
		rc == -EMFILE ? "; " NPF_WIRE_OUT_OF_FDS : "");
}

int npf_client_call(struct npf_client *c, struct npf_wire_call *call, struct npf_error *err)
{
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = npf_wire_do(c->sock, call);
	pthread_mutex_unlock(&c->lock);
	if (rc < 0)
		*err = call->err;
	return rc;
}

/* Connect and say hello, within a time of the caller's choosing. */
static int hello_within(int timeout_ms, struct npf_error *err)
{
	struct npf_wire_hello req = {0};
	struct npf_wire_hello_reply hello;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_HELLO, req),
		NPF_WIRE_GETS(hello),
		.timeout_ms = timeout_ms,
	};
	npf_autofd int fd = npf_wire_connect(npf_wire_socket_path(NULL));
	int rc;

	if (fd < 0)
		return set_error(err, fd, npf_wire_socket_path(NULL));
	snprintf(req.program, sizeof(req.program), "%s", program_invocation_short_name);
	rc = npf_wire_do(fd, &call);
	if (rc < 0) {
		*err = call.err;
		return rc;
	}
	return npf_steal_fd(&fd);
}

int npf_client_list(
	int timeout_ms, struct npf_wire_port **portsp, unsigned int *np, struct npf_error *err)
{
	npf_autofree struct npf_wire_port *ports = NULL;
	struct npf_wire_call call = {
		.type = NPF_WIRE_PORTS,
		.reply_len = sizeof(*ports) * NPF_WIRE_MAXPORTS,
		.timeout_ms = timeout_ms,
	};
	npf_autofd int fd = hello_within(timeout_ms, err);
	int rc;

	if (fd < 0)
		return fd;
	call.reply = ports = malloc(call.reply_len);
	if (ports == NULL)
		return set_error(err, -ENOMEM, "ports");
	rc = npf_wire_do(fd, &call);
	if (rc < 0) {
		*err = call.err;
		return rc;
	}
	*np = call.reply_len / sizeof(*ports);
	for (unsigned int i = 0; i < *np; i++) {
		ports[i].name[sizeof(ports[i].name) - 1] = '\0';
		ports[i].device[sizeof(ports[i].device) - 1] = '\0';
		ports[i].driver[sizeof(ports[i].driver) - 1] = '\0';
	}
	*portsp = npf_steal_ptr(&ports);
	return 0;
}

int npf_client_set_interruptible(struct npf_client *c, bool on, struct npf_error *err)
{
	if (!on) {
		c->brkfd = npf_close(c->brkfd);
		return 0;
	}
	if (c->brkfd < 0)
		c->brkfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c->brkfd < 0 ? set_error(err, -errno, "Could not open eventfd") : 0;
}

/* The two descriptors that every client has: one to interrupt a wait, one to wait on. */
static int make_fds(struct npf_client *c, struct npf_error *err)
{
	struct epoll_event ev = {.events = EPOLLRDHUP};
	int rc = npf_client_set_interruptible(c, true, err);

	if (rc < 0)
		return rc;
	c->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epfd < 0)
		return set_error(err, -errno, "epoll_create1");
	/* Replies make the socket readable for a moment: only its end is news. */
	if (epoll_ctl(c->epfd, EPOLL_CTL_ADD, c->sock, &ev) < 0)
		return set_error(err, -errno, "epoll_ctl");
	ev.events = EPOLLIN;
	if (c->bell_fd >= 0 && epoll_ctl(c->epfd, EPOLL_CTL_ADD, c->bell_fd, &ev) < 0)
		return set_error(err, -errno, "epoll_ctl");
	return 0;
}

/* Descriptors that a new session comes with, at least. */
static unsigned int n_fds_of(uint32_t flags)
{
	if ((flags & NPF_WIRE_OPEN_SEND_ONLY) != 0)
		return 0;
	return (flags & NPF_WIRE_OPEN_IDLE) != 0 ? 1 : 1 + MIN_BUFFER_FDS;
}

static int open_session(
	struct npf_client *c, const struct npf_client_conf *conf, struct npf_error *err)
{
	int fds[1 + NPF_BUFFER_NFDS];
	struct npf_wire_open_reply reply;
	struct npf_wire_open req = {
		.params = {.mintocopy = conf->mintocopy,
			.timeout_ms = conf->timeout_ms,
			.direction = conf->direction,
			.flags = conf->flags & (NPF_WIRE_OPEN_IMMEDIATE | NPF_WIRE_OPEN_NO_OWN)},
		.buffer_size = conf->buffer_size,
		.snaplen = conf->snaplen,
		.flags = conf->flags,
	};
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_OPEN, req),
		NPF_WIRE_GETS(reply),
		.fds = fds,
		.n_fds = NPF_ARRAY_LEN(fds),
		.min_fds = n_fds_of(conf->flags),
		/* Memory is made and prefaulted meanwhile: give it time. */
		.timeout_ms = 10 * NPF_WIRE_TIMEOUT_MS,
	};
	int rc;

	if (strlen(conf->port) >= sizeof(req.port)) {
		return npf_error_set(err, -ENODEV, "no port has so long a name");
	}
	strcpy(req.port, conf->port);
	rc = npf_client_call(c, &call, err);
	if (rc < 0)
		return rc;
	c->port = reply.port;
	c->port.name[sizeof(c->port.name) - 1] = '\0';
	c->looks = (conf->flags & NPF_WIRE_OPEN_LOOK) != 0 &&
		   (c->port.flags & NPF_WIRE_PORT_ATTENDS) != 0;
	atomic_store_explicit(&c->in_force, reply.filter_gen, memory_order_relaxed);
	c->snaplen = conf->snaplen;
	c->params = req.params;
	atomic_init(
		&c->mintocopy, (conf->flags & NPF_WIRE_OPEN_IMMEDIATE) != 0 ? 0 : conf->mintocopy);
	if ((conf->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0)
		return make_fds(c, err);
	if (call.n_fds < NPF_MIN(n_fds_of(conf->flags), 2u)) {
		for (unsigned int i = 0; i < call.n_fds; i++)
			npf_close(fds[i]);
		return npf_error_set(err, -EPROTO, "the daemon sent no buffer");
	}
	c->bell_fd = fds[0];
	c->n_buffer_fds = NPF_MAX(call.n_fds - 1, MIN_BUFFER_FDS);
	rc = npf_reader_new(c->bell_fd, &c->reader);
	if (rc == 0 && call.n_fds > 1)
		rc = npf_reader_add(c->reader, fds + 1, call.n_fds - 1);
	for (unsigned int i = 1; i < call.n_fds; i++)
		npf_close(fds[i]);
	if (rc < 0)
		return set_error(err, rc, "can't map the session's buffer");
	return make_fds(c, err);
}

int npf_client_open(
	const struct npf_client_conf *conf, struct npf_client **cp, struct npf_error *err)
{
	struct npf_wire_hello_reply hello;
	struct npf_client *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return set_error(err, -ENOMEM, "client");
	c->bell_fd = c->brkfd = c->epfd = -1;
	c->opened_ns = npf_clock_monotonic();
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->tx_lock, NULL);
	atomic_init(&c->direction, conf->direction);
	rc = c->sock = npf_wire_open_daemon(conf->socket,
		conf->program != NULL ? conf->program : program_invocation_short_name, &hello, err);
	if (rc >= 0)
		rc = open_session(c, conf, err);
	if (rc < 0) {
		npf_client_close(c);
		return rc;
	}
	*cp = c;
	return 0;
}

struct npf_client *npf_client_close(struct npf_client *c)
{
	if (c == NULL)
		return NULL;
	if (c->reader != NULL)
		npf_reader_free(c->reader);
	npf_close(c->epfd);
	npf_close(c->brkfd);
	npf_close(c->bell_fd);
	npf_close(c->sock);
	free(c->insns);
	npf_tx_unmap(c->tx);
	pthread_mutex_destroy(&c->tx_lock);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

const struct npf_wire_port *npf_client_port(const struct npf_client *c)
{
	return &c->port;
}

int npf_client_set_filter(struct npf_client *c, const struct npf_bpf_insn *insns, uint32_t n_insns,
	struct npf_error *err)
{
	struct npf_wire_filter req = {.n_insns = n_insns};
	struct npf_wire_filter_reply reply;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_SET_FILTER, req),
		.tail = insns,
		.tail_len = n_insns * sizeof(*insns),
		NPF_WIRE_GETS(reply),
		/* Compiling a long filter takes the daemon a while. */
		.timeout_ms = 10 * NPF_WIRE_TIMEOUT_MS,
	};
	npf_autofree struct npf_bpf_insn *copy = NULL;
	struct npf_bpf_error bad;
	int rc;

	if (n_insns > NPF_WIRE_MAXINSNS) {
		return npf_error_set(err, -EMSGSIZE, "the filter has %u instructions, more than %u",
			n_insns, NPF_WIRE_MAXINSNS);
	}
	if (n_insns > 0) {
		/* The daemon checks for itself; we check because we may run it here. */
		rc = npf_bpf_verify_loose(insns, n_insns, &bad);
		if (rc < 0) {
			return npf_error_set(
				err, rc, "bad filter: instruction %u: %s", bad.pc, bad.reason);
		}
		copy = malloc(n_insns * sizeof(*copy));
		if (copy == NULL)
			return set_error(err, -ENOMEM, "filter");
		memcpy(copy, insns, n_insns * sizeof(*copy));
	}
	pthread_mutex_lock(&c->lock);
	rc = npf_wire_do(c->sock, &call);
	if (rc == 0) {
		free(c->insns);
		c->insns = npf_steal_ptr(&copy);
		c->n_insns = n_insns;
		/* relaxed: the reader compares it, and reads insns only under the lock. */
		atomic_store_explicit(&c->in_force,
			reply.filter_gen |
				((reply.flags & NPF_WIRE_FILTER_READER) != 0 ? NPF_RUN_HERE : 0),
			memory_order_relaxed);
	} else {
		*err = call.err;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* Under the lock: tell the daemon, and remember once it agreed. */
static int set_params_locked(
	struct npf_client *c, const struct npf_wire_params *params, struct npf_error *err)
{
	struct npf_wire_call call = {
		.type = NPF_WIRE_SET_PARAMS,
		.body = params,
		.body_len = sizeof(*params),
	};
	int rc = npf_wire_do(c->sock, &call);

	if (rc < 0) {
		*err = call.err;
		return rc;
	}
	c->params = *params;
	atomic_store_explicit(&c->direction, params->direction, memory_order_relaxed);
	atomic_store_explicit(&c->mintocopy,
		(params->flags & NPF_WIRE_OPEN_IMMEDIATE) != 0 ? 0 : params->mintocopy,
		memory_order_relaxed);
	return 0;
}

int npf_client_set_direction(
	struct npf_client *c, enum npf_wire_direction direction, struct npf_error *err)
{
	struct npf_wire_params params;
	int rc;

	pthread_mutex_lock(&c->lock);
	params = c->params;
	params.direction = direction;
	rc = set_params_locked(c, &params, err);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int npf_client_set_wake(
	struct npf_client *c, uint32_t mintocopy, uint32_t timeout_ms, struct npf_error *err)
{
	struct npf_wire_params params;
	int rc;

	pthread_mutex_lock(&c->lock);
	params = c->params;
	params.mintocopy = mintocopy;
	params.timeout_ms = timeout_ms;
	if (mintocopy > 0)
		params.flags &= ~NPF_WIRE_OPEN_IMMEDIATE;
	rc = set_params_locked(c, &params, err);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* A request that is answered by a new buffer, to be read after the old one. */
static int replace_buffer(struct npf_client *c, struct npf_wire_call *call, struct npf_error *err)
{
	int fds[NPF_BUFFER_NFDS];
	struct npf_wire_buffer_reply reply;
	int rc;

	call->reply = &reply;
	call->reply_len = call->reply_min = sizeof(reply);
	call->fds = fds;
	call->n_fds = NPF_ARRAY_LEN(fds);
	call->min_fds = c->n_buffer_fds;
	call->timeout_ms = 10 * NPF_WIRE_TIMEOUT_MS;
	rc = npf_client_call(c, call, err);
	if (rc < 0)
		return rc;
	rc = npf_reader_add(c->reader, fds, call->n_fds);
	for (unsigned int i = 0; i < call->n_fds; i++)
		npf_close(fds[i]);
	/* The reader is no longer armed: the new lanes know nothing of it. */
	c->armed = false;
	return rc < 0 ? set_error(err, rc, "can't map the new buffer") : 0;
}

int npf_client_set_buffer(struct npf_client *c, uint64_t size, struct npf_error *err)
{
	struct npf_wire_set_buffer req = {.size = size};
	struct npf_wire_call call = {NPF_WIRE_ASKS(NPF_WIRE_SET_BUFFER, req)};

	return replace_buffer(c, &call, err);
}

int npf_client_set_mode(struct npf_client *c, bool monitor, uint32_t interval_ms, bool nothing_read,
	struct npf_error *err)
{
	struct npf_wire_set_mode req = {
		.mode = monitor ? NPF_WIRE_MONITOR : NPF_WIRE_CAPTURE,
		.interval_ms = monitor ? interval_ms : 0,
	};
	struct npf_wire_call call = {NPF_WIRE_ASKS(NPF_WIRE_SET_MODE, req)};
	int rc = replace_buffer(c, &call, err);

	if (rc < 0)
		return rc;
	c->carrying = monitor && nothing_read && !c->monitor &&
		      npf_clock_monotonic() - c->opened_ns < CARRY_NS;
	c->carried = (struct npf_wire_counters){0};
	c->monitor = monitor;
	return 0;
}

int npf_client_set_monitor(
	struct npf_client *c, const struct npf_client_monitor *m, struct npf_error *err)
{
	const size_t rows_len = m->n_rows * sizeof(*m->rows);
	const size_t insns_len = m->n_insns * sizeof(*m->insns);
	npf_autofree char *tail = malloc(rows_len + insns_len + 1);
	struct npf_wire_set_mode req = {
		.mode = NPF_WIRE_MONITOR,
		.flags = NPF_WIRE_MODE_DETAIL,
		.interval_ms = m->interval_ms,
		.n_rows = m->n_rows,
		.n_insns = m->n_insns,
	};
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_SET_MODE, req),
		.tail = tail,
		.tail_len = rows_len + insns_len,
	};
	int rc;

	if (tail == NULL)
		return set_error(err, -ENOMEM, "monitor");
	if (rows_len > 0)
		memcpy(tail, m->rows, rows_len);
	if (insns_len > 0)
		memcpy(tail + rows_len, m->insns, insns_len);
	rc = replace_buffer(c, &call, err);
	c->monitor |= rc == 0;
	return rc;
}

bool npf_client_find_port(struct npf_client *c, struct npf_wire_port *now)
{
	npf_autofree struct npf_wire_port *ports = NULL;
	struct npf_wire_call call = {
		.type = NPF_WIRE_PORTS,
		.reply_len = sizeof(*ports) * NPF_WIRE_MAXPORTS,
	};
	struct npf_error err;

	call.reply = ports = malloc(call.reply_len);
	if (ports == NULL || npf_client_call(c, &call, &err) < 0)
		return false;
	for (size_t i = 0; i < call.reply_len / sizeof(*ports); i++) {
		if (ports[i].index != c->port.index)
			continue;
		if (now != NULL)
			*now = ports[i];
		return true;
	}
	return false;
}

int npf_client_ping(struct npf_client *c, struct npf_error *err)
{
	struct npf_wire_stats stats;
	struct npf_wire_call call = {
		.type = NPF_WIRE_STATS,
		NPF_WIRE_GETS(stats),
	};

	return npf_client_call(c, &call, err);
}

int npf_client_stats(struct npf_client *c, struct npf_wire_stats *stats, struct npf_error *err)
{
	struct npf_wire_call call = {
		.type = NPF_WIRE_STATS,
		NPF_WIRE_GETS(*stats),
	};
	uint64_t skipped = atomic_load_explicit(&c->skipped, memory_order_relaxed);
	uint64_t screened = atomic_load_explicit(&c->screened, memory_order_relaxed);
	struct npf_ring_counters ring;
	int rc = npf_client_call(c, &call, err);

	if (rc == -EPIPE && c->reader != NULL) {
		/* The daemon is gone, the counters of the lanes are not. */
		npf_reader_counters(c->reader, &ring);
		*stats = c->last_stats;
		stats->captured = ring.packets;
		stats->captured_bytes = ring.bytes;
		stats->drop_full = ring.drop[NPF_DROP_FULL];
		stats->drop_overwritten = ring.drop[NPF_DROP_OVERWRITTEN];
		stats->drop_other = ring.drop[NPF_DROP_OVERSIZE];
		stats->accepted = ring.packets + stats->drop_full + stats->drop_other;
		rc = 0;
	} else if (rc == 0) {
		c->last_stats = *stats;
	}
	if (rc == 0) {
		stats->accepted -= NPF_MIN(skipped, stats->accepted);
		stats->screened += screened;
	}
	return rc;
}
