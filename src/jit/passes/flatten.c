/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flatten.c - branches become logic: a part of the DAG becomes one expression for its result.
 *
 * A mispredicted branch costs as much as twenty instructions, and on mixed traffic a filter's
 * branches are often mispredicted. So the result of a block is written as a choice between the
 * results of its successors, from the returns backward, and simplifies to ANDs and ORs of
 * predicates without a branch.
 *
 * All loads are then made for every packet, so they must be in range by other means:
 * - fixed offsets: one check, hoisted in front, of the farthest byte that any of them needs;
 * - offsets from a variable: where the farthest byte from it is out of range the base is taken as
 *   0, which the hoisted check covers, and the check itself becomes one more predicate;
 * - for a packet that ends between the nearest and the farthest byte needed from one base the
 * result would be wrong: one test sends it to the slow path. The slow path are the branches as they
 * were. It gets truncated packets, and short ones of other protocols.
 *
 * A part is all that can be reached from its head. It becomes logic, or its head stays a branch
 * with parts of their own behind it: whichever costs less on average. A branch that mostly goes to
 * an early return (`vlan` on a network with few tags) costs less than logic that computes all the
 * rest. guess() estimates how often it does.
 */
#include "jit/ir/ir.h"

#include <string.h>

#define MAX_COST   170 /* instructions, about */
#define MISS_COST  90  /* what a mispredicted branch costs, in instructions */
#define MARGIN     2   /* guesses are guesses: a branch must look that much cheaper */
#define MAX_BLOCKS 128
#define MAX_BASES  8
#define MAX_HOIST  64 /* don't demand more bytes of all packets; 60 is the shortest frame */

/* A variable that loads are made from. */
struct base {
	uint32_t v;        /* as it was */
	uint32_t clamped;  /* as it is now: 0 where it is too far */
	uint32_t checked;  /* the value that was clamped */
	uint32_t min, max; /* bytes from it that are needed at least, at most */
	bool has_check;
};

struct flat {
	struct ir *ir;
	uint32_t n_blocks;
	uint32_t blocks[MAX_BLOCKS]; /* as they were found */
	unsigned int cost;
	uint32_t hoist; /* bytes that one check in front will cover */
	uint32_t limit; /* and may cover */
	uint32_t keep;  /* the only result other than 0, if there is only one */
	bool many_keeps;
	bool gives_up;
	unsigned int n_bases;
	struct base bases[MAX_BASES];
	uint32_t stamp;
	uint32_t *block_of; /* by block: stamp of the head that found it */
	uint32_t *result;   /* by block: its result as a value */
	uint32_t *seen;     /* by value: stamp */
	uint32_t *moved;    /* by value: its copy, */
	uint32_t *moved_at; /* which is valid for this stamp */
};

static struct base *find_base(struct flat *f, uint32_t v)
{
	for (unsigned int i = 0; i < f->n_bases; i++) {
		if (f->bases[i].v == v)
			return &f->bases[i];
	}
	if (f->n_bases == MAX_BASES) {
		f->gives_up = true;
		return NULL;
	}
	f->bases[f->n_bases] = (struct base){.v = v, .min = UINT32_MAX};
	return &f->bases[f->n_bases++];
}

static void need_from_base(struct flat *f, uint32_t v, uint64_t end, bool is_check)
{
	struct base *base = find_base(f, v);

	if (base == NULL)
		return;
	if (end > f->limit) {
		f->gives_up = true;
		return;
	}
	base->min = NPF_MIN(base->min, (uint32_t)end);
	base->max = NPF_MAX(base->max, (uint32_t)end);
	base->has_check |= is_check;
}

