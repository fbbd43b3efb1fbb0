/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sets.c - lookup tables hold exactly their set; set files mean what pcap's words mean. */
#include "jit/x86/lookup.h"
#include "jit/opcode.h"
#include "expression/expression.h"

#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static bool has(const struct lookup *l, uint32_t v)
{
	uint32_t m = l->mult;

	if (l->kind == LOOKUP_BITS)
		return v <= UINT16_MAX && (l->slots[v / 32] >> v % 32 & 1) != 0;
	if (l->kind == LOOKUP_HASH2)
		m = l->mults[v * l->mult >> l->mult_shift];
	return l->slots[v * m >> l->shift] == v;
}

static bool is_member(const uint32_t *k, uint32_t n, uint32_t v)
{
	for (uint32_t i = 0; i < n; i++) {
		if (k[i] == v)
			return true;
	}
	return false;
}

static uint32_t scramble(uint32_t i)
{
	i = (i ^ i >> 16) * 0x7feb352du;
	i = (i ^ i >> 15) * 0x846ca68bu;
	return i ^ i >> 16;
}

static void try_set(uint32_t *k, uint32_t n, uint32_t max, enum lookup_kind kind)
{
	struct lookup l;

	assert_int_equal(lookup_build(&l, k, n, max), 0);
	assert_int_equal(l.kind, kind);
	for (uint32_t i = 0; i < n; i++)
		assert_true(has(&l, k[i]));
	for (uint32_t i = 0; i < 2000; i++) {
		const uint32_t v = (i & 1 ? scramble(i + 77777) : k[i % n] + 1 + i / n) & max;

		assert_int_equal(has(&l, v), is_member(k, n, v));
	}
	assert_int_equal(has(&l, 0), is_member(k, n, 0));
	assert_int_equal(has(&l, max), is_member(k, n, max));
	/* What lies in the slots that nobody has must not be found there. */
	if (kind != LOOKUP_BITS) {
		for (uint32_t s = 0; s < l.n_slots; s++)
			assert_true(is_member(k, n, l.slots[s]));
	}
	lookup_fini(&l);
}

static void a_table_holds_its_set_and_nothing_else(void **state)
{
	static const uint32_t sizes[] = {2, 3, 5, 23, 24, 40, 48, 49, 100, 1000, 4000};
	static uint32_t k[4000];

	(void)state;
	for (size_t s = 0; s < NPF_ARRAY_LEN(sizes); s++) {
		const uint32_t n = sizes[s];

		/* Scattered; neighbours; alike in the low half, as addresses read backward are. */
		for (uint32_t i = 0; i < n; i++)
			k[i] = scramble(i);
		try_set(k, n, UINT32_MAX, n <= 48 ? LOOKUP_HASH : LOOKUP_HASH2);
		for (uint32_t i = 0; i < n; i++)
			k[i] = 0x0a000000 + i;
		try_set(k, n, UINT32_MAX, n <= 48 ? LOOKUP_HASH : LOOKUP_HASH2);
		for (uint32_t i = 0; i < n; i++)
			k[i] = __builtin_bswap32(0x0a000000 + i * 3);
		try_set(k, n, UINT32_MAX, n <= 48 ? LOOKUP_HASH : LOOKUP_HASH2);
		for (uint32_t i = 0; i < n; i++)
			k[i] = i * 13;
		try_set(k, n, UINT16_MAX, n < 24 ? LOOKUP_HASH : LOOKUP_BITS);
	}
}

static void a_bitmap_is_for_16_bits(void **state)
{
	(void)state;
	assert_true(lookup_is_bitmap(24, UINT16_MAX));
	assert_false(lookup_is_bitmap(24, UINT16_MAX + 1));
	assert_false(lookup_is_bitmap(23, UINT16_MAX));
}

static void zero_and_the_greatest_value_can_be_members(void **state)
{
	uint32_t k[] = {0, 0xffffffff, 1, 0x80000000};

	(void)state;
	try_set(k, 4, UINT32_MAX, LOOKUP_HASH);
	try_set(k + 1, 3, UINT32_MAX, LOOKUP_HASH);
}

/*
 * A program that looks values up in one and the same set, at two places: first the bytes at 0
 * through `first`, then, if that is not in the set, those at 4 through `second`.
 */
