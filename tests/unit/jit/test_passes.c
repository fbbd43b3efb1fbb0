/* SPDX-License-Identifier: BSD-3-Clause */
/* test_passes.c - each pass by itself does what it is for, on the smallest program that shows it.
 */
#include "jit/ir/ir.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void build(struct ir *ir, bool fold, const struct npf_bpf_insn *insns, uint32_t n)
{
	assert_int_equal(npf_bpf_verify(insns, n, NULL), 0);
	ir_init(ir, fold ? ir_simplify : NULL);
	assert_int_equal(ir_build(ir, insns, n, NULL, true), 0);
}

#define BUILD(ir, fold, ...)                                                                       \
	do {                                                                                       \
		const struct npf_bpf_insn insns[] = {__VA_ARGS__};                                 \
		build(ir, fold, insns, NPF_ARRAY_LEN(insns));                                      \
	} while (0)

static void build_expr(struct ir *ir, const char *expr)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	struct bpf_program prog;

	assert_int_equal(pcap_compile(p, &prog, expr, 1, PCAP_NETMASK_UNKNOWN), 0);
	build(ir, true, (const void *)prog.bf_insns, prog.bf_len);
	pcap_freecode(&prog);
	pcap_close(p);
}

/* Branches that can be reached, and among them those on a predicate of kind `op`. */
static unsigned int count_branches(const struct ir *ir, enum ir_op op)
{
	unsigned int n = 0;
	struct ir_order o;

	assert_int_equal(ir_order_init(&o, ir), 0);
	for (uint32_t i = 0; i < o.n; i++) {
		const struct ir_block *bl = &ir->blocks[o.block[i]];

		n += bl->term == IR_BR && (op == IR_NONE || ir->vals[bl->v].op == op);
	}
	ir_order_fini(&o);
	return n;
}

/* What is returned when everything goes the true way. */
static const struct ir_val *first_result(const struct ir *ir)
{
	uint32_t b = ir->entry;

	while (ir->blocks[b].term != IR_RET)
		b = ir->blocks[b].t;
	return &ir->vals[ir->blocks[b].v];
}

static void algebra_is_simplified_as_values_are_made(void **state)
{
	struct ir ir;
	uint32_t x, byte, p, q;

	(void)state;
	ir_init(&ir, ir_simplify);
	x = ir_load(&ir, IR_LD32, 0, 0);
	byte = ir_load(&ir, IR_LD8, 0, 4);
#define K(k) ir_const(&ir, k)
#define IS(v, op_, a_, k_)                                                                         \
	do {                                                                                       \
		assert_int_equal(ir.vals[v].op, op_);                                              \
		assert_int_equal(ir.vals[v].a, a_);                                                \
		assert_int_equal(ir.vals[ir.vals[v].b].k, k_);                                     \
	} while (0)
	assert_int_equal(ir_op2(&ir, IR_ADD, K(7), K(0xffffffff)), K(6));
	assert_int_equal(ir_op2(&ir, IR_SHL, K(1), K(32)), K(0));
	assert_int_equal(ir_op2(&ir, IR_ADD, x, K(0)), x);
	assert_int_equal(ir_op2(&ir, IR_AND, byte, K(0xff)), byte);
	assert_int_equal(ir_op2(&ir, IR_AND, byte, K(0xff00)), K(0));
	assert_int_equal(ir_op2(&ir, IR_XOR, x, x), K(0));
	IS(ir_op2(&ir, IR_MUL, x, K(8)), IR_SHL, x, 3);
	IS(ir_op2(&ir, IR_DIV, x, K(16)), IR_SHR, x, 4);
	IS(ir_op2(&ir, IR_MOD, x, K(16)), IR_AND, x, 15);
	assert_int_equal(ir_op2(&ir, IR_EQ, byte, K(256)), K(0));
	assert_int_equal(ir_op2(&ir, IR_LE, byte, K(255)), K(1));
	assert_int_equal(ir_op2(&ir, IR_GE, x, K(0)), K(1));
	IS(ir_op2(&ir, IR_EQ, ir_op2(&ir, IR_AND, x, K(0xff)), K(0)), IR_NTST, x, 0xff);
	IS(ir_op2(&ir, IR_TST, ir_op2(&ir, IR_SHR, x, K(4)), K(3)), IR_TST, x, 0x30);
	assert_int_equal(ir_op2(&ir, IR_EQ, ir_op2(&ir, IR_AND, x, K(4)), K(8)), K(0));
	/* Choices between predicates are logic. */
	p = ir_op2(&ir, IR_EQ, x, K(1));
	q = ir_op2(&ir, IR_GT, byte, K(9));
	assert_int_equal(ir_sel(&ir, p, K(1), K(0)), p);
	assert_int_equal(ir_sel(&ir, p, q, K(0)), ir_op2(&ir, IR_AND, p, q));
	assert_int_equal(ir_sel(&ir, p, K(1), q), ir_op2(&ir, IR_OR, p, q));
	assert_int_equal(ir_not(&ir, ir_not(&ir, p)), p);
	assert_int_equal(ir.vals[ir_not(&ir, p)].op, IR_NE);
	assert_int_equal(ir_op2(&ir, IR_AND, p, ir_op2(&ir, IR_OR, p, q)), p);
	/* What excludes the condition needs no second look at it. */
	q = ir_op2(&ir, IR_EQ, x, K(2));
	assert_int_equal(ir_sel(&ir, p, K(0), q), q);
	ir_fini(&ir);
}

