/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ir.c - values, sets and windows: equal ones are one, different ones are not; and what a
 * decision says about the next.
 */
#include "jit/inspect/inspect.h"
#include "jit/ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void equal_values_are_one(void **state)
{
	struct ir ir;
	uint32_t a, b;

	(void)state;
	ir_init(&ir, ir_simplify);
	a = ir_load(&ir, IR_LD16, 0, 12);
	b = ir_load(&ir, IR_LD16, 0, 12);
	assert_int_equal(a, b);
	assert_int_not_equal(a, ir_load(&ir, IR_LD16, 0, 14));
	assert_int_not_equal(a, ir_load(&ir, IR_LD8, 0, 12));
	/* In either order, where order doesn't matter. */
	b = ir_load(&ir, IR_LD8, 0, 3);
	assert_int_equal(ir_op2(&ir, IR_ADD, a, b), ir_op2(&ir, IR_ADD, b, a));
	assert_int_not_equal(ir_op2(&ir, IR_SUB, a, b), ir_op2(&ir, IR_SUB, b, a));
	/* Thousands, so that the table grows. */
	for (uint32_t k = 0; k < 5000; k++)
		assert_int_not_equal(ir_const(&ir, k), 0);
	for (uint32_t k = 0; k < 5000; k++)
		assert_int_equal(ir.vals[ir_const(&ir, k)].k, k);
	ir_fini(&ir);
}

static uint32_t set_of(struct ir *ir, uint32_t a, uint32_t b)
{
	uint32_t *k = malloc(2 * sizeof(*k));

	assert_non_null(k);
	k[0] = a;
	k[1] = b;
	return ir_set_new(ir, k, 2);
}

static void what_differs_in_one_part_is_another(void **state)
{
	struct ir ir;
	uint32_t w, p;

	(void)state;
	ir_init(&ir, NULL);
	w = ir_window_new(&ir, 3, 0xff, 7);
	assert_int_equal(ir_window_new(&ir, 3, 0xff, 7), w);
	assert_int_not_equal(ir_window_new(&ir, 4, 0xff, 7), w);
	assert_int_not_equal(ir_window_new(&ir, 3, 0xff000000ff, 7), w);
	assert_int_not_equal(ir_window_new(&ir, 3, 0xff, 0x700000007), w);
	assert_int_equal(set_of(&ir, 1, 5), set_of(&ir, 5, 1));
	assert_int_not_equal(set_of(&ir, 1, 5), set_of(&ir, 1, 6));
	p = ir_in_range(&ir, 0, 4);
	assert_int_not_equal(p, ir_in_range(&ir, 0, 5));
	assert_int_not_equal(ir_sel(&ir, p, w, 0), ir_sel(&ir, p, w, p));
	ir_fini(&ir);
}

static void a_negation_is_true_where_the_other_is_not(void **state)
{
	struct ir ir;
	uint32_t p;

	(void)state;
	ir_init(&ir, NULL);
	assert_true(ir_is(&ir, ir_not(&ir, ir_const(&ir, 0)), 1));
	assert_true(ir_is(&ir, ir_not(&ir, ir_const(&ir, 1)), 0));
	for (uint32_t op = IR_EQ; op <= IR_NBTW; op++) {
		p = ir_op(&ir, op, 1, 1, 0, 0);
		assert_int_equal(ir.vals[ir_not(&ir, p)].op, op % 2 == IR_EQ % 2 ? op + 1 : op - 1);
		assert_int_equal(ir_not(&ir, ir_not(&ir, p)), p);
	}
	ir_fini(&ir);
}

static void an_index_finds_what_was_put_into_it_however_many_there_are(void **state)
{
	struct finder f = {0};

	(void)state;
	/* The first of them need not have a low number. */
	for (uint32_t i = 5000; i < 7000; i++) {
		assert_int_equal(finder_add(&f, i, i * 0x9e3779b9u), 0);
		assert_true(f.cap > i);
	}
	for (uint32_t i = 5000; i < 7000; i++)
		assert_int_equal(finder_first(&f, i * 0x9e3779b9u), i);
	assert_int_equal(finder_first(&f, 4999 * 0x9e3779b9u), 0);
	finder_fini(&f);
}

static void each_program_has_a_key_of_its_own(void **state)
{
	(void)state;
	assert_true(finder_key() != finder_key());
}

