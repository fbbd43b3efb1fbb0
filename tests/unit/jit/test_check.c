/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_check.c - a program with a guard missing, a table too small or a place given to two is not
 * shown to stay in bounds, and is interpreted.
 *
 * Programs are built as ever, then one thing is spoiled.
 */
#include "jit/check/check.h"
#include "jit/filter.h"
#include "jit/opcode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define N_REGS 7

static bool fails_all;

int __real_check_program(
	struct ir *ir, const struct sched *s, uint32_t n_regs, const struct check_lookup *lookups);
int __wrap_check_program(
	struct ir *ir, const struct sched *s, uint32_t n_regs, const struct check_lookup *lookups);

int __wrap_check_program(
	struct ir *ir, const struct sched *s, uint32_t n_regs, const struct check_lookup *lookups)
{
	return fails_all ? -EFAULT : __real_check_program(ir, s, n_regs, lookups);
}

/* Byte 4 is the index of a half, which is divided by byte 5, and the result looked up in a set. */
static const struct npf_bpf_insn insns[] = {
	{OP_LD_B_ABS, 0, 0, 5},
	{OP_ST, 0, 0, 0},
	{OP_LD_B_ABS, 0, 0, 4},
	{OP_TAX, 0, 0, 0},
	{OP_LD_H_IND, 0, 0, 8},
	{OP_LDX_MEM, 0, 0, 0},
	{OP_DIV_X, 0, 0, 0},
	{OP_JEQ_K, 4, 0, 3},
	{OP_JEQ_K, 3, 0, 5},
	{OP_JEQ_K, 2, 0, 9},
	{OP_JEQ_K, 1, 0, 11},
	{OP_RET_K, 0, 0, 0},
	{OP_RET_A, 0, 0, 0},
};

struct made {
	struct ir ir;
	struct sched s;
	struct check_lookup lookups[64];
};

static void build(struct made *m)
{
	assert_int_equal(npf_bpf_verify(insns, NPF_ARRAY_LEN(insns), NULL), 0);
	ir_init(&m->ir, NULL);
	assert_int_equal(ir_build(&m->ir, insns, NPF_ARRAY_LEN(insns), NULL, true), 0);
	assert_int_equal(ir_optimise(&m->ir, 0, ir_flatten_at, IR_ALL_PASSES, NULL), 0);
}

static void place(struct made *m)
{
	assert_int_equal(sched_build(&m->s, &m->ir, 1000), 0);
	assert_int_equal(sched_assign(&m->s, &m->ir, N_REGS), 0);
	assert_true(m->s.n_steps < NPF_ARRAY_LEN(m->lookups));
	for (uint32_t i = 0; i < m->s.n_steps; i++)
		m->lookups[i] =
			(struct check_lookup){.kind = CHECK_HASH, .n_words = 64, .shift = 26};
}

static int verdict(struct made *m)
{
	return __real_check_program(&m->ir, &m->s, N_REGS, m->lookups);
}

static void fini(struct made *m)
{
	sched_fini(&m->s);
	ir_fini(&m->ir);
}

static void build_and_place(struct made *m)
{
	build(m);
	place(m);
	assert_int_equal(verdict(m), 0);
}

/* The first step that computes an operation of that kind. */
static struct step *find(struct made *m, enum ir_op op)
{
	for (uint32_t i = 1; i < m->s.n_steps; i++) {
		if (m->ir.vals[m->s.steps[i].v].op == op)
			return &m->s.steps[i];
	}
	fail_msg("no step of kind %u", op);
	return NULL;
}

/* Every branch is taken for settled in turn: all those that guard something are missed. */
static void a_missing_guard_is_found(void **state)
{
	unsigned int n_checks = 0, n_found = 0;
	struct made m;

	(void)state;
	build(&m);
	for (uint32_t b = 1; b < m.ir.n_blocks; b++) {
		const struct ir_block good = m.ir.blocks[b];
		const enum ir_op op = m.ir.vals[good.v].op;

		if (good.term != IR_BR)
			continue;
		ir_jmp(&m.ir, b, good.t);
		place(&m);
		n_checks += op == IR_INR || op == IR_NE;
		n_found += verdict(&m) == -EFAULT;
		sched_fini(&m.s);
		m.ir.blocks[b] = good;
	}
	ir_fini(&m.ir);
	assert_int_equal(n_checks, 3);
	assert_int_equal(n_found, n_checks);
}

static void a_guard_that_is_a_byte_short_is_found(void **state)
{
	struct made m;

	(void)state;
	build_and_place(&m);
	for (uint32_t i = 0; i < m.s.order.n; i++) {
		struct ir_val *val = &m.ir.vals[m.ir.blocks[m.s.order.block[i]].v];

		/* That of byte 5 may be: it is loaded behind the check of the half, at 8 or more.
		 */
		if (val->op != IR_INR || val->a == 0)
			continue;
		val->k--;
		assert_int_equal(verdict(&m), -EFAULT);
		val->k++;
	}
	fini(&m);
}

