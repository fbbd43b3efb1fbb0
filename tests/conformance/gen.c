/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen.c - random, but such that the interesting things happen often: offsets near the end of the
 * packet and near 2^32, constants that occur in the packets, joins, deep chains, shared values.
 */
#include "conformance/gen.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

const char *const gen_exprs[] = {
	"ip",
	"arp",
	"tcp port 80",
	"udp",
	"icmp or icmp6",
	"host 10.0.0.1",
	"host 10.0.0.1 or host 10.0.0.2 or host 10.0.0.3 or host 192.168.1.7 or host 8.8.8.8",
	"net 10.0.0.0/8 and not port 22",
	"src net 192.168.0.0/16 and dst portrange 80-443",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
	"vlan 5 and tcp port 80",
	"vlan and vlan and udp",
	"mpls and ip6",
	"ether host 02:00:00:00:00:01 or broadcast",
	"ip6 host 2001:db8::1 or ip6 net 2001:db8::/32",
	"less 64 or greater 1000",
	"ip[8] < 5 and len > 60",
	"port 53 or port 80 or port 443 or port 8080 or port 22 or port 25",
	"(tcp port 80 or udp port 53) and (host 10.0.0.1 or net 172.16.0.0/12) and not vlan",
	"ip[ip[0]&0xf:2] + tcp[4:4] * (udp[2] - ip[8]) / (ether[3] | 1) > len % 7",
	"ether[ether[14] * 3] = ether[0] ^ 5",
	"icmp[icmptype] = icmp-echo and ip[6:2] & 0x1fff = 0",
	"not (tcp or udp)",
	"tcp[(tcp[12]>>4)*4:4] = 0x47455420",
	"sctp port 5 or (ip proto 47 and ip[20:2] & 0x8000 != 0)",
	"dst host 10.0.0.2 and tcp dst port 443 and tcp[13] = 18",
	"ip multicast or ether multicast",
};
const unsigned int gen_n_exprs = NPF_ARRAY_LEN(gen_exprs);

void gen_init(struct gen *g, uint64_t seed)
{
	g->state = seed * 0x9e3779b97f4a7c15u + 1;
}

uint64_t gen_next(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t gen_below(struct gen *g, uint32_t n)
{
	return (uint32_t)((gen_next(g) >> 32) * n >> 32);
}

int gen_guard_init(struct gen_guard *gu, size_t room)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t len = NPF_ALIGN_UP(room, page) + 2 * page;
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	if (mprotect(map, page, PROT_NONE) < 0 ||
		mprotect((uint8_t *)map + len - page, page, PROT_NONE) < 0) {
		int rc = -errno;

		munmap(map, len);
		return rc;
	}
	*gu = (struct gen_guard){.begin = (uint8_t *)map + page,
		.end = (uint8_t *)map + len - page,
		.map = map,
		.len = len};
	return 0;
}

void gen_guard_fini(struct gen_guard *gu)
{
	munmap(gu->map, gu->len);
	*gu = (struct gen_guard){0};
}

static uint32_t pick(struct gen *g, const uint32_t *from, uint32_t n)
{
	return from[gen_below(g, n)];
}

#define PICK(g, ...)                                                                               \
	({                                                                                         \
		static const uint32_t from[] = {__VA_ARGS__};                                      \
		pick(g, from, NPF_ARRAY_LEN(from));                                                \
	})

/* A number such as boundaries are made of. */
static uint32_t number(struct gen *g)
{
	switch (gen_below(g, 8)) {
	case 0:
		return PICK(g, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0xfffffffc,
			0xfffff000, 0x10000, 0xffff, 0x8000, 0xff, 0x80);
	case 1:
		return (uint32_t)gen_next(g);
	case 2:
		return 1u << gen_below(g, 32);
	case 3:
		return PICK(g, 0x800, 0x806, 0x86dd, 0x8100, 6, 17, 80, 53, 443, 0x0a000001,
			0x0a000002, 0x45, 0x1fff);
	default:
		return gen_below(g, 70);
	}
}

static uint32_t offset(struct gen *g)
{
	return gen_below(g, 12) == 0 ? number(g) : gen_below(g, gen_below(g, 2) ? 24 : 68);
}

static void set_insn(struct npf_bpf_insn *in, uint16_t code, uint32_t k)
{
	*in = (struct npf_bpf_insn){.code = code, .k = k};
}

