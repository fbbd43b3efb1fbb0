/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passes.c - the list of passes, in the order in which they run, and the smaller ones.
 *
 * Each pass leaves a program that gives the same result on every packet, and can be left out; the
 * tests run the passes one by one and together. The larger passes have files of their own.
 */
#include "jit/ir/ir.h"

#include <string.h>

/* What a pass may search for each block. Filters in use take a third of it. */
#define SEARCH         128
#define FLATTEN_SEARCH 1024 /* each block is tried as the head of a part */

const struct ir_pass ir_passes[] = {
	{"fold", "constants folded, algebra simplified", ir_pass_fold, SEARCH},
	{"checks", "length checks that earlier ones cover removed", ir_pass_checks, SEARCH},
	{"chains", "chains of equal-compares made lookups in sets", ir_pass_chains, SEARCH},
	{"thread", "decisions that earlier ones settle jumped over", ir_pass_thread, SEARCH},
	{"chains", "chains that came into view made lookups", ir_pass_chains, SEARCH},
	{"netorder", "compares done on the bytes as they lie in the packet", ir_pass_netorder,
		SEARCH},
	{"sweep", "jumps to jumps and unused values removed", ir_pass_sweep, SEARCH},
	{"flatten", "branches made logic, length checks hoisted into one", ir_pass_flatten,
		FLATTEN_SEARCH},
	{"windows", "compares of neighbouring bytes merged", ir_pass_windows, SEARCH},
	{"sweep", "the rest tidied up", ir_pass_sweep, SEARCH},
};
const unsigned int ir_n_passes = NPF_ARRAY_LEN(ir_passes);
const unsigned int ir_flatten_at = 7;
_Static_assert(NPF_ARRAY_LEN(ir_passes) == 10, "ir_flatten_at is the number of flatten");

int ir_optimise(struct ir *ir, unsigned int from, unsigned int to, uint32_t mask,
	const struct ir_watch *watch)
{
	for (unsigned int i = from; i < to; i++) {
		int rc;

		if ((mask & (1u << i)) == 0)
			continue;
		ir->may_search = ir->spent + ir_passes[i].search * ((uint64_t)ir->n_blocks + 64);
		rc = ir_passes[i].run(ir);
		if (rc == 0 && ir_is_too_dear(ir))
			rc = -E2BIG;
		if (rc < 0)
			return rc;
		if (watch != NULL)
			watch->seen(watch->ctx, ir_passes[i].name, ir);
	}
	return 0;
}

static uint32_t remake(struct ir *ir, const struct ir_val *val)
{
	return ir_op(ir, val->op, val->a, val->b, val->c, val->k);
}

int ir_pass_fold(struct ir *ir)
{
	ir->fold = ir_simplify;
	return ir_rewrite(ir, remake);
}

/*
 * Length checks against constants: the least and the greatest caplen on any way to each block,
 * exact over the whole DAG. Checks from a variable base: the facts on the way.
 */
int ir_pass_checks(struct ir *ir)
{
	npf_autofree uint32_t *least = malloc(ir->n_blocks * sizeof(*least));
	npf_autofree uint32_t *most = calloc(ir->n_blocks, sizeof(*most));
	struct ir_order o;

	if (least == NULL || most == NULL || ir_order_init_counted(&o, ir) < 0)
		return -ENOMEM;
	memset(least, 0xff, ir->n_blocks * sizeof(*least));
	least[ir->entry] = 0;
	most[ir->entry] = UINT32_MAX;
	for (uint32_t i = 0; i < o.n; i++) {
		const uint32_t b = o.block[i];
		struct ir_block *bl = &ir->blocks[b];
		const struct ir_val *val = &ir->vals[bl->v];
		uint32_t least_t = least[b], most_t = most[b];
		uint32_t least_f = least[b], most_f = most[b];

		if (bl->term == IR_RET)
			continue;
		if (bl->term == IR_BR && val->op == IR_INR && val->a == 0) {
			/* Beyond a check that can't go this way both bounds cross: no harm. */
			if (least[b] >= val->k) {
				ir_jmp(ir, b, bl->t);
			} else if (most[b] < val->k) {
				ir_jmp(ir, b, bl->f);
			} else {
				least_t = val->k;
				most_f = val->k - 1;
			}
		} else if (bl->term == IR_BR && (val->op == IR_INR || val->op == IR_NINR)) {
			int known = ir_decide(ir, &o, b, -1, bl->v);

			if (known >= 0)
				ir_jmp(ir, b, known != 0 ? bl->t : bl->f);
		}
		least[bl->t] = NPF_MIN(least[bl->t], least_t);
		most[bl->t] = NPF_MAX(most[bl->t], most_t);
		if (bl->term == IR_BR) {
			least[bl->f] = NPF_MIN(least[bl->f], least_f);
			most[bl->f] = NPF_MAX(most[bl->f], most_f);
		}
	}
	ir_order_fini(&o);
	return 0;
}

/* Where control goes that enters `to` from b's side: past all that is known on this way. */
static uint32_t thread_edge(
	struct ir *ir, const struct ir_order *o, uint32_t b, int side, uint32_t to)
{
	for (unsigned int i = 0; i < 64 && ir_may_search(ir); i++) {
		const struct ir_block *bl = &ir->blocks[to];
		int known;

		ir_spend(ir, 1);

		if (bl->pin != 0 || bl->term == IR_RET)
			break;
		if (bl->term == IR_JMP) {
			to = bl->t;
			continue;
		}
		known = ir_decide(ir, o, b, side, bl->v);
		if (known < 0)
			break;
		to = known != 0 ? bl->t : bl->f;
	}
	return to;
}

