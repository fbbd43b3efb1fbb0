/* SPDX-License-Identifier: BSD-3-Clause */
/* exchange.c - see exchange.h. */
#include "base/exchange.h"

#include <time.h>

#define LOOK_NS 10000 /* between two looks: a round of the user takes about as long */

void npf_exchange_wait(const struct npf_exchange *x)
{
	/* X2 */
	while (atomic_load_explicit(&x->in_use, memory_order_acquire) != npf_exchange_offered(x))
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}
