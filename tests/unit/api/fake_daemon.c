/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_daemon.c - the fake daemon as its clients see it: what it answers. */
#include "fake_daemon_priv.h"

#include "base/clock.h"
#include "base/eventfd.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

static void drop_conn(struct conn *c)
{
	for (unsigned int i = 0; i < c->n_buffers; i++)
		npf_buffer_free(c->buffers[i]);
	npf_tx_lane_free(c->tx);
	free(c->insns);
	/* poll() in the thread keeps a closed socket alive: end it for the peer at once. */
	shutdown(c->fd, SHUT_RDWR);
	c->fd = npf_close(c->fd);
	npf_doorbell_fini(&c->bell);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	c->bell = NPF_DOORBELL_NONE;
}

static void reply(struct conn *c, const struct npf_wire_msg *msg, int status, const void *body,
	size_t len, const int *fds, unsigned int n_fds)
{
	struct npf_wire_out out = {
		.hdr = msg->hdr, .body = body, .body_len = len, .fds = fds, .n_fds = n_fds};

	out.hdr.type |= NPF_WIRE_REPLY;
	out.hdr.status = status;
	npf_wire_send_msg(c->fd, &out);
}

static void refuse(struct conn *c, const struct npf_wire_msg *msg, int status, const char *text)
{
	struct npf_error err = {0};

	snprintf(err.text, sizeof(err.text), "%s", text);
	reply(c, msg, status, &err, sizeof(err), NULL, 0);
}

static struct npf_wire_port the_port(void)
{
	return (struct npf_wire_port){
		.name = "npf0",
		.device = "net_fake0",
		.driver = "net_fake",
		.mac = {2, 0, 0, 0, 0, 1},
		.flags = NPF_WIRE_PORT_UP | NPF_WIRE_PORT_SEND | NPF_WIRE_PORT_CAPTURE |
			 NPF_WIRE_PORT_ATTENDS,
		.linktype = 1,
		.mtu = 1500,
	};
}

static int add_buffer(struct conn *c, uint64_t size)
{
	struct npf_buffer_conf conf = {
		.size = size > 0 ? size : 1u << 20,
		.n_lanes = 1,
		.overwrite = (c->open.flags & NPF_WIRE_OPEN_OVERWRITE) != 0,
		.mintocopy = (c->params.flags & NPF_WIRE_OPEN_IMMEDIATE) ? 0 : c->params.mintocopy,
		.timeout_ns = c->params.timeout_ms * NPF_NS_PER_MS,
	};
	int rc;

	if (c->n_buffers == MAX_BUFFERS)
		return -ENOMEM;
	rc = npf_buffer_new(&conf, &c->buffers[c->n_buffers]);
	if (rc == 0)
		c->n_buffers++;
	return rc;
}

static void set_filter(struct conn *c, const void *insns, uint32_t n)
{
	free(c->insns);
	c->insns = NULL;
	c->n_insns = n;
	if (n > 0) {
		c->insns = malloc(n * sizeof(*c->insns));
		memcpy(c->insns, insns, n * sizeof(*c->insns));
	}
	c->loose = npf_bpf_verify_loose(c->insns, n, NULL) > 0;
}

static void do_open(struct fake_daemon *d, struct conn *c, const struct npf_wire_msg *msg)
{
	int fds[1 + NPF_BUFFER_NFDS];
	struct npf_wire_open_reply r = {.session = 1, .n_lanes = 1, .page_size = 4096};
	int rc;

	memcpy(&c->open, msg->body, sizeof(c->open));
	c->params = c->open.params;
	d->last_open = c->open;
	d->last_params = c->params;
	if (strcmp(c->open.port, "npf7") == 0) {
		refuse(c, msg, -EACCES, "port npf7 is not for you: ask its owner");
		return;
	}
	if (strcmp(c->open.port, "npf0") != 0) {
		refuse(c, msg, -ENODEV, "there is no such port: see `npfctl ports`");
		return;
	}
	rc = npf_doorbell_init(&c->bell, NULL);
	if (rc == 0)
		rc = add_buffer(c, c->open.buffer_size);
	if (rc < 0) {
		refuse(c, msg, rc, "no memory for the buffer");
		return;
	}
	set_filter(c, npf_wire_tail(msg), c->open.n_insns);
	r.port = the_port();
	fds[0] = c->bell.wait_fd;
	reply(c, msg, 0, &r, sizeof(r), fds, 1 + npf_buffer_fds(current(c), fds + 1));
}

