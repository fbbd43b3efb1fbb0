/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rules.c - each rule of the check, from both sides: what it lets pass is safe, and what is
 * just not safe any more it does not let pass.
 *
 * Programs are made by hand, and not simplified: one length check, perhaps one decision, then a
 * load or a division which is safe only where the rule holds.
 */
#include "jit/check/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define N_REGS 7

static struct ir ir;
static struct sched s;
static uint32_t reject;

static int verdict_of_steps(void)
{
	static struct check_lookup lookups[256];

	assert_true(s.n_steps <= NPF_ARRAY_LEN(lookups));
	for (uint32_t i = 0; i < s.n_steps; i++)
		lookups[i] = (struct check_lookup){.kind = CHECK_HASH, .n_words = 64, .shift = 26};
	return check_program(&ir, &s, N_REGS, lookups);
}

static void place(void)
{
	assert_false(ir.failed);
	assert_int_equal(sched_build(&s, &ir, 1000), 0);
	assert_int_equal(sched_assign(&s, &ir, N_REGS), 0);
}

/* Is the program as it stands passed? */
static bool passes(void)
{
	int rc;

	place();
	rc = verdict_of_steps();
	sched_fini(&s);
	assert_true(rc == 0 || rc == -EFAULT);
	return rc == 0;
}

/* Begin anew: a packet of n bytes goes on in the block that is returned. */
static uint32_t begin(uint32_t n)
{
	uint32_t next;

	ir_fini(&ir);
	ir_init(&ir, NULL);
	reject = ir_block_new(&ir);
	ir_ret(&ir, reject, ir_const(&ir, 0));
	ir.entry = ir_block_new(&ir);
	next = ir_block_new(&ir);
	ir_br(&ir, ir.entry, ir_in_range(&ir, 0, n), next, reject);
	return next;
}

static uint32_t k(uint32_t value)
{
	return ir_const(&ir, value);
}

static uint32_t op(enum ir_op kind, uint32_t a, uint32_t b)
{
	return ir_op2(&ir, kind, a, b);
}

static uint32_t load(enum ir_op kind, uint32_t off)
{
	return ir_load(&ir, kind, 0, off);
}

static uint32_t in_set(enum ir_op kind, uint32_t v, uint32_t a, uint32_t b)
{
	uint32_t *members = malloc(2 * sizeof(*members));

	assert_non_null(members);
	members[0] = a;
	members[1] = b;
	return ir_op(&ir, kind, v, 0, 0, ir_set_new(&ir, members, 2));
}

static void every_load_needs_all_its_bytes(void **state)
{
	static const enum ir_op loads[] = {IR_LD8, IR_LD16, IR_RAW16, IR_LD32, IR_RAW32};

	(void)state;
	for (uint32_t n = 4; n < 12; n++) {
		uint32_t b;

		for (size_t i = 0; i < NPF_ARRAY_LEN(loads); i++) {
			b = begin(n);
			ir_ret(&ir, b, load(loads[i], 3));
			assert_int_equal(passes(), n >= 3 + ir_load_size(loads[i]));
		}
		b = begin(n);
		ir_ret(&ir, b, ir_op(&ir, IR_WIN, 0, 0, 0, ir_window_new(&ir, 1, UINT64_MAX, 5)));
		assert_int_equal(passes(), n >= 1 + 8);
	}
}

/* ---- bounds ---- */

#define BEHIND 64

/* Is v shown to be no greater than max? The last byte that is loaded lies that far behind. */
#define assert_bound(value, max)                                                                   \
	do {                                                                                       \
		for (uint32_t less = 0; less < 2; less++) {                                        \
			const uint32_t b = begin((max)-less + BEHIND + 1);                         \
			ir_ret(&ir, b, ir_load(&ir, IR_LD8, (value), BEHIND));                     \
			assert_int_equal(passes(), less == 0);                                     \
		}                                                                                  \
	} while (0)

#define assert_no_bound(value)                                                                     \
	do {                                                                                       \
		const uint32_t b = begin(100000);                                                  \
		ir_ret(&ir, b, ir_load(&ir, IR_LD8, (value), BEHIND));                             \
		assert_false(passes());                                                            \
	} while (0)

