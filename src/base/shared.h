/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared.h - atomic access to a plain word of memory that somebody else writes.
 *
 * The layouts of records in shared memory and of the kernel's rings declare plain words, since most
 * accesses to them are ordered by another word and need not be atomic. These functions are for the
 * others: the word may change during the access. They access it as the C11 atomic of its type. C11
 * does not promise that an atomic type has the size and representation of the plain one. Every ABI
 * that we build for does; the assertions check size, alignment, and that there is no lock, which
 * would lie beside the word and not be shared. -fno-strict-aliasing allows the access.
 */
#ifndef NPF_BASE_SHARED_H
#define NPF_BASE_SHARED_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

static_assert(sizeof(_Atomic(uint32_t)) == sizeof(uint32_t) &&
		      _Alignof(_Atomic(uint32_t)) == _Alignof(uint32_t) &&
		      ATOMIC_INT_LOCK_FREE == 2,
	"a plain word can be accessed as an atomic one");
static_assert(sizeof(_Atomic(uint64_t)) == sizeof(uint64_t) &&
		      _Alignof(_Atomic(uint64_t)) == _Alignof(uint64_t) &&
		      ATOMIC_LLONG_LOCK_FREE == 2,
	"a plain word can be accessed as an atomic one");

static inline uint32_t npf_shared_load32(const uint32_t *p, memory_order order)
{
	return atomic_load_explicit((const _Atomic(uint32_t) *)p, order);
}

static inline uint64_t npf_shared_load64(const uint64_t *p, memory_order order)
{
	return atomic_load_explicit((const _Atomic(uint64_t) *)p, order);
}

static inline void npf_shared_store32(uint32_t *p, uint32_t value, memory_order order)
{
	atomic_store_explicit((_Atomic(uint32_t) *)p, value, order);
}

#endif
