/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shape_value.c - what the units of a program compute and compare.
 *
 * What makes optimisers wrong is what two places have in common, so a program draws its fields,
 * its arithmetic and its lists of constants from a few that it keeps.
 */
#include "conformance/shape_priv.h"

#include <string.h>

static uint32_t edge(struct maker *m)
{
	return PICK(m->g, 0, 1, 0xff, 0x100, 0xfffe, 0xffff, 0x10000, 0x10001, 0x7fffffff,
		0x80000000, 0xfffffffe, 0xffffffff);
}

static uint32_t any_number(struct maker *m)
{
	switch (gen_below(m->g, 5)) {
	case 0:
		return edge(m);
	case 1:
		return (uint32_t)gen_next(m->g);
	case 2:
		return 1u << gen_below(m->g, 32);
	case 3:
		return gen_below(m->g, 65536);
	default:
		return gen_below(m->g, 256);
	}
}

static void fill_pool(struct maker *m, uint32_t *pool, uint32_t *np)
{
	static const uint32_t least[] = {2, 4, 20, 24, 44, 60};
	static const uint32_t width[] = {3, 8, 10, 20, 10, MAX_POOL - 60};
	const uint32_t size = gen_below(m->g, NPF_ARRAY_LEN(least));
	const uint32_t kind = gen_below(m->g, 6);
	const uint32_t begin = any_number(m);
	const uint32_t step = 1 + gen_below(m->g, one_in(m, 3) ? 0x1000000 : 40);
	const uint32_t shift = 8 * gen_below(m->g, 4);
	const bool has_strangers = one_in(m, 3);

	*np = least[size] + gen_below(m->g, width[size]);
	for (uint32_t i = 0; i < *np; i++) {
		pool[i] = kind == 0   ? begin + step * i
			  : kind == 1 ? gen_below(m->g, 65536)
			  : kind == 2 ? gen_below(m->g, 256)
			  : kind == 3 ? (uint32_t)gen_next(m->g)
			  : kind == 4 ? (begin & 0x7fff) + step % 40 * i
				      : (begin & 0xff) << shift | i;
		if (has_strangers && one_in(m, 20))
			pool[i] = any_number(m);
	}
}

uint32_t shape_constant(struct maker *m)
{
	const uint32_t p = gen_below(m->g, N_POOLS);

	switch (gen_below(m->g, 6)) {
	case 0:
		return any_number(m);
	case 1:
	case 2:
		return m->pool[p][gen_below(m->g, m->n_pool[p])];
	default:
		return m->likely += gen_below(m->g, 3) == 0 ? gen_below(m->g, 5) - 2 : 0;
	}
}

static struct npf_bpf_insn arithmetic(struct maker *m)
{
	struct npf_bpf_insn in = {
		.code = (uint16_t)PICK(m->g, OP_AND_K, OP_AND_K, OP_AND_K, OP_RSH_K, OP_RSH_K,
			OP_LSH_K, OP_ADD_K, OP_ADD_K, OP_SUB_K, OP_XOR_K, OP_OR_K, OP_MUL_K,
			OP_DIV_K, OP_MOD_K, OP_NEG)};

	if (in.code == OP_NEG)
		return in;
	if (one_in(m, 6)) {
		in.code |= 8;
		return in;
	}
	if (in.code == OP_AND_K)
		in.k = PICK(m->g, 1, 0xf, 0xf0, 0xff, 0x1ff, 0x1fff, 0xff00, 0xfffe, 0xffff,
			0x1ffff, 0xffff0000, 0xff000000, 0xffffff00, 0x80000000, 0xffffffff);
	else if (in.code == OP_RSH_K || in.code == OP_LSH_K)
		in.k = PICK(m->g, 1, 2, 4, 8, 15, 16, 17, 24, 31);
	else
		in.k = one_in(m, 2) ? 1 + gen_below(m->g, 16) : any_number(m);
	if ((in.code == OP_DIV_K || in.code == OP_MOD_K) && in.k == 0)
		in.k = 3;
	return in;
}

static struct npf_bpf_insn any_load(struct maker *m)
{
	const bool is_indirect = one_in(m, 3);
	struct npf_bpf_insn in = {
		.code = (uint16_t)PICK(m->g, OP_LD_W_ABS, OP_LD_W_ABS, OP_LD_H_ABS, OP_LD_B_ABS)};

