/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * x86.c - instruction bytes, after the Intel 64 manual, volume 2.
 *
 * An instruction is [66] [REX] opcode ModRM [SIB] [displacement] [immediate]. rm() and mem() write
 * everything between prefix and immediate for a register and for a memory operand; the public
 * functions add opcode and immediate. Displacements take the shortest form. Every form here is
 * compared with the disassembly that capstone gives in tests/unit/jit/test_x86.c.
 */
#include "jit/x86/x86.h"

#include <string.h>

#define WIDE    0x100 /* REX.W */
#define OPSIZE  0x200 /* prefix 66 */
#define BYTE_RM 0x400 /* the rm register is a byte: spl, bpl, sil, dil need a REX */
#define BYTE_R  0x800
#define TWO     0x1000 /* opcode after 0f */

void x86_init(struct x86 *x)
{
	*x = (struct x86){0};
}

void x86_fini(struct x86 *x)
{
	free(x->code);
	free(x->labels);
	free(x->fixups);
	*x = (struct x86){.failed = true};
}

void x86_data(struct x86 *x, const void *bytes, size_t n)
{
	if (x->failed)
		return;
	if (x->cap - x->len < n) {
		size_t cap = NPF_MAX(x->cap * 2, x->len + n + 1024);
		uint8_t *code = cap < INT32_MAX ? realloc(x->code, cap) : NULL;

		if (code == NULL) {
			x->failed = true;
			return;
		}
		x->code = code;
		x->cap = cap;
	}
	if (n > 0)
		memcpy(x->code + x->len, bytes, n);
	x->len += n;
}

static void byte(struct x86 *x, unsigned int b)
{
	uint8_t u = (uint8_t)b;

	if (x->len < x->cap && !x->failed)
		x->code[x->len++] = u;
	else
		x86_data(x, &u, 1);
}

static void imm16(struct x86 *x, uint16_t k)
{
	byte(x, k);
	byte(x, k >> 8);
}

static void imm32(struct x86 *x, uint32_t k)
{
	for (unsigned int i = 0; i < 4; i++)
		byte(x, k >> 8 * i & 0xff);
}

void x86_align(struct x86 *x, size_t to, uint8_t fill)
{
	while (x->len % to != 0 && !x->failed)
		byte(x, fill);
}

/* Prefixes and opcode; r, index and base are the registers that REX extends. */
static void head(struct x86 *x, unsigned int op, unsigned int r, unsigned int index,
	unsigned int base, bool force_rex)
{
	unsigned int rex =
		(op & WIDE ? 8 : 0) | (r >= 8 ? 4 : 0) | (index >= 8 ? 2 : 0) | (base >= 8 ? 1 : 0);

	if (op & OPSIZE)
		byte(x, 0x66);
	if (rex != 0 || force_rex)
		byte(x, 0x40 | rex);
	if (op & TWO)
		byte(x, 0x0f);
	byte(x, op & 0xff);
}

/* An instruction on two registers; r may be an opcode extension. */
static void rm(struct x86 *x, unsigned int op, unsigned int r, unsigned int reg)
{
	head(x, op, r, 0, reg, ((op & BYTE_RM) && reg >= 4) || ((op & BYTE_R) && r >= 4));
	byte(x, 0xc0 | (r & 7) << 3 | (reg & 7));
}

/* An instruction on a register (or extension) and memory. */
static void mem(struct x86 *x, unsigned int op, unsigned int r, struct x86_mem m)
{
	const bool has_index = m.index != X86_NO_REG;
	const bool has_sib = has_index || (m.base & 7) == RSP;
	const unsigned int mod = m.disp == 0 && (m.base & 7) != RBP ? 0
				 : m.disp >= -128 && m.disp <= 127  ? 1
								    : 2;

	head(x, op, r, has_index ? m.index : 0, m.base, (op & BYTE_R) && r >= 4);
	byte(x, mod << 6 | (r & 7) << 3 | (has_sib ? 4 : m.base & 7));
	if (has_sib)
		byte(x, (unsigned int)__builtin_ctz(m.scale) << 6 |
				(has_index ? m.index & 7 : 4) << 3 | (m.base & 7));
	if (mod == 1)
		byte(x, (unsigned int)m.disp & 0xff);
	else if (mod == 2)
		imm32(x, (uint32_t)m.disp);
}

