/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * simplify.c - constant folding and algebra, when a value is made.
 *
 * Every rule gives a value that is equal on all packets, or 0 where it does not apply. The
 * recursion ends, since each rule makes values that are smaller than the one wanted, by some
 * measure. Where an operation commutes, a constant operand is the right one.
 */
#include "jit/ir/ir.h"

#include <string.h>

uint32_t ir_compute(enum ir_op op, uint32_t a, uint32_t b, uint32_t c)
{
	switch (op) {
	case IR_ADD:
		return a + b;
	case IR_SUB:
		return a - b;
	case IR_MUL:
		return a * b;
	case IR_DIV:
		return b == 0 ? 0 : a / b;
	case IR_MOD:
		return b == 0 ? 0 : a % b;
	case IR_AND:
		return a & b;
	case IR_OR:
		return a | b;
	case IR_XOR:
		return a ^ b;
	case IR_SHL:
		return b < 32 ? a << b : 0;
	case IR_SHR:
		return b < 32 ? a >> b : 0;
	case IR_NEG:
		return 0u - a;
	case IR_EQ:
		return a == b;
	case IR_NE:
		return a != b;
	case IR_GT:
		return a > b;
	case IR_LE:
		return a <= b;
	case IR_GE:
		return a >= b;
	case IR_LT:
		return a < b;
	case IR_TST:
		return (a & b) != 0;
	case IR_NTST:
		return (a & b) == 0;
	case IR_SEL:
		return a != 0 ? b : c;
	default:
		return 0;
	}
}

/* The value that a comparison with a constant is about, and the constant. */
static bool is_eq_const(const struct ir *ir, uint32_t p, uint32_t *v, uint32_t *k)
{
	const struct ir_val *val = &ir->vals[p];

	if (val->op != IR_EQ || !ir_is_const(ir, val->b))
		return false;
	*v = val->a;
	*k = ir->vals[val->b].k;
	return true;
}

/* Does predicate p being 1 mean that predicate q is 0? False where that cannot be seen at once. */
static bool excludes(const struct ir *ir, uint32_t p, uint32_t q, unsigned int depth)
{
	const struct ir_val *vp = &ir->vals[p];
	const struct ir_val *vq = &ir->vals[q];
	uint32_t a, b, ka, kb;

	if (depth == 0 || p == q)
		return false;
	if (is_eq_const(ir, p, &a, &ka) && is_eq_const(ir, q, &b, &kb))
		return a == b && ka != kb;
	if (ir_is_predicate(vp->op) && vq->op == IR_EQ + ((vp->op - IR_EQ) ^ 1) && vp->a == vq->a &&
		vp->b == vq->b && vp->c == vq->c && vp->k == vq->k)
		return true;
	if (vp->max <= 1 && vp->op == IR_AND)
		return excludes(ir, vp->a, q, depth - 1) || excludes(ir, vp->b, q, depth - 1);
	if (vp->max <= 1 && vp->op == IR_OR)
		return excludes(ir, vp->a, q, depth - 1) && excludes(ir, vp->b, q, depth - 1);
	if (vq->max <= 1 && vq->op == IR_OR)
		return excludes(ir, p, vq->a, depth - 1) && excludes(ir, p, vq->b, depth - 1);
	return false;
}

/*
 * cond ? x : y as one value, where x and y ask the same of different values: whether they are in
 * a set. One lookup of a chosen value is cheaper than two lookups. 0 when they are not alike.
 */
static uint32_t unify(struct ir *ir, uint32_t cond, uint32_t x, uint32_t y, unsigned int depth)
{
	const struct ir_val vx = ir->vals[x];
	const struct ir_val vy = ir->vals[y];
	uint32_t a, b;

	if (x == y)
		return x;
	if (depth == 0 || vx.op != vy.op || vx.pinned || vy.pinned)
		return 0;
	if (vx.op == IR_IN && vx.k == vy.k)
		return ir_op(ir, IR_IN, ir_sel(ir, cond, vx.a, vy.a), 0, 0, vx.k);
	if (vx.op != IR_OR || vx.max > 1 || vy.max > 1)
		return 0;
	a = unify(ir, cond, vx.a, vy.a, depth - 1);
	b = a != 0 ? unify(ir, cond, vx.b, vy.b, depth - 1) : 0;
	return b != 0 ? ir_op2(ir, IR_OR, a, b) : 0;
}

/* cond ? x : (p & y) is (cond | p) & (cond ? x : y). */
static uint32_t unify_behind(struct ir *ir, uint32_t cond, uint32_t x, uint32_t guarded)
{
	const struct ir_val val = ir->vals[guarded];
	uint32_t v;

	if (val.op != IR_AND || val.max > 1 || val.pinned)
		return unify(ir, cond, x, guarded, 4);
	v = unify(ir, cond, x, val.b, 4);
	if (v != 0)
		return ir_op2(ir, IR_AND, ir_op2(ir, IR_OR, cond, val.a), v);
	v = unify(ir, cond, x, val.a, 4);
	return v != 0 ? ir_op2(ir, IR_AND, ir_op2(ir, IR_OR, cond, val.b), v) : 0;
}

