/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - the steps of the emitted program, one by one.
 *
 * Blocks lie in memory in the order of the list, and each jump goes forward. So whatever way a
 * packet takes from a step to another, all that was written in between lies between them in the
 * list: a place still holds a result if the list gives it to nobody else in between.
 *
 * Not shown: that the instructions do what the steps say, and that the program means what the
 * filter says. The first is trusted to the emitter, which the differential tests run; the second
 * could give a wrong result, but no read out of bounds.
 */
#include "jit/check/check.h"

#include "jit/check/check_priv.h"

#define SEARCH_PER_STEP 64

struct walk {
	struct checker *c;
	const struct check_lookup *lookups;
	uint32_t *owner; /* by register, then by stack word: the step whose result it has */
	bool *is_placed; /* by value: its step was met; of pinned ones only */
};

/* Is the operand `step` fused, where the emitter makes it a part of step i? */
static bool may_fuse(const struct checker *c, uint32_t i, uint32_t operand)
{
	const struct step *user = &c->s->steps[i];
	const struct step *step = &c->s->steps[operand];
	const enum ir_op op = c->ir->vals[step->v].op;
	const struct ir_val *val = &c->ir->vals[user->v];

	if (operand != user->a || step->block != user->block)
		return false;
	if (user->v == 0)
		return c->ir->blocks[user->block].term == IR_BR && op >= IR_EQ && op <= IR_NBTW;
	if (val->op == IR_SEL)
		return op >= IR_EQ && op <= IR_NBTW && !sched_is_masked_const(c->ir, val);
	return val->op >= IR_EQ && val->op <= IR_NTST && c->ir->vals[val->b].op == IR_CONST &&
	       (op == IR_LD8 || op == IR_RAW16 || op == IR_RAW32);
}

/* Value v, an operand of step i, is given by `operand`, whose result is still where it was put. */
static bool is_there(
	const struct walk *w, uint32_t i, uint32_t v, uint32_t operand, unsigned int depth)
{
	const struct checker *c = w->c;
	const struct step *step = &c->s->steps[operand];
	const struct ir_val *val;

	if (v == 0 || c->ir->vals[v].op == IR_CONST)
		return operand == 0;
	if (operand == 0 || operand >= i || step->v != v)
		return false;
	if (!step->fused)
		return step->loc < c->n_regs + c->s->n_words && w->owner[step->loc] == operand &&
		       check_dominates(c, step->block, c->s->steps[i].block);
	val = &c->ir->vals[v];
	return depth > 0 && may_fuse(c, i, operand) &&
	       is_there(w, operand, val->a, step->a, depth - 1) &&
	       is_there(w, operand, val->b, step->b, depth - 1) &&
	       is_there(w, operand, val->c, step->c, depth - 1);
}

/* Only what is left of a word of 32 bits after the shift can be an index. */
static bool is_indexed(uint32_t n_words, uint32_t shift)
{
	return shift < 32 && n_words > UINT32_MAX >> shift;
}

static bool is_lookup_in_table(
	const struct checker *c, const struct ir_val *val, const struct check_lookup *l)
{
	switch (l->kind) {
	case CHECK_BITMAP:
		return c->most[val->a] <= UINT16_MAX && l->n_words > UINT16_MAX / 32;
	case CHECK_HASH:
		return is_indexed(l->n_words, l->shift);
	case CHECK_TWO_HASHES:
		return is_indexed(l->n_words, l->shift) && is_indexed(l->n_mults, l->mult_shift);
	default:
		return false;
	}
}

/* Is what the step does within bounds, its operands being what they are said to be? */
static bool is_safe(const struct walk *w, uint32_t i)
{
	struct checker *c = w->c;
	const struct ir *ir = c->ir;
	const struct step *step = &c->s->steps[i];
	const struct ir_val *val = &ir->vals[step->v];
	const enum ir_op op = val->op;
	const struct ir_window *window;
	uint64_t off = val->k;

	switch (op) {
	case IR_LD8:
		return check_in_range(c, val->a, off + 1, step->block, CHECK_DEPTH / 4);
	case IR_LD16:
	case IR_RAW16:
		return check_in_range(c, val->a, off + 2, step->block, CHECK_DEPTH / 4);
	case IR_LD32:
	case IR_RAW32:
		return check_in_range(c, val->a, off + 4, step->block, CHECK_DEPTH / 4);
	case IR_WIN:
	case IR_NWIN:
		if (val->k >= ir->n_windows)
			return false;
		window = &ir->windows[val->k];
		off = window->off;
		return check_in_range(c, val->a, off + 8, step->block, CHECK_DEPTH / 4);
	case IR_DIV:
	case IR_MOD:
		return check_not_zero(c, val->b, step->block);
	case IR_IN:
	case IR_NIN:
		return val->k < ir->n_sets && is_lookup_in_table(c, val, &w->lookups[i]);
	case IR_GET:
	case IR_SET:
		return val->pinned && val->k < IR_N_SLOTS;
	case IR_SEL:
		return !sched_is_masked_const(ir, val) || c->most[val->a] <= 1;
	default:
		return val->op > IR_NONE && val->op < IR_N_OPS;
	}
}