	if (is_indirect)
		in.code += OP_LD_W_IND - OP_LD_W_ABS;
	in.k = m->first_off + gen_below(m->g, m->span);
	if (one_in(m, 60))
		in.k = is_indirect ? 0u - gen_below(m->g, 70) : any_number(m);
	else if (one_in(m, 30))
		in.k = gen_below(m->g, 1500);
	if (one_in(m, 25))
		in = (struct npf_bpf_insn){.code = OP_LD_LEN};
	else if (one_in(m, 40))
		in = (struct npf_bpf_insn){.code = OP_LD_IMM, .k = any_number(m)};
	return in;
}

static void make_field(struct maker *m, struct field *f)
{
	f->load = any_load(m);
	f->n_ops = !m->is_dense && one_in(m, 2) ? 0 : 1 + gen_below(m->g, one_in(m, 3) ? 3 : 1);
	for (uint32_t i = 0; i < f->n_ops; i++)
		f->ops[i] = arithmetic(m);
}

/* What the field gives for some bytes. */
static uint32_t likely(struct maker *m, const struct field *f)
{
	const uint32_t bytes = one_in(m, 3) ? gen_below(m->g, 4) : (uint32_t)gen_next(m->g);
	const uint16_t size = f->load.code & 0x18;
	struct npf_bpf_insn program[5] = {{OP_LD_IMM, 0, 0,
		size == 0   ? bytes
		: size == 8 ? bytes & 0xffff
			    : bytes & 0xff}};
	uint32_t n = 1;

	for (uint32_t i = 0; i < f->n_ops; i++)
		program[n++] = f->ops[i];
	program[n] = (struct npf_bpf_insn){.code = OP_RET_A};
	return npf_bpf_interpret(program, NULL, 0, 0, NULL);
}

void shape_field(struct maker *m, const struct field *f)
{
	m->insns[m->n++] = f->load;
	for (uint32_t i = 0; i < f->n_ops; i++)
		m->insns[m->n++] = f->ops[i];
}

void shape_value(struct maker *m)
{
	const uint32_t seldom = m->is_dense ? 40 : 5;
	struct field f = m->fields[gen_below(m->g, m->n_fields)];

	if (m->unit > 0 && one_in(m, 6))
		return; /* what is there */
	if (one_in(m, seldom))
		make_field(m, &f);
	else if (one_in(m, seldom))
		f.load = any_load(m);
	else if (one_in(m, seldom))
		f.n_ops = gen_below(m->g, f.n_ops + 1);
	if (m->has_memory && one_in(m, 12))
		f.load = (struct npf_bpf_insn){.code = OP_LD_MEM, .k = gen_below(m->g, 3)};
	shape_field(m, &f);
	m->likely = likely(m, &f);
}

void shape_base(struct maker *m)
{
	switch (gen_below(m->g, 7)) {
	case 0:
	case 1:
		insn(m, OP_LDX_MSH, m->first_off + gen_below(m->g, m->span));
		break;
	case 2:
		insn(m, OP_LDX_IMM, one_in(m, 6) ? any_number(m) : gen_below(m->g, 40));
		break;
	case 3:
		insn(m, OP_TXA, 0);
		insn(m, PICK(m->g, OP_ADD_K, OP_ADD_K, OP_SUB_K, OP_LSH_K, OP_AND_K),
			1 + gen_below(m->g, 20));
		insn(m, OP_TAX, 0);
		break;
	case 4:
		if (m->has_memory)
			insn(m, OP_LDX_MEM, gen_below(m->g, 3));
		else
			insn(m, one_in(m, 2) ? OP_LDX_LEN : OP_TAX, 0);
		break;
	default:
		shape_value(m);
		insn(m, OP_AND_K, PICK(m->g, 7, 15, 31, 60, 63, 0xff, 0xffff));
		insn(m, OP_TAX, 0);
		break;
	}
	if (m->has_memory && one_in(m, 2))
		insn(m, OP_STX, gen_below(m->g, 3));
}

void shape_choose(struct maker *m)
{
	for (uint32_t p = 0; p < N_POOLS; p++)
		fill_pool(m, m->pool[p], &m->n_pool[p]);
	m->n_fields = m->is_dense ? MAX_FIELDS : 4;
	for (uint32_t i = 0; i < m->n_fields; i++)
		make_field(m, &m->fields[i]);
	/* Often the same field with two ranges. */
	if (one_in(m, 2)) {
		m->fields[1].load = m->fields[0].load;
		m->fields[1].n_ops = 1;
		m->fields[1].ops[0] = arithmetic(m);
	}
	/* And the same list for all. */
	if (one_in(m, 2)) {
		m->n_pool[1] = m->n_pool[0];
		memcpy(m->pool[1], m->pool[0], sizeof(m->pool[0]));
	}
}
