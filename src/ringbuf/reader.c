/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.c - the consumer: adding buffers, sleeping.
 *
 * reader_map.c maps the buffers, walk.c hands out their records. Before a reader sleeps it
 * publishes its positions, then its request for a wake-up, and then checks the lanes once more:
 * layout.h says why no wake-up is lost.
 */
#include "ringbuf/reader.h"

#include "base/doorbell.h"

int npf_reader_add(struct npf_reader *r, const int *fds, unsigned int n_fds)
{
	struct npf_reader_buffer *b;
	int rc = npf_reader_map(r, fds, n_fds, &b);

	if (rc < 0)
		return rc;
	npf_reader_disarm(r); /* the new buffer's lanes have no request to wake us */
	npf_reader_chain(r, b);
	return 0;
}

uint64_t npf_reader_pending(struct npf_reader *r)
{
	uint64_t pending = 0;

	for (struct npf_reader_buffer *b = r->first; b != NULL; b = b->next) {
		for (unsigned int i = 0; i < b->n_lanes; i++) {
			struct npf_reader_lane *l = &b->lane[i];

			if (r->fault < 0 || !npf_reader_refresh(r, l))
				return 0;
			pending += l->head - l->pos;
		}
	}
	return pending;
}

/* Would npf_reader_next() hand out a record or an end, and do enough bytes wait? */
static bool is_due(struct npf_reader *r, uint64_t mintocopy)
{
	uint64_t pending = npf_reader_pending(r);
	struct npf_reader_lane *l;
	int rc = npf_reader_choose(r, &l);

	if (rc <= 0)
		return rc < 0;
	/* Records of a closed lane do not wait for more: none will come, and the producer does not
	 * check the timeout any more. */
	for (unsigned int i = 0; i < r->n_slots; i++)
		if (r->slot[i] != NULL && r->slot[i]->closed && r->slot[i]->head != r->slot[i]->pos)
			return true;
	return pending >= npf_wake_bytes(mintocopy, r->last->size);
}

static void request_wake(struct npf_reader *r, struct npf_reader_buffer *b)
{
	for (unsigned int i = 0; i < b->n_lanes; i++) {
		npf_reader_publish(r, &b->lane[i]);
		atomic_store_explicit(&b->lane[i].cw->seen, b->lane[i].pos, memory_order_relaxed);
	}
	atomic_store_explicit(&b->cw->hold_ns, r->hold_ns, memory_order_relaxed);
	b->sleep_seq = (b->sleep_seq + 1) | 1;
	/* W4: seq_cst, pairs with R4. seen and hold_ns before it: the lane reckons with them.
	 * Before R3 of the look that follows, in the single order of seq_cst: either that look sees
	 * what a lane has just committed, or the lane sees us asleep. */
	atomic_store_explicit(&b->cw->sleep_seq, b->sleep_seq, memory_order_seq_cst);
}

bool npf_reader_arm(struct npf_reader *r, uint64_t mintocopy)
{
	/* First: a ring for this request must not be drained with the old ones. */
	npf_doorbell_drain(r->wake_fd);
	if (is_due(r, mintocopy)) /* spares the lanes a request; sets hold_ns */
		return false;
	for (struct npf_reader_buffer *b = r->first; b != NULL; b = b->next)
		request_wake(r, b);
	if (!is_due(r, mintocopy))
		return true;
	npf_reader_disarm(r);
	return false;
}

bool npf_reader_is_holding(const struct npf_reader *r)
{
	return r->hold_ns != 0;
}

void npf_reader_finish(struct npf_reader *r)
{
	r->orphan = true;
	r->run = NULL; /* what held it back no longer does */
}

void npf_reader_hold(struct npf_reader *r, bool on)
{
	r->hold = on;
}

void npf_reader_disarm(struct npf_reader *r)
{
	for (struct npf_reader_buffer *b = r->first; b != NULL; b = b->next) {
		if (b->sleep_seq % 2 == 0)
			continue;
		b->sleep_seq++;
		/* Relaxed: a lane that sees it late signals once for nothing. */
		atomic_store_explicit(&b->cw->sleep_seq, b->sleep_seq, memory_order_relaxed);
	}
}
