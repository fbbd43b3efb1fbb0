/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * producer.c - opens and closes files in the ring.
 *
 * Invariant: there is always room for the trailer behind the open file's last record. So a file can
 * be closed at any time, whatever the disk does.
 */
#include "writer/feed/producer.h"

#include "writer/feed/retro.h"

/* Is the ring free up to this position? The tail is read only when it was not far enough before. */
static bool is_free(struct npf_writer_producer *p, uint64_t end)
{
	if (end <= p->limit)
		return true;
	/* D4: acquire; weaker, we could overwrite bytes that are still being written to disk. */
	p->limit = atomic_load_explicit(&p->ring->tail, memory_order_acquire) + p->ring->size;
	return end <= p->limit;
}

static void current_stats(const struct npf_writer_producer *p, struct npf_writer_file_stats *s)
{
	s->received = p->received - p->pending;
	s->missed = atomic_load_explicit(&p->missed, memory_order_relaxed);
	s->dropped = p->drop_disk + p->drop_oversize;
}

static bool open_file(struct npf_writer_producer *p, uint32_t size, uint64_t ts_ns)
{
	struct npf_writer_ring *r = p->ring;
	uint64_t n = atomic_load_explicit(&r->n_started, memory_order_relaxed);
	uint64_t start = NPF_ALIGN_UP(p->pos, NPF_WRITER_BLOCK);
	struct npf_writer_file *f = &r->files[n % NPF_WRITER_FILES];

	/* D4: acquire; weaker, we could overwrite an entry that is still being read. */
	if (n - atomic_load_explicit(&r->n_done, memory_order_acquire) >= NPF_WRITER_FILES ||
		!is_free(p, start + p->rotation.head + size + p->trailer))
		return false;
	npf_writer_rotation_open(&p->rotation, ts_ns);
	p->idle_end_ns = UINT64_MAX;
	if (p->rotation.last_ns - ts_ns < UINT64_MAX - p->now_ns)
		p->idle_end_ns = p->now_ns + (p->rotation.last_ns - ts_ns) + 1;
	f->start = start;
	f->opened_ns = ts_ns;
	p->last_ns = p->first_ns = ts_ns;
	memcpy(npf_writer_ring_at(r, start), p->head, p->rotation.head);
	p->pos = start + p->rotation.head;
	/* D2 */
	atomic_store_explicit(&r->n_started, n + 1, memory_order_release);
	return true;
}

static void close_file(struct npf_writer_producer *p)
{
	struct npf_writer_ring *r = p->ring;
	uint64_t n = atomic_load_explicit(&r->n_ended, memory_order_relaxed);
	struct npf_writer_file *f = &r->files[n % NPF_WRITER_FILES];
	struct npf_writer_file_stats now;

	if (!p->rotation.open)
		return;
	current_stats(p, &now);
	f->stats = (struct npf_writer_file_stats){
		.first_ns = p->first_ns,
		.last_ns = p->last_ns,
		.missed = now.missed - p->base.missed,
		.dropped = now.dropped - p->base.dropped,
		.delivered = p->rotation.packets,
	};
	f->stats.accepted = f->stats.delivered + f->stats.dropped;
	/* Several taps: an earlier file can have counted rejected packets too soon. */
	f->stats.received = f->stats.accepted;
	if (now.received > p->base.received + f->stats.accepted)
		f->stats.received = now.received - p->base.received;
	p->base.received += f->stats.received;
	p->base.missed = now.missed;
	p->base.dropped = now.dropped;
	p->no_room_ns = 0;
	p->pos += npf_writer_encode_trailer(
		p->format, npf_writer_ring_at(p->ring, p->pos), &f->stats);
	f->end = p->pos;
	npf_writer_rotation_close(&p->rotation);
	npf_copy_fence();
	/* D3 */
	atomic_store_explicit(&r->n_ended, n + 1, memory_order_release);
}

int npf_writer_producer_init(
	struct npf_writer_producer *p, const struct npf_writer_producer_conf *conf)
{
	const struct npf_writer_params *params = conf->params;
	int rc;

	*p = (struct npf_writer_producer){
		.ring = conf->ring,
		.limit = conf->ring->size,
		.format = params->format,
		.trailer = npf_writer_trailer_size(params->format),
		.head = conf->head,
	};
	rc = npf_writer_rotation_init(
		&p->rotation, &params->limits, conf->head_size, p->trailer, conf->timezone);
	if (rc == 0 && npf_writer_params_is_retro(params))
		rc = npf_writer_retro_init(p, &params->retro);
	return rc;
}

void npf_writer_producer_fini(struct npf_writer_producer *p)
{
	free(p->retro);
	p->retro = NULL;
}

int npf_writer_open_file(struct npf_writer_producer *p, uint64_t now_ns)
{
	p->now_ns = now_ns;
	if (!p->rotation.open && !open_file(p, 0, now_ns))
		return -ENOBUFS;
	p->limit = 0; /* sends the first packet to npf_writer_make_room(), which notes its time */
	npf_writer_burst_commit(p);
	return 0;
}