static bool is_emitted(const struct ir *ir, const struct step *step)
{
	return step->v == 0 || step->n_uses > 0 || ir->vals[step->v].op == IR_SET;
}

static bool check_step(struct walk *w, uint32_t i)
{
	const struct checker *c = w->c;
	const struct step *step = &c->s->steps[i];
	const struct ir_block *bl = &c->ir->blocks[step->block];
	const struct ir_val *val = &c->ir->vals[step->v];

	if (step->v == 0)
		return bl->term == IR_JMP || is_there(w, i, bl->v, step->a, 3);
	if (step->v >= c->ir->n_vals || (val->pinned && w->is_placed[step->v]))
		return false;
	w->is_placed[step->v] = true;
	if (!is_emitted(c->ir, step))
		return true;
	/* The operands of a fused step are read by its user, and looked for there. */
	if (!step->fused &&
		!(is_there(w, i, val->a, step->a, 3) && is_there(w, i, val->b, step->b, 3) &&
			is_there(w, i, val->c, step->c, 3)))
		return false;
	if (!is_safe(w, i))
		return false;
	if (step->fused || val->op == IR_SET)
		return true;
	if (step->loc >= c->n_regs + c->s->n_words)
		return false;
	w->owner[step->loc] = i;
	return true;
}

static int check_steps(struct walk *w)
{
	const struct sched *s = w->c->s;
	uint32_t at = 0;

	for (uint32_t i = 1; i < s->n_steps; i++) {
		if (at >= s->order.n || s->steps[i].block != s->order.block[at])
			return -EFAULT;
		if (!check_step(w, i))
			return -EFAULT;
		at += s->steps[i].v == 0;
	}
	return at == s->order.n && s->n_words <= SCHED_MAX_WORDS ? 0 : -EFAULT;
}

static int check_all(struct checker *c, const struct check_lookup *lookups)
{
	npf_autofree uint32_t *owner = calloc(c->n_regs + c->s->n_words + 1, sizeof(*owner));
	npf_autofree bool *is_placed = calloc(c->ir->n_vals, sizeof(*is_placed));
	struct walk w = {c, lookups, owner, is_placed};
	int rc;

	if (owner == NULL || is_placed == NULL)
		return -ENOMEM;
	rc = check_bound_values(c);
	if (rc == 0)
		rc = check_order(c);
	ir_spend(c->ir, c->s->n_steps + c->s->order.n);
	return rc == 0 ? check_steps(&w) : rc;
}

int check_program(
	struct ir *ir, const struct sched *s, uint32_t n_regs, const struct check_lookup *lookups)
{
	const size_t n = ir->n_blocks;
	npf_autofree uint32_t *most = calloc(ir->n_vals, sizeof(*most));
	npf_autofree struct reach *proven = calloc(ir->n_vals, sizeof(*proven));
	npf_autofree uint32_t *by_block = calloc(n, 9 * sizeof(*by_block));
	struct checker c = {.ir = ir, .s = s, .n_regs = n_regs, .most = most, .proven = proven};

	if (most == NULL || proven == NULL || by_block == NULL)
		return -ENOMEM;
	c.pos = by_block;
	c.first = by_block + n;
	c.end = by_block + 2 * n;
	c.least = by_block + 3 * n;
	c.in = by_block + 4 * n;
	c.visited = by_block + 5 * n;
	c.stack = by_block + 6 * n;
	c.next_in = by_block + 7 * n;
	c.budget = SEARCH_PER_STEP * (s->n_steps + 64);
	return check_all(&c, lookups);
}
