/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_work.c - whatever a program looks like, compiling it takes work in proportion to its length.
 *
 * Work is counted in steps, not measured in time. Each shape is what one algorithm of the compiler
 * would like least: a program of twice the length may take twice the steps and a logarithm.
 */
#include "jit/filter.h"
#include "jit/opcode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MAX_STEPS 1500 /* an instruction */

static struct npf_bpf_insn p[NPF_BPF_MAXINSNS];

static uint32_t insn(uint32_t n, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	p[n] = (struct npf_bpf_insn){code, jt, jf, k};
	return n + 1;
}

static uint32_t scramble(uint32_t i)
{
	i = (i ^ i >> 16) * 0x7feb352du;
	i = (i ^ i >> 15) * 0x846ca68bu;
	return i ^ i >> 16;
}

/* Compares whose hits go to two long rows of jumps in turn: where do these lead? */
static uint32_t rows_of_jumps(uint32_t room)
{
	const uint32_t row = room / 5;
	const uint32_t first = room - 2 * row - 2;
	uint32_t n = insn(0, OP_LD_W_ABS, 0, 0, 0);

	while (n + 210 < first) {
		for (uint32_t i = 0; i < 200; i++)
			n = insn(n, OP_JEQ_K, 1000000 + n, (uint8_t)(200 - i + (i & 1)), 0);
		n = insn(n, OP_JA, 2, 0, 0);
		n = insn(n, OP_JA, first - n - 1, 0, 0);
		n = insn(n, OP_JA, first + row - n, 0, 0);
	}
	while (n < first)
		n = insn(n, OP_RET_K, 0, 0, 0);
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t j = 0; j < row; j++)
			n = insn(n, OP_JA, 0, 0, 0);
		n = insn(n, OP_RET_K, 100 + i, 0, 0);
	}
	return n;
}

/* One decision, a tree of thousands of ways, and at its end tests that the decision settles. */
static uint32_t settled_tests(uint32_t room)
{
	const uint32_t n_nodes = (room - 80) / 4;
	uint32_t n = insn(0, OP_LD_W_ABS, 0, 0, 0);

	n = insn(n, OP_JEQ_K, 5, 1, 0);
	n = insn(n, OP_RET_K, 0, 0, 0);
	for (uint32_t i = 0; i < n_nodes; i++) {
		n = insn(n, OP_LDX_MSH, i % 60000, 0, 0);
		n = insn(n, OP_JSET_X, 0, 0, 1);
		for (uint32_t side = 1; side <= 2; side++)
			n = insn(n, OP_JA, 3 + 4 * NPF_MIN(2 * i + side, n_nodes) - n - 1, 0, 0);
	}
	for (uint32_t i = 0; i < 64; i++)
		n = insn(n, OP_JGE_K, 60000 - i, (uint8_t)(64 - i), 0);
	n = insn(n, OP_RET_K, 8, 0, 0);
	return insn(n, OP_RET_K, 9, 0, 0);
}

static uint32_t ladder(uint32_t room)
{
	uint32_t n = insn(0, OP_LD_W_ABS, 0, 0, 0);

	while (n < room - 2)
		n = insn(n, OP_JSET_K, scramble(n) | 1, 1, 0);
	n = insn(n, OP_RET_A, 0, 0, 0);
	return insn(n, OP_RET_A, 0, 0, 0);
}

static uint32_t many_sets(uint32_t room, uint32_t step, uint32_t size)
{
	uint32_t n = 0;

	while (n + size + 4 < room) {
		n = insn(n, OP_LD_W_ABS, step == 1 ? 0 : n % 60, 0, 0);
		for (uint32_t i = 0; i < size; i++)
			n = insn(n, OP_JEQ_K, step * n, (uint8_t)(size - i), 0);
		n = insn(n, OP_JA, 1, 0, 0);
		n = insn(n, OP_RET_K, 1, 0, 0);
	}
	return insn(n, OP_RET_K, 0, 0, 0);
}

