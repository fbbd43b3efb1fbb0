/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * producer.c - files opened and closed in the ring.
 *
 * Invariant: behind the open file's last record there is always room for its trailer, so that a
 * file can be closed at any time, whatever the disk does.
 */
#include "writer/feed/producer.h"

#include "writer/feed/retro.h"

/* Is the ring free up to this position? The writer is asked only when the answer was no. */
static bool is_free(struct npf_dump_producer *p, uint64_t end)
{
	if (end <= p->limit)
		return true;
	/* D4: acquire; weaker, we could overwrite bytes that are still being written to disk. */
	p->limit = atomic_load_explicit(&p->ring->tail, memory_order_acquire) + p->ring->size;
	return end <= p->limit;
}

static void sums_now(const struct npf_dump_producer *p, struct npf_dump_sums *s)
{
	s->received = p->received - p->behind;
	s->missed = atomic_load_explicit(&p->missed, memory_order_relaxed);
	s->dropped = p->drop_disk + p->drop_oversize;
}

static bool open_file(struct npf_dump_producer *p, uint32_t size, uint64_t ts_ns)
{
	struct npf_dump_ring *r = p->ring;
	uint64_t n = atomic_load_explicit(&r->n_started, memory_order_relaxed);
	uint64_t start = NPF_ALIGN_UP(p->pos, NPF_DUMP_BLOCK);
	struct npf_dump_file *f = &r->files[n % NPF_DUMP_FILES];

	/* D4: acquire; weaker, we could overwrite an entry that is still being read. */
	if (n - atomic_load_explicit(&r->n_done, memory_order_acquire) >= NPF_DUMP_FILES ||
		!is_free(p, start + p->cut.head + size + p->trailer))
		return false;
	npf_dump_cut_open(&p->cut, ts_ns);
	p->idle_end_ns = UINT64_MAX;
	if (p->cut.last_ns - ts_ns < UINT64_MAX - p->now_ns)
		p->idle_end_ns = p->now_ns + (p->cut.last_ns - ts_ns) + 1;
	f->start = start;
	f->opened_ns = ts_ns;
	p->last_ns = p->first_ns = ts_ns;
	memcpy(npf_dump_ring_at(r, start), p->head, p->cut.head);
	p->pos = start + p->cut.head;
	/* D2 */
	atomic_store_explicit(&r->n_started, n + 1, memory_order_release);
	return true;
}

static void close_file(struct npf_dump_producer *p)
{
	struct npf_dump_ring *r = p->ring;
	uint64_t n = atomic_load_explicit(&r->n_ended, memory_order_relaxed);
	struct npf_dump_file *f = &r->files[n % NPF_DUMP_FILES];
	struct npf_dump_sums now;

	if (!p->cut.open)
		return;
	sums_now(p, &now);
	f->sums = (struct npf_dump_sums){
		.first_ns = p->first_ns,
		.last_ns = p->last_ns,
		.missed = now.missed - p->base.missed,
		.dropped = now.dropped - p->base.dropped,
		.delivered = p->cut.packets,
	};
	f->sums.accepted = f->sums.delivered + f->sums.dropped;
	/* Of several taps, what no filter took can have been told too early. */
	f->sums.received = f->sums.accepted;
	if (now.received > p->base.received + f->sums.accepted)
		f->sums.received = now.received - p->base.received;
	p->base.received += f->sums.received;
	p->base.missed = now.missed;
	p->base.dropped = now.dropped;
	p->refused_ns = 0;
	p->pos += npf_dump_put_trailer(p->format, npf_dump_ring_at(p->ring, p->pos), &f->sums);
	f->end = p->pos;
	npf_dump_cut_close(&p->cut);
	npf_copy_fence();
	/* D3 */
	atomic_store_explicit(&r->n_ended, n + 1, memory_order_release);
}

int npf_dump_producer_init(struct npf_dump_producer *p, const struct npf_dump_producer_conf *conf)
{
	*p = (struct npf_dump_producer){
		.ring = conf->ring,
		.limit = conf->ring->size,
		.format = conf->format,
		.trailer = npf_dump_trailer_size(conf->format),
		.head = conf->head,
	};
	return npf_dump_cut_init(&p->cut, &conf->limits, conf->head_size, p->trailer, conf->zone);
}

int npf_dump_open_now(struct npf_dump_producer *p, uint64_t now_ns)
{
	p->now_ns = now_ns;
	if (!p->cut.open && !open_file(p, 0, now_ns))
		return -ENOBUFS;
	p->limit = 0; /* the first packet asks npf_dump_make_room(), which notes its time */
	npf_dump_commit(p);
	return 0;
}