/* One instruction that is neither a jump nor a return; scratch words in *written may be read. */
static void any_insn(struct gen *g, struct npf_bpf_insn *in, uint16_t *written)
{
	static const uint16_t alu[] = {OP_ADD_K, OP_SUB_K, OP_MUL_K, OP_DIV_K, OP_OR_K, OP_AND_K,
		OP_LSH_K, OP_RSH_K, OP_MOD_K, OP_XOR_K};
	uint16_t code;
	uint32_t k;

	switch (gen_below(g, 12)) {
	case 0:
	case 1:
	case 2:
		set_insn(in, (uint16_t)PICK(g, OP_LD_W_ABS, OP_LD_H_ABS, OP_LD_B_ABS), offset(g));
		return;
	case 3:
		set_insn(in, (uint16_t)PICK(g, OP_LD_W_IND, OP_LD_H_IND, OP_LD_B_IND), offset(g));
		return;
	case 4:
		set_insn(in, OP_LDX_MSH, offset(g));
		return;
	case 5:
		set_insn(in,
			(uint16_t)PICK(g, OP_LD_IMM, OP_LDX_IMM, OP_LDX_IMM, OP_LD_LEN, OP_LDX_LEN),
			number(g));
		return;
	case 6:
		set_insn(in, (uint16_t)PICK(g, OP_TAX, OP_TXA, OP_TAX), 0);
		return;
	case 7:
		k = gen_below(g, NPF_BPF_MEMWORDS);
		*written |= (uint16_t)(1u << k);
		set_insn(in, (uint16_t)PICK(g, OP_ST, OP_STX), k);
		return;
	case 8:
		k = gen_below(g, NPF_BPF_MEMWORDS);
		if ((*written & 1u << k) != 0) {
			set_insn(in, (uint16_t)PICK(g, OP_LD_MEM, OP_LDX_MEM), k);
			return;
		}
		/* fallthrough */
	default:
		code = alu[gen_below(g, NPF_ARRAY_LEN(alu))];
		k = number(g);
		if (gen_below(g, 20) == 0) {
			set_insn(in, OP_NEG, 0);
		} else if (gen_below(g, 2) == 0) {
			set_insn(in, code | 8, 0);
		} else {
			if (code == OP_LSH_K || code == OP_RSH_K)
				k &= 31;
			if ((code == OP_DIV_K || code == OP_MOD_K) && k == 0)
				k = 3;
			set_insn(in, code, k);
		}
		return;
	}
}

static uint8_t distance(struct gen *g, uint32_t room)
{
	uint32_t d = gen_below(g, 3) == 0 ? gen_below(g, NPF_MIN(room, 200u) + 1)
					  : gen_below(g, NPF_MIN(room, 4u) + 1);

	return (uint8_t)NPF_MIN(d, room);
}

static uint32_t arbitrary(struct gen *g, struct npf_bpf_insn *insns)
{
	const uint32_t n = 1 + gen_below(g, gen_below(g, 4) == 0 ? GEN_MAX_INSNS - 40 : 40);
	uint16_t written = 0;

	for (uint32_t pc = 0; pc < n; pc++) {
		struct npf_bpf_insn *in = &insns[pc];
		const uint32_t room = n - 1 - pc; /* how far a jump may go beyond the next */

		if (room == 0 || gen_below(g, 30) == 0) {
			set_insn(in, gen_below(g, 2) ? OP_RET_A : OP_RET_K, number(g));
		} else if (gen_below(g, 20) == 0) {
			set_insn(in, OP_JA, distance(g, room - 1));
		} else if (gen_below(g, 3) == 0) {
			set_insn(in,
				(uint16_t)PICK(g, OP_JEQ_K, OP_JGT_K, OP_JGE_K, OP_JSET_K, OP_JEQ_X,
					OP_JGT_X, OP_JGE_X, OP_JSET_X),
				number(g));
			in->jt = distance(g, room - 1);
			in->jf = distance(g, room - 1);
		} else {
			any_insn(g, in, &written);
		}
	}
	return n;
}