static void do_set_filter(struct fake_daemon *d, struct conn *c, const struct npf_wire_msg *msg)
{
	const struct npf_wire_filter *m = msg->body;
	struct npf_wire_filter_reply r = {0};

	set_filter(c, npf_wire_tail(msg), m->n_insns);
	r.filter_gen = ++c->gen;
	r.flags = c->loose ? NPF_WIRE_FILTER_READER : 0;
	if (!d->ignore_filters)
		c->accept_gen = c->gen;
	reply(c, msg, 0, &r, sizeof(r), NULL, 0);
}

static void replace_buffer(struct conn *c, const struct npf_wire_msg *msg, uint64_t size)
{
	struct npf_wire_buffer_reply r = {.size = size, .page_size = 4096, .n_lanes = 1};
	struct npf_buffer *old = current(c);
	int fds[NPF_BUFFER_NFDS];
	int rc = add_buffer(c, size);

	if (rc < 0) {
		refuse(c, msg, rc, "no memory for the buffer");
		return;
	}
	npf_lane_close(npf_buffer_lane(old, 0));
	reply(c, msg, 0, &r, sizeof(r), fds, npf_buffer_fds(current(c), fds));
}

static void do_stats(struct conn *c, const struct npf_wire_msg *msg)
{
	struct npf_ring_counters ring = {0};

	if (c->removed) {
		refuse(c, msg, -ENODEV, "port npf0 was removed");
		return;
	}
	c->stats.captured = c->stats.captured_bytes = c->stats.drop_full = 0;
	for (unsigned int i = 0; i < c->n_buffers; i++) {
		npf_buffer_counters(c->buffers[i], &ring);
		c->stats.captured += ring.packets;
		c->stats.captured_bytes += ring.bytes;
		c->stats.drop_full += ring.drop[NPF_DROP_FULL];
	}
	reply(c, msg, 0, &c->stats, sizeof(c->stats), NULL, 0);
}

static void do_send(struct fake_daemon *d, struct conn *c, const struct npf_wire_msg *msg)
{
	const struct npf_wire_send *m = msg->body;
	struct npf_wire_send_reply r = {.sent = 1};

	d->n_sent++;
	d->sent_len = m->len;
	memcpy(d->sent, npf_wire_tail(msg), m->len);
	c->stats.sent++;
	reply(c, msg, 0, &r, sizeof(r), NULL, 0);
}

static void do_send_lane(struct conn *c, const struct npf_wire_msg *msg)
{
	struct npf_wire_send_lane r = {.size = NPF_TX_MIN};
	int fds[NPF_TX_NFDS];

	if (npf_tx_lane_new(r.size, NULL, &c->tx) < 0) {
		refuse(c, msg, -ENOMEM, "no lane");
		return;
	}
	npf_tx_lane_fds(c->tx, fds);
	reply(c, msg, 0, &r, sizeof(r), fds, NPF_TX_NFDS);
}

/* Waits for the frame's time, unless it is taken back. */
static void await_time(struct conn *c, const struct npf_tx_item *it)
{
	uint64_t due = c->tx_start + it->at_ns, now;

	while (!npf_tx_lane_is_canceled(c->tx, it->end) && (now = npf_clock_monotonic()) < due)
		usleep((useconds_t)(NPF_MIN(due - now, NPF_NS_PER_MS) / 1000 + 1));
}

