/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * finder.h - a hash index: which element of a growing array is equal to a given one?
 *
 * A finder has the numbers of elements, not the elements: its user compares them. Hashes are keyed,
 * since the author of a program could otherwise choose elements that all have the same hash.
 */
#ifndef NPF_JIT_IR_FINDER_H
#define NPF_JIT_IR_FINDER_H

#include "base/base.h"

struct finder_link {
	uint32_t hash;
	uint32_t next; /* in its chain, 0: the last */
};

/* All zero is an empty one. */
struct finder {
	uint32_t *heads; /* by hash & mask */
	uint32_t mask;
	uint32_t n;
	struct finder_link *links; /* by element */
	uint32_t cap;
};

/* A key for hashes, hard to guess. */
uint64_t finder_key(void);

/* The hash of what was mixed so far and of x; its upper half is the hash to give to a finder. */
static inline uint64_t finder_mix(uint64_t hash, uint64_t x)
{
	hash = (hash ^ x) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

/* Add element i, not 0, which has this hash. Return: 0, -ENOMEM. */
int finder_add(struct finder *f, uint32_t i, uint32_t hash);
void finder_fini(struct finder *f);

/* The next element of this hash at or after i in its chain, 0 if there is none. */
static inline uint32_t finder_skip(const struct finder *f, uint32_t i, uint32_t hash)
{
	while (i != 0 && f->links[i].hash != hash)
		i = f->links[i].next;
	return i;
}

/* for (i = finder_first(f, hash); i != 0; i = finder_next(f, i)) */
static inline uint32_t finder_first(const struct finder *f, uint32_t hash)
{
	return f->n != 0 ? finder_skip(f, f->heads[hash & f->mask], hash) : 0;
}

static inline uint32_t finder_next(const struct finder *f, uint32_t i)
{
	return finder_skip(f, f->links[i].next, f->links[i].hash);
}

#endif