static uint32_t small_sets(uint32_t room)
{
	return many_sets(room, 7919, 4);
}

static uint32_t sets_of_one_value(uint32_t room)
{
	return many_sets(room, 1, 40);
}

static uint32_t large_sets(uint32_t room)
{
	return many_sets(room, 0x10001, 250);
}

/* Values that are all needed once more, much later. */
static uint32_t long_lives(uint32_t room)
{
	uint32_t n = 0;

	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; n + 5 < room / 2 * (round + 1); i++) {
			n = insn(n, OP_LD_W_ABS, 2 * i, 0, 0);
			n = insn(n, OP_MUL_K, 3, 0, 0);
			n = insn(n, OP_JSET_K, 1u << (i + 7 * round) % 32, 1, 0);
			n = insn(n, OP_RET_K, i % 7, 0, 0);
		}
	}
	return insn(n, OP_RET_K, 1, 0, 0);
}

/* All scratch words take part in what comes to each of many joins. */
static uint32_t scratch_web(uint32_t room)
{
	uint32_t n = insn(0, OP_LD_W_ABS, 0, 0, 0);

	for (uint32_t i = 0; i < NPF_BPF_MEMWORDS; i++)
		n = insn(n, OP_ST, i, 0, 0);
	for (uint32_t i = 0; n + 6 < room; i++) {
		n = insn(n, OP_LD_MEM, i % NPF_BPF_MEMWORDS, 0, 0);
		n = insn(n, OP_JSET_K, 1u << i % 32, 1, 0);
		n = insn(n, OP_ADD_K, i, 0, 0);
		n = insn(n, OP_ST, (i * 7 + 3) % NPF_BPF_MEMWORDS, 0, 0);
	}
	return insn(n, OP_RET_A, 0, 0, 0);
}

/* Every test is below the one before, with a check and a value of its own. */
static uint32_t deep_tree(uint32_t room)
{
	uint32_t n = 0;

	for (uint32_t i = 0; n + 6 < room; i++) {
		n = insn(n, OP_LDX_MSH, i % 1000, 0, 0);
		n = insn(n, OP_LD_H_IND, i * 37 % 20000, 0, 0);
		n = insn(n, OP_JEQ_K, i % 1000, 1, 0);
		n = insn(n, OP_RET_K, i % 5, 0, 0);
	}
	return insn(n, OP_RET_K, 1, 0, 0);
}

/* One tail behind all of many tests, which logic would take in with each of them. */
static uint32_t shared_tail(uint32_t room)
{
	const uint32_t tail = room - 100;
	uint32_t n = 0;

	while (n + 3 < tail) {
		n = insn(n, OP_LD_B_ABS, n % 50, 0, 0);
		n = insn(n, OP_JGT_K, n % 250, 0, 1);
		n = insn(n, OP_JA, tail - n - 1, 0, 0);
	}
	while (n < tail)
		n = insn(n, OP_RET_K, 0, 0, 0);
	for (uint32_t i = 0; i < 30; i++) {
		n = insn(n, OP_LD_B_ABS, 20 + i, 0, 0);
		n = insn(n, OP_JEQ_K, i, 1, 0);
		n = insn(n, OP_ADD_K, 0, 0, 0);
	}
	return insn(n, OP_RET_K, 7, 0, 0);
}

static uint32_t conjunctions(uint32_t room)
{
	uint32_t n = 0;

	for (uint32_t i = 0; n + 8 < room; i++) {
		n = insn(n, OP_LD_B_ABS, 14 + i % 40, 0, 0);
		n = insn(n, OP_JEQ_K, i % 251, 0, 3);
		n = insn(n, OP_LD_B_ABS, 15 + i % 40, 0, 0);
		n = insn(n, OP_JEQ_K, i % 249, 0, 1);
		n = insn(n, OP_RET_K, i % 3, 0, 0);
	}
	return insn(n, OP_RET_K, 0, 0, 0);
}

