/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * walk.c - the consumer's walk: records of several lanes in time order, space freed on the way.
 *
 * A record may be handed out when no other lane can still bring an older one: the other lane's next
 * record is younger, or it is closed, or its watermark is later. When a buffer replaces another,
 * each lane is followed by the new one of its number as soon as it is drained. Lanes change over
 * one by one, so the merge goes on between old and new lanes. The chosen lane runs on without a
 * check of the others up to the stamp that they allow (run_until). A single lane has no such limit,
 * and npf_reader_next() costs a few loads.
 *
 * Trust: head, watermark and records belong to another process. Each head is checked against the
 * lane's size and the reader's own position, and each length against the head, before they are
 * used. A word is loaded once, and its copy is used. Whatever the memory holds, only mapped data
 * are read.
 */
#include "base/shared.h"
#include "ringbuf/reader.h"

#include <string.h>

/* Overwrite mode: tries to read a record of a lane that overwrites it each time. */
#define NPF_WALK_LAPS_MAX 64

static bool fail(struct npf_reader *r)
{
	r->run = NULL; /* nor are records handed out that were seen before */
	r->fault = -EPROTO;
	return false;
}

void npf_reader_publish(const struct npf_reader *r, struct npf_reader_lane *l)
{
	uint64_t tail = l->pos - (l == r->held ? r->held_space : 0);

	if (l->freed == tail || r->hold)
		return;
	l->freed = tail;
	/* W2: release, pairs with R2. Our loads of the records come before the lane writes there
	 * again; weaker, we could have read the bytes of a packet to come. */
	atomic_store_explicit(&l->cw->tail, tail, memory_order_release);
}

static inline void skip(struct npf_reader_lane *l, uint64_t space)
{
	l->pos += space;
	l->off += space;
	if (l->off >= l->size)
		l->off -= l->size;
}

/* ---- Overwrite mode: a record may be overwritten while it is read ---- */

/* True: what was read at pos before this call was whole. False: it was overwritten, and pos is now
 * that of the oldest record that is left; or r->fault is set. */
static bool confirm(struct npf_reader *r, struct npf_reader_lane *l)
{
	uint64_t floor, gone;

	/* R6: acquire fence, pairs with W6. If any of the bytes read so far was a newer record's,
	 * the floor loaded now is above pos. Itself acquire: head is not older than it. */
	atomic_thread_fence(memory_order_acquire);
	floor = atomic_load_explicit(&l->pw->floor, memory_order_acquire);
	gone = floor - l->pos;
	if (gone == 0 || gone > UINT64_MAX / 2) /* at or below pos */
		return true;
	if (floor % NPF_REC_ALIGN != 0)
		return fail(r);
	if (gone > l->head - l->pos)
		l->head = floor;
	l->pos = floor;
	l->off = (l->off + gone % l->size) % l->size;
	return false;
}

/* Copy the record at pos. False: it was overwritten, choose again; or r->fault is set. */
static bool take_copy(struct npf_reader *r, struct npf_reader_lane *l, struct npf_view *v)
{
	const uint8_t *from = l->data + l->off;
	struct npf_rec rec;
	uint64_t space;

	memcpy(&rec, from, sizeof(rec));
	space = npf_rec_space(NPF_MIN(rec.caplen, NPF_REC_MAXCAP));
	if (rec.caplen <= NPF_REC_MAXCAP && space <= NPF_MIN(l->size, l->head - l->pos))
		memcpy(r->copy, from + sizeof(rec), rec.caplen);
	else if (confirm(r, l))
		return fail(r); /* the copy is whole: the length itself is wrong */
	else
		return false;
	if (!confirm(r, l))
		return false;

	if (l->knows_seq) {
		uint32_t lost = rec.seq - l->next_seq;

		l->lost += lost;
		rec.gap = (uint32_t)NPF_MIN((uint64_t)rec.gap + lost, (uint64_t)UINT32_MAX);
	}
	l->next_seq = rec.seq + 1;
	l->knows_seq = true;
	*v = (struct npf_view){
		.ts_ns = rec.ts_ns,
		.caplen = rec.caplen,
		.len = rec.len,
		.gap = rec.gap,
		.flags = rec.flags,
		.filter_gen = rec.filter_gen,
		.port = rec.port,
		.queue = rec.queue,
		.data = r->copy,
	};
	skip(l, space);
	return true;
}