/* Loads and tests such as filters are made of, all of which lead to one of a few returns. */
static uint32_t decisions(struct gen *g, struct npf_bpf_insn *insns)
{
	const uint32_t n_tests = 1 + gen_below(g, 60);
	const bool chains = gen_below(g, 3) == 0;
	uint32_t pc = 0;
	uint32_t end;

	while (pc < 3 * n_tests) {
		if (pc == 0 || gen_below(g, chains ? 12 : 2) == 0) {
			switch (gen_below(g, 8)) {
			case 0:
				set_insn(&insns[pc++], OP_LDX_MSH, gen_below(g, 30));
				/* fallthrough */
			case 1:
				set_insn(&insns[pc++],
					(uint16_t)PICK(g, OP_LD_W_IND, OP_LD_H_IND, OP_LD_B_IND),
					gen_below(g, 40));
				break;
			default:
				set_insn(&insns[pc++],
					(uint16_t)PICK(g, OP_LD_W_ABS, OP_LD_H_ABS, OP_LD_B_ABS),
					gen_below(g, 12) == 0 ? gen_below(g, 100)
							      : gen_below(g, 60));
				break;
			}
		}
		if (gen_below(g, 8) == 0)
			set_insn(&insns[pc++], (uint16_t)PICK(g, OP_AND_K, OP_RSH_K, OP_ADD_K),
				gen_below(g, 2) ? 15 : gen_below(g, 32));
		set_insn(&insns[pc],
			(uint16_t)PICK(
				g, OP_JEQ_K, OP_JEQ_K, OP_JEQ_K, OP_JGT_K, OP_JGE_K, OP_JSET_K),
			gen_below(g, 3) ? gen_below(g, 256) : number(g));
		if (chains)
			insns[pc].code = OP_JEQ_K;
		insns[pc].jt = gen_below(g, 3) ? 255 : (uint8_t)gen_below(g, 5);
		insns[pc].jf = chains ? 0 : gen_below(g, 3) == 0 ? 254 : (uint8_t)gen_below(g, 5);
		pc++;
	}
	end = pc;
	set_insn(&insns[pc++], OP_RET_K, gen_below(g, 2) ? 262144 : number(g));
	set_insn(&insns[pc++], OP_RET_K, 0);
	set_insn(&insns[pc++], OP_RET_K, gen_below(g, 3) ? 262144 : number(g));
	for (uint32_t i = 0; i < end; i++) {
		struct npf_bpf_insn *in = &insns[i];

		if (!npf_bpf_is_jump(in->code))
			continue;
		if (in->jt >= 254 || i + 1 + in->jt >= pc)
			in->jt = (uint8_t)(end - (i + 1) + (in->jt == 254 || gen_below(g, 9) == 0));
		if (in->jf >= 254 || i + 1 + in->jf >= pc)
			in->jf = (uint8_t)(end - (i + 1) + 1 + (gen_below(g, 9) == 0));
	}
	return pc;
}

const struct gen_real *gen_real(unsigned int i)
{
	static struct gen_real reals[2 * NPF_ARRAY_LEN(gen_exprs)];

	if (reals[i].insns == NULL) {
		const char *expr = gen_exprs[i % gen_n_exprs];
		pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
		struct bpf_program prog;

		if (pcap_compile(p, &prog, expr, i < gen_n_exprs, PCAP_NETMASK_UNKNOWN) != 0) {
			fprintf(stderr, "%s: %s\n", expr, pcap_geterr(p));
			abort();
		}
		reals[i] = (struct gen_real){
			.expr = expr, .n_insns = prog.bf_len, .insns = (void *)prog.bf_insns};
		pcap_close(p);
	}
	return &reals[i];
}

static uint32_t mutated(struct gen *g, struct npf_bpf_insn *insns)
{
	const struct gen_real *r = gen_real(gen_below(g, 2 * gen_n_exprs));
	uint16_t written = 0;
	uint32_t n = r->n_insns;

	if (n > GEN_MAX_INSNS)
		return arbitrary(g, insns);
	memcpy(insns, r->insns, n * sizeof(*insns));
	for (uint32_t i = gen_below(g, 4); i-- > 0;) {
		struct npf_bpf_insn *in = &insns[gen_below(g, n - 1)];

		if (npf_bpf_is_jump(in->code)) {
			const uint32_t room = (uint32_t)(insns + n - 2 - in);

			in->k = in->code == OP_JA ? distance(g, room) : number(g);
			in->jt = gen_below(g, 2) ? distance(g, room) : in->jt;
			in->jf = gen_below(g, 2) ? distance(g, room) : in->jf;
		} else if (gen_below(g, 2) && in->code < OP_LD_MEM && in->code != OP_RET_K) {
			in->k = offset(g);
		} else {
			any_insn(g, in, &written);
		}
	}
	return n;
}

