/* SPDX-License-Identifier: BSD-3-Clause */
/* test_loose.c - programs that libpcap runs itself: what counts as one, what it means, what the
 * engine can say of it without running its loops. */
#include "jit/bpf.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(p) ((uint32_t)NPF_ARRAY_LEN(p))

/* Packets whose first byte is a multiple of 3; keeps 7 bytes of those. */
static const struct npf_bpf_insn multiple_of_3[] = {{OP_LD_B_ABS, 0, 0, 0}, {OP_JEQ_K, 3, 0, 0},
	{OP_JGT_K, 3, 0, 250}, {OP_SUB_K, 0, 0, 3}, {OP_JA, 0, 0, (uint32_t)-4},
	{OP_RET_K, 0, 0, 7}, {OP_RET_K, 0, 0, 0}};
static const struct npf_bpf_insn endless[] = {{OP_LD_B_ABS, 0, 0, 0}, {OP_JEQ_K, 1, 0, 0},
	{OP_JA, 0, 0, (uint32_t)-1}, {OP_RET_K, 0, 0, 9}};
static const struct npf_bpf_insn unwritten[] = {{OP_LD_B_ABS, 0, 0, 0}, {OP_JEQ_K, 0, 1, 5},
	{OP_ST, 0, 0, 3}, {OP_LDX_MEM, 0, 0, 3}, {OP_TXA}, {OP_ADD_K, 0, 0, 1}, {OP_RET_A}};
static const struct npf_bpf_insn far_shift[] = {
	{OP_LD_B_ABS, 0, 0, 0}, {OP_LSH_K, 0, 0, 33}, {OP_RET_A}};

static struct npf_filter *compiled(
	const struct npf_bpf_insn *insns, uint32_t n, enum npf_backend backend)
{
	const struct npf_filter_opts opts = {.backend = backend, .loose = true};
	struct npf_filter *f = NULL;

	assert_int_equal(npf_filter_compile(insns, n, &opts, &f, NULL), 0);
	return f;
}

static uint32_t run(const struct npf_bpf_insn *insns, uint32_t n, uint8_t first)
{
	struct npf_filter *f = compiled(insns, n, NPF_BACKEND_AUTO);
	struct npf_filter *g = compiled(insns, n, NPF_BACKEND_INTERP);
	const uint8_t *pkts[3] = {&first, &first, &first};
	const uint32_t lens[3] = {1, 1, 1};
	uint32_t results[3];
	uint32_t result = npf_filter_run(f, &first, 1, 1);

	assert_int_equal(npf_filter_run(g, &first, 1, 1), result);
	npf_filter_run_burst(f, pkts, lens, lens, 3, results);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(results[i], result);
	npf_filter_free(f);
	npf_filter_free(g);
	return result;
}

static void each_kind_is_told_from_a_bad_program(void **state)
{
	struct npf_bpf_error why;
	struct npf_filter *f;

	(void)state;
	assert_int_equal(
		npf_bpf_verify_loose(multiple_of_3, COUNT(multiple_of_3), &why), NPF_BPF_LOOPS);
	assert_int_equal(why.pc, 4);
	assert_string_equal(why.reason, "jumps backward by 4");
	assert_int_equal(npf_bpf_verify_loose(unwritten, COUNT(unwritten), &why), NPF_BPF_SCRATCH);
	assert_int_equal(why.pc, 3);
	assert_int_equal(npf_bpf_verify_loose(far_shift, COUNT(far_shift), &why), NPF_BPF_SHIFTS);
	assert_int_equal(why.pc, 1);
	/* Whoever has not asked for such programs does not get one. */
	assert_int_equal(npf_filter_compile(far_shift, COUNT(far_shift), NULL, &f, &why), -EINVAL);
	assert_int_equal(why.pc, 1);
}

static void a_jump_out_of_the_program_is_refused_in_either_direction(void **state)
{
	struct npf_bpf_insn p[] = {{OP_LD_LEN}, {OP_JA}, {OP_RET_A}};
	struct npf_bpf_error why;

	(void)state;
	for (uint32_t k = 0; k < 10; k++) {
		p[1].k = k;
		assert_int_equal(npf_bpf_verify_loose(p, 3, &why), k == 0 ? 0 : -EINVAL);
		p[1].k = 0u - k - 1;
		assert_int_equal(npf_bpf_verify_loose(p, 3, &why), k < 2 ? NPF_BPF_LOOPS : -EINVAL);
	}
	p[1].k = 0x80000000u;
	assert_int_equal(npf_bpf_verify_loose(p, 3, &why), -EINVAL);
	p[1].k = 0x7fffffffu;
	assert_int_equal(npf_bpf_verify_loose(p, 3, &why), -EINVAL);
	/* A loose program is no excuse for what bpf_filter() would abort on. */
	p[0].code = 0xffff;
	p[1].k = 0u - 2;
	assert_int_equal(npf_bpf_verify_loose(p, 3, &why), -EINVAL);
	assert_int_equal(why.pc, 0);
}

