/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane.c - one lane's frames: taken, copied into mbufs, held until due, sent, counted.
 *
 * Frames are settled in the order of the lane, so a frame that fails waits until those before it
 * are sent. Frames with a schedule go one at a time, and their mbuf is ready before their time. A
 * repeated frame is copied into a few mbufs, each of which is sent again whenever the port has let
 * go of it: every descriptor in flight has an mbuf of its own, and no packet costs a copy.
 *
 * A port that takes nothing for STALL_NS is given up: the batch fails.
 *
 * The client spins on the words that have the lane's progress. While there is more to send they are
 * written every few bursts only, since each write moves their cache line from one core to the other
 * and back.
 */
#include "engine/send/sender.h"

#include "base/clock.h"

#include <string.h>

#define STALL_NS      NPF_NS_PER_S
#define RETRY_NS      (20 * NPF_NS_PER_US)
#define PUBLISH_BYTES (16u << 10)         /* of the lane, after which progress is published ... */
#define PUBLISH_DONE  256u                /* ... or so many packets */
#define MIRROR_NS     (2 * NPF_NS_PER_MS) /* how long a burst waits for room in the mirror ring */

int npf_send_lane_init(
	struct npf_send_lane *s, struct npf_port *port, uint64_t session, struct npf_tx_lane *lane)
{
	*s = (struct npf_send_lane){
		.lane = lane, .port = port, .session = session, .room = npf_txq_frame_room(port)};
	s->copies = calloc(NPF_SEND_COPIES, sizeof(*s->copies));
	return s->copies != NULL ? 0 : -ENOMEM;
}

static void free_spares(struct npf_send_lane *s)
{
	rte_pktmbuf_free_bulk(s->spare, s->n_spare);
	s->n_spare = 0;
}

static void free_copies(struct npf_send_lane *s)
{
	for (unsigned int i = 0; i < s->n_copies; i++)
		rte_pktmbuf_free(s->copies[i]);
	s->n_copies = s->copy = 0;
}

void npf_send_lane_fini(struct npf_send_lane *s)
{
	if (s->next < s->n)
		rte_pktmbuf_free_bulk(&s->mbufs[s->next], s->n - s->next);
	free_spares(s);
	if (s->copies != NULL)
		free_copies(s);
	free(s->copies);
}

/* Publishes to the client what has been sent. */
static void publish(struct npf_send_lane *s)
{
	if (s->done == 0)
		return;
	npf_tx_lane_count(s->lane, s->done, 0, 0);
	s->done = 0;
	if (s->done_end == 0)
		return;
	npf_tx_lane_settle(s->lane, s->done_end);
	s->published_end = s->done_end;
	s->done_end = 0;
}

/* n packets were sent, and with them all of the lane up to end, unless that is 0. */
static void count_sent(struct npf_send_lane *s, unsigned int n, uint64_t end)
{
	s->done += n;
	if (end > 0)
		s->done_end = end;
	if (s->done >= PUBLISH_DONE || s->timed ||
		(end > 0 && end - s->published_end >= PUBLISH_BYTES))
		publish(s);
}

/* All that is in work fails, and what comes after it in its batch. */
static unsigned int fail(struct npf_send_lane *s, int error)
{
	const struct npf_tx_item *it = &s->item;
	unsigned int n = s->n - s->next, lost = s->n_lost;
	uint64_t end = n + lost > 0 ? s->end[s->n - 1] : 0, failed = n + lost + s->left;

	s->n_lost = 0;
	if (n > 0)
		rte_pktmbuf_free_bulk(&s->mbufs[s->next], n);
	else if (lost == 0 && s->has_item && s->left == 0)
		failed = s->left = it->repeat; /* there was no mbuf to begin it with */
	s->n = s->next = 0;
	if (s->left > 0) {
		end = it->end;
		s->left = 0;
		s->has_item = false;
		free_copies(s);
	}
	publish(s);
	npf_tx_lane_count(s->lane, 0, failed, error);
	npf_tx_lane_settle(s->lane, end);
	s->skipping = error;
	s->active_ns = 0;
	return (unsigned int)NPF_MIN(failed, (uint64_t)UINT32_MAX);
}

void npf_send_lane_detach_port(struct npf_send_lane *s)
{
	if (s->next < s->n || s->has_item)
		fail(s, -ENODEV);
	publish(s);
	free_spares(s);
	s->timed = false;
	s->port = NULL;
}

/* A frame that was not even begun fails; nothing is in work. */
static void fail_item(struct npf_send_lane *s, int error)
{
	const struct npf_tx_item *it = &s->item;

	s->has_item = false;
	publish(s);
	npf_tx_lane_count(s->lane, 0, it->repeat, error);
	npf_tx_lane_settle(s->lane, it->end);
	s->skipping = error;
}

