/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emit_operand.c - the place of a step's value (register, stack or constant) and the address of
 * packet bytes.
 */
#include "jit/x86/emit_priv.h"

static const uint8_t regs[EMIT_N_REGS] = {RDX, R9, R10, R11, RBX, RBP, R12};

bool emit_in_reg(const struct emit *e, uint32_t step)
{
	return e->s.steps[step].loc < EMIT_N_REGS;
}

enum x86_gpr emit_reg(const struct emit *e, uint32_t step)
{
	return regs[e->s.steps[step].loc];
}

struct x86_mem emit_word(const struct emit *e, uint32_t step)
{
	return X86_MEM(RSP, (int32_t)(FRAME_WORDS + 4 * (e->s.steps[step].loc - EMIT_N_REGS)));
}

enum x86_gpr emit_use(struct emit *e, uint32_t v, uint32_t step, enum x86_gpr scratch)
{
	if (step != 0 && emit_in_reg(e, step))
		return emit_reg(e, step);
	emit_copy(e, scratch, v, step);
	return scratch;
}

void emit_copy(struct emit *e, enum x86_gpr dst, uint32_t v, uint32_t step)
{
	if (step == 0)
		x86_mov_imm(e->x, dst, e->ir->vals[v].k);
	else if (!emit_in_reg(e, step))
		x86_load32(e->x, dst, emit_word(e, step));
	else if (emit_reg(e, step) != dst)
		x86_mov(e->x, dst, emit_reg(e, step));
}

struct x86_mem emit_address(struct emit *e, uint32_t base, uint32_t base_step, uint32_t off)
{
	if (base == 0 && off <= INT32_MAX)
		return X86_MEM(REG_PKT, (int32_t)off);
	if (base == 0) {
		x86_mov_imm(e->x, RCX, off);
		return X86_SIB(REG_PKT, RCX, 1, 0);
	}
	if (off <= INT32_MAX)
		return X86_SIB(REG_PKT, emit_use(e, base, base_step, RCX), 1, (int32_t)off);
	/* In range, so the sum is below 2^32: 32 bits do. */
	if (base_step != 0 && emit_in_reg(e, base_step)) {
		x86_mov_imm(e->x, RCX, off);
		x86_alu(e->x, ALU_ADD, RCX, emit_reg(e, base_step));
	} else {
		emit_copy(e, RCX, base, base_step);
		x86_alu_imm(e->x, ALU_ADD, RCX, off);
	}
	return X86_SIB(REG_PKT, RCX, 1, 0);
}
