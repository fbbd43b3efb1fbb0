/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * values.h - the values that one field takes from packet to packet.
 *
 * A value is a pure function of the packet's index: packet i of a stream carries the same value
 * however many queues share the stream and in whatever bursts it leaves. Spelling:
 *
 *     7              always 7
 *     1-9            1, 2, ... 9, 1, ...; 9-1 steps down
 *     1-9+2          step 2
 *     1-9@4          starts at 4
 *     1|5|7          a list, in turn; an item may be weighted: 64x7|594x4
 *     10.0.0.0/24    all addresses of a prefix, in turn (addresses only)
 *     random         seeded, uniform over what makes sense for the field; random:1-9 over a range
 *
 * No DPDK, no division per packet.
 */
#ifndef NPF_TXGEN_PACKET_VALUES_H
#define NPF_TXGEN_PACKET_VALUES_H

#include "base/error.h"

#define NPF_TXGEN_VALUES_LIST_MAX 4096

enum npf_txgen_values_kind {
	NPF_TXGEN_VALUES_CONST,
	NPF_TXGEN_VALUES_RANGE,
	NPF_TXGEN_VALUES_LIST,
	NPF_TXGEN_VALUES_RANDOM,
};

struct npf_txgen_values {
	enum npf_txgen_values_kind kind;
	uint64_t first; /* the constant; value of index 0 of a range; least random value */
	uint64_t step;  /* range: added per index, two's complement when it steps down */
	uint64_t count; /* how many values; 0 with RANDOM: all 2^64 */
	uint64_t start; /* range: index of packet 0 */
	uint64_t seed;  /* random */
	uint64_t *list; /* LIST: count values, heap; owned */
};

/* How the scalars of a field are spelt, and what `random` draws from. */
enum npf_txgen_scalar {
	NPF_TXGEN_SCALAR_UINT,
	NPF_TXGEN_SCALAR_MAC,
	NPF_TXGEN_SCALAR_IP4,
	NPF_TXGEN_SCALAR_IP6,   /* 128 bits; the low 64 can vary */
	NPF_TXGEN_SCALAR_FLAGS, /* TCP flags: letters FSRPAUEC, or a number */
};

struct npf_txgen_values_rule {
	enum npf_txgen_scalar scalar;
	uint64_t max; /* largest value allowed */
	uint64_t random_min;
	uint64_t random_max;
};

/*
 * npf_txgen_values_parse - read the spelling above.
 * @high:  IP6 only: set to the upper 64 bits, which all values share; else may be NULL
 * @err:   on failure what is wrong
 * Owns:   *v is the caller's, ended by npf_txgen_values_fini(); untouched on failure.
 * Return: 0 or -EINVAL, -ERANGE (a value above rule->max), -ENOMEM.
 */
int npf_txgen_values_parse(const char *text, const struct npf_txgen_values_rule *rule,
	struct npf_txgen_values *v, uint64_t *high, struct npf_error *err);
void npf_txgen_values_fini(struct npf_txgen_values *v);
int npf_txgen_values_copy(const struct npf_txgen_values *from, struct npf_txgen_values *to);

void npf_txgen_values_const(struct npf_txgen_values *v, uint64_t value);

/* The value that packet i carries. For tests and set-up: divides. */
uint64_t npf_txgen_values_at(const struct npf_txgen_values *v, uint64_t i);
uint64_t npf_txgen_values_min(const struct npf_txgen_values *v);
uint64_t npf_txgen_values_max(const struct npf_txgen_values *v);

static inline bool npf_txgen_values_vary(const struct npf_txgen_values *v)
{
	return v->kind != NPF_TXGEN_VALUES_CONST;
}

/* Well-mixed 64 bits of a counter that goes up by NPF_TXGEN_MIX_STEP: both halves of one long
 * multiplication, as wyrand has it. */
static inline uint64_t npf_txgen_mix64(uint64_t x)
{
	unsigned __int128 m = (unsigned __int128)x * (x ^ 0xe7037ed1a0b428dbull);

	return (uint64_t)(m >> 64) ^ (uint64_t)m;
}

#define NPF_TXGEN_MIX_STEP 0xa0761d6478bd642full

/* x, uniform over 2^64, scaled to 0..count-1 without a division; count 0 means 2^64. */
static inline uint64_t npf_txgen_scale64(uint64_t x, uint64_t count)
{
	return count > 0 ? (uint64_t)(((unsigned __int128)x * count) >> 64) : x;
}

/* A position in the values, which advances by a fixed stride. */
struct npf_txgen_cursor {
	enum npf_txgen_values_kind kind;
	uint64_t index;  /* range, list: < count. random: seed + i * NPF_TXGEN_MIX_STEP */
	uint64_t stride; /* added per packet: < count, or a multiple of NPF_TXGEN_MIX_STEP */
	uint64_t count;
	uint64_t first;
	uint64_t step;
	const uint64_t *list; /* the values', not owned */
};

/* Start at packet @at, advance by @stride packets. Lifetime: not beyond v's. */
void npf_txgen_cursor_init(
	struct npf_txgen_cursor *c, const struct npf_txgen_values *v, uint64_t at, uint64_t stride);

/* Advance by n packets instead of the stride. Divides: once per cycle of a sequence at most. */
void npf_txgen_cursor_skip(struct npf_txgen_cursor *c, uint64_t n);

/* The value here, then step. */
static inline uint64_t npf_txgen_cursor_next(struct npf_txgen_cursor *c)
{
	uint64_t i = c->index, next = i + c->stride;

	switch (c->kind) {
	case NPF_TXGEN_VALUES_CONST:
		return c->first;
	case NPF_TXGEN_VALUES_RANDOM:
		c->index = next;
		return c->first + npf_txgen_scale64(npf_txgen_mix64(i), c->count);
	case NPF_TXGEN_VALUES_RANGE:
		c->index = next >= c->count ? next - c->count : next;
		return c->first + i * c->step;
	default:
		c->index = next >= c->count ? next - c->count : next;
		return c->list[i];
	}
}

#endif
