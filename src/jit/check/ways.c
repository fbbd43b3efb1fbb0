/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ways.c - what is known on all ways to a block.
 *
 * Values do not change, so what an edge's predicate says holds for all that comes behind the edge.
 * A question about a block is answered when each way back to the entry passes an edge that answers
 * it. All blocks which that search visits have the answer, and so has what they dominate. The first
 * of them is kept by value, so that a list of thousands of loads asks once. Searches have a budget:
 * beyond it nothing is shown.
 *
 * The tree of dominators was computed elsewhere and is a claim: it is true if the parent of each
 * block is an ancestor of, or equal to, each block that leads there. That is one look at an edge.
 */
#include "jit/check/check_priv.h"

static unsigned int count_sides(const struct ir_block *bl)
{
	return bl->term == IR_BR ? 2 : bl->term == IR_JMP ? 1 : 0;
}

static uint32_t side_of(const struct ir_block *bl, unsigned int side)
{
	return side == 0 ? bl->t : bl->f;
}

/* Places in the order; each edge has to go forward. */
static int number_blocks(struct checker *c)
{
	const struct ir_order *o = &c->s->order;

	for (uint32_t b = 0; b < c->ir->n_blocks; b++)
		c->pos[b] = UINT32_MAX;
	if (o->n == 0 || o->block[0] != c->ir->entry)
		return -EFAULT;
	for (uint32_t i = 0; i < o->n; i++) {
		const uint32_t b = o->block[i];

		if (b == 0 || b >= c->ir->n_blocks || c->pos[b] != UINT32_MAX)
			return -EFAULT;
		c->pos[b] = i;
	}
	for (uint32_t i = 0; i < o->n; i++) {
		const uint32_t b = o->block[i];
		const struct ir_block *bl = &c->ir->blocks[b];

		for (unsigned int side = 0; side < count_sides(bl); side++) {
			const uint32_t to = side_of(bl, side);

			if (to >= c->ir->n_blocks || c->pos[to] == UINT32_MAX || c->pos[to] <= i)
				return -EFAULT;
			c->next_in[2 * b + side] = c->in[to];
			c->in[to] = 2 * b + side;
		}
	}
	return 0;
}

/* Number the tree of dominators: what b dominates has the numbers first[b] to end[b] - 1. */
static int number_tree(struct checker *c)
{
	const struct ir_order *o = &c->s->order;
	uint32_t *size = c->end, *next = c->stack;

	for (uint32_t i = o->n; i-- > 0;) {
		const uint32_t b = o->block[i];
		const uint32_t parent = o->idom[b];

		size[b]++;
		if (i == 0)
			break;
		if (parent >= c->ir->n_blocks || c->pos[parent] >= i)
			return -EFAULT;
		size[parent] += size[b];
	}
	next[c->ir->entry] = 1;
	for (uint32_t i = 1; i < o->n; i++) {
		const uint32_t b = o->block[i];
		const uint32_t parent = o->idom[b];

		c->first[b] = next[parent];
		next[parent] += size[b];
		next[b] = c->first[b] + 1;
		c->end[b] = c->first[b] + size[b];
	}
	return 0;
}

bool check_dominates(const struct checker *c, uint32_t a, uint32_t b)
{
	return c->first[a] <= c->first[b] && c->first[b] < c->end[a];
}

/* Each edge agrees with the tree, and carries the least length on. */
static int follow_edges(struct checker *c)
{
	const struct ir_order *o = &c->s->order;

	for (uint32_t i = 1; i < o->n; i++)
		c->least[o->block[i]] = UINT32_MAX;
	for (uint32_t i = 0; i < o->n; i++) {
		const uint32_t b = o->block[i];
		const struct ir_block *bl = &c->ir->blocks[b];

		for (unsigned int side = 0; side < count_sides(bl); side++) {
			const uint32_t to = side_of(bl, side);
			uint32_t least = c->least[b];

			if (!check_dominates(c, o->idom[to], b))
				return -EFAULT;
			if (bl->term == IR_BR)
				least = NPF_MAX(least,
					check_least_length(c, bl->v, side == 0, CHECK_DEPTH / 4));
			c->least[to] = NPF_MIN(c->least[to], least);
		}
	}
	return 0;
}

