/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emit.c - the loop over a burst, and each step as instructions.
 *
 * Blocks follow one another in topological order, so most branches fall through. A return stores
 * the result, steps the index and goes to the next packet, without a jump to a common end. The code
 * calls no function, and writes only the results and the stack frame.
 *
 * A step may have its result in the register of an operand whose life ends with it. So each form
 * reads its operands before it writes, or in an order that allows this.
 */
#include "jit/x86/emit.h"
#include "jit/x86/emit_priv.h"

#include <string.h>

static const uint8_t callee_saved[] = {RBX, RBP, R12, R13, R14, R15};

/* The register to compute a step in: its own, or RAX when it lives on the stack. */
static enum x86_gpr target(const struct emit *e, uint32_t i)
{
	return emit_in_reg(e, i) ? emit_reg(e, i) : RAX;
}

static void finish(struct emit *e, uint32_t i, enum x86_gpr r)
{
	if (!emit_in_reg(e, i))
		x86_store32(e->x, emit_word(e, i), r);
	else if (emit_reg(e, i) != r)
		x86_mov(e->x, emit_reg(e, i), r);
}

static void emit_load(struct emit *e, uint32_t i, const struct ir_val *val)
{
	const struct x86_mem m = emit_address(e, val->a, e->s.steps[i].a, val->k);
	const enum x86_gpr dst = target(e, i);

	switch ((enum ir_op)val->op) {
	case IR_LD8:
		x86_load8(e->x, dst, m);
		break;
	case IR_LD16:
		x86_load16(e->x, dst, m);
		x86_rol16(e->x, dst, 8);
		break;
	case IR_RAW16:
		x86_load16(e->x, dst, m);
		break;
	case IR_LD32:
		x86_load32(e->x, dst, m);
		x86_bswap(e->x, dst);
		break;
	default:
		x86_load32(e->x, dst, m);
		break;
	}
	finish(e, i, dst);
}

/* Operations with an encoding of two operands, the left of which is overwritten. */
static void emit_alu(struct emit *e, uint32_t i, const struct ir_val *val)
{
	static const uint8_t ops[IR_N_OPS] = {[IR_ADD] = ALU_ADD,
		[IR_SUB] = ALU_SUB,
		[IR_AND] = ALU_AND,
		[IR_OR] = ALU_OR,
		[IR_XOR] = ALU_XOR};
	const struct step *step = &e->s.steps[i];
	const bool is_mul = val->op == IR_MUL;
	enum x86_gpr dst = target(e, i);
	enum x86_gpr b;

	if (ir_is_const(e->ir, val->b)) {
		if (is_mul) {
			x86_imul_imm(e->x, dst, emit_use(e, val->a, step->a, RAX),
				e->ir->vals[val->b].k);
		} else {
			emit_copy(e, dst, val->a, step->a);
			x86_alu_imm(e->x, ops[val->op], dst, e->ir->vals[val->b].k);
		}
		finish(e, i, dst);
		return;
	}
	b = emit_use(e, val->b, step->b, RCX);
	if (b == dst && val->op == IR_SUB) {
		dst = RAX;
	} else if (b == dst) {
		/* Commutative: the right operand is overwritten instead. */
		b = emit_use(e, val->a, step->a, RAX);
		if (is_mul)
			x86_imul(e->x, dst, b);
		else
			x86_alu(e->x, ops[val->op], dst, b);
		finish(e, i, dst);
		return;
	}
	emit_copy(e, dst, val->a, step->a);
	if (is_mul)
		x86_imul(e->x, dst, b);
	else
		x86_alu(e->x, ops[val->op], dst, b);
	finish(e, i, dst);
}

