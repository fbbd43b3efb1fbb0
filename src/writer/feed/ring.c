/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.c - the ring's memory: all pages are there before the first packet. */
#include "writer/feed/ring.h"

#include <string.h>

static int allocate(struct npf_writer_ring *r, unsigned int flags)
{
	int rc;

	/* The kernel refuses hugepages that it does not have, but promises more plain pages than
	 * there are. */
	if ((flags & NPF_MEM_HUGE) == 0 && r->size > npf_mem_available())
		return -ENOMEM;
	rc = npf_mem_new(&r->mem, "npf-dump", r->size, flags | NPF_MEM_TWICE);
	if (rc < 0)
		return rc;
	/* Nobody else maps it. */
	r->mem.fd = npf_close(r->mem.fd);
	r->data = r->mem.addr;
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
	rc = hugepages ? allocate(r, NPF_MEM_HUGE) : -ENOMEM;
	if (rc < 0)
		rc = allocate(r, 0);
	if (rc < 0) {
		free(r);
		return rc;
	}
	*rp = r;
	return 0;
}

struct npf_writer_ring *npf_writer_ring_free(struct npf_writer_ring *r)
{
	if (r != NULL)
		npf_mem_fini(&r->mem);
	free(r);
	return NULL;
}