static bool is_int8(uint32_t k)
{
	return k <= 0x7f || k >= 0xffffff80u;
}

void x86_mov(struct x86 *x, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, 0x8b, dst, src);
}

void x86_mov64(struct x86 *x, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, WIDE | 0x8b, dst, src);
}

void x86_mov_imm(struct x86 *x, enum x86_gpr dst, uint32_t imm)
{
	head(x, 0xb8 | (dst & 7), 0, 0, dst, false);
	imm32(x, imm);
}

void x86_mov_imm64(struct x86 *x, enum x86_gpr dst, uint64_t imm)
{
	if (imm <= UINT32_MAX) {
		x86_mov_imm(x, dst, (uint32_t)imm);
		return;
	}
	head(x, WIDE | 0xb8 | (dst & 7), 0, 0, dst, false);
	imm32(x, (uint32_t)imm);
	imm32(x, (uint32_t)(imm >> 32));
}

void x86_load8(struct x86 *x, enum x86_gpr dst, struct x86_mem m)
{
	mem(x, TWO | 0xb6, dst, m);
}

void x86_load16(struct x86 *x, enum x86_gpr dst, struct x86_mem m)
{
	mem(x, TWO | 0xb7, dst, m);
}

void x86_load32(struct x86 *x, enum x86_gpr dst, struct x86_mem m)
{
	mem(x, 0x8b, dst, m);
}

void x86_load64(struct x86 *x, enum x86_gpr dst, struct x86_mem m)
{
	mem(x, WIDE | 0x8b, dst, m);
}

void x86_store32(struct x86 *x, struct x86_mem m, enum x86_gpr src)
{
	mem(x, 0x89, src, m);
}

void x86_store64(struct x86 *x, struct x86_mem m, enum x86_gpr src)
{
	mem(x, WIDE | 0x89, src, m);
}

void x86_store_imm32(struct x86 *x, struct x86_mem m, uint32_t imm)
{
	mem(x, 0xc7, 0, m);
	imm32(x, imm);
}

void x86_movzx8(struct x86 *x, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, TWO | BYTE_RM | 0xb6, dst, src);
}

void x86_movzx16(struct x86 *x, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, TWO | 0xb7, dst, src);
}

void x86_bswap(struct x86 *x, enum x86_gpr r)
{
	head(x, TWO | 0xc8 | (r & 7), 0, 0, r, false);
}

void x86_rol16(struct x86 *x, enum x86_gpr r, uint8_t by)
{
	rm(x, OPSIZE | 0xc1, SHIFT_ROL, r);
	byte(x, by);
}

void x86_alu(struct x86 *x, enum x86_alu op, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, op << 3 | 3, dst, src);
}

void x86_alu64(struct x86 *x, enum x86_alu op, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, WIDE | op << 3 | 3, dst, src);
}

static void alu_imm(struct x86 *x, unsigned int wide, enum x86_alu op, enum x86_gpr dst, uint32_t k)
{
	if (is_int8(k)) {
		rm(x, wide | 0x83, op, dst);
		byte(x, k & 0xff);
	} else if (dst == RAX) {
		head(x, wide | op << 3 | 5, 0, 0, 0, false);
		imm32(x, k);
	} else {
		rm(x, wide | 0x81, op, dst);
		imm32(x, k);
	}
}

void x86_alu_imm(struct x86 *x, enum x86_alu op, enum x86_gpr dst, uint32_t imm)
{
	alu_imm(x, 0, op, dst, imm);
}

