/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * playback.c - the thread that plays a replay into a lane.
 *
 * It sleeps whenever the lane is full, the port does not run or a stall lasts; a pipe whose other
 * end is closed ends each of these sleeps. Its position in the replay is the lane's count of sent
 * packets, which is exact once all of a batch is settled.
 */
#include "engine/send/playback.h"

#include "base/clock.h"
#include "base/eventfd.h"
#include "engine/syscalls/syscalls.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#define RETRY_MS 1000 /* how often a port that takes nothing is tried */

struct npf_playback {
	struct npf_replay replay;
	struct npf_tx *tx;
	pthread_t thread;
	int ending[2]; /* closing [1] ends the thread */
	int wake;      /* eventfd: live has changed */
	_Atomic bool live, end;
	_Atomic int state, error;
	_Atomic uint64_t stalls;
};

static void set_state(struct npf_playback *f, enum npf_playback_state state)
{
	atomic_store_explicit(&f->state, (int)state, memory_order_relaxed);
}

/* Sleeps until live changes or the time is over (-1: never). Return: false: end. */
static bool wait_live(struct npf_playback *f, int timeout_ms)
{
	struct pollfd pfds[2] = {
		{.fd = f->wake, .events = POLLIN}, {.fd = f->ending[0], .events = POLLRDHUP}};
	uint64_t n;

	poll(pfds, 2, timeout_ms);
	if (pfds[1].revents != 0)
		return false;
	if (pfds[0].revents != 0 && read(f->wake, &n, sizeof(n)) < 0)
		return true; /* it has changed twice since: the caller checks it */
	return true;
}

static bool is_ending(const struct npf_playback *f)
{
	return atomic_load_explicit(&f->end, memory_order_relaxed);
}

/* Waits until no more than pending bytes are unsettled. Return: 0; -EPIPE: end; or why a packet has
 * failed since there were that many. */
static int wait_settled(struct npf_playback *f, uint64_t pending, uint64_t failed)
{
	struct npf_tx_state st;
	int rc;

	do
		rc = is_ending(f) ? -EPIPE : npf_tx_wait(f->tx, pending, f->ending[0], -1);
	while (rc == -EINTR);
	if (rc < 0)
		return rc;
	npf_tx_state(f->tx, &st);
	return st.failed == failed ? 0 : st.error;
}

static int put(
	struct npf_playback *f, const struct npf_replay_item *it, uint32_t flags, uint64_t failed)
{
	int rc;

	if (it->timed)
		flags |= NPF_TX_TIMED;
	while ((rc = npf_tx_put(f->tx, it->frame, it->len, it->repeat, it->at_ns, flags)) ==
		-EAGAIN) {
		rc = wait_settled(f, npf_tx_size(f->tx) / 2, failed);
		if (rc < 0)
			break;
	}
	return rc;
}

/* One batch: all that is left, or up to where the port takes nothing. Return: 0: all was sent;
 * -EPIPE: end; else why the next packet failed. */
static int play_batch(struct npf_playback *f, bool stalled)
{
	/* A port that has kept the worker waiting for a second is not to do so again and again. */
	const uint32_t start = NPF_TX_START | (stalled ? NPF_TX_NOWAIT : 0);
	struct npf_replay_item it;
	struct npf_tx_state st;
	bool first = true;
	int rc = 0, end;

	npf_tx_state(f->tx, &st);
	npf_replay_seek(&f->replay, st.sent);
	while (rc == 0 && !is_ending(f) && npf_replay_next(&f->replay, &it)) {
		rc = put(f, &it, first ? start : 0, st.failed);
		npf_replay_advance(&f->replay);
		/* The first one shows whether the port takes any. */
		if (rc == 0 && first)
			rc = wait_settled(f, 0, st.failed);
		if (rc == 0 && first)
			set_state(f, NPF_PLAYBACK_SENDING);
		first = false;
	}
	/* Once all of the batch is settled the count is final, also when a packet has failed. */
	end = wait_settled(f, 0, st.failed);
	return end != 0 ? end : rc;
}

static void *play(void *arg)
{
	struct npf_playback *f = arg;
	bool stalled = false;

	prctl(PR_SET_NAME, "npf-feed");
	npf_syscalls_confine(NPF_SYSCALLS_PLAYER);
	for (;;) {
		int rc;

		if (!atomic_load_explicit(&f->live, memory_order_relaxed)) {
			set_state(f, NPF_PLAYBACK_WAITING);
			stalled = false;
			if (!wait_live(f, -1))
				return NULL;
			continue;
		}
		rc = play_batch(f, stalled);
		if (rc == 0)
			set_state(f, NPF_PLAYBACK_DONE);
		if (rc == 0 || rc == -EPIPE)
			return NULL;
		/* A port that has just been stopped is not a stall. */
		if (!atomic_load_explicit(&f->live, memory_order_relaxed))
			continue;
		/* A try without waiting is part of the same stall. */
		stalled = stalled && rc == -EAGAIN;
		if (!stalled) {
			atomic_store_explicit(&f->error, rc, memory_order_relaxed);
			atomic_fetch_add_explicit(&f->stalls, 1, memory_order_relaxed);
		}
		stalled = true;
		set_state(f, NPF_PLAYBACK_STALLED);
		if (!wait_live(f, RETRY_MS))
			return NULL;
	}
}

static int map_lane(const struct npf_tx_lane *lane, struct npf_tx **txp)
{
	int fds[NPF_TX_NFDS], rc = 0;

	npf_tx_lane_fds(lane, fds);
	for (int i = 0; i < NPF_TX_NFDS; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (fds[i] < 0)
			rc = -errno;
	}
	if (rc == 0)
		rc = npf_tx_map(fds, txp);
	for (int i = 0; rc < 0 && i < NPF_TX_NFDS; i++)
		npf_close(fds[i]);
	return rc;
}

static void free_playback(struct npf_playback *f)
{
	npf_tx_unmap(f->tx);
	npf_close(f->ending[0]);
	npf_close(f->ending[1]);
	npf_close(f->wake);
	free(f);
}

int npf_playback_start(
	const struct npf_replay *replay, const struct npf_tx_lane *lane, struct npf_playback **fp)
{
	struct npf_playback *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return -ENOMEM;
	f->replay = *replay;
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->ending[0] = f->ending[1] = -1;
	rc = f->wake >= 0 && pipe2(f->ending, O_CLOEXEC) == 0 ? map_lane(lane, &f->tx) : -errno;
	if (rc == 0)
		rc = -pthread_create(&f->thread, NULL, play, f);
	if (rc < 0) {
		free_playback(f);
		return rc;
	}
	*fp = f;
	return 0;
}

struct npf_playback *npf_playback_stop(struct npf_playback *f)
{
	if (f == NULL)
		return NULL;
	atomic_store_explicit(&f->end, true, memory_order_relaxed);
	npf_close(f->ending[1]);
	f->ending[1] = -1;
	pthread_join(f->thread, NULL);
	free_playback(f);
	return NULL;
}

void npf_playback_set_live(struct npf_playback *f, bool live)
{
	if (atomic_exchange_explicit(&f->live, live, memory_order_relaxed) != live)
		npf_eventfd_signal(f->wake);
}

void npf_playback_view(const struct npf_playback *f, struct npf_playback_view *v)
{
	v->state = (enum npf_playback_state)atomic_load_explicit(&f->state, memory_order_relaxed);
	v->error = atomic_load_explicit(&f->error, memory_order_relaxed);
	v->stalls = atomic_load_explicit(&f->stalls, memory_order_relaxed);
}
