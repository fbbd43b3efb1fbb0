/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shape.c - a program is a row of units. Each computes a value or two, tests them and goes to the
 * next unit, to a later one or to one of a few returns.
 *
 * Conditional jumps reach 255 instructions. In a short program they go straight to where they
 * lead, so that tails are shared; in a long one they go to a jump behind the unit.
 */
#include "conformance/shape_priv.h"

#include <string.h>

static void jump(struct maker *m, enum side side, uint32_t label)
{
	if (label != NEXT)
		m->jumps[m->n_jumps++] = (struct jump){m->n - 1, label, side};
}

static void branch(struct maker *m, uint32_t code, uint32_t k, uint32_t if_true, uint32_t if_false)
{
	insn(m, code, k);
	jump(m, IF_TRUE, if_true);
	jump(m, IF_FALSE, if_false);
}

static void jump_always(struct maker *m, uint32_t label)
{
	if (label == NEXT)
		return;
	insn(m, OP_JA, 0);
	jump(m, ALWAYS, label);
}

/* One value against a list, all of it or a part, forward or backward. */
static void chain(struct maker *m, uint32_t hit, uint32_t miss)
{
	const uint32_t p = gen_below(m->g, N_POOLS);
	const uint32_t n = one_in(m, 4) ? 1 + gen_below(m->g, m->n_pool[p]) : m->n_pool[p];
	const bool backward = one_in(m, 4);

	shape_value(m);
	for (uint32_t i = 0; i < n; i++)
		branch(m, OP_JEQ_K, m->pool[p][backward ? n - 1 - i : i], hit, NEXT);
	jump_always(m, miss);
}

/* One list, all of it, for two values, which may be of different ranges. */
static void twins(struct maker *m, uint32_t hit, uint32_t miss)
{
	const uint32_t p = gen_below(m->g, N_POOLS);

	for (uint32_t twin = 0; twin < 2; twin++) {
		if (one_in(m, 2))
			shape_field(m, &m->fields[twin]);
		else
			shape_value(m);
		for (uint32_t i = 0; i < m->n_pool[p]; i++)
			branch(m, OP_JEQ_K, m->pool[p][i], hit, NEXT);
	}
	jump_always(m, miss);
}

/* Two values in turn, or one of them loaded again, as `host a or host b` does it. */
static void mixed_chain(struct maker *m, uint32_t hit, uint32_t miss)
{
	const uint32_t p = gen_below(m->g, N_POOLS);
	const uint32_t n = NPF_MIN(m->n_pool[p], 24u);

	for (uint32_t i = 0; i < n; i++) {
		const struct field *f = &m->fields[one_in(m, 2)];

		shape_field(m, f);
		branch(m, OP_JEQ_K, m->pool[p][i], hit, NEXT);
	}
	jump_always(m, miss);
}

/* Compares of bytes that lie side by side. */
static void conjunction(struct maker *m, uint32_t hit, uint32_t miss)
{
	const bool is_indirect = one_in(m, 3);
	const uint32_t off = m->first_off + gen_below(m->g, m->span);
	const uint32_t n = 2 + gen_below(m->g, 5);
	const uint32_t wrong = miss == NEXT ? hit : miss;
	const uint32_t again = one_in(m, 3) ? 4 + gen_below(m->g, 10) : 0; /* further on */
	uint32_t begin;

	if (one_in(m, 3))
		shape_base(m);
	begin = m->n;
	for (uint32_t i = 0; i < n; i++) {
		insn(m,
			PICK(m->g, OP_LD_B_ABS, OP_LD_B_ABS, OP_LD_H_ABS, OP_LD_W_ABS) +
				(is_indirect != one_in(m, 6) ? OP_LD_W_IND - OP_LD_W_ABS : 0),
			off + gen_below(m->g, 8));
		if (one_in(m, 3))
			insn(m, OP_AND_K,
				PICK(m->g, 0xf, 0xf0, 0x1fff, 0xff00, 0xffff, 0xfffffff0));
		if (one_in(m, 4))
			branch(m, OP_JSET_K, PICK(m->g, 1, 0x10, 0x1fff, 0x8000, 0xff), wrong,
				NEXT);
		else
			branch(m, OP_JEQ_K, one_in(m, 3) ? shape_constant(m) : gen_below(m->g, 3),
				NEXT, wrong);
	}
	for (uint32_t pc = begin, end = m->n; pc < end && again != 0; pc++) {
		const struct npf_bpf_insn in = m->insns[pc];

		if (in.code == OP_JSET_K)
			branch(m, in.code, in.k, wrong, NEXT);
		else if (in.code == OP_JEQ_K)
			branch(m, in.code, in.k, NEXT, wrong);
		else
			insn(m, in.code, in.k + (in.code == OP_AND_K ? 0 : again));
	}
	jump_always(m, hit);
}