static void no_division_by_zero_is_folded(void **state)
{
	struct ir ir;

	(void)state;
	ir_init(&ir, ir_simplify);
	assert_int_equal(
		ir.vals[ir_op2(&ir, IR_DIV, ir_const(&ir, 5), ir_const(&ir, 0))].op, IR_DIV);
	ir_fini(&ir);
}

static void fold_decides_what_is_constant(void **state)
{
	struct ir ir;

	(void)state;
	BUILD(&ir, false, {OP_LD_IMM, 0, 0, 3}, {OP_ADD_K, 0, 0, 4}, {OP_JEQ_K, 0, 1, 7},
		{OP_RET_K, 0, 0, 1}, {OP_RET_K, 0, 0, 2});
	assert_int_equal(count_branches(&ir, IR_NONE), 1);
	assert_int_equal(ir_pass_fold(&ir), 0);
	assert_int_equal(count_branches(&ir, IR_NONE), 0);
	assert_int_equal(first_result(&ir)->k, 1);
	ir_fini(&ir);
}

static void checks_that_are_covered_go(void **state)
{
	struct ir ir;

	(void)state;
	BUILD(&ir, true, {OP_LD_B_ABS, 0, 0, 20}, {OP_TAX}, {OP_LD_H_ABS, 0, 0, 12}, {OP_ADD_X},
		{OP_TAX}, {OP_LD_W_IND, 0, 0, 6}, {OP_LD_B_IND, 0, 0, 9}, {OP_RET_A});
	assert_int_equal(count_branches(&ir, IR_INR), 4);
	assert_int_equal(ir_pass_checks(&ir), 0);
	assert_int_equal(count_branches(&ir, IR_INR), 2);
	ir_fini(&ir);
}

static void checks_look_at_all_ways_to_a_block(void **state)
{
	struct ir ir;

	(void)state;
	/* 10 bytes are there on one way, 20 on the other: 12 must be checked, 9 not. */
	BUILD(&ir, true, {OP_LD_B_ABS, 0, 0, 9}, {OP_JEQ_K, 0, 1, 1}, {OP_LD_B_ABS, 0, 0, 19},
		{OP_LD_B_ABS, 0, 0, 8}, {OP_LD_B_ABS, 0, 0, 11}, {OP_RET_A});
	assert_int_equal(ir_pass_checks(&ir), 0);
	assert_int_equal(count_branches(&ir, IR_INR), 3);
	ir_fini(&ir);
}

static void thread_jumps_over_what_is_known(void **state)
{
	struct ir ir;

	(void)state;
	/* The type is asked for three times; whoever was IPv4 once is not ARP and IPv4 again. */
	BUILD(&ir, true, {OP_LD_H_ABS, 0, 0, 12}, {OP_JEQ_K, 0, 2, 0x800}, {OP_LD_B_ABS, 0, 0, 23},
		{OP_JEQ_K, 6, 0, 6}, {OP_LD_H_ABS, 0, 0, 12}, {OP_JEQ_K, 4, 0, 0x806},
		{OP_LD_H_ABS, 0, 0, 12}, {OP_JEQ_K, 0, 1, 0x800}, {OP_RET_K, 0, 0, 5},
		{OP_RET_K, 0, 0, 0}, {OP_RET_K, 0, 0, 1});
	assert_int_equal(count_branches(&ir, IR_EQ), 4);
	assert_int_equal(ir_pass_checks(&ir), 0);
	assert_int_equal(ir_pass_thread(&ir), 0);
	/* Who comes from the first test now comes alone: the second round knows what it said. */
	assert_int_equal(ir_pass_thread(&ir), 0);
	assert_int_equal(count_branches(&ir, IR_EQ), 3);
	ir_fini(&ir);
}