int npf_dump_make_room(struct npf_dump_producer *p, uint32_t size, uint64_t ts_ns)
{
	while (!p->over) {
		switch (npf_dump_cut_next(&p->cut, size, ts_ns)) {
		case NPF_CUT_PUT:
			if (p->cut.packets == 0)
				p->first_ns = ts_ns;
			if (is_free(p, p->pos + size + p->trailer))
				return 1;
			p->refused_ns = ts_ns;
			return -1;
		case NPF_CUT_OPEN:
			if (open_file(p, size, ts_ns))
				break;
			p->refused_ns = ts_ns;
			return -1;
		case NPF_CUT_CLOSE:
			close_file(p);
			break;
		case NPF_CUT_SKIP:
			p->drop_oversize++;
			return 0;
		case NPF_CUT_END:
			npf_dump_end(p);
			break;
		}
	}
	return 0;
}

void npf_dump_seen(struct npf_dump_producer *p, uint64_t received, uint64_t accepted)
{
	uint64_t taken = p->received - p->rejected;
	uint64_t rejected = received - NPF_MIN(accepted, received);

	p->rejected = NPF_MIN(rejected, p->seen);
	p->seen = rejected;
	p->accepted = accepted;
	p->received = p->rejected + taken;
}

/* Packets that taps have counted and that are still to be merged. */
static uint64_t waiting(const struct npf_dump_producer *p)
{
	uint64_t taken = p->received - p->rejected;

	return p->accepted - NPF_MIN(taken, p->accepted);
}

void npf_dump_seen_last(struct npf_dump_producer *p)
{
	uint64_t n = waiting(p);

	p->received += n;
	npf_dump_drop(p, n);
}

bool npf_dump_has_room(struct npf_dump_producer *p)
{
	uint64_t most = NPF_DUMP_BLOCK + p->cut.head + NPF_REC_MAXCAP + 64 + 2 * p->trailer;

	if (p->retro != NULL || p->over)
		return true; /* asks for itself; needs none */
	if (!is_free(p, p->pos + most))
		return false;
	if (p->cut.packets == 0)
		p->limit = 0; /* see npf_dump_open_now() */
	return atomic_load_explicit(&p->ring->n_started, memory_order_relaxed) -
		       /* D4 */
		       atomic_load_explicit(&p->ring->n_done, memory_order_acquire) <
	       NPF_DUMP_FILES;
}

void npf_dump_file_full(struct npf_dump_producer *p)
{
	if (p->behind > 0)
		p->behind--; /* the packet just put belongs to this file */
	if (npf_dump_cut_is_over(&p->cut))
		npf_dump_end(p);
	else
		close_file(p);
}

static void publish(_Atomic uint64_t *counter, uint64_t v)
{
	atomic_store_explicit(counter, v, memory_order_relaxed);
}

void npf_dump_commit(struct npf_dump_producer *p)
{
	p->behind = 0;
	publish(&p->counters.received, p->received + waiting(p));
	publish(&p->counters.drop_disk, p->drop_disk);
	publish(&p->counters.drop_oversize, p->drop_oversize);
	if (p->retro != NULL) {
		npf_dump_retro_commit(p);
		return;
	}
	publish(&p->counters.written, p->cut.total_packets + p->cut.packets);
	publish(&p->counters.bytes, p->cut.total_bytes + p->cut.bytes);
	npf_copy_fence();
	/* D1 */
	atomic_store_explicit(&p->ring->head, p->pos, memory_order_release);
}

void npf_dump_tick(struct npf_dump_producer *p, uint64_t now_ns)
{
	p->now_ns = now_ns;
	p->behind = 0;
	if (p->retro != NULL) {
		npf_dump_retro_tick(p);
		return;
	}
	if (p->cut.open && now_ns >= p->idle_end_ns)
		close_file(p);
	npf_dump_commit(p);
}

/* Has something been lost that no file tells of? */
static bool has_untold(const struct npf_dump_producer *p)
{
	struct npf_dump_sums now;

	sums_now(p, &now);
	return now.dropped != p->base.dropped || now.missed != p->base.missed;
}

void npf_dump_end(struct npf_dump_producer *p)
{
	uint64_t ts_ns = p->refused_ns != 0 ? p->refused_ns : p->now_ns;

	if (p->over)
		return;
	p->over = true;
	if (p->retro != NULL) {
		npf_dump_retro_end(p);
	} else {
		/* A dump of nothing is a file with nothing in it. */
		if (!p->cut.open && (p->cut.total_bytes == 0 || has_untold(p)) &&
			npf_dump_cut_next(&p->cut, 0, ts_ns) == NPF_CUT_OPEN)
			open_file(p, 0, ts_ns);
		close_file(p);
	}
	npf_dump_commit(p);
	atomic_store_explicit(&p->ring->over, true, memory_order_release);
}