/* Sends a frame as often as it says, and no faster than a million times a second. */
static void send_item(struct fake_daemon *d, struct conn *c, const struct npf_tx_item *it)
{
	uint32_t left = it->repeat;

	d->sent_len = it->len;
	memcpy(d->sent, it->frame, it->len);
	while (left > 0 && !npf_tx_lane_is_canceled(c->tx, it->end)) {
		uint32_t n = NPF_MIN(left, 1000u);

		if (it->repeat > n)
			usleep(1000);
		d->n_sent += n;
		left -= n;
		npf_tx_lane_count(c->tx, n, 0, 0);
	}
	if (left > 0)
		npf_tx_lane_count(c->tx, 0, left, -ECANCELED);
}

/* Sends what is in the lane; the port is as fast as the schedule. */
static void pump(struct fake_daemon *d, struct conn *c)
{
	struct npf_tx_item it;

	while (npf_tx_lane_take(c->tx, &it) == 1) {
		if ((it.flags & NPF_TX_START) != 0)
			c->tx_start = npf_clock_monotonic();
		if ((it.flags & NPF_TX_TIMED) != 0)
			await_time(c, &it);
		if (npf_tx_lane_is_canceled(c->tx, it.end)) {
			npf_tx_lane_count(c->tx, 0, it.repeat, -ECANCELED);
		} else if (d->n_sent >= d->tx_limit) {
			/* ... and what follows in the batch, since the limit stays. */
			npf_tx_lane_count(c->tx, 0, it.repeat,
				(it.flags & NPF_TX_NOWAIT) != 0 ? -EAGAIN : -ENOBUFS);
		} else {
			if ((it.flags & NPF_TX_TIMED) != 0)
				npf_tx_lane_late(
					c->tx, npf_clock_monotonic() - c->tx_start - it.at_ns);
			send_item(d, c, &it);
		}
		npf_tx_lane_settle(c->tx, it.end);
	}
}

static void serve(struct fake_daemon *d, struct conn *c, const struct npf_wire_msg *msg)
{
	struct npf_wire_hello_reply hello = {.version = "fake", .pid = 1};
	struct npf_wire_port port = the_port();
	struct npf_error err;

	if (npf_wire_check_request(msg, &err) < 0) {
		refuse(c, msg, -EPROTO, err.text);
		return;
	}
	switch (msg->hdr.type) {
	case NPF_WIRE_HELLO:
		reply(c, msg, 0, &hello, sizeof(hello), NULL, 0);
		break;
	case NPF_WIRE_PORTS:
		reply(c, msg, 0, &port, sizeof(port), NULL, 0);
		break;
	case NPF_WIRE_OPEN:
		do_open(d, c, msg);
		break;
	case NPF_WIRE_SET_FILTER:
		do_set_filter(d, c, msg);
		break;
	case NPF_WIRE_SET_PARAMS:
		memcpy(&c->params, msg->body, sizeof(c->params));
		d->last_params = c->params;
		npf_buffer_set_wake(current(c),
			(c->params.flags & NPF_WIRE_OPEN_IMMEDIATE) ? 0 : c->params.mintocopy,
			c->params.timeout_ms * NPF_NS_PER_MS);
		reply(c, msg, 0, NULL, 0, NULL, 0);
		break;
	case NPF_WIRE_SET_BUFFER:
		replace_buffer(c, msg, ((const struct npf_wire_set_buffer *)msg->body)->size);
		break;
	case NPF_WIRE_SET_MODE:
		memcpy(&d->last_mode, msg->body, sizeof(d->last_mode));
		c->monitor = d->last_mode.mode == NPF_WIRE_MONITOR;
		replace_buffer(c, msg, 0);
		break;
	case NPF_WIRE_STATS:
		do_stats(c, msg);
		break;
	case NPF_WIRE_SEND:
		do_send(d, c, msg);
		break;
	case NPF_WIRE_SEND_LANE:
		do_send_lane(c, msg);
		break;
	case NPF_WIRE_READ:
		d->n_reads++;
		if (d->refuse_reads)
			refuse(c, msg, -EIO, "the fake port can't be started");
		else
			reply(c, msg, 0, NULL, 0, NULL, 0);
		break;
	default:
		refuse(c, msg, -EOPNOTSUPP, "the fake daemon does not do this");
	}
}

