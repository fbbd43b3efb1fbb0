/* SPDX-License-Identifier: BSD-3-Clause */
/* test_verify.c - what the verifier refuses, where it points to, and that pcap's programs pass. */
#include "jit/bpf.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define PROGRAM(...) ((const struct npf_bpf_insn[]){__VA_ARGS__})
#define COUNT(p)     ((uint32_t)(sizeof(p) / sizeof(struct npf_bpf_insn)))

#define assert_refused(at, text, ...)                                                              \
	do {                                                                                       \
		const struct npf_bpf_insn p[] = {__VA_ARGS__};                                     \
		struct npf_bpf_error err = {.pc = ~0u};                                            \
		assert_int_equal(npf_bpf_verify(p, COUNT(p), &err), -EINVAL);                      \
		assert_int_equal(err.pc, at);                                                      \
		assert_string_equal(err.reason, text);                                             \
		assert_int_equal(npf_bpf_verify(p, COUNT(p), NULL), -EINVAL);                      \
	} while (0)

#define assert_accepted(...)                                                                       \
	do {                                                                                       \
		const struct npf_bpf_insn p[] = {__VA_ARGS__};                                     \
		struct npf_bpf_error err = {.reason = "accepted"};                                 \
		int rc = npf_bpf_verify(p, COUNT(p), &err);                                        \
		assert_string_equal(err.reason, "accepted");                                       \
		assert_int_equal(rc, 0);                                                           \
	} while (0)

static void an_empty_program_is_refused(void **state)
{
	struct npf_bpf_error err;

	(void)state;
	assert_int_equal(npf_bpf_verify(NULL, 0, &err), -EINVAL);
	assert_string_equal(err.reason, "the program is empty");
}

static void a_program_must_end_in_a_return(void **state)
{
	(void)state;
	assert_refused(0, "the last instruction does not return", {OP_LD_IMM, 0, 0, 1});
	assert_refused(1, "the last instruction does not return", {OP_RET_K, 0, 0, 1}, {OP_TAX});
	assert_accepted({OP_RET_A});
}

static void only_the_listed_opcodes_are_instructions(void **state)
{
	unsigned int n_known = 0;

	(void)state;
	for (uint32_t code = 0; code <= 0xffff; code++) {
		const struct npf_bpf_insn p[] = {{OP_ST, 0, 0, 1}, {(uint16_t)code, 0, 0, 1},
			{OP_RET_K, 0, 0, 0}, {OP_RET_K}};

		n_known += npf_bpf_verify(p, COUNT(p), NULL) == 0;
	}
	assert_int_equal(n_known, 49);
	assert_refused(0, "unknown opcode 0x0e", {0x0e}, {OP_RET_A});
	assert_refused(0, "unknown opcode 0x8c", {0x8c}, {OP_RET_A});
	assert_refused(0, "unknown opcode 0x120", {0x120}, {OP_RET_A});
}

static void jumps_must_stay_inside(void **state)
{
	(void)state;
	assert_refused(0, "jumps to 2, beyond the end", {OP_JEQ_K, 0, 1, 0}, {OP_RET_A});
	assert_refused(0, "jumps to 2, beyond the end", {OP_JEQ_K, 1, 0, 0}, {OP_RET_A});
	assert_refused(0, "jumps to 2, beyond the end", {OP_JA, 0, 0, 1}, {OP_RET_A});
	assert_refused(
		0, "jumps to 2147483648, beyond the end", {OP_JA, 0, 0, 0x7fffffff}, {OP_RET_A});
	assert_refused(0, "jumps backward by 1", {OP_JA, 0, 0, 0xffffffff}, {OP_RET_A});
	assert_accepted({OP_JEQ_K, 1, 0, 0}, {OP_RET_A}, {OP_RET_A});
	/* The distances of a JA in jt and jf mean nothing. */
	assert_accepted({OP_JA, 255, 255, 0}, {OP_RET_A});
}

static void division_by_constant_zero_is_refused(void **state)
{
	(void)state;
	assert_refused(0, "divides by zero", {OP_DIV_K}, {OP_RET_A});
	assert_refused(0, "divides by zero", {OP_MOD_K}, {OP_RET_A});
	assert_accepted({OP_DIV_X}, {OP_MOD_X}, {OP_RET_A});
}

