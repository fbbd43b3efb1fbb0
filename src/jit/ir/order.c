/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * order.c - topological order and dominators of the DAG of blocks.
 *
 * Each takes one sweep, since there are no loops: the immediate dominator of a block is the nearest
 * common ancestor of its predecessors, in the tree of dominators built so far. With a list of hosts
 * one block has thousands of predecessors, each deeper in the tree than the one before. Jump
 * pointers (Myers' skew-binary scheme) keep each climb logarithmic.
 */
#include "jit/ir/ir.h"

#include <string.h>

/* The blocks that can be reached, in reverse postorder. f before t: t then comes right after its
 * branch. */
static int sort_blocks(struct ir_order *o, const struct ir *ir)
{
	const uint32_t n = ir->n_blocks;
	npf_autofree uint32_t *stack = malloc(n * sizeof(*stack));
	npf_autofree uint8_t *side = calloc(n, 1);
	uint32_t depth = 0;
	uint32_t left = n;

	if (stack == NULL || side == NULL)
		return -ENOMEM;
	stack[depth++] = ir->entry;
	side[ir->entry] = 1;
	while (depth > 0) {
		const uint32_t b = stack[depth - 1];
		const struct ir_block *bl = &ir->blocks[b];
		uint32_t to = 0;

		if (side[b] == 1 && bl->term == IR_BR)
			to = bl->f;
		else if (side[b] <= 2 && bl->term != IR_RET)
			to = bl->t;
		side[b] = (uint8_t)(to == 0 ? 4 : to == bl->t ? 3 : 2);
		if (to == 0) {
			depth--;
			o->block[--left] = b;
		} else if (side[to] == 0) {
			side[to] = 1;
			stack[depth++] = to;
		}
	}
	o->n = n - left;
	memmove(o->block, o->block + left, o->n * sizeof(*o->block));
	memset(o->pos, 0xff, n * sizeof(*o->pos));
	for (uint32_t i = 0; i < o->n; i++)
		o->pos[o->block[i]] = i;
	o->steps += 2 * (uint64_t)o->n;
	return 0;
}

/* Put b, whose immediate dominator is final, into the tree of dominators. */
static void add_to_tree(struct ir_order *o, uint32_t b)
{
	const uint32_t p = o->idom[b];
	const uint32_t q = o->jump[p];

	o->depth[b] = o->depth[p] + 1;
	o->jump[b] =
		o->depth[p] - o->depth[q] == o->depth[q] - o->depth[o->jump[q]] ? o->jump[q] : p;
}

/* The nearest common ancestor of two blocks in the tree. */
static uint32_t common_ancestor(struct ir_order *o, uint32_t x, uint32_t y)
{
	while (x != y) {
		o->steps++;
		if (o->depth[x] < o->depth[y]) {
			uint32_t swap = x;

			x = y;
			y = swap;
		}
		/* x is the deeper, or both are equally deep. */
		if (o->depth[x] > o->depth[y]) {
			x = o->depth[o->jump[x]] >= o->depth[y] ? o->jump[x] : o->idom[x];
		} else if (o->jump[x] != o->jump[y]) {
			x = o->jump[x];
			y = o->jump[y];
		} else {
			x = o->idom[x];
			y = o->idom[y];
		}
	}
	return x;
}

static void find_dominators(struct ir_order *o, const struct ir *ir)
{
	o->jump[ir->entry] = ir->entry;
	for (uint32_t i = 0; i < o->n; i++) {
		const uint32_t b = o->block[i];
		const struct ir_block *bl = &ir->blocks[b];
		const uint32_t to[2] = {bl->t, bl->f};
		const uint32_t n_to = bl->term == IR_BR ? 2 : bl->term == IR_JMP ? 1 : 0;

		/* All blocks that lead here come before: idom is final. */
		if (b != ir->entry)
			add_to_tree(o, b);
		for (uint32_t j = 0; j < n_to; j++) {
			const bool is_first = o->n_pred[to[j]]++ == 0;

			o->by_true[to[j]] = j == 0;
			o->idom[to[j]] = is_first ? b : common_ancestor(o, o->idom[to[j]], b);
		}
	}
}

int ir_order_init(struct ir_order *o, const struct ir *ir)
{
	const size_t n = ir->n_blocks;

	*o = (struct ir_order){
		.block = malloc(n * sizeof(uint32_t)),
		.pos = malloc(n * sizeof(uint32_t)),
		.n_pred = calloc(n, sizeof(uint32_t)),
		.by_true = calloc(n, sizeof(bool)),
		.idom = calloc(n, sizeof(uint32_t)),
		.depth = calloc(n, sizeof(uint32_t)),
		.jump = calloc(n, sizeof(uint32_t)),
	};
	if (o->block == NULL || o->pos == NULL || o->n_pred == NULL || o->by_true == NULL ||
		o->idom == NULL || o->depth == NULL || o->jump == NULL || sort_blocks(o, ir) < 0) {
		ir_order_fini(o);
		return -ENOMEM;
	}
	find_dominators(o, ir);
	return 0;
}

int ir_order_init_counted(struct ir_order *o, struct ir *ir)
{
	int rc = ir_order_init(o, ir);

	ir_spend(ir, o->steps);
	return rc;
}

void ir_order_fini(struct ir_order *o)
{
	free(o->block);
	free(o->pos);
	free(o->n_pred);
	free(o->by_true);
	free(o->idom);
	free(o->depth);
	free(o->jump);
	*o = (struct ir_order){0};
}

bool ir_dominates(const struct ir_order *o, uint32_t a, uint32_t b)
{
	while (o->depth[b] > o->depth[a])
		b = o->depth[o->jump[b]] >= o->depth[a] ? o->jump[b] : o->idom[b];
	return a == b;
}
