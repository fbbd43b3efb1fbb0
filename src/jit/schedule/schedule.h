/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schedule.h - the program as a list of steps, each with a place for its result.
 *
 * sched_build() gives values a place in the program: blocks in topological order, in each the
 * values that its decision needs and no dominator has computed already, operands first.
 * sched_assign() gives each step a register or a stack slot for its whole life.
 */
#ifndef NPF_JIT_SCHEDULE_SCHEDULE_H
#define NPF_JIT_SCHEDULE_SCHEDULE_H

#include "jit/ir/ir.h"

#define SCHED_NO_LOC UINT32_MAX
/* The stack frame stays within a page, so that code cannot step over the guard page of a stack. */
#define SCHED_MAX_WORDS 960

struct step {
	uint32_t v;       /* the value computed; 0: the end of the block */
	uint32_t a, b, c; /* steps that give the operands; 0: a constant, or none */
	uint32_t n_uses;
	uint32_t block;
	uint32_t last; /* the last step that reads the result */
	bool fused;    /* computed as a part of its only user */
	uint32_t loc;  /* below n_regs: a register, else stack word loc - n_regs */
};

struct sched {
	struct step *steps; /* [0] is none */
	uint32_t n_steps, cap_steps;
	struct ir_order order;
	uint32_t n_words; /* stack words used */
	uint32_t used_regs;
};

/* Return: 0, -ENOMEM, -E2BIG: more than max_steps. */
int sched_build(struct sched *s, struct ir *ir, uint32_t max_steps);
/* n_regs registers, all alike. Return: 0, -ENOMEM, -E2BIG: more than SCHED_MAX_WORDS on the stack.
 */
int sched_assign(struct sched *s, struct ir *ir, uint32_t n_regs);
void sched_fini(struct sched *s);

/* Is this (cond ? k : 0), which needs no branch and no conditional move? */
bool sched_is_masked_const(const struct ir *ir, const struct ir_val *val);

#endif
