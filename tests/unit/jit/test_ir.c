/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ir.c - values, sets and windows: equal ones are one, different ones are not. */
#include "jit/ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_values_are_one),
		cmocka_unit_test(what_differs_in_one_part_is_another),
		cmocka_unit_test(a_negation_is_true_where_the_other_is_not),
		cmocka_unit_test(an_index_finds_what_was_put_into_it_however_many_there_are),
		cmocka_unit_test(each_program_has_a_key_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