static void constant_shifts_beyond_the_word_are_refused(void **state)
{
	(void)state;
	assert_refused(0, "shifts by 32, more than 31", {OP_LSH_K, 0, 0, 32}, {OP_RET_A});
	assert_refused(0, "shifts by 32, more than 31", {OP_RSH_K, 0, 0, 32}, {OP_RET_A});
	assert_accepted({OP_LSH_K, 0, 0, 31}, {OP_RSH_K, 0, 0, 31}, {OP_RET_A});
}

static void scratch_words_must_exist(void **state)
{
	(void)state;
	assert_refused(0, "no such scratch word: M[16]", {OP_ST, 0, 0, 16}, {OP_RET_A});
	assert_refused(0, "no such scratch word: M[16]", {OP_LDX_MEM, 0, 0, 16}, {OP_RET_A});
	assert_accepted({OP_STX, 0, 0, 15}, {OP_LD_MEM, 0, 0, 15}, {OP_RET_A});
}

static void scratch_must_be_written_on_every_path_before_it_is_read(void **state)
{
	(void)state;
	assert_refused(0, "reads M[3] before it is written", {OP_LD_MEM, 0, 0, 3}, {OP_RET_A});
	/* Written on the true path only. */
	assert_refused(2, "reads M[0] before it is written", {OP_JEQ_K, 0, 1, 0}, {OP_ST},
		{OP_LD_MEM}, {OP_RET_A});
	/* On the false path only; where a jump past the write joins the write. */
	assert_refused(2, "reads M[0] before it is written", {OP_JEQ_K, 1, 0, 0}, {OP_ST},
		{OP_LD_MEM}, {OP_RET_A});
	assert_refused(3, "reads M[0] before it is written", {OP_JEQ_K, 0, 1, 0}, {OP_JA, 0, 0, 1},
		{OP_ST}, {OP_LD_MEM}, {OP_RET_A});
	/* On the last of the paths that meet, not on the first. */
	assert_refused(4, "reads M[0] before it is written", {OP_JEQ_K, 3, 0, 0}, {OP_ST},
		{OP_JEQ_K, 1, 0, 1}, {OP_RET_A}, {OP_LD_MEM}, {OP_RET_A});
	/* On both. */
	assert_accepted(
		{OP_JEQ_K, 0, 2, 0}, {OP_ST}, {OP_JA, 0, 0, 1}, {OP_STX}, {OP_LD_MEM}, {OP_RET_A});
	/* What comes before in the program, but not on the path, has not written it. */
	assert_accepted({OP_JEQ_K, 0, 2, 0}, {OP_ST}, {OP_JA, 0, 0, 1}, {OP_JA, 0, 0, 2},
		{OP_LD_MEM}, {OP_RET_A}, {OP_RET_K});
	assert_accepted({OP_JEQ_K, 0, 2, 0}, {OP_ST}, {OP_JA, 0, 0, 1}, {OP_RET_K}, {OP_LD_MEM},
		{OP_RET_A});
	/* Nothing reaches the read. */
	assert_accepted({OP_RET_A}, {OP_LD_MEM}, {OP_RET_A});
}

static void the_first_of_several_faults_is_told(void **state)
{
	(void)state;
	assert_refused(0, "shifts by 32, more than 31", {OP_LSH_K, 0, 0, 32}, {OP_LD_MEM, 0, 0, 3},
		{OP_RET_A});
	assert_refused(0, "reads M[3] before it is written", {OP_LD_MEM, 0, 0, 3},
		{OP_LDX_MEM, 0, 0, 4}, {OP_RET_A});
}

static void the_longest_program_passes_and_one_more_does_not(void **state)
{
	struct npf_bpf_insn *p = calloc(NPF_BPF_MAXINSNS + 1, sizeof(*p));
	struct npf_bpf_error err;

	(void)state;
	assert_non_null(p);
	for (uint32_t i = 0; i <= NPF_BPF_MAXINSNS; i++)
		p[i].code = OP_TAX;
	p[NPF_BPF_MAXINSNS - 1].code = OP_RET_A;
	p[NPF_BPF_MAXINSNS].code = OP_RET_A;
	assert_int_equal(npf_bpf_verify(p, NPF_BPF_MAXINSNS, &err), 0);
	assert_int_equal(npf_bpf_verify(p, NPF_BPF_MAXINSNS + 1, &err), -EINVAL);
	free(p);
}

