/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.c - the trust boundary: a verified program can be run on any packet by any back end.
 *
 * One pass over the program; the first fault is reported. Every instruction is checked, reachable
 * or not. A verified program ends (jumps only go forward and the last instruction returns), reads
 * no scratch word that it did not write on every path to the read, and has no instruction whose
 * result C or the CPU leaves undefined.
 *
 * bpf_filter() accepts more: a jump backward, which libpcap's compiler makes for `protochain`;
 * scratch memory that is read before it is written; a shift by a constant of 32 or more. Linux
 * refuses all three, so libpcap runs such a program itself. Here it is a loose program:
 * distinguished from a bad one, and made into a verified program as far as possible.
 */
#include "jit/bpf.h"
#include "jit/opcode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static NPF_PRINTF(3, 4) int fault(struct npf_bpf_error *err, uint32_t pc, const char *fmt, ...)
{
	va_list ap;

	if (err != NULL) {
		err->pc = pc;
		va_start(ap, fmt);
		vsnprintf(err->reason, sizeof(err->reason), fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* What makes a program loose; the first such thing is the one to tell of. */
struct findings {
	unsigned int mask; /* of enum npf_bpf_loose */
	struct npf_bpf_error first;
};

static NPF_PRINTF(4, 5) void note(
	struct findings *f, enum npf_bpf_loose what, uint32_t pc, const char *fmt, ...)
{
	va_list ap;

	if (f->mask == 0) {
		f->first.pc = pc;
		va_start(ap, fmt);
		vsnprintf(f->first.reason, sizeof(f->first.reason), fmt, ap);
		va_end(ap);
	}
	f->mask |= what;
}

static bool jumps_backward(const struct npf_bpf_insn *in)
{
	return in->code == OP_JA && in->k >= 0x80000000u;
}

static int check_jump(const struct npf_bpf_insn *in, uint32_t pc, uint32_t n_insns,
	struct findings *f, struct npf_bpf_error *err)
{
	uint64_t next = (uint64_t)pc + 1;

	if (in->code == OP_JA) {
		if (next + in->k < n_insns)
			return 0;
		if (jumps_backward(in) && 0u - in->k <= next) {
			note(f, NPF_BPF_LOOPS, pc, "jumps backward by %u", 0u - in->k);
			return 0;
		}
		if (jumps_backward(in))
			return fault(
				err, pc, "jumps backward by %u, beyond the beginning", 0u - in->k);
		return fault(err, pc, "jumps to %llu, beyond the end",
			(unsigned long long)(next + in->k));
	}
	if (next + in->jt >= n_insns || next + in->jf >= n_insns)
		return fault(err, pc, "jumps to %llu, beyond the end",
			(unsigned long long)(next + NPF_MAX(in->jt, in->jf)));
	return 0;
}

static int check_insn(const struct npf_bpf_insn *in, uint32_t pc, uint32_t n_insns,
	struct findings *f, struct npf_bpf_error *err)
{
	switch (in->code) {
	case OP_LD_IMM:
	case OP_LD_W_ABS:
	case OP_LD_H_ABS:
	case OP_LD_B_ABS:
	case OP_LD_W_IND:
	case OP_LD_H_IND:
	case OP_LD_B_IND:
	case OP_LD_LEN:
	case OP_LDX_IMM:
	case OP_LDX_LEN:
	case OP_LDX_MSH:
	case OP_ADD_K:
	case OP_ADD_X:
	case OP_SUB_K:
	case OP_SUB_X:
	case OP_MUL_K:
	case OP_MUL_X:
	case OP_DIV_X:
	case OP_OR_K:
	case OP_OR_X:
	case OP_AND_K:
	case OP_AND_X:
	case OP_LSH_X:
	case OP_RSH_X:
	case OP_NEG:
	case OP_MOD_X:
	case OP_XOR_K:
	case OP_XOR_X:
	case OP_RET_K:
	case OP_RET_A:
	case OP_TAX:
	case OP_TXA:
		return 0;
	case OP_LD_MEM:
	case OP_LDX_MEM:
	case OP_ST:
	case OP_STX:
		if (in->k >= NPF_BPF_MEMWORDS)
			return fault(err, pc, "no such scratch word: M[%u]", in->k);
		return 0;
	case OP_DIV_K:
	case OP_MOD_K:
		return in->k != 0 ? 0 : fault(err, pc, "divides by zero");
	case OP_LSH_K:
	case OP_RSH_K:
		if (in->k >= 32)
			note(f, NPF_BPF_SHIFTS, pc, "shifts by %u, more than 31", in->k);
		return 0;
	case OP_JA:
	case OP_JEQ_K:
	case OP_JEQ_X:
	case OP_JGT_K:
	case OP_JGT_X:
	case OP_JGE_K:
	case OP_JGE_X:
	case OP_JSET_K:
	case OP_JSET_X:
		return check_jump(in, pc, n_insns, f, err);
	default:
		return fault(err, pc, "unknown opcode 0x%02x", in->code);
	}
}

/* The scratch words that are written on every path from @from to @to so far. */
static void meet(uint16_t *written, uint64_t to, uint16_t here)
{
	written[to] &= here;
}

/*
 * Scratch words written on all paths, one mask an instruction, in one pass since all jumps go
 * forward: one that goes backward counts as an end here. Code that nothing reaches starts with all
 * bits set: no path, no fault.
 * @unwrittenp: the words that are read and may not have been written
 */
static int check_scratch(const struct npf_bpf_insn *insns, uint32_t n_insns, struct findings *f,
	uint16_t *unwrittenp)
{
	npf_autofree uint16_t *written = NULL;
	bool reads = false;
	uint16_t here = 0;

	*unwrittenp = 0;
	for (uint32_t pc = 0; pc < n_insns; pc++)
		reads |= insns[pc].code == OP_LD_MEM || insns[pc].code == OP_LDX_MEM;
	if (!reads)
		return 0;
	written = malloc(n_insns * sizeof(*written));
	if (written == NULL)
		return -ENOMEM;
	memset(written, 0xff, n_insns * sizeof(*written));

	for (uint32_t pc = 0; pc < n_insns; pc++) {
		const struct npf_bpf_insn *in = &insns[pc];

		here &= written[pc];
		switch (in->code) {
		case OP_ST:
		case OP_STX:
			here |= (uint16_t)(1u << in->k);
			break;
		case OP_LD_MEM:
		case OP_LDX_MEM:
			if ((here & (1u << in->k)) != 0)
				break;
			note(f, NPF_BPF_SCRATCH, pc, "reads M[%u] before it is written", in->k);
			*unwrittenp |= (uint16_t)(1u << in->k);
			break;
		case OP_JA:
			if (!jumps_backward(in))
				meet(written, (uint64_t)pc + 1 + in->k, here);
			here = 0xffff;
			break;
		case OP_RET_K:
		case OP_RET_A:
			here = 0xffff;
			break;
		default:
			if (npf_bpf_is_jump(in->code)) {
				meet(written, (uint64_t)pc + 1 + in->jt, here);
				meet(written, (uint64_t)pc + 1 + in->jf, here);
				here = 0xffff;
			}
		}
	}
	return 0;
}

int npf_bpf_verify_loose(
	const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_bpf_error *why)
{
	struct findings f = {.mask = 0};
	uint16_t unwritten;

	if (n_insns == 0 || insns == NULL)
		return fault(why, 0, "the program is empty");
	if (n_insns > NPF_BPF_MAXINSNS)
		return fault(why, NPF_BPF_MAXINSNS, "%u instructions, more than %u", n_insns,
			NPF_BPF_MAXINSNS);
	for (uint32_t pc = 0; pc < n_insns; pc++) {
		int rc = check_insn(&insns[pc], pc, n_insns, &f, why);

		if (rc < 0)
			return rc;
	}
	if (!npf_bpf_is_ret(insns[n_insns - 1].code))
		return fault(why, n_insns - 1, "the last instruction does not return");
	if (check_scratch(insns, n_insns, &f, &unwritten) < 0)
		return -ENOMEM;
	/* What tighten() adds must have room. */
	if ((f.mask & NPF_BPF_SCRATCH) != 0 && n_insns > NPF_BPF_MAXINSNS - NPF_BPF_MEMWORDS)
		return fault(why, f.first.pc, "%s", f.first.reason);
	if (why != NULL && f.mask != 0)
		*why = f.first;
	return (int)f.mask;
}

int npf_bpf_verify(const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_bpf_error *err)
{
	int rc = npf_bpf_verify_loose(insns, n_insns, err);

	return rc > 0 ? -EINVAL : rc;
}

int npf_bpf_tighten(const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_bpf_insn **outp,
	uint32_t *n_outp)
{
	struct findings f = {.mask = 0};
	struct npf_bpf_insn *out = malloc((n_insns + NPF_BPF_MEMWORDS) * sizeof(*out));
	uint16_t unwritten;
	uint32_t n = 0;

	if (out == NULL || check_scratch(insns, n_insns, &f, &unwritten) < 0) {
		free(out);
		return -ENOMEM;
	}
	/* The accumulator is 0 at the start. */
	for (uint32_t i = 0; i < NPF_BPF_MEMWORDS; i++)
		if ((unwritten & (1u << i)) != 0)
			out[n++] = (struct npf_bpf_insn){.code = OP_ST, .k = i};
	for (uint32_t pc = 0; pc < n_insns; pc++) {
		struct npf_bpf_insn *o = &out[n++];

		*o = insns[pc];
		if (jumps_backward(o))
			*o = (struct npf_bpf_insn){.code = OP_RET_K, .k = UINT32_MAX};
		else if (o->code == OP_LSH_K || o->code == OP_RSH_K)
			o->k &= 31;
	}
	*outp = out;
	*n_outp = n;
	return 0;
}