static void range(struct maker *m, uint32_t hit, uint32_t miss)
{
	const uint32_t low = shape_constant(m);

	shape_value(m);
	branch(m, one_in(m, 2) ? OP_JGE_K : OP_JGT_K, low, NEXT, miss == NEXT ? hit : miss);
	branch(m, one_in(m, 2) ? OP_JGT_K : OP_JGE_K, low + gen_below(m->g, 5000), miss, hit);
}

static void single(struct maker *m, uint32_t hit, uint32_t miss)
{
	shape_value(m);
	if (one_in(m, 4)) {
		if (one_in(m, 2))
			shape_base(m);
		branch(m, PICK(m->g, OP_JEQ_X, OP_JGT_X, OP_JGE_X, OP_JSET_X), 0, hit, miss);
	} else {
		branch(m, PICK(m->g, OP_JEQ_K, OP_JEQ_K, OP_JSET_K, OP_JGT_K, OP_JGE_K),
			shape_constant(m), hit, miss);
	}
}

/* A base that was loaded from another, and loads behind both of them in turn. */
static void nested(struct maker *m, uint32_t hit, uint32_t miss)
{
	const uint32_t off = gen_below(m->g, 20);

	shape_base(m);
	insn(m, OP_STX, 0);
	insn(m, OP_LD_B_IND, off);
	insn(m, OP_AND_K, PICK(m->g, 7, 31, 63, 0xff));
	insn(m, OP_TAX, 0);
	insn(m, OP_STX, 1);
	for (uint32_t i = 0, n = 2 + gen_below(m->g, 4); i < n; i++) {
		insn(m, OP_LDX_MEM, gen_below(m->g, 2));
		insn(m, PICK(m->g, OP_LD_W_IND, OP_LD_H_IND, OP_LD_B_IND),
			off + gen_below(m->g, 30));
		/* No logic is made of a division: what is below becomes a part by itself. */
		if (i == 0 && one_in(m, 2))
			insn(m, OP_DIV_K, 3);
		branch(m, PICK(m->g, OP_JEQ_K, OP_JSET_K, OP_JGT_K),
			one_in(m, 2) ? gen_below(m->g, 4) : shape_constant(m), NEXT,
			i == 0 && one_in(m, 2) ? hit : miss);
	}
	jump_always(m, hit);
}

static void store(struct maker *m)
{
	shape_value(m);
	if (m->has_memory)
		insn(m, one_in(m, 3) ? OP_STX : OP_ST, gen_below(m->g, 3));
	else
		insn(m, OP_TAX, 0);
}

/* A later unit, or a return. */
static uint32_t way_out(struct maker *m)
{
	const uint32_t unit = m->unit + 1 + gen_below(m->g, 3);

	return unit < m->n_units && one_in(m, 3) ? unit : m->n_units + gen_below(m->g, N_RETURNS);
}

