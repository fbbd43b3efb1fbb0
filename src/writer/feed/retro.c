/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retro.c - remembers records, evicts the oldest, and makes files on a trigger.
 *
 * Invariants: floor is the start of a record, or pos when nothing is remembered. While no file is
 * being written, pos - floor <= keep_bytes. While one is, nothing between the worker's tail and pos
 * is overwritten.
 */
#include "writer/feed/retro.h"

#include <string.h>

#define SLACK_MIN (4ull << 20)

uint64_t npf_writer_retro_ring_size(uint64_t keep_bytes)
{
	uint64_t slack = NPF_MAX(keep_bytes / 4, SLACK_MIN);

	return keep_bytes + NPF_MIN(slack, UINT64_MAX - keep_bytes);
}

int npf_writer_retro_init(
	struct npf_writer_producer *p, const struct npf_writer_retro_params *params)
{
	struct npf_writer_retro *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->keep_bytes = NPF_MIN(params->bytes, p->ring->size - SLACK_MIN / 4);
	r->keep_ns = params->ns;
	r->last_chunk = UINT64_MAX;
	p->retro = r;
	return 0;
}

int npf_writer_retro_trigger(struct npf_writer_producer *p, uint64_t after_ns)
{
	struct npf_writer_retro *r = p->retro;

	if (atomic_exchange_explicit(&r->busy, true, memory_order_relaxed))
		return -EBUSY;
	atomic_store_explicit(&r->after_ns, after_ns, memory_order_relaxed);
	/* T1: release, pairs with the acquire in npf_writer_retro_tick(): after_ns goes with it. */
	atomic_fetch_add_explicit(&r->triggers, 1, memory_order_release);
	return 0;
}

uint32_t npf_writer_decode_record(
	enum npf_writer_format format, const uint8_t *at, uint64_t *ts_nsp)
{
	uint32_t w[4];

	memcpy(w, at, sizeof(w));
	if (format == NPF_WRITER_PCAPNG) {
		uint32_t low;

		memcpy(&low, at + 16, sizeof(low));
		*ts_nsp = (uint64_t)w[3] << 32 | low;
		return w[1];
	}
	*ts_nsp = w[0] * NPF_NS_PER_S + (format == NPF_WRITER_PCAP ? w[1] * NPF_NS_PER_US : w[1]);
	return NPF_WRITER_PCAP_RECORD + w[2];
}

static uint64_t chunk_of(const struct npf_writer_producer *p, uint64_t pos)
{
	return pos / (p->ring->size / NPF_WRITER_CHUNKS);
}

/* Evict whole chunks until nothing before position @least is remembered. */
static void evict(struct npf_writer_producer *p, uint64_t least)
{
	struct npf_writer_retro *r = p->retro;
	uint64_t n = chunk_of(p, r->floor);

	while (r->floor < least) {
		if (++n > r->last_chunk) {
			r->floor = p->pos;
			return;
		}
		/* A record longer than a chunk leaves chunks in which none starts. */
		if (chunk_of(p, r->chunks[n % NPF_WRITER_CHUNKS].first) == n)
			r->floor = r->chunks[n % NPF_WRITER_CHUNKS].first;
	}
}

static bool has_room(struct npf_writer_producer *p, uint32_t size)
{
	struct npf_writer_retro *r = p->retro;
	uint64_t end = p->pos + size;

	if (r->state == NPF_RETRO_KEEPING) {
		if (end - r->floor > r->keep_bytes)
			evict(p, end - r->keep_bytes);
		return true;
	}
	if (end > p->limit) {
		/* D4 */
		p->limit =
			atomic_load_explicit(&p->ring->tail, memory_order_acquire) + p->ring->size;
		if (end > p->limit)
			return false;
	}
	if (end - r->floor > p->ring->size)
		evict(p, end - p->ring->size);
	return true;
}

bool npf_writer_retro_put(
	struct npf_writer_producer *p, const struct npf_rec *hdr, const void *data)
{
	bool outbound = (hdr->flags & NPF_REC_OUTBOUND) != 0;
	uint32_t size = npf_writer_record_size(p->format, hdr->caplen, outbound);
	struct npf_writer_retro *r = p->retro;
	uint64_t chunk;
	uint8_t *at;

	if (p->over)
		return true;
	if (size > r->keep_bytes) {
		p->drop_oversize++;
		return true;
	}
	if (!has_room(p, size))
		return false;
	chunk = chunk_of(p, p->pos);
	if (chunk != r->last_chunk) {
		r->chunks[chunk % NPF_WRITER_CHUNKS] = (struct npf_writer_chunk){
			.first = p->pos,
			.ts_ns = hdr->ts_ns,
			.received = p->received - p->pending,
			.missed = atomic_load_explicit(&p->missed, memory_order_relaxed),
			.dropped = p->drop_disk,
		};
		r->last_chunk = chunk;
	}
	at = npf_writer_encode_record(p->format, npf_writer_ring_at(p->ring, p->pos), hdr->ts_ns,
		hdr->caplen, hdr->len, outbound);
	npf_copy(at, data, hdr->caplen);
	p->pos += size;
	p->last_ns = hdr->ts_ns;
	r->packets++;
	return true;
}

/*
 * The first record that is not too old. Reads records only within one chunk.
 * @skippedp: gets how many records of its chunk were passed over
 */