/* Count v and what it needs, note what its loads need. Depth is bounded by the cost. */
static void study(struct flat *f, uint32_t v)
{
	static const uint8_t costs[IR_N_OPS] = {
		[IR_LEN] = 1,
		[IR_LD8] = 1,
		[IR_LD16] = 2,
		[IR_LD32] = 2,
		[IR_RAW16] = 1,
		[IR_RAW32] = 1,
		[IR_MUL] = 2,
		[IR_SHL] = 2,
		[IR_SHR] = 2,
		[IR_INR] = 3,
		[IR_NINR] = 3,
		[IR_IN] = 7,
		[IR_NIN] = 7,
		[IR_WIN] = 5,
		[IR_NWIN] = 5,
		[IR_BTW] = 4,
		[IR_NBTW] = 4,
		[IR_SEL] = 3,
	};
	const struct ir_val *val = &f->ir->vals[v];

	ir_spend(f->ir, 1);
	if (v == 0 || f->gives_up || f->seen[v] == f->stamp)
		return;
	f->seen[v] = f->stamp;
	f->cost += costs[val->op] != 0 ? costs[val->op] : val->op == IR_CONST ? 0 : 2;
	if (val->pinned || val->op == IR_DIV || val->op == IR_MOD || f->cost > MAX_COST) {
		f->gives_up = true;
		return;
	}
	if (ir_is_load(val->op) && val->a != 0)
		need_from_base(f, val->a, (uint64_t)val->k + ir_load_size(val->op), false);
	if ((val->op == IR_INR || val->op == IR_NINR) && val->a != 0)
		need_from_base(f, val->a, val->k, true);
	if ((val->op == IR_INR || val->op == IR_NINR) && val->a == 0) {
		if (val->k > f->limit)
			f->gives_up = true;
		else
			f->hoist = NPF_MAX(f->hoist, val->k);
	}
	study(f, val->a);
	study(f, val->b);
	study(f, val->c);
}

static void study_return(struct flat *f, uint32_t v)
{
	if (!ir_is_const(f->ir, v)) {
		f->many_keeps = true;
		study(f, v);
	} else if (f->ir->vals[v].k != 0) {
		if (f->keep != 0 && f->keep != f->ir->vals[v].k)
			f->many_keeps = true;
		f->keep = f->ir->vals[v].k;
	}
}

/* Find what the head can reach; false: too much, not of the kind, or searched enough already. */
static bool gather(struct flat *f, uint32_t head)
{
	struct ir *ir = f->ir;
	const struct ir_val *first = &ir->vals[ir->blocks[head].v];
	bool any_check = false;

	if (!ir_may_search(ir))
		return false;
	f->stamp++;
	f->n_blocks = 0;
	f->n_bases = 0;
	f->cost = 0;
	f->hoist = 0;
	f->keep = 0;
	f->many_keeps = false;
	f->gives_up = false;
	/* Where the head itself asks for more than the usual, more may be asked in front. */
	f->limit = MAX_HOIST;
	if (ir->blocks[head].term == IR_BR && first->op == IR_INR && first->a == 0)
		f->limit = NPF_MAX(f->limit, first->k);

	f->blocks[f->n_blocks++] = head;
	f->block_of[head] = f->stamp;
	for (uint32_t i = 0; i < f->n_blocks && !f->gives_up; i++) {
		const struct ir_block *bl = &ir->blocks[f->blocks[i]];
		const uint32_t to[2] = {bl->t, bl->f};
		const unsigned int n_to = bl->term == IR_BR ? 2 : bl->term == IR_JMP ? 1 : 0;

		if (bl->pin != 0)
			return false;
		ir_spend(ir, 1);
		f->cost += bl->term == IR_BR;
		if (bl->term == IR_BR)
			study(f, bl->v);
		else if (bl->term == IR_RET)
			study_return(f, bl->v);
		for (unsigned int j = 0; j < n_to; j++) {
			if (f->block_of[to[j]] == f->stamp)
				continue;
			if (f->n_blocks == MAX_BLOCKS)
				return false;
			f->block_of[to[j]] = f->stamp;
			f->blocks[f->n_blocks++] = to[j];
		}
	}
	/*
	 * With its base taken as 0 a load must be covered by the hoisted check. A base that was
	 * checked before the head may depend on one that is clamped here: then it is checked again.
	 */
	for (unsigned int i = 0; i < f->n_bases; i++)
		any_check |= f->bases[i].has_check;
	for (unsigned int i = 0; i < f->n_bases && any_check; i++) {
		f->bases[i].has_check = true;
		f->hoist = NPF_MAX(f->hoist, f->bases[i].max);
	}
	return !f->gives_up && f->n_blocks > 1;
}

