/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared.h - atomic access to a plain word of memory that somebody else writes.
 *
 * The layouts of records in shared memory and of the kernel's rings declare plain words: most
 * accesses to them are ordered by another word and need not be atomic. Where one is, because the
 * other side may write the word meanwhile, these access it as the C11 atomic of its type. C11
 * leaves open whether that has the plain type's size and representation; on every ABI that we build
 * for it has, which the assertions hold to: same size, same alignment, and no lock, which would lie
 * beside the word and not be shared. The compiler may not assume types to tell words apart
 * (-fno-strict-aliasing).
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