static void values_are_no_greater_than_their_bounds(void **state)
{
	(void)state;
	assert_bound(load(IR_LD8, 0), 255);
	assert_bound(load(IR_LD16, 0), 65535);
	assert_bound(load(IR_RAW16, 0), 65535);
	assert_bound(op(IR_ADD, load(IR_LD8, 0), k(7)), 262);
	assert_bound(op(IR_MUL, load(IR_LD8, 0), load(IR_LD8, 1)), 65025);
	assert_bound(op(IR_DIV, load(IR_LD8, 0), k(4)), 63);
	assert_bound(op(IR_MOD, load(IR_LD8, 0), k(6)), 5);
	assert_bound(op(IR_AND, load(IR_LD8, 0), k(4)), 4);
	assert_bound(
		op(IR_OR, op(IR_AND, load(IR_LD8, 0), k(4)), op(IR_AND, load(IR_LD8, 1), k(3))), 7);
	assert_bound(
		op(IR_XOR, op(IR_AND, load(IR_LD8, 0), k(4)), op(IR_AND, load(IR_LD8, 1), k(3))),
		7);
	assert_bound(op(IR_SHL, load(IR_LD8, 0), k(4)), 255 << 4);
	assert_bound(op(IR_SHR, load(IR_LD16, 0), k(4)), 4095);
	assert_bound(op(IR_SHR, load(IR_LD8, 0), load(IR_LD8, 1)), 255);
	assert_bound(ir_sel(&ir, op(IR_EQ, load(IR_LD8, 0), k(1)), k(3), k(9)), 9);
	assert_bound(ir_sel(&ir, op(IR_EQ, load(IR_LD8, 0), k(1)), k(9), k(3)), 9);
	assert_bound(op(IR_GT, load(IR_LD8, 0), k(1)), 1);
}

static void values_that_wrap_have_no_bound(void **state)
{
	uint32_t block, v, later;

	(void)state;
	assert_no_bound(load(IR_LD32, 0));
	assert_no_bound(load(IR_RAW32, 0));
	assert_no_bound(op(IR_SUB, load(IR_LD8, 0), k(1)));
	assert_no_bound(ir_op(&ir, IR_NEG, load(IR_LD8, 0), 0, 0, 0));
	assert_no_bound(op(IR_ADD, load(IR_LD32, 0), k(1)));
	assert_no_bound(op(IR_MUL, load(IR_LD32, 0), load(IR_LD32, 4)));
	assert_no_bound(op(IR_SHL, op(IR_ADD, load(IR_LD16, 0), k(1)), k(16)));
	assert_no_bound(op(IR_SHL, load(IR_LD8, 0), load(IR_LD8, 1)));
	/* A value that is made of one which has no bound yet. */
	block = begin(1000);
	v = op(IR_ADD, load(IR_LD8, 0), k(1));
	ir_ret(&ir, block, ir_load(&ir, IR_LD8, v, 8));
	later = load(IR_LD32, 4);
	assert_true(passes());
	ir.vals[v].a = later;
	assert_false(passes());
}

/* ---- what is not 0 ---- */

/* Is v shown not to be 0 on each side of the decision? */
static void not_zero(uint32_t b, uint32_t decision, uint32_t v, bool if_true, bool if_false)
{
	const uint32_t divide = ir_block_new(&ir);

	ir_ret(&ir, divide, op(IR_DIV, load(IR_LD32, 8), v));
	ir_br(&ir, b, decision, divide, reject);
	assert_int_equal(passes(), if_true);
	ir_br(&ir, b, decision, reject, divide);
	assert_int_equal(passes(), if_false);
}

#define NOT_ZERO(decision, v, if_true, if_false)                                                   \
	do {                                                                                       \
		const uint32_t b = begin(16);                                                      \
		const uint32_t x = load(IR_LD32, 0);                                               \
		not_zero(b, decision, v, if_true, if_false);                                       \
		(void)x;                                                                           \
	} while (0)

