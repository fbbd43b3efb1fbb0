/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.c - from instructions to decisions: the program is run once, symbolically.
 *
 * Jumps only go forward, so a walk over the instructions in order meets every path into an
 * instruction before the instruction itself. Paths that arrive with the same values in all
 * registers still to be read become one block. Paths that differ are kept apart within a budget,
 * each with a copy of what follows: libpcap often shares the tails of host lists between fields.
 * Beyond the budget they join in one block, and the registers that differ go through slots.
 *
 * Every load is preceded by the decision whether it is in range, every division by a variable by
 * the decision whether it is zero; both reject the packet. Ancillary loads become constants.
 */
#include "jit/ir/ir.h"
#include "jit/ir/live.h"
#include "jit/ancillary.h"

#include <string.h>

#define MAX_VARIANTS 4 /* copies of one instruction, by the values that arrive */

/* A way into an instruction: the side of a block's branch that leads there. */
struct edge {
	uint32_t block;
	uint32_t state; /* index of the values that it carries, IR_N_SLOTS a state */
	uint32_t next;
	bool false_side;
	uint8_t group;
};

struct builder {
	struct ir *ir;
	const struct npf_bpf_insn *insns;
	uint32_t n_insns;
	const struct npf_bpf_aux *aux;
	bool share;
	uint32_t reject;
	struct {
		uint32_t k, block;
	} returns[8];
	unsigned int n_returns;
	uint32_t budget; /* blocks that may still be made by keeping ways apart */
	uint32_t *live;  /* by instruction: slots that are read from here on */
	uint32_t *first; /* by instruction: its first edge */
	bool *is_leader; /* by instruction: is jumped to */
	struct edge *edges;
	uint32_t n_edges, cap_edges;
	uint32_t *states;
	uint32_t n_states, cap_states;
	uint32_t reg[IR_N_SLOTS]; /* the values of the registers in the block being made */
	uint32_t block;
};

/* The block that returns k: one for all the returns of a value, so that what leads there is alike.
 */
static uint32_t return_block(struct builder *bld, uint32_t k)
{
	struct ir *ir = bld->ir;
	uint32_t b;

	for (unsigned int i = 0; i < bld->n_returns; i++) {
		if (bld->returns[i].k == k)
			return bld->returns[i].block;
	}
	b = ir_block_new(ir);
	if (ir->failed)
		return 0;
	ir_ret(ir, b, ir_const(ir, k));
	if (bld->n_returns < NPF_ARRAY_LEN(bld->returns)) {
		bld->returns[bld->n_returns].k = k;
		bld->returns[bld->n_returns++].block = b;
	}
	return b;
}

/* The values of now, for the edges that leave the current block. */
static uint32_t save_state(struct builder *bld)
{
	if (bld->n_states == bld->cap_states) {
		uint32_t cap = bld->cap_states == 0 ? 64 : bld->cap_states * 2;
		uint32_t *states = realloc(bld->states, cap * sizeof(bld->reg));

		if (states == NULL) {
			bld->ir->failed = true;
			return 0;
		}
		bld->states = states;
		bld->cap_states = cap;
	}
	memcpy(bld->states + (size_t)bld->n_states * IR_N_SLOTS, bld->reg, sizeof(bld->reg));
	return bld->n_states++;
}

static void add_edge(struct builder *bld, uint32_t state, bool false_side, uint32_t pc)
{
	if (bld->n_edges == bld->cap_edges) {
		uint32_t cap = bld->cap_edges == 0 ? 64 : bld->cap_edges * 2;
		struct edge *edges = realloc(bld->edges, cap * sizeof(*edges));

		if (edges == NULL) {
			bld->ir->failed = true;
			return;
		}
		bld->edges = edges;
		bld->cap_edges = cap;
	}
	bld->edges[bld->n_edges] = (struct edge){.block = bld->block,
		.state = state,
		.next = bld->first[pc],
		.false_side = false_side};
	bld->first[pc] = bld->n_edges++;
}

