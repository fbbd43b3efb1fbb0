/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * buffer.c - a session's buffer: its memory, its lanes, and the control thread's calls.
 *
 * Budget: every lane has memory for the whole budget of the session, so that a busy lane does not
 * overflow while others are empty. The price is n_lanes times the memory, which npf_buffer_info()
 * reports and the user's limits count. Lanes that share room would need a word that several lcores
 * write, and a client that frees room could not know which lane it belongs to. Memory is cheaper.
 *
 * A buffer is on hugepages or on plain pages, never on both. A failure leaves nothing behind.
 */
#include "ringbuf/lane.h"

#include <string.h>

static void free_data(struct npf_buffer *b)
{
	for (unsigned int i = 0; i < b->n_lanes; i++)
		npf_mem_fini(&b->data_mem[i]);
}

static int map_data(struct npf_buffer *b, unsigned int flags)
{
	flags |= NPF_MEM_TWICE | NPF_MEM_READONLY;
	for (unsigned int i = 0; i < b->n_lanes; i++) {
		int rc = npf_mem_new(&b->data_mem[i], "npf-lane", b->conf.size, flags);

		if (rc < 0) {
			free_data(b);
			return rc;
		}
	}
	return 0;
}

/* Hugepages first, but not where rounding up to one would multiply a small budget. */
static int alloc_data(struct npf_buffer *b)
{
	uint64_t plain_page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (b->conf.hugepages && b->conf.size >= NPF_MEM_HUGE_SIZE &&
		map_data(b, NPF_MEM_HUGE) == 0)
		return 0;
	if (NPF_ALIGN_UP(b->conf.size, plain_page) * b->n_lanes > npf_mem_available())
		return -ENOMEM;
	return map_data(b, 0);
}

static int alloc_words(struct npf_buffer *b)
{
	int rc;

	rc = npf_mem_new(&b->pw_mem, "npf-producer", npf_pw_bytes(b->n_lanes), NPF_MEM_READONLY);
	if (rc < 0)
		return rc;
	rc = npf_mem_new(&b->cw_mem, "npf-consumer", npf_cw_bytes(b->n_lanes), 0);
	if (rc < 0)
		return rc;
	b->pw = (struct npf_pw *)b->pw_mem.addr;
	b->cw = (const struct npf_cw *)b->cw_mem.addr;
	return 0;
}

static void init_lane(struct npf_buffer *b, unsigned int i)
{
	struct npf_cw *cw = (struct npf_cw *)b->cw_mem.addr;
	uint64_t start = b->conf.start_pos;

	b->lane[i] = (struct npf_lane){
		.data = b->data_mem[i].addr,
		.size = b->data_mem[i].size,
		.room = b->data_mem[i].size,
		.head = start,
		.tail = start,
		.committed = start,
		.floor = start,
		.overwrite = b->conf.overwrite,
		.b = b,
		.pw = &b->pw->lane[i],
		.cw = &b->cw->lane[i],
	};
	atomic_init(&b->pw->lane[i].head, start);
	atomic_init(&b->pw->lane[i].floor, start);
	atomic_init(&cw->lane[i].tail, start);
	atomic_init(&cw->lane[i].seen, start);
}

