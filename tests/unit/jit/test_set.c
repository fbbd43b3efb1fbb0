/* SPDX-License-Identifier: BSD-3-Clause */
/* test_set.c - filter sets: what fits and what does not, and that each part gives the verdicts. */
#include "jit/set/builder.h"
#include "jit/set/set.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#define MAX_MEMBERS 200

/* Members, with the programs that they are made of. */
struct bench {
	struct npf_filter_set_member members[MAX_MEMBERS];
	struct npf_bpf_insn *insns[MAX_MEMBERS];
	struct npf_filter *filters[MAX_MEMBERS];
	unsigned int n;
	struct npf_filter_set_facts facts; /* of the last set made */
	enum npf_filter_set_fit fit[MAX_MEMBERS];
	/* Unreadable memory follows it. */
	uint8_t *room, *end;
	const uint8_t *pkts[64];
	uint32_t lens[64], caplens[64];
	uint32_t n_pkts;
};

static int setup(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bench *b = calloc(1, sizeof(*b));

	b->room = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->room == MAP_FAILED || mprotect(b->room + 2 * page, page, PROT_NONE) < 0)
		return -1;
	b->end = b->room + 2 * page;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (unsigned int i = 0; i < b->n; i++) {
		npf_filter_free(b->filters[i]);
		free(b->insns[i]);
	}
	munmap(b->room, 3 * (size_t)sysconf(_SC_PAGESIZE));
	free(b);
	return 0;
}

static void add_insns(struct bench *b, const struct npf_bpf_insn *insns, uint32_t n)
{
	const struct npf_filter_opts opts = {.backend = NPF_BACKEND_INTERP, .loose = true};
	const unsigned int i = b->n++;

	b->insns[i] = malloc(n * sizeof(*insns));
	memcpy(b->insns[i], insns, n * sizeof(*insns));
	assert_int_equal(npf_filter_compile(insns, n, &opts, &b->filters[i], NULL), 0);
	b->members[i] = (struct npf_filter_set_member){
		.insns = b->insns[i], .n_insns = n, .filter = b->filters[i]};
}

static void add(struct bench *b, const char *expr)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	struct bpf_program prog;

	if (pcap_compile(p, &prog, expr, 1, PCAP_NETMASK_UNKNOWN) != 0)
		fail_msg("%s: %s", expr, pcap_geterr(p));
	add_insns(b, (const struct npf_bpf_insn *)prog.bf_insns, prog.bf_len);
	pcap_freecode(&prog);
	pcap_close(p);
}

/* An IPv4 packet of TCP, whose header has so many words. */
static void write_tcp(
	uint8_t *p, uint32_t src, uint32_t dst, uint32_t sport, uint32_t dport, uint32_t words)
{
	uint8_t *l4 = p + 14 + 4 * words;

	memset(p, 0, 120);
	p[12] = 8;
	p[14] = (uint8_t)(0x40 | words);
	p[23] = 6;
	for (unsigned int i = 0; i < 4; i++) {
		p[26 + i] = (uint8_t)(src >> (24 - 8 * i));
		p[30 + i] = (uint8_t)(dst >> (24 - 8 * i));
	}
	l4[0] = (uint8_t)(sport >> 8);
	l4[1] = (uint8_t)sport;
	l4[2] = (uint8_t)(dport >> 8);
	l4[3] = (uint8_t)dport;
	l4[13] = 2;
}