static void a_compare_says_what_is_not_zero(void **state)
{
	(void)state;
	NOT_ZERO(op(IR_EQ, x, k(0)), x, false, true);
	NOT_ZERO(op(IR_EQ, x, k(5)), x, true, false);
	NOT_ZERO(op(IR_NE, x, k(0)), x, true, false);
	NOT_ZERO(op(IR_NE, x, k(5)), x, false, true);
	NOT_ZERO(op(IR_EQ, x, load(IR_LD32, 4)), x, false, false);
	NOT_ZERO(op(IR_GT, x, k(7)), x, true, false);
	NOT_ZERO(op(IR_LE, x, k(7)), x, false, true);
	NOT_ZERO(op(IR_GE, x, k(0)), x, false, false);
	NOT_ZERO(op(IR_GE, x, k(1)), x, true, false);
	NOT_ZERO(op(IR_LT, x, k(1)), x, false, true);
	NOT_ZERO(op(IR_LT, x, k(0)), x, false, false);
	NOT_ZERO(op(IR_TST, x, k(6)), x, true, false);
	NOT_ZERO(op(IR_NTST, x, k(6)), x, false, true);
	NOT_ZERO(in_set(IR_IN, x, 0, 2), x, false, true);
	NOT_ZERO(in_set(IR_IN, x, 1, 2), x, true, false);
	NOT_ZERO(in_set(IR_NIN, x, 0, 2), x, true, false);
	NOT_ZERO(in_set(IR_NIN, x, 1, 2), x, false, true);
	NOT_ZERO(op(IR_XOR, op(IR_EQ, x, k(0)), k(1)), x, true, false);
	NOT_ZERO(op(IR_EQ, op(IR_EQ, x, k(0)), k(0)), x, true, false);
	/* What is not 1 need not be 0 where it is no bit. */
	NOT_ZERO(op(IR_EQ, op(IR_OR, op(IR_EQ, x, k(0)), op(IR_AND, load(IR_LD8, 4), k(2))), k(1)),
		x, false, false);
	NOT_ZERO(op(IR_EQ, x, k(5)), k(0), false, false);
	NOT_ZERO(op(IR_EQ, x, k(5)), k(3), true, true);
}

static void bits_say_what_is_not_zero(void **state)
{
	(void)state;
	NOT_ZERO(op(IR_EQ, op(IR_AND, x, k(0xf0)), k(0x10)), x, true, false);
	NOT_ZERO(op(IR_EQ, x, k(0x10)), op(IR_AND, x, k(0x0f)), false, false);
	NOT_ZERO(op(IR_EQ, x, k(0x10)), op(IR_AND, x, k(0x30)), true, false);
	NOT_ZERO(op(IR_NE, op(IR_AND, x, k(0xf0)), k(0)), op(IR_AND, x, k(0xff)), true, false);
	NOT_ZERO(op(IR_NE, op(IR_AND, x, k(0xf0)), k(0)), op(IR_AND, x, k(0x30)), false, false);
	NOT_ZERO(op(IR_TST, x, k(0xf0)), op(IR_AND, x, k(0x30)), false, false);
	NOT_ZERO(op(IR_EQ, x, k(0xf0000000)), op(IR_SHL, x, k(4)), false, false);
	NOT_ZERO(op(IR_EQ, x, k(0x0f000000)), op(IR_SHL, x, k(4)), true, false);
	NOT_ZERO(op(IR_EQ, x, k(0x0f)), op(IR_SHR, x, k(4)), false, false);
	NOT_ZERO(op(IR_EQ, x, k(0xf0)), op(IR_SHR, x, k(4)), true, false);
	/* The same bytes, and others. */
	NOT_ZERO(op(IR_EQ, x, k(5)), load(IR_RAW32, 0), true, false);
	NOT_ZERO(op(IR_EQ, x, k(5)), load(IR_LD32, 4), false, false);
	NOT_ZERO(op(IR_EQ, x, k(5)), load(IR_LD16, 0), false, false);
}

static void one_side_of_an_and_is_enough_and_of_an_or_is_not(void **state)
{
	(void)state;
	NOT_ZERO(op(IR_AND, op(IR_EQ, x, k(5)), op(IR_GT, load(IR_LD8, 4), k(1))), x, true, false);
	NOT_ZERO(op(IR_OR, op(IR_EQ, x, k(5)), op(IR_GT, load(IR_LD8, 4), k(1))), x, false, false);
	NOT_ZERO(op(IR_OR, op(IR_EQ, x, k(0)), op(IR_GT, load(IR_LD8, 4), k(1))), x, false, true);
	NOT_ZERO(op(IR_AND, op(IR_EQ, x, k(0)), op(IR_GT, load(IR_LD8, 4), k(1))), x, false, false);
}

/* ---- what is in range ---- */

