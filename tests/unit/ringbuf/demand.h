/* SPDX-License-Identifier: BSD-3-Clause */
/* demand.h - what the ring's tests share that cmocka runs, and those that run by themselves. */
#ifndef TESTS_UNIT_RINGBUF_DEMAND_H
#define TESTS_UNIT_RINGBUF_DEMAND_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* An assertion that any process and thread can make. */
#define DEMAND(what)                                                                               \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A deterministic generator (xorshift64*); state is never 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

#endif
