/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * values.c - bounds of values, and what a predicate's truth says.
 *
 * The rules are few and each is local: a value's bound follows from its operands' bounds, a
 * predicate answers a question about its own operands only. AND and OR are looked into, for
 * flattened programs.
 */
#include "jit/check/check_priv.h"

static uint32_t all_bits_below(uint32_t max)
{
	max |= max >> 1;
	max |= max >> 2;
	max |= max >> 4;
	max |= max >> 8;
	return max | max >> 16;
}

static uint32_t at_most(uint64_t n)
{
	return n > UINT32_MAX ? UINT32_MAX : n & UINT32_MAX;
}

static uint32_t most_of(const struct checker *c, const struct ir_val *val)
{
	const struct ir_val *right = &c->ir->vals[val->b];
	const bool by_const = right->op == IR_CONST;
	const uint64_t a = c->most[val->a];
	const uint64_t b = c->most[val->b];
	const enum ir_op op = val->op;

	switch (op) {
	case IR_CONST:
		return val->k;
	case IR_LD8:
		return 0xff;
	case IR_LD16:
	case IR_RAW16:
		return 0xffff;
	case IR_ADD:
		return at_most(a + b);
	case IR_MUL:
		return at_most(a * b);
	case IR_DIV:
		return at_most(by_const && right->k > 0 ? a / right->k : a);
	case IR_MOD:
		return at_most(by_const && right->k > 0 && right->k <= a ? right->k - 1 : a);
	case IR_AND:
		return at_most(a < b ? a : b);
	case IR_OR:
	case IR_XOR:
		return all_bits_below(at_most(a | b));
	case IR_SHL:
		return by_const && right->k < 32 ? at_most(a << right->k) : UINT32_MAX;
	case IR_SHR:
		return at_most(by_const ? right->k < 32 ? a >> right->k : 0 : a);
	case IR_SEL:
		return at_most(b > c->most[val->c] ? b : c->most[val->c]);
	default:
		return val->op >= IR_EQ && val->op <= IR_NBTW ? 1 : UINT32_MAX;
	}
}

static bool is_sorted(const struct ir_set *set)
{
	for (uint32_t i = 1; i < set->n; i++) {
		if (set->k[i] <= set->k[i - 1])
			return false;
	}
	return set->n > 0;
}

int check_bound_values(struct checker *c)
{
	for (uint32_t i = 1; i < c->ir->n_sets; i++) {
		if (!is_sorted(&c->ir->sets[i]))
			return -EFAULT;
		ir_spend(c->ir, c->ir->sets[i].n);
	}
	for (uint32_t v = 1; v < c->ir->n_vals; v++) {
		const struct ir_val *val = &c->ir->vals[v];

		if (val->a >= v || val->b >= v || val->c >= v)
			return -EFAULT;
		c->most[v] = most_of(c, val);
	}
	return 0;
}

/* v != 0 is v's truth; a compare of it with 0, or of a predicate with 1, is another's. */
static uint32_t unwrap(const struct checker *c, uint32_t v, bool *truthp)
{
	for (unsigned int i = 0; i < CHECK_DEPTH; i++) {
		const struct ir_val *val = &c->ir->vals[v];
		const struct ir_val *right = &c->ir->vals[val->b];
		const bool by_zero = right->op == IR_CONST && right->k == 0;
		const bool by_one = right->op == IR_CONST && right->k == 1 && c->most[val->a] <= 1;

		if (val->op == IR_XOR && by_one)
			*truthp = !*truthp;
		else if ((val->op == IR_EQ && by_zero) || (val->op == IR_NE && by_one))
			*truthp = !*truthp;
		else if (!((val->op == IR_NE && by_zero) || (val->op == IR_EQ && by_one)))
			break;
		v = val->a;
	}
	return v;
}

uint32_t check_least_length(const struct checker *c, uint32_t v, bool truth, unsigned int depth)
{
	const struct ir_val *val;
	const struct ir_val *base;
	enum ir_op op;
	uint32_t a, b;

	v = unwrap(c, v, &truth);
	val = &c->ir->vals[v];
	base = &c->ir->vals[val->a];
	op = val->op;
	switch (op) {
	case IR_INR:
	case IR_NINR:
		if (truth != (val->op == IR_INR))
			return 0;
		return base->op == IR_CONST ? at_most(0ull + base->k + val->k) : val->k;
	case IR_AND:
	case IR_OR:
		if (truth != (val->op == IR_AND) || depth == 0)
			return 0;
		a = check_least_length(c, val->a, truth, depth - 1);
		b = check_least_length(c, val->b, truth, depth - 1);
		return a > b ? a : b;
	default:
		return 0;
	}
}

