/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lower.c - one program's decisions as columns, tests and logic of the set.
 *
 * Decisions are those of the intermediate program, simplified while it still branches. A
 * value is computed for every packet, whether or not its block is reached: a load that is out of
 * range gives 0, a division by 0 does, too, and the decisions that guard them discard the result.
 *
 * Work is bounded: a program that is too long is not looked at, and one of too many loads and tests
 * is not taken. Long lists of constants are tried again as sets.
 */
#include "jit/set/builder.h"

#define MAX_INSNS   2048
#define MAX_DEAR    256 /* in the units of cost_of() */
#define MAX_WORK(n) (512 * (n) + 200000)

/* Passes of jit/passes that keep decisions as branches on plain tests; the second mask makes sets
 * of long chains. */
static const uint32_t masks[] = {1u << 0 | 1u << 1 | 1u << 3 | 1u << 6,
	1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 6};

struct lowering {
	struct set_builder *bld;
	struct ir ir;
	struct ir_order order;
	uint8_t *needed; /* by value: its column is */
	uint32_t *col;   /* by value: its column */
	uint32_t *node;  /* by block */
	uint32_t keep;
};

/* Roughly the ns that a burst needs for it. */
static uint32_t cost_of(const struct ir_val *val)
{
	switch (val->op) {
	case IR_LD8:
	case IR_LD16:
	case IR_LD32:
		return val->a == 0 ? 10 : 20;
	case IR_MUL:
		return 16;
	case IR_DIV:
	case IR_MOD:
		return 64;
	default:
		return ir_is_predicate(val->op) ? 2 : 3;
	}
}

/* Mark the operands of a block's predicate. Return: false: it is of a kind that does not fit. */
static bool need_operands(struct lowering *lo, uint32_t v)
{
	const struct ir_val *val = &lo->ir.vals[v];

	switch (val->op) {
	case IR_EQ:
	case IR_NE:
	case IR_GT:
	case IR_LE:
	case IR_GE:
	case IR_LT:
	case IR_TST:
	case IR_NTST:
		lo->needed[val->a] = lo->needed[val->b] = true;
		return true;
	case IR_INR:
	case IR_NINR:
	case IR_IN:
	case IR_NIN:
		lo->needed[val->a] = true;
		return true;
	default:
		/* A value that is 0 or 1 decides itself. */
		lo->needed[v] = true;
		return !ir_is_predicate(val->op);
	}
}

/* Look at the blocks, mark the values that have to be columns. */
static enum npf_filter_set_fit look(struct lowering *lo)
{
	const struct ir *ir = &lo->ir;
	uint32_t cost = lo->order.n;

	lo->keep = 0;
	for (uint32_t i = 0; i < lo->order.n; i++) {
		const struct ir_block *bl = &ir->blocks[lo->order.block[i]];
		const struct ir_val *val = &ir->vals[bl->v];

		if (bl->pin != 0)
			return NPF_FILTER_SET_MEMORY;
		if (bl->term == IR_JMP)
			continue;
		if (bl->term == IR_BR) {
			cost += 2;
			if (!need_operands(lo, bl->v))
				return NPF_FILTER_SET_MEMORY;
		} else if (!ir_is_const(ir, bl->v) ||
			   (val->k != 0 && lo->keep != 0 && val->k != lo->keep)) {
			return NPF_FILTER_SET_RESULTS;
		} else if (val->k != 0) {
			lo->keep = val->k;
		}
	}
	lo->needed[0] = false;
	for (uint32_t v = ir->n_vals; v-- > 1;) {
		const struct ir_val *val = &ir->vals[v];

		if (!lo->needed[v] || val->op == IR_CONST || val->op == IR_LEN)
			continue;
		/* No predicate is computed with, but one that is unknown here may be. */
		if (val->op > IR_NEG || val->op == IR_GET || val->op == IR_RAW16 ||
			val->op == IR_RAW32)
			return NPF_FILTER_SET_MEMORY;
		cost += cost_of(val);
		lo->needed[val->a] = lo->needed[val->b] = true;
	}
	return cost > MAX_DEAR ? NPF_FILTER_SET_DEAR : NPF_FILTER_SET_FITS;
}

static void make_columns(struct lowering *lo)
{
	lo->needed[0] = false;
	for (uint32_t v = 1; v < lo->ir.n_vals; v++) {
		const struct ir_val *val = &lo->ir.vals[v];
		const bool by_const =
			val->op >= IR_ADD && val->op < IR_NEG && ir_is_const(&lo->ir, val->b);

		if (!lo->needed[v])
			continue;
		if (val->op == IR_LEN)
			lo->col[v] = COL_LEN;
		else if (by_const)
			lo->col[v] = set_col(
				lo->bld, val->op, lo->col[val->a], 0, lo->ir.vals[val->b].k);
		else if (val->op == IR_CONST || ir_is_load(val->op))
			lo->col[v] = set_col(lo->bld, val->op, lo->col[val->a], 0, val->k);
		else
			lo->col[v] = set_col(lo->bld, val->op, lo->col[val->a], lo->col[val->b], 0);
	}
}

/* a > b, where b may be a constant. */
static uint32_t greater(struct lowering *lo, uint32_t a, uint32_t b)
{
	if (ir_is_const(&lo->ir, b))
		return set_test(lo->bld, TEST_GT, lo->col[a], 0, lo->ir.vals[b].k);
	return set_test(lo->bld, TEST_GT, lo->col[a], lo->col[b], 0);
}