/* ---- Choosing ---- */

bool npf_reader_refresh(struct npf_reader *r, struct npf_reader_lane *l)
{
	uint64_t head;

	/* R5: acquire, pairs with W5. If it is closed, the head loaded below is its last. */
	l->closed = atomic_load_explicit(&l->pw->closed, memory_order_acquire);
	/* R3: seq_cst, pairs with W3. The head loaded below has all records older than it; and
	 * after W4 in the single order, when we are about to sleep. */
	l->watermark = atomic_load_explicit(&l->pw->watermark, memory_order_seq_cst);
	if (NPF_UNLIKELY(l->overwrite) && !confirm(r, l) && r->fault < 0)
		return false;
	/* R1: acquire, pairs with W1. The records below it are whole. */
	head = atomic_load_explicit(&l->pw->head, memory_order_acquire);
	if (head == l->head)
		return true;
	/* Never back, never farther than the lane is large. In overwrite mode head may be anywhere
	 * ahead: there the check of each length protects the reader. */
	if (head % NPF_REC_ALIGN != 0 ||
		(l->overwrite ? head - l->pos > UINT64_MAX / 2
			      : head - l->pos > l->size || head - l->pos < l->head - l->pos))
		return fail(r);
	l->head = head;
	return true;
}

/* Is there a record at pos? If so next_ts is set. False also when each try was overwritten. */
static bool has_next(struct npf_reader *r, struct npf_reader_lane *l)
{
	for (unsigned int laps = 0; laps < NPF_WALK_LAPS_MAX; laps++) {
		if (l->pos == l->head && (!npf_reader_refresh(r, l) || l->pos == l->head))
			return false;
		l->next_ts = ((const struct npf_rec *)(l->data + l->off))->ts_ns;
		if (NPF_LIKELY(!l->overwrite) || confirm(r, l))
			return true;
		if (r->fault < 0)
			return false;
	}
	return false;
}

/* Is the lane drained, and will no record be added? */
static bool is_over(const struct npf_reader *r, const struct npf_reader_lane *l)
{
	return l->pos == l->head && (l->closed || r->orphan);
}

/* Go on with the next lane of the slot's number. False: there is none yet. */
static bool succeed(struct npf_reader *r, unsigned int i)
{
	struct npf_reader_lane *l = r->slot[i];

	if (l->next == NULL && l->b == r->last)
		return false;
	r->gap += atomic_load_explicit(&l->pw->unmarked, memory_order_relaxed);
	r->slot[i] = l->next;
	return l->next != NULL;
}

/*
 * Find the slot's next record, in the first of its lanes that is not over.
 * Return: 1: next_ts is set; 0: there is none now; -ENODATA: no more will come in this slot;
 *         -EPROTO.
 */
static int refresh_slot(struct npf_reader *r, unsigned int i)
{
	while (r->slot[i] != NULL) {
		if (has_next(r, r->slot[i]))
			return 1;
		if (r->fault < 0)
			return r->fault;
		if (!is_over(r, r->slot[i]))
			return 0;
		if (!succeed(r, i))
			break;
	}
	return -ENODATA;
}

int npf_reader_choose(struct npf_reader *r, struct npf_reader_lane **lp)
{
	struct npf_reader_lane *best = NULL;
	uint64_t next_ts = UINT64_MAX;   /* of the best lane's rivals */
	uint64_t watermark = UINT64_MAX; /* least of the idle lanes' */
	bool is_open = r->n_slots == 0;

	r->run = NULL; /* run_until is about to change */
	if (r->fault < 0)
		return r->fault;
	for (unsigned int i = 0; i < r->n_slots; i++) {
		int rc = refresh_slot(r, i);
		struct npf_reader_lane *l = r->slot[i];

		if (rc == -EPROTO)
			return rc;
		if (rc == 0) {
			is_open = true;
			watermark = NPF_MIN(watermark, l->watermark);
		} else if (rc == 1 && (best == NULL || l->next_ts < best->next_ts)) {
			next_ts = best != NULL ? best->next_ts : next_ts;
			best = l;
		} else if (rc == 1) {
			next_ts = NPF_MIN(next_ts, l->next_ts);
		}
	}

	r->hold_ns = 0;
	if (best == NULL)
		return is_open ? 0 : -ENODATA;
	if (best->next_ts > watermark) {
		r->hold_ns = best->next_ts;
		return 0;
	}
	r->run_until = NPF_MIN(next_ts, watermark);
	*lp = best;
	return 1;
}