static void facts_follow_from_facts(void **state)
{
	static const struct {
		uint16_t first, second;
		uint32_t k1, k2;
		int known; /* of the second, where the first is true: -1 not known */
	} rows[] = {
		{OP_JEQ_K, OP_JEQ_K, 5, 5, 1},
		{OP_JEQ_K, OP_JEQ_K, 5, 6, 0},
		{OP_JEQ_K, OP_JGT_K, 5, 4, 1},
		{OP_JEQ_K, OP_JSET_K, 5, 2, 0},
		{OP_JGT_K, OP_JGT_K, 5, 4, 1},
		{OP_JGT_K, OP_JGT_K, 5, 6, -1},
		{OP_JGT_K, OP_JEQ_K, 5, 5, 0},
		{OP_JGT_K, OP_JGE_K, 5, 6, 1},
		{OP_JGE_K, OP_JEQ_K, 5, 4, 0},
		{OP_JGE_K, OP_JEQ_K, 5, 5, -1},
		{OP_JSET_K, OP_JSET_K, 4, 6, 1},
		{OP_JSET_K, OP_JSET_K, 6, 4, -1},
		{OP_JSET_K, OP_JEQ_K, 4, 3, 0},
	};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(rows); i++) {
		struct ir ir;

		BUILD(&ir, true, {OP_LD_W_ABS}, {rows[i].first, 0, 1, rows[i].k1},
			{rows[i].second, 1, 2, rows[i].k2}, {OP_RET_K, 0, 0, 0},
			{OP_RET_K, 0, 0, 1}, {OP_RET_K, 0, 0, 2});
		assert_int_equal(ir_pass_thread(&ir), 0);
		/* The check of the load, the first test, and the second if it is still open. */
		if (count_branches(&ir, IR_NONE) != (rows[i].known < 0 ? 3 : 2))
			fail_msg("row %zu", i);
		if (rows[i].known >= 0)
			assert_int_equal(first_result(&ir)->k, rows[i].known ? 1 : 2);
		ir_fini(&ir);
	}
}

static void chains_become_lookups(void **state)
{
	struct ir ir;
	const struct ir_set *set;

	(void)state;
	BUILD(&ir, true, {OP_LD_W_ABS, 0, 0, 26}, {OP_JEQ_K, 6, 0, 9}, {OP_JEQ_K, 5, 0, 3},
		{OP_JEQ_K, 4, 0, 7}, {OP_JEQ_K, 3, 0, 3}, {OP_JEQ_K, 2, 0, 5}, {OP_JEQ_K, 1, 0, 1},
		{OP_RET_K, 0, 0, 0}, {OP_RET_K, 0, 0, 1});
	assert_int_equal(ir_pass_chains(&ir), 0);
	assert_int_equal(count_branches(&ir, IR_EQ), 0);
	assert_int_equal(count_branches(&ir, IR_IN), 1);
	set = &ir.sets[1];
	assert_int_equal(set->n, 5);
	for (uint32_t k = 0; k < 12; k++)
		assert_int_equal(
			ir_set_has(set, k), k == 1 || k == 3 || k == 5 || k == 7 || k == 9);
	ir_fini(&ir);
}

static void chains_over_two_fields_become_two_lookups(void **state)
{
	struct ir ir;

	(void)state;
	/* As it comes unoptimised: the source, the destination, the source of the next host, ... */
	BUILD(&ir, true, {OP_LD_W_ABS, 0, 0, 30}, {OP_LD_W_ABS, 0, 0, 26}, {OP_JEQ_K, 12, 0, 1},
		{OP_LD_W_ABS, 0, 0, 30}, {OP_JEQ_K, 10, 0, 1}, {OP_LD_W_ABS, 0, 0, 26},
		{OP_JEQ_K, 8, 0, 2}, {OP_LD_W_ABS, 0, 0, 30}, {OP_JEQ_K, 6, 0, 2},
		{OP_LD_W_ABS, 0, 0, 26}, {OP_JEQ_K, 4, 0, 3}, {OP_LD_W_ABS, 0, 0, 30},
		{OP_JEQ_K, 2, 0, 3}, {OP_LD_IMM}, {OP_RET_K, 0, 0, 0}, {OP_RET_K, 0, 0, 1});
	assert_int_equal(ir_pass_checks(&ir), 0);
	assert_int_equal(ir_pass_chains(&ir), 0);
	assert_int_equal(count_branches(&ir, IR_EQ), 0);
	assert_int_equal(count_branches(&ir, IR_IN), 2);
	/* Both fields are asked for the same hosts: it is one set. */
	assert_int_equal(ir.n_sets, 2);
	ir_fini(&ir);
}