/* The n-th of all predicates that facts are known about: compares with small constants, lookups. */
static uint32_t nth_predicate(struct ir *ir, uint32_t x, uint32_t n)
{
	static const uint32_t sets[2][4] = {{1, 3, 4, 6}, {0, 2, 4, 5}};
	const uint32_t n_compares = 6 * (IR_NTST - IR_EQ + 1);
	uint32_t *k;

	if (n < n_compares)
		return ir_op2(ir, IR_EQ + n / 6, x, ir_const(ir, n % 6));
	n -= n_compares;
	k = malloc(sizeof(sets[0]));
	assert_non_null(k);
	memcpy(k, sets[n / 2], sizeof(sets[0]));
	return ir_op(ir, n % 2 == 0 ? IR_IN : IR_NIN, x, 0, 0, ir_set_new(ir, k, 4));
}

/* One decision, then on each of its sides another; the result says which ways were taken. */
static void build_decisions(struct ir *ir, uint32_t first, uint32_t second)
{
	const uint32_t x = ir_load(ir, IR_LD8, 0, 0);
	uint32_t b[7];

	for (unsigned int i = 0; i < 7; i++)
		b[i] = ir_block_new(ir);
	ir->entry = b[0];
	ir_br(ir, b[0], nth_predicate(ir, x, first), b[1], b[2]);
	for (unsigned int i = 1; i < 3; i++)
		ir_br(ir, b[i], nth_predicate(ir, x, second), b[2 * i + 1], b[2 * i + 2]);
	for (unsigned int i = 3; i < 7; i++)
		ir_ret(ir, b[i], ir_const(ir, i));
}

static void what_follows_from_a_fact_is_true_of_every_value(void **state)
{
	const uint32_t n = 6 * (IR_NTST - IR_EQ + 1) + 4;

	(void)state;
	for (uint32_t i = 0; i < n * n; i++) {
		struct ir plain, threaded;

		ir_init(&plain, NULL);
		ir_init(&threaded, NULL);
		build_decisions(&plain, i / n, i % n);
		build_decisions(&threaded, i / n, i % n);
		assert_int_equal(ir_pass_thread(&threaded), 0);
		for (uint8_t x = 0; x < 9; x++) {
			const uint8_t pkt[1] = {x};
			uint32_t want = 0, got = 0;

			assert_int_equal(ir_eval(&plain, pkt, 1, 1, &want), 0);
			assert_int_equal(ir_eval(&threaded, pkt, 1, 1, &got), 0);
			assert_int_equal(got, want);
		}
		ir_fini(&plain);
		ir_fini(&threaded);
	}
}

/* Values that folding would have seen through, and a later pass may meet all the same. */
static void a_pass_does_not_need_what_it_is_given_to_be_folded(void **state)
{
	const uint8_t pkt[8] = {4, 5, 0, 0, 0x02, 5, 0, 0};
	uint32_t *k = malloc(4 * sizeof(*k));
	uint32_t p, q, result = 1;
	struct ir ir;

	(void)state;
	assert_non_null(k);
	ir_init(&ir, NULL);
	ir.entry = ir_block_new(&ir);
	/* A half among words, one of which ends as it. */
	k[0] = 1, k[1] = 2, k[2] = 3, k[3] = 0x30405;
	p = ir_op(&ir, IR_IN, ir_load(&ir, IR_LD16, 0, 0), 0, 0, ir_set_new(&ir, k, 4));
	ir_ret(&ir, ir.entry, p);
	assert_int_equal(ir_pass_netorder(&ir), 0);
	assert_int_equal(ir_eval(&ir, pkt, 8, 8, &result), 0);
	assert_int_equal(result, 0);
	/* A constant with a bit beside the mask. */
	p = ir_op2(&ir, IR_AND, ir_load(&ir, IR_LD8, 0, 4), ir_const(&ir, 0x0f));
	p = ir_op2(&ir, IR_EQ, p, ir_const(&ir, 0x12));
	q = ir_op2(&ir, IR_EQ, ir_load(&ir, IR_LD8, 0, 5), ir_const(&ir, 5));
	ir_ret(&ir, ir.entry, ir_op2(&ir, IR_AND, p, q));
	assert_int_equal(ir_pass_windows(&ir), 0);
	assert_int_equal(ir_eval(&ir, pkt, 8, 8, &result), 0);
	assert_int_equal(result, 0);
	ir_fini(&ir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_values_are_one),
		cmocka_unit_test(what_differs_in_one_part_is_another),
		cmocka_unit_test(a_negation_is_true_where_the_other_is_not),
		cmocka_unit_test(an_index_finds_what_was_put_into_it_however_many_there_are),
		cmocka_unit_test(each_program_has_a_key_of_its_own),
		cmocka_unit_test(a_pass_does_not_need_what_it_is_given_to_be_folded),
		cmocka_unit_test(what_follows_from_a_fact_is_true_of_every_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
