/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client_read.c - the reading side of a session: records, sleep, the descriptor to select on.
 *
 * In full flow npf_client_next() makes no system call and takes no lock. The doorbell is touched
 * only when there is nothing left to read. The descriptor to select on has three states, of which
 * the reader knows the first two: armed and not readable (the daemon rings when enough waits),
 * readable by our own doing (something is left after a bounded read), readable since the daemon
 * has rung. We can't ring ourselves; but the doorbell is always writable, so it is readable to
 * those who select while the epoll set asks for that, too.
 *
 * A record that bears an older filter generation than the filter in force was accepted by a filter
 * that has been replaced since: the one in force decides again.
 */
#include "api/client_priv.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

/* Bytes that the filter now in force keeps of a record that another one accepted. */
static uint32_t refilter(struct npf_client *c, const struct npf_view *v)
{
	struct npf_bpf_aux aux = {
		.pkttype = (v->flags & NPF_REC_OUTBOUND) != 0 ? 4 : 0,
		.ifindex = v->port,
	};
	uint32_t keep = UINT32_MAX;
	uint16_t gen;

	pthread_mutex_lock(&c->lock);
	gen = atomic_load_explicit(&c->gen, memory_order_relaxed);
	/* A newer one than ours is being installed by another thread: its word stands. */
	if ((int16_t)(gen - v->filter_gen) > 0 && c->insns != NULL)
		keep = npf_bpf_interpret(c->insns, v->data, v->len, v->caplen, &aux);
	pthread_mutex_unlock(&c->lock);
	return keep;
}

static bool is_accepted(struct npf_client *c, struct npf_view *v)
{
	uint32_t direction = atomic_load_explicit(&c->direction, memory_order_relaxed);
	bool outbound = (v->flags & NPF_REC_OUTBOUND) != 0;

	if (NPF_UNLIKELY((v->flags & NPF_REC_COUNTS) != 0))
		return true;
	if (NPF_UNLIKELY(direction != NPF_WIRE_INOUT) && outbound != (direction == NPF_WIRE_OUT))
		return false;
	if (NPF_UNLIKELY(v->filter_gen != atomic_load_explicit(&c->gen, memory_order_relaxed))) {
		uint32_t keep = refilter(c, v);

		if (keep == 0)
			return false;
		v->caplen = NPF_MIN(v->caplen, keep);
	}
	return true;
}

/* A packet that the session took before it began to count. */
static void carry(struct npf_client *c, struct npf_view *v)
{
	if (!is_accepted(c, v))
		return;
	c->carried.packets++;
	c->carried.bytes += NPF_MAX(v->len, 60u) + 12;
}

/* The first record of counts, with what was carried. */
static void add_carried(struct npf_client *c, struct npf_view *v)
{
	struct npf_wire_counters counters;

	c->carrying = false;
	if (v->caplen != sizeof(counters))
		return;
	memcpy(&counters, v->data, sizeof(counters));
	c->carried.packets += counters.packets;
	c->carried.bytes += counters.bytes;
	v->data = (const uint8_t *)&c->carried;
}

int npf_client_next(struct npf_client *c, struct npf_view *v)
{
	int rc;

	if (NPF_UNLIKELY(c->reader == NULL))
		return 0;
	for (; (rc = npf_reader_next(c->reader, v)) == 1; c->passed++) {
		/* What another mode has left behind is none of this one's. */
		if (NPF_UNLIKELY(((v->flags & NPF_REC_COUNTS) != 0) != c->monitor)) {
			if (c->carrying)
				carry(c, v);
			continue;
		}
		if (NPF_UNLIKELY(c->carrying))
			add_carried(c, v);
		if (NPF_LIKELY(is_accepted(c, v)))
			return 1;
		/* Only this thread writes it: no need for a read-modify-write. */
		atomic_store_explicit(&c->skipped,
			atomic_load_explicit(&c->skipped, memory_order_relaxed) + 1,
			memory_order_relaxed);
	}
	/* A reader without a producer says that it is at the end: here that is the daemon's. */
	return rc == -ENODATA && c->hangup ? -EPIPE : rc;
}

