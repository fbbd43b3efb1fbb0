/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup.c - finding perfect hashes.
 *
 * Multipliers are drawn from a sequence that is seeded with the values. So a program always
 * compiles to the same code, and values cannot be chosen for multipliers known beforehand. Few
 * values: one multiplier that spreads them over eight times as many slots is soon found. Many:
 * values are split into small buckets by a first product, and each bucket, the fullest first, gets
 * a multiplier of its own that puts it into free slots (Fox et al. 1992; Belazzougui et al. 2009).
 * Slots are half used at most, so a bucket needs some dozens of tries, and the whole is linear. A
 * first product that leaves a bucket too full is given up at once.
 */
#include "jit/x86/lookup.h"

#include <string.h>

#define ONE_LEVEL_MAX   48
#define BITS_MIN        24
#define ONE_LEVEL_TRIES 400 /* one in nine succeeds where values are fullest */
#define BUCKET_TRIES    4096
#define FIRST_TRIES     8
#define MAX_MORE        3  /* doublings of the slots */
#define BUCKET_MAX      14 /* so many values fit into half empty slots by one try in 2^14 */

static uint32_t next_mult(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(z >> 32) | 1;
}

static uint64_t begin_with(const uint32_t *k, uint32_t n)
{
	uint64_t state = n;

	for (uint32_t i = 0; i < n; i++) {
		state = (state ^ k[i]) * 0xff51afd7ed558ccdu;
		state ^= state >> 32;
	}
	return state;
}

static uint32_t log2_above(uint32_t n)
{
	return n <= 1 ? 1 : 32 - (uint32_t)__builtin_clz(n - 1);
}

/* Values in the slots that nobody has: a member whose own slot is another. */
static void fill_empty(struct lookup *l, const uint8_t *used, const uint32_t *k, const uint32_t *at)
{
	for (uint32_t s = 0; s < l->n_slots; s++) {
		if (!used[s])
			l->slots[s] = at[0] != s ? k[0] : k[1];
	}
}

static int build_bits(struct lookup *l, const uint32_t *k, uint32_t n)
{
	l->kind = LOOKUP_BITS;
	l->n_slots = 65536 / 32;
	l->slots = calloc(l->n_slots, sizeof(*l->slots));
	if (l->slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (k[i] <= UINT16_MAX)
			l->slots[k[i] / 32] |= 1u << k[i] % 32;
	}
	return 0;
}

/* Return 1 when no multiplier was found. */
static int build_one_level(struct lookup *l, const uint32_t *k, uint32_t n)
{
	const uint32_t bits = log2_above(n * 8);
	npf_autofree uint8_t *used = malloc((size_t)1 << bits);
	uint32_t at[ONE_LEVEL_MAX];
	uint64_t state = begin_with(k, n);

	l->kind = LOOKUP_HASH;
	l->n_slots = 1u << bits;
	l->shift = 32 - bits;
	l->slots = malloc(l->n_slots * sizeof(*l->slots));
	if (used == NULL || l->slots == NULL)
		return -ENOMEM;
	for (unsigned int try = 0; try < ONE_LEVEL_TRIES; try++) {
		uint32_t i;

		l->steps += n;
		memset(used, 0, l->n_slots);
		l->mult = next_mult(&state);
		for (i = 0; i < n; i++) {
			at[i] = k[i] * l->mult >> l->shift;
			if (used[at[i]]++ != 0)
				break;
			l->slots[at[i]] = k[i];
		}
		if (i == n) {
			fill_empty(l, used, k, at);
			return 0;
		}
	}
	free(l->slots);
	l->slots = NULL;
	return 1;
}

struct bucket {
	uint32_t first; /* in the sorted values */
	uint32_t n;
	uint32_t number;
};

static int fullest_first(const void *a, const void *b)
{
	const struct bucket *x = a;
	const struct bucket *y = b;

	return x->n != y->n ? (x->n < y->n ? 1 : -1)
			    : (x->number > y->number) - (x->number < y->number);
}