int check_order(struct checker *c)
{
	int rc = number_blocks(c);

	if (rc == 0)
		rc = number_tree(c);
	return rc == 0 ? follow_edges(c) : rc;
}

/* Does the edge's own predicate answer the question? */
static bool is_answered_by(const struct checker *c, uint32_t edge, const struct question *q)
{
	const struct ir_block *bl = &c->ir->blocks[edge / 2];

	return bl->term == IR_BR && check_implies(c, bl->v, edge % 2 == 0, q, CHECK_DEPTH / 4);
}

/* Is the question answered on each way to b? *topp: the first block of those ways. */
static bool search_back(struct checker *c, const struct question *q, uint32_t b, uint32_t *topp)
{
	uint32_t depth = 0;

	*topp = b;
	c->stack[depth++] = b;
	c->visited[b] = ++c->search;
	while (depth > 0) {
		const uint32_t at = c->stack[--depth];

		if (at == c->ir->entry)
			return false;
		if (c->pos[at] < c->pos[*topp])
			*topp = at;
		for (uint32_t e = c->in[at]; e != 0; e = c->next_in[e]) {
			if (c->budget-- == 0) {
				c->budget = 0;
				return false;
			}
			ir_spend(c->ir, 1);
			if (c->visited[e / 2] == c->search || is_answered_by(c, e, q))
				continue;
			c->visited[e / 2] = c->search;
			c->stack[depth++] = e / 2;
		}
	}
	return true;
}

/* A choice is in range if each value is when it is the one chosen. */
static bool is_choice_in_range(
	struct checker *c, const struct ir_val *val, uint64_t n, uint32_t b, unsigned int depth)
{
	const uint32_t chosen[2] = {val->b, val->c};

	for (unsigned int i = 0; i < 2; i++) {
		const struct question q = {.v = chosen[i], .n = n};

		if (!check_implies(c, val->a, i == 0, &q, CHECK_DEPTH / 4) &&
			!check_in_range(c, chosen[i], n, b, depth - 1))
			return false;
	}
	return true;
}

/* x & y is 0 where y is, and nowhere above x: a choice between x and 0, as folding leaves it. */
static bool is_masked_in_range(
	const struct checker *c, const struct ir_val *val, uint64_t n, uint32_t b)
{
	const struct question a = {.v = val->a, .n = n};
	const struct question other = {.v = val->b, .n = n};

	return n <= c->least[b] && (check_implies(c, val->b, true, &a, CHECK_DEPTH / 4) ||
					   check_implies(c, val->a, true, &other, CHECK_DEPTH / 4));
}

bool check_in_range(struct checker *c, uint32_t v, uint64_t n, uint32_t b, unsigned int depth)
{
	const struct question q = {.v = v, .n = n};
	const struct ir_val *val = &c->ir->vals[v];
	const struct reach *known = &c->proven[v];
	uint32_t top;

	if ((v == 0 ? 0 : c->most[v]) + n <= c->least[b])
		return true;
	if (v == 0 || val->op == IR_CONST || depth == 0)
		return false;
	if (known->n >= n && check_dominates(c, known->block, b))
		return true;
	if (val->op == IR_SEL)
		return is_choice_in_range(c, val, n, b, depth);
	if (val->op == IR_AND && is_masked_in_range(c, val, n, b))
		return true;
	if (!search_back(c, &q, b, &top))
		return false;
	if (!check_dominates(c, top, b))
		top = b;
	if (n >= known->n)
		c->proven[v] = (struct reach){top, n};
	return true;
}

bool check_not_zero(struct checker *c, uint32_t v, uint32_t b)
{
	const struct question q = {.v = v, .mask = UINT32_MAX};
	const struct ir_val *val = &c->ir->vals[v];
	uint32_t top;

	return val->op == IR_CONST ? val->k != 0 : v != 0 && search_back(c, &q, b, &top);
}