int npf_buffer_new(const struct npf_buffer_conf *conf, struct npf_buffer **bp)
{
	struct npf_buffer *b;
	size_t bytes;
	int rc;

	if (conf->size < NPF_BUFFER_MIN || conf->size > NPF_BUFFER_MAX || conf->n_lanes < 1 ||
		conf->n_lanes > NPF_LANES_MAX || conf->start_pos % NPF_REC_ALIGN)
		return -EINVAL;

	bytes = sizeof(*b) + conf->n_lanes * sizeof(b->lane[0]);
	b = aligned_alloc(NPF_APART, NPF_ALIGN_UP(bytes, (size_t)NPF_APART));
	if (b == NULL)
		return -ENOMEM;
	memset(b, 0, bytes);
	b->conf = *conf;
	b->n_lanes = conf->n_lanes;

	rc = alloc_words(b);
	if (rc == 0)
		rc = alloc_data(b);
	if (rc < 0) {
		npf_buffer_free(b);
		return rc;
	}

	b->pw->h = (struct npf_pw_head){
		.magic = NPF_PW_MAGIC,
		.version = NPF_PW_VERSION,
		.n_lanes = b->n_lanes,
		.size = b->data_mem[0].size,
		.start_pos = conf->start_pos,
		.page_size = (uint32_t)b->data_mem[0].page_size,
		.flags = conf->overwrite ? NPF_PW_OVERWRITE : 0,
	};
	for (unsigned int i = 0; i < b->n_lanes; i++)
		init_lane(b, i);
	npf_buffer_set_wake(b, conf->mintocopy, conf->timeout_ns);
	*bp = b;
	return 0;
}

struct npf_buffer *npf_buffer_free(struct npf_buffer *b)
{
	if (b != NULL) {
		free_data(b);
		npf_mem_fini(&b->pw_mem);
		npf_mem_fini(&b->cw_mem);
		free(b);
	}
	return NULL;
}

void npf_buffer_info(const struct npf_buffer *b, struct npf_buffer_info *info)
{
	*info = (struct npf_buffer_info){
		.size = b->data_mem[0].size,
		.memory = b->pw_mem.size + b->cw_mem.size + b->n_lanes * b->data_mem[0].size,
		.page_size = (uint32_t)b->data_mem[0].page_size,
		.n_lanes = (uint16_t)b->n_lanes,
	};
}

void npf_buffer_close(struct npf_buffer *b)
{
	for (unsigned int i = 0; i < b->n_lanes; i++)
		npf_lane_close(npf_buffer_lane(b, i));
}

int npf_buffer_fault(const struct npf_buffer *b)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < b->n_lanes; i++)
		rc = npf_lane_fault(&b->lane[i]);
	return rc;
}

unsigned int npf_buffer_fds(const struct npf_buffer *b, int fds[NPF_BUFFER_NFDS])
{
	unsigned int n = 0;

	fds[n++] = b->pw_mem.fd;
	fds[n++] = b->cw_mem.fd;
	for (unsigned int i = 0; i < b->n_lanes; i++)
		fds[n++] = b->data_mem[i].fd;
	return n;
}

void npf_buffer_set_wake(struct npf_buffer *b, uint64_t mintocopy, uint64_t timeout_ns)
{
	uint64_t wake_bytes = npf_wake_bytes(mintocopy, b->data_mem[0].size);

	atomic_store_explicit(&b->wake_bytes, wake_bytes, memory_order_relaxed);
	atomic_store_explicit(&b->timeout_ns, timeout_ns, memory_order_relaxed);
}

void npf_buffer_counters(const struct npf_buffer *b, struct npf_ring_counters *c)
{
	*c = (struct npf_ring_counters){0};
	for (unsigned int i = 0; i < b->n_lanes; i++)
		npf_pw_lane_count(&b->pw->lane[i], c);
}

uint64_t npf_buffer_used(const struct npf_buffer *b)
{
	uint64_t used = 0;

	for (unsigned int i = 0; i < b->n_lanes; i++) {
		uint64_t tail = atomic_load_explicit(&b->cw->lane[i].tail, memory_order_relaxed);
		uint64_t head = atomic_load_explicit(&b->pw->lane[i].head, memory_order_relaxed);

		/* The tail is the client's word; also, an overwritten lane has passed it. */
		used += NPF_MIN(head - tail, b->data_mem[i].size);
	}
	return used;
}

struct npf_lane *npf_buffer_lane(struct npf_buffer *b, unsigned int i)
{
	return i < b->n_lanes ? &b->lane[i] : NULL;
}
