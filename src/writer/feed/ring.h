/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h - the memory between a tap and a disk. It holds the bytes of files, and where each file
 * begins and ends.
 *
 * The producer (a tap lcore, or the thread that merges several) writes savefiles into the ring one
 * after the other, each at a position that is a multiple of NPF_WRITER_BLOCK, so that
 * aligned parts of the ring are aligned parts of the file and can be written to disk in place.
 * Positions count bytes and only grow. A position is at data[position % size]; the memory is mapped
 * twice, so that a record is contiguous even across the end.
 *
 * The ring belongs to the daemon alone: no client ever sees it.
 *
 * Order, D1 to D4, each a release with the acquire of the same label:
 *   D1 head       producer -> worker: bytes below it are written
 *   D2 n_started  producer -> worker: files[n].start and opened_ns
 *   D3 n_ended    producer -> worker: files[n].end and stats; bytes below end are written
 *   D4 tail, n_done  worker -> producer: bytes below and entries before are free
 */
#ifndef NPF_WRITER_FEED_RING_H
#define NPF_WRITER_FEED_RING_H

#include "ringbuf/ring.h"
#include "writer/feed/format.h"

#include <stdatomic.h>

#define NPF_WRITER_BLOCK    4096u /* what direct writes are aligned to, bytes */
#define NPF_WRITER_FILES    256u  /* files that the producer can be ahead of the worker */
#define NPF_WRITER_RING_MIN (2ull << 20)
#define NPF_WRITER_RING_MAX (1ull << 36)

/* One file in the ring. */
struct npf_writer_file {
	uint64_t start;     /* position of its first byte */
	uint64_t opened_ns; /* stamp of the record that opened it: the time in its name */
	uint64_t end;       /* position behind its last byte */
	struct npf_writer_file_stats stats;
};

struct npf_writer_ring {
	/* fixed */
	uint8_t *data;
	uint64_t size; /* bytes, a power of two */
	struct npf_mem mem;

	/* written by the producer */
	_Atomic uint64_t head __attribute__((aligned(NPF_CACHELINE)));
	_Atomic uint64_t n_started, n_ended;
	_Atomic bool over; /* the producer has ended */

	/* written by the worker */
	_Atomic uint64_t tail __attribute__((aligned(NPF_CACHELINE)));
	_Atomic uint64_t n_done;

	struct npf_writer_file files[NPF_WRITER_FILES]; /* of file n: files[n % NPF_WRITER_FILES] */
};

/* Bytes of a ring of at least this size: a power of two. 0: larger than a ring can be. */
uint64_t npf_writer_ring_size(uint64_t size);

/*
 * npf_writer_ring_new - allocate and prefault.
 * @size:      bytes, rounded up as npf_writer_ring_size() says
 * @hugepages: try them first
 * Return: 0; -EINVAL: too large; -ENOMEM: that much is not left for us (npf_mem_available()); or an
 *         error of memfd_create, fallocate or mmap.
 */
int npf_writer_ring_new(uint64_t size, bool hugepages, struct npf_writer_ring **rp);
struct npf_writer_ring *npf_writer_ring_free(struct npf_writer_ring *r); /* NULL is fine */

static inline uint8_t *npf_writer_ring_at(const struct npf_writer_ring *r, uint64_t pos)
{
	return r->data + (pos & (r->size - 1));
}

#endif
