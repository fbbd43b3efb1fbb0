/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interp.c - the interpreter, which defines what a filter means.
 *
 * Every back end must give the interpreter's results, and the interpreter those of libpcap's
 * bpf_filter(). It trusts the verifier: the program ends, jumps stay inside, scratch words are
 * valid. A loose program need not end, and may read scratch words before it has written them. The
 * packet is not trusted: offsets are added in 64 bits, so that none wraps around the length check.
 */
#include "jit/bpf.h"
#include "jit/ancillary.h"

#include <string.h>

static bool load(
	const uint8_t *pkt, uint32_t caplen, uint64_t off, unsigned int size, uint32_t *valuep)
{
	uint32_t v = 0;

	if (off + size > caplen)
		return false;
	for (unsigned int i = 0; i < size; i++)
		v = v << 8 | pkt[off + i];
	*valuep = v;
	return true;
}

/* @steps: that a loose program may take; 0: the program is not loose, and ends by itself. */
static inline __attribute__((always_inline)) uint32_t run(const struct npf_bpf_insn *insns,
	const uint8_t *pkt, uint32_t len, uint32_t caplen, const struct npf_bpf_aux *aux,
	uint64_t steps)
{
	const bool loose = steps > 0;
	uint32_t a = 0;
	uint32_t x = 0;
	uint32_t m[NPF_BPF_MEMWORDS];

	if (loose)
		memset(m, 0, sizeof(m));
	for (const struct npf_bpf_insn *in = insns;; in++) {
		const uint32_t k = in->k;

		if (loose && steps-- == 0)
			return 0;
		switch ((enum npf_bpf_op)in->code) {
		case OP_LD_W_ABS:
			if (!npf_bpf_aux_value(aux, k, &a) && !load(pkt, caplen, k, 4, &a))
				return 0;
			break;
		case OP_LD_H_ABS:
			if (!npf_bpf_aux_value(aux, k, &a) && !load(pkt, caplen, k, 2, &a))
				return 0;
			break;
		case OP_LD_B_ABS:
			if (!npf_bpf_aux_value(aux, k, &a) && !load(pkt, caplen, k, 1, &a))
				return 0;
			break;
		case OP_LD_W_IND:
			if (!load(pkt, caplen, (uint64_t)x + k, 4, &a))
				return 0;
			break;
		case OP_LD_H_IND:
			if (!load(pkt, caplen, (uint64_t)x + k, 2, &a))
				return 0;
			break;
		case OP_LD_B_IND:
			if (!load(pkt, caplen, (uint64_t)x + k, 1, &a))
				return 0;
			break;
		case OP_LDX_MSH:
			if (!load(pkt, caplen, k, 1, &x))
				return 0;
			x = (x & 0xf) << 2;
			break;
		case OP_LD_IMM:
			a = k;
			break;
		case OP_LDX_IMM:
			x = k;
			break;
		case OP_LD_LEN:
			a = len;
			break;
		case OP_LDX_LEN:
			x = len;
			break;
		case OP_LD_MEM:
			a = m[k];
			break;
		case OP_LDX_MEM:
			x = m[k];
			break;
		case OP_ST:
			m[k] = a;
			break;
		case OP_STX:
			m[k] = x;
			break;
		case OP_TAX:
			x = a;
			break;
		case OP_TXA:
			a = x;
			break;

		case OP_ADD_K:
			a += k;
			break;
		case OP_ADD_X:
			a += x;
			break;
		case OP_SUB_K:
			a -= k;
			break;
		case OP_SUB_X:
			a -= x;
			break;
		case OP_MUL_K:
			a *= k;
			break;
		case OP_MUL_X:
			a *= x;
			break;
		case OP_DIV_K:
			a /= k;
			break;
		case OP_DIV_X:
			if (x == 0)
				return 0;
			a /= x;
			break;
		case OP_MOD_K:
			a %= k;
			break;
		case OP_MOD_X:
			if (x == 0)
				return 0;
			a %= x;
			break;
		case OP_AND_K:
			a &= k;
			break;
		case OP_AND_X:
			a &= x;
			break;
		case OP_OR_K:
			a |= k;
			break;
		case OP_OR_X:
			a |= x;
			break;
		case OP_XOR_K:
			a ^= k;
			break;
		case OP_XOR_X:
			a ^= x;
			break;
		case OP_LSH_K:
			a <<= k & 31;
			break;
		case OP_LSH_X:
			a = x < 32 ? a << x : 0;
			break;
		case OP_RSH_K:
			a >>= k & 31;
			break;
		case OP_RSH_X:
			a = x < 32 ? a >> x : 0;
			break;
		case OP_NEG:
			a = 0u - a;
			break;

		case OP_JA:
			in += (int32_t)k;
			break;
		case OP_JEQ_K:
			in += a == k ? in->jt : in->jf;
			break;
		case OP_JEQ_X:
			in += a == x ? in->jt : in->jf;
			break;
		case OP_JGT_K:
			in += a > k ? in->jt : in->jf;
			break;
		case OP_JGT_X:
			in += a > x ? in->jt : in->jf;
			break;
		case OP_JGE_K:
			in += a >= k ? in->jt : in->jf;
			break;
		case OP_JGE_X:
			in += a >= x ? in->jt : in->jf;
			break;
		case OP_JSET_K:
			in += (a & k) != 0 ? in->jt : in->jf;
			break;
		case OP_JSET_X:
			in += (a & x) != 0 ? in->jt : in->jf;
			break;
		case OP_RET_K:
			return k;
		case OP_RET_A:
			return a;
		}
	}
}

uint32_t npf_bpf_interpret(const struct npf_bpf_insn *insns, const uint8_t *pkt, uint32_t len,
	uint32_t caplen, const struct npf_bpf_aux *aux)
{
	return run(insns, pkt, len, caplen, aux, 0);
}

uint32_t npf_bpf_interpret_loose(const struct npf_bpf_insn *insns, const uint8_t *pkt, uint32_t len,
	uint32_t caplen, const struct npf_bpf_aux *aux, uint32_t max_steps)
{
	/* 2^64 steps take centuries. */
	return run(insns, pkt, len, caplen, aux, max_steps > 0 ? max_steps : UINT64_MAX);
}