static void loops_mean_what_bpf_filter_makes_of_them(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		const uint8_t first = (uint8_t)i;

		assert_int_equal(run(multiple_of_3, COUNT(multiple_of_3), first),
			bpf_filter((const struct bpf_insn *)multiple_of_3, &first, 1, 1));
	}
}

static void scratch_that_was_not_written_is_zero(void **state)
{
	(void)state;
	assert_int_equal(run(unwritten, COUNT(unwritten), 5), 6);
	assert_int_equal(run(unwritten, COUNT(unwritten), 200), 1);
}

/* Of all words that are read, the last of them too; also where the loops are run. */
static void all_scratch_that_was_not_written_is_zero(void **state)
{
	static const struct npf_bpf_insn two[] = {
		{OP_LD_MEM, 0, 0, 15}, {OP_LDX_MEM, 0, 0, 2}, {OP_ADD_X}, {OP_RET_A}};
	static const struct npf_bpf_insn with_loop[] = {{OP_LD_MEM, 0, 0, 5}, {OP_JEQ_K, 1, 0, 0},
		{OP_JA, 0, 0, (uint32_t)-1}, {OP_RET_K, 0, 0, 9}};
	struct npf_bpf_insn *tight = NULL;
	uint32_t n;

	(void)state;
	assert_int_equal(npf_bpf_tighten(two, COUNT(two), &tight, &n), 0);
	assert_int_equal(npf_bpf_verify(tight, n, NULL), 0);
	free(tight);
	assert_int_equal(npf_bpf_verify_loose(with_loop, 4, NULL), NPF_BPF_LOOPS | NPF_BPF_SCRATCH);
	assert_int_equal(npf_bpf_interpret_loose(with_loop, NULL, 0, 0, NULL, 100), 9);
}

static void there_must_be_room_to_clear_scratch(void **state)
{
	struct npf_bpf_insn *p = calloc(NPF_BPF_MAXINSNS, sizeof(*p));
	const uint32_t longest = NPF_BPF_MAXINSNS - NPF_BPF_MEMWORDS;

	(void)state;
	assert_non_null(p);
	for (uint32_t i = 1; i < NPF_BPF_MAXINSNS; i++)
		p[i].code = OP_RET_A;
	p[0].code = OP_LD_MEM;
	assert_int_equal(npf_bpf_verify_loose(p, longest, NULL), NPF_BPF_SCRATCH);
	assert_int_equal(npf_bpf_verify_loose(p, longest + 1, NULL), -EINVAL);
	free(p);
}

static void of_a_shift_the_low_five_bits_count(void **state)
{
	(void)state;
	assert_int_equal(run(far_shift, COUNT(far_shift), 5), 10);
}

static void a_loop_without_end_is_cut_off_and_rejects(void **state)
{
	(void)state;
	assert_int_equal(run(endless, COUNT(endless), 0), 9);
	assert_int_equal(run(endless, COUNT(endless), 1), 0);
}

static void without_a_bound_a_loop_takes_the_steps_that_it_needs(void **state)
{
	static const struct npf_bpf_insn count_down[] = {{OP_LD_IMM, 0, 0, 20000},
		{OP_JEQ_K, 2, 0, 0}, {OP_SUB_K, 0, 0, 1}, {OP_JA, 0, 0, (uint32_t)-3},
		{OP_RET_K, 0, 0, 7}};
	const uint32_t n_steps = 1 + 20000 * 3 + 2;

	(void)state;
	assert_int_equal(npf_bpf_interpret_loose(count_down, NULL, 0, 0, NULL, 0), 7);
	assert_int_equal(npf_bpf_interpret_loose(count_down, NULL, 0, 0, NULL, n_steps), 7);
	assert_int_equal(npf_bpf_interpret_loose(count_down, NULL, 0, 0, NULL, n_steps - 1), 0);
}

static void a_loop_may_take_as_many_steps_as_stated(void **state)
{
	/* Counts M[0] up to k; 5 steps a turn. */
	struct npf_bpf_insn p[] = {{OP_LD_IMM}, {OP_ST}, {OP_LD_MEM}, {OP_ADD_K, 0, 0, 1}, {OP_ST},
		{OP_JEQ_K, 1, 0, 0}, {OP_JA, 0, 0, (uint32_t)-5}, {OP_RET_K, 0, 0, 1}};

	(void)state;
	p[5].k = (NPF_BPF_MAXSTEPS - 3) / 5;
	assert_int_equal(npf_bpf_interpret_loose(p, NULL, 0, 0, NULL, NPF_BPF_MAXSTEPS), 1);
	p[5].k++;
	assert_int_equal(npf_bpf_interpret_loose(p, NULL, 0, 0, NULL, NPF_BPF_MAXSTEPS), 0);
	assert_int_equal(npf_bpf_interpret_loose(p, NULL, 0, 0, NULL, 0), 1);
}

