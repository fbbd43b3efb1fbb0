/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx.h - the door of tx lanes: frames from a client to the engine, through shared memory.
 *
 * A lane is a single-producer, single-consumer ring. The client is the producer, and the engine
 * does not trust it: the engine keeps its own position, loads each word that the client can write
 * once, checks it, and uses the copy. With a lane a client can only harm its own frames.
 *
 * Frames come in batches; a batch begins with a frame that is marked NPF_TX_START. When a frame
 * can't be sent the rest of its batch is not sent either, and counts as failed: what was sent of a
 * batch is always its beginning.
 */
#ifndef NPF_RINGBUF_TX_TX_H
#define NPF_RINGBUF_TX_TX_H

#include "base/base.h"
#include "base/doorbell.h"
#include "base/shared.h"
#include "base/loglinear.h"

#include <assert.h>

#define NPF_TX_MIN      (64u << 10) /* bytes of a lane */
#define NPF_TX_MAX      (1u << 30)
#define NPF_TX_DEFAULT  (1u << 20)
#define NPF_TX_MAXFRAME (64u << 10)
#define NPF_TX_NFDS     5 /* engine's words, client's words, data, kick, done */

#define NPF_TX_ALIGN 8
#define NPF_TX_AHEAD 2048 /* bytes ahead of its position that each side prefetches */

/* Flags of a frame. */
#define NPF_TX_START  0x1u /* begins a batch; its time of sending is time 0 of the schedule */
#define NPF_TX_TIMED  0x2u /* to be sent at_ns after the batch's start, not before */
#define NPF_TX_NOWAIT 0x4u /* fails if the port has no room for it at once */
#define NPF_TX_FLAGS  0x7u

/* A frame in the lane: followed by len bytes of frame, and padding to NPF_TX_ALIGN. */
struct npf_tx_rec {
	uint64_t at_ns;
	uint32_t len;
	uint32_t repeat;
	uint32_t flags;
	uint32_t reserved;
};
static_assert(sizeof(struct npf_tx_rec) == 24, "tx layout");

static inline uint64_t npf_tx_space(uint32_t len)
{
	return NPF_ALIGN_UP(sizeof(struct npf_tx_rec) + (uint64_t)len, NPF_TX_ALIGN);
}

/* Departure errors of timed frames (departure - time due, never negative), by class: four classes
 * for each power of two of nanoseconds. */
#define NPF_TX_CLASSES 128

/* Class of an error, and the greatest error in ns that is in it. */
static inline unsigned int npf_tx_class(uint64_t ns)
{
	return NPF_MIN(npf_loglinear_class(ns, 2), NPF_TX_CLASSES - 1u);
}

static inline uint64_t npf_tx_class_end(unsigned int class)
{
	return npf_loglinear_first(class + 1, 2) - 1;
}

/* The progress of a lane. All counts are packets, since it was made. */
struct npf_tx_state {
	uint64_t sent;
	uint64_t failed;
	int error;            /* why the last one failed: -ENETDOWN, -ENOBUFS, -EMSGSIZE, ...; 0 */
	uint64_t pending;     /* bytes of the lane that are not settled yet */
	uint64_t late_max_ns; /* greatest departure error of a timed frame */
	uint64_t late[NPF_TX_CLASSES];
};

/* The error in ns that a fraction @q of the timed frames did not exceed; 0 when there were none. */
uint64_t npf_tx_late(const struct npf_tx_state *st, double q);

/* ---- Engine: the consumer ---- */

struct npf_tx_lane;

/*
 * npf_tx_lane_new - make and seal the memory of a lane.
 * @size:   bytes; a power of two within NPF_TX_MIN..NPF_TX_MAX
 * @budget: of the client's user, for wake-ups; must outlive the lane; NULL: the lane's own
 * Return: 0, -EINVAL, -ENOMEM or the error of memfd_create(), eventfd(), socketpair() or mmap().
 */
int npf_tx_lane_new(uint64_t size, struct npf_doorbell_budget *budget, struct npf_tx_lane **lp);
struct npf_tx_lane *npf_tx_lane_free(struct npf_tx_lane *l); /* NULL is fine; returns NULL */

/* The descriptors to pass to the client; they stay the lane's. */
void npf_tx_lane_fds(const struct npf_tx_lane *l, int fds[NPF_TX_NFDS]);
/* Return: the done descriptor, which is the caller's now: to be closed once it is passed. Only the
 * client uses it. */
int npf_tx_lane_steal_done_fd(struct npf_tx_lane *l);
/*
 * npf_tx_lane_kick - the descriptor to wait on for frames in a lane that sleeps: an epoll set, to
 * be watched with EPOLLET, since it stays readable once it was.
 *
 * The set has the eventfd that the client writes. The engine neither reads nor writes that eventfd:
 * the client can change its flags, so a read might block, and a read wakes all that wait for room
 * in the eventfd, which may be very many. With the set in between, the lane can be removed from an
 * epoll set without waiting for a lock that the client's write() holds.
 */
int npf_tx_lane_kick(const struct npf_tx_lane *l);
/* Bytes of its memory. */
uint64_t npf_tx_lane_memory(const struct npf_tx_lane *l);

/* A frame as taken. All but the frame's own bytes are checked copies. */
struct npf_tx_item {
	const void *frame; /* in the client's memory: to be copied, once */
	uint32_t len;
	uint32_t repeat; /* at least 1 */
	uint32_t flags;
	uint64_t at_ns;
	uint64_t end; /* of the frame in the lane, for npf_tx_lane_settle() */
};