void x86_alu64_imm(struct x86 *x, enum x86_alu op, enum x86_gpr dst, int32_t imm)
{
	alu_imm(x, WIDE, op, dst, (uint32_t)imm);
}

void x86_alu_mem(struct x86 *x, enum x86_alu op, enum x86_gpr dst, struct x86_mem m)
{
	mem(x, op << 3 | 3, dst, m);
}

void x86_alu64_mem(struct x86 *x, enum x86_alu op, enum x86_gpr dst, struct x86_mem m)
{
	mem(x, WIDE | op << 3 | 3, dst, m);
}

void x86_cmp8_imm(struct x86 *x, struct x86_mem m, uint8_t imm)
{
	mem(x, 0x80, ALU_CMP, m);
	byte(x, imm);
}

void x86_cmp16_imm(struct x86 *x, struct x86_mem m, uint16_t imm)
{
	if (is_int8((uint32_t)(int32_t)(int16_t)imm)) {
		mem(x, OPSIZE | 0x83, ALU_CMP, m);
		byte(x, imm & 0xff);
	} else {
		mem(x, OPSIZE | 0x81, ALU_CMP, m);
		imm16(x, imm);
	}
}

void x86_cmp32_imm(struct x86 *x, struct x86_mem m, uint32_t imm)
{
	if (is_int8(imm)) {
		mem(x, 0x83, ALU_CMP, m);
		byte(x, imm & 0xff);
	} else {
		mem(x, 0x81, ALU_CMP, m);
		imm32(x, imm);
	}
}

void x86_test(struct x86 *x, enum x86_gpr a, enum x86_gpr b)
{
	rm(x, 0x85, b, a);
}

void x86_test_imm(struct x86 *x, enum x86_gpr a, uint32_t imm)
{
	if (a == RAX)
		head(x, 0xa9, 0, 0, 0, false);
	else
		rm(x, 0xf7, 0, a);
	imm32(x, imm);
}

void x86_test8_imm(struct x86 *x, struct x86_mem m, uint8_t imm)
{
	mem(x, 0xf6, 0, m);
	byte(x, imm);
}

void x86_test16_imm(struct x86 *x, struct x86_mem m, uint16_t imm)
{
	mem(x, OPSIZE | 0xf7, 0, m);
	imm16(x, imm);
}

void x86_test32_imm(struct x86 *x, struct x86_mem m, uint32_t imm)
{
	mem(x, 0xf7, 0, m);
	imm32(x, imm);
}

void x86_imul(struct x86 *x, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, TWO | 0xaf, dst, src);
}

void x86_imul_imm(struct x86 *x, enum x86_gpr dst, enum x86_gpr src, uint32_t imm)
{
	rm(x, is_int8(imm) ? 0x6b : 0x69, dst, src);
	if (is_int8(imm))
		byte(x, imm & 0xff);
	else
		imm32(x, imm);
}

void x86_neg(struct x86 *x, enum x86_gpr r)
{
	rm(x, 0xf7, 3, r);
}

void x86_neg64(struct x86 *x, enum x86_gpr r)
{
	rm(x, WIDE | 0xf7, 3, r);
}

void x86_inc64(struct x86 *x, enum x86_gpr r)
{
	rm(x, WIDE | 0xff, 0, r);
}

void x86_div(struct x86 *x, enum x86_gpr by)
{
	rm(x, 0xf7, 6, by);
}

void x86_shift_imm(struct x86 *x, enum x86_shift op, enum x86_gpr r, uint8_t by)
{
	if (by == 1) {
		rm(x, 0xd1, op, r);
	} else {
		rm(x, 0xc1, op, r);
		byte(x, by);
	}
}

void x86_shift_cl(struct x86 *x, enum x86_shift op, enum x86_gpr r)
{
	rm(x, 0xd3, op, r);
}

void x86_bt(struct x86 *x, enum x86_gpr bits, enum x86_gpr n)
{
	rm(x, TWO | 0xa3, n, bits);
}

