/* SPDX-License-Identifier: BSD-3-Clause */
/* test_set_fields.c - filter sets: what fields are, wherever they lie in a packet and beyond it. */
#include "set_bench.h"

#include <stdio.h>

static void masked_fields_are_columns_of_their_own(void **state)
{
	struct bench *b = *state;
	static const char *const exprs[] = {"net 10.0.0.0/28", "net 10.0.0.16/28",
		"net 10.0.0.32/27", "src net 10.0.0.0/26", "dst net 10.0.0.128/25",
		"ip[15] & 3 = 1", "ip[15] & 0x30 != 0", "ip[15] & 3 = 0",
		"ip[12:4] >> 4 = 0xa00001", "ip[15] << 4 = 0x50", "ip[15] * 3 + 1 = 40",
		"ip[15] / 5 = 3", "ip[15] - 9 > 100", "ip[15] % 7 = 4", "ip[15] | 1 = ip[19] ^ 5",
		"ip[15] > ip[19]", "ip[15] & ip[19] = 0"};

	for (size_t i = 0; i < NPF_ARRAY_LEN(exprs); i++)
		set_bench_add(b, exprs[i]);
	set_bench_fill_hosts(b);
	set_bench_run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], b->n);
}

static void a_set_may_have_more_than_255_planes(void **state)
{
	struct bench *b = *state;
	char expr[80];

	for (unsigned int i = 0; i < 128; i++) {
		snprintf(expr, sizeof(expr), "tcp src port %u and dst host 10.0.0.%u", 60 + i,
			3 * i);
		if (i >= 64)
			snprintf(expr, sizeof(expr), "tcp src port %u or ip[%u] = %u", i, i, i);
		set_bench_add(b, expr);
	}
	set_bench_fill_hosts(b);
	set_bench_run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 128);
	assert_true(b->facts.n_tests + b->facts.n_probed + b->facts.n_ops > 300);
}

static void ranges_are_unsigned_and_exact(void **state)
{
	struct bench *b = *state;
	static const uint32_t k[] = {
		0, 1, 0x0a000005, 0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX};
	static uint8_t bytes[NPF_ARRAY_LEN(k) * 3][4];
	static const uint16_t codes[] = {OP_JGT_K, OP_JGE_K, OP_JEQ_K, OP_JSET_K};

	for (size_t i = 0; i < NPF_ARRAY_LEN(k); i++) {
		for (size_t j = 0; j < NPF_ARRAY_LEN(codes) * 2; j++) {
			const uint8_t yes = j % 2;
			const struct npf_bpf_insn prog[] = {{OP_LD_W_ABS, 0, 0, 0},
				{codes[j / 2], yes, !yes, k[i]}, {OP_RET_K, 0, 0, 96}, {OP_RET_K}};

			set_bench_add_insns(b, prog, NPF_ARRAY_LEN(prog));
		}
		for (uint32_t d = 0; d < 3; d++) {
			const uint32_t v = __builtin_bswap32(k[i] + d - 1);

			memcpy(bytes[3 * i + d], &v, 4);
			b->pkts[b->n_pkts] = bytes[3 * i + d];
			b->lens[b->n_pkts] = b->caplens[b->n_pkts] = 4;
			b->n_pkts++;
		}
	}
	set_bench_run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], b->facts.n_different);
}

static void the_length_on_the_wire_is_a_field(void **state)
{
	struct bench *b = *state;
	static const uint8_t bytes[64];

	set_bench_add(b, "less 64");
	set_bench_add(b, "greater 64");
	set_bench_add(b, "len = 65");
	set_bench_add(b, "len & 7 = 1 and ether[0] = 0");
	for (uint32_t i = 0; i < 16; i++) {
		b->pkts[i] = bytes;
		b->lens[i] = 56 + i;
		b->caplens[i] = i;
	}
	b->n_pkts = 16;
	set_bench_run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 4);
}

/* Every length of header, and every caplen, up to unreadable memory. */
static void loads_behind_a_header_stay_in_the_packet(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[128];

	set_bench_add(b, "tcp src port 80");
	set_bench_add(b, "tcp dst port 443");
	set_bench_add(b, "tcp port 0");
	set_bench_add(b, "tcp[13] & 2 != 0");
	set_bench_add(b, "tcp[tcpflags] = 0");
	set_bench_add(b, "ip[ip[0] & 0xf] = 0");
	set_bench_add(b, "tcp[4:4] = 0 and tcp[8:4] = 0");
	for (uint32_t words = 0; words < 16; words++) {
		set_bench_write_tcp(bytes, 1, 2, 80, 443, words);
		bytes[14] = (uint8_t)(0x40 | words);
		set_bench_run_cut(b, bytes, 54 + 4 * words);
	}
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 7);
}

