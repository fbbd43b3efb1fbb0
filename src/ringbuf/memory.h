/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h - memory objects that can be handed to a stranger.
 *
 * An object is a memfd: fully allocated when it is made (no later SIGBUS, no over-commitment),
 * of a size that nobody can change, and, where asked, writable by nobody but its maker.
 */
#ifndef NPF_RINGBUF_MEMORY_H
#define NPF_RINGBUF_MEMORY_H

#include "base/base.h"

struct npf_mem {
	uint8_t *addr;
	size_t size;   /* bytes of memory; a multiple of page_size */
	size_t mapped; /* bytes of address space: size, or twice that */
	size_t page_size;
	int fd; /* -1 on the side that only maps it */
};

enum npf_mem_flags {
	NPF_MEM_HUGE = 1,     /* of hugepages; none left: -ENOMEM */
	NPF_MEM_TWICE = 2,    /* mapped twice, back to back */
	NPF_MEM_READONLY = 4, /* to others: they can map it read-only, and nothing else */
};

/*
 * npf_mem_new - allocate, map and seal.
 * Plain pages are not asked for beyond what the machine can give: npf_mem_available() is the
 * caller's to heed.
 * Return: 0; -ENOMEM; or what memfd_create, mmap or fcntl said. Nothing is kept on failure.
 * Owns:   *m is undone by npf_mem_fini().
 */
int npf_mem_new(struct npf_mem *m, const char *name, size_t size, unsigned int flags);

/*
 * npf_mem_map - map what another process made.
 * @flags: NPF_MEM_TWICE and NPF_MEM_READONLY count
 * Return: 0; -EPROTO: its size, which is not a multiple of its pages or other than @size, or its
 *         seals would let it change under us; or what mmap said.
 */
int npf_mem_map(struct npf_mem *m, int fd, size_t size, unsigned int flags);

/* Size and page size of an object. Return: 0; -EPROTO: not a memory object. */
int npf_mem_stat(int fd, size_t *sizep, size_t *page_sizep);

/* Unmaps and closes; a zeroed or unsuccessful one is fine. */
void npf_mem_fini(struct npf_mem *m);

/* Bytes of plain pages that can be taken without sending anyone to the OOM killer: what the kernel
 * estimates for the machine and allows the control group, less a margin. */
uint64_t npf_mem_available(void);

/* Size of the hugepages that NPF_MEM_HUGE takes. */
#define NPF_MEM_HUGE_SIZE (2ull << 20)

#endif
