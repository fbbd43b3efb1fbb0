/* SPDX-License-Identifier: BSD-3-Clause */
/* live.c - see live.h. One sweep backward is enough, as jumps only go forward. */
#include "jit/ir/live.h"

#include "jit/ir/ir.h"
#include "jit/opcode.h"

void ir_find_live(
	const struct npf_bpf_insn *insns, uint32_t n_insns, uint32_t *live_at, bool *is_leader)
{
	for (uint32_t pc = n_insns; pc-- > 0;) {
		const struct npf_bpf_insn *in = &insns[pc];
		const uint32_t a = 1u << IR_SLOT_A;
		const uint32_t x = 1u << IR_SLOT_X;
		uint32_t live = pc + 1 < n_insns ? live_at[pc + 1] : 0;

		switch ((enum npf_bpf_op)in->code) {
		case OP_LD_IMM:
		case OP_LD_W_ABS:
		case OP_LD_H_ABS:
		case OP_LD_B_ABS:
		case OP_LD_LEN:
			live &= ~a;
			break;
		case OP_LD_W_IND:
		case OP_LD_H_IND:
		case OP_LD_B_IND:
		case OP_TXA:
			live = (live & ~a) | x;
			break;
		case OP_LD_MEM:
			live = (live & ~a) | 1u << (IR_SLOT_M + in->k);
			break;
		case OP_LDX_IMM:
		case OP_LDX_LEN:
		case OP_LDX_MSH:
			live &= ~x;
			break;
		case OP_LDX_MEM:
			live = (live & ~x) | 1u << (IR_SLOT_M + in->k);
			break;
		case OP_TAX:
			live = (live & ~x) | a;
			break;
		case OP_ST:
			live = (live & ~(1u << (IR_SLOT_M + in->k))) | a;
			break;
		case OP_STX:
			live = (live & ~(1u << (IR_SLOT_M + in->k))) | x;
			break;
		case OP_JA:
			live = live_at[pc + 1 + in->k];
			is_leader[pc + 1 + in->k] = true;
			break;
		case OP_JEQ_K:
		case OP_JGT_K:
		case OP_JGE_K:
		case OP_JSET_K:
		case OP_JEQ_X:
		case OP_JGT_X:
		case OP_JGE_X:
		case OP_JSET_X:
			live = live_at[pc + 1 + in->jt] | live_at[pc + 1 + in->jf] | a |
			       ((in->code & 8) != 0 ? x : 0);
			is_leader[pc + 1 + in->jt] = true;
			is_leader[pc + 1 + in->jf] = true;
			break;
		case OP_RET_K:
			live = 0;
			break;
		case OP_RET_A:
			live = a;
			break;
		default: /* arithmetic; NEG has the bit of X unset */
			live |= a | ((in->code & 8) != 0 ? x : 0);
			break;
		}
		live_at[pc] = live;
	}
}