/* A base near 2^32 must not wrap around to the packet. */
static void an_offset_does_not_wrap(void **state)
{
	struct bench *b = *state;
	static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc};

	for (uint32_t k = 0; k < 8; k++) {
		const struct npf_bpf_insn prog[] = {{OP_LD_W_ABS, 0, 0, k % 2 * 4}, {OP_TAX},
			{OP_LD_B_IND, 0, 0, k}, {OP_JEQ_K, 0, 1, 0xff}, {OP_RET_K, 0, 0, 9},
			{OP_RET_K}};
		const struct npf_bpf_insn far[] = {{OP_LD_W_ABS, 0, 0, UINT32_MAX - k},
			{OP_JEQ_K, 1, 0, 0xff}, {OP_RET_K}, {OP_RET_K, 0, 0, 9}};

		set_bench_add_insns(b, prog, NPF_ARRAY_LEN(prog));
		set_bench_add_insns(b, far, NPF_ARRAY_LEN(far));
	}
	set_bench_run_cut(b, bytes, sizeof(bytes));
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], b->facts.n_different);
}

/* A load that is out of range gives 0 inside: that must not count as the value 0. */
static void a_field_that_is_not_there_is_not_zero(void **state)
{
	struct bench *b = *state;
	static const uint8_t bytes[40];

	set_bench_add(b, "ether[30] = 0");
	set_bench_add(b, "ether[28:4] < 5");
	set_bench_add(b, "ether[30] != 7");
	set_bench_add(b, "ether[30] & 0xf0 = 0");
	set_bench_add(b, "not ether[30] = 0");
	set_bench_add(b, "ether[30] = 1 or ether[30] = 2 or ether[30] = 3 or ether[30] = 0 or "
			 "ether[30] = 5");
	set_bench_add(b, "ether[38:2] = 0 or ether[20] = 0");
	set_bench_add(b, "ether[30] + 5 = 5");
	set_bench_add(b, "ether[30] | 8 = 8");
	set_bench_add(b, "ether[30] ^ 7 = 7");
	set_bench_add(b, "9 - ether[30] = 9");
	set_bench_run_cut(b, bytes, sizeof(bytes));
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 11);
}

/* Bytes that are there make up the constant, were the missing ones 0. */
static void a_field_that_is_there_in_part_has_no_value(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[128];

	set_bench_add(b, "ether[4:4] = 0x01020000");
	set_bench_add(b, "ether[8:2] = 0x0100");
	set_bench_add(b, "ether[10:2] = 0x0100");
	set_bench_add(b, "ether[0:4] = 0x01000000");
	set_bench_add(b, "tcp[4:4] = 0x01020000");
	set_bench_add(b, "tcp[8:4] = 0x01000000");
	set_bench_add(b, "tcp[12:2] = 0x0100");
	set_bench_add(b, "tcp[14:2] > 0xff");
	set_bench_write_tcp(bytes, 1, 2, 80, 443, 6);
	bytes[0] = bytes[4] = bytes[8] = bytes[10] = 1;
	bytes[5] = 2;
	bytes[42] = bytes[46] = bytes[50] = bytes[52] = 1;
	bytes[43] = 2;
	bytes[51] = 0;
	set_bench_run_cut(b, bytes, 60);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 8);
}

/* What a kernel reads at once is 64 bytes: the last field is in it, or just not. */
static void a_field_may_end_with_a_window_or_behind(void **state)
{
	struct bench *b = *state;
	static const char *const exprs[] = {"ether[0] = 1", "ether[20] = 0x8d", "ether[40] = 0x19",
		"ether[41:2] = 0x2027", "ether[60:4] = 0xa5acb3ba", "ether[61:4] = 0xacb3bac1",
		"ether[62:2] = 0xb3ba", "ether[63:2] = 0xbac1", "ether[63] = 0xba",
		"ether[64] = 0xc1"};
	uint8_t bytes[80];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < NPF_ARRAY_LEN(exprs); i++)
		set_bench_add(b, exprs[i]);
	set_bench_run_cut(b, bytes, sizeof(bytes));
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], NPF_ARRAY_LEN(exprs));
	/* All of them accept the whole packet. */
	for (size_t i = 0; i < NPF_ARRAY_LEN(exprs); i++)
		assert_int_not_equal(npf_filter_run(b->filters[i], bytes, 80, 80), 0);
}

/* Loads in all places of the 64 bytes that a kernel may read at once, and across their ends. */
static void fields_may_lie_anywhere(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[160];
	char expr[64];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	for (unsigned int i = 0; i < 140; i++) {
		const unsigned int size = 1u << i % 3;
		uint32_t v = 0;

		for (unsigned int j = 0; j < size; j++)
			v = v << 8 | bytes[i + j];
		snprintf(expr, sizeof(expr), "ether[%u:%u] = 0x%x", i, size, v);
		set_bench_add(b, expr);
	}
	for (unsigned int i = 0; i < 3; i++) {
		b->pkts[i] = bytes;
		b->lens[i] = b->caplens[i] = 50 * (i + 1);
	}
	b->n_pkts = 3;
	set_bench_run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 140);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_bench_make, set_bench_unmake)
	const struct CMUnitTest tests[] = {
		TEST(masked_fields_are_columns_of_their_own),
		TEST(a_set_may_have_more_than_255_planes),
		TEST(ranges_are_unsigned_and_exact),
		TEST(the_length_on_the_wire_is_a_field),
		TEST(loads_behind_a_header_stay_in_the_packet),
		TEST(an_offset_does_not_wrap),
		TEST(a_field_that_is_not_there_is_not_zero),
		TEST(a_field_that_is_there_in_part_has_no_value),
		TEST(a_field_may_end_with_a_window_or_behind),
		TEST(fields_may_lie_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
