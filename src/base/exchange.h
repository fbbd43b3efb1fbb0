/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exchange.h - handing an immutable object to a thread that never waits, and learning when it has
 * done with the one before.
 *
 * The user takes the object anew at the top of each round. Orders: what was written into an object
 * is seen by who takes it (X1); all use of the object before is over when npf_exchange_wait()
 * returns, so that may be freed (X2).
 */
#ifndef NPF_BASE_EXCHANGE_H
#define NPF_BASE_EXCHANGE_H

#include "base/base.h"

#include <stdatomic.h>

struct npf_exchange {
	_Atomic(void *) offered; /* the owner stores: X1 */
	_Atomic(void *) in_use;  /* the user stores: X2 */
};

static inline void npf_exchange_init(struct npf_exchange *x, void *first)
{
	atomic_init(&x->offered, first);
	atomic_init(&x->in_use, first);
}

/* What is there to be used: to be accepted once nothing else is used any more. Context: the user;
 * wait-free. */
static inline void *npf_exchange_look(const struct npf_exchange *x)
{
	/* X1: acquire, pairs with the release in npf_exchange_offer(). */
	return atomic_load_explicit(&x->offered, memory_order_acquire);
}

/* The user uses it from now on, and what it used before no longer. */
static inline void npf_exchange_accept(struct npf_exchange *x, void *next)
{
	/* X2: release, pairs with the acquire in npf_exchange_wait(). */
	atomic_store_explicit(&x->in_use, next, memory_order_release);
}

/* What to use in this round. Context: the user; wait-free. */
static inline void *npf_exchange_take(struct npf_exchange *x)
{
	void *now = npf_exchange_look(x);

	if (atomic_load_explicit(&x->in_use, memory_order_relaxed) != now)
		npf_exchange_accept(x, now);
	return now;
}

/* What was offered last. Context: the owner. */
static inline void *npf_exchange_offered(const struct npf_exchange *x)
{
	return atomic_load_explicit(&x->offered, memory_order_relaxed);
}

/* Offer another object. The user may have to be woken; then comes npf_exchange_wait(). */
static inline void npf_exchange_offer(struct npf_exchange *x, void *next)
{
	atomic_store_explicit(&x->offered, next, memory_order_release); /* X1 */
}

/* Wait until the user has taken what was offered last. Context: the owner. */
void npf_exchange_wait(const struct npf_exchange *x);

#endif
