/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base.h - what every room uses: sizes, alignment, cleanup, the error contract.
 *
 * Error contract: inside the project a function returns 0 (or a documented count) on success
 * and -errno on failure, or NULL where it returns a pointer. A caller passes negative values that
 * it does not know on unchanged. Text for people is made where the decision is made: in the
 * daemon's log, in a wire reply, in a pcap error buffer.
 */
#ifndef NPF_BASE_BASE_H
#define NPF_BASE_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define NPF_CACHELINE 64

#define NPF_LIKELY(x)   __builtin_expect(!!(x), 1)
#define NPF_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The struct whose member @member is at @ptr. */
#define NPF_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define NPF_ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))

/* Round x up to a multiple of a, a power of two. */
#define NPF_ALIGN_UP(x, a) (((x) + ((__typeof__(x))(a)-1)) & ~((__typeof__(x))(a)-1))

#define NPF_MIN(a, b)                                                                              \
	({                                                                                         \
		__typeof__(a) npf_min_a = (a);                                                     \
		__typeof__(b) npf_min_b = (b);                                                     \
		npf_min_a < npf_min_b ? npf_min_a : npf_min_b;                                     \
	})
#define NPF_MAX(a, b)                                                                              \
	({                                                                                         \
		__typeof__(a) npf_max_a = (a);                                                     \
		__typeof__(b) npf_max_b = (b);                                                     \
		npf_max_a > npf_max_b ? npf_max_a : npf_max_b;                                     \
	})

#define NPF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Scope-bound ownership: `npf_autofd int fd = open(...)`, and `return npf_steal_fd(&fd)`. */
#define NPF_CLEANUP(fn) __attribute__((cleanup(fn)))
#define npf_autofd      NPF_CLEANUP(npf_cleanup_fd)
#define npf_autofree    NPF_CLEANUP(npf_cleanup_free)

/* Close fd if it is one; always returns -1: `fd = npf_close(fd)`. Keeps errno. */
static inline int npf_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -1;
}

static inline void npf_cleanup_fd(int *fdp)
{
	npf_close(*fdp);
}

static inline void npf_cleanup_free(void *pp)
{
	free(*(void **)pp);
}

static inline int npf_steal_fd(int *fdp)
{
	int fd = *fdp;

	*fdp = -1;
	return fd;
}

#define npf_steal_ptr(pp)                                                                          \
	({                                                                                         \
		__typeof__(*(pp)) npf_stolen = *(pp);                                              \
		*(pp) = NULL;                                                                      \
		npf_stolen;                                                                        \
	})

/*
 * A pointer without its const, for functions of others that take a plain pointer and do not write
 * by it: struct iovec of a send, the arguments of execv(), free() of what its owner holds const.
 */
static inline void *npf_unconst(const void *p)
{
	return (void *)(uintptr_t)p;
}

#endif