/* a >= b */
static uint32_t not_less(struct lowering *lo, uint32_t a, uint32_t b)
{
	if (!ir_is_const(&lo->ir, b))
		return set_choose(lo->bld, greater(lo, b, a), NODE_FALSE, NODE_TRUE);
	if (ir_is(&lo->ir, b, 0))
		return NODE_TRUE;
	return set_test(lo->bld, TEST_GT, lo->col[a], 0, lo->ir.vals[b].k - 1);
}

static uint32_t compare(struct lowering *lo, uint8_t kind, uint32_t a, uint32_t b)
{
	if (ir_is_const(&lo->ir, b))
		return set_test(lo->bld, kind, lo->col[a], 0, lo->ir.vals[b].k);
	return set_test(
		lo->bld, kind, NPF_MIN(lo->col[a], lo->col[b]), NPF_MAX(lo->col[a], lo->col[b]), 0);
}

static uint32_t in_range(struct lowering *lo, uint32_t base, uint32_t end)
{
	if (base != 0)
		return set_test(lo->bld, TEST_INR, lo->col[base], 0, end);
	return end == 0 ? NODE_TRUE : set_test(lo->bld, TEST_GT, COL_CAPLEN, 0, end - 1);
}

static uint32_t decide(struct lowering *lo, const struct ir_block *bl)
{
	const struct ir_val *val = &lo->ir.vals[bl->v];
	const struct ir_set *set;
	uint32_t t = lo->node[bl->t];
	uint32_t f = lo->node[bl->f];
	uint32_t s;

	switch (val->op) {
	case IR_EQ:
	case IR_NE:
		s = compare(lo, TEST_EQ, val->a, val->b);
		break;
	case IR_TST:
	case IR_NTST:
		s = compare(lo, TEST_TST, val->a, val->b);
		break;
	case IR_GT:
	case IR_LE:
		s = greater(lo, val->a, val->b);
		break;
	case IR_GE:
	case IR_LT:
		s = not_less(lo, val->a, val->b);
		break;
	case IR_INR:
	case IR_NINR:
		s = in_range(lo, val->a, val->k);
		break;
	case IR_IN:
	case IR_NIN:
		set = &lo->ir.sets[val->k];
		s = set_test_in(lo->bld, lo->col[val->a], set->k, set->n);
		break;
	default:
		return set_choose(lo->bld, set_test(lo->bld, TEST_GT, lo->col[bl->v], 0, 0), t, f);
	}
	/* Predicates and their negations lie in pairs. */
	if ((val->op - IR_EQ) % 2 != 0) {
		const uint32_t swap = t;

		t = f;
		f = swap;
	}
	return set_choose(lo->bld, s, t, f);
}

/* From the last block to the first: those that a block leads to come after it. */
static uint32_t make_logic(struct lowering *lo)
{
	for (uint32_t i = lo->order.n; i-- > 0;) {
		const uint32_t b = lo->order.block[i];
		const struct ir_block *bl = &lo->ir.blocks[b];

		if (bl->term == IR_RET)
			lo->node[b] = lo->ir.vals[bl->v].k != 0 ? NODE_TRUE : NODE_FALSE;
		else if (bl->term == IR_JMP)
			lo->node[b] = lo->node[bl->t];
		else
			lo->node[b] = decide(lo, bl);
	}
	return lo->node[lo->ir.entry];
}

static enum npf_filter_set_fit build(
	struct lowering *lo, const struct npf_filter_set_member *m, uint32_t mask)
{
	struct ir *ir = &lo->ir;
	int rc;

	ir_init(ir, NULL);
	ir->may_spend = MAX_WORK(m->n_insns);
	rc = ir_build(ir, m->insns, m->n_insns, m->aux, true);
	if (rc == 0)
		rc = ir_optimise(ir, 0, ir_flatten_at, mask, NULL);
	if (rc < 0) {
		lo->bld->failed |= !ir_is_too_dear(ir);
		return NPF_FILTER_SET_DEAR;
	}
	lo->needed = calloc(ir->n_vals, sizeof(*lo->needed));
	lo->col = calloc(ir->n_vals, sizeof(*lo->col));
	lo->node = calloc(ir->n_blocks, sizeof(*lo->node));
	if (lo->needed == NULL || lo->col == NULL || lo->node == NULL ||
		ir_order_init(&lo->order, ir) < 0) {
		lo->bld->failed = true;
		return NPF_FILTER_SET_DEAR;
	}
	return look(lo);
}

uint32_t set_lower(struct set_builder *bld, const struct npf_filter_set_member *m,
	enum npf_filter_set_fit *fitp, uint32_t *keepp)
{
	uint32_t node = NODE_FALSE;

	*fitp = m->n_insns > MAX_INSNS ? NPF_FILTER_SET_LONG : NPF_FILTER_SET_DEAR;
	for (size_t i = 0; i < NPF_ARRAY_LEN(masks) && *fitp == NPF_FILTER_SET_DEAR; i++) {
		struct lowering lo = {.bld = bld};

		*fitp = build(&lo, m, masks[i]);
		if (*fitp == NPF_FILTER_SET_FITS) {
			bld->full = false;
			make_columns(&lo);
			node = make_logic(&lo);
			*keepp = lo.keep;
			if (bld->full)
				*fitp = NPF_FILTER_SET_FULL;
		}
		ir_order_fini(&lo.order);
		ir_fini(&lo.ir);
		free(lo.needed);
		free(lo.col);
		free(lo.node);
	}
	return node;
}
