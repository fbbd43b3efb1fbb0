/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send.c - frames in batches, through the session's send lane, which is made at first need.
 *
 * The daemon sends the first frames of a batch while later ones are put into the lane. The batch
 * ends when all its frames are settled. Those that were sent are its first ones, and their number
 * is exact, also when the batch is stopped: frames that the daemon has not begun to send are taken
 * back, the others are waited for. The lane has its own lock, so that a long batch holds up no
 * other call.
 */
#include "client/client_priv.h"

#include <stdio.h>
#include <string.h>

#define CHECK_MS 100 /* how often a waiting batch checks whether it is to stop */

static int open_lane(struct npf_client *c, struct npf_error *err)
{
	struct npf_wire_send_lane lane = {0};
	int fds[NPF_TX_NFDS];
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_SEND_LANE, lane),
		NPF_WIRE_GETS(lane),
		.fds = fds,
		.n_fds = NPF_TX_NFDS,
		.min_fds = NPF_TX_NFDS,
	};
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = npf_wire_do(c->sock, &call);
	pthread_mutex_unlock(&c->lock);
	if (rc < 0) {
		*err = call.err;
		return rc;
	}
	rc = call.n_fds == NPF_TX_NFDS ? npf_tx_map(fds, &c->tx) : -EPROTO;
	if (rc < 0) {
		for (unsigned int i = 0; i < call.n_fds; i++)
			npf_close(fds[i]);
		npf_error_set(err, rc, "the daemon's send lane can't be mapped: %s", strerror(-rc));
	}
	return rc;
}

int npf_client_lane(struct npf_client *c, struct npf_tx **txp, struct npf_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&c->tx_lock);
	if (c->tx == NULL)
		rc = open_lane(c, err);
	*txp = c->tx;
	pthread_mutex_unlock(&c->tx_lock);
	return rc;
}

int npf_client_socket(const struct npf_client *c)
{
	return c->sock;
}

int npf_client_batch_begin(struct npf_client *c, struct npf_client_batch *b, uint32_t flags,
	struct npf_client_stop stop, struct npf_error *err)
{
	struct npf_tx_state st;
	int rc = 0;

	if ((flags & NPF_TX_NOWAIT) == 0) {
		pthread_mutex_lock(&c->tx_lock);
	} else if (pthread_mutex_trylock(&c->tx_lock) != 0) {
		return npf_error_set(err, -EAGAIN, "another thread is sending on this handle");
	}
	if (c->tx == NULL)
		rc = open_lane(c, err);
	if (rc < 0) {
		pthread_mutex_unlock(&c->tx_lock);
		return rc;
	}
	npf_tx_state(c->tx, &st);
	*b = (struct npf_client_batch){
		.c = c,
		.tx = c->tx,
		.stop = stop,
		.sent = st.sent,
		.failed = st.failed,
		.flags = flags | NPF_TX_START,
	};
	return 0;
}

static bool is_stopped(const struct npf_client_batch *b)
{
	return atomic_load_explicit(b->stop.at, memory_order_relaxed) != b->stop.was;
}

/* Read the lane's state, and publish its departure errors for npf_client_late(). */
static void update_state(struct npf_client_batch *b, struct npf_tx_state *st)
{
	struct npf_client *c = b->c;

	npf_tx_state(c->tx, st);
	if ((b->flags & NPF_TX_TIMED) == 0)
		return;
	atomic_store_explicit(&c->late_p50, npf_tx_late(st, 0.5), memory_order_relaxed);
	atomic_store_explicit(&c->late_p99, npf_tx_late(st, 0.99), memory_order_relaxed);
	atomic_store_explicit(&c->late_max, st->late_max_ns, memory_order_relaxed);
}

/* Waits until no more than pending bytes are unsettled. Return: 0, or why to stop. */
static int wait_for(struct npf_client_batch *b, uint64_t pending)
{
	for (;;) {
		int rc = npf_tx_wait(b->c->tx, pending, b->c->sock, CHECK_MS);
		struct npf_tx_state st;

		update_state(b, &st);
		if (st.failed != b->failed)
			return st.error;
		if (rc == 0 || rc == -EPIPE)
			return rc;
		if (is_stopped(b))
			return -ECANCELED;
	}
}

/* The lane has no room for it yet, or never. */
static int put_later(struct npf_client_batch *b, const void *frame, uint32_t len, uint32_t repeat,
	uint64_t at_ns, int rc)
{
	while (rc == -EAGAIN) {
		rc = wait_for(b, npf_tx_size(b->tx) / 2);
		if (rc == 0)
			rc = npf_tx_put(b->tx, frame, len, repeat, at_ns, b->flags);
	}
	return rc;
}

/* The daemon compares frames with the MTU that the port has now, but not before they were copied,
 * and a caller may be wrong about how much there is to copy. */