static uint32_t shared_set(
	struct npf_bpf_insn *p, const struct npf_bpf_insn *how[2], uint32_t n_members)
{
	uint32_t n = 0;

	for (uint32_t use = 0; use < 2; use++) {
		for (const struct npf_bpf_insn *in = how[use]; in->code != OP_RET_K; in++) {
			p[n] = *in;
			p[n].k += (in->code & 0xe7) == OP_LD_W_ABS ? 4 * use : 0;
			n++;
		}
		for (uint32_t i = 0; i < n_members; i++)
			p[n++] = (struct npf_bpf_insn){
				OP_JEQ_K, (uint8_t)(n_members - i), 0, 200 + 14 * i};
		p[n++] = (struct npf_bpf_insn){OP_JA, 0, 0, 1};
		p[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 1 + use};
	}
	p[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 0};
	return n;
}

static void a_set_may_be_shared_by_values_of_different_ranges(void **state)
{
	static const struct npf_bpf_insn hows[][4] = {
		{{OP_LD_B_ABS, 0, 0, 3}, {OP_RET_K}},
		{{OP_LD_H_ABS, 0, 0, 2}, {OP_RET_K}},
		{{OP_LD_H_ABS, 0, 0, 2}, {OP_AND_K, 0, 0, 0xfffe}, {OP_RET_K}},
		{{OP_LD_W_ABS, 0, 0, 0}, {OP_RET_K}},
		{{OP_LD_W_ABS, 0, 0, 0}, {OP_ADD_K, 0, 0, 1}, {OP_RET_K}},
		{{OP_LD_W_ABS, 0, 0, 0}, {OP_RSH_K, 0, 0, 16}, {OP_RET_K}},
		{{OP_LD_W_ABS, 0, 0, 0}, {OP_LSH_K, 0, 0, 1}, {OP_RET_K}},
	};
	static const uint32_t sizes[] = {4, 23, 24, 60};
	static const uint32_t values[] = {0, 1, 100, 199, 200, 201, 214, 255, 522, 523, 1026, 65535,
		65536, 65736, 200 << 16, 0xffffff, 0x7fffffff, 0x80000000, 0x800000c8, 0xfffffff0,
		UINT32_MAX};
	const struct npf_filter_opts opts = {.backend = NPF_BACKEND_AUTO};
	struct npf_bpf_insn p[256];

	(void)state;
	for (size_t c = 0; c < NPF_ARRAY_LEN(hows) * NPF_ARRAY_LEN(hows) * NPF_ARRAY_LEN(sizes);
		c++) {
		const size_t both = c / NPF_ARRAY_LEN(sizes);
		const struct npf_bpf_insn *how[2] = {
			hows[both % NPF_ARRAY_LEN(hows)], hows[both / NPF_ARRAY_LEN(hows)]};
		const uint32_t n = shared_set(p, how, sizes[c % NPF_ARRAY_LEN(sizes)]);
		struct npf_filter *f = NULL;

		assert_int_equal(npf_filter_compile(p, n, &opts, &f, NULL), 0);
		for (size_t v = 0; v < NPF_ARRAY_LEN(values) * NPF_ARRAY_LEN(values); v++) {
			const uint32_t words[2] = {htonl(values[v % NPF_ARRAY_LEN(values)]),
				htonl(values[v / NPF_ARRAY_LEN(values)])};
			const uint8_t *pkt = (const uint8_t *)words;

			assert_int_equal(npf_filter_run(f, pkt, 8, 8),
				npf_bpf_interpret(p, pkt, 8, 8, NULL));
		}
		npf_filter_free(f);
	}
}

#define assert_refused(text, line, why)                                                            \
	do {                                                                                       \
		struct npf_bpf_insn *p = NULL;                                                     \
		struct npf_bpf_error err = {0};                                                    \
		uint32_t n;                                                                        \
		assert_int_equal(                                                                  \
			npf_expression_compile_set(text, strlen(text), 1, &p, &n, &err), -EINVAL); \
		assert_int_equal(err.pc, line);                                                    \
		assert_string_equal(err.reason, why);                                              \
		assert_int_equal(                                                                  \
			npf_expression_compile_set(text, strlen(text), 1, &p, &n, NULL), -EINVAL); \
	} while (0)