static void a_filter_gives_a_loop_its_length_and_as_many_steps_as_stated(void **state)
{
	struct npf_bpf_insn count_down[] = {{OP_LD_IMM}, {OP_JEQ_K, 2, 0, 0}, {OP_SUB_K, 0, 0, 1},
		{OP_JA, 0, 0, (uint32_t)-3}, {OP_RET_K, 0, 0, 7}};

	(void)state;
	count_down[0].k = (COUNT(count_down) + NPF_BPF_MAXSTEPS - 3) / 3;
	assert_int_equal(run(count_down, COUNT(count_down), 0), 7);
	count_down[0].k++;
	assert_int_equal(run(count_down, COUNT(count_down), 0), 0);
}

static void the_loops_of_a_burst_are_run_packet_by_packet(void **state)
{
	struct npf_filter *f = compiled(multiple_of_3, COUNT(multiple_of_3), NPF_BACKEND_AUTO);
	const uint8_t bytes[4] = {30, 31, 0, 33};
	const uint8_t *pkts[4];
	const uint32_t lens[4] = {1, 1, 1, 1}, caplens[4] = {1, 1, 0, 1};
	uint32_t results[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		pkts[i] = &bytes[i];
	npf_filter_run_burst(f, pkts, lens, caplens, 4, results);
	assert_int_equal(results[0], 7);
	assert_int_equal(results[1], 0);
	assert_int_equal(results[2], 0);
	assert_int_equal(results[3], 7);
	npf_filter_free(f);
}

static void a_screen_lets_pass_what_it_cannot_decide(void **state)
{
	struct npf_filter *f = compiled(multiple_of_3, COUNT(multiple_of_3), NPF_BACKEND_AUTO);
	const uint8_t first[4] = {0, 3, 4, 251};
	const uint32_t expect[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, 0};

	(void)state;
	assert_true(npf_filter_is_loose(f));
	for (unsigned int i = 0; i < 4; i++) {
		const uint8_t *pkt = &first[i];
		const uint32_t len = 1;
		uint32_t result;

		assert_int_equal(npf_filter_screen(f, pkt, 1, 1), expect[i]);
		npf_filter_screen_burst(f, &pkt, &len, &len, 1, &result);
		assert_int_equal(result, expect[i]);
	}
	npf_filter_free(f);
}

static void a_screen_of_another_filter_is_the_filter(void **state)
{
	static const struct npf_bpf_insn plain[] = {{OP_LD_B_ABS, 0, 0, 0}, {OP_RET_A}};
	struct npf_filter *f = compiled(plain, COUNT(plain), NPF_BACKEND_AUTO);
	const uint8_t first = 77, *pkt = &first;
	const uint32_t len = 1;
	uint32_t result;

	(void)state;
	assert_false(npf_filter_is_loose(f));
	assert_int_equal(npf_filter_screen(f, &first, 1, 1), 77);
	npf_filter_screen_burst(f, &pkt, &len, &len, 1, &result);
	assert_int_equal(result, 77);
	npf_filter_free(f);
}

/* ---- Programs and packets at random ---- */

static uint32_t below(uint64_t *s, uint32_t n)
{
	*s = *s * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*s >> 33) * n >> 31);
}

static void make_program(uint64_t *s, struct npf_bpf_insn *p, uint32_t n)
{
	static const uint16_t codes[] = {OP_LD_B_ABS, OP_LD_B_IND, OP_LDX_IMM, OP_LD_MEM,
		OP_LDX_MEM, OP_ST, OP_STX, OP_ADD_K, OP_SUB_X, OP_LSH_K, OP_RSH_K, OP_TAX, OP_TXA,
		OP_JEQ_K, OP_JGT_K, OP_JSET_K, OP_JA, OP_RET_A, OP_RET_K};

	for (uint32_t i = 0; i < n; i++) {
		p[i] = (struct npf_bpf_insn){.code = codes[below(s, NPF_ARRAY_LEN(codes))]};
		p[i].k = below(s, 8) == 0 ? below(s, 64) : below(s, 8);
		if (p[i].code == OP_ST || p[i].code == OP_STX || p[i].code == OP_LD_MEM ||
			p[i].code == OP_LDX_MEM)
			p[i].k %= 4;
		if (p[i].code == OP_JA)
			p[i].k = below(s, n) - i - 1;
		if (npf_bpf_is_jump(p[i].code) && p[i].code != OP_JA) {
			p[i].jt = (uint8_t)below(s, n - NPF_MIN(i + 1, n - 1));
			p[i].jf = (uint8_t)below(s, n - NPF_MIN(i + 1, n - 1));
		}
	}
	p[n - 1] = (struct npf_bpf_insn){.code = OP_RET_K, .k = below(s, 3)};
}

