/* SPDX-License-Identifier: BSD-3-Clause */
/* check_priv.h - shared by the files of the check: what is known about values and blocks. */
#ifndef NPF_JIT_CHECK_CHECK_PRIV_H
#define NPF_JIT_CHECK_CHECK_PRIV_H

#include "jit/check/check.h"

/* From `block` on, and in all that it dominates, the packet has n bytes behind the value. */
struct reach {
	uint32_t block;
	uint64_t n;
};

struct checker {
	struct ir *ir;
	const struct sched *s;
	uint32_t n_regs;
	uint32_t *most;        /* by value: it is no greater */
	uint32_t *pos;         /* by block: its place in the order, ~0: not in it */
	uint32_t *first, *end; /* by block: its part of a walk through the tree of dominators */
	uint32_t *least;       /* by block: bytes that a packet which comes there has */
	uint32_t *in;          /* by block: an edge that leads there, 0 for none */
	uint32_t *next_in;     /* by edge: another edge to the same block */
	uint32_t *visited;     /* by block: the search that came there */
	uint32_t *stack;       /* blocks whose ways in are still to be searched */
	uint32_t search;
	uint64_t budget;      /* blocks that may still be visited */
	struct reach *proven; /* by value */
};

/* What has to be known. */
struct question {
	uint32_t v;
	uint64_t n; /* the packet has n bytes behind v; 0: v has one of the bits of the mask */
	uint32_t mask;
};

/* ---- values.c: what a value says by itself ---- */

/* Return: 0; -EFAULT: a value is made of a later one. */
int check_bound_values(struct checker *c);
/* Bytes that a packet has if predicate v is `truth`. */
uint32_t check_least_length(const struct checker *c, uint32_t v, bool truth, unsigned int depth);
/* Does `v != 0` being `truth` answer the question? */
bool check_implies(const struct checker *c, uint32_t v, bool truth, const struct question *q,
	unsigned int depth);

/* ---- ways.c: what the ways to a block say ---- */

#define CHECK_DEPTH 24

/* Tables of the program's blocks. Return: 0; -EFAULT: they are not in order. */
int check_order(struct checker *c);
bool check_dominates(const struct checker *c, uint32_t a, uint32_t b);
/* Has the packet n bytes behind v, whenever block b is reached? v = 0: from its beginning on. */
bool check_in_range(struct checker *c, uint32_t v, uint64_t n, uint32_t b, unsigned int depth);
bool check_not_zero(struct checker *c, uint32_t v, uint32_t b);

#endif