uint32_t gen_program(struct gen *g, struct npf_bpf_insn *insns)
{
	for (;;) {
		const uint32_t kind = gen_below(g, 4);
		const uint32_t n = kind == 0   ? arbitrary(g, insns)
				   : kind == 1 ? mutated(g, insns)
					       : decisions(g, insns);

		if (npf_bpf_verify(insns, n, NULL) == 0)
			return n;
	}
}

/* A packet as a filter expects one, with the fields that it looks at drawn from few values. */
static uint32_t real_packet(struct gen *g, uint8_t *p)
{
	uint32_t at = 12;
	const uint32_t payload = gen_below(g, 60);
	const uint32_t kind = gen_below(g, 8);
	uint8_t proto = (uint8_t)PICK(g, 6, 17, 6, 17, 1, 132, 58);

	memset(p, 0, 256);
	p[5] = p[11] = (uint8_t)(1 + gen_below(g, 3));
	if (gen_below(g, 20) == 0)
		memset(p, 0xff, 6);
	for (uint32_t tags = gen_below(g, 5) == 0 ? 1 + gen_below(g, 2) : 0; tags > 0; tags--) {
		p[at] = 0x81;
		p[at + 3] = (uint8_t)gen_below(g, 8);
		at += 4;
	}
	if (kind == 0) { /* ARP */
		p[at] = 8;
		p[at + 1] = 6;
		p[at + 3] = 1;
		p[at + 16] = 10;
		p[at + 19] = (uint8_t)gen_below(g, 4);
		return at + 30 + payload % 19;
	}
	if (kind < 3) { /* IPv6 */
		p[at] = 0x86;
		p[at + 1] = 0xdd;
		at += 2;
		p[at] = 0x60;
		p[at + 6] = proto;
		p[at + 8] = 0x20;
		p[at + 9] = 1;
		p[at + 10] = 0xd;
		p[at + 11] = 0xb8;
		p[at + 23] = (uint8_t)gen_below(g, 3);
		at += 40;
	} else {
		const uint32_t words = gen_below(g, 6) == 0 ? 5 + gen_below(g, 11) : 5;

		p[at] = 8;
		at += 2;
		p[at] = (uint8_t)(0x40 | words);
		p[at + 2] = (uint8_t)gen_below(g, 2);
		p[at + 3] = (uint8_t)gen_below(g, 256);
		if (gen_below(g, 8) == 0)
			p[at + 7] = 1;
		p[at + 8] = (uint8_t)gen_below(g, 10);
		p[at + 9] = proto;
		p[at + 12] = p[at + 16] = (uint8_t)PICK(g, 10, 10, 192, 172);
		p[at + 13] = p[at + 17] = (uint8_t)PICK(g, 0, 168, 16);
		p[at + 15] = (uint8_t)gen_below(g, 8);
		p[at + 19] = (uint8_t)gen_below(g, 4);
		at += 4 * words;
	}
	p[at + 1] = (uint8_t)PICK(g, 80, 53, 22, 0xbb);
	p[at + 3] = (uint8_t)PICK(g, 80, 53, 22, 0xbb);
	p[at + 12] = (uint8_t)PICK(g, 0x50, 0x80);
	p[at + 13] = (uint8_t)(1u << gen_below(g, 6));
	memcpy(p + at + 20, "GET / HTTP", 10);
	return at + 8 + payload;
}

uint32_t gen_packet(struct gen *g, uint8_t *pkt)
{
	uint32_t n;

	if (gen_below(g, 4) == 0) {
		n = gen_below(g, gen_below(g, 8) == 0 ? 256 : 80);
		for (uint32_t i = 0; i < n; i++)
			pkt[i] = (uint8_t)(gen_below(g, 3) ? gen_below(g, 8) : gen_next(g));
		return n;
	}
	n = real_packet(g, pkt);
	for (uint32_t i = gen_below(g, 4); i-- > 0 && n > 0;)
		pkt[gen_below(g, n)] = (uint8_t)gen_next(g);
	return gen_below(g, 3) == 0 ? gen_below(g, n + 1) : n;
}
