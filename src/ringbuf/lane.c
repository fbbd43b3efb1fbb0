/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane.c - the producer: one lcore writes records and publishes them.
 *
 * Invariants: committed <= head; tail <= committed; head - tail <= size (in overwrite mode
 * head - floor <= size, floor on a record's start). Positions are compared by their differences,
 * so they may wrap.
 *
 * Trust: head, floor and every length that is walked are private or in memory that only this
 * process can write. Of the client's words, tail decides what may be overwritten. So it must lie
 * between its last value and the published head; any other value ends the lane (npf_lane_fault).
 * seen, hold_ns and sleep_seq decide only whether that client is woken: with them it can keep
 * itself asleep, or be woken needlessly, once a commit.
 *
 * Every step is bounded by the length of one record or by the number of lanes. Discarding in
 * overwrite mode is bounded by the number of records where the new one goes.
 */
#include "base/copy.h"
#include "ringbuf/lane.h"

#include <stddef.h>

/* ---- Room ---- */

static void fail(struct npf_lane *l)
{
	l->room = 0;
	atomic_store_explicit(&l->fault, -EPROTO, memory_order_relaxed);
}

/* Load the reader's position again. False: it is impossible, or was earlier. */
static bool reload_tail(struct npf_lane *l)
{
	uint64_t tail;

	if (npf_lane_fault(l))
		return false;
	/* R2: acquire, pairs with W2. What we are about to write there comes after the reader's
	 * last load of what was there; without it, a reader could meet the new bytes. */
	tail = atomic_load_explicit(&l->cw->tail, memory_order_acquire);
	if (tail - l->tail > l->committed - l->tail || tail % NPF_REC_ALIGN != 0) {
		fail(l);
		return false;
	}
	l->tail = tail;
	return true;
}

/* Overwrite mode: discard the oldest records until space bytes are free. */
static bool discard(struct npf_lane *l, uint64_t space)
{
	uint64_t floor = l->floor;
	uint64_t lost = 0;

	while (l->size - (l->head - floor) < space) {
		const struct npf_rec *rec = (const struct npf_rec *)(l->data + l->floor_off);
		uint64_t skip;

		if (floor == l->committed) /* the burst alone fills the lane */
			break;
		skip = npf_rec_space(rec->caplen);
		lost += floor - l->tail < l->committed - l->tail; /* not below tail: not read */
		floor += skip;
		l->floor_off += skip;
		if (l->floor_off >= l->size)
			l->floor_off -= l->size;
	}
	if (floor != l->floor) {
		l->floor = floor;
		/* W6: release fence, pairs with R6. The reader that finds a byte of the new record
		 * in its copy of an old one also finds this floor. Itself release: head is not
		 * older. */
		atomic_store_explicit(&l->pw->floor, floor, memory_order_release);
		atomic_thread_fence(memory_order_release);
		npf_copy_fence();
	}
	if (lost > 0)
		npf_lane_drop(l, NPF_DROP_OVERWRITTEN, lost);
	l->room = l->size - (l->head - floor);
	return l->room >= space;
}

static bool make_room(struct npf_lane *l, uint64_t space)
{
	if (space > l->size || l->closed || !reload_tail(l))
		return false;
	if (l->overwrite)
		return discard(l, space);
	l->room = l->size - (l->head - l->tail);
	if (l->room < space) {
		l->room = 0; /* reload before a smaller record, too: wants_room depends on it */
		l->wants_room = true;
		return false;
	}
	l->wants_room = false;
	return true;
}

/* ---- Records ---- */

struct npf_rec *npf_lane_reserve(struct npf_lane *l, uint32_t caplen)
{
	uint64_t space = npf_rec_space(caplen);
	struct npf_rec *rec;

	if (NPF_UNLIKELY(space > l->room) && !make_room(l, space))
		return NULL;

	rec = (struct npf_rec *)(l->data + l->head_off);
	rec->caplen = caplen;
	rec->gap = l->gap;
	rec->seq = l->seq++;
	l->gap = 0;
	l->room -= space;
	l->head += space;
	l->head_off += space;
	if (l->head_off >= l->size)
		l->head_off -= l->size;
	l->packets++;
	l->bytes += caplen;
	return rec;
}

bool npf_lane_try(struct npf_lane *l, const struct npf_rec *hdr, const void *data)
{
	uint32_t caplen = hdr->caplen;
	struct npf_rec *rec = NULL;

	if (NPF_LIKELY(caplen <= NPF_REC_MAXCAP))
		rec = npf_lane_reserve(l, caplen);
	if (NPF_UNLIKELY(rec == NULL))
		return false;
	rec->ts_ns = hdr->ts_ns;
	rec->len = hdr->len;
	rec->flags = hdr->flags;
	rec->filter_gen = hdr->filter_gen;
	rec->port = hdr->port;
	rec->queue = hdr->queue;
	npf_copy(rec + 1, data, caplen);
	return true;
}

bool npf_lane_put(struct npf_lane *l, const struct npf_rec *hdr, const void *data)
{
	bool fits;

	if (NPF_LIKELY(npf_lane_try(l, hdr, data)))
		return true;
	fits = hdr->caplen <= NPF_REC_MAXCAP && npf_rec_space(hdr->caplen) <= l->size;
	npf_lane_drop(l, fits ? NPF_DROP_FULL : NPF_DROP_OVERSIZE, 1);
	return false;
}

/* The part of a lane's state that a record changes, in registers. */
struct cursor {
	uint64_t off, room, bytes;
	uint32_t n;
};

static inline struct cursor cursor_of(const struct npf_lane *l)
{
	return (struct cursor){.off = l->head_off, .room = l->room};
}

static inline void settle(struct npf_lane *l, const struct cursor *at)
{
	l->head += l->room - at->room;
	l->head_off = at->off;
	l->room = at->room;
	l->seq += at->n;
	l->packets += at->n;
	l->bytes += at->bytes;
}

static_assert(offsetof(struct npf_rec, caplen) == 8 && offsetof(struct npf_rec, len) == 12 &&
		      offsetof(struct npf_rec, gap) == 16 &&
		      offsetof(struct npf_rec, flags) == 20 &&
		      offsetof(struct npf_rec, filter_gen) == 22 &&
		      offsetof(struct npf_rec, port) == 24 &&
		      offsetof(struct npf_rec, queue) == 26 && offsetof(struct npf_rec, seq) == 28,
	"a header is four words");

/* A header behind no gap, as four words. */
static inline void put_header(
	uint8_t *at, const struct npf_rec *hdr, uint32_t caplen, uint64_t filter_gen, uint64_t seq)
{
	const uint64_t len = hdr->len, flags = hdr->flags, queue = hdr->queue;
	const uint64_t words[] = {
		hdr->ts_ns,
		caplen | len << 32,
		flags << 32 | filter_gen << 48,
		hdr->port | queue << 16 | seq << 32,
	};

	memcpy(at, words, sizeof(words));
}

void npf_lane_put_burst(struct npf_lane *l, const struct npf_lane_burst *b, uint64_t mask)
{
	struct cursor at = cursor_of(l);

	for (; mask != 0; mask &= mask - 1) {
		unsigned int i = __builtin_ctzll(mask);
		uint32_t caplen = b->caplen[i];
		uint64_t space = npf_rec_space(caplen);
		uint8_t *rec = l->data + at.off;

		if (NPF_UNLIKELY(space > at.room || l->gap != 0 || caplen > NPF_REC_MAXCAP)) {
			struct npf_rec hdr = b->hdr[i];

			settle(l, &at);
			hdr.caplen = caplen;
			hdr.filter_gen = b->filter_gen;
			npf_lane_put(l, &hdr, b->data[i]);
			at = cursor_of(l);
			continue;
		}
		put_header(rec, &b->hdr[i], caplen, b->filter_gen, l->seq + at.n);
		npf_copy(rec + sizeof(struct npf_rec), b->data[i], caplen);
		at.room -= space;
		at.off += space;
		if (at.off >= l->size)
			at.off -= l->size;
		at.bytes += caplen;
		at.n++;
	}
	settle(l, &at);
}

void npf_lane_copy(void *dst, const void *src, size_t n)
{
	npf_copy(dst, src, n);
}

void npf_lane_drop(struct npf_lane *l, enum npf_drop cause, uint64_t n)
{
	l->drop[cause] += n;
	atomic_store_explicit(&l->pw->drop[cause], l->drop[cause], memory_order_relaxed);
	if (cause != NPF_DROP_OVERWRITTEN) /* the reader sees those by the numbers of the records */
		l->gap = (uint32_t)NPF_MIN(l->gap + n, (uint64_t)UINT32_MAX);
}

/* ---- Publishing and waking ---- */

/*
 * The watermark at this time: no later record has an earlier stamp. Where the clock was set back,
 * the promise already made cannot be kept, and records of other lanes must not wait until the clock
 * is there again. Until then the watermark is the greatest value, which holds nothing back.
 */
static uint64_t next_watermark(struct npf_lane *l, uint64_t now_ns)
{
	if (now_ns < l->last_stamp)
		return UINT64_MAX;
	l->last_stamp = now_ns;
	return now_ns;
}

/* Return: the number of the reader's sleep; 0: it is awake, or its wake-up is under way. */
static uint64_t publish_watermark(struct npf_lane *l, uint64_t now_ns)
{
	uint64_t sleep_seq;

	/* W3: seq_cst, pairs with R3. After head: a reader that sees this watermark sees all
	 * records older than it; without that it would let younger ones of another lane pass. */
	atomic_store_explicit(&l->pw->watermark, next_watermark(l, now_ns), memory_order_seq_cst);
	/* R4: seq_cst, pairs with W4. After W3 in the single order of seq_cst: either we see the
	 * reader asleep, or it sees our watermark, and head, before it sleeps. */
	sleep_seq = atomic_load_explicit(&l->b->cw->sleep_seq, memory_order_seq_cst);
	return sleep_seq % 2 && sleep_seq != l->woken ? sleep_seq : 0;
}

/* Of a sleeping reader: is enough there, and could it be handed out? */
static bool is_due(struct npf_lane *l, bool waited)
{
	const struct npf_buffer *b = l->b;
	uint64_t hold_ns = atomic_load_explicit(&b->cw->hold_ns, memory_order_relaxed);
	uint64_t pending = 0;

	waited = waited || l->wants_room;
	for (unsigned int i = 0; i < b->n_lanes; i++) {
		const struct npf_pw_lane *pw = &b->pw->lane[i];
		uint64_t seen = atomic_load_explicit(&b->cw->lane[i].seen, memory_order_relaxed);
		/* R5: acquire, pairs with W5. The head loaded below is then the lane's last. */
		bool closed = atomic_load_explicit(&pw->closed, memory_order_acquire);
		/* R3: seq_cst, pairs with W3. Of two lanes that each store theirs and then sum up,
		 * one at least sees what both committed. */
		uint64_t mark = atomic_load_explicit(&pw->watermark, memory_order_seq_cst);
		/* R1: acquire, pairs with W1. Not older than the watermark. */
		uint64_t head = atomic_load_explicit(&pw->head, memory_order_acquire);

		pending += NPF_MIN(head - seen, b->data_mem[i].size);
		waited = waited || (closed && head != seen);
		if (!closed && head == seen && mark < hold_ns)
			return false;
	}
	return pending &&
	       (waited || pending >= atomic_load_explicit(&b->wake_bytes, memory_order_relaxed));
}

static bool wake(struct npf_lane *l, uint64_t sleep_seq, bool waited)
{
	if (!is_due(l, waited))
		return false;
	l->woken = sleep_seq;
	return true;
}

bool npf_lane_commit(struct npf_lane *l, uint64_t now_ns)
{
	uint64_t sleep_seq;

	if (l->committed != l->head) {
		l->committed = l->head;
		atomic_store_explicit(&l->pw->packets, l->packets, memory_order_relaxed);
		atomic_store_explicit(&l->pw->bytes, l->bytes, memory_order_relaxed);
		npf_copy_fence();
		/* W1: release, pairs with R1. Publishes record bytes below head; weaker, the reader
		 * could see a head before the bytes that it vouches for. */
		atomic_store_explicit(&l->pw->head, l->head, memory_order_release);
	}
	sleep_seq = publish_watermark(l, now_ns);
	return NPF_UNLIKELY(sleep_seq) && wake(l, sleep_seq, false);
}

/* Has a record of this lane waited for as long as the reader's timeout? */
static bool has_waited(struct npf_lane *l, uint64_t mono_ns)
{
	uint64_t timeout = atomic_load_explicit(&l->b->timeout_ns, memory_order_relaxed);
	uint64_t seen = atomic_load_explicit(&l->cw->seen, memory_order_relaxed);

	if (seen == l->committed) {
		l->mark_ns = 0;
		return false;
	}
	/* All below mark was there at mark_ns. Once that is read, what came later starts anew. */
	if (l->mark_ns == 0 || seen - l->mark < l->committed - l->mark) {
		l->mark = l->committed;
		l->mark_ns = mono_ns;
	}
	return timeout && mono_ns - l->mark_ns >= timeout;
}

bool npf_lane_tick(struct npf_lane *l, uint64_t now_ns, uint64_t mono_ns)
{
	uint64_t sleep_seq = publish_watermark(l, now_ns);
	bool waited = has_waited(l, mono_ns);

	return NPF_UNLIKELY(sleep_seq) && wake(l, sleep_seq, waited);
}

void npf_lane_wake_later(struct npf_lane *l)
{
	l->woken = 0;
}

void npf_lane_close(struct npf_lane *l)
{
	if (l->committed != l->head)
		npf_lane_commit(l, l->last_stamp);
	atomic_store_explicit(&l->pw->unmarked, l->gap, memory_order_relaxed);
	/* W5: release, pairs with R5. A reader that sees it and then loads head has the last one;
	 * weaker, it could leave before the last records. */
	atomic_store_explicit(&l->pw->closed, 1, memory_order_release);
	l->closed = true;
	l->room = 0;
}

int npf_lane_fault(const struct npf_lane *l)
{
	return atomic_load_explicit(&l->fault, memory_order_relaxed);
}