int npf_writer_make_room(struct npf_writer_producer *p, uint32_t size, uint64_t ts_ns)
{
	while (!p->over) {
		switch (npf_writer_rotation_next(&p->rotation, size, ts_ns)) {
		case NPF_ROTATION_PUT:
			if (p->rotation.packets == 0)
				p->first_ns = ts_ns;
			if (is_free(p, p->pos + size + p->trailer))
				return 1;
			p->no_room_ns = ts_ns;
			return -1;
		case NPF_ROTATION_OPEN:
			if (open_file(p, size, ts_ns))
				break;
			p->no_room_ns = ts_ns;
			return -1;
		case NPF_ROTATION_CLOSE:
			close_file(p);
			break;
		case NPF_ROTATION_SKIP:
			p->drop_oversize++;
			return 0;
		case NPF_ROTATION_END:
			npf_writer_end(p);
			break;
		}
	}
	return 0;
}

void npf_writer_merge_counts(struct npf_writer_producer *p, uint64_t received, uint64_t accepted)
{
	uint64_t taken = p->received - p->rejected;
	uint64_t rejected = received - NPF_MIN(accepted, received);

	p->rejected = NPF_MIN(rejected, p->rejected_last);
	p->rejected_last = rejected;
	p->accepted = accepted;
	p->received = p->rejected + taken;
}

/* Packets that taps have counted and that are still to be merged. */
static uint64_t waiting(const struct npf_writer_producer *p)
{
	uint64_t taken = p->received - p->rejected;

	return p->accepted - NPF_MIN(taken, p->accepted);
}

void npf_writer_merge_end(struct npf_writer_producer *p)
{
	uint64_t n = waiting(p);

	p->received += n;
	npf_writer_drop(p, n);
}

bool npf_writer_has_room(struct npf_writer_producer *p)
{
	uint64_t most = NPF_WRITER_BLOCK + p->rotation.head + NPF_REC_MAXCAP + 64 + 2 * p->trailer;

	if (p->retro != NULL || p->over)
		return true; /* retro: npf_writer_put() finds out; over: nothing is put */
	if (!is_free(p, p->pos + most))
		return false;
	if (p->rotation.packets == 0)
		p->limit = 0; /* see npf_writer_open_file() */
	return atomic_load_explicit(&p->ring->n_started, memory_order_relaxed) -
		       /* D4 */
		       atomic_load_explicit(&p->ring->n_done, memory_order_acquire) <
	       NPF_WRITER_FILES;
}

void npf_writer_file_full(struct npf_writer_producer *p)
{
	if (p->pending > 0)
		p->pending--; /* the packet just put belongs to this file */
	if (npf_writer_rotation_is_over(&p->rotation))
		npf_writer_end(p);
	else
		close_file(p);
}

static void publish(_Atomic uint64_t *counter, uint64_t v)
{
	atomic_store_explicit(counter, v, memory_order_relaxed);
}

void npf_writer_burst_commit(struct npf_writer_producer *p)
{
	p->pending = 0;
	publish(&p->counters.received, p->received + waiting(p));
	publish(&p->counters.drop_disk, p->drop_disk);
	publish(&p->counters.drop_oversize, p->drop_oversize);
	if (p->retro != NULL) {
		npf_writer_retro_commit(p);
		return;
	}
	publish(&p->counters.written, p->rotation.total_packets + p->rotation.packets);
	publish(&p->counters.bytes, p->rotation.total_bytes + p->rotation.bytes);
	npf_copy_fence();
	/* D1 */
	atomic_store_explicit(&p->ring->head, p->pos, memory_order_release);
}

void npf_writer_tick(struct npf_writer_producer *p, uint64_t now_ns)
{
	p->now_ns = now_ns;
	p->pending = 0;
	if (p->retro != NULL) {
		npf_writer_retro_tick(p);
		return;
	}
	if (p->rotation.open && now_ns >= p->idle_end_ns)
		close_file(p);
	npf_writer_burst_commit(p);
}

/* Are there losses that no file has counted? */
static bool has_unreported(const struct npf_writer_producer *p)
{
	struct npf_writer_file_stats now;

	current_stats(p, &now);
	return now.dropped != p->base.dropped || now.missed != p->base.missed;
}

void npf_writer_end(struct npf_writer_producer *p)
{
	uint64_t ts_ns = p->no_room_ns != 0 ? p->no_room_ns : p->now_ns;

	if (p->over)
		return;
	p->over = true;
	if (p->retro != NULL) {
		npf_writer_retro_end(p);
	} else {
		/* A dump of nothing is a file with nothing in it. */
		if (!p->rotation.open && (p->rotation.total_bytes == 0 || has_unreported(p)) &&
			npf_writer_rotation_next(&p->rotation, 0, ts_ns) == NPF_ROTATION_OPEN)
			open_file(p, 0, ts_ns);
		close_file(p);
	}
	npf_writer_burst_commit(p);
	atomic_store_explicit(&p->ring->over, true, memory_order_release);
}
