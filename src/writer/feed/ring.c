/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.c - a memfd mapped twice, back to back; all pages are there before the first packet. */
#include "writer/feed/ring.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/memfd.h>

#define HUGE_SIZE  (2ull << 20)
#define PLAIN_SIZE 4096u

#ifndef MADV_POPULATE_WRITE
#	define MADV_POPULATE_WRITE 23
#endif

/* The kernel keeps the process' address space locked while one call works on it, and other threads
 * wait: so calls are short. */
#define STRIDE (32ull << 20)

/* The pages are there; so that the tap meets no fault, the page tables are filled in. */
static void populate(uint8_t *data, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += STRIDE)
		(void)madvise(data + at, NPF_MIN(size - at, STRIDE), MADV_POPULATE_WRITE);
}

/* A place for size bytes, twice. Return: the address or MAP_FAILED. */
static uint8_t *map_twice(int fd, uint64_t size, uint64_t page_size)
{
	/* Hugepages want an address aligned to them: reserve one page more and cut it off. */
	uint8_t *room = mmap(NULL, 2 * size + page_size, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *at;
	size_t before;

	if (room == MAP_FAILED)
		return MAP_FAILED;
	at = (uint8_t *)NPF_ALIGN_UP((uintptr_t)room, page_size);
	before = (size_t)(at - room);
	if (before > 0)
		munmap(room, before);
	if (before < page_size)
		munmap(at + 2 * size, page_size - before);
	for (unsigned int i = 0; i < 2; i++) {
		if (mmap(at + i * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			    0) == MAP_FAILED) {
			int saved = errno;

			munmap(at, 2 * size);
			errno = saved;
			return MAP_FAILED;
		}
	}
	return at;
}

static int allocate(struct npf_writer_ring *r, bool huge)
{
	uint64_t page = huge ? HUGE_SIZE : PLAIN_SIZE;
	npf_autofd int fd =
		memfd_create("npf-dump", MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));

	if (fd < 0 || ftruncate(fd, (off_t)r->size) < 0)
		return -errno;
	do
		errno = posix_fallocate(fd, 0, (off_t)r->size);
	while (errno == EINTR);
	if (errno != 0)
		return -errno;
	r->data = map_twice(fd, r->size, page);
	if (r->data == MAP_FAILED) {
		r->data = NULL;
		return -errno;
	}
	populate(r->data, 2 * r->size);
	r->page_size = (uint32_t)page;
	return 0;
}

uint64_t npf_writer_ring_size(uint64_t size)
{
	uint64_t n = NPF_WRITER_RING_MIN;

	if (size > NPF_WRITER_RING_MAX)
		return 0;
	while (n < size)
		n *= 2;
	return n;
}

int npf_writer_ring_new(uint64_t size, bool hugepages, struct npf_writer_ring **rp)
{
	struct npf_writer_ring *r;
	int rc;

	if (size > NPF_WRITER_RING_MAX)
		return -EINVAL;
	r = aligned_alloc(NPF_CACHELINE, NPF_ALIGN_UP(sizeof(*r), (size_t)NPF_CACHELINE));
	if (r == NULL)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->size = npf_writer_ring_size(size);
	rc = hugepages ? allocate(r, true) : -ENOMEM;
	if (rc < 0)
		rc = allocate(r, false);
	if (rc < 0)
		return npf_writer_ring_free(r), rc;
	*rp = r;
	return 0;
}

struct npf_writer_ring *npf_writer_ring_free(struct npf_writer_ring *r)
{
	if (r == NULL)
		return NULL;
	for (uint64_t at = 0; r->data != NULL && at < 2 * r->size; at += STRIDE)
		munmap(r->data + at, NPF_MIN(2 * r->size - at, STRIDE));
	free(r);
	return NULL;
}