static void unit(struct maker *m) /* 220 instructions at most */
{
	const uint32_t hit_to = way_out(m);
	const uint32_t miss_to = one_in(m, m->is_dense ? 8 : 3) ? way_out(m) : NEXT;
	const uint32_t behind = m->n_labels;
	const uint32_t hit = m->far ? behind : hit_to;
	const uint32_t miss = m->far && miss_to != NEXT ? behind + 1 : miss_to;

	m->n_labels += m->far ? 3 : 0;
	m->labels[m->unit] = m->n;
	switch (gen_below(m->g, 12)) {
	case 0:
	case 1:
	case 2:
		chain(m, hit, miss);
		break;
	case 3:
		mixed_chain(m, hit, miss);
		break;
	case 4:
		conjunction(m, hit, miss);
		break;
	case 5:
		range(m, hit, miss);
		break;
	case 6:
	case 9:
		single(m, hit, miss);
		break;
	case 10:
		nested(m, hit, miss);
		break;
	case 11:
		twins(m, hit, miss);
		break;
	case 7:
		shape_base(m);
		return;
	default:
		store(m);
		return;
	}
	if (!m->far)
		return;
	jump_always(m, behind + 2);
	m->labels[behind] = m->n;
	jump_always(m, hit_to);
	m->labels[behind + 1] = m->n;
	jump_always(m, miss_to);
	m->labels[behind + 2] = m->n;
}

static void returns(struct maker *m)
{
	const bool one_result = !one_in(m, 4);

	insn(m, OP_RET_K, one_in(m, 4) ? 65535 : 0); /* behind the last unit */
	for (uint32_t i = 0; i < N_RETURNS; i++) {
		m->labels[m->n_units + i] = m->n;
		if (i == 0)
			insn(m, OP_RET_K, 0);
		else if (one_result)
			insn(m, OP_RET_K, i == 1 ? 0 : 65535);
		else
			insn(m, one_in(m, 4) ? OP_RET_A : OP_RET_K,
				PICK(m->g, 0, 1, 96, 65535, 262144, 0xffffffff));
	}
}

/* Return: false when a jump does not reach. */
static bool resolve(struct maker *m)
{
	for (uint32_t i = 0; i < m->n_jumps; i++) {
		struct npf_bpf_insn *in = &m->insns[m->jumps[i].pc];
		const uint32_t by = m->labels[m->jumps[i].label] - (m->jumps[i].pc + 1);

		if (m->jumps[i].side != ALWAYS && by > UINT8_MAX)
			return false;
		if (m->jumps[i].side == ALWAYS)
			in->k = by;
		else if (m->jumps[i].side == IF_TRUE)
			in->jt = (uint8_t)by;
		else
			in->jf = (uint8_t)by;
	}
	return true;
}

static bool make(struct maker *m)
{
	m->has_memory = one_in(m, 3);
	m->is_dense = one_in(m, 4);
	m->first_off = one_in(m, 3) ? gen_below(m->g, 40) : 12;
	m->span = 1 + gen_below(m->g, one_in(m, 3) ? 40 : 8);
	m->n_units = 1 + gen_below(m->g, one_in(m, 12) ? MAX_UNITS : 9);
	m->n_labels = m->n_units + N_RETURNS;
	shape_choose(m);
	for (uint32_t i = 0; m->has_memory && i < 3; i++) {
		shape_value(m);
		insn(m, OP_ST, i);
		if (i == 0) /* what value() may load is there from here on */
			for (uint32_t j = 1; j < 3; j++)
				insn(m, OP_ST, j);
	}
	for (m->unit = 0; m->unit < m->n_units; m->unit++)
		unit(m);
	returns(m);
	return resolve(m);
}

uint32_t shape_program(struct gen *g, struct npf_bpf_insn *insns)
{
	for (;;) {
		static struct maker m;

		memset(&m, 0, sizeof(m));
		m.g = g;
		m.insns = insns;
		m.far = one_in(&m, 3);
		if (make(&m) && npf_bpf_verify(insns, m.n, NULL) == 0)
			return m.n;
	}
}
