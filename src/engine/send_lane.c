/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send_lane.c - one lane's frames: taken, copied into mbufs, held until due, sent, counted.
 *
 * What is settled in the lane is a beginning of it: a frame that fails waits until those before it
 * are gone. Frames with a schedule go one at a time, and their mbuf is ready before their time.
 * A repeated frame is copied into a few mbufs, each of which is sent again whenever the port has
 * let go of it: every descriptor in flight has an mbuf of its own, and no packet costs a copy.
 *
 * A port that takes nothing for STALL_NS is given up: the batch fails.
 */
#include "engine/send.h"

#include "base/clock.h"
#include "engine/port_tx.h"

#include <string.h>

#define STALL_NS   NPF_NS_PER_S
#define RETRY_NS   (20 * NPF_NS_PER_US)
#define VIEWERS_NS (2 * NPF_NS_PER_MS) /* how long a burst waits for those who watch */

int npf_send_lane_init(
	struct npf_send_lane *s, struct npf_port *port, uint64_t session, uint64_t size)
{
	*s = (struct npf_send_lane){.port = port, .session = session};
	s->copies = calloc(NPF_SEND_COPIES, sizeof(*s->copies));
	if (s->copies == NULL)
		return -ENOMEM;
	return npf_tx_lane_new(size, &s->lane);
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
	rte_pktmbuf_free_bulk(s->spare, s->n_spare);
	if (s->copies != NULL)
		free_copies(s);
	free(s->copies);
	npf_tx_lane_free(s->lane);
}

/* All that is in work fails, and what comes after it in its batch. */
static unsigned int fail(struct npf_send_lane *s, int error)
{
	unsigned int n = s->n - s->next;
	uint64_t end = n > 0 ? s->end[s->n - 1] : 0, failed = n + s->left;

	if (n > 0)
		rte_pktmbuf_free_bulk(&s->mbufs[s->next], n);
	else if (s->has_item && s->left == 0)
		failed = s->left = s->item.repeat; /* there was no mbuf to begin it with */
	s->n = s->next = 0;
	if (s->left > 0) {
		end = s->item.end;
		s->left = 0;
		s->has_item = false;
		free_copies(s);
	}
	npf_tx_lane_count(s->lane, 0, failed, error);
	npf_tx_lane_settle(s->lane, end);
	s->skipping = error;
	s->active_ns = 0;
	return (unsigned int)NPF_MIN(failed, (uint64_t)UINT32_MAX);
}

void npf_send_lane_orphan(struct npf_send_lane *s)
{
	if (s->next < s->n || s->has_item)
		fail(s, -ENODEV);
	rte_pktmbuf_free_bulk(s->spare, s->n_spare);
	s->n_spare = 0;
	s->timed = false;
	s->port = NULL;
}

/* A frame that was not even begun fails; nothing is in work. */
static void fail_item(struct npf_send_lane *s, int error)
{
	npf_tx_lane_count(s->lane, 0, s->item.repeat, error);
	npf_tx_lane_settle(s->lane, s->item.end);
	s->has_item = false;
	s->skipping = error;
}

/* What must be said of a frame before it is sent. Return: 0, or the error with which it fails. */
static int judge(struct npf_send_lane *s)
{
	/* The first of a burst speaks for all. */
	if (s->n == 0 && npf_tx_lane_is_cut(s->lane, s->item.end))
		return -ECANCELED;
	if ((s->item.flags & NPF_TX_START) != 0) {
		s->skipping = 0;
		npf_pace_reset(&s->pace);
	}
	if (s->skipping < 0)
		return s->skipping;
	if (s->port == NULL)
		return -ENODEV;
	return npf_port_can_send(s->port, s->item.len) ? 0 : -EMSGSIZE;
}

/* An mbuf, or a chain of them, with the item's frame. NULL: none now. */
static struct rte_mbuf *frame_of(struct npf_send_lane *s)
{
	if (s->n_spare == 0 && rte_pktmbuf_alloc_bulk(s->port->pool, s->spare, NPF_SEND_BURST) == 0)
		s->n_spare = NPF_SEND_BURST;
	if (s->n_spare == 0)
		return npf_port_frame(s->port, s->item.frame, s->item.len);
	if (s->item.len > rte_pktmbuf_tailroom(s->spare[s->n_spare - 1]))
		return npf_port_frame(s->port, s->item.frame, s->item.len);
	s->n_spare--;
	return npf_port_fill(s->spare[s->n_spare], s->item.frame, (uint16_t)s->item.len);
}

/* The next free mbuf with the repeated frame; NULL: none now. */
static struct rte_mbuf *next_copy(struct npf_send_lane *s)
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
		m = m == NULL ? frame_of(s) : rte_pktmbuf_copy(m, s->port->pool, 0, UINT32_MAX);
		if (m == NULL)
			return NULL;
		s->copies[s->n_copies++] = m;
	}
	rte_pktmbuf_refcnt_update(m, 1);
	return m;
}

