/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schedule.c - values get places, then registers.
 *
 * A value that a dominating block has computed is used again if that is worth a register: loads and
 * compares with constants are single instructions, cheaper to repeat than to keep. Without loops
 * the life of a value is an interval of the list of steps. One sweep assigns a free register to
 * each interval; without a free one the interval that ends last goes to the stack (Poletto and
 * Sarkar's linear scan). An interval stays in one place from beginning to end, so joins need no
 * moves.
 */
#include "jit/schedule/schedule.h"

#include <string.h>

struct placer {
	struct sched *s;
	struct ir *ir;
	uint32_t *step_of; /* by value: where it was computed last */
	uint32_t *stack;
	uint32_t max_steps;
	int rc;
};

static uint32_t append(struct placer *p, uint32_t v, uint32_t block)
{
	struct sched *s = p->s;

	if (s->n_steps == s->cap_steps) {
		uint32_t cap = s->cap_steps * 2;
		struct step *steps = realloc(s->steps, cap * sizeof(*steps));

		if (steps == NULL) {
			p->rc = -ENOMEM;
			return 0;
		}
		s->steps = steps;
		s->cap_steps = cap;
	}
	if (s->n_steps > p->max_steps) {
		p->rc = -E2BIG;
		return 0;
	}
	s->steps[s->n_steps] = (struct step){.v = v, .block = block, .loc = SCHED_NO_LOC};
	return s->n_steps++;
}

static bool is_cheap(const struct ir *ir, uint32_t v)
{
	const struct ir_val *val = &ir->vals[v];

	return val->op == IR_LD8 || val->op == IR_RAW16 || val->op == IR_RAW32 ||
	       val->op == IR_LEN || ir_is_predicate(val->op);
}

/* The step that gives v to block b, 0 if there is none yet. */
static uint32_t available(const struct placer *p, uint32_t v, uint32_t b)
{
	const uint32_t at = p->step_of[v];

	if (at == 0)
		return 0;
	if (p->s->steps[at].block == b)
		return at;
	if (is_cheap(p->ir, v) && !p->ir->vals[v].pinned)
		return 0;
	return ir_dominates(&p->s->order, p->s->steps[at].block, b) ? at : 0;
}

static uint32_t use(const struct placer *p, uint32_t v, uint32_t b)
{
	uint32_t at;

	if (v == 0 || ir_is_const(p->ir, v))
		return 0;
	at = available(p, v, b);
	p->s->steps[at].n_uses++;
	return at;
}

/* Compute v in block b, with what it needs. The stack holds values whose operands are missing. */
static void place(struct placer *p, uint32_t v, uint32_t b)
{
	uint32_t depth = 0;

	if (v == 0 || ir_is_const(p->ir, v))
		return;
	p->stack[depth++] = v;
	while (depth > 0 && p->rc == 0) {
		const struct ir_val *val;
		uint32_t operands[3];
		bool ready = true;
		uint32_t at;

		ir_spend(p->ir, 1);
		v = p->stack[depth - 1];
		if (available(p, v, b) != 0) {
			depth--;
			continue;
		}
		val = &p->ir->vals[v];
		/* A choice wants its condition last: the flags are still there then. */
		operands[0] = val->op == IR_SEL ? val->c : val->a;
		operands[1] = val->b;
		operands[2] = val->op == IR_SEL ? val->a : val->c;
		for (unsigned int i = 0; i < 3 && ready; i++) {
			const uint32_t o = operands[i];

			if (o != 0 && !ir_is_const(p->ir, o) && available(p, o, b) == 0) {
				p->stack[depth++] = o;
				ready = false;
			}
		}
		if (!ready)
			continue;
		depth--;
		at = append(p, v, b);
		if (at == 0)
			return;
		p->s->steps[at].a = use(p, val->a, b);
		p->s->steps[at].b = use(p, val->b, b);
		p->s->steps[at].c = use(p, val->c, b);
		p->step_of[v] = at;
	}
}

static void place_block(struct placer *p, uint32_t b)
{
	const struct ir_block *bl = &p->ir->blocks[b];
	uint32_t at;

	for (uint32_t pin = bl->pin; pin != 0 && p->rc == 0; pin = p->ir->pins[pin].next) {
		place(p, p->ir->pins[pin].v, b);
		if (p->ir->vals[p->ir->pins[pin].v].op == IR_SET)
			p->s->steps[p->s->n_steps - 1].n_uses++;
	}
	if (bl->term != IR_JMP)
		place(p, bl->v, b);
	at = append(p, 0, b);
	if (at != 0 && bl->term != IR_JMP)
		p->s->steps[at].a = use(p, bl->v, b);
}

bool sched_is_masked_const(const struct ir *ir, const struct ir_val *val)
{
	return val->op == IR_SEL && ir->vals[val->a].max == 1 && ir_is_const(ir, val->b) &&
	       ir_is(ir, val->c, 0);
}

static bool is_foldable_load(const struct ir *ir, const struct step *load)
{
	const enum ir_op op = ir->vals[load->v].op;

	return op == IR_LD8 || op == IR_RAW16 || op == IR_RAW32;
}

/* Which steps become a part of their only user: compares of branches, loads of compares. */
static void fuse(struct sched *s, const struct ir *ir)
{
	for (uint32_t i = 1; i < s->n_steps; i++) {
		const struct step *user = &s->steps[i];
		const struct ir_val *val = &ir->vals[user->v];
		struct step *a = &s->steps[user->a];

		if (user->a == 0 || a->n_uses != 1 || a->block != user->block)
			continue;
		if (user->v == 0)
			a->fused = ir->blocks[user->block].term == IR_BR &&
				   ir_is_predicate(ir->vals[a->v].op);
		else if (val->op == IR_SEL)
			a->fused = ir_is_predicate(ir->vals[a->v].op) &&
				   !sched_is_masked_const(ir, val);
		else if (val->op >= IR_EQ && val->op <= IR_NTST)
			a->fused = is_foldable_load(ir, a) && ir_is_const(ir, val->b);
	}
}

static void extend(struct sched *s, uint32_t i, uint32_t to)
{
	struct step *step = &s->steps[i];

	if (i == 0)
		return;
	if (step->fused) {
		extend(s, step->a, to);
		extend(s, step->b, to);
		extend(s, step->c, to);
	} else {
		step->last = NPF_MAX(step->last, to);
	}
}

int sched_build(struct sched *s, struct ir *ir, uint32_t max_steps)
{
	npf_autofree uint32_t *step_of = calloc(ir->n_vals, sizeof(*step_of));
	npf_autofree uint32_t *stack = malloc(3 * (size_t)ir->n_vals * sizeof(*stack));
	struct placer p = {
		.s = s, .ir = ir, .step_of = step_of, .stack = stack, .max_steps = max_steps};

	*s = (struct sched){.cap_steps = 256, .n_steps = 1};
	s->steps = calloc(s->cap_steps, sizeof(*s->steps));
	if (step_of == NULL || stack == NULL || s->steps == NULL ||
		ir_order_init_counted(&s->order, ir) < 0) {
		sched_fini(s);
		return -ENOMEM;
	}
	s->steps[0].loc = SCHED_NO_LOC;
	for (uint32_t i = 0; i < s->order.n && p.rc == 0; i++)
		place_block(&p, s->order.block[i]);
	if (p.rc < 0) {
		sched_fini(s);
		return p.rc;
	}
	fuse(s, ir);
	for (uint32_t i = 1; i < s->n_steps; i++) {
		if (s->steps[i].fused)
			continue;
		extend(s, s->steps[i].a, i);
		extend(s, s->steps[i].b, i);
		extend(s, s->steps[i].c, i);
	}
	return 0;
}

void sched_fini(struct sched *s)
{
	free(s->steps);
	ir_order_fini(&s->order);
	*s = (struct sched){0};
}

/* A stack word that is free, and the step from which on it is. */
struct free_word {
	uint32_t word;
	uint32_t since;
};

struct assigner {
	struct sched *s;
	uint32_t n_regs;
	uint32_t in_reg[32];          /* step that has each register, 0 for none */
	struct free_word *free_words; /* the longest free first: [taken, freed) */
	uint32_t n_taken, n_freed;
	uint32_t *ending;  /* by step: a step on the stack that is read last there, 0 for none */
	uint32_t *sibling; /* by step on the stack: another that ends where it does */
	uint32_t expired;  /* all that ends before this step is off the stack */
};

/*
 * A stack word for step i, whose life may have begun earlier, in a register: the word must have
 * been free then. The one that is free for longest is if any is.
 */
static uint32_t take_word(struct assigner *as, uint32_t i)
{
	const uint32_t last = as->s->steps[i].last;
	uint32_t word;

	if (as->n_taken < as->n_freed && as->free_words[as->n_taken].since <= i)
		word = as->free_words[as->n_taken++].word;
	else
		word = as->s->n_words++;
	as->sibling[i] = as->ending[last];
	as->ending[last] = i;
	return as->n_regs + word;
}

static void expire(struct assigner *as, uint32_t now)
{
	for (uint32_t r = 0; r < as->n_regs; r++) {
		if (as->in_reg[r] != 0 && as->s->steps[as->in_reg[r]].last < now)
			as->in_reg[r] = 0;
	}
	for (; as->expired < now; as->expired++) {
		for (uint32_t i = as->ending[as->expired]; i != 0; i = as->sibling[i])
			as->free_words[as->n_freed++] =
				(struct free_word){as->s->steps[i].loc - as->n_regs, now};
	}
}

/* The register of an operand that is not needed after this step. */
static uint32_t dying_reg(const struct assigner *as, uint32_t i, uint32_t operand)
{
	const struct step *o = &as->s->steps[operand];

	return operand != 0 && !o->fused && o->last == i && o->loc < as->n_regs ? o->loc
										: SCHED_NO_LOC;
}

static uint32_t pick_reg(const struct assigner *as, const struct ir *ir, uint32_t i)
{
	const struct step *step = &as->s->steps[i];
	const bool is_predicate = ir_is_predicate(ir->vals[step->v].op);
	uint32_t dying = dying_reg(as, i, step->a);

	if (dying == SCHED_NO_LOC)
		dying = dying_reg(as, i, step->b);
	/* Two-operand instructions overwrite the left; compares want their result elsewhere. */
	if (dying != SCHED_NO_LOC && !is_predicate)
		return dying;
	for (uint32_t r = 0; r < as->n_regs; r++) {
		if (as->in_reg[r] == 0)
			return r;
	}
	return dying;
}

/* The register of the step whose life ends last, to be lent to one that ends before; or none. */
static uint32_t take_from_longest(struct assigner *as, uint32_t i)
{
	struct step *steps = as->s->steps;
	uint32_t longest = 0;

	for (uint32_t r = 1; r < as->n_regs; r++) {
		if (steps[as->in_reg[r]].last > steps[as->in_reg[longest]].last)
			longest = r;
	}
	if (steps[as->in_reg[longest]].last <= steps[i].last)
		return SCHED_NO_LOC;
	steps[as->in_reg[longest]].loc = take_word(as, as->in_reg[longest]);
	return longest;
}

static int assign(struct assigner *as, const struct ir *ir)
{
	struct sched *s = as->s;

	for (uint32_t i = 1; i < s->n_steps; i++) {
		struct step *step = &s->steps[i];
		uint32_t reg;

		if (step->v == 0 || step->fused || step->n_uses == 0 ||
			ir->vals[step->v].op == IR_SET)
			continue;
		expire(as, i);
		reg = pick_reg(as, ir, i);
		if (reg == SCHED_NO_LOC)
			reg = take_from_longest(as, i);
		if (reg == SCHED_NO_LOC) {
			step->loc = take_word(as, i);
			continue;
		}
		as->in_reg[reg] = i;
		step->loc = reg;
		s->used_regs |= 1u << reg;
	}
	return s->n_words <= SCHED_MAX_WORDS ? 0 : -E2BIG;
}

int sched_assign(struct sched *s, struct ir *ir, uint32_t n_regs)
{
	npf_autofree struct free_word *free_words = malloc(s->n_steps * sizeof(*free_words));
	npf_autofree uint32_t *ending = calloc(s->n_steps, sizeof(*ending));
	npf_autofree uint32_t *sibling = calloc(s->n_steps, sizeof(*sibling));
	struct assigner as = {.s = s,
		.n_regs = n_regs,
		.free_words = free_words,
		.ending = ending,
		.sibling = sibling};

	if (free_words == NULL || ending == NULL || sibling == NULL)
		return -ENOMEM;
	ir_spend(ir, s->n_steps);
	return assign(&as, ir);
}