static void emit_shift(struct emit *e, uint32_t i, const struct ir_val *val)
{
	const struct step *step = &e->s.steps[i];
	const enum x86_shift op = val->op == IR_SHL ? SHIFT_SHL : SHIFT_SHR;
	const uint32_t k = e->ir->vals[val->b].k;
	enum x86_gpr dst = target(e, i);

	if (ir_is_const(e->ir, val->b)) {
		if (k > 31) {
			x86_mov_imm(e->x, dst, 0);
		} else {
			emit_copy(e, dst, val->a, step->a);
			if (k > 0)
				x86_shift_imm(e->x, op, dst, (uint8_t)k);
		}
		finish(e, i, dst);
		return;
	}
	/* The CPU takes the distance modulo 32: clear the result when it is greater. */
	emit_copy(e, RCX, val->b, step->b);
	emit_copy(e, RAX, val->a, step->a);
	x86_shift_cl(e->x, op, RAX);
	x86_alu_imm(e->x, ALU_CMP, RCX, 32);
	x86_alu(e->x, ALU_SBB, RCX, RCX);
	x86_alu(e->x, ALU_AND, RAX, RCX);
	finish(e, i, RAX);
}

static void emit_divide(struct emit *e, uint32_t i, const struct ir_val *val)
{
	const struct step *step = &e->s.steps[i];
	const bool keep_rdx = e->uses_rdx && !(emit_in_reg(e, i) && emit_reg(e, i) == RDX);

	emit_copy(e, RCX, val->b, step->b);
	emit_copy(e, RAX, val->a, step->a);
	if (keep_rdx)
		x86_store32(e->x, X86_MEM(RSP, FRAME_SAVE), RDX);
	x86_alu(e->x, ALU_XOR, RDX, RDX);
	x86_div(e->x, RCX);
	if (val->op == IR_MOD)
		x86_mov(e->x, RAX, RDX);
	if (keep_rdx)
		x86_load32(e->x, RDX, X86_MEM(RSP, FRAME_SAVE));
	finish(e, i, RAX);
}

/* The condition of step's operand `cond`, in the flags. */
static enum x86_cc emit_condition(struct emit *e, uint32_t v, uint32_t step)
{
	enum x86_gpr r;

	if (step == 0) {
		x86_mov_imm(e->x, RAX, e->ir->vals[v].k);
		x86_test(e->x, RAX, RAX);
		return CC_NE;
	}
	if (e->s.steps[step].fused)
		return emit_test(e, step);
	if (e->flags_of == step)
		return e->flags_cc;
	r = emit_use(e, v, step, RAX);
	x86_test(e->x, r, r);
	return CC_NE;
}

static void emit_select(struct emit *e, uint32_t i, const struct ir_val *val)
{
	const struct step *step = &e->s.steps[i];
	enum x86_gpr dst = target(e, i);
	enum x86_gpr other;
	enum x86_cc cc;

	if (sched_is_masked_const(e->ir, val)) {
		const uint32_t k = e->ir->vals[val->b].k;

		emit_copy(e, dst, val->a, step->a);
		if ((k & (k - 1)) == 0 && k > 1) {
			x86_shift_imm(e->x, SHIFT_SHL, dst, (uint8_t)__builtin_ctz(k));
		} else if (k != 1) {
			x86_neg(e->x, dst);
			if (k != UINT32_MAX)
				x86_alu_imm(e->x, ALU_AND, dst, k);
		}
		finish(e, i, dst);
		return;
	}
	cc = emit_condition(e, val->a, step->a);
	if (step->b != 0 && emit_in_reg(e, step->b) && emit_reg(e, step->b) == dst) {
		other = emit_use(e, val->c, step->c, RCX);
		x86_cmov(e->x, cc ^ 1, dst, other);
	} else {
		other = emit_use(e, val->b, step->b, RCX);
		emit_copy(e, dst, val->c, step->c);
		x86_cmov(e->x, cc, dst, other);
	}
	finish(e, i, dst);
}

/* Is r read by the predicate, so that it can't be cleared before? */
static bool reads_reg(const struct emit *e, uint32_t step, enum x86_gpr r)
{
	const struct step *st = &e->s.steps[step];
	const uint32_t operands[3] = {st->a, st->b, st->c};

	for (unsigned int i = 0; i < 3; i++) {
		const uint32_t o = operands[i];

		if (o == 0)
			continue;
		if (e->s.steps[o].fused ? reads_reg(e, o, r)
					: emit_in_reg(e, o) && emit_reg(e, o) == r)
			return true;
	}
	return false;
}