static void what_is_tightened_passes_and_rejects_nothing_too_much(void **state)
{
	uint64_t s = 1;
	unsigned int seen = 0;

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		npf_autofree struct npf_bpf_insn *tight = NULL;
		struct npf_bpf_insn p[24];
		uint32_t n = 4 + below(&s, 20), n_tight;
		uint8_t pkt[8];
		int how;

		make_program(&s, p, n);
		how = npf_bpf_verify_loose(p, n, NULL);
		if (how <= 0)
			continue;
		seen |= (unsigned int)how;
		assert_int_equal(npf_bpf_tighten(p, n, &tight, &n_tight), 0);
		assert_int_equal(npf_bpf_verify(tight, n_tight, NULL), 0);
		for (unsigned int i = 0; i < 8; i++) {
			uint32_t exact, bound;

			for (unsigned int j = 0; j < sizeof(pkt); j++)
				pkt[j] = (uint8_t)below(&s, 10);
			exact = npf_bpf_interpret_loose(p, pkt, 8, 8, NULL, 10000);
			bound = npf_bpf_interpret(tight, pkt, 8, 8, NULL);
			if (bound != UINT32_MAX || (how & NPF_BPF_LOOPS) == 0)
				assert_int_equal(bound, exact);
		}
	}
	assert_int_equal(seen, NPF_BPF_LOOPS | NPF_BPF_SCRATCH | NPF_BPF_SHIFTS);
}

static void protochain_is_loose_and_nearly_all_of_it_is_decided_without_its_loop(void **state)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 262144);
	struct bpf_program prog;
	uint8_t v4[60] = {[12] = 8, [14] = 0x45, [23] = 17}, v6[80] = {[12] = 0x86, [13] = 0xdd};
	struct npf_filter *f;

	(void)state;
	assert_int_equal(pcap_compile(dead, &prog, "ip6 protochain 17", 1, 0), 0);
	f = compiled((const struct npf_bpf_insn *)prog.bf_insns, prog.bf_len, NPF_BACKEND_AUTO);
	assert_int_equal(npf_filter_screen(f, v4, 60, 60), 0);
	v6[20] = 6;
	assert_int_equal(npf_filter_screen(f, v6, 80, 80), 0);
	v6[20] = 17;
	assert_int_equal(npf_filter_run(f, v6, 80, 80), 262144);
	v6[20] = 0; /* hop-by-hop, then TCP */
	v6[54] = 6;
	assert_int_equal(npf_filter_screen(f, v6, 80, 80), UINT32_MAX);
	assert_int_equal(npf_filter_run(f, v6, 80, 80), 0);
	v6[54] = 17;
	assert_int_equal(npf_filter_run(f, v6, 80, 80), 262144);
	npf_filter_free(f);
	pcap_freecode(&prog);
	pcap_close(dead);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_told_from_a_bad_program),
		cmocka_unit_test(a_jump_out_of_the_program_is_refused_in_either_direction),
		cmocka_unit_test(loops_mean_what_bpf_filter_makes_of_them),
		cmocka_unit_test(scratch_that_was_not_written_is_zero),
		cmocka_unit_test(all_scratch_that_was_not_written_is_zero),
		cmocka_unit_test(there_must_be_room_to_clear_scratch),
		cmocka_unit_test(of_a_shift_the_low_five_bits_count),
		cmocka_unit_test(a_loop_without_end_is_cut_off_and_rejects),
		cmocka_unit_test(without_a_bound_a_loop_takes_the_steps_that_it_needs),
		cmocka_unit_test(a_loop_may_take_as_many_steps_as_stated),
		cmocka_unit_test(a_filter_gives_a_loop_its_length_and_as_many_steps_as_stated),
		cmocka_unit_test(the_loops_of_a_burst_are_run_packet_by_packet),
		cmocka_unit_test(a_screen_lets_pass_what_it_cannot_decide),
		cmocka_unit_test(a_screen_of_another_filter_is_the_filter),
		cmocka_unit_test(what_is_tightened_passes_and_rejects_nothing_too_much),
		cmocka_unit_test(
			protochain_is_loose_and_nearly_all_of_it_is_decided_without_its_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
