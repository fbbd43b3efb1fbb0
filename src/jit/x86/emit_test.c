/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emit_test.c - predicates as comparisons: each form sets the flags and returns the condition.
 *
 * Range checks are done in 64 bits: a base and what is added to it are below 2^32, so no sum wraps.
 * The tables of set lookups go behind the code, in the same read-only pages.
 */
#include "jit/x86/emit_priv.h"

#include <string.h>

/* dst += k in 64 bits; may use RAX if that isn't dst. */
static void add64(struct emit *e, enum x86_gpr dst, uint32_t k, enum x86_alu op)
{
	if (k == 0)
		return;
	if (k <= INT32_MAX) {
		x86_alu64_imm(e->x, op, dst, (int32_t)k);
		return;
	}
	x86_mov_imm(e->x, RAX, k);
	x86_alu64(e->x, op, dst, RAX);
}

static enum x86_cc test_in_range(struct emit *e, const struct step *step, const struct ir_val *val)
{
	enum x86_gpr base;

	if (val->a == 0) {
		x86_alu_imm(e->x, ALU_CMP, REG_CAPLEN, val->k);
		return CC_AE;
	}
	base = emit_use(e, val->a, step->a, RCX);
	if (val->k <= INT32_MAX) {
		x86_lea64(e->x, RCX, X86_MEM(base, (int32_t)val->k));
	} else {
		x86_mov(e->x, RCX, base);
		add64(e, RCX, val->k, ALU_ADD);
	}
	x86_alu64(e->x, ALU_CMP, RCX, REG_CAPLEN);
	return CC_BE;
}

/* caplen - base - k < b - k: below 0 is above everything. */
static enum x86_cc test_between(struct emit *e, const struct step *step, const struct ir_val *val)
{
	const uint32_t width = e->ir->vals[val->b].k - val->k;
	enum x86_gpr base = emit_use(e, val->a, step->a, RAX);

	x86_mov64(e->x, RCX, REG_CAPLEN);
	x86_alu64(e->x, ALU_SUB, RCX, base);
	add64(e, RCX, val->k, ALU_SUB);
	if (width <= INT32_MAX) {
		x86_alu64_imm(e->x, ALU_CMP, RCX, (int32_t)width);
	} else {
		x86_mov_imm(e->x, RAX, width);
		x86_alu64(e->x, ALU_CMP, RCX, RAX);
	}
	return CC_B;
}

/*
 * The table for this use of a set, made by the first use that needs it. A bitmap holds for small
 * values only, so this use's own range decides whether it may look into one: another use of the
 * set, in this function or in one that shares the tables, may have another range.
 */
static const struct emit_table *table_for(struct emit *e, const struct ir_val *val)
{
	const struct ir_set *set = &e->ir->sets[val->k];
	const uint32_t max = e->ir->vals[val->a].max;
	struct emit_set *tables = &e->tables->at[val->k];
	struct emit_table *t = lookup_is_bitmap(set->n, max) ? &tables->bitmap : &tables->hash;
	int rc;

	if (t->used)
		return t;
	rc = lookup_build(&t->lookup, set->k, set->n, max);
	ir_spend(e->ir, t->lookup.steps);
	if (rc < 0) {
		e->rc = rc;
		return NULL;
	}
	t->used = true;
	t->slots = x86_label(e->x);
	t->mults = x86_label(e->x);
	return t;
}

/* What the step looks into, for the check. */
static struct check_lookup description(const struct lookup *l)
{
	static const uint8_t kinds[] = {[LOOKUP_BITS] = CHECK_BITMAP,
		[LOOKUP_HASH] = CHECK_HASH,
		[LOOKUP_HASH2] = CHECK_TWO_HASHES};

	return (struct check_lookup){
		kinds[l->kind], l->n_slots, l->shift, l->n_mults, l->mult_shift};
}

/* Is v the result of an instruction that gives no more than 16 bits? Of those the mov is free. */
static bool is_half(const struct emit *e, uint32_t v)
{
	const enum ir_op op = e->ir->vals[v].op;

	return ir_is_load(op) && ir_load_size(op) <= 2;
}

static enum x86_cc test_in_set(struct emit *e, const struct step *step, const struct ir_val *val)
{
	const struct emit_table *t = table_for(e, val);
	struct x86 *x = e->x;
	enum x86_gpr v;

