/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h - memory objects that can be shared with a process that is not trusted.
 *
 * An object is a memfd. All its pages are allocated when it is made, so there is no SIGBUS and no
 * over-commitment later. Its size is sealed. With NPF_MEM_READONLY only its maker can write it.
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
	NPF_MEM_READONLY = 4, /* others can only map it read-only */
};

/*
 * npf_mem_new - allocate, map and seal.
 * Whether the machine has so many plain pages is not checked here: see npf_mem_available().
 * Return: 0; -ENOMEM; or the error of memfd_create(), mmap() or fcntl(). A failure leaves nothing
 *         behind.
 * Owns:   *m is undone by npf_mem_fini().
 */
int npf_mem_new(struct npf_mem *m, const char *name, size_t size, unsigned int flags);

/*
 * npf_mem_map - map an object that another process made.
 * @flags: NPF_MEM_TWICE and NPF_MEM_READONLY are used
 * Return: 0; -EPROTO: the size is not @size or no multiple of the page size, or the seals do not
 *         forbid to shrink it; or the error of mmap().
 */
int npf_mem_map(struct npf_mem *m, int fd, size_t size, unsigned int flags);

/* Size and page size of an object. Return: 0; -EPROTO: not a memory object. */
int npf_mem_stat(int fd, size_t *sizep, size_t *page_sizep);

/* Unmap and close. A zeroed object, or one whose making failed, is fine. */
void npf_mem_fini(struct npf_mem *m);

/* Bytes of plain pages that can be taken without waking the OOM killer: the least of the kernel's
 * estimate for the machine and of what the control group allows, less a margin. */
uint64_t npf_mem_available(void);

/* Size of the hugepages that NPF_MEM_HUGE takes. */
#define NPF_MEM_HUGE_SIZE (2ull << 20)

#endif