/* Can the frame be sent? Return: 0, or the error with which it fails. */
static inline int check_frame(struct npf_send_lane *s, const struct npf_tx_item *it)
{
	/* The first of a burst stands for all. */
	if (s->n == 0 && npf_tx_lane_is_canceled(s->lane, it->end))
		return -ECANCELED;
	if ((it->flags & NPF_TX_START) != 0) {
		s->skipping = 0;
		npf_pace_reset(&s->pace);
	}
	if (s->skipping < 0)
		return s->skipping;
	if (s->port == NULL)
		return -ENODEV;
	return npf_txq_can_send(s->port, it->frame, it->len) ? 0 : -EMSGSIZE;
}

static bool get_spares(struct npf_send_lane *s)
{
	if (rte_pktmbuf_alloc_bulk(s->port->pool, s->spare, NPF_SEND_BURST) != 0)
		return false;
	s->n_spare = NPF_SEND_BURST;
	return true;
}

/* An mbuf, or a chain of them, with the item's frame. NULL: none now. */
static inline struct rte_mbuf *frame_of(struct npf_send_lane *s, const struct npf_tx_item *it)
{
	if (NPF_UNLIKELY(it->len > s->room || (s->n_spare == 0 && !get_spares(s))))
		return npf_txq_frame(s->port, it->frame, it->len);
	s->n_spare--;
	return npf_txq_fill(s->spare[s->n_spare], it->frame, (uint16_t)it->len);
}

/* The next free mbuf with the repeated frame; NULL: none now. */
static struct rte_mbuf *next_copy(struct npf_send_lane *s, const struct npf_tx_item *it)
{
	struct rte_mbuf *m;

	if (s->copy >= s->n_copies)
		s->copy = 0;
	m = s->n_copies > 0 ? s->copies[s->copy] : NULL;
	if (m != NULL && rte_mbuf_refcnt_read(m) == 1) {
		s->copy++;
	} else {
		/* The one whose turn it is has not come back yet. */
		if (s->n_copies == NPF_SEND_COPIES)
			return NULL;
		m = m == NULL ? frame_of(s, it) : rte_pktmbuf_copy(m, s->port->pool, 0, UINT32_MAX);
		if (m == NULL)
			return NULL;
		s->copies[s->n_copies++] = m;
	}
	rte_pktmbuf_refcnt_update(m, 1);
	return m;
}

/* As many repetitions of the item as there is room for, into the burst. Return: false: no mbuf. */
static bool add_copies(struct npf_send_lane *s, const struct npf_tx_item *it)
{
	if (s->left == 0)
		s->left = it->repeat;
	while (s->left > 0 && s->n < NPF_SEND_BURST) {
		struct rte_mbuf *m = next_copy(s, it);

		if (m == NULL)
			return false;
		s->mbufs[s->n] = m;
		s->end[s->n++] = --s->left == 0 ? it->end : 0;
	}
	if (s->left == 0) {
		s->has_item = false;
		free_copies(s);
	}
	return true;
}

/* Puts the item into the burst. Return: false: no mbuf. */
static inline bool add_item(struct npf_send_lane *s, const struct npf_tx_item *it)
{
	struct rte_mbuf *m;

	if (it->repeat != 1)
		return add_copies(s, it);
	m = frame_of(s, it);
	if (m == NULL)
		return false;
	s->mbufs[s->n] = m;
	s->end[s->n++] = it->end;
	s->has_item = false;
	return true;
}

/*
 * Adds the frames that follow, up to one with a flag, a repetition or another length than the port
 * sends. Most bursts consist of such frames.
 */
static void add_plain_frames(struct npf_send_lane *s)
{
	const uint32_t longest = NPF_MIN(s->room, NPF_WIRE_FRAME_MAX(s->port->mtu));
	unsigned int n = s->n, spare = s->n_spare;
	struct npf_tx_walk walk;
	struct npf_tx_item it;

	if (!npf_tx_walk_begin(s->lane, &walk))
		return;
	while (n < NPF_SEND_BURST && spare > 0) {
		struct npf_tx_walk before = walk;

		if (npf_tx_walk_next(&walk, &it) != 1 || (it.flags & ~NPF_TX_NOWAIT) != 0 ||
			it.repeat != 1 || it.len < NPF_WIRE_FRAME_MIN || it.len > longest) {
			walk = before;
			break;
		}
		s->nowait |= (it.flags & NPF_TX_NOWAIT) != 0;
		s->mbufs[n] = npf_txq_fill(s->spare[--spare], it.frame, (uint16_t)it.len);
		s->end[n++] = it.end;
	}
	npf_tx_walk_end(s->lane, &walk);
	s->n = n;
	s->n_spare = spare;
}