	if (t == NULL)
		return CC_E;
	e->lookups[step - e->s.steps] = description(&t->lookup);
	v = emit_use(e, val->a, step->a, RCX);
	switch (t->lookup.kind) {
	case LOOKUP_BITS:
		if (v == RCX) {
			/* Both scratch registers are needed besides v: lend RDX. */
			x86_store32(x, X86_MEM(RSP, FRAME_SAVE), RDX);
			x86_mov(x, RDX, RCX);
			v = RDX;
		}
		/* Whatever is thought of v's range, its word is one of the table's. */
		if (is_half(e, val->a))
			x86_mov(x, RAX, v);
		else
			x86_movzx16(x, RAX, v);
		x86_shift_imm(x, SHIFT_SHR, RAX, 5);
		x86_lea_label(x, RCX, t->slots);
		x86_load32(x, RAX, X86_SIB(RCX, RAX, 4, 0));
		x86_bt(x, RAX, v);
		if (v == RDX && !emit_in_reg(e, step->a))
			x86_load32(x, RDX, X86_MEM(RSP, FRAME_SAVE));
		return CC_B;
	case LOOKUP_HASH:
		x86_imul_imm(x, RAX, v, t->lookup.mult);
		x86_shift_imm(x, SHIFT_SHR, RAX, (uint8_t)t->lookup.shift);
		if (v == RCX) {
			x86_store32(x, X86_MEM(RSP, FRAME_SAVE), RCX);
			x86_lea_label(x, RCX, t->slots);
			x86_load32(x, RAX, X86_SIB(RCX, RAX, 4, 0));
			x86_alu_mem(x, ALU_CMP, RAX, X86_MEM(RSP, FRAME_SAVE));
		} else {
			x86_lea_label(x, RCX, t->slots);
			x86_alu_mem(x, ALU_CMP, v, X86_SIB(RCX, RAX, 4, 0));
		}
		return CC_E;
	default:
		if (v == RCX)
			x86_store32(x, X86_MEM(RSP, FRAME_SAVE), RCX);
		x86_imul_imm(x, RAX, v, t->lookup.mult);
		x86_shift_imm(x, SHIFT_SHR, RAX, (uint8_t)t->lookup.mult_shift);
		if (v == RCX) {
			x86_lea_label(x, RCX, t->mults);
			x86_load32(x, RAX, X86_SIB(RCX, RAX, 4, 0));
			x86_load32(x, RCX, X86_MEM(RSP, FRAME_SAVE));
			x86_imul(x, RAX, RCX);
		} else {
			x86_lea_label(x, RCX, t->mults);
			x86_load32(x, RAX, X86_SIB(RCX, RAX, 4, 0));
			x86_imul(x, RAX, v);
		}
		x86_shift_imm(x, SHIFT_SHR, RAX, (uint8_t)t->lookup.shift);
		x86_lea_label(x, RCX, t->slots);
		if (v == RCX) {
			x86_load32(x, RAX, X86_SIB(RCX, RAX, 4, 0));
			x86_alu_mem(x, ALU_CMP, RAX, X86_MEM(RSP, FRAME_SAVE));
		} else {
			x86_alu_mem(x, ALU_CMP, v, X86_SIB(RCX, RAX, 4, 0));
		}
		return CC_E;
	}
}

static enum x86_cc test_window(struct emit *e, const struct step *step, const struct ir_val *val)
{
	const struct ir_window *w = &e->ir->windows[val->k];
	struct x86_mem m = emit_address(e, val->a, step->a, w->off);

	if (w->mask == UINT64_MAX) {
		x86_mov_imm64(e->x, RAX, w->want);
		x86_alu64_mem(e->x, ALU_CMP, RAX, m);
		return CC_E;
	}
	x86_mov_imm64(e->x, RAX, w->mask);
	x86_alu64_mem(e->x, ALU_AND, RAX, m);
	if (w->want <= INT32_MAX) {
		x86_alu64_imm(e->x, ALU_CMP, RAX, (int32_t)w->want);
	} else {
		x86_mov_imm64(e->x, RCX, w->want);
		x86_alu64(e->x, ALU_CMP, RAX, RCX);
	}
	return CC_E;
}