static uint64_t start_of_window(struct npf_writer_producer *p, uint64_t *skippedp)
{
	struct npf_writer_retro *r = p->retro;
	uint64_t pos = r->floor, n = chunk_of(p, pos), oldest;

	if (r->keep_ns == 0 || p->last_ns < r->keep_ns)
		return pos;
	/* By the packets' clock, which for a replay is not today's. */
	oldest = p->last_ns - r->keep_ns;
	if (p->format == NPF_WRITER_PCAP)
		oldest -= oldest % NPF_NS_PER_US; /* as the records have it */
	while (n < r->last_chunk) {
		const struct npf_writer_chunk *next = &r->chunks[++n % NPF_WRITER_CHUNKS];

		if (chunk_of(p, next->first) != n)
			continue;
		if (next->ts_ns >= oldest)
			break;
		pos = next->first;
	}
	while (pos < p->pos) {
		uint64_t ts_ns;
		uint32_t size = npf_writer_decode_record(
			p->format, npf_writer_ring_at(p->ring, pos), &ts_ns);

		if (ts_ns >= oldest)
			break;
		pos += size;
		++*skippedp;
	}
	return pos;
}

/* The counters as they were before the oldest remembered record. */
static struct npf_writer_file_stats counters_before(
	const struct npf_writer_producer *p, uint64_t skipped)
{
	const struct npf_writer_retro *r = p->retro;
	const struct npf_writer_chunk *c = &r->chunks[chunk_of(p, r->floor) % NPF_WRITER_CHUNKS];

	/* Nothing is remembered. */
	if (r->floor == p->pos)
		return (struct npf_writer_file_stats){
			.received = p->received,
			.missed = atomic_load_explicit(&p->missed, memory_order_relaxed),
			.dropped = p->drop_disk,
		};
	return (struct npf_writer_file_stats){
		.received = c->received + skipped,
		.missed = c->missed,
		.dropped = c->dropped,
	};
}

void npf_writer_retro_complete_stats(
	struct npf_writer_file_stats *stats, uint64_t packets, uint64_t first_ns)
{
	stats->delivered = packets;
	stats->first_ns = first_ns;
	stats->accepted = packets + stats->dropped;
	/* With several taps, what they received is known only now and then. */
	stats->received = NPF_MAX(stats->received, stats->accepted);
}

static void begin_file(struct npf_writer_producer *p)
{
	struct npf_writer_ring *ring = p->ring;
	struct npf_writer_retro *r = p->retro;
	uint64_t n = atomic_load_explicit(&ring->n_started, memory_order_relaxed);
	struct npf_writer_file *f = &ring->files[n % NPF_WRITER_FILES];
	uint64_t skipped = 0;

	r->floor = start_of_window(p, &skipped);
	f->start = r->floor;
	f->opened_ns = p->now_ns;
	/* The worker has no file open, so the producer may move the tail. */
	atomic_store_explicit(&ring->tail, r->floor, memory_order_relaxed);
	p->limit = r->floor + ring->size;
	r->base = counters_before(p, skipped);
	r->state = NPF_RETRO_AFTER;
	/* D1, D2 */
	npf_copy_fence();
	atomic_store_explicit(&ring->head, p->pos, memory_order_release);
	atomic_store_explicit(&ring->n_started, n + 1, memory_order_release);
}

static void finish_file(struct npf_writer_producer *p)
{
	struct npf_writer_ring *ring = p->ring;
	struct npf_writer_retro *r = p->retro;
	uint64_t n = atomic_load_explicit(&ring->n_ended, memory_order_relaxed);
	struct npf_writer_file *f = &ring->files[n % NPF_WRITER_FILES];

	f->end = p->pos;
	/* The worker counts the packets: remembered records were not counted by file. */
	f->stats = (struct npf_writer_file_stats){
		.last_ns = p->last_ns,
		.received = p->received - r->base.received,
		.missed = atomic_load_explicit(&p->missed, memory_order_relaxed) - r->base.missed,
		.dropped = p->drop_disk - r->base.dropped,
	};
	r->state = NPF_RETRO_WRITING;
	npf_copy_fence();
	/* D3 */
	atomic_store_explicit(&ring->n_ended, n + 1, memory_order_release);
}

void npf_writer_retro_commit(struct npf_writer_producer *p)
{
	struct npf_writer_retro *r = p->retro;

	atomic_store_explicit(&r->remembered, p->pos - r->floor, memory_order_relaxed);
	atomic_store_explicit(&p->counters.written, r->packets, memory_order_relaxed);
	atomic_store_explicit(&p->counters.bytes, p->pos, memory_order_relaxed);
	if (r->state == NPF_RETRO_AFTER) {
		npf_copy_fence();
		/* D1 */
		atomic_store_explicit(&p->ring->head, p->pos, memory_order_release);
	}
}

void npf_writer_retro_tick(struct npf_writer_producer *p)
{
	struct npf_writer_ring *ring = p->ring;
	struct npf_writer_retro *r = p->retro;
	/* T1: acquire. */
	uint64_t triggers = atomic_load_explicit(&r->triggers, memory_order_acquire);

	switch (r->state) {
	case NPF_RETRO_KEEPING:
		if (triggers == r->seen)
			return;
		r->seen = triggers;
		r->end_ns = p->now_ns + atomic_load_explicit(&r->after_ns, memory_order_relaxed);
		begin_file(p);
		break;
	case NPF_RETRO_AFTER:
		break;
	case NPF_RETRO_WRITING:
		/* D4: acquire: nothing of the file is read any more. */
		if (atomic_load_explicit(&ring->n_done, memory_order_acquire) !=
			atomic_load_explicit(&ring->n_ended, memory_order_relaxed))
			return;
		r->state = NPF_RETRO_KEEPING;
		atomic_store_explicit(&r->busy, false, memory_order_relaxed);
		return;
	}
	if (p->now_ns >= r->end_ns)
		finish_file(p);
	npf_writer_retro_commit(p);
}

void npf_writer_retro_end(struct npf_writer_producer *p)
{
	if (p->retro->state == NPF_RETRO_AFTER)
		finish_file(p);
}