/* Is the word at v shown to be in range on each side of the decision? */
static void in_range(uint32_t b, uint32_t decision, uint32_t v, bool if_true, bool if_false)
{
	const uint32_t then = ir_block_new(&ir);

	ir_ret(&ir, then, ir_load(&ir, IR_LD32, v, 0));
	ir_br(&ir, b, decision, then, reject);
	assert_int_equal(passes(), if_true);
	ir_br(&ir, b, decision, reject, then);
	assert_int_equal(passes(), if_false);
}

#define IN_RANGE(decision, v, if_true, if_false)                                                   \
	do {                                                                                       \
		const uint32_t b = begin(3);                                                       \
		const uint32_t base = load(IR_LD8, 0), other = load(IR_LD8, 1);                    \
		in_range(b, decision, v, if_true, if_false);                                       \
		(void)other, (void)base;                                                           \
	} while (0)

#define REACHES(kind, v, n) ir_op(&ir, kind, v, 0, 0, n)

static void a_check_says_how_far_a_packet_reaches(void **state)
{
	(void)state;
	IN_RANGE(REACHES(IR_INR, base, 4), base, true, false);
	IN_RANGE(REACHES(IR_NINR, base, 4), base, false, true);
	IN_RANGE(REACHES(IR_INR, base, 3), base, false, false);
	IN_RANGE(REACHES(IR_INR, other, 4), base, false, false);
	IN_RANGE(ir_op(&ir, IR_BTW, base, k(8), 0, 4), base, true, false);
	IN_RANGE(ir_op(&ir, IR_NBTW, base, k(8), 0, 4), base, false, true);
	IN_RANGE(REACHES(IR_INR, 0, 259), base, true, false);
	IN_RANGE(REACHES(IR_INR, 0, 258), base, false, false);
	IN_RANGE(REACHES(IR_INR, 0, 4), 0, true, false);
	IN_RANGE(REACHES(IR_NINR, 0, 4), 0, false, true);
	IN_RANGE(op(IR_AND, REACHES(IR_INR, 0, 4), op(IR_EQ, base, k(1))), 0, true, false);
	IN_RANGE(op(IR_OR, REACHES(IR_INR, 0, 4), op(IR_EQ, base, k(1))), 0, false, false);
	IN_RANGE(op(IR_OR, REACHES(IR_NINR, 0, 4), op(IR_EQ, base, k(1))), 0, false, true);
	IN_RANGE(op(IR_AND, REACHES(IR_NINR, 0, 4), op(IR_EQ, base, k(1))), 0, false, false);
	/* Chosen: the base where it is in range, else 0, which is only where there are four. */
	IN_RANGE(REACHES(IR_INR, 0, 4), ir_sel(&ir, REACHES(IR_INR, base, 4), base, k(0)), true,
		false);
	IN_RANGE(REACHES(IR_INR, 0, 4), ir_sel(&ir, REACHES(IR_INR, base, 4), k(0), base), false,
		false);
	IN_RANGE(REACHES(IR_INR, 0, 4), op(IR_AND, base, REACHES(IR_INR, base, 4)), true, false);
}

/* ---- steps ---- */

static uint32_t find(uint32_t v)
{
	for (uint32_t i = 1; i < s.n_steps; i++) {
		if (s.steps[i].v == v)
			return i;
	}
	fail_msg("no step of value %u", v);
	return 0;
}

static void an_operand_is_the_value_that_is_wanted(void **state)
{
	const uint32_t b = begin(8);
	const uint32_t x = load(IR_LD32, 0), y = load(IR_LD32, 4), sum = op(IR_ADD, x, y);
	struct step *end;

	(void)state;
	ir_ret(&ir, b, sum);
	place();
	assert_int_equal(verdict_of_steps(), 0);
	end = &s.steps[find(sum) + 1];
	end->a = find(y); /* its register is still its own */
	assert_int_equal(verdict_of_steps(), -EFAULT);
	end->a = 0;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	end->a = find(sum);
	s.steps[find(x)].fused = true;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	s.steps[find(x)].fused = false;
	assert_int_equal(verdict_of_steps(), 0);
	sched_fini(&s);
}