static void netorder_swaps_constants_instead_of_packets(void **state)
{
	struct ir ir;
	unsigned int n_raw = 0;

	(void)state;
	BUILD(&ir, true, {OP_LD_H_ABS, 0, 0, 12}, {OP_JEQ_K, 0, 3, 0x800}, {OP_LD_W_ABS, 0, 0, 26},
		{OP_AND_K, 0, 0, 0xff000000}, {OP_JEQ_K, 1, 0, 0x0a000000}, {OP_RET_K, 0, 0, 0},
		{OP_RET_K, 0, 0, 1});
	assert_int_equal(ir_pass_netorder(&ir), 0);
	for (uint32_t b = 1; b < ir.n_blocks; b++) {
		const struct ir_val *v = &ir.vals[ir.blocks[b].v];

		if (ir.blocks[b].term != IR_BR || v->op != IR_EQ)
			continue;
		n_raw++;
		assert_true(ir.vals[v->b].k == 0x0008 || ir.vals[v->b].k == 0x0a);
	}
	assert_int_equal(n_raw, 2);
	ir_fini(&ir);
}

static void flatten_leaves_no_branch_but_the_check(void **state)
{
	struct ir ir;
	const struct ir_block *entry;

	(void)state;
	build_expr(&ir, "udp");
	assert_int_equal(ir_pass_flatten(&ir), 0);
	entry = &ir.blocks[ir.entry];
	assert_int_equal(entry->term, IR_BR);
	assert_int_equal(ir.vals[entry->v].op, IR_INR);
	/* Next header 44 and what follows a fragment header: byte 54 is the farthest. */
	assert_int_equal(ir.vals[entry->v].k, 55);
	assert_int_equal(ir.blocks[entry->t].term, IR_RET);
	assert_int_equal(first_result(&ir)->op, IR_SEL);
	ir_fini(&ir);
}

static void flatten_sends_packets_that_end_between_two_checks_the_slow_way(void **state)
{
	struct ir ir;
	const struct ir_block *second;

	(void)state;
	build_expr(&ir, "ip and tcp port 80");
	assert_int_equal(ir_pass_flatten(&ir), 0);
	second = &ir.blocks[ir.blocks[ir.entry].t];
	assert_int_equal(second->term, IR_BR);
	assert_int_equal(ir.vals[second->v].op, IR_NBTW);
	assert_int_equal(ir.vals[second->v].k, 16);
	assert_int_equal(ir.blocks[second->t].term, IR_RET);
	ir_fini(&ir);
}

static void flatten_keeps_a_branch_that_mostly_ends_early(void **state)
{
	struct ir ir;

	(void)state;
	build_expr(&ir, "vlan and tcp port 443");
	assert_int_equal(ir_pass_flatten(&ir), 0);
	assert_true(count_branches(&ir, IR_EQ) > 0);
	/* The first decision behind the length check is the tag. */
	assert_int_equal(ir.vals[ir.blocks[ir.blocks[ir.entry].t].v].op, IR_EQ);
	ir_fini(&ir);
}

static void windows_merge_neighbours(void **state)
{
	struct ir ir;
	const struct ir_val *v;

	(void)state;
	/* Protocol 6 at 23 and no fragment at 20: four bytes. */
	BUILD(&ir, true, {OP_LD_B_ABS, 0, 0, 23}, {OP_JEQ_K, 0, 3, 6}, {OP_LD_H_ABS, 0, 0, 20},
		{OP_JSET_K, 1, 0, 0x1fff}, {OP_RET_K, 0, 0, 1}, {OP_RET_K, 0, 0, 0});
	assert_int_equal(ir_pass_netorder(&ir), 0);
	assert_int_equal(ir_pass_flatten(&ir), 0);
	assert_int_equal(ir_pass_windows(&ir), 0);
	v = first_result(&ir);
	assert_int_equal(v->op, IR_EQ);
	assert_int_equal(ir.vals[v->b].k, 0x06000000);
	v = &ir.vals[v->a];
	assert_int_equal(v->op, IR_AND);
	assert_int_equal(ir.vals[v->b].k, 0xff00ff1f);
	assert_int_equal(ir.vals[v->a].op, IR_RAW32);
	assert_int_equal(ir.vals[v->a].k, 20);
	ir_fini(&ir);
}