/* Some of the bits of a value are not all 0: the same of the value that it was made of. */
static struct question bits_of(const struct checker *c, uint32_t v, uint32_t mask)
{
	for (unsigned int i = 0; i < CHECK_DEPTH; i++) {
		const struct ir_val *val = &c->ir->vals[v];
		const struct ir_val *right = &c->ir->vals[val->b];

		if (val->op == IR_AND && right->op == IR_CONST)
			mask &= right->k;
		else if (val->op == IR_SHL && right->op == IR_CONST && right->k < 32)
			mask >>= right->k;
		else if (val->op == IR_SHR && right->op == IR_CONST && right->k < 32)
			mask <<= right->k;
		else
			break;
		v = val->a;
	}
	if (c->ir->vals[v].op == IR_RAW16)
		mask = __builtin_bswap16(mask & 0xffff);
	else if (c->ir->vals[v].op == IR_RAW32)
		mask = __builtin_bswap32(mask);
	else if (c->ir->vals[v].op == IR_LD16)
		mask &= 0xffff;
	return (struct question){.v = v, .mask = mask};
}

static uint32_t in_network_order(uint32_t op)
{
	return op == IR_RAW16 ? IR_LD16 : op == IR_RAW32 ? IR_LD32 : op;
}

/* The same value, or the same bytes of the packet. */
static bool is_same(const struct checker *c, uint32_t v, uint32_t w)
{
	const struct ir_val *x = &c->ir->vals[v];
	const struct ir_val *y = &c->ir->vals[w];

	return v == w || (x->op >= IR_LD8 && x->op <= IR_RAW32 && x->a == y->a && x->k == y->k &&
				 in_network_order(x->op) == in_network_order(y->op));
}

/* Which bits of the predicate's left operand are not all 0; none: nothing is known. */
static uint32_t bits_set_by(const struct checker *c, const struct ir_val *val, bool truth)
{
	const struct ir_val *right = &c->ir->vals[val->b];
	const bool by_const = right->op == IR_CONST;
	const uint32_t k = right->k;
	const enum ir_op op = val->op;
	bool is_set;

	switch (op) {
	case IR_EQ:
	case IR_NE:
		is_set = by_const && (truth == (val->op == IR_EQ) ? k != 0 : k == 0);
		return !is_set ? 0 : k != 0 ? k : UINT32_MAX;
	case IR_GT:
	case IR_LE:
		return truth == (val->op == IR_GT) ? UINT32_MAX : 0;
	case IR_GE:
	case IR_LT:
		return truth == (val->op == IR_GE) && by_const && k > 0 ? UINT32_MAX : 0;
	case IR_TST:
	case IR_NTST:
		is_set = truth == (val->op == IR_TST);
		return !is_set ? 0 : by_const ? k : UINT32_MAX;
	case IR_IN:
	case IR_NIN:
		is_set = (c->ir->sets[val->k].k[0] == 0) != (truth == (val->op == IR_IN));
		return is_set ? UINT32_MAX : 0;
	default:
		return 0;
	}
}

/* Some of the known bits are set, or all of them: is one of the wanted bits among those? */
static bool covers(const struct checker *c, const struct question *known,
	const struct question *wanted, bool all)
{
	if (!is_same(c, known->v, wanted->v))
		return false;
	return all ? (known->mask & wanted->mask) != 0 : (known->mask & ~wanted->mask) == 0;
}

static bool sets_bits(const struct checker *c, uint32_t v, bool truth, const struct question *q)
{
	const struct ir_val *val = &c->ir->vals[v];
	const struct question wanted = bits_of(c, q->v, q->mask);
	const bool equals_const = val->op == IR_EQ || val->op == IR_NE;
	struct question known;
	uint32_t bits;

	/* A value that is no predicate, when it is not 0 itself. */
	known = bits_of(c, v, UINT32_MAX);
	if (truth && covers(c, &known, &wanted, false))
		return true;
	bits = bits_set_by(c, val, truth);
	if (bits == 0)
		return false;
	known = bits_of(c, val->a, bits);
	if (covers(c, &known, &wanted, equals_const && bits != UINT32_MAX))
		return true;
	/* Neither operand of a test that finds a bit is 0. */
	known = bits_of(c, val->b, UINT32_MAX);
	return (val->op == IR_TST || val->op == IR_NTST) && covers(c, &known, &wanted, false);
}

/* Does predicate v say that the packet has n bytes behind q->v, or that many at all? */
static bool reaches(const struct checker *c, uint32_t v, bool truth, const struct question *q)
{
	const struct ir_val *val = &c->ir->vals[v];

	if (c->most[q->v] + q->n <= check_least_length(c, v, truth, 0))
		return true;
	if (val->op == IR_NINR || val->op == IR_NBTW)
		truth = !truth;
	else if (val->op != IR_INR && val->op != IR_BTW)
		return false;
	return truth && val->a != 0 && val->a == q->v && val->k >= q->n;
}

bool check_implies(const struct checker *c, uint32_t v, bool truth, const struct question *q,
	unsigned int depth)
{
	const struct ir_val *val;

	if (q->n == 0 && sets_bits(c, v, truth, q))
		return true;
	v = unwrap(c, v, &truth);
	val = &c->ir->vals[v];
	if (depth > 0 && truth == (val->op == IR_AND) && (val->op == IR_AND || val->op == IR_OR))
		return check_implies(c, val->a, truth, q, depth - 1) ||
		       check_implies(c, val->b, truth, q, depth - 1);
	return q->n == 0 ? sets_bits(c, v, truth, q) : reaches(c, v, truth, q);
}