/* Puts the item, or as many of its repetitions as there is room for, into the burst. Return: false:
 * no mbuf. */
static bool build(struct npf_send_lane *s)
{
	struct rte_mbuf *m;

	if (s->item.repeat == 1) {
		m = frame_of(s);
		if (m == NULL)
			return false;
		s->mbufs[s->n] = m;
		s->end[s->n++] = s->item.end;
		s->has_item = false;
		return true;
	}
	if (s->left == 0)
		s->left = s->item.repeat;
	while (s->left > 0 && s->n < NPF_SEND_BURST) {
		m = next_copy(s);
		if (m == NULL)
			return false;
		s->mbufs[s->n] = m;
		s->end[s->n++] = --s->left == 0 ? s->item.end : 0;
	}
	if (s->left == 0) {
		s->has_item = false;
		free_copies(s);
	}
	return true;
}

/* Has the client taken back what is in work? */
static bool is_cut(const struct npf_send_lane *s)
{
	if (s->has_item && s->left > 0)
		return npf_tx_lane_is_cut(s->lane, s->item.end);
	return s->next < s->n && npf_tx_lane_is_cut(s->lane, s->end[s->n - 1]);
}

/* Makes a burst of what the lane has. */
static void fill(struct npf_send_lane *s, uint64_t now_ns)
{
	s->n = s->next = 0;
	s->timed = s->nowait = false;
	while (s->n < NPF_SEND_BURST) {
		int error;

		if (!s->has_item) {
			if (npf_tx_lane_next(s->lane, &s->item) <= 0)
				return;
			s->has_item = true;
		}
		error = s->left == 0 ? judge(s) : 0; /* a repeated frame was judged when it began */
		/* A burst is of one batch; what fails waits until those before it have gone. */
		if (s->n > 0 && (error < 0 || (s->item.flags & (NPF_TX_TIMED | NPF_TX_START)) != 0))
			return;
		if (error < 0) {
			fail_item(s, error);
			continue;
		}
		if ((s->item.flags & NPF_TX_TIMED) != 0 && s->left == 0) {
			s->timed = true;
			s->due_ns = npf_pace_due(&s->pace, s->item.at_ns, now_ns);
			s->time_ns = npf_pace_time(&s->pace, s->item.at_ns, now_ns);
		}
		s->nowait |= (s->item.flags & NPF_TX_NOWAIT) != 0;
		if (!build(s) || s->timed)
			return;
	}
}

/* Nothing of the burst could be sent. */
static unsigned int wait_or_fail(struct npf_send_lane *s, uint64_t now_ns, uint64_t *againp)
{
	if (s->nowait)
		return fail(s, -EAGAIN);
	if (now_ns - s->active_ns > STALL_NS)
		return fail(s, -ENOBUFS);
	*againp = now_ns + RETRY_NS;
	return 0;
}

static unsigned int transmit(struct npf_send_lane *s, uint64_t now_ns, uint64_t *againp)
{
	uint64_t end = 0;
	int n;

	if (!s->timed && now_ns - s->active_ns < VIEWERS_NS &&
		!npf_port_has_viewers_room(s->port, s->n - s->next)) {
		*againp = now_ns + RETRY_NS;
		return 0;
	}
	n = npf_port_tx(s->port, &s->mbufs[s->next], s->n - s->next, s->session);
	if (n < 0)
		return fail(s, n);
	if (n == 0)
		return wait_or_fail(s, now_ns, againp);
	for (int i = 0; i < n; i++)
		end = NPF_MAX(end, s->end[s->next + (unsigned int)i]);
	npf_tx_lane_count(s->lane, (uint64_t)n, 0, 0);
	if (s->timed && s->next == 0) {
		npf_tx_lane_late(s->lane, now_ns - NPF_MIN(s->time_ns, now_ns));
		npf_pace_sent(&s->pace, s->item.at_ns, now_ns);
	}
	if (end > 0)
		npf_tx_lane_settle(s->lane, end);
	s->next += (unsigned int)n;
	s->active_ns = now_ns;
	*againp = now_ns;
	if (s->nowait && s->next < s->n)
		n += (int)fail(s, -EAGAIN);
	return (unsigned int)n;
}

unsigned int npf_send_lane_serve(struct npf_send_lane *s, uint64_t now_ns, uint64_t *againp)
{
	uint64_t due;

	*againp = 0;
	if (s->next == s->n) {
		fill(s, now_ns);
		if (s->n == 0 && !s->has_item) {
			s->active_ns = 0;
			return 0;
		}
	}
	if (s->active_ns == 0 || (s->timed && now_ns < s->due_ns))
		s->active_ns = now_ns;
	if (is_cut(s))
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