/* Slots for the values of one bucket; false if no multiplier puts them into free ones. */
static bool place(struct lookup *l, const struct bucket *bk, const uint32_t *k, uint32_t *at,
	uint8_t *used, uint64_t *state)
{
	for (unsigned int try = 0; try < BUCKET_TRIES; try++) {
		const uint32_t mult = next_mult(state);
		uint32_t i;

		l->steps += bk->n;
		for (i = 0; i < bk->n; i++) {
			at[bk->first + i] = k[bk->first + i] * mult >> l->shift;
			if (used[at[bk->first + i]])
				break;
			used[at[bk->first + i]] = 1;
		}
		if (i == bk->n) {
			l->mults[bk->number] = mult;
			for (i = 0; i < bk->n; i++)
				l->slots[at[bk->first + i]] = k[bk->first + i];
			return true;
		}
		while (i-- > 0)
			used[at[bk->first + i]] = 0;
	}
	return false;
}

/* Return 1 when this first multiplier won't do. */
static int try_two_levels(struct lookup *l, const uint32_t *k, uint32_t n, uint64_t *state)
{
	npf_autofree struct bucket *buckets = calloc(l->n_mults, sizeof(*buckets));
	npf_autofree uint32_t *sorted = malloc(n * sizeof(*sorted));
	npf_autofree uint32_t *at = malloc(n * sizeof(*at));
	npf_autofree uint8_t *used = calloc(l->n_slots, 1);
	uint32_t first = 0;

	if (buckets == NULL || sorted == NULL || at == NULL || used == NULL)
		return -ENOMEM;
	l->mult = next_mult(state);
	l->steps += n;
	for (uint32_t i = 0; i < n; i++) {
		if (++buckets[k[i] * l->mult >> l->mult_shift].n > BUCKET_MAX)
			return 1;
	}
	for (uint32_t i = 0; i < l->n_mults; i++) {
		buckets[i].number = i;
		buckets[i].first = first;
		first += buckets[i].n;
		buckets[i].n = 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct bucket *bk = &buckets[k[i] * l->mult >> l->mult_shift];

		sorted[bk->first + bk->n++] = k[i];
	}
	qsort(buckets, l->n_mults, sizeof(*buckets), fullest_first);
	for (uint32_t i = 0; i < l->n_mults; i++) {
		if (buckets[i].n == 0)
			l->mults[buckets[i].number] = 1;
		else if (!place(l, &buckets[i], sorted, at, used, state))
			return 1;
	}
	fill_empty(l, used, sorted, at);
	return 0;
}

static int build_two_levels(struct lookup *l, const uint32_t *k, uint32_t n)
{
	uint64_t state = begin_with(k, n);
	int rc = 1;

	l->kind = LOOKUP_HASH2;
	/* More room after each failure; with distinct values it does not come to the end. */
	for (uint32_t more = 0; rc == 1 && more <= MAX_MORE; more++) {
		free(l->slots);
		free(l->mults);
		l->kind = LOOKUP_HASH2;
		l->n_slots = 1u << (log2_above(n * 2) + more);
		l->shift = 32 - (log2_above(n * 2) + more);
		l->n_mults = NPF_MAX(l->n_slots / 4, 2u);
		l->mult_shift = l->shift + (l->n_mults == 2 ? 31 - l->shift : 2);
		l->slots = malloc(l->n_slots * sizeof(*l->slots));
		l->mults = malloc(l->n_mults * sizeof(*l->mults));
		if (l->slots == NULL || l->mults == NULL)
			return -ENOMEM;
		for (unsigned int try = 0; try < FIRST_TRIES && rc == 1; try++)
			rc = try_two_levels(l, k, n, &state);
	}
	return rc == 1 ? -E2BIG : rc;
}

bool lookup_is_bitmap(uint32_t n, uint32_t max)
{
	return max <= UINT16_MAX && n >= BITS_MIN;
}

int lookup_build(struct lookup *l, const uint32_t *k, uint32_t n, uint32_t max)
{
	int rc = 1;

	*l = (struct lookup){0};
	if (lookup_is_bitmap(n, max))
		rc = build_bits(l, k, n);
	else if (n <= ONE_LEVEL_MAX)
		rc = build_one_level(l, k, n);
	if (rc == 1)
		rc = build_two_levels(l, k, n);
	if (rc < 0)
		lookup_fini(l);
	return rc;
}

void lookup_fini(struct lookup *l)
{
	free(l->slots);
	free(l->mults);
	*l = (struct lookup){0};
}