/*
 * npf_tx_lane_take - take the next frame.
 * Return: 1; 0: there is none now; -EPROTO: the client's words are impossible; every later call
 *         returns the same.
 */
int npf_tx_lane_take(struct npf_tx_lane *l, struct npf_tx_item *it);

/* A walk over several frames, cheaper than taking each: begin, next for each frame wanted, end. */
struct npf_tx_walk {
	const uint8_t *data;
	uint64_t mask, at, head;
};

/* Return: false: there is no frame, or the lane has a fault. */
bool npf_tx_walk_begin(struct npf_tx_lane *l, struct npf_tx_walk *w);
/* The frames walked past are taken. */
void npf_tx_walk_end(struct npf_tx_lane *l, const struct npf_tx_walk *w);

/* Return: 1: *it is the next frame, and *w behind it; 0: there is no more; -EPROTO: as
 * npf_tx_lane_take(), which returns it from then on. */
static inline int npf_tx_walk_next(struct npf_tx_walk *w, struct npf_tx_item *it)
{
	const struct npf_tx_rec *rec = (const struct npf_tx_rec *)(w->data + (w->at & w->mask));
	uint64_t room = w->head - w->at, space;

	if (room == 0)
		return 0;
	if (room < sizeof(*rec))
		return -EPROTO;
	it->frame = rec + 1;
	it->len = npf_shared_load32(&rec->len, memory_order_relaxed);
	it->repeat = npf_shared_load32(&rec->repeat, memory_order_relaxed);
	it->flags = npf_shared_load32(&rec->flags, memory_order_relaxed);
	it->at_ns = npf_shared_load64(&rec->at_ns, memory_order_relaxed);
	space = npf_tx_space(it->len);
	if (it->len == 0 || it->len > NPF_TX_MAXFRAME || it->repeat == 0 ||
		(it->flags & ~NPF_TX_FLAGS) != 0 || space > room)
		return -EPROTO;
	/* Only lines that the client has finished: a line that it is writing must not move. Every
	 * second line: the CPU adds its neighbour. Without locality, since the client writes there
	 * next. */
	if (room > NPF_TX_AHEAD + space)
		for (uint64_t at = 0; at < NPF_MIN(space, (uint64_t)NPF_TX_AHEAD);
			at += 2 * NPF_CACHELINE)
			__builtin_prefetch(w->data + ((w->at + NPF_TX_AHEAD + at) & w->mask), 0, 0);
	w->at += space;
	it->end = w->at;
	return 1;
}

/* Has the client cancelled the frames up to end? Then they must not be sent. To be called once a
 * burst, with the end of its first frame. */
bool npf_tx_lane_is_canceled(const struct npf_tx_lane *l, uint64_t end);

/* Count packets, and why they failed. */
void npf_tx_lane_count(struct npf_tx_lane *l, uint64_t sent, uint64_t failed, int error);
void npf_tx_lane_late(struct npf_tx_lane *l, uint64_t ns);

/* All frames up to end are sent or failed, and counted. Wakes the client if it waits for that. */
void npf_tx_lane_settle(struct npf_tx_lane *l, uint64_t end);

/*
 * npf_tx_lane_sleep - to be called before sleeping on the kick descriptor.
 * Return: false: do not sleep, there are frames that npf_tx_lane_take() has not seen yet.
 */
bool npf_tx_lane_sleep(struct npf_tx_lane *l);
void npf_tx_lane_awake(struct npf_tx_lane *l);

/* Wake a client whose wake-up had no budget. Return: 0; else there is still none: nanoseconds after
 * which to try again. */
uint64_t npf_tx_lane_wake_due(struct npf_tx_lane *l);

void npf_tx_lane_state(const struct npf_tx_lane *l, struct npf_tx_state *st);
/* 0, or -EPROTO. Context: any thread. */
int npf_tx_lane_fault(const struct npf_tx_lane *l);

/* ---- Client: the producer ---- */

struct npf_tx;

/* Map a lane. On success the descriptors are the mapping's. Return: 0, -EPROTO, -ENOMEM or the
 * error of mmap(). */
int npf_tx_map(const int fds[NPF_TX_NFDS], struct npf_tx **txp);
struct npf_tx *npf_tx_unmap(struct npf_tx *tx); /* NULL is fine; returns NULL */

/*
 * npf_tx_put - put a frame into the lane. It is published together with later ones, every few KiB,
 * or by npf_tx_flush().
 * Return: 0; -EAGAIN: no room now; -EMSGSIZE: longer than NPF_TX_MAXFRAME or than half of the lane;
 *         -EINVAL: empty, or repeat is 0.
 */
int npf_tx_put(struct npf_tx *tx, const void *frame, uint32_t len, uint32_t repeat, uint64_t at_ns,
	uint32_t flags);
void npf_tx_flush(struct npf_tx *tx);

/* Cancel all frames that are not sent yet: they count as failed (-ECANCELED). Async-signal-safe. */
void npf_tx_cancel(struct npf_tx *tx);

/*
 * npf_tx_wait - flush, and wait until no more than @pending bytes are unsettled.
 * @sock: the control connection; its end ends the wait
 * @timeout_ms: -1: no limit
 * Return: 0; -ETIMEDOUT; -EINTR: a signal came; -EPIPE: the engine has gone.
 */
int npf_tx_wait(struct npf_tx *tx, uint64_t pending, int sock, int timeout_ms);

void npf_tx_state(const struct npf_tx *tx, struct npf_tx_state *st);
/* Bytes of the lane. */
uint64_t npf_tx_size(const struct npf_tx *tx);

#endif