/* Has the client canceled what is in work? */
static bool is_canceled(const struct npf_send_lane *s)
{
	if (s->left > 0)
		return npf_tx_lane_is_canceled(s->lane, s->item.end);
	return s->next < s->n && npf_tx_lane_is_canceled(s->lane, s->end[s->n - 1]);
}

/* Return: the next item; NULL: there is none. */
static inline const struct npf_tx_item *next_item(struct npf_send_lane *s)
{
	if (!s->has_item)
		s->has_item = npf_tx_lane_take(s->lane, &s->item) == 1;
	return s->has_item ? &s->item : NULL;
}

/* Makes a burst of what the lane has. */
static void build_burst(struct npf_send_lane *s, uint64_t now_ns)
{
	const struct npf_tx_item *it;

	s->n = s->next = 0;
	s->timed = s->nowait = false;
	while (s->n < NPF_SEND_BURST && (it = next_item(s)) != NULL) {
		/* A repeated frame was checked when it began. */
		int error = s->left == 0 ? check_frame(s, it) : 0;

		/* A burst is of one batch; what fails waits until those before it have gone. */
		if (s->n > 0 && (error < 0 || (it->flags & (NPF_TX_TIMED | NPF_TX_START)) != 0))
			return;
		if (error < 0) {
			fail_item(s, error);
			continue;
		}
		if ((it->flags & NPF_TX_TIMED) != 0 && s->left == 0) {
			s->timed = true;
			s->at_ns = it->at_ns;
			s->due_ns = npf_pace_due(&s->pace, it->at_ns, now_ns);
			s->time_ns = npf_pace_time(&s->pace, it->at_ns, now_ns);
		}
		s->nowait |= (it->flags & NPF_TX_NOWAIT) != 0;
		if (!add_item(s, it) || s->timed)
			return;
		if (s->left == 0)
			add_plain_frames(s);
	}
}

/* Nothing of the burst could be sent. */
static unsigned int wait_or_fail(struct npf_send_lane *s, uint64_t now_ns, uint64_t *againp)
{
	if (s->nowait)
		return fail(s, -EAGAIN);
	if (now_ns - s->active_ns > STALL_NS)
		return fail(s, -ENOBUFS);
	publish(s);
	*againp = now_ns + RETRY_NS;
	return 0;
}

/* Where the first n of the burst end in the lane; 0: in the middle of a repeated frame. */
static uint64_t end_of(const struct npf_send_lane *s, unsigned int n)
{
	uint64_t end = 0;

	/* In ascending order, but for 0 in the middle of a repeated frame. */
	for (; n > 0 && end == 0; n--)
		end = s->end[s->next + n - 1];
	return end;
}

static unsigned int transmit(struct npf_send_lane *s, uint64_t now_ns, uint64_t *againp)
{
	unsigned int went;
	int n;

	if (!s->timed && now_ns - s->active_ns < MIRROR_NS &&
		!npf_txq_mirror_has_room(s->port, s->n - s->next, s->session)) {
		*againp = now_ns + RETRY_NS;
		return 0;
	}
	n = npf_txq_burst(s->port, &s->mbufs[s->next], s->n - s->next, s->session, &s->n_lost);
	if (n < 0)
		return fail(s, n);
	if (n == 0)
		return wait_or_fail(s, now_ns, againp);
	if (s->timed && s->next == 0) {
		npf_tx_lane_late(s->lane, now_ns - NPF_MIN(s->time_ns, now_ns));
		npf_pace_sent(&s->pace, s->at_ns, now_ns);
	}
	went = (unsigned int)n - s->n_lost;
	count_sent(s, went, end_of(s, went));
	s->next += (unsigned int)n;
	s->active_ns = now_ns;
	*againp = now_ns;
	if (s->n_lost > 0)
		return went + fail(s, -EIO);
	if (s->nowait && s->next < s->n)
		n += (int)fail(s, -EAGAIN);
	return (unsigned int)n;
}

unsigned int npf_send_lane_serve(struct npf_send_lane *s, uint64_t now_ns, uint64_t *againp)
{
	uint64_t due;

	*againp = 0;
	if (s->next == s->n) {
		build_burst(s, now_ns);
		if (s->n == 0 && !s->has_item) {
			publish(s);
			free_spares(s);
			s->active_ns = 0;
			return 0;
		}
	}
	if (s->active_ns == 0 || (s->timed && now_ns < s->due_ns))
		s->active_ns = now_ns;
	if (is_canceled(s))
		return fail(s, -ECANCELED);
	/* No mbuf for the first frame: as when the port has no room. */
	if (s->n == 0)
		return wait_or_fail(s, now_ns, againp);
	due = s->timed ? s->due_ns : 0;
	if (now_ns < due) {
		*againp = due;
		return 0;
	}
	return transmit(s, now_ns, againp);
}
