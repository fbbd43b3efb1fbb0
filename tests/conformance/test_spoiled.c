/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_spoiled.c - of a program that is spoiled the check passes no more than what is safe.
 *
 * usage: test_spoiled [PROGRAMS [SEED]]
 *
 * Programs are built and optimised as ever, then one thing is changed as a fault of a pass would: a
 * length check is shortened or turned round, a branch settled, an operand exchanged. Where the
 * check passes the result nonetheless, the program is evaluated on packets: none may lead to a load
 * beyond its end or to a division by zero.
 */
#include "conformance/aim.h"
#include "conformance/shape.h"
#include "jit/check/check.h"
#include "jit/inspect/inspect.h"

#include <stdio.h>

#define N_REGS    7
#define ROUNDS    8 /* spoiled copies of a program */
#define N_PACKETS 12

struct spoiled {
	struct npf_bpf_insn insns[SHAPE_MAX_INSNS];
	uint32_t n;
	struct ir ir;
};

static uint64_t seed;

/* A value that is used, of one of the kinds; 0 if a few looks do not find one. */
static uint32_t pick(struct gen *g, const struct ir *ir, enum ir_op from, enum ir_op to)
{
	for (unsigned int i = 0; i < 64; i++) {
		const uint32_t v = 1 + gen_below(g, ir->n_vals - 1);

		if (ir->vals[v].op >= from && ir->vals[v].op <= to)
			return v;
	}
	return 0;
}

static uint32_t pick_branch(struct gen *g, const struct ir *ir)
{
	for (unsigned int i = 0; i < 64; i++) {
		const uint32_t b = 1 + gen_below(g, ir->n_blocks - 1);

		if (ir->blocks[b].term == IR_BR)
			return b;
	}
	return 0;
}

/* Some other value that was made before v and can be an operand. */
static uint32_t other_operand(struct gen *g, const struct ir *ir, uint32_t v)
{
	uint32_t o = 1 + gen_below(g, v);

	while (o < v && ir->vals[o].op == IR_SET)
		o++;
	return o < v ? o : 0;
}

static void spoil_value(struct gen *g, struct ir *ir, uint32_t v)
{
	struct ir_val *val = &ir->vals[v];
	const uint32_t o = other_operand(g, ir, v);

	switch (gen_below(g, 4)) {
	case 0:
		if (ir_is_predicate(val->op))
			val->op = (uint8_t)(IR_EQ + ((val->op - IR_EQ) ^ 1));
		else if (val->op == IR_AND || val->op == IR_OR)
			val->op = val->op == IR_AND ? IR_OR : IR_AND;
		else if (val->op >= IR_ADD && val->op <= IR_SHR)
			val->op = (uint8_t)(IR_ADD + gen_below(g, IR_SHR - IR_ADD + 1));
		break;
	case 1:
		if (o != 0 && val->a != 0)
			val->a = o;
		break;
	case 2:
		if (o != 0 && val->b != 0)
			val->b = o;
		break;
	default:
		if (o != 0 && val->op == IR_SEL)
			val->c = o;
		else if (val->op == IR_CONST)
			val->k = gen_below(g, 2) != 0 ? val->k + 1 : gen_below(g, 4) * 0x8000u;
		break;
	}
}

static void spoil(struct gen *g, struct ir *ir)
{
	const uint32_t b = pick_branch(g, ir);
	struct ir_block *bl = &ir->blocks[b];
	uint32_t v;

	switch (gen_below(g, 6)) {
	case 0: /* a check is shortened */
		v = pick(g, ir, IR_INR, IR_NINR);
		ir->vals[v].k -= v != 0 && ir->vals[v].k > 0 ? 1 + gen_below(g, 2) / 2 : 0;
		break;
	case 1: /* a load is moved */
		v = pick(g, ir, IR_LD8, IR_RAW32);
		ir->vals[v].k += v != 0 ? 1 + gen_below(g, 8) : 0;
		break;
	case 2: /* a branch is settled */
		if (b != 0)
			ir_jmp(ir, b, gen_below(g, 2) != 0 ? bl->t : bl->f);
		break;
	case 3: /* its sides are exchanged */
		if (b != 0)
			ir_br(ir, b, bl->v, bl->f, bl->t);
		break;
	case 4: /* what a branch decides on is spoiled */
		if (b != 0)
			spoil_value(g, ir, bl->v);
		break;
	default:
		v = pick(g, ir, IR_ADD, IR_SEL);
		if (v != 0)
			spoil_value(g, ir, v);
		break;
	}
}

/* Shared: of values that are pinned the evaluator computes those, too, that nobody needs. */
static bool build(struct spoiled *s, struct gen *g, uint32_t mask)
{
	const unsigned int to = gen_below(g, 2) != 0 ? ir_n_passes : ir_flatten_at;

	ir_init(&s->ir, NULL);
	return ir_build(&s->ir, s->insns, s->n, NULL, true) == 0 &&
	       ir_optimise(&s->ir, 0, to, mask, NULL) == 0;
}

/* Does the check pass the program as it is now? Sets are looked up in tables as large as needed. */
static bool passes(struct ir *ir)
{
	npf_autofree struct check_lookup *lookups = NULL;
	struct sched s;
	bool pass;

	if (sched_build(&s, ir, 1u << 16) < 0)
		return false;
	lookups = malloc(s.n_steps * sizeof(*lookups));
	if (lookups == NULL)
		abort();
	for (uint32_t i = 0; i < s.n_steps; i++)
		lookups[i] = (struct check_lookup){.kind = CHECK_HASH, .n_words = 64, .shift = 26};
	pass = sched_assign(&s, ir, N_REGS) == 0 && check_program(ir, &s, N_REGS, lookups) == 0;
	sched_fini(&s);
	return pass;
}

/* Is there a packet on which the program that was passed does what it must not? */
static bool is_unsafe(struct gen *g, const struct spoiled *s)
{
	struct aim_packet p;
	uint32_t result;

	for (unsigned int i = 0; i < N_PACKETS; i++) {
		if (i % 4 == 0)
			aim_begin(g, &p);
		else
			aim_step(g, s->insns, &p);
		if (ir_eval(&s->ir, p.bytes, p.len, p.caplen, &result) == -EFAULT)
			return true;
	}
	return false;
}

static int report(const struct spoiled *s)
{
	fprintf(stderr, "program %llu is unsafe, and passes:\n", (unsigned long long)seed);
	ir_print(&s->ir, stderr);
	return 1;
}

int main(int argc, char **argv)
{
	const uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static struct spoiled s;
	uint64_t n_passed = 0;

	for (seed = first; seed < first + n; seed++) {
		struct gen g;

		gen_init(&g, seed);
		s.n = seed % 2 == 0 ? gen_program(&g, s.insns) : shape_program(&g, s.insns);
		for (unsigned int round = 0; round < ROUNDS && s.n < 300; round++) {
			const uint32_t mask =
				round % 2 == 0 ? IR_ALL_PASSES : (uint32_t)gen_next(&g) | 1;

			if (build(&s, &g, mask)) {
				spoil(&g, &s.ir);
				if (passes(&s.ir)) {
					n_passed++;
					if (is_unsafe(&g, &s))
						return report(&s);
				}
			}
			ir_fini(&s.ir);
		}
	}
	printf("%llu programs, %llu of %llu spoiled ones passed: all of those are safe\n",
		(unsigned long long)n, (unsigned long long)n_passed,
		(unsigned long long)(n * ROUNDS));
	return 0;
}