static void emit_predicate(struct emit *e, uint32_t i)
{
	const enum x86_gpr dst = target(e, i);
	const bool clear_first = emit_in_reg(e, i) && !reads_reg(e, i, dst);

	/* Clearing first also cuts the dependency on what the register held. */
	if (clear_first)
		x86_alu(e->x, ALU_XOR, dst, dst);
	e->flags_cc = emit_test(e, i);
	x86_setcc(e->x, e->flags_cc, dst);
	if (!clear_first)
		x86_movzx8(e->x, dst, dst);
	finish(e, i, dst);
	e->flags_of = i;
}

static void emit_step(struct emit *e, uint32_t i)
{
	const struct step *step = &e->s.steps[i];
	const struct ir_val *val = &e->ir->vals[step->v];
	enum x86_gpr dst;

	if (step->fused || (step->n_uses == 0 && val->op != IR_SET))
		return;
	if (ir_is_predicate(val->op)) {
		emit_predicate(e, i);
		return;
	}
	switch ((enum ir_op)val->op) {
	case IR_LEN:
		dst = target(e, i);
		x86_load64(e->x, RAX, X86_MEM(RSP, FRAME_LENS));
		x86_load32(e->x, dst, X86_SIB(RAX, REG_INDEX, 4, 0));
		finish(e, i, dst);
		break;
	case IR_GET:
		dst = target(e, i);
		x86_load32(e->x, dst, X86_MEM(RSP, (int32_t)(FRAME_SLOTS + 4 * val->k)));
		finish(e, i, dst);
		break;
	case IR_SET:
		dst = emit_use(e, val->a, step->a, RAX);
		x86_store32(e->x, X86_MEM(RSP, (int32_t)(FRAME_SLOTS + 4 * val->k)), dst);
		break;
	case IR_LD8:
	case IR_LD16:
	case IR_LD32:
	case IR_RAW16:
	case IR_RAW32:
		emit_load(e, i, val);
		break;
	case IR_ADD:
	case IR_SUB:
	case IR_MUL:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
		emit_alu(e, i, val);
		break;
	case IR_DIV:
	case IR_MOD:
		emit_divide(e, i, val);
		break;
	case IR_SHL:
	case IR_SHR:
		emit_shift(e, i, val);
		break;
	case IR_NEG:
		dst = target(e, i);
		emit_copy(e, dst, val->a, step->a);
		x86_neg(e->x, dst);
		finish(e, i, dst);
		break;
	case IR_SEL:
		emit_select(e, i, val);
		break;
	default:
		e->rc = -EINVAL;
		break;
	}
	e->flags_of = 0;
}

/* The end of block b; `next` is the block that follows it in memory. */
static void emit_end(struct emit *e, uint32_t i, uint32_t b, uint32_t next)
{
	const struct ir_block *bl = &e->ir->blocks[b];
	const struct step *step = &e->s.steps[i];
	enum x86_cc cc;

	switch ((enum ir_term)bl->term) {
	case IR_JMP:
		if (bl->t != next)
			x86_jmp(e->x, e->labels[bl->t]);
		break;
	case IR_BR:
		cc = emit_condition(e, bl->v, step->a);
		if (bl->t == next) {
			x86_jcc(e->x, cc ^ 1, e->labels[bl->f]);
		} else {
			x86_jcc(e->x, cc, e->labels[bl->t]);
			if (bl->f != next)
				x86_jmp(e->x, e->labels[bl->f]);
		}
		break;
	case IR_RET:
		if (step->a == 0)
			x86_store_imm32(
				e->x, X86_SIB(REG_RESULTS, REG_INDEX, 4, 0), e->ir->vals[bl->v].k);
		else
			x86_store32(e->x, X86_SIB(REG_RESULTS, REG_INDEX, 4, 0),
				emit_use(e, bl->v, step->a, RAX));
		x86_inc64(e->x, REG_INDEX);
		x86_jcc(e->x, CC_NE, e->loop);
		x86_jmp(e->x, e->done);
		break;
	}
	e->flags_of = 0;
}

