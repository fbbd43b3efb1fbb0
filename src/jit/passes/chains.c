/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chains.c - `host a or host b or ...`: runs of equal-compares become lookups in sets.
 *
 * A run is a sequence of blocks that only compare a value with a constant. All of them go to the
 * same block when it is equal, and to the next compare when not. No compare can fail or have a side
 * effect, so their order does not matter: each value that occurs gets one lookup. A program of
 * thousands of hosts becomes a handful of decisions.
 */
#include "jit/ir/ir.h"

#include <string.h>

#define MIN_RUN    4 /* fewer compares are cheaper than a lookup */
#define MAX_VALUES 8 /* different values in one run */

struct group {
	uint32_t v; /* what is compared */
	uint32_t *k;
	uint32_t n, cap;
};

struct chains {
	struct ir *ir;
	uint32_t n_old;   /* blocks that were there before the pass */
	uint32_t *end;    /* by block: where the jumps that begin there lead to */
	bool *is_private; /* by block: nothing else leads to it, or to a jump behind it */
	bool *gone;       /* by block: only a run that was replaced led there */
	uint32_t budget;  /* compares that may still be looked at */
};

/* Where jumps lead to, each looked at once: what follows a block comes before it here. */
static void follow_jumps(struct chains *c, const struct ir_order *o)
{
	for (uint32_t i = o->n; i-- > 0;) {
		const uint32_t b = o->block[i];
		const struct ir_block *bl = &c->ir->blocks[b];
		const bool is_jump = bl->term == IR_JMP && bl->pin == 0;

		c->end[b] = is_jump ? c->end[bl->t] : b;
		c->is_private[b] = o->n_pred[b] == 1 && (!is_jump || c->is_private[bl->t]);
	}
}

static uint32_t skip_jumps(const struct chains *c, uint32_t b)
{
	return b < c->n_old ? c->end[b] : b;
}

/* Is b one compare of a run that leads to hit? */
static bool is_link(const struct chains *c, uint32_t b, uint32_t hit)
{
	const struct ir_block *bl = &c->ir->blocks[b];
	const struct ir_val *val = &c->ir->vals[bl->v];

	return b < c->n_old && bl->pin == 0 && bl->term == IR_BR && val->op == IR_EQ &&
	       !val->pinned && ir_is_const(c->ir, val->b) && skip_jumps(c, bl->t) == hit;
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
	*np = NPF_MAX(*np, (unsigned int)(g - groups) + 1);
	return true;
}

/* The lookup that the group asks for; takes its array over. */
static uint32_t lookup(struct ir *ir, struct group *g)
{
	uint32_t v, set;

	if (g->n == 1) {
		v = ir_op2(ir, IR_EQ, g->v, ir_const(ir, g->k[0]));
		free(g->k);
		return v;
	}
	set = ir_set_new(ir, g->k, g->n);
	return set != 0 ? ir_op(ir, IR_IN, g->v, 0, 0, set) : 0;
}

/* The compares from b on that lead to hit, in groups by value; *endp is what follows them. */
static unsigned int collect(
	struct chains *c, uint32_t b, uint32_t hit, struct group *groups, uint32_t *endp)
{
	unsigned int n_groups = 0;
	bool only_from_here = true;
	uint32_t end = b;

	while (is_link(c, end, hit) && c->budget > 0) {
		const struct ir_block *bl = &c->ir->blocks[end];
		const struct ir_val *val = &c->ir->vals[bl->v];

		if (!group_add(groups, &n_groups, val->a, c->ir->vals[val->b].k))
			break;
		c->gone[end] |= only_from_here && end != b;
		c->budget--;
		ir_spend(c->ir, 1);
		only_from_here &= bl->f < c->n_old && c->is_private[bl->f];
		end = skip_jumps(c, bl->f);
	}
	*endp = end;
	return n_groups;
}

/* Replace the run that begins at b. */
static void convert(struct chains *c, uint32_t b)
{
	struct ir *ir = c->ir;
	const uint32_t hit = skip_jumps(c, ir->blocks[b].t);
	struct group groups[MAX_VALUES];
	uint32_t end;
	const unsigned int n_groups = collect(c, b, hit, groups, &end);
	uint32_t n = 0;

	for (unsigned int i = 0; i < n_groups; i++)
		n += groups[i].n;
	/* From the last to the first, so that each knows its successor; the first takes b's place.
	 */
	for (unsigned int i = n_groups; i-- > 0;) {
		uint32_t at, v;

		if (n < MIN_RUN || n <= n_groups) {
			free(groups[i].k);
			continue;
		}
		v = lookup(ir, &groups[i]);
		at = i == 0 ? b : ir_block_new(ir);
		if (ir->failed)
			continue;
		ir_br(ir, at, v, hit, end);
		end = at;
	}
}

int ir_pass_chains(struct ir *ir)
{
	npf_autofree uint32_t *end = calloc(ir->n_blocks, sizeof(*end));
	npf_autofree bool *is_private = calloc(ir->n_blocks, sizeof(*is_private));
	npf_autofree bool *gone = calloc(ir->n_blocks, sizeof(*gone));
	struct chains c = {.ir = ir,
		.n_old = ir->n_blocks,
		.end = end,
		.is_private = is_private,
		.gone = gone,
		.budget = 4 * ir->n_blocks};
	struct ir_order o;

	if (end == NULL || is_private == NULL || gone == NULL || ir_order_init_counted(&o, ir) < 0)
		return -ENOMEM;
	follow_jumps(&c, &o);
	for (uint32_t i = 0; i < o.n && !ir->failed; i++) {
		const uint32_t b = o.block[i];

		if (!gone[b] && ir->blocks[b].term == IR_BR &&
			is_link(&c, b, skip_jumps(&c, ir->blocks[b].t)))
			convert(&c, b);
	}
	ir_order_fini(&o);
	return ir->failed ? -ENOMEM : 0;
}
