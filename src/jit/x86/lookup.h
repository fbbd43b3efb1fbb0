/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup.h - tables that decide without a branch, in a few instructions, whether a value is in a
 * set.
 *
 * LOOKUP_BITS:  bit v of `bits`, for values below 65536.
 * LOOKUP_HASH:  slots[v * mult >> shift] == v.
 * LOOKUP_HASH2: m = mults[v * mult >> mult_shift]; slots[v * m >> shift] == v.
 *
 * All products are modulo 2^32. The hashes are perfect: no two members share a slot, so one probe
 * decides. A slot without a member holds a member of another slot, to which no value of this slot
 * can be equal.
 */
#ifndef NPF_JIT_X86_LOOKUP_H
#define NPF_JIT_X86_LOOKUP_H

#include "base/base.h"

enum lookup_kind {
	LOOKUP_NONE,
	LOOKUP_BITS,
	LOOKUP_HASH,
	LOOKUP_HASH2
};

struct lookup {
	enum lookup_kind kind;
	uint32_t mult;
	uint32_t shift;
	uint32_t mult_shift;
	uint32_t n_slots;
	uint32_t n_mults;
	uint32_t *slots; /* LOOKUP_BITS: 2048 words */
	uint32_t *mults;
	uint64_t steps; /* that it took to find this table */
};

/* Is the table of n values a bitmap, where no value looked up is greater than max? */
bool lookup_is_bitmap(uint32_t n, uint32_t max);

/*
 * lookup_build - find a table for n different values, 1 at least.
 * @max: no value looked up will be greater
 * Return: 0, -ENOMEM; -E2BIG: no try has succeeded (never seen).
 */
int lookup_build(struct lookup *l, const uint32_t *k, uint32_t n, uint32_t max);
void lookup_fini(struct lookup *l);

#endif