/* Every kernel must give the interpreter's verdicts on the packets, in bursts of n. */
static void run_kernel(struct bench *b, enum npf_filter_set_kernel kernel, uint32_t n)
{
	const struct npf_filter_set_opts opts = {.kernel = kernel, .always = true};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;
	int rc = npf_filter_set_new(b->members, b->n, &opts, &set);

	if (rc == -ENOTSUP)
		return;
	assert_int_equal(rc, 0);
	npf_filter_set_explain(set, &b->facts);
	assert_int_equal(b->facts.kernel, kernel);
	for (unsigned int m = 0; m < b->n; m++)
		b->fit[m] = npf_filter_set_fit(set, m);
	sc = npf_filter_set_scratch_new(set);
	assert_non_null(sc);
	for (uint32_t from = 0; from < b->n_pkts; from += n) {
		const uint32_t now = NPF_MIN(n, b->n_pkts - from);

		planes = npf_filter_set_run(
			set, sc, b->pkts + from, b->lens + from, b->caplens + from, now);
		for (unsigned int m = 0; m < b->n; m++) {
			const uint32_t *row = npf_filter_set_row(set, sc, m);

			assert_true(now == 32 || planes[m] >> now == 0);
			for (uint32_t i = 0; i < now; i++) {
				const uint32_t want =
					npf_bpf_interpret(b->insns[m], b->pkts[from + i],
						b->lens[from + i], b->caplens[from + i], NULL);
				const bool accepts = (planes[m] >> i & 1) != 0;

				if (accepts != (want != 0))
					fail_msg("%s: member %u, packet %u: %u, not %u",
						npf_filter_set_kernel_name(kernel), m, from + i,
						accepts, want);
				assert_int_equal(row != NULL ? row[i]
						 : accepts   ? npf_filter_set_keep(set, m)
							     : 0,
					want);
			}
		}
	}
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

static void run(struct bench *b)
{
	for (unsigned int k = NPF_FILTER_SET_PLAIN; k < NPF_FILTER_SET_N_KERNELS; k++) {
		run_kernel(b, k, 32);
		run_kernel(b, k, 5);
	}
}

/* One packet, cut at every length, each time at the end of readable memory. */
static void run_cut(struct bench *b, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t caplen = 0; caplen <= len; caplen++) {
		uint8_t *at = b->end - caplen;

		memcpy(at, bytes, caplen);
		b->n_pkts = 1;
		b->pkts[0] = at;
		b->lens[0] = len;
		b->caplens[0] = caplen;
		for (unsigned int k = NPF_FILTER_SET_PLAIN; k < NPF_FILTER_SET_N_KERNELS; k++)
			run_kernel(b, k, 32);
	}
}

static void fill_hosts(struct bench *b)
{
	static uint8_t bytes[64][128];

	b->n_pkts = 64;
	for (uint32_t i = 0; i < 64; i++) {
		write_tcp(bytes[i], 0x0a000000 + i, 0x0a000000 + 3 * i, 60 + i, 443, 5);
		b->pkts[i] = bytes[i];
		b->lens[i] = b->caplens[i] = 54 + i % 8;
	}
}

/* ---- probes ---- */

static uint32_t look_up(const struct set_probe *pr, uint32_t v, uint16_t *targets)
{
	const uint32_t home = v * pr->mul >> pr->shift;
	uint32_t n = 0;

	for (uint32_t slot = home; slot < home + pr->n_steps; slot++) {
		assert_true(slot < pr->n_slots);
		if (pr->keys[slot] != v)
			continue;
		for (uint32_t t = pr->first[pr->which[slot]]; t < pr->first[pr->which[slot] + 1];
			t++)
			targets[n++] = pr->target[t];
	}
	return n;
}

/* Constants that have their high bits, or their low bits, or nothing in common. */
static void a_probe_finds_each_constant_however_they_collide(void **state)
{
	static const uint32_t factors[] = {1, 1u << 21, 0x9e3779b1, 0xffffffff, 3u << 16};
	static struct set_pair pairs[2048];
	uint16_t targets[16];

	(void)state;
	for (unsigned int f = 0; f < NPF_ARRAY_LEN(factors); f++) {
		for (uint32_t n = 1; n <= 2048; n = n * 3 + 1) {
			struct set_probe pr = {0};

			for (uint32_t i = 0; i < n; i++)
				pairs[i] = (struct set_pair){i * factors[f], (uint16_t)(i + 7)};
			assert_int_equal(set_probe_init(&pr, pairs, n, 1), 0);
			for (uint32_t i = 0; i < n; i++) {
				const uint32_t got = look_up(&pr, i * factors[f], targets);

				/* 2048 of them are one constant, with the factor 2^21. */
				assert_true(got >= 1);
				if (got == 1)
					assert_int_equal(targets[0], i + 7);
			}
			assert_int_equal(look_up(&pr, 0x12345677, targets), 0);
			set_probe_fini(&pr);
		}
	}
}

