/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adapt.c - logic or branches? Ask the traffic.
 *
 * On mixed traffic a filter without branches is two or three times as fast as one with; where one
 * packet is like the next every branch is predicted, and the branching form, which stops at the
 * first decisive test, is twice as fast as the other. No compiler can know, so both forms are
 * kept (a few hundred bytes) and one burst in some hundred is run in parts by both, timed. Both
 * give the same results, so only time is at stake; a wrong guess lasts for some thousand bursts.
 *
 * What is learnt is kept in the filter, shared by its threads, in relaxed atomics that are only
 * written when measuring: the line stays in all caches. Which burst to measure is drawn from a
 * sequence per thread, since a shared counter would cost more than it gains.
 */
#include "jit/filter.h"

#define SMOOTH 8 /* a new measurement counts for one part in this */

bool adapt_is_due(void)
{
	static _Thread_local uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	return state >> 23 == 0;
}

#ifdef __x86_64__
static uint64_t cycles(void)
{
	return __builtin_ia32_rdtsc();
}
#else
static uint64_t cycles(void)
{
	return 0;
}
#endif

static void learn(struct adapt *a, uint32_t form, uint64_t spent, uint32_t n)
{
	const uint32_t old = atomic_load_explicit(&a->cost[form], memory_order_relaxed);
	uint64_t cost = NPF_MAX(spent * 16 / n, (uint64_t)1);

	if (old != 0) {
		/* An interrupt in the middle says nothing about the form. */
		cost = NPF_MIN(cost, 4 * (uint64_t)old);
		cost = (old * (uint64_t)(SMOOTH - 1) + cost) / SMOOTH;
	}
	atomic_store_explicit(&a->cost[form],
		(uint32_t)NPF_MIN(NPF_MAX(cost, (uint64_t)1), (uint64_t)UINT32_MAX / 4),
		memory_order_relaxed);
}

void adapt_run(struct npf_filter *f, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	struct adapt *a = &f->adapt;
	const uint32_t now = atomic_load_explicit(&a->preferred, memory_order_relaxed);
	const uint32_t other = now ^ 1;
	const uint32_t part = n / 4;
	uint32_t cost[FORM_MAX];
	uint64_t t[3];

	/* A quarter to get the other form into the caches and predictors, then a quarter timed. */
	f->form[other](pkts, caplens, results, lens, part);
	t[0] = cycles();
	f->form[other](pkts + part, caplens + part, results + part, lens + part, part);
	t[1] = cycles();
	f->form[now](pkts + 2 * part, caplens + 2 * part, results + 2 * part, lens + 2 * part,
		n - 2 * part);
	t[2] = cycles();
	learn(a, other, t[1] - t[0], part);
	learn(a, now, t[2] - t[1], n - 2 * part);
	for (uint32_t i = 0; i < FORM_MAX; i++)
		cost[i] = atomic_load_explicit(&a->cost[i], memory_order_relaxed);
	if ((uint64_t)cost[other] * 10 < (uint64_t)cost[now] * 9)
		atomic_store_explicit(&a->preferred, other, memory_order_relaxed);
}
