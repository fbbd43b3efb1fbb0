/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chains.c - `host a or host b or ...`: runs of equal-compares become lookups in sets.
 *
 * A run is a sequence of blocks that only compare a value with a constant, that go to one
 * and the same block when it is equal and to the next compare when not. Nothing in it can fail or
 * be observed, so its compares may be made in any order: each value that occurs gets one
 * lookup. A program of thousands of hosts is a handful of decisions afterwards.
 */
#include "jit/ir.h"

#include <string.h>

#define MIN_RUN    4 /* fewer compares are cheaper than a lookup */
#define MAX_VALUES 8 /* different values in one run */

struct group {
	uint32_t v; /* what is compared */
	uint32_t *k;
	uint32_t n, cap;
};

static uint32_t skip_jumps(const struct ir *ir, uint32_t b)
{
	while (ir->blocks[b].term == IR_JMP && ir->blocks[b].pin == 0)
		b = ir->blocks[b].t;
	return b;
}

/* Is b one compare of a run that leads to hit? */
static bool is_link(const struct ir *ir, uint32_t b, uint32_t hit)
{
	const struct ir_block *bl = &ir->blocks[b];
	const struct ir_val *val = &ir->vals[bl->v];

	return bl->pin == 0 && bl->term == IR_BR && val->op == IR_EQ && !val->pinned &&
	       ir_is_const(ir, val->b) && skip_jumps(ir, bl->t) == hit;
}

static bool group_add(struct group *groups, unsigned int *np, uint32_t v, uint32_t k)
{
	struct group *g = groups;

	while (g < groups + *np && g->v != v)
		g++;
	if (g == groups + *np) {
		if (*np == MAX_VALUES)
			return false;
		*g = (struct group){.v = v};
		(*np)++;
	}
	if (g->n == g->cap) {
		uint32_t cap = g->cap == 0 ? 16 : g->cap * 2;
		uint32_t *grown = realloc(g->k, cap * sizeof(*grown));

		if (grown == NULL)
			return false;
		g->k = grown;
		g->cap = cap;
	}
	g->k[g->n++] = k;
	return true;
}

/*
 * Replace the run that begins at b; *budget limits how many compares may be looked at again.
 * What only this run led to is marked in `gone`: it is not the beginning of another.
 */
static void convert(
	struct ir *ir, const struct ir_order *o, uint32_t b, bool *gone, uint32_t *budget)
{
	const uint32_t hit = skip_jumps(ir, ir->blocks[b].t);
	struct group groups[MAX_VALUES];
	unsigned int n_groups = 0;
	bool only_from_here = true;
	uint32_t n = 0;
	uint32_t end = b;

	while (is_link(ir, end, hit) && *budget > 0) {
		const struct ir_val *val = &ir->vals[ir->blocks[end].v];
		uint32_t next;

		if (!group_add(groups, &n_groups, val->a, ir->vals[val->b].k))
			break;
		gone[end] |= only_from_here && end != b;
		n++;
		--*budget;
		for (next = ir->blocks[end].f; next != skip_jumps(ir, next);
			next = ir->blocks[next].t)
			only_from_here &= o->n_pred[next] == 1;
		only_from_here &= o->n_pred[next] == 1;
		end = next;
	}
	/* From the last to the first, so that each knows its successor; the first takes b's place.
	 */
	for (unsigned int i = n_groups; i-- > 0;) {
		struct group *g = &groups[i];
		uint32_t at, v;

		if (n < MIN_RUN || n <= n_groups) {
			free(g->k);
			continue;
		}
		if (g->n == 1) {
			v = ir_op2(ir, IR_EQ, g->v, ir_const(ir, g->k[0]));
			free(g->k);
		} else {
			uint32_t set = ir_set_new(ir, g->k, g->n);

			v = set != 0 ? ir_op(ir, IR_IN, g->v, 0, 0, set) : 0;
		}
		at = i == 0 ? b : ir_block_new(ir);
		if (ir->failed)
			continue;
		ir_br(ir, at, v, hit, end);
		end = at;
	}
}

int ir_pass_chains(struct ir *ir)
{
	npf_autofree bool *gone = calloc(ir->n_blocks, sizeof(*gone));
	uint32_t budget = 4 * ir->n_blocks;
	struct ir_order o;

	if (gone == NULL || ir_order_init(&o, ir) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < o.n && !ir->failed; i++) {
		const uint32_t b = o.block[i];

		if (!gone[b] && ir->blocks[b].term == IR_BR &&
			is_link(ir, b, skip_jumps(ir, ir->blocks[b].t)))
			convert(ir, &o, b, gone, &budget);
	}
	ir_order_fini(&o);
	return ir->failed ? -ENOMEM : 0;
}