/* A value computed here: shared with its like, or pinned to this block. */
static uint32_t make(struct builder *bld, enum ir_op op, uint32_t a, uint32_t b, uint32_t k)
{
	uint32_t v;

	if (bld->share)
		return ir_op(bld->ir, op, a, b, 0, k);
	v = ir_fresh(bld->ir, op, a, b, k);
	ir_pin(bld->ir, bld->block, v);
	return v;
}

/* Reject the packet here unless v is 1; the walk goes on in a new block. */
static void require(struct builder *bld, uint32_t v)
{
	struct ir *ir = bld->ir;
	uint32_t next;

	if (ir->failed || ir_is(ir, v, 1))
		return;
	next = ir_block_new(ir);
	if (next == 0)
		return;
	ir_br(ir, bld->block, v, next, bld->reject);
	bld->block = next;
}

static uint32_t load(struct builder *bld, enum ir_op op, uint32_t base, uint32_t off)
{
	require(bld, ir_in_range(bld->ir, base, (uint64_t)off + ir_load_size(op)));
	return make(bld, op, base, 0, off);
}

static uint32_t load_abs(struct builder *bld, enum ir_op op, uint32_t off)
{
	uint32_t value;

	if (npf_bpf_aux_value(bld->aux, off, &value))
		return ir_const(bld->ir, value);
	return load(bld, op, 0, off);
}

static uint32_t alu(struct builder *bld, const struct npf_bpf_insn *in)
{
	static const uint8_t ops[16] = {IR_ADD, IR_SUB, IR_MUL, IR_DIV, IR_OR, IR_AND, IR_SHL,
		IR_SHR, IR_NEG, IR_MOD, IR_XOR};
	const enum ir_op op = ops[in->code >> 4];
	const uint32_t a = bld->reg[IR_SLOT_A];
	uint32_t b;

	if (op == IR_NEG)
		return make(bld, op, a, 0, 0);
	b = (in->code & 8) != 0 ? bld->reg[IR_SLOT_X] : ir_const(bld->ir, in->k);
	if ((op == IR_DIV || op == IR_MOD) && !ir_is_const(bld->ir, b))
		require(bld, make(bld, IR_NE, b, ir_const(bld->ir, 0), 0));
	else if ((op == IR_DIV || op == IR_MOD) && ir_is(bld->ir, b, 0))
		require(bld, ir_const(bld->ir, 0));
	return make(bld, op, a, b, 0);
}

static void branch(struct builder *bld, const struct npf_bpf_insn *in, uint32_t pc)
{
	static const uint8_t ops[] = {IR_EQ, IR_GT, IR_GE, IR_TST};
	const uint32_t b = (in->code & 8) != 0 ? bld->reg[IR_SLOT_X] : ir_const(bld->ir, in->k);
	uint32_t v = make(bld, ops[(in->code >> 4) - 1], bld->reg[IR_SLOT_A], b, 0);
	uint32_t state;

	if (bld->ir->failed)
		return;
	state = save_state(bld);
	if (in->jt == in->jf) {
		ir_jmp(bld->ir, bld->block, 0);
		add_edge(bld, state, false, pc + 1 + in->jt);
		return;
	}
	if (ir_is_const(bld->ir, v)) {
		const bool taken = bld->ir->vals[v].k != 0;

		ir_jmp(bld->ir, bld->block, 0);
		add_edge(bld, state, false, pc + 1 + (taken ? in->jt : in->jf));
		return;
	}
	ir_br(bld->ir, bld->block, v, 0, 1); /* the ends come when the targets do */
	add_edge(bld, state, false, pc + 1 + in->jt);
	add_edge(bld, state, true, pc + 1 + in->jf);
}