static void a_constant_of_many_tests_sets_all_their_planes(void **state)
{
	struct set_pair pairs[] = {{5, 10}, {0, 11}, {5, 12}, {UINT32_MAX, 13}, {5, 14}};
	struct set_probe pr = {0};
	uint16_t targets[16];

	(void)state;
	assert_int_equal(set_probe_init(&pr, pairs, NPF_ARRAY_LEN(pairs), 99), 0);
	assert_int_equal(look_up(&pr, 5, targets), 3);
	assert_int_equal(targets[0] + targets[1] + targets[2], 36);
	assert_int_equal(look_up(&pr, 0, targets), 1);
	assert_int_equal(targets[0], 11);
	assert_int_equal(look_up(&pr, 6, targets), 0);
	set_probe_fini(&pr);
}

/* ---- what fits ---- */

static void hosts_share_their_lookups(void **state)
{
	struct bench *b = *state;
	char expr[64];

	for (unsigned int i = 0; i < 64; i++) {
		snprintf(expr, sizeof(expr), "host 10.0.0.%u", i);
		add(b, expr);
	}
	fill_hosts(b);
	run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 64);
	assert_int_equal(b->facts.n_loads, 5);
	assert_int_equal(b->facts.n_probes, 4);
	assert_int_equal(b->facts.n_probed, 256);
	assert_true(b->facts.n_in_runs > 250);
}

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
		add(b, exprs[i]);
	fill_hosts(b);
	run(b);
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
		add(b, expr);
	}
	fill_hosts(b);
	run(b);
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

			add_insns(b, prog, NPF_ARRAY_LEN(prog));
		}
		for (uint32_t d = 0; d < 3; d++) {
			const uint32_t v = __builtin_bswap32(k[i] + d - 1);

			memcpy(bytes[3 * i + d], &v, 4);
			b->pkts[b->n_pkts] = bytes[3 * i + d];
			b->lens[b->n_pkts] = b->caplens[b->n_pkts] = 4;
			b->n_pkts++;
		}
	}
	run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], b->facts.n_different);
}

static void the_length_on_the_wire_is_a_field(void **state)
{
	struct bench *b = *state;
	static const uint8_t bytes[64];

	add(b, "less 64");
	add(b, "greater 64");
	add(b, "len = 65");
	add(b, "len & 7 = 1 and ether[0] = 0");
	for (uint32_t i = 0; i < 16; i++) {
		b->pkts[i] = bytes;
		b->lens[i] = 56 + i;
		b->caplens[i] = i;
	}
	b->n_pkts = 16;
	run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 4);
}

/* Every length of header, and every caplen, up to unreadable memory. */
static void loads_behind_a_header_stay_in_the_packet(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[128];

	add(b, "tcp src port 80");
	add(b, "tcp dst port 443");
	add(b, "tcp port 0");
	add(b, "tcp[13] & 2 != 0");
	add(b, "tcp[tcpflags] = 0");
	add(b, "ip[ip[0] & 0xf] = 0");
	add(b, "tcp[4:4] = 0 and tcp[8:4] = 0");
	for (uint32_t words = 0; words < 16; words++) {
		write_tcp(bytes, 1, 2, 80, 443, words);
		bytes[14] = (uint8_t)(0x40 | words);
		run_cut(b, bytes, 54 + 4 * words);
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

		add_insns(b, prog, NPF_ARRAY_LEN(prog));
		add_insns(b, far, NPF_ARRAY_LEN(far));
	}
	run_cut(b, bytes, sizeof(bytes));
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], b->facts.n_different);
}

/* A load that is out of range gives 0 inside: that must not count as the value 0. */
static void a_field_that_is_not_there_is_not_zero(void **state)
{
	struct bench *b = *state;
	static const uint8_t bytes[40];

	add(b, "ether[30] = 0");
	add(b, "ether[28:4] < 5");
	add(b, "ether[30] != 7");
	add(b, "ether[30] & 0xf0 = 0");
	add(b, "not ether[30] = 0");
	add(b, "ether[30] = 1 or ether[30] = 2 or ether[30] = 3 or ether[30] = 0 or ether[30] = 5");
	add(b, "ether[38:2] = 0 or ether[20] = 0");
	add(b, "ether[30] + 5 = 5");
	add(b, "ether[30] | 8 = 8");
	add(b, "ether[30] ^ 7 = 7");
	add(b, "9 - ether[30] = 9");
	run_cut(b, bytes, sizeof(bytes));
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 11);
}