static bool is_too_long(struct npf_client *c, uint32_t len)
{
	const uint32_t tags = 2 * NPF_WIRE_TAG_LEN;
	struct npf_wire_port now;

	if (NPF_LIKELY(len <= NPF_WIRE_FRAME_MAX(c->port.mtu) + tags))
		return false;
	if (npf_client_find_port(c, &now))
		c->port.mtu = now.mtu; /* it was raised */
	return len > NPF_WIRE_FRAME_MAX(c->port.mtu) + tags;
}

int npf_client_batch_put(struct npf_client_batch *b, const void *frame, uint32_t len,
	uint32_t repeat, uint64_t at_ns)
{
	int rc;

	if (NPF_UNLIKELY(b->error < 0))
		return b->error;
	b->len = len;
	b->n_put++;
	if (len < NPF_WIRE_FRAME_MIN || len > NPF_WIRE_MAXFRAME || is_too_long(b->c, len))
		rc = -EMSGSIZE;
	else
		rc = npf_tx_put(b->tx, frame, len, repeat, at_ns, b->flags);
	if (NPF_UNLIKELY(rc < 0))
		b->error = rc = put_later(b, frame, len, repeat, at_ns, rc);
	b->flags &= ~NPF_TX_START;
	return rc;
}

int npf_client_send_error(
	const struct npf_client *c, int rc, const char *which, struct npf_error *err)
{
	const struct npf_wire_port *port = &c->port;

	switch (rc) {
	case -EPIPE:
		return npf_error_set(err, rc, "the npf-dpdk daemon has gone away");
	case -EMSGSIZE:
	case -EINVAL:
		return npf_error_set(err, rc,
			"%s can't be sent on port %s: %u to %u bytes are possible (MTU %u), and 4 "
			"more for each VLAN tag in it",
			which, port->name, NPF_WIRE_FRAME_MIN, NPF_WIRE_FRAME_MAX(port->mtu),
			port->mtu);
	case -ENODEV:
		return npf_error_set(err, rc, "port %s was removed", port->name);
	case -ENETDOWN:
		return npf_error_set(err, rc,
			"network is down: port %s is not running, or the interface behind it is "
			"down",
			port->name);
	case -EIO:
		return npf_error_set(
			err, rc, "port %s took the packet, and its driver lost it", port->name);
	case -EAGAIN:
		return npf_error_set(err, rc, "port %s has no room for the packet now: %s",
			port->name, strerror(EAGAIN));
	case -ENOBUFS:
		return npf_error_set(err, rc,
			"port %s takes no packets: its transmit queue stays full", port->name);
	case -ECANCELED:
		return npf_error_set(err, rc, "sending was interrupted");
	default:
		return npf_error_set(err, rc, "%s", strerror(-rc));
	}
}

/* b->len is of the frame that failed when there was only one, or when we refused it ourselves. */
static int set_batch_error(
	const struct npf_client_batch *b, int rc, uint64_t sent, struct npf_error *err)
{
	char which[48];

	if (b->n_put == 1 || b->n_put == sent + 1)
		snprintf(which, sizeof(which), "a frame of %u bytes", b->len);
	else
		snprintf(which, sizeof(which), "packet %llu", (unsigned long long)sent + 1);
	return npf_client_send_error(b->c, rc, which, err);
}

int npf_client_batch_end(struct npf_client_batch *b, uint64_t *sentp, struct npf_error *err)
{
	struct npf_tx *tx = b->c->tx;
	struct npf_tx_state st;
	bool cut = false;
	int rc;

	/* What was put is settled soon, or when it is due; then the count is final. */
	do {
		if (!cut && is_stopped(b)) {
			/* Only what was shown can be taken back. */
			npf_tx_flush(tx);
			npf_tx_cancel(tx);
			cut = true;
		}
		rc = npf_tx_wait(tx, 0, b->c->sock, CHECK_MS);
		update_state(b, &st);
	} while (rc == -EINTR || rc == -ETIMEDOUT);
	*sentp = st.sent - b->sent;
	/* What was put comes before what could not be put. */
	if (st.failed != b->failed)
		rc = st.error;
	else if (rc == 0)
		rc = b->error;
	pthread_mutex_unlock(&b->c->tx_lock);
	return rc < 0 ? set_batch_error(b, rc, *sentp, err) : rc;
}

struct npf_client_late npf_client_late(const struct npf_client *c)
{
	return (struct npf_client_late){
		.p50 = atomic_load_explicit(&c->late_p50, memory_order_relaxed),
		.p99 = atomic_load_explicit(&c->late_p99, memory_order_relaxed),
		.max = atomic_load_explicit(&c->late_max, memory_order_relaxed),
	};
}