/* Run from a leader to the end of its straight line. */
static void run_line(struct builder *bld, uint32_t pc)
{
	uint32_t *a = &bld->reg[IR_SLOT_A];
	uint32_t *x = &bld->reg[IR_SLOT_X];
	uint32_t *m = &bld->reg[IR_SLOT_M];

	for (;; pc++) {
		const struct npf_bpf_insn *in = &bld->insns[pc];

		if (bld->ir->failed)
			return;
		switch ((enum npf_bpf_op)in->code) {
		case OP_LD_IMM:
			*a = ir_const(bld->ir, in->k);
			break;
		case OP_LD_W_ABS:
			*a = load_abs(bld, IR_LD32, in->k);
			break;
		case OP_LD_H_ABS:
			*a = load_abs(bld, IR_LD16, in->k);
			break;
		case OP_LD_B_ABS:
			*a = load_abs(bld, IR_LD8, in->k);
			break;
		case OP_LD_W_IND:
			*a = load(bld, IR_LD32, *x, in->k);
			break;
		case OP_LD_H_IND:
			*a = load(bld, IR_LD16, *x, in->k);
			break;
		case OP_LD_B_IND:
			*a = load(bld, IR_LD8, *x, in->k);
			break;
		case OP_LD_LEN:
			*a = ir_op(bld->ir, IR_LEN, 0, 0, 0, 0);
			break;
		case OP_LDX_LEN:
			*x = ir_op(bld->ir, IR_LEN, 0, 0, 0, 0);
			break;
		case OP_LDX_MSH:
			*x = make(
				bld, IR_AND, load(bld, IR_LD8, 0, in->k), ir_const(bld->ir, 15), 0);
			*x = make(bld, IR_SHL, *x, ir_const(bld->ir, 2), 0);
			break;
		case OP_LDX_IMM:
			*x = ir_const(bld->ir, in->k);
			break;
		case OP_LD_MEM:
			*a = m[in->k];
			break;
		case OP_LDX_MEM:
			*x = m[in->k];
			break;
		case OP_ST:
			m[in->k] = *a;
			break;
		case OP_STX:
			m[in->k] = *x;
			break;
		case OP_TAX:
			*x = *a;
			break;
		case OP_TXA:
			*a = *x;
			break;
		case OP_RET_K:
			ir_jmp(bld->ir, bld->block, return_block(bld, in->k));
			return;
		case OP_RET_A:
			ir_ret(bld->ir, bld->block, *a);
			return;
		case OP_JA:
			ir_jmp(bld->ir, bld->block, 0);
			add_edge(bld, save_state(bld), false, pc + 1 + in->k);
			return;
		default:
			if (npf_bpf_is_jump(in->code)) {
				branch(bld, in, pc);
				return;
			}
			*a = alu(bld, in);
			break;
		}
		if (bld->is_leader[pc + 1]) {
			ir_jmp(bld->ir, bld->block, 0);
			add_edge(bld, save_state(bld), false, pc + 1);
			return;
		}
	}
}

/* Sort the edges into groups that bring the same live values; the number of groups. */
static unsigned int group_edges(struct builder *bld, uint32_t pc, uint32_t leaders[MAX_VARIANTS])
{
	const uint32_t live = bld->live[pc];
	unsigned int n = 0;

	for (uint32_t e = bld->first[pc]; e != 0; e = bld->edges[e].next) {
		const uint32_t *mine = bld->states + (size_t)bld->edges[e].state * IR_N_SLOTS;
		unsigned int g;

		for (g = 0; g < n; g++) {
			const uint32_t *its = bld->states + (size_t)leaders[g] * IR_N_SLOTS;
			bool equal = true;

			for (uint32_t rest = live; rest != 0 && equal; rest &= rest - 1) {
				unsigned int slot = (unsigned int)__builtin_ctz(rest);

				equal = mine[slot] == its[slot];
			}
			if (equal)
				break;
		}
		if (g == MAX_VARIANTS || (g == n && g > 0 && bld->budget == 0))
			return MAX_VARIANTS + 1;
		if (g == n) {
			if (n > 0)
				bld->budget--;
			leaders[n++] = bld->edges[e].state;
		}
		bld->edges[e].group = (uint8_t)g;
	}
	return n;
}

static void attach(struct builder *bld, const struct edge *e, uint32_t to)
{
	if (e->false_side)
		bld->ir->blocks[e->block].f = to;
	else
		bld->ir->blocks[e->block].t = to;
}