/* May the lane of the last record go on without a check of the others? */
static inline bool runs_on(const struct npf_reader *r, const struct npf_reader_lane *l)
{
	return NPF_LIKELY(l != NULL && l->pos != l->head) &&
	       ((const struct npf_rec *)(l->data + l->off))->ts_ns <= r->run_until;
}

bool npf_reader_has_more(struct npf_reader *r)
{
	struct npf_reader_lane *l;
	bool is_found = false;

	if (runs_on(r, r->run))
		return true;
	for (unsigned int i = 0; i < r->n_slots; i++)
		is_found = is_found || (r->slot[i] != NULL && r->slot[i]->pos != r->slot[i]->head);
	return is_found && npf_reader_choose(r, &l) > 0;
}

/* ---- Handing out ---- */

/* Hand out the record at pos, which is not at head. */
static inline int take(struct npf_reader *r, struct npf_reader_lane *l, struct npf_view *v)
{
	const struct npf_rec *rec = (const struct npf_rec *)(l->data + l->off);
	/* Once: what is checked is what is used. */
	uint32_t caplen = npf_shared_load32(&rec->caplen, memory_order_relaxed);
	uint64_t space = npf_rec_space(caplen);

	if (NPF_UNLIKELY(caplen > NPF_REC_MAXCAP || space > l->head - l->pos)) {
		fail(r);
		return r->fault;
	}
	v->ts_ns = rec->ts_ns;
	v->caplen = caplen;
	v->len = rec->len;
	v->gap = rec->gap;
	v->flags = rec->flags;
	v->filter_gen = rec->filter_gen;
	v->port = rec->port;
	v->queue = rec->queue;
	v->data = (const uint8_t *)(rec + 1);
	r->held = l;
	r->held_space = space;
	skip(l, space);
	return 1;
}

void npf_reader_release(struct npf_reader *r)
{
	bool hold = r->hold;

	r->held = NULL;
	r->hold = false;
	for (struct npf_reader_buffer *b = r->first; b != NULL; b = b->next)
		for (unsigned int i = 0; i < b->n_lanes; i++)
			npf_reader_publish(r, &b->lane[i]);
	npf_reader_unmap_drained(r);
	r->hold = hold;
}

/* Nothing is held, and there is no lane to go on with. */
static int next_chosen(struct npf_reader *r, struct npf_view *v)
{
	int rc = 0;

	for (unsigned int laps = 0; laps < NPF_WALK_LAPS_MAX && rc == 0; laps++) {
		struct npf_reader_lane *l;

		rc = npf_reader_choose(r, &l);
		if (rc <= 0) {
			if (!r->hold)
				npf_reader_release(r); /* the window is empty: all of it is free */
			return rc;
		}
		if (!l->overwrite) {
			r->run = l;
			rc = take(r, l, v);
		} else if (take_copy(r, l, v)) {
			npf_reader_publish(r, l); /* a copy is handed out */
		} else {
			rc = r->fault;
		}
	}
	if (rc > 0 && NPF_UNLIKELY(r->gap)) {
		v->gap = (uint32_t)NPF_MIN(v->gap + r->gap, (uint64_t)UINT32_MAX);
		r->gap = 0;
	}
	return rc;
}

int npf_reader_next(struct npf_reader *r, struct npf_view *v)
{
	struct npf_reader_lane *l = r->held;

	if (NPF_LIKELY(l != NULL)) {
		r->held = NULL;
		if (l->pos - l->freed >= l->step)
			npf_reader_publish(r, l);
	}
	l = r->run;
	if (runs_on(r, l))
		return take(r, l, v);
	return next_chosen(r, v);
}