static void accept_one(struct fake_daemon *d)
{
	int fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	for (unsigned int i = 0; i < MAX_CONNS && fd >= 0; i++)
		if (d->conns[i].fd < 0) {
			d->conns[i].fd = npf_steal_fd(&fd);
			return;
		}
	npf_close(fd);
}

static bool pump_all(struct fake_daemon *d)
{
	bool any = false;

	for (unsigned int i = 0; i < MAX_CONNS; i++)
		if (d->conns[i].fd >= 0 && d->conns[i].tx != NULL) {
			pump(d, &d->conns[i]);
			any = true;
		}
	return any;
}

static void *run(void *arg)
{
	struct fake_daemon *d = arg;

	for (;;) {
		struct pollfd pfds[2 + MAX_CONNS];
		bool has_lanes;

		pthread_mutex_lock(&d->lock);
		pfds[0] = (struct pollfd){.fd = d->stop_fd, .events = POLLIN};
		pfds[1] = (struct pollfd){.fd = d->listen_fd, .events = POLLIN};
		for (unsigned int i = 0; i < MAX_CONNS; i++)
			pfds[2 + i] = (struct pollfd){.fd = d->conns[i].fd, .events = POLLIN};
		has_lanes = pump_all(d);
		pthread_mutex_unlock(&d->lock);
		poll(pfds, NPF_ARRAY_LEN(pfds), has_lanes ? 1 : -1);
		if (pfds[0].revents)
			return NULL;
		pthread_mutex_lock(&d->lock);
		if (pfds[1].revents)
			accept_one(d);
		for (unsigned int i = 0; i < MAX_CONNS; i++) {
			struct conn *c = &d->conns[i];
			struct npf_wire_msg msg;

			if (!pfds[2 + i].revents || c->fd < 0 || c->fd != pfds[2 + i].fd)
				continue;
			if (npf_wire_recv_msg(c->fd, d->msg_buf, NPF_WIRE_BUFLEN, &msg) <= 0) {
				drop_conn(c);
				continue;
			}
			if (!d->hang)
				serve(d, c, &msg);
			npf_wire_msg_close(&msg);
		}
		pthread_mutex_unlock(&d->lock);
	}
}

struct fake_daemon *fake_start(void)
{
	struct fake_daemon *d = calloc(1, sizeof(*d));
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(d->dir, "/tmp/npf-fake-XXXXXX");
	if (mkdtemp(d->dir) == NULL)
		abort();
	snprintf(d->path, sizeof(d->path), "%s/npf.sock", d->dir);
	strcpy(addr.sun_path, d->path);
	d->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(d->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(d->listen_fd, 16) < 0)
		abort();
	d->stop_fd = eventfd(0, EFD_CLOEXEC);
	d->msg_buf = malloc(NPF_WIRE_BUFLEN);
	d->tx_limit = UINT_MAX;
	for (unsigned int i = 0; i < MAX_CONNS; i++) {
		d->conns[i].fd = -1;
		d->conns[i].bell = NPF_DOORBELL_NONE;
	}
	pthread_mutex_init(&d->lock, NULL);
	setenv("NPF_SOCKET", d->path, 1);
	if (pthread_create(&d->thread, NULL, run, d) != 0)
		abort();
	return d;
}

void fake_die(struct fake_daemon *d)
{
	pthread_mutex_lock(&d->lock);
	d->listen_fd = npf_close(d->listen_fd);
	for (unsigned int i = 0; i < MAX_CONNS; i++)
		if (d->conns[i].fd >= 0)
			drop_conn(&d->conns[i]);
	pthread_mutex_unlock(&d->lock);
}

void fake_stop(struct fake_daemon *d)
{
	npf_eventfd_signal(d->stop_fd);
	pthread_join(d->thread, NULL);
	fake_die(d);
	npf_close(d->stop_fd);
	unlink(d->path);
	rmdir(d->dir);
	free(d->msg_buf);
	pthread_mutex_destroy(&d->lock);
	free(d);
	unsetenv("NPF_SOCKET");
}