static uint32_t simplify_sel(struct ir *ir, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t v;

	if (ir_is_const(ir, a))
		return ir->vals[a].k != 0 ? b : c;
	if (b == c)
		return b;
	if (ir->vals[b].max > 1 || ir->vals[c].max > 1)
		return 0;
	/* A choice between predicates is logic. */
	if (ir_is(ir, b, 1))
		return ir_op2(ir, IR_OR, a, c);
	if (ir_is(ir, c, 0))
		return ir_op2(ir, IR_AND, a, b);
	if (ir_is(ir, b, 0))
		return excludes(ir, c, a, 8) ? c : ir_op2(ir, IR_AND, ir_not(ir, a), c);
	if (ir_is(ir, c, 1))
		return ir_op2(ir, IR_OR, ir_not(ir, a), b);
	v = unify_behind(ir, a, b, c);
	if (v != 0)
		return v;
	if (!excludes(ir, c, a, 8))
		c = ir_op2(ir, IR_AND, ir_not(ir, a), c);
	return ir_op2(ir, IR_OR, ir_op2(ir, IR_AND, a, b), c);
}

/* (x & m) & k, (x & m) == k and the like, where the left operand is an operation by a constant. */
static uint32_t simplify_nested(struct ir *ir, enum ir_op op, uint32_t a, uint32_t k)
{
	const struct ir_val in = ir->vals[a];
	uint32_t m;

	if (in.pinned || !ir_is_const(ir, in.b))
		return 0;
	m = ir->vals[in.b].k;
	switch ((enum ir_op)in.op) {
	case IR_AND:
		if (op == IR_AND)
			return ir_op2(ir, IR_AND, in.a, ir_const(ir, m & k));
		if (op == IR_TST || op == IR_NTST)
			return ir_op2(ir, op, in.a, ir_const(ir, m & k));
		if ((op == IR_EQ || op == IR_NE) && (k & ~m) != 0)
			return ir_const(ir, op == IR_NE);
		if ((op == IR_EQ || op == IR_NE) && k == 0)
			return ir_op2(ir, op == IR_EQ ? IR_NTST : IR_TST, in.a, in.b);
		/* One bit only: equal to it means set. */
		if ((op == IR_EQ || op == IR_NE) && k == m && (m & (m - 1)) == 0)
			return ir_op2(ir, op == IR_EQ ? IR_TST : IR_NTST, in.a, in.b);
		return 0;
	case IR_SHR:
		if (m == 0 || m > 31)
			return 0;
		if ((op == IR_EQ || op == IR_NE) && k <= UINT32_MAX >> m)
			return ir_op2(ir, op,
				ir_op2(ir, IR_AND, in.a, ir_const(ir, UINT32_MAX << m)),
				ir_const(ir, k << m));
		if ((op == IR_TST || op == IR_NTST) && k <= UINT32_MAX >> m)
			return ir_op2(ir, op, in.a, ir_const(ir, k << m));
		return 0;
	default:
		return 0;
	}
}

/* By a constant k on the right. */
static uint32_t simplify_const(struct ir *ir, enum ir_op op, uint32_t a, uint32_t k)
{
	const uint32_t max = ir->vals[a].max;

	switch (op) {
	case IR_ADD:
	case IR_SUB:
	case IR_XOR:
	case IR_OR:
		if (k == 0)
			return a;
		if (op == IR_OR && max <= 1 && k == 1)
			return ir_const(ir, 1);
		return 0;
	case IR_SHL:
	case IR_SHR:
		return k == 0 ? a : k > 31 ? ir_const(ir, 0) : 0;
	case IR_MUL:
		if (k == 0)
			return ir_const(ir, 0);
		if ((k & (k - 1)) == 0)
			return ir_op2(ir, IR_SHL, a, ir_const(ir, (uint32_t)__builtin_ctz(k)));
		return 0;
	case IR_DIV:
		if (k != 0 && (k & (k - 1)) == 0)
			return ir_op2(ir, IR_SHR, a, ir_const(ir, (uint32_t)__builtin_ctz(k)));
		return 0;
	case IR_MOD:
		if (k != 0 && (k & (k - 1)) == 0)
			return ir_op2(ir, IR_AND, a, ir_const(ir, k - 1));
		return 0;
	case IR_AND:
		if ((k & ir_bits(max)) == 0)
			return ir_const(ir, 0);
		if ((k & ir_bits(max)) == ir_bits(max))
			return a;
		return simplify_nested(ir, op, a, k);
	case IR_EQ:
	case IR_NE:
		if (k > max)
			return ir_const(ir, op == IR_NE);
		if (max == 1)
			return (k == 1) == (op == IR_EQ) ? a : ir_not(ir, a);
		return simplify_nested(ir, op, a, k);
	case IR_TST:
	case IR_NTST:
		if ((k & ir_bits(max)) == 0)
			return ir_const(ir, op == IR_NTST);
		if ((k & ir_bits(max)) != k)
			return ir_op2(ir, op, a, ir_const(ir, k & ir_bits(max)));
		return simplify_nested(ir, op, a, k);
	case IR_GT:
	case IR_LE:
		if (k >= max)
			return ir_const(ir, op == IR_LE);
		return k == 0 ? ir_op2(ir, op == IR_GT ? IR_NE : IR_EQ, a, ir_const(ir, 0)) : 0;
	case IR_GE:
	case IR_LT:
		if (k == 0 || k > max)
			return ir_const(ir, (k == 0) == (op == IR_GE));
		return k == 1 ? ir_op2(ir, op == IR_GE ? IR_NE : IR_EQ, a, ir_const(ir, 0)) : 0;
	default:
		return 0;
	}
}