int ir_pass_thread(struct ir *ir)
{
	struct ir_order o;

	if (ir_order_init_counted(&o, ir) < 0)
		return -ENOMEM;
	/*
	 * Redirecting an edge past x to y adds a way into y, but takes nothing from what dominators
	 * say there: the new way knows x's decision and lies below all that dominates x.
	 */
	for (uint32_t i = 0; i < o.n; i++) {
		const uint32_t b = o.block[i];
		struct ir_block *bl = &ir->blocks[b];
		int known;

		if (bl->term == IR_RET)
			continue;
		known = bl->term == IR_BR ? ir_decide(ir, &o, b, -1, bl->v) : -1;
		if (known >= 0)
			ir_jmp(ir, b, known != 0 ? bl->t : bl->f);
		if (bl->term == IR_JMP)
			ir_jmp(ir, b, thread_edge(ir, &o, b, -1, bl->t));
		else
			ir_br(ir, b, bl->v, thread_edge(ir, &o, b, 1, bl->t),
				thread_edge(ir, &o, b, 0, bl->f));
	}
	ir_order_fini(&o);
	return 0;
}

/* A constant as its bytes lie in a packet. */
static uint32_t swapped(enum ir_op load, uint32_t k)
{
	return load == IR_LD16 ? __builtin_bswap16((uint16_t)k) : __builtin_bswap32(k);
}

static bool has_raw(const struct ir *ir, uint32_t v)
{
	return ir->vals[v].op == IR_LD16 || ir->vals[v].op == IR_LD32;
}

static uint32_t raw_of(struct ir *ir, uint32_t v)
{
	const struct ir_val val = ir->vals[v];

	return ir_load(ir, val.op == IR_LD16 ? IR_RAW16 : IR_RAW32, val.a, val.k);
}

/* Predicates that don't care for the order of bytes, on a load or its masked bits. */
static uint32_t make_netorder(struct ir *ir, const struct ir_val *val)
{
	const struct ir_val a = ir->vals[val->a];
	const struct ir_val b = ir->vals[val->b];
	const bool masked = a.op == IR_AND && !a.pinned && has_raw(ir, a.a) && ir_is_const(ir, a.b);
	const uint32_t load = masked ? a.a : val->a;
	const enum ir_op size = ir->vals[load].op;
	uint32_t x;

	if (!has_raw(ir, load))
		return remake(ir, val);
	switch ((enum ir_op)val->op) {
	case IR_EQ:
	case IR_NE:
	case IR_TST:
	case IR_NTST:
		if (b.op != IR_CONST || (size == IR_LD16 && b.k > UINT16_MAX) ||
			(masked && size == IR_LD16 && ir->vals[a.b].k > UINT16_MAX))
			return remake(ir, val);
		break;
	case IR_IN:
	case IR_NIN:
		if (size == IR_LD16 &&
			(ir->sets[val->k].k[ir->sets[val->k].n - 1] > UINT16_MAX || masked))
			return remake(ir, val);
		break;
	default:
		return remake(ir, val);
	}
	x = raw_of(ir, load);
	if (masked)
		x = ir_op2(ir, IR_AND, x, ir_const(ir, swapped(size, ir->vals[a.b].k)));
	if (val->op == IR_IN || val->op == IR_NIN) {
		const uint32_t n = ir->sets[val->k].n;
		uint32_t *k = malloc(n * sizeof(*k));
		uint32_t set;

		if (k == NULL) {
			ir->failed = true;
			return 0;
		}
		for (uint32_t i = 0; i < n; i++)
			k[i] = swapped(size, ir->sets[val->k].k[i]);
		set = ir_set_new(ir, k, n);
		return ir_op(ir, val->op, x, 0, 0, set);
	}
	return ir_op2(ir, val->op, x, ir_const(ir, swapped(size, b.k)));
}

int ir_pass_netorder(struct ir *ir)
{
	return ir_rewrite(ir, make_netorder);
}

/* Jumps to jumps, and pinned values that nobody needs. */
int ir_pass_sweep(struct ir *ir)
{
	npf_autofree uint32_t *n_uses = calloc(ir->n_vals, sizeof(*n_uses));
	struct ir_order o;
	int rc;

	rc = ir_pass_checks(ir);
	if (rc == 0)
		rc = ir_pass_thread(ir);
	if (rc < 0)
		return rc;
	if (n_uses == NULL || ir_order_init_counted(&o, ir) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < o.n; i++) {
		const struct ir_block *bl = &ir->blocks[o.block[i]];

		if (bl->term != IR_JMP)
			n_uses[bl->v]++;
		for (uint32_t p = bl->pin; p != 0; p = ir->pins[p].next)
			n_uses[ir->pins[p].v] += ir->vals[ir->pins[p].v].op == IR_SET;
	}
	for (uint32_t v = ir->n_vals; v-- > 1;) {
		if (n_uses[v] != 0) {
			n_uses[ir->vals[v].a]++;
			n_uses[ir->vals[v].b]++;
			n_uses[ir->vals[v].c]++;
		}
	}
	for (uint32_t i = 0; i < o.n; i++) {
		struct ir_block *bl = &ir->blocks[o.block[i]];
		uint32_t *link = &bl->pin;

		bl->last = 0;
		for (uint32_t p = bl->pin; p != 0; p = ir->pins[p].next) {
			if (n_uses[ir->pins[p].v] == 0)
				continue;
			*link = p;
			link = &ir->pins[p].next;
			bl->last = p;
		}
		*link = 0;
	}
	ir_order_fini(&o);
	return ir->failed ? -ENOMEM : 0;
}