static void a_wrong_set_file_is_refused_with_the_line(void **state)
{
	static char longest[256 + 1];
	struct npf_bpf_insn *insns = NULL;
	uint32_t n_insns;

	(void)state;
	assert_refused("", 0, "there is no item");
	assert_refused("# nothing\n\n", 2, "there is no item");
	assert_refused("10.0.0.1\n10.0.0\n", 2, "neither an address, a net nor a port: 10.0.0");
	assert_refused("10.0.0.0/33", 1, "the length of an IPv4 net is a number up to 32");
	assert_refused("10.0.0.0/", 1, "the length of an IPv4 net is a number up to 32");
	assert_refused("10.0.0.1/8", 1, "bits are set beyond the net's length");
	assert_refused("2001:db8::1/32", 1, "bits are set beyond the net's length");
	assert_refused("::/129", 1, "the length of an IPv6 net is a number up to 128");
	assert_refused(
		"port 65536", 1, "a port is a number up to 65535, or two with - between them");
	assert_refused("port 5-4", 1, "a port is a number up to 65535, or two with - between them");
	assert_refused("port", 1, "neither an address, a net nor a port: port");
	assert_refused(
		"port  80 81", 1, "a port is a number up to 65535, or two with - between them");
	memset(longest, ' ', sizeof(longest) - 1);
	assert_refused(longest, 1, "the line is too long");
	memcpy(longest, "port 80", 7);
	longest[255] = '\0';
	assert_int_equal(npf_expression_compile_set(longest, 255, 1, &insns, &n_insns, NULL), 0);
	free(insns);
	assert_int_equal(
		npf_expression_compile_set("port 80\0 or 81\n", 15, 1, &insns, &n_insns, NULL),
		-EINVAL);
}

static void too_many_items_are_refused(void **state)
{
	struct npf_bpf_insn *p = NULL;
	struct npf_bpf_error err = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	uint32_t n;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++)
		fprintf(out, "10.1.%u.%u\n", i / 256, i % 256);
	fclose(out);
	assert_int_equal(npf_expression_compile_set(text, len, 1, &p, &n, &err), -EINVAL);
	assert_non_null(strstr(err.reason, "too many items"));
	free(text);
}

/* Packets with the addresses and ports around those of the items. */
static uint32_t make_packet(uint32_t i, uint8_t *p)
{
	static const uint8_t protos[] = {6, 17, 132, 1};
	/* The first fragment has the ports, the others have none. */
	static const uint8_t fragments[] = {1, 0x10, 0x20, 0x40, 0, 0, 0, 0, 0, 0, 0};
	const uint32_t options = i % 5 == 0 ? 4 : 0;
	const uint8_t proto = protos[i % 4];
	uint8_t *ports = p + 34;

	memset(p, 0, 80);
	switch (i / 4 % 4) {
	case 0:
	case 1:
		p[12] = 8;
		p[14] = (uint8_t)(0x45 + options / 4);
		p[20] = fragments[i % 11];
		ports += options;
		p[23] = proto;
		p[26] = p[30] = 10;
		p[28 + i / 16 % 2] = 1;
		p[29] = (uint8_t)(i / 7 % 5);
		p[33] = (uint8_t)(i / 31 % 5);
		break;
	case 2:
		p[12] = 0x86;
		p[13] = 0xdd;
		p[20] = proto;
		p[22 + i / 16 % 2 * 16] = 0x20;
		p[23 + i / 16 % 2 * 16] = 1;
		p[25 + i / 16 % 2 * 16] = i / 3 % 9 == 0;
		p[37] = (uint8_t)(i / 5 % 4);
		p[53] = (uint8_t)(i / 17 % 4);
		ports = p + 54;
		break;
	default:
		p[12] = i % 3 ? 8 : 0x80;
		p[13] = i % 3 ? 6 : 0x35;
		p[28] = p[38] = 10;
		p[31] = (uint8_t)(i / 7 % 5);
		p[41] = (uint8_t)(i / 31 % 5);
		return 42;
	}
	ports[1] = (uint8_t)(i / 13 % 90);
	ports[3] = (uint8_t)(i / 3 % 90);
	return 80;
}