/* v as it is computed in the flat block. */
static uint32_t move(struct flat *f, uint32_t v)
{
	struct ir *ir = f->ir;
	struct ir_val val = ir->vals[v];
	struct base *base = NULL;
	uint32_t to;

	if (v == 0 || val.op == IR_CONST || ir->failed)
		return v;
	if (f->moved_at[v] == f->stamp)
		return f->moved[v];
	for (unsigned int i = 0; i < f->n_bases && val.a != 0; i++) {
		if (f->bases[i].v == val.a && f->bases[i].has_check)
			base = &f->bases[i];
	}
	val.a = move(f, val.a);
	val.b = move(f, val.b);
	val.c = move(f, val.c);
	if (base != NULL && base->checked == 0) {
		base->checked = val.a;
		base->clamped =
			ir_sel(ir, ir_in_range(ir, val.a, base->max), val.a, ir_const(ir, 0));
	}
	if (base != NULL && ir_is_load(val.op))
		val.a = base->clamped;
	else if (base != NULL && (val.op == IR_INR || val.op == IR_NINR))
		val.k = base->max;
	if ((val.op == IR_INR || val.op == IR_NINR) && val.a == 0)
		to = ir_const(ir, val.op == IR_INR);
	else
		to = ir_op(ir, val.op, val.a, val.b, val.c, val.k);
	f->moved[v] = to;
	f->moved_at[v] = f->stamp;
	return to;
}

/* The test for packets that end where one check would pass and another fail. */
static uint32_t ends_between(struct flat *f)
{
	struct ir *ir = f->ir;
	uint32_t any = 0;

	for (unsigned int i = 0; i < f->n_bases; i++) {
		const struct base *base = &f->bases[i];
		uint32_t v;

		if (!base->has_check || base->min == base->max || base->checked == 0)
			continue;
		/* Not possible where the hoisted check covers the base at its greatest. */
		if ((uint64_t)ir->vals[base->checked].max + base->max <= f->hoist)
			continue;
		v = ir_op(ir, IR_BTW, base->checked, ir_const(ir, base->max), 0, base->min);
		any = any == 0 ? v : ir_op2(ir, IR_OR, any, v);
	}
	return any;
}

/* The flat form of what was gathered; the block to enter instead of the head. */
static uint32_t flatten(struct flat *f, const struct ir_order *o, uint32_t head)
{
	struct ir *ir = f->ir;
	const bool logic = !f->many_keeps;
	uint32_t body, in, between, v;

	/* Successors before predecessors. */
	for (uint32_t i = 1; i < f->n_blocks; i++) {
		uint32_t b = f->blocks[i];
		uint32_t j;

		for (j = i; j > 0 && o->pos[f->blocks[j - 1]] < o->pos[b]; j--)
			f->blocks[j] = f->blocks[j - 1];
		ir_spend(ir, i - j);
		f->blocks[j] = b;
	}
	for (uint32_t i = 0; i < f->n_blocks && !ir->failed; i++) {
		const struct ir_block bl = ir->blocks[f->blocks[i]];

		if (bl.term == IR_JMP)
			v = f->result[bl.t];
		else if (bl.term == IR_BR)
			v = ir_sel(ir, move(f, bl.v), f->result[bl.t], f->result[bl.f]);
		else if (logic)
			v = ir_const(ir, ir->vals[bl.v].k != 0);
		else
			v = move(f, bl.v);
		f->result[f->blocks[i]] = v;
	}
	if (ir->failed)
		return 0;
	v = f->result[head];
	if (logic)
		v = ir_sel(ir, v, ir_const(ir, f->keep), ir_const(ir, 0));
	between = ends_between(f);
	body = ir_block_new(ir);
	if (ir->failed)
		return 0;
	ir_ret(ir, body, v);
	if (between != 0) {
		in = ir_block_new(ir);
		if (ir->failed)
			return 0;
		ir_br(ir, in, ir_not(ir, between), body, head);
		body = in;
	}
	if (f->hoist != 0) {
		in = ir_block_new(ir);
		v = ir_in_range(ir, 0, f->hoist);
		if (ir->failed)
			return 0;
		ir_br(ir, in, v, body, head);
		body = in;
	}
	return body;
}

static void redirect(struct ir *ir, uint32_t n_old, const uint32_t *instead)
{
	for (uint32_t b = 1; b < n_old; b++) {
		struct ir_block *bl = &ir->blocks[b];

		if (instead[bl->t] != 0)
			bl->t = instead[bl->t];
		if (instead[bl->f] != 0)
			bl->f = instead[bl->f];
	}
	if (instead[ir->entry] != 0)
		ir->entry = instead[ir->entry];
}

/*
 * How often, of 1000 times, a predicate is true. Filters look at few things, and traffic is mostly
 * TCP and UDP over IPv4 and IPv6; one value of a port or an address is rare.
 */
