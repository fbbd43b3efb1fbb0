/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emit_priv.h - shared by the files that emit code: registers and stack while a burst runs.
 *
 * The three arrays are addressed from their ends with one negative index that counts up to 0.
 *   RDI pkts end, RSI caplens end, R8 results end, R13 index, R14 packet, R15 caplen
 *   RAX, RCX scratch; the registers in emit_operand.c are for values
 * All values are 32 bits wide with the upper half of the register clear, so that they may be
 * added to addresses.
 * Stack: [rsp] lens end, [rsp + 8] room to save RDX in, then the slots, then values.
 */
#ifndef NPF_JIT_X86_EMIT_PRIV_H
#define NPF_JIT_X86_EMIT_PRIV_H

#include "jit/check/check.h"
#include "jit/schedule/schedule.h"
#include "jit/x86/emit.h"
#include "jit/x86/lookup.h"

#define REG_PKTS    RDI
#define REG_CAPLENS RSI
#define REG_RESULTS R8
#define REG_INDEX   R13
#define REG_PKT     R14
#define REG_CAPLEN  R15

#define EMIT_N_REGS 7

#define FRAME_LENS  0
#define FRAME_SAVE  8
#define FRAME_SLOTS 16
#define FRAME_WORDS (FRAME_SLOTS + 4 * IR_N_SLOTS)

struct emit_table {
	struct lookup lookup;
	uint32_t slots, mults; /* labels */
	bool used;
};

/* The tables of one set, for values of any range and for values below 65536. */
struct emit_set {
	struct emit_table hash, bitmap;
};

struct emit {
	struct x86 *x;
	struct ir *ir;
	struct sched s;
	uint32_t *labels; /* by block */
	uint32_t loop, done;
	struct emit_tables *tables;
	struct check_lookup *lookups; /* by step: what was emitted */
	bool uses_rdx;
	uint32_t flags_of; /* the step whose predicate the flags still hold, 0 none */
	enum x86_cc flags_cc;
	int rc;
};

/* ---- emit_operand.c ---- */
bool emit_in_reg(const struct emit *e, uint32_t step);
enum x86_gpr emit_reg(const struct emit *e, uint32_t step);
struct x86_mem emit_word(const struct emit *e, uint32_t step);
/* The operand v, given by `step` unless it is a constant, in a register: its own or scratch. */
enum x86_gpr emit_use(struct emit *e, uint32_t v, uint32_t step, enum x86_gpr scratch);
/* Put the operand into dst; the flags stay as they are. */
void emit_copy(struct emit *e, enum x86_gpr dst, uint32_t v, uint32_t step);
/* Where a load reads; may use RCX. */
struct x86_mem emit_address(struct emit *e, uint32_t base, uint32_t base_step, uint32_t off);

/* ---- emit_test.c ---- */
/* Compute the predicate into the flags: the condition under which it is 1. May use RAX, RCX. */
enum x86_cc emit_test(struct emit *e, uint32_t step);

#endif