/* All edges meet in one block; what differs goes through slots. */
static void join_through_slots(struct builder *bld, uint32_t pc, uint32_t block)
{
	const uint32_t head = bld->first[pc];

	memcpy(bld->reg, bld->states + (size_t)bld->edges[head].state * IR_N_SLOTS,
		sizeof(bld->reg));
	for (uint32_t rest = bld->live[pc]; rest != 0; rest &= rest - 1) {
		const unsigned int slot = (unsigned int)__builtin_ctz(rest);
		bool differ = false;

		for (uint32_t e = head; e != 0; e = bld->edges[e].next)
			differ |= bld->states[(size_t)bld->edges[e].state * IR_N_SLOTS + slot] !=
				  bld->reg[slot];
		if (!differ)
			continue;
		for (uint32_t e = head; e != 0; e = bld->edges[e].next)
			ir_pin(bld->ir, bld->edges[e].block,
				ir_fresh(bld->ir, IR_SET,
					bld->states[(size_t)bld->edges[e].state * IR_N_SLOTS +
						    slot],
					0, slot));
		bld->reg[slot] = ir_fresh(bld->ir, IR_GET, 0, 0, slot);
		ir_pin(bld->ir, block, bld->reg[slot]);
	}
	for (uint32_t e = head; e != 0; e = bld->edges[e].next)
		attach(bld, &bld->edges[e], block);
}

static void build_leader(struct builder *bld, uint32_t pc)
{
	uint32_t leaders[MAX_VARIANTS];
	unsigned int n = group_edges(bld, pc, leaders);

	if (n > (bld->share ? MAX_VARIANTS : 1)) {
		uint32_t block = ir_block_new(bld->ir);

		if (bld->ir->failed)
			return;
		join_through_slots(bld, pc, block);
		bld->block = block;
		run_line(bld, pc);
		return;
	}
	for (unsigned int g = 0; g < n; g++) {
		uint32_t block = ir_block_new(bld->ir);

		if (bld->ir->failed)
			return;
		for (uint32_t e = bld->first[pc]; e != 0; e = bld->edges[e].next) {
			if (bld->edges[e].group == g)
				attach(bld, &bld->edges[e], block);
		}
		memcpy(bld->reg, bld->states + (size_t)leaders[g] * IR_N_SLOTS, sizeof(bld->reg));
		bld->block = block;
		run_line(bld, pc);
	}
}

int ir_build(struct ir *ir, const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux, bool share)
{
	struct builder bld = {
		.ir = ir,
		.insns = insns,
		.n_insns = n_insns,
		.aux = aux,
		.share = share,
		.budget = 2 * n_insns + 64,
		.live = calloc(n_insns, sizeof(uint32_t)),
		.first = calloc(n_insns, sizeof(uint32_t)),
		.is_leader = calloc(n_insns + 1, sizeof(bool)),
		.n_edges = 1, /* 0 is none */
		.cap_edges = 64,
		.edges = malloc(64 * sizeof(struct edge)),
	};

	if (bld.live == NULL || bld.first == NULL || bld.is_leader == NULL || bld.edges == NULL)
		ir->failed = true;
	if (!ir->failed) {
		uint32_t zero = ir_const(ir, 0);

		ir_find_live(insns, n_insns, bld.live, bld.is_leader);
		bld.reject = return_block(&bld, 0);
		ir->entry = bld.block = ir_block_new(ir);
		for (unsigned int i = 0; i < IR_N_SLOTS; i++)
			bld.reg[i] = zero;
		if (!ir->failed)
			run_line(&bld, 0);
		for (uint32_t pc = 1; pc < n_insns && !ir->failed; pc++) {
			if (bld.first[pc] != 0)
				build_leader(&bld, pc);
		}
	}
	free(bld.live);
	free(bld.first);
	free(bld.is_leader);
	free(bld.edges);
	free(bld.states);
	return ir->failed ? -ENOMEM : 0;
}