/* A compare of packet bytes with a constant, without loading them first. */
static void compare_memory(struct emit *e, const struct step *load, bool is_test, uint32_t k)
{
	const struct ir_val *val = &e->ir->vals[load->v];
	const struct x86_mem m = emit_address(e, val->a, load->a, val->k);

	if (val->op == IR_LD8 && k <= UINT8_MAX) {
		if (is_test)
			x86_test8_imm(e->x, m, (uint8_t)k);
		else
			x86_cmp8_imm(e->x, m, (uint8_t)k);
	} else if (val->op == IR_RAW16 && k <= UINT16_MAX) {
		if (is_test)
			x86_test16_imm(e->x, m, (uint16_t)k);
		else
			x86_cmp16_imm(e->x, m, (uint16_t)k);
	} else if (val->op == IR_RAW32) {
		if (is_test)
			x86_test32_imm(e->x, m, k);
		else
			x86_cmp32_imm(e->x, m, k);
	} else {
		if (val->op == IR_LD8)
			x86_load8(e->x, RAX, m);
		else
			x86_load16(e->x, RAX, m);
		if (is_test)
			x86_test_imm(e->x, RAX, k);
		else
			x86_alu_imm(e->x, ALU_CMP, RAX, k);
	}
}

static enum x86_cc test_compare(struct emit *e, const struct step *step, const struct ir_val *val)
{
	static const uint8_t ccs[] = {CC_E, CC_NE, CC_A, CC_BE, CC_AE, CC_B, CC_NE, CC_E};
	const enum x86_cc cc = ccs[val->op - IR_EQ];
	const bool is_test = val->op == IR_TST || val->op == IR_NTST;
	const bool by_const = ir_is_const(e->ir, val->b);
	const uint32_t k = e->ir->vals[val->b].k;
	enum x86_gpr a, b;

	if (step->a != 0 && e->s.steps[step->a].fused) {
		compare_memory(e, &e->s.steps[step->a], is_test, k);
		return cc;
	}
	a = emit_use(e, val->a, step->a, RAX);
	if (by_const && is_test) {
		x86_test_imm(e->x, a, k);
	} else if (by_const && k == 0 && (val->op == IR_EQ || val->op == IR_NE)) {
		x86_test(e->x, a, a);
	} else if (by_const) {
		x86_alu_imm(e->x, ALU_CMP, a, k);
	} else {
		b = emit_use(e, val->b, step->b, RCX);
		if (is_test)
			x86_test(e->x, a, b);
		else
			x86_alu(e->x, ALU_CMP, a, b);
	}
	return cc;
}

enum x86_cc emit_test(struct emit *e, uint32_t step)
{
	const struct step *st = &e->s.steps[step];
	const struct ir_val *val = &e->ir->vals[st->v];

	switch ((enum ir_op)val->op) {
	case IR_INR:
		return test_in_range(e, st, val);
	case IR_NINR:
		return test_in_range(e, st, val) ^ 1;
	case IR_IN:
		return test_in_set(e, st, val);
	case IR_NIN:
		return test_in_set(e, st, val) ^ 1;
	case IR_WIN:
		return test_window(e, st, val);
	case IR_NWIN:
		return test_window(e, st, val) ^ 1;
	case IR_BTW:
		return test_between(e, st, val);
	case IR_NBTW:
		return test_between(e, st, val) ^ 1;
	default:
		return test_compare(e, st, val);
	}
}

static void append_table(struct x86 *x, const struct emit_table *t)
{
	if (!t->used)
		return;
	x86_align(x, NPF_CACHELINE, 0xcc);
	x86_bind(x, t->slots);
	x86_data(x, t->lookup.slots, t->lookup.n_slots * sizeof(uint32_t));
	x86_bind(x, t->mults);
	if (t->lookup.kind == LOOKUP_HASH2)
		x86_data(x, t->lookup.mults, t->lookup.n_mults * sizeof(uint32_t));
}

int emit_tables_finish(struct x86 *x, struct emit_tables *tables)
{
	for (uint32_t i = 0; i < tables->n; i++) {
		append_table(x, &tables->at[i].bitmap);
		append_table(x, &tables->at[i].hash);
	}
	x86_resolve(x);
	return x->failed ? -ENOMEM : 0;
}

void emit_tables_fini(struct emit_tables *tables)
{
	for (uint32_t i = 0; i < tables->n; i++) {
		lookup_fini(&tables->at[i].bitmap.lookup);
		lookup_fini(&tables->at[i].hash.lookup);
	}
	free(tables->at);
	*tables = (struct emit_tables){0};
}