void x86_lea64(struct x86 *x, enum x86_gpr dst, struct x86_mem m)
{
	mem(x, WIDE | 0x8d, dst, m);
}

void x86_setcc(struct x86 *x, enum x86_cc cc, enum x86_gpr r)
{
	rm(x, TWO | BYTE_RM | 0x90 | cc, 0, r);
}

void x86_cmov(struct x86 *x, enum x86_cc cc, enum x86_gpr dst, enum x86_gpr src)
{
	rm(x, TWO | 0x40 | cc, dst, src);
}

void x86_push(struct x86 *x, enum x86_gpr r)
{
	head(x, 0x50 | (r & 7), 0, 0, r, false);
}

void x86_pop(struct x86 *x, enum x86_gpr r)
{
	head(x, 0x58 | (r & 7), 0, 0, r, false);
}

void x86_ret(struct x86 *x)
{
	byte(x, 0xc3);
}

uint32_t x86_label(struct x86 *x)
{
	if (x->n_labels == x->cap_labels) {
		uint32_t cap = x->cap_labels == 0 ? 64 : x->cap_labels * 2;
		uint32_t *labels = realloc(x->labels, cap * sizeof(*labels));

		if (labels == NULL) {
			x->failed = true;
			return 0;
		}
		x->labels = labels;
		x->cap_labels = cap;
	}
	x->labels[x->n_labels] = UINT32_MAX;
	return x->n_labels++;
}

void x86_bind(struct x86 *x, uint32_t label)
{
	if (!x->failed)
		x->labels[label] = (uint32_t)x->len;
}

/* A 32-bit displacement to a label, the last thing of its instruction. */
static void displacement(struct x86 *x, uint32_t label)
{
	if (x->failed)
		return;
	if (x->n_fixups == x->cap_fixups) {
		uint32_t cap = x->cap_fixups == 0 ? 64 : x->cap_fixups * 2;
		struct x86_fixup *fixups = realloc(x->fixups, cap * sizeof(*fixups));

		if (fixups == NULL) {
			x->failed = true;
			return;
		}
		x->fixups = fixups;
		x->cap_fixups = cap;
	}
	x->fixups[x->n_fixups++] = (struct x86_fixup){.at = (uint32_t)x->len, .label = label};
	imm32(x, 0);
}

void x86_resolve(struct x86 *x)
{
	for (uint32_t i = 0; i < x->n_fixups && !x->failed; i++) {
		const struct x86_fixup *f = &x->fixups[i];
		const uint32_t to = x->labels[f->label] - (f->at + 4);

		if (x->labels[f->label] == UINT32_MAX) {
			x->failed = true;
			return;
		}
		for (unsigned int j = 0; j < 4; j++)
			x->code[f->at + j] = (uint8_t)(to >> 8 * j);
	}
	x->n_fixups = 0;
}

void x86_lea_label(struct x86 *x, enum x86_gpr dst, uint32_t label)
{
	head(x, WIDE | 0x8d, dst, 0, 0, false);
	byte(x, (dst & 7) << 3 | 5);
	displacement(x, label);
}

/* A place already known and near enough for a byte; the length of the short form is 2. */
static bool is_near(const struct x86 *x, uint32_t label)
{
	return !x->failed && x->labels[label] != UINT32_MAX && x->len + 2 - x->labels[label] <= 128;
}

void x86_jmp(struct x86 *x, uint32_t label)
{
	if (is_near(x, label)) {
		byte(x, 0xeb);
		byte(x, (x->labels[label] - (uint32_t)x->len - 1) & 0xff);
		return;
	}
	byte(x, 0xe9);
	displacement(x, label);
}

void x86_jcc(struct x86 *x, enum x86_cc cc, uint32_t label)
{
	if (is_near(x, label)) {
		byte(x, 0x70 | cc);
		byte(x, (x->labels[label] - (uint32_t)x->len - 1) & 0xff);
		return;
	}
	byte(x, 0x0f);
	byte(x, 0x80 | cc);
	displacement(x, label);
}
