/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read.c - the reading side of a session: records, sleep, the descriptor to select on.
 *
 * While there are records npf_client_next() makes no system call and takes no lock. The doorbell is
 * used only when the ring is empty. The descriptor to select on has three states, of which the
 * reader knows the first two: armed and not readable (the daemon rings when enough records wait);
 * readable because we have set it (records are left after a bounded read); readable because the
 * daemon has rung. The reader can't ring the doorbell. But the doorbell is always writable, so the
 * epoll set becomes readable when it watches for that, too.
 *
 * A record that bears an older filter generation than the filter in force was accepted by a filter
 * that has been replaced since: the one in force decides again. And there are filters that the
 * daemon runs in part only (NPF_WIRE_FILTER_READER): these decide here on every record.
 */
#include "client/client_priv.h"

#include "base/clock.h"
#include "base/eventfd.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

/* Rejected records in a row after which npf_client_next() pauses. */
#define MAX_REJECTED 1024u

/* Counters that only the reading thread writes: no need for a read-modify-write. */
static void count_one(_Atomic uint64_t *n)
{
	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* A loop without end goes on here, as it does in libpcap. */
static uint32_t run_here(struct npf_client *c, const struct npf_view *v)
{
	struct npf_bpf_aux aux = {
		.pkttype = (v->flags & NPF_REC_OUTBOUND) != 0 ? 4 : 0,
		.ifindex = v->port,
	};

	return npf_bpf_interpret_loose(c->insns, v->data, v->len, v->caplen, &aux, 0);
}

/* Under the lock: bytes that the filter keeps of a record that did not go through it, or not
 * through all of it. */
static uint32_t decide(struct npf_client *c, const struct npf_view *v, uint32_t in_force)
{
	const int16_t age = (int16_t)((uint16_t)in_force - v->filter_gen);
	const bool runs_here = (in_force & NPF_RUN_HERE) != 0;
	uint32_t keep;

	/* Another thread is installing a newer filter than ours: that one has decided. */
	if (c->insns == NULL || age < 0 || (age == 0 && !runs_here))
		return UINT32_MAX;
	keep = run_here(c, v);
	if (!runs_here)
		return keep;
	if (keep == 0)
		count_one(&c->screened);
	/* As in libpcap, such a filter does not cut. */
	return keep != 0 ? UINT32_MAX : 0;
}

static uint32_t refilter(struct npf_client *c, const struct npf_view *v)
{
	uint32_t keep;

	pthread_mutex_lock(&c->lock);
	keep = decide(c, v, atomic_load_explicit(&c->in_force, memory_order_relaxed));
	pthread_mutex_unlock(&c->lock);
	/* A record that was to go through its filter here was not cut before. */
	return NPF_MIN(keep, c->snaplen);
}

static bool is_accepted(struct npf_client *c, struct npf_view *v)
{
	uint32_t direction = atomic_load_explicit(&c->direction, memory_order_relaxed);
	bool outbound = (v->flags & NPF_REC_OUTBOUND) != 0;

	if (NPF_UNLIKELY((v->flags & NPF_REC_COUNTS) != 0))
		return true;
	if (NPF_UNLIKELY(direction != NPF_WIRE_INOUT) && outbound != (direction == NPF_WIRE_OUT))
		return false;
	if (NPF_UNLIKELY(
		    v->filter_gen != atomic_load_explicit(&c->in_force, memory_order_relaxed))) {
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

int npf_client_begin(struct npf_client *c, struct npf_error *err)
{
	struct npf_wire_call call = {.type = NPF_WIRE_READ};
	int rc;

	if (NPF_LIKELY(!c->looks))
		return 0;
	rc = npf_client_call(c, &call, err);
	if (rc < 0 && rc != -EPIPE && rc != -ENODEV)
		return rc;
	c->looks = false;
	return 0;
}

int npf_client_next(struct npf_client *c, struct npf_view *v)
{
	unsigned int n_rejected = 0;
	int rc;

	c->paused = false;
	if (NPF_UNLIKELY(c->reader == NULL))
		return 0;
	for (; (rc = npf_reader_next(c->reader, v)) == 1; c->passed++) {
		/* A record that the other mode has left. */
		if (NPF_UNLIKELY(((v->flags & NPF_REC_COUNTS) != 0) != c->monitor)) {
			if (c->carrying)
				carry(c, v);
			continue;
		}
		if (NPF_UNLIKELY(c->carrying))
			add_carried(c, v);
		if (NPF_LIKELY(is_accepted(c, v)))
			return 1;
		count_one(&c->skipped);
		c->paused = ++n_rejected == MAX_REJECTED;
		if (NPF_UNLIKELY(c->paused))
			return 0;
	}
	/* Without a producer the reader reports the end of the ring: here that of the daemon. */
	return rc == -ENODATA && c->hangup ? -EPIPE : rc;
}

bool npf_client_is_paused(const struct npf_client *c)
{
	return c->paused;
}

uint64_t npf_client_passed(const struct npf_client *c)
{
	return c->passed;
}

bool npf_client_has_next(struct npf_client *c)
{
	return c->reader != NULL && npf_reader_pending(c->reader) > 0;
}

bool npf_client_is_holding(const struct npf_client *c)
{
	return c->reader != NULL && npf_reader_is_holding(c->reader);
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

/* Make the descriptor to select on readable, or leave that to the daemon's doorbell. */
static void signal_self(struct npf_client *c, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN | EPOLLOUT : EPOLLIN};

	if (c->signalled != on)
		epoll_ctl(c->epfd, EPOLL_CTL_MOD, c->bell_fd, &ev);
	c->signalled = on;
}

/* Arm the daemon's wake-up. Return: false: there are enough records already. */
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

	if (c->paused)
		return 1;
	if (c->hangup)
		return -EPIPE;
	if (!arm(c))
		return 1;
	rc = poll_once(c, timeout_ms);
	disarm(c);
	/* After a hang-up the records that were committed before it are still to be read. */
	return rc > 0 ? 1 : rc;
}

void npf_client_interrupt(struct npf_client *c)
{
	int saved = errno;

	if (c->brkfd >= 0)
		npf_eventfd_signal(c->brkfd);
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
	if (!c->paused && !npf_reader_has_more(c->reader) && arm(c))
		return;
	signal_self(c, true);
}

void npf_client_reason(struct npf_client *c, int rc, struct npf_error *err)
{
	/* An orderly stop ends the lanes before the socket: find out whether the daemon is there.
	 */
	if (rc == -ENODATA)
		rc = npf_client_ping(c, err);
	switch (rc) {
	case 0:
		if (npf_client_find_port(c, NULL)) /* in libpcap's words */
			npf_error_set(err, rc, "The interface disappeared");
		else
			npf_error_set(err, rc, "port %s was removed", c->port.name);
		break;
	case -EPIPE:
	case -ETIMEDOUT:
		npf_error_set(err, rc,
			"the npf-dpdk daemon has gone away: port %s delivers no more packets",
			c->port.name);
		break;
	case -EPROTO:
		npf_error_set(err, rc, "port %s: the shared buffer makes no sense", c->port.name);
		break;
	default:
		break; /* the text is that of npf_client_ping() */
	}
}