static void items_mean_what_host_net_and_port_mean(void **state)
{
	static const struct {
		const char *set, *expr;
	} rows[] = {
		{"10.0.0.1\n10.0.0.3", "host 10.0.0.1 or host 10.0.0.3"},
		{"10.0.1.0/24", "net 10.0.1.0/24"},
		{"10.0.0.0/16\n10.1.0.0/16\n10.0.0.2", "net 10.0.0.0/16 or net 10.1.0.0/16 or "
						       "host 10.0.0.2"},
		{"0.0.0.0/0", "net 0.0.0.0/0"},
		/* What is no address of a net of its own size is not in one of another size. */
		{"10.0.0.0\n11.0.0.0/8", "host 10.0.0.0 or net 11.0.0.0/8"},
		{"2001::1", "host 2001::1"},
		{"2001::/16", "net 2001::/16"},
		{"port 80\r\n 10.0.0.1 \r", "port 80 or host 10.0.0.1"},
		{"2001::/32\n::3", "net 2001::/32 or host ::3"},
		{"port 80", "port 80"},
		{"port 80\nport 5-9\nport 22", "port 80 or portrange 5-9 or port 22"},
		{"10.0.0.1\nport 80\n2001::1", "host 10.0.0.1 or port 80 or host 2001::1"},
	};

	(void)state;
	for (size_t r = 0; r < NPF_ARRAY_LEN(rows); r++) {
		pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
		struct npf_bpf_insn *insns = NULL;
		struct bpf_program prog;
		unsigned int n_accepted = 0;
		uint32_t n;

		assert_int_equal(
			pcap_compile(pcap, &prog, rows[r].expr, 1, PCAP_NETMASK_UNKNOWN), 0);
		assert_int_equal(npf_expression_compile_set(rows[r].set, strlen(rows[r].set),
					 262144, &insns, &n, NULL),
			0);
		assert_int_equal(npf_bpf_verify(insns, n, NULL), 0);
		for (uint32_t i = 0; i < 8000; i++) {
			uint8_t pkt[80];
			uint32_t len = make_packet(i, pkt);
			uint32_t want = bpf_filter(prog.bf_insns, pkt, len, len);

			if (npf_bpf_interpret(insns, pkt, len, len, NULL) != want)
				fail_msg("%s: packet %u is %u", rows[r].expr, i, want);
			n_accepted += want != 0;
		}
		assert_true(n_accepted > 0);
		free(insns);
		pcap_freecode(&prog);
		pcap_close(pcap);
	}
}

/* More than one jump reaches over. */
static void of_a_long_list_each_item_is_found_and_no_other(void **state)
{
	struct npf_bpf_insn *insns = NULL;
	uint8_t pkt[80] = {[12] = 8, [14] = 0x45, [23] = 17};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	uint32_t n;

	(void)state;
	assert_non_null(out);
	for (unsigned int i = 0; i < 1200; i += 2)
		fprintf(out, "10.1.%u.%u\nport %u\n", i / 256, i % 256, 5000 + i);
	fclose(out);
	assert_int_equal(npf_expression_compile_set(text, len, 1, &insns, &n, NULL), 0);
	assert_int_equal(npf_bpf_verify(insns, n, NULL), 0);
	for (unsigned int i = 0; i < 1200; i++) {
		const uint32_t addr = htonl(0x0a010000 + i);
		const uint16_t port = htons((uint16_t)(5000 + i));

		memcpy(pkt + 30, &addr, 4);
		memset(pkt + 34, 0, 4);
		assert_int_equal(npf_bpf_interpret(insns, pkt, 80, 80, NULL), i % 2 == 0);
		memset(pkt + 30, 0, 4);
		memcpy(pkt + 36, &port, 2);
		assert_int_equal(npf_bpf_interpret(insns, pkt, 80, 80, NULL), i % 2 == 0);
	}
	free(insns);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_holds_its_set_and_nothing_else),
		cmocka_unit_test(a_bitmap_is_for_16_bits),
		cmocka_unit_test(zero_and_the_greatest_value_can_be_members),
		cmocka_unit_test(a_set_may_be_shared_by_values_of_different_ranges),
		cmocka_unit_test(a_wrong_set_file_is_refused_with_the_line),
		cmocka_unit_test(too_many_items_are_refused),
		cmocka_unit_test(of_a_long_list_each_item_is_found_and_no_other),
		cmocka_unit_test(items_mean_what_host_net_and_port_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
