/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader_map.c - the buffers of a consumer: mapping them, chaining them, leaving them; counters.
 *
 * A buffer comes from another process. Its geometry is read once and checked against the sizes of
 * the objects themselves, whose seals must rule out that they shrink; afterwards only the copies
 * count. A buffer stays mapped until every slot has moved on to a newer one; its counters
 * are then added to those of the past.
 */
#include "ringbuf/reader.h"

#include <string.h>

/* ---- Mapping ---- */

static void unmap(struct npf_reader_buffer *b)
{
	for (unsigned int i = 0; i < b->n_lanes; i++)
		npf_mem_fini(&b->lane[i].mem);
	npf_mem_fini(&b->pw_mem);
	npf_mem_fini(&b->cw_mem);
	free(b);
}

static int map_words(struct npf_reader_buffer *b, const int *fds)
{
	size_t page, pw_bytes, cw_bytes;
	int rc;

	rc = npf_mem_stat(fds[0], &pw_bytes, &page);
	if (rc == 0)
		rc = npf_mem_stat(fds[1], &cw_bytes, &page);
	if (rc < 0)
		return rc;
	if (pw_bytes < npf_pw_bytes(b->n_lanes) || cw_bytes < npf_cw_bytes(b->n_lanes))
		return -EPROTO;

	rc = npf_mem_map(&b->pw_mem, fds[0], pw_bytes, NPF_MEM_READONLY);
	if (rc == 0)
		rc = npf_mem_map(&b->cw_mem, fds[1], cw_bytes, 0);
	if (rc < 0)
		return rc;
	b->pw = (const struct npf_pw *)b->pw_mem.addr;
	b->cw = (struct npf_cw *)b->cw_mem.addr;
	return 0;
}

static int map_lane(
	struct npf_reader_buffer *b, unsigned int i, int fd, const struct npf_pw_head *h)
{
	struct npf_reader_lane *l = &b->lane[i];
	uint64_t tail;
	int rc;

	rc = npf_mem_map(&l->mem, fd, h->size, NPF_MEM_READONLY | NPF_MEM_TWICE);
	if (rc < 0)
		return rc;
	l->b = b;
	l->pw = &b->pw->lane[i];
	l->cw = &b->cw->lane[i];
	l->data = l->mem.addr;
	l->size = h->size;
	l->step = h->size >> 7; /* the part of the ring that may be read and not yet free: < 1 % */
	l->overwrite = h->flags & NPF_PW_OVERWRITE;

	/* Where the last reader, if there was one, left off. */
	tail = atomic_load_explicit(&l->cw->tail, memory_order_relaxed);
	l->pos = l->head = l->freed = tail;
	l->off = (tail - h->start_pos) % h->size;
	l->knows_seq = tail == h->start_pos;
	return tail % NPF_REC_ALIGN ? -EPROTO : 0;
}

static int map_buffer(struct npf_reader_buffer *b, const int *fds)
{
	struct npf_pw_head h;
	int rc;

	rc = map_words(b, fds);
	if (rc < 0)
		return rc;
	memcpy(&h, &b->pw->h, sizeof(h));
	if (h.magic != NPF_PW_MAGIC || h.version != NPF_PW_VERSION || h.n_lanes != b->n_lanes ||
		h.size < NPF_BUFFER_MIN || h.size > 2 * NPF_BUFFER_MAX || h.size % NPF_REC_ALIGN ||
		h.start_pos % NPF_REC_ALIGN)
		return -EPROTO;
	b->size = h.size;
	b->sleep_seq = atomic_load_explicit(&b->cw->sleep_seq, memory_order_relaxed);
	for (unsigned int i = 0; i < b->n_lanes && rc == 0; i++)
		rc = map_lane(b, i, fds[2 + i], &h);
	return rc;
}

int npf_reader_map(
	struct npf_reader *r, const int *fds, unsigned int n_fds, struct npf_reader_buffer **bp)
{
	struct npf_reader_buffer *b;
	int rc;

	if (n_fds < 3 || n_fds > NPF_BUFFER_NFDS)
		return -EPROTO;
	b = calloc(1, sizeof(*b) + (n_fds - 2) * sizeof(b->lane[0]));
	if (b == NULL)
		return -ENOMEM;
	b->n_lanes = n_fds - 2;

	rc = map_buffer(b, fds);
	if (rc == 0 && b->lane[0].overwrite && r->copy == NULL) {
		r->copy = malloc(NPF_REC_MAXCAP);
		rc = r->copy != NULL ? 0 : -ENOMEM;
	}
	if (rc < 0) {
		unmap(b);
		return rc;
	}
	*bp = b;
	return 0;
}

void npf_reader_chain(struct npf_reader *r, struct npf_reader_buffer *b)
{
	for (unsigned int i = 0; i < b->n_lanes; i++) {
		struct npf_reader_lane **end = &r->slot[i];

		while (*end != NULL)
			end = &(*end)->next;
		*end = &b->lane[i];
	}
	r->n_slots = NPF_MAX(r->n_slots, b->n_lanes);
	if (r->last != NULL)
		r->last->next = b;
	else
		r->first = b;
	r->last = b;
}

int npf_reader_new(int wake_fd, struct npf_reader **rp)
{
	struct npf_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->wake_fd = wake_fd;
	*rp = r;
	return 0;
}

struct npf_reader *npf_reader_free(struct npf_reader *r)
{
	while (r != NULL && r->first != NULL) {
		struct npf_reader_buffer *b = r->first;

		r->first = b->next;
		unmap(b);
	}
	if (r != NULL)
		free(r->copy);
	free(r);
	return NULL;
}

/* ---- Leaving, counters ---- */

static void count(const struct npf_reader_buffer *b, struct npf_ring_counters *c)
{
	for (unsigned int i = 0; i < b->n_lanes; i++) {
		struct npf_ring_counters lane = {0};

		npf_pw_lane_count(b->lane[i].pw, &lane);
		/* The producer also counts what was being read as it was overwritten; we know. */
		if (b->lane[i].overwrite)
			lane.drop[NPF_DROP_OVERWRITTEN] = b->lane[i].lost;
		c->packets += lane.packets;
		c->bytes += lane.bytes;
		for (unsigned int d = 0; d < NPF_N_DROP; d++)
			c->drop[d] += lane.drop[d];
	}
}

static bool has_left(const struct npf_reader *r, const struct npf_reader_buffer *b)
{
	for (unsigned int i = 0; i < b->n_lanes; i++)
		if (r->slot[i] == &b->lane[i])
			return false;
	return true;
}

void npf_reader_unmap_drained(struct npf_reader *r)
{
	while (r->first != r->last && has_left(r, r->first)) {
		struct npf_reader_buffer *b = r->first;

		count(b, &r->past);
		r->first = b->next;
		r->run = NULL; /* it may be one of these */
		unmap(b);
	}
}

void npf_reader_counters(struct npf_reader *r, struct npf_ring_counters *c)
{
	*c = r->past;
	for (const struct npf_reader_buffer *b = r->first; b != NULL; b = b->next)
		count(b, c);
}
