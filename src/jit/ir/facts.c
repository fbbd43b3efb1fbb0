/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts.c - what earlier decisions say about a later one, and rewriting of values.
 *
 * On the way to a block lie its dominators. Where one of them has a single incoming edge, the
 * result of the branch at that edge is known. Each such fact is compared with the predicate by
 * itself: no two facts are combined. Each climb is bounded, and so are all climbs of a pass
 * together, so a pass stays linear. Incoming edges are those of the time when the order was made:
 * the pass may have moved an edge since, but only to a place behind that block.
 */
#include "jit/ir/ir.h"

#include <string.h>

#define MAX_CLIMB 40

static int compare_known(const struct ir *ir, const struct ir_val *p, uint32_t x)
{
	if (p->op == IR_IN || p->op == IR_NIN)
		return ir_set_has(&ir->sets[p->k], x) == (p->op == IR_IN);
	return (int)ir_compute(p->op, x, ir->vals[p->b].k, 0);
}

/* p about a value that lies between lo and hi. */
static int compare_interval(const struct ir *ir, const struct ir_val *p, uint32_t lo, uint32_t hi)
{
	const uint32_t k = ir->vals[p->b].k;

	if (lo > hi)
		return -1;
	switch ((enum ir_op)p->op) {
	case IR_EQ:
	case IR_NE:
		return k < lo || k > hi ? p->op == IR_NE : -1;
	case IR_GT:
	case IR_LE:
		return lo > k ? p->op == IR_GT : hi <= k ? p->op == IR_LE : -1;
	case IR_GE:
	case IR_LT:
		return lo >= k ? p->op == IR_GE : hi < k ? p->op == IR_LT : -1;
	default:
		return -1;
	}
}

/* Does fact f, which is true, say what p is? Both are about the same value. */
static int implied_by_true(const struct ir *ir, const struct ir_val *f, const struct ir_val *p)
{
	const bool p_const = ir_is_const(ir, p->b);
	const uint32_t kf = ir->vals[f->b].k;
	const uint32_t kp = ir->vals[p->b].k;

	if (f->op == IR_IN && (p->op == IR_EQ || p->op == IR_NE) && p_const)
		return ir_set_has(&ir->sets[f->k], kp) ? -1 : p->op == IR_NE;
	if (f->op == IR_NIN && (p->op == IR_EQ || p->op == IR_NE) && p_const)
		return ir_set_has(&ir->sets[f->k], kp) ? p->op == IR_NE : -1;
	if (!ir_is_const(ir, f->b))
		return -1;
	if (f->op == IR_EQ && (p_const || p->op == IR_IN || p->op == IR_NIN))
		return compare_known(ir, p, kf);
	if (!p_const)
		return -1;
	switch ((enum ir_op)f->op) {
	case IR_TST:
		if (p->op == IR_TST || p->op == IR_NTST)
			return (kf & ~kp) == 0 ? p->op == IR_TST : -1;
		if (p->op == IR_EQ || p->op == IR_NE)
			return (kf & kp) == 0 ? p->op == IR_NE : -1;
		return -1;
	case IR_NTST:
		if (p->op == IR_TST || p->op == IR_NTST)
			return (kp & ~kf) == 0 ? p->op == IR_NTST : -1;
		if (p->op == IR_EQ || p->op == IR_NE)
			return (kf & kp) != 0 ? p->op == IR_NE : -1;
		return -1;
	case IR_GT:
		return kf == UINT32_MAX ? -1 : compare_interval(ir, p, kf + 1, UINT32_MAX);
	case IR_GE:
		return compare_interval(ir, p, kf, UINT32_MAX);
	case IR_LT:
		return kf == 0 ? -1 : compare_interval(ir, p, 0, kf - 1);
	case IR_LE:
		return compare_interval(ir, p, 0, kf);
	default:
		return -1;
	}
}

static bool is_about_constant(enum ir_op op)
{
	return op >= IR_EQ && op <= IR_NTST;
}