/* Bytes that are there make up the constant, were the missing ones 0. */
static void a_field_that_is_there_in_part_has_no_value(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[128];

	add(b, "ether[4:4] = 0x01020000");
	add(b, "ether[8:2] = 0x0100");
	add(b, "ether[10:2] = 0x0100");
	add(b, "ether[0:4] = 0x01000000");
	add(b, "tcp[4:4] = 0x01020000");
	add(b, "tcp[8:4] = 0x01000000");
	add(b, "tcp[12:2] = 0x0100");
	add(b, "tcp[14:2] > 0xff");
	write_tcp(bytes, 1, 2, 80, 443, 6);
	bytes[0] = bytes[4] = bytes[8] = bytes[10] = 1;
	bytes[5] = 2;
	bytes[42] = bytes[46] = bytes[50] = bytes[52] = 1;
	bytes[43] = 2;
	bytes[51] = 0;
	run_cut(b, bytes, 60);
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
		add(b, exprs[i]);
	run_cut(b, bytes, sizeof(bytes));
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
		add(b, expr);
	}
	for (unsigned int i = 0; i < 3; i++) {
		b->pkts[i] = bytes;
		b->lens[i] = b->caplens[i] = 50 * (i + 1);
	}
	b->n_pkts = 3;
	run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 140);
}

static void a_long_list_is_a_set_of_constants(void **state)
{
	struct bench *b = *state;
	static char expr[8192];
	size_t len = 0;

	for (unsigned int i = 0; i < 100; i++)
		len += (size_t)snprintf(expr + len, sizeof(expr) - len, "%ssrc host 10.0.0.%u",
			i > 0 ? " or " : "", 2 * i);
	add(b, expr);
	add(b, "src host 10.0.0.4");
	add(b, "src host 10.0.0.5");
	fill_hosts(b);
	run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 3);
	assert_true(b->facts.n_tests + b->facts.n_probed < 12);
}

static void equal_members_are_one_inside(void **state)
{
	struct bench *b = *state;
	struct npf_filter_set *set = NULL;

	for (unsigned int i = 0; i < 10; i++)
		add(b, i % 5 == 3 ? "udp port 53" : "tcp port 80");
	assert_int_equal(npf_filter_set_new(b->members, b->n, NULL, &set), 0);
	npf_filter_set_explain(set, &b->facts);
	assert_int_equal(b->facts.n_members, 10);
	assert_int_equal(b->facts.n_different, 2);
	assert_int_equal(npf_filter_set_same_as(set, 2), 0);
	assert_int_equal(npf_filter_set_same_as(set, 8), 3);
	npf_filter_set_free(set);
	fill_hosts(b);
	run(b);
}