/* Filters that make libpcap's compiler use scratch memory, variable offsets and long jumps. */
static const struct {
	int dlt;
	const char *expr;
} real[] = {
	{DLT_EN10MB, ""},
	{DLT_EN10MB, "ip"},
	{DLT_EN10MB, "tcp port 80 or udp portrange 1000-2000"},
	{DLT_EN10MB, "vlan 5 and mpls 7 and host 10.0.0.1"},
	{DLT_EN10MB, "vlan and vlan and tcp[tcpflags] & (tcp-syn|tcp-fin) != 0"},
	{DLT_EN10MB, "pppoes 4 and ip and tcp port 80"},
	{DLT_EN10MB, "geneve 5 and ip6 and port 80"},
	{DLT_EN10MB, "ip[ip[0]&0xf:2] + tcp[4:4] * (udp[2] - ip[8]) / (ether[3] | 1) > len % 7"},
	{DLT_EN10MB, "tcp[(tcp[12]>>4)*4:4] = 0x47455420"},
	{DLT_EN10MB, "ether[ether[ether[ether[ether[0]]]]] ^ ether[1] = -ether[2]"},
	{DLT_EN10MB, "ip protochain 6"},
	{DLT_EN10MB, "(ip[0] + ip[1]) << (ip[2] & 31) > (ip[3] + ip[4]) >> (ip[5] - ip[6])"},
	{DLT_EN10MB, "outbound and ifindex 3"},
	{DLT_RAW, "tcp port 80"},
	{DLT_NULL, "host ::1"},
	{DLT_LINUX_SLL2, "ip6 and ifindex 3"},
	{DLT_IEEE802_11_RADIO, "type data and wlan addr1 1:2:3:4:5:6 and tcp port 80"},
	{DLT_PPI, "tcp port 80 or wlan host 1:2:3:4:5:6"},
	{DLT_IEEE802_11, "type mgt subtype beacon or host 10.0.0.1"},
	{DLT_ATM_RFC1483, "ip"},
	{DLT_SUNATM, "vci 7 and metac or oamf4"},
	{DLT_MTP2, "sio 3 and opc 5"},
	{DLT_PPP, "net 10.0.0.0/8 or icmp6"},
};

static void every_program_that_pcap_compiles_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(real); i++) {
		for (int optimize = 0; optimize < 2; optimize++) {
			pcap_t *p = pcap_open_dead(real[i].dlt, 65535);
			struct bpf_program prog;
			struct npf_bpf_error err = {.reason = ""};
			int rc = pcap_compile(p, &prog, real[i].expr, optimize, 0);

			if (rc != 0)
				fail_msg("%s: %s", real[i].expr, pcap_geterr(p));
			rc = npf_bpf_verify((const void *)prog.bf_insns, prog.bf_len, &err);
			if (strstr(real[i].expr, "protochain") != NULL && rc != 0)
				assert_non_null(strstr(err.reason, "backward"));
			else if (rc != 0)
				fail_msg("%s, optimize %d: (%03u) %s", real[i].expr, optimize,
					err.pc, err.reason);
			pcap_freecode(&prog);
			pcap_close(p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_program_is_refused),
		cmocka_unit_test(a_program_must_end_in_a_return),
		cmocka_unit_test(only_the_listed_opcodes_are_instructions),
		cmocka_unit_test(jumps_must_stay_inside),
		cmocka_unit_test(division_by_constant_zero_is_refused),
		cmocka_unit_test(constant_shifts_beyond_the_word_are_refused),
		cmocka_unit_test(scratch_words_must_exist),
		cmocka_unit_test(scratch_must_be_written_on_every_path_before_it_is_read),
		cmocka_unit_test(the_first_of_several_faults_is_told),
		cmocka_unit_test(the_longest_program_passes_and_one_more_does_not),
		cmocka_unit_test(every_program_that_pcap_compiles_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
