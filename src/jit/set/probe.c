/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.c - the table in which a column's values are looked up.
 *
 * Open addressing with a multiplicative hash. Constants are those of people who may want them to
 * collide, so multipliers are drawn at random, and the one that needs the fewest slots to be
 * looked at is taken. Few constants get room enough that one slot is likely to do.
 */
#include "jit/set/builder.h"

#include <string.h>

#define TRIES     64
#define FEW       256 /* up to so many constants a table may be larger than need be */
#define MAX_BITS  18
#define MAX_STEPS 64

static int by_constant(const void *a, const void *b)
{
	const struct set_pair *x = a;
	const struct set_pair *y = b;

	if (x->k != y->k)
		return x->k < y->k ? -1 : 1;
	return x->plane < y->plane ? -1 : x->plane > y->plane;
}

/* Put the constants, whose numbers are 1 to n, into slots. Return: slots to look at; 0: too many.
 */
static uint32_t fill(const struct set_probe *pr, const uint32_t *constant, uint32_t n)
{
	uint32_t steps = 1;

	memset(pr->which, 0, pr->n_slots * sizeof(*pr->which));
	memset(pr->keys, 0xff, pr->n_slots * sizeof(*pr->keys));
	for (uint32_t i = 1; i <= n; i++) {
		const uint32_t home = constant[i] * pr->mul >> pr->shift;
		uint32_t d = 0;

		while (d < MAX_STEPS && pr->which[home + d] != 0)
			d++;
		if (d == MAX_STEPS)
			return 0;
		pr->which[home + d] = i;
		pr->keys[home + d] = constant[i];
		steps = NPF_MAX(steps, d + 1);
	}
	return steps;
}

/* The best multiplier of some tries for a table of that many bits. Return: 0, -ENOMEM, -EAGAIN. */
static int try_size(
	struct set_probe *pr, uint32_t bits, const uint32_t *constant, uint32_t n, uint64_t *key)
{
	uint32_t best = 0, best_steps = 0;

	free(pr->keys);
	free(pr->which);
	pr->shift = 32 - bits;
	pr->n_slots = (1u << bits) + MAX_STEPS;
	pr->keys = malloc(pr->n_slots * sizeof(*pr->keys));
	pr->which = malloc(pr->n_slots * sizeof(*pr->which));
	if (pr->keys == NULL || pr->which == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < TRIES && best_steps != 1; i++) {
		uint32_t steps;

		*key = finder_mix(*key, i + 1);
		pr->mul = *key >> 32 | 1;
		steps = fill(pr, constant, n);
		if (steps != 0 && (best_steps == 0 || steps < best_steps)) {
			best = pr->mul;
			best_steps = steps;
		}
	}
	if (best_steps == 0)
		return -EAGAIN;
	pr->mul = best;
	pr->n_steps = fill(pr, constant, n);
	return 0;
}

static int fill_targets(
	struct set_probe *pr, const struct set_pair *pairs, uint32_t n, uint32_t *constant)
{
	uint32_t n_constants = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || pairs[i].k != pairs[i - 1].k) {
			constant[++n_constants] = pairs[i].k;
			pr->first[n_constants] = i;
		}
		pr->target[i] = pairs[i].plane;
	}
	pr->first[n_constants + 1] = n;
	return n_constants;
}

int set_probe_init(struct set_probe *pr, struct set_pair *pairs, uint32_t n, uint64_t key)
{
	npf_autofree uint32_t *constant = malloc((n + 1) * sizeof(*constant));
	uint32_t n_constants, least, most;
	int rc = -EAGAIN;

	pr->first = calloc(n + 2, sizeof(*pr->first));
	pr->target = malloc(n * sizeof(*pr->target));
	if (constant == NULL || pr->first == NULL || pr->target == NULL)
		return -ENOMEM;
	qsort(pairs, n, sizeof(*pairs), by_constant);
	n_constants = fill_targets(pr, pairs, n, constant);
	least = 34 - __builtin_clz(n_constants); /* four to eight slots a constant */
	most = n_constants <= FEW ? least + 1 : least;
	for (uint32_t bits = least; rc != -ENOMEM && bits <= MAX_BITS; bits++) {
		rc = try_size(pr, bits, constant, n_constants, &key);
		if (rc == 0 && (pr->n_steps == 1 || bits >= most))
			break;
	}
	/* Random multipliers do not fail over and over: there are other reasons for trouble. */
	return rc == -EAGAIN ? -ENOMEM : rc;
}

void set_probe_fini(struct set_probe *pr)
{
	free(pr->keys);
	free(pr->which);
	free(pr->first);
	free(pr->target);
}