/* a & x, both predicates, where x says again what a says. */
static uint32_t simplify_absorbed(struct ir *ir, uint32_t a, uint32_t x)
{
	const struct ir_val val = ir->vals[x];

	if (val.pinned || ir->vals[a].max > 1 || val.max > 1)
		return 0;
	if (val.op == IR_AND && (val.a == a || val.b == a))
		return x;
	if (val.op == IR_OR) {
		const uint32_t side[2] = {val.a, val.b};

		for (unsigned int i = 0; i < 2; i++) {
			const struct ir_val in = ir->vals[side[i]];

			if (side[i] == a)
				return a;
			if (in.op == IR_AND && !in.pinned && (in.a == a || in.b == a))
				return ir_op2(ir, IR_AND, a,
					ir_op2(ir, IR_OR, in.a == a ? in.b : in.a, side[1 - i]));
		}
	}
	return 0;
}

/* By itself. */
static uint32_t simplify_same(struct ir *ir, enum ir_op op, uint32_t a)
{
	switch (op) {
	case IR_AND:
	case IR_OR:
		return a;
	case IR_SUB:
	case IR_XOR:
	case IR_NE:
	case IR_GT:
	case IR_LT:
		return ir_const(ir, 0);
	case IR_EQ:
	case IR_GE:
	case IR_LE:
		return ir_const(ir, 1);
	default:
		return 0;
	}
}

uint32_t ir_simplify(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t c, uint32_t k)
{
	switch (op) {
	case IR_SEL:
		return simplify_sel(ir, a, b, c);
	case IR_INR:
	case IR_NINR:
		if ((a == 0 && k == 0) || ir_is_const(ir, a)) {
			uint64_t end = (uint64_t)ir->vals[a].k * (a != 0) + k;

			if (end == 0 || end > UINT32_MAX)
				return ir_const(ir, (end == 0) == (op == IR_INR));
			return ir_op(ir, op, 0, 0, 0, (uint32_t)end);
		}
		return 0;
	case IR_LD8:
	case IR_LD16:
	case IR_LD32:
	case IR_RAW16:
	case IR_RAW32:
		/* A base that is constant after all, unless no packet reaches that far. */
		if (a != 0 && ir_is_const(ir, a) && ir->vals[a].k + k >= k)
			return ir_load(ir, op, 0, ir->vals[a].k + k);
		return 0;
	case IR_IN:
	case IR_NIN:
		if (ir_is_const(ir, a))
			return ir_const(
				ir, ir_set_has(&ir->sets[k], ir->vals[a].k) == (op == IR_IN));
		return 0;
	case IR_NEG:
		return ir_is_const(ir, a) ? ir_const(ir, 0u - ir->vals[a].k) : 0;
	default:
		break;
	}
	if (op < IR_ADD || op > IR_NTST)
		return 0;
	if (ir_is_const(ir, a) && ir_is_const(ir, b)) {
		if ((op == IR_DIV || op == IR_MOD) && ir->vals[b].k == 0)
			return 0;
		return ir_const(ir, ir_compute(op, ir->vals[a].k, ir->vals[b].k, 0));
	}
	if (a == b)
		return simplify_same(ir, op, a);
	if (op == IR_AND && !ir_is_const(ir, b)) {
		uint32_t v = simplify_absorbed(ir, a, b);

		return v != 0 ? v : simplify_absorbed(ir, b, a);
	}
	return ir_is_const(ir, b) ? simplify_const(ir, op, a, ir->vals[b].k) : 0;
}