/* An equal program with other ancillary values is another filter. */
static void ancillary_values_tell_members_apart(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_aux sent = {.pkttype = 4};
	static const struct npf_bpf_aux received = {.pkttype = 0};
	static const struct npf_bpf_insn outbound[] = {{OP_LD_B_ABS, 0, 0, 0xfffff004},
		{OP_JEQ_K, 0, 1, 4}, {OP_RET_K, 0, 0, 96}, {OP_RET_K}};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;

	static const struct npf_bpf_insn second[] = {{OP_LD_B_ABS, 0, 0, 0xfffff008},
		{OP_JEQ_K, 0, 1, 2}, {OP_RET_K, 0, 0, 96}, {OP_RET_K}};
	static const struct npf_bpf_aux by_second = {.ifindex = 2};

	for (unsigned int i = 0; i < 3; i++)
		add_insns(b, outbound, NPF_ARRAY_LEN(outbound));
	add_insns(b, second, NPF_ARRAY_LEN(second));
	add_insns(b, second, NPF_ARRAY_LEN(second));
	b->members[0].aux = &sent;
	b->members[1].aux = &received;
	b->members[3].aux = &received;
	b->members[4].aux = &by_second;
	fill_hosts(b);
	assert_int_equal(npf_filter_set_new(b->members, 5, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	planes = npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, 32);
	assert_int_equal(planes[0], UINT32_MAX);
	assert_int_equal(planes[1], 0);
	assert_int_equal(planes[2], 0);
	assert_int_equal(planes[3], 0);
	assert_int_equal(planes[4], UINT32_MAX);
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

/* ---- what does not fit ---- */

static void a_member_that_does_not_fit_runs_alone(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn result[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_RET_A}};
	static const struct npf_bpf_insn results[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_JGT_K, 0, 1, 9},
		{OP_RET_K, 0, 0, 20}, {OP_RET_K, 0, 0, 30}};
	static const struct npf_bpf_insn loop[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_JA, 0, 0, 0},
		{OP_JEQ_K, 0, 1, 7}, {OP_JA, 0, 0, (uint32_t)-2}, {OP_RET_K, 0, 0, 9}};
	static struct npf_bpf_insn memory[60], dear[400], slow[3000];
	uint32_t n = 0;

	add_insns(b, result, NPF_ARRAY_LEN(result));
	add_insns(b, results, NPF_ARRAY_LEN(results));
	/* More ways with different values in A than are kept apart. */
	for (n = 0; n < 48; n += 3) {
		memory[n] = (struct npf_bpf_insn){OP_LD_B_ABS, 0, 0, n};
		memory[n + 1] = (struct npf_bpf_insn){OP_JEQ_K, 0, 1, n};
		memory[n + 2] = (struct npf_bpf_insn){OP_JA, 0, 0, 48 - n - 3};
	}
	memory[n++] = (struct npf_bpf_insn){OP_JEQ_K, 0, 1, 9};
	memory[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 9};
	memory[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 0};
	add_insns(b, memory, n);
	for (n = 0; n < 200; n += 2) {
		dear[n] = (struct npf_bpf_insn){OP_LD_B_ABS, 0, 0, n / 2};
		dear[n + 1] = (struct npf_bpf_insn){OP_JEQ_K, (uint8_t)(198 - n), 0, n & 0xff};
	}
	dear[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 0};
	dear[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 9};
	add_insns(b, dear, n);
	for (n = 0; n < 2999; n++)
		slow[n] = (struct npf_bpf_insn){OP_LD_B_ABS, 0, 0, 1};
	slow[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 9};
	add_insns(b, slow, n);
	fill_hosts(b);
	run(b);
	assert_int_equal(b->fit[0], NPF_FILTER_SET_RESULTS);
	assert_int_equal(b->fit[1], NPF_FILTER_SET_RESULTS);
	assert_int_equal(b->fit[2], NPF_FILTER_SET_MEMORY);
	assert_int_equal(b->fit[3], NPF_FILTER_SET_DEAR);
	assert_int_equal(b->fit[4], NPF_FILTER_SET_LONG);
	/* The interpreter of the others does not run this. */
	b->n_pkts = 0;
	add_insns(b, loop, NPF_ARRAY_LEN(loop));
	run(b);
	assert_int_equal(b->fit[5], NPF_FILTER_SET_LOOSE);
}