/* Fact v is `truth`: what is p? */
static int implied(const struct ir *ir, uint32_t v, bool truth, const struct ir_val *p)
{
	struct ir_val f = ir->vals[v];

	if (f.pinned || !ir_is_predicate(f.op))
		return -1;
	if (!truth)
		f.op = (uint8_t)(IR_EQ + ((f.op - IR_EQ) ^ 1));
	if (f.a != p->a)
		return -1;
	if (f.b == p->b && f.c == p->c && f.k == p->k) {
		if (f.op == p->op)
			return 1;
		if (f.op == IR_EQ + ((p->op - IR_EQ) ^ 1))
			return 0;
	}
	if (p->op == IR_INR || p->op == IR_NINR) {
		if (f.op == IR_INR && f.k >= p->k)
			return p->op == IR_INR;
		if (f.op == IR_NINR && f.k <= p->k)
			return p->op == IR_NINR;
		return -1;
	}
	if ((is_about_constant(p->op) || p->op == IR_IN || p->op == IR_NIN) &&
		(is_about_constant(f.op) || f.op == IR_IN || f.op == IR_NIN))
		return implied_by_true(ir, &f, p);
	return -1;
}

int ir_decide(struct ir *ir, const struct ir_order *o, uint32_t b, int side, uint32_t v)
{
	const struct ir_val p = ir->vals[v];

	if (p.op == IR_CONST)
		return p.k != 0;
	if (p.pinned || !ir_is_predicate(p.op))
		return -1;
	if (side >= 0 && ir->blocks[b].term == IR_BR) {
		int known = implied(ir, ir->blocks[b].v, side != 0, &p);

		if (known >= 0)
			return known;
	}
	for (unsigned int i = 0; i < MAX_CLIMB && b != ir->entry && ir_may_search(ir); i++) {
		const uint32_t d = o->idom[b];
		const struct ir_block *bl = &ir->blocks[d];

		ir_spend(ir, 1);

		if (o->n_pred[b] == 1 && bl->term == IR_BR) {
			int known = implied(ir, bl->v, o->by_true[b], &p);

			if (known >= 0)
				return known;
		}
		b = d;
	}
	return -1;
}

/* Mark what the blocks use, and what that uses. Operands lie before their users. */
static void mark_used(const struct ir *ir, const struct ir_order *o, bool *used)
{
	for (uint32_t i = 0; i < o->n; i++) {
		const struct ir_block *bl = &ir->blocks[o->block[i]];

		if (bl->term != IR_JMP)
			used[bl->v] = true;
		for (uint32_t p = bl->pin; p != 0; p = ir->pins[p].next)
			used[ir->pins[p].v] = true;
	}
	for (uint32_t v = ir->n_vals; v-- > 1;) {
		if (used[v]) {
			used[ir->vals[v].a] = true;
			used[ir->vals[v].b] = true;
			used[ir->vals[v].c] = true;
		}
	}
}

int ir_rewrite(struct ir *ir, uint32_t (*make)(struct ir *ir, const struct ir_val *val))
{
	const uint32_t n = ir->n_vals;
	npf_autofree uint32_t *map = calloc(n, sizeof(*map));
	npf_autofree bool *used = calloc(n, sizeof(*used));
	struct ir_order o;

	if (map == NULL || used == NULL || ir_order_init_counted(&o, ir) < 0)
		return -ENOMEM;
	mark_used(ir, &o, used);
	for (uint32_t v = 1; v < n && !ir->failed; v++) {
		struct ir_val val = ir->vals[v];

		if (!used[v])
			continue;
		val.a = map[val.a];
		val.b = map[val.b];
		val.c = map[val.c];
		if (val.pinned)
			map[v] = ir_fresh(ir, val.op, val.a, val.b, val.k);
		else
			map[v] = make(ir, &val);
	}
	for (uint32_t i = 0; i < o.n && !ir->failed; i++) {
		const uint32_t b = o.block[i];
		struct ir_block *bl = &ir->blocks[b];

		for (uint32_t p = bl->pin; p != 0; p = ir->pins[p].next)
			ir->pins[p].v = map[ir->pins[p].v];
		if (bl->term == IR_BR)
			ir_br(ir, b, map[bl->v], bl->t, bl->f);
		else if (bl->term == IR_RET)
			bl->v = map[bl->v];
	}
	ir_order_fini(&o);
	return ir->failed ? -ENOMEM : 0;
}