static const struct {
	const char *name;
	uint32_t (*fill)(uint32_t room);
} shapes[] = {
	{"rows of jumps", rows_of_jumps},
	{"settled tests", settled_tests},
	{"ladder", ladder},
	{"small sets", small_sets},
	{"sets of one value", sets_of_one_value},
	{"large sets", large_sets},
	{"long lives", long_lives},
	{"scratch web", scratch_web},
	{"deep tree", deep_tree},
	{"shared tail", shared_tail},
	{"conjunctions", conjunctions},
};

static uint64_t steps_of(size_t shape, uint32_t room)
{
	const uint32_t n = shapes[shape].fill(room);
	struct npf_bpf_error err;
	struct generated g;

	assert_true(n <= room && n > room - 400);
	if (npf_bpf_verify(p, n, &err) < 0)
		fail_msg("%s: (%03u) %s", shapes[shape].name, err.pc, err.reason);
	assert_int_equal(filter_generate(&g, p, n, NULL, IR_ALL_PASSES, NULL), 0);
	x86_fini(&g.x);
	return g.steps;
}

static void work_grows_no_faster_than_programs(void **state)
{
	(void)state;
	for (size_t s = 0; s < NPF_ARRAY_LEN(shapes); s++) {
		const uint32_t n = 8192;
		const uint64_t half = steps_of(s, n);
		const uint64_t all = steps_of(s, 2 * n);

		if (all > half * 5 / 2 || all > 2 * (uint64_t)n * MAX_STEPS)
			fail_msg("%s: %llu steps for %u instructions, %llu for twice as many",
				shapes[s].name, (unsigned long long)half, n,
				(unsigned long long)all);
	}
}

static void work_beyond_the_bound_ends_compilation(void **state)
{
	const struct npf_bpf_insn insns[] = {{OP_LD_B_ABS, 0, 0, 0}, {OP_RET_A}};
	struct ir ir;

	(void)state;
	ir_init(&ir, NULL);
	ir.may_spend = 3;
	assert_int_equal(ir_build(&ir, insns, 2, NULL, true), -ENOMEM);
	assert_true(ir_is_too_dear(&ir));
	ir_fini(&ir);
}

/* What a function takes from the stack: `sub rsp, imm` in its first bytes. */
static uint32_t frame_of(npf_burst_fn *fn)
{
	uint8_t code[64];
	int32_t frame;

	memcpy(code, (const void *)(uintptr_t)fn, sizeof(code));
	for (size_t i = 0; i + 7 < sizeof(code); i++) {
		if (memcmp(code + i, "\x48\x83\xec", 3) == 0)
			return code[i + 3];
		if (memcmp(code + i, "\x48\x81\xec", 3) == 0) {
			memcpy(&frame, code + i + 3, sizeof(frame));
			return (uint32_t)frame;
		}
	}
	fail_msg("no frame");
	return 0;
}

/* Less than a page: then the unreadable page that ends a thread's stack can't be stepped over. */
static void a_filter_takes_less_than_a_page_of_stack(void **state)
{
	static uint8_t pkt[65536];

	(void)state;
	for (uint32_t i = 0; i < sizeof(pkt); i++)
		pkt[i] = (uint8_t)scramble(i / 16);
	for (size_t s = 0; s < NPF_ARRAY_LEN(shapes); s++) {
		const uint32_t n = shapes[s].fill(20000);
		const uint32_t want = npf_bpf_interpret(p, pkt, sizeof(pkt), sizeof(pkt), NULL);
		struct npf_filter *f = NULL;

		assert_int_equal(npf_filter_compile(p, n, NULL, &f, NULL), 0);
		for (unsigned int form = 0; form < f->n_forms; form++)
			assert_true(frame_of(f->form[form]) < 4096);
		assert_int_equal(npf_filter_run(f, pkt, sizeof(pkt), sizeof(pkt)), want);
		npf_filter_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_grows_no_faster_than_programs),
		cmocka_unit_test(work_beyond_the_bound_ends_compilation),
		cmocka_unit_test(a_filter_takes_less_than_a_page_of_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
