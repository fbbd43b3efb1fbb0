/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * budget.h - the time of a tap lcore that one user's sessions, dumps and monitors may take.
 *
 * What his filters and copies take is paid for by time, at his share of the lcore. When he owes
 * more than he had saved, and the lcore does not keep up with the port, his sessions get no
 * packets; these are counted. Of one burst nobody takes more than NPF_TAP_BURST_US, and who owes
 * time takes none once all have spent that, so that others, and new plans, come to their turn. A
 * lcore whose bursts take that long receives fewer packets at a time, so that none is lost to this.
 *
 * The kernel may take the CPU away from a lcore in the middle of it all: no piece of work is
 * charged more than NPF_TAP_PIECE_US, which a user has saved, if he takes little. Of a burst what
 * took longer is not counted as his.
 *
 * Belongs to the lcore. Times are TSC cycles.
 */
#ifndef NPF_ENGINE_DATAPATH_BUDGET_H
#define NPF_ENGINE_DATAPATH_BUDGET_H

#include "base/base.h"

#include <stdatomic.h>

#define NPF_TAP_BURST_US 1000 /* of one burst */
#define NPF_TAP_PIECE_US 400  /* the longest filter takes no more for NPF_TAP_PIECE packets */
#define NPF_TAP_SAVED_US 800  /* of his time, by a user who takes nothing for long enough */
#define NPF_TAP_DEAR_US  2    /* a packet: who takes more is given one packet at a time */
#define NPF_TAP_PIECE    4u   /* packets at a time, of who is not dear: the next may be */
#define NPF_TAP_WHOLE    256u /* a share: all of the lcore */

/* One user's, on one lcore. */
struct npf_tap_budget {
	uint64_t paid_until;
	uint64_t turn, in_turn; /* which turn, and what he took in it */
	_Atomic uint64_t spent; /* ever; the lcore stores */
	/* More was done for him, with what is done for all, than he may have; the lcore stores. */
	_Atomic bool is_overdrawn;
} __attribute__((aligned(NPF_CACHELINE)));

/* A lcore's turn with a burst: what holds for all budgets. */
struct npf_tap_turn {
	uint64_t burst, piece, saved, dear;
	uint64_t number;
	uint64_t spent;        /* of the burst, by those who have a budget */
	unsigned int in_a_row; /* packets, of full bursts one after the other */
	bool is_pressed;       /* these would fill the largest burst: more is waiting */
};

static inline void npf_tap_turn_init(struct npf_tap_turn *t, uint64_t tsc_hz)
{
	const uint64_t us = tsc_hz / 1000000;

	*t = (struct npf_tap_turn){.burst = NPF_TAP_BURST_US * us,
		.piece = NPF_TAP_PIECE_US * us,
		.saved = NPF_TAP_SAVED_US * us,
		.dear = NPF_TAP_DEAR_US * us};
}

static inline void npf_tap_turn_begin(struct npf_tap_turn *t, bool is_pressed)
{
	t->number++;
	t->spent = 0;
	t->is_pressed = is_pressed;
}

/* A turn with n packets, where up to `size` were asked for, of `most`. */
static inline void npf_tap_turn_receive(
	struct npf_tap_turn *t, unsigned int n, unsigned int size, unsigned int most)
{
	t->in_a_row = n >= size ? NPF_MIN(t->in_a_row + n, most) : 0;
	npf_tap_turn_begin(t, t->in_a_row >= most);
}

/* Most packets to receive for the next turn, where it was so many for the last one. Vector drivers
 * give nothing to who asks for less than NPF_TAP_PIECE. */
static inline unsigned int npf_tap_turn_size(
	const struct npf_tap_turn *t, unsigned int last, unsigned int most)
{
	if (t->spent > t->burst / 2)
		return NPF_MAX(last / 2, NPF_TAP_PIECE);
	return t->spent < t->burst / 8 ? NPF_MIN(last * 2, most) : last;
}

/* What he has saved is no more than that much. */
static inline void npf_tap_budget_trim(
	struct npf_tap_budget *b, const struct npf_tap_turn *t, unsigned int share, uint64_t now)
{
	b->paid_until = NPF_MAX(b->paid_until, now - t->saved * NPF_TAP_WHOLE / share);
}

/*
 * npf_tap_budget_allows - may the user take some time now?
 * @share: of NPF_TAP_WHOLE
 */
static inline bool npf_tap_budget_allows(
	struct npf_tap_budget *b, const struct npf_tap_turn *t, unsigned int share, uint64_t now)
{
	npf_tap_budget_trim(b, t, share, now);
	if (b->turn != t->number) {
		b->turn = t->number;
		b->in_turn = 0;
	}
	return b->in_turn <= t->burst &&
	       (b->paid_until < now || (!t->is_pressed && t->spent <= t->burst));
}

/* Context: any thread. */
static inline uint64_t npf_tap_budget_spent(const struct npf_tap_budget *b)
{
	return atomic_load_explicit(&b->spent, memory_order_relaxed);
}

static inline void npf_tap_budget_charge(
	struct npf_tap_budget *b, unsigned int share, uint64_t cycles)
{
	b->paid_until += cycles * NPF_TAP_WHOLE / share;
	atomic_store_explicit(&b->spent, npf_tap_budget_spent(b) + cycles, memory_order_relaxed);
}

/*
 * npf_tap_budget_share - a part of what was done for several users at once, whether they had time
 * left or not. Who owes as much as he can save, on a lcore that does not keep up, is overdrawn from
 * then on: nothing more should be done for him together with others.
 */
static inline void npf_tap_budget_share(struct npf_tap_budget *b, const struct npf_tap_turn *t,
	unsigned int share, uint64_t cycles, uint64_t now)
{
	npf_tap_budget_trim(b, t, share, now);
	npf_tap_budget_charge(b, share, cycles);
	if (t->is_pressed && b->paid_until > now + t->saved * NPF_TAP_WHOLE / share)
		atomic_store_explicit(&b->is_overdrawn, true, memory_order_relaxed);
}

/* Context: any thread. */
static inline bool npf_tap_budget_is_overdrawn(const struct npf_tap_budget *b)
{
	return atomic_load_explicit(&b->is_overdrawn, memory_order_relaxed);
}

/*
 * npf_tap_budget_pay - so many packets took so long.
 * Return: are they cheap?
 */
static inline bool npf_tap_budget_pay(struct npf_tap_budget *b, struct npf_tap_turn *t,
	unsigned int share, uint64_t took, unsigned int n)
{
	uint64_t charged = NPF_MIN(took, t->piece);

	npf_tap_budget_charge(b, share, charged);
	if (took <= t->piece)
		b->in_turn += took;
	t->spent += charged;
	return took <= t->dear * n;
}

#endif