static uint32_t guess(const struct ir *ir, uint32_t v)
{
	const struct ir_val *val = &ir->vals[v];
	const struct ir_val *a = &ir->vals[val->a];
	const uint32_t k = ir->vals[val->b].k;

	switch ((enum ir_op)val->op) {
	case IR_INR:
		return 1000; /* hardly ever false: a check costs its instructions only */
	case IR_EQ:
		break;
	case IR_IN:
		return 50;
	case IR_TST:
		return (k & 0x1fff) == 0x1fff || k == 0xff1f ? 20 : 400; /* fragments are rare */
	default:
		return 500;
	}
	if (!ir_is_const(ir, val->b))
		return 300;
	if (a->max == UINT16_MAX)
		return k == 0x800 || k == 0x0008 ? 650 : k == 0x86dd || k == 0xdd86 ? 200 : 50;
	if (a->max == UINT8_MAX)
		return k == 6 ? 550 : k == 17 ? 350 : 50;
	return a->max > UINT16_MAX ? 20 : 300;
}

/* What the cheaper form of each block costs, and whether that is the flat one. */
static void plan(struct flat *f, const struct ir_order *o, uint32_t *best, bool *is_flat)
{
	const struct ir *ir = f->ir;

	for (uint32_t i = o->n; i-- > 0;) {
		const uint32_t b = o->block[i];
		const struct ir_block *bl = &ir->blocks[b];
		uint32_t often, branch;

		if (bl->term == IR_RET) {
			best[b] = 3;
			continue;
		}
		if (bl->term == IR_JMP) {
			best[b] = best[bl->t];
			is_flat[b] = is_flat[bl->t] && bl->pin == 0;
			continue;
		}
		often = guess(ir, bl->v);
		branch =
			3 + (uint32_t)(((uint64_t)best[bl->t] * often +
					       (uint64_t)best[bl->f] * (1000 - often) +
					       (uint64_t)MISS_COST * NPF_MIN(often, 1000 - often)) /
				       1000);
		is_flat[b] = gather(f, b) && f->cost <= MARGIN * branch;
		best[b] = is_flat[b] ? f->cost : branch;
	}
}

int ir_pass_flatten(struct ir *ir)
{
	const uint32_t n_old = ir->n_blocks;
	npf_autofree uint32_t *instead = calloc(n_old, sizeof(*instead));
	npf_autofree bool *is_head = calloc(n_old, sizeof(*is_head));
	npf_autofree bool *is_flat = calloc(n_old, sizeof(*is_flat));
	npf_autofree uint32_t *best = calloc(n_old, sizeof(*best));
	npf_autofree uint32_t *block_of = calloc(n_old, sizeof(*block_of));
	npf_autofree uint32_t *result = calloc(n_old, sizeof(*result));
	npf_autofree uint32_t *seen = calloc(ir->n_vals, sizeof(*seen));
	npf_autofree uint32_t *moved = calloc(ir->n_vals, sizeof(*moved));
	npf_autofree uint32_t *moved_at = calloc(ir->n_vals, sizeof(*moved_at));
	ir_fold_fn *const fold = ir->fold;
	struct flat f = {
		.ir = ir,
		.block_of = block_of,
		.result = result,
		.seen = seen,
		.moved = moved,
		.moved_at = moved_at,
	};
	struct ir_order o;

	if (instead == NULL || is_head == NULL || is_flat == NULL || best == NULL ||
		block_of == NULL || result == NULL || seen == NULL || moved == NULL ||
		moved_at == NULL || ir_order_init_counted(&o, ir) < 0)
		return -ENOMEM;
	ir->fold = ir_simplify; /* a choice between predicates only becomes logic by folding */
	plan(&f, &o, best, is_flat);
	is_head[ir->entry] = true;
	for (uint32_t i = 0; i < o.n && !ir->failed; i++) {
		const uint32_t b = o.block[i];
		const struct ir_block *bl = &ir->blocks[b];

		if (!is_head[b] || bl->term == IR_RET)
			continue;
		if (is_flat[b] && gather(&f, b)) {
			instead[b] = flatten(&f, &o, b);
		} else {
			is_head[bl->t] = true;
			if (bl->term == IR_BR)
				is_head[bl->f] = true;
		}
	}
	ir->fold = fold;
	if (!ir->failed)
		redirect(ir, n_old, instead);
	ir_order_fini(&o);
	return ir->failed ? -ENOMEM : 0;
}