static void windows_of_eight_end_with_the_last_byte_that_is_needed(void **state)
{
	struct ir ir;
	const struct ir_val *v;

	(void)state;
	/* Bytes 20 and 13: the window is 13 to 20, not 13 to 21 or 16 to 23. */
	BUILD(&ir, true, {OP_LD_B_ABS, 0, 0, 20}, {OP_JEQ_K, 0, 3, 6}, {OP_LD_B_ABS, 0, 0, 13},
		{OP_JEQ_K, 0, 1, 9}, {OP_RET_K, 0, 0, 1}, {OP_RET_K, 0, 0, 0});
	assert_int_equal(ir_pass_flatten(&ir), 0);
	assert_int_equal(ir_pass_windows(&ir), 0);
	v = first_result(&ir);
	assert_int_equal(v->op, IR_WIN);
	assert_int_equal(ir.windows[v->k].off, 13);
	assert_true(ir.windows[v->k].mask == 0xff000000000000ff);
	assert_true(ir.windows[v->k].want == 0x0600000000000009);
	ir_fini(&ir);
}

static void sweep_drops_pinned_values_that_nobody_needs(void **state)
{
	const struct npf_bpf_insn insns[] = {
		{OP_LD_W_ABS}, {OP_MUL_K, 0, 0, 3}, {OP_LD_IMM, 0, 0, 1}, {OP_RET_A}};
	struct ir ir;

	(void)state;
	ir_init(&ir, NULL);
	assert_int_equal(ir_build(&ir, insns, 4, NULL, false), 0);
	assert_int_equal(ir_pass_sweep(&ir), 0);
	for (uint32_t b = 1; b < ir.n_blocks; b++)
		assert_int_equal(ir.blocks[b].pin, 0);
	ir_fini(&ir);
}

static void dominators_of_a_diamond_and_of_a_long_chain(void **state)
{
	struct ir ir;
	struct ir_order o;
	uint32_t b[4], out, prev;

	(void)state;
	ir_init(&ir, ir_simplify);
	for (unsigned int i = 0; i < 4; i++)
		b[i] = ir_block_new(&ir);
	ir.entry = b[0];
	ir_br(&ir, b[0], ir_in_range(&ir, 0, 5), b[1], b[2]);
	ir_jmp(&ir, b[1], b[3]);
	ir_jmp(&ir, b[2], b[3]);
	ir_ret(&ir, b[3], ir_const(&ir, 1));
	assert_int_equal(ir_order_init(&o, &ir), 0);
	assert_int_equal(o.n, 4);
	assert_int_equal(o.idom[b[3]], b[0]);
	assert_true(ir_dominates(&o, b[0], b[3]));
	assert_false(ir_dominates(&o, b[1], b[3]));
	assert_true(ir_dominates(&o, b[2], b[2]));
	ir_order_fini(&o);
	ir_fini(&ir);

	/* 50 000 tests that all lead to one block, each deeper than the last. */
	ir_init(&ir, ir_simplify);
	out = ir_block_new(&ir);
	ir_ret(&ir, out, ir_const(&ir, 1));
	ir.entry = prev = ir_block_new(&ir);
	for (uint32_t i = 1; i < 50000; i++) {
		uint32_t next = ir_block_new(&ir);

		ir_br(&ir, prev, ir_in_range(&ir, 0, i), out, next);
		prev = next;
	}
	ir_jmp(&ir, prev, out);
	assert_int_equal(ir_order_init(&o, &ir), 0);
	assert_int_equal(o.idom[out], ir.entry);
	assert_int_equal(o.depth[prev], 49999);
	assert_true(ir_dominates(&o, ir.entry, prev));
	assert_false(ir_dominates(&o, prev, out));
	ir_order_fini(&o);
	ir_fini(&ir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algebra_is_simplified_as_values_are_made),
		cmocka_unit_test(no_division_by_zero_is_folded),
		cmocka_unit_test(fold_decides_what_is_constant),
		cmocka_unit_test(checks_that_are_covered_go),
		cmocka_unit_test(checks_look_at_all_ways_to_a_block),
		cmocka_unit_test(thread_jumps_over_what_is_known),
		cmocka_unit_test(facts_follow_from_facts),
		cmocka_unit_test(chains_become_lookups),
		cmocka_unit_test(chains_over_two_fields_become_two_lookups),
		cmocka_unit_test(netorder_swaps_constants_instead_of_packets),
		cmocka_unit_test(flatten_leaves_no_branch_but_the_check),
		cmocka_unit_test(flatten_sends_packets_that_end_between_two_checks_the_slow_way),
		cmocka_unit_test(flatten_keeps_a_branch_that_mostly_ends_early),
		cmocka_unit_test(windows_merge_neighbours),
		cmocka_unit_test(windows_of_eight_end_with_the_last_byte_that_is_needed),
		cmocka_unit_test(sweep_drops_pinned_values_that_nobody_needs),
		cmocka_unit_test(dominators_of_a_diamond_and_of_a_long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
