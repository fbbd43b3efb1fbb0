/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * budget.h - the time of a tap lcore that one user's sessions, dumps and monitors may take.
 *
 * What his filters and copies take is paid for by time, at his share of the lcore. Until it is paid
 * his sessions get no packets; these are counted. Of one burst all users who have a share take no
 * more than NPF_TAP_BURST_US together, so that others, and new plans, come to their turn.
 *
 * Belongs to the lcore. Times are TSC cycles.
 */
#ifndef NPF_ENGINE_DATAPATH_BUDGET_H
#define NPF_ENGINE_DATAPATH_BUDGET_H

#include "base/base.h"

#define NPF_TAP_BURST_US 1000 /* of one burst */
#define NPF_TAP_SAVED_US 200  /* of time in which a user took nothing and that he has left */
#define NPF_TAP_DEAR_US  2    /* a packet: who takes more is given one packet at a time */
#define NPF_TAP_WHOLE    256u /* a share: all of the lcore */

/* One user's, on one lcore. */
struct npf_tap_budget {
	uint64_t paid_until;
} __attribute__((aligned(NPF_CACHELINE)));

/* A lcore's turn with a burst: what holds for all budgets. */
struct npf_tap_turn {
	uint64_t burst, saved, dear;
	uint64_t begun;
};

static inline void npf_tap_turn_init(struct npf_tap_turn *t, uint64_t tsc_hz)
{
	const uint64_t us = tsc_hz / 1000000;

	*t = (struct npf_tap_turn){.burst = NPF_TAP_BURST_US * us,
		.saved = NPF_TAP_SAVED_US * us,
		.dear = NPF_TAP_DEAR_US * us};
}

/* May the user take some time now? */
static inline bool npf_tap_budget_allows(
	struct npf_tap_budget *b, const struct npf_tap_turn *t, uint64_t now)
{
	b->paid_until = NPF_MAX(b->paid_until, now - t->saved);
	return b->paid_until < now && now - t->begun <= t->burst;
}

/*
 * npf_tap_budget_pay - so many packets took from begun to end.
 * @share: of NPF_TAP_WHOLE
 * Return: are they cheap?
 */
static inline bool npf_tap_budget_pay(struct npf_tap_budget *b, const struct npf_tap_turn *t,
	unsigned int share, uint64_t begun, uint64_t end, unsigned int n)
{
	b->paid_until += (end - begun) * NPF_TAP_WHOLE / share;
	return end - begun <= t->dear * n;
}

#endif