static void a_table_that_an_index_can_leave_is_found(void **state)
{
	const struct check_lookup good[] = {
		{CHECK_HASH, 64, 26, 0, 0},
		{CHECK_TWO_HASHES, 64, 26, 16, 28},
		{CHECK_BITMAP, 2048, 0, 0, 0},
	};
	const struct check_lookup bad[] = {
		{CHECK_NO_TABLE, 64, 26, 0, 0},
		{CHECK_HASH, 63, 26, 0, 0},
		{CHECK_HASH, 64, 25, 0, 0},
		{CHECK_HASH, 64, 32, 0, 0},
		{CHECK_TWO_HASHES, 64, 26, 15, 28},
		{CHECK_TWO_HASHES, 64, 26, 16, 27},
		{CHECK_BITMAP, 2047, 0, 0, 0},
	};
	struct check_lookup *l;
	struct made m;

	(void)state;
	build_and_place(&m);
	l = &m.lookups[find(&m, IR_IN) - m.s.steps];
	for (size_t i = 0; i < NPF_ARRAY_LEN(good); i++) {
		*l = good[i];
		assert_int_equal(verdict(&m), 0);
	}
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		*l = bad[i];
		assert_int_equal(verdict(&m), -EFAULT);
	}
	fini(&m);
}

/* A word is looked up where a half was when the table was chosen. */
static void a_bitmap_for_a_value_of_more_than_16_bits_is_found(void **state)
{
	struct made m;

	(void)state;
	build_and_place(&m);
	m.lookups[find(&m, IR_IN) - m.s.steps] = (struct check_lookup){CHECK_BITMAP, 2048, 0, 0, 0};
	assert_int_equal(verdict(&m), 0);
	m.ir.vals[find(&m, IR_DIV)->v].op = IR_MUL;
	assert_int_equal(verdict(&m), -EFAULT); /* 16 bits times 8 bits */
	fini(&m);
}

static void a_place_given_away_too_early_is_found(void **state)
{
	struct made m;
	struct step *divisor;
	uint32_t loc;

	(void)state;
	build_and_place(&m);
	divisor = &m.s.steps[find(&m, IR_DIV)->b];
	loc = divisor->loc;
	divisor->loc = m.s.steps[find(&m, IR_DIV)->a].loc;
	assert_int_equal(verdict(&m), -EFAULT);
	divisor->loc = N_REGS + m.s.n_words;
	assert_int_equal(verdict(&m), -EFAULT);
	divisor->loc = loc;
	m.s.n_words = SCHED_MAX_WORDS + 1;
	assert_int_equal(verdict(&m), -EFAULT);
	fini(&m);
}

static void a_wrong_order_is_found(void **state)
{
	struct made m;
	uint32_t last;

	(void)state;
	build_and_place(&m);
	last = m.s.order.block[m.s.order.n - 1];
	for (uint32_t i = 1; i < m.s.order.n; i++) {
		const uint32_t b = m.s.order.block[i];
		const uint32_t idom = m.s.order.idom[b];

		m.s.order.idom[b] = last; /* a block that comes later, or the block itself */
		assert_int_equal(verdict(&m), -EFAULT);
		m.s.order.idom[b] = idom;
	}
	m.s.order.block[m.s.order.n - 1] = m.s.order.block[0];
	assert_int_equal(verdict(&m), -EFAULT);
	fini(&m);
}

static void what_is_not_shown_is_interpreted(void **state)
{
	const uint8_t pkt[] = {0, 0, 0, 0, 2, 10, 0, 0, 0, 0, 0, 70};
	const struct npf_filter_opts scalar = {.backend = NPF_BACKEND_SCALAR};
	struct npf_filter *f = NULL;

	(void)state;
	fails_all = true;
	assert_int_equal(
		npf_filter_compile(insns, NPF_ARRAY_LEN(insns), &scalar, &f, NULL), -ENOTSUP);
	assert_int_equal(npf_filter_compile(insns, NPF_ARRAY_LEN(insns), NULL, &f, NULL), 0);
	fails_all = false;
	assert_true(npf_filter_is_unproven(f));
	assert_int_equal(npf_filter_backend(f), NPF_BACKEND_INTERP);
	assert_int_equal(
		npf_filter_run(f, pkt, 12, 12), npf_bpf_interpret(insns, pkt, 12, 12, NULL));
	f = npf_filter_free(f);
	assert_int_equal(npf_filter_compile(insns, NPF_ARRAY_LEN(insns), NULL, &f, NULL), 0);
	assert_false(npf_filter_is_unproven(f));
	npf_filter_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_guard_is_found),
		cmocka_unit_test(a_guard_that_is_a_byte_short_is_found),
		cmocka_unit_test(a_table_that_an_index_can_leave_is_found),
		cmocka_unit_test(a_bitmap_for_a_value_of_more_than_16_bits_is_found),
		cmocka_unit_test(a_place_given_away_too_early_is_found),
		cmocka_unit_test(a_wrong_order_is_found),
		cmocka_unit_test(what_is_not_shown_is_interpreted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