uint64_t npf_client_passed(const struct npf_client *c)
{
	return c->passed;
}

bool npf_client_has_next(struct npf_client *c)
{
	return c->reader != NULL && npf_reader_pending(c->reader) > 0;
}

void npf_client_hold(struct npf_client *c, bool on)
{
	if (c->reader != NULL)
		npf_reader_hold(c->reader, on);
}

void npf_client_release(struct npf_client *c)
{
	if (c->reader != NULL)
		npf_reader_release(c->reader);
}

static void drain(int fd)
{
	uint64_t value;

	while (read(fd, &value, sizeof(value)) < 0 && errno == EINTR)
		;
}

static void signal_fd(int fd)
{
	static const uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Makes the descriptor to select on readable, whatever the daemon does, or leaves it to that. */
static void signal_self(struct npf_client *c, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN | EPOLLOUT : EPOLLIN};

	if (c->signalled != on)
		epoll_ctl(c->epfd, EPOLL_CTL_MOD, c->bell_fd, &ev);
	c->signalled = on;
}

/* Asks the daemon to be woken. Return: false: there is enough already. */
static bool arm(struct npf_client *c)
{
	if (c->reader == NULL)
		return true;
	if (!c->armed) {
		/* There is one record of counts an interval: none is held back. */
		c->armed = npf_reader_arm(c->reader,
			c->monitor ? 0 : atomic_load_explicit(&c->mintocopy, memory_order_relaxed));
		if (c->armed)
			signal_self(c, false);
	}
	return c->armed;
}

static void disarm(struct npf_client *c)
{
	if (c->armed)
		npf_reader_disarm(c->reader);
	c->armed = false;
}

static int poll_once(struct npf_client *c, int timeout_ms)
{
	struct pollfd pfds[3] = {
		{.fd = c->sock, .events = POLLRDHUP},
		{.fd = c->brkfd, .events = POLLIN},
		{.fd = c->bell_fd, .events = POLLIN},
	};
	int n = poll(pfds, 3, timeout_ms);

	if (n < 0)
		return -errno;
	if ((pfds[1].revents & POLLIN) != 0) {
		drain(c->brkfd);
		return -EINTR;
	}
	if ((pfds[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0 ||
		(pfds[2].revents & POLLHUP) != 0) {
		c->hangup = true;
		if (c->reader != NULL)
			npf_reader_finish(c->reader);
	}
	return n;
}

int npf_client_wait(struct npf_client *c, int timeout_ms)
{
	int rc;

	if (c->hangup)
		return -EPIPE;
	if (!arm(c))
		return 1;
	rc = poll_once(c, timeout_ms);
	disarm(c);
	/* At a hang-up one more look: what was committed before it is still to be read. */
	return rc > 0 ? 1 : rc;
}

void npf_client_interrupt(struct npf_client *c)
{
	int saved = errno;

	if (c->brkfd >= 0)
		signal_fd(c->brkfd);
	errno = saved;
}

int npf_client_fd(const struct npf_client *c)
{
	return c->epfd;
}

bool npf_client_is_armed(const struct npf_client *c)
{
	return c->armed;
}

void npf_client_settle(struct npf_client *c)
{
	if (c->reader == NULL)
		return;
	disarm(c);
	if (!npf_reader_has_more(c->reader) && arm(c))
		return;
	signal_self(c, true);
}

void npf_client_reason(struct npf_client *c, int rc, char *text, size_t size)
{
	struct npf_wire_error err;

	/* An orderly stop ends the lanes first and the socket then: ask who ended them. */
	if (rc == -ENODATA)
		rc = npf_client_ping(c, &err);
	switch (rc) {
	case 0:
		snprintf(text, size, "port %s was removed", c->port.name);
		break;
	case -EPIPE:
	case -ETIMEDOUT:
		snprintf(text, size,
			"the npf-dpdk daemon has gone away: port %s delivers no more packets",
			c->port.name);
		break;
	case -EPROTO:
		snprintf(text, size, "port %s: the shared buffer makes no sense", c->port.name);
		break;
	default:
		snprintf(text, size, "%s", err.text);
	}
}