static void a_loose_member_can_be_screened(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn loop[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_JEQ_K, 0, 2, 7},
		{OP_JA, 0, 0, 0}, {OP_JA, 0, 0, (uint32_t)-2}, {OP_RET_K, 0, 0, 9}};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;

	add_insns(b, loop, NPF_ARRAY_LEN(loop));
	add_insns(b, loop, NPF_ARRAY_LEN(loop));
	b->members[1].screens = true;
	fill_hosts(b);
	assert_int_equal(npf_filter_set_new(b->members, 2, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	planes = npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, 32);
	/* It never ends on packet 7, which its reader has to find out where it screens. */
	assert_int_equal(planes[0], ~(1u << 7));
	assert_int_equal(planes[1], UINT32_MAX);
	assert_int_equal(npf_filter_set_row(set, sc, 0)[8], 9);
	assert_int_equal(npf_filter_set_row(set, sc, 1)[8], UINT32_MAX);
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

static void few_filters_run_alone_unless_told_otherwise(void **state)
{
	struct bench *b = *state;
	struct npf_filter_set *set = NULL;

	add(b, "tcp port 80 and host 10.0.0.1");
	assert_int_equal(npf_filter_set_new(b->members, 1, NULL, &set), 0);
	assert_int_equal(npf_filter_set_fit(set, 0), NPF_FILTER_SET_FEW);
	npf_filter_set_free(set);
	fill_hosts(b);
	run(b);
	assert_int_equal(b->fit[0], NPF_FILTER_SET_FITS);
}

/* ---- edges of the door ---- */

static void members_may_accept_all_or_nothing(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn nothing[] = {{OP_RET_K}};
	static const struct npf_bpf_insn all[] = {{OP_RET_K, 0, 0, 77}};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;

	add_insns(b, nothing, 1);
	add_insns(b, all, 1);
	fill_hosts(b);
	run(b);
	b->members[b->n] = (struct npf_filter_set_member){.insns = NULL};
	assert_int_equal(npf_filter_set_new(b->members, 3, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	for (uint32_t n = 0; n <= 33; n++) {
		const uint32_t valid = n >= 32 ? UINT32_MAX : (1u << n) - 1;

		planes = npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, n);
		assert_int_equal(planes[0], 0);
		assert_int_equal(planes[1], valid);
		assert_int_equal(planes[2], valid);
	}
	assert_int_equal(npf_filter_set_keep(set, 1), 77);
	assert_int_equal(npf_filter_set_keep(set, 2), UINT32_MAX);
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

static void an_empty_set_has_no_planes_and_runs(void **state)
{
	struct bench *b = *state;
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;

	fill_hosts(b);
	assert_int_equal(npf_filter_set_new(NULL, 0, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	assert_non_null(npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, 32));
	assert_null(npf_filter_set_scratch_free(sc));
	assert_null(npf_filter_set_free(set));
	assert_null(npf_filter_set_free(NULL));
	assert_null(npf_filter_set_scratch_free(NULL));
}

static void what_does_not_fit_and_has_no_filter_says_nothing(void **state)
{
	static const struct npf_bpf_insn computed[] = {
		{OP_LD_B_ABS, 0, 0, 0}, {OP_ADD_K, 0, 0, 1}, {OP_RET_A, 0, 0, 0}};
	const struct npf_filter_set_opts opts = {.always = true};
	const uint8_t packet[64] = {[12] = 8}, *data = packet;
	const uint32_t len = sizeof(packet);
	struct npf_filter_set_scratch *scratch;
	struct npf_filter_set *set = NULL;
	struct bench *b = *state;

	add(b, "ip");
	add(b, "ip6");
	b->members[1] = (struct npf_filter_set_member){.insns = computed, .n_insns = 3};
	assert_int_equal(npf_filter_set_new(b->members, 2, &opts, &set), 0);
	assert_int_equal(npf_filter_set_fit(set, 1), NPF_FILTER_SET_RESULTS);
	scratch = npf_filter_set_scratch_new(set);
	assert_int_equal(npf_filter_set_run(set, scratch, &data, &len, &len, 1)[0], 1);
	assert_int_equal(npf_filter_set_run(set, scratch, &data, &len, &len, 1)[1], 0);
	assert_null(npf_filter_set_row(set, scratch, 1));
	npf_filter_set_scratch_free(scratch);
	npf_filter_set_free(set);
}

static void what_is_no_set_is_refused(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn bad[] = {{OP_LD_B_ABS, 0, 0, 29}};
	struct npf_filter_set_opts opts = {.kernel = NPF_FILTER_SET_N_KERNELS};
	struct npf_filter_set *set = NULL;

	add(b, "ip");
	assert_int_equal(npf_filter_set_new(b->members, 1, &opts, &set), -ENOTSUP);
	assert_int_equal(
		npf_filter_set_new(b->members, NPF_FILTER_SET_MAX + 1, NULL, &set), -E2BIG);
	b->members[0] =
		(struct npf_filter_set_member){.insns = bad, .n_insns = 1, .filter = b->filters[0]};
	assert_int_equal(npf_filter_set_new(b->members, 1, NULL, &set), -EINVAL);
	assert_null(set);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_finds_each_constant_however_they_collide),
		cmocka_unit_test(a_constant_of_many_tests_sets_all_their_planes),
		TEST(hosts_share_their_lookups),
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
		TEST(a_long_list_is_a_set_of_constants),
		TEST(equal_members_are_one_inside),
		TEST(ancillary_values_tell_members_apart),
		TEST(a_member_that_does_not_fit_runs_alone),
		TEST(a_loose_member_can_be_screened),
		TEST(few_filters_run_alone_unless_told_otherwise),
		TEST(members_may_accept_all_or_nothing),
		TEST(an_empty_set_has_no_planes_and_runs),
		TEST(what_does_not_fit_and_has_no_filter_says_nothing),
		TEST(what_is_no_set_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
