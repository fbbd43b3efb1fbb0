/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * x86.h - the encoder: one function for each form of x86-64 instruction that the compiler uses.
 *
 * Code goes to a growing buffer; the first failure (memory, or a jump out of reach) sets `failed`,
 * after which nothing more is written, so callers check once at the end. All arithmetic is on 32
 * bits, which clears the upper half of the destination; the few 64-bit forms say so by name.
 *
 * Jumps go to labels: numbers that x86_label() hands out and x86_bind() gives a place. Forward
 * jumps take 32-bit displacements, patched by x86_resolve(). Data bound behind the code (lookup
 * tables) is addressed through labels as well.
 */
#ifndef NPF_JIT_X86_X86_H
#define NPF_JIT_X86_X86_H

#include "base/base.h"

enum x86_gpr {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	X86_NO_REG = 0xff,
};

/* Conditions, as the CPU numbers them; the lowest bit negates. */
enum x86_cc {
	CC_B = 2,
	CC_AE,
	CC_E,
	CC_NE,
	CC_BE,
	CC_A,
	CC_S,
	CC_NS,
	CC_L = 12,
	CC_GE
};

/* The group of two-operand instructions that share their encodings. */
enum x86_alu {
	ALU_ADD,
	ALU_OR,
	ALU_SBB = 3,
	ALU_AND,
	ALU_SUB,
	ALU_XOR,
	ALU_CMP
};

enum x86_shift {
	SHIFT_ROL = 0,
	SHIFT_SHL = 4,
	SHIFT_SHR = 5
};

/* [base + index * scale + disp]; index may be X86_NO_REG, and never RSP. */
struct x86_mem {
	uint8_t base, index, scale;
	int32_t disp;
};

#define X86_MEM(b, d)       ((struct x86_mem){.base = (b), .index = X86_NO_REG, .scale = 1, .disp = (d)})
#define X86_SIB(b, i, s, d) ((struct x86_mem){.base = (b), .index = (i), .scale = (s), .disp = (d)})

struct x86_fixup {
	uint32_t at; /* where the displacement lies */
	uint32_t label;
};

struct x86 {
	uint8_t *code;
	size_t len, cap;
	bool failed;
	uint32_t *labels; /* place of each label, ~0 when it has none yet */
	uint32_t n_labels, cap_labels;
	struct x86_fixup *fixups;
	uint32_t n_fixups, cap_fixups;
};

void x86_init(struct x86 *x);
void x86_fini(struct x86 *x);

uint32_t x86_label(struct x86 *x);
void x86_bind(struct x86 *x, uint32_t label);
void x86_resolve(struct x86 *x); /* all labels bound: fill in the displacements */
void x86_align(struct x86 *x, size_t to, uint8_t fill);
void x86_data(struct x86 *x, const void *bytes, size_t n);

void x86_mov(struct x86 *x, enum x86_gpr dst, enum x86_gpr src);
void x86_mov64(struct x86 *x, enum x86_gpr dst, enum x86_gpr src);
void x86_mov_imm(struct x86 *x, enum x86_gpr dst, uint32_t imm); /* keeps the flags */
void x86_mov_imm64(struct x86 *x, enum x86_gpr dst, uint64_t imm);
void x86_load8(struct x86 *x, enum x86_gpr dst, struct x86_mem m);
void x86_load16(struct x86 *x, enum x86_gpr dst, struct x86_mem m);
void x86_load32(struct x86 *x, enum x86_gpr dst, struct x86_mem m);
void x86_load64(struct x86 *x, enum x86_gpr dst, struct x86_mem m);
void x86_store32(struct x86 *x, struct x86_mem m, enum x86_gpr src);
void x86_store64(struct x86 *x, struct x86_mem m, enum x86_gpr src);
void x86_store_imm32(struct x86 *x, struct x86_mem m, uint32_t imm);
void x86_movzx8(struct x86 *x, enum x86_gpr dst, enum x86_gpr src);
void x86_movzx16(struct x86 *x, enum x86_gpr dst, enum x86_gpr src);
void x86_bswap(struct x86 *x, enum x86_gpr r);
void x86_rol16(struct x86 *x, enum x86_gpr r, uint8_t by);

void x86_alu(struct x86 *x, enum x86_alu op, enum x86_gpr dst, enum x86_gpr src);
void x86_alu64(struct x86 *x, enum x86_alu op, enum x86_gpr dst, enum x86_gpr src);
void x86_alu_imm(struct x86 *x, enum x86_alu op, enum x86_gpr dst, uint32_t imm);
void x86_alu64_imm(struct x86 *x, enum x86_alu op, enum x86_gpr dst, int32_t imm);
void x86_alu_mem(struct x86 *x, enum x86_alu op, enum x86_gpr dst, struct x86_mem m);
void x86_alu64_mem(struct x86 *x, enum x86_alu op, enum x86_gpr dst, struct x86_mem m);
void x86_cmp8_imm(struct x86 *x, struct x86_mem m, uint8_t imm);
void x86_cmp16_imm(struct x86 *x, struct x86_mem m, uint16_t imm);
void x86_cmp32_imm(struct x86 *x, struct x86_mem m, uint32_t imm);
void x86_test(struct x86 *x, enum x86_gpr a, enum x86_gpr b);
void x86_test_imm(struct x86 *x, enum x86_gpr a, uint32_t imm);
void x86_test8_imm(struct x86 *x, struct x86_mem m, uint8_t imm);
void x86_test16_imm(struct x86 *x, struct x86_mem m, uint16_t imm);
void x86_test32_imm(struct x86 *x, struct x86_mem m, uint32_t imm);
void x86_imul(struct x86 *x, enum x86_gpr dst, enum x86_gpr src);
void x86_imul_imm(struct x86 *x, enum x86_gpr dst, enum x86_gpr src, uint32_t imm);
void x86_neg(struct x86 *x, enum x86_gpr r);
void x86_neg64(struct x86 *x, enum x86_gpr r);
void x86_inc64(struct x86 *x, enum x86_gpr r);
void x86_div(struct x86 *x, enum x86_gpr by); /* edx:eax */
void x86_shift_imm(struct x86 *x, enum x86_shift op, enum x86_gpr r, uint8_t by);
void x86_shift_cl(struct x86 *x, enum x86_shift op, enum x86_gpr r);
void x86_bt(struct x86 *x, enum x86_gpr bits, enum x86_gpr n); /* bit n % 32 to the carry */
void x86_lea64(struct x86 *x, enum x86_gpr dst, struct x86_mem m);
void x86_lea_label(struct x86 *x, enum x86_gpr dst, uint32_t label);
void x86_setcc(struct x86 *x, enum x86_cc cc, enum x86_gpr r);
void x86_cmov(struct x86 *x, enum x86_cc cc, enum x86_gpr dst, enum x86_gpr src);

void x86_jmp(struct x86 *x, uint32_t label);
void x86_jcc(struct x86 *x, enum x86_cc cc, uint32_t label);
void x86_push(struct x86 *x, enum x86_gpr r);
void x86_pop(struct x86 *x, enum x86_gpr r);
void x86_ret(struct x86 *x);

#endif