static void emit_prologue(struct emit *e, uint32_t frame)
{
	struct x86 *x = e->x;

	for (unsigned int i = 0; i < sizeof(callee_saved); i++)
		x86_push(x, callee_saved[i]);
	x86_alu64_imm(x, ALU_SUB, RSP, (int32_t)frame);
	/* pkts RDI, caplens RSI, results RDX, lens RCX, n R8 */
	x86_lea64(x, RCX, X86_SIB(RCX, R8, 4, 0));
	x86_store64(x, X86_MEM(RSP, FRAME_LENS), RCX);
	x86_lea64(x, REG_PKTS, X86_SIB(RDI, R8, 8, 0));
	x86_lea64(x, REG_CAPLENS, X86_SIB(RSI, R8, 4, 0));
	x86_lea64(x, RDX, X86_SIB(RDX, R8, 4, 0));
	x86_mov64(x, REG_INDEX, R8);
	x86_mov64(x, REG_RESULTS, RDX);
	x86_neg64(x, REG_INDEX);
	x86_jcc(x, CC_E, e->done);
	x86_bind(x, e->loop);
	x86_load64(x, REG_PKT, X86_SIB(REG_PKTS, REG_INDEX, 8, 0));
	x86_load32(x, REG_CAPLEN, X86_SIB(REG_CAPLENS, REG_INDEX, 4, 0));
}

static void emit_epilogue(struct emit *e, uint32_t frame)
{
	x86_bind(e->x, e->done);
	x86_alu64_imm(e->x, ALU_ADD, RSP, (int32_t)frame);
	for (unsigned int i = sizeof(callee_saved); i-- > 0;)
		x86_pop(e->x, callee_saved[i]);
	x86_ret(e->x);
}

static void emit_all(struct emit *e)
{
	const uint32_t frame = NPF_ALIGN_UP(FRAME_WORDS + 4 * e->s.n_words, 16u) + 8;
	uint32_t at = 0; /* in the order of blocks */

	e->loop = x86_label(e->x);
	e->done = x86_label(e->x);
	for (uint32_t i = 0; i < e->s.order.n; i++)
		e->labels[e->s.order.block[i]] = x86_label(e->x);
	emit_prologue(e, frame);
	x86_bind(e->x, e->labels[e->s.order.block[0]]);
	for (uint32_t i = 1; i < e->s.n_steps && e->rc == 0 && !e->x->failed; i++) {
		if (e->s.steps[i].v != 0) {
			emit_step(e, i);
			continue;
		}
		emit_end(e, i, e->s.order.block[at],
			at + 1 < e->s.order.n ? e->s.order.block[at + 1] : 0);
		if (++at < e->s.order.n)
			x86_bind(e->x, e->labels[e->s.order.block[at]]);
	}
	emit_epilogue(e, frame);
}

int emit_function(struct x86 *x, struct ir *ir, uint32_t max_steps, struct emit_tables *tables,
	size_t *startp)
{
	npf_autofree uint32_t *labels = calloc(ir->n_blocks, sizeof(*labels));
	struct emit e = {.x = x, .ir = ir, .labels = labels, .tables = tables};
	int rc;

	if (labels == NULL)
		return -ENOMEM;
	if (tables->n < ir->n_sets) {
		struct emit_set *at = realloc(tables->at, ir->n_sets * sizeof(*at));

		if (at == NULL)
			return -ENOMEM;
		memset(at + tables->n, 0, (ir->n_sets - tables->n) * sizeof(*at));
		tables->at = at;
		tables->n = ir->n_sets;
	}
	rc = sched_build(&e.s, ir, max_steps);
	if (rc < 0)
		return rc;
	rc = sched_assign(&e.s, ir, EMIT_N_REGS);
	e.lookups = calloc(e.s.n_steps, sizeof(*e.lookups));
	if (rc == 0 && e.lookups == NULL)
		rc = -ENOMEM;
	if (rc == 0) {
		x86_align(x, 16, 0xcc);
		*startp = x->len;
		e.uses_rdx = (e.s.used_regs & 1) != 0;
		emit_all(&e);
		rc = e.rc != 0 ? e.rc : x->failed ? -ENOMEM : 0;
	}
	if (rc == 0)
		rc = check_program(ir, &e.s, EMIT_N_REGS, e.lookups);
	free(e.lookups);
	sched_fini(&e.s);
	return rc;
}