/* Blocks: entry, a, then t or f, then j; t and j compute x, each for itself. */
static void a_value_must_be_computed_on_each_way(void **state)
{
	const uint32_t a = begin(8), t = ir_block_new(&ir), f = ir_block_new(&ir),
		       j = ir_block_new(&ir);
	const uint32_t x = load(IR_LD32, 4);
	uint32_t in_t, in_j;

	(void)state;
	ir_br(&ir, a, op(IR_EQ, load(IR_LD8, 0), k(1)), t, f);
	ir_pin(&ir, t, ir_fresh(&ir, IR_SET, x, 0, IR_SLOT_M));
	ir_jmp(&ir, t, j);
	ir_jmp(&ir, f, j);
	ir_ret(&ir, j, x);
	place();
	assert_int_equal(verdict_of_steps(), 0);
	in_t = find(x);
	for (in_j = in_t + 1; s.steps[in_j].v != x; in_j++)
		;
	s.steps[in_j].n_uses = 0; /* not computed there */
	s.steps[in_j + 1].a = in_t;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	/* Nor does it help to say that t dominates j. */
	s.order.idom[j] = t;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	sched_fini(&s);
}

static void blocks_come_in_their_order_and_all_of_them(void **state)
{
	const uint32_t a = begin(8), t = ir_block_new(&ir), f = ir_block_new(&ir);
	uint32_t entry, n;

	(void)state;
	ir_br(&ir, a, op(IR_EQ, load(IR_LD8, 0), k(1)), t, f);
	ir_jmp(&ir, t, f);
	ir_jmp(&ir, f, reject);
	place();
	assert_int_equal(verdict_of_steps(), 0);
	ir.blocks[f].t = a;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	ir.blocks[f].t = f;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	ir.blocks[f].t = reject;
	entry = ir.entry;
	ir.entry = a;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	ir.entry = entry;
	n = s.n_steps;
	s.n_steps -= 1;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	s.n_steps = n;
	s.order.idom[t] = f;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	sched_fini(&s);
}

static void what_is_pinned_is_computed_once_in_its_block_from_a_slot(void **state)
{
	const uint32_t a = begin(8);
	const uint32_t first = ir_fresh(&ir, IR_GET, 0, 0, IR_SLOT_M),
		       second = ir_fresh(&ir, IR_GET, 0, 0, IR_SLOT_X);
	struct step *unused;

	(void)state;
	ir_pin(&ir, a, first);
	ir_pin(&ir, a, second);
	ir_ret(&ir, a, first);
	place();
	assert_int_equal(verdict_of_steps(), 0);
	ir.vals[first].k = IR_N_SLOTS;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	ir.vals[first].k = IR_N_SLOTS - 1;
	assert_int_equal(verdict_of_steps(), 0);
	unused = &s.steps[find(second)];
	unused->v = first;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	unused->v = second;
	unused->block = ir.entry;
	assert_int_equal(verdict_of_steps(), -EFAULT);
	sched_fini(&s);
}

static void a_set_is_one_that_there_is_and_sorted(void **state)
{
	const uint32_t b = begin(8);
	uint32_t v, set;

	(void)state;
	v = in_set(IR_IN, load(IR_LD32, 0), 0, 2);
	ir_ret(&ir, b, v);
	assert_true(passes());
	set = ir.vals[v].k;
	ir.vals[v].k = ir.n_sets;
	assert_false(passes());
	ir.vals[v].k = set;
	ir.sets[set].k[0] = 3;
	assert_false(passes());
	ir.sets[set].k[0] = 2;
	assert_false(passes());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_load_needs_all_its_bytes),
		cmocka_unit_test(values_are_no_greater_than_their_bounds),
		cmocka_unit_test(values_that_wrap_have_no_bound),
		cmocka_unit_test(a_compare_says_what_is_not_zero),
		cmocka_unit_test(bits_say_what_is_not_zero),
		cmocka_unit_test(one_side_of_an_and_is_enough_and_of_an_or_is_not),
		cmocka_unit_test(a_check_says_how_far_a_packet_reaches),
		cmocka_unit_test(an_operand_is_the_value_that_is_wanted),
		cmocka_unit_test(a_value_must_be_computed_on_each_way),
		cmocka_unit_test(blocks_come_in_their_order_and_all_of_them),
		cmocka_unit_test(what_is_pinned_is_computed_once_in_its_block_from_a_slot),
		cmocka_unit_test(a_set_is_one_that_there_is_and_sorted),
	};
	int rc;

	ir_init(&ir, NULL);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	ir_fini(&ir);
	return rc;
}
