/* SPDX-License-Identifier: BSD-3-Clause */
/* shape_priv.h - shared by the files that make programs: the state of a program being made. */
#ifndef NPF_TESTS_SHAPE_PRIV_H
#define NPF_TESTS_SHAPE_PRIV_H

#include "conformance/shape.h"
#include "jit/opcode.h"

#define MAX_UNITS  40
#define MAX_LABELS 256
#define MAX_JUMPS  (2 * SHAPE_MAX_INSNS)
#define MAX_POOL   100
#define N_POOLS    2
#define MAX_FIELDS 14
#define N_RETURNS  4
#define NEXT       UINT32_MAX

enum side {
	IF_TRUE,
	IF_FALSE,
	ALWAYS
};

struct jump {
	uint32_t pc;
	uint32_t label;
	enum side side;
};

/* A load, and what is done to what it gives. */
struct field {
	struct npf_bpf_insn load;
	struct npf_bpf_insn ops[3];
	uint32_t n_ops;
};

struct maker {
	struct gen *g;
	struct npf_bpf_insn *insns;
	uint32_t n;
	bool far; /* jumps go through a jump behind the unit */
	bool has_memory;
	bool is_dense; /* many computed values are used again and again: registers run out */
	uint32_t n_units, unit;
	uint32_t first_off, span; /* where most fields lie */
	struct field fields[MAX_FIELDS];
	uint32_t n_fields;
	uint32_t likely; /* what the value made last may be, or what it was compared with */
	uint32_t pool[N_POOLS][MAX_POOL];
	uint32_t n_pool[N_POOLS];
	uint32_t labels[MAX_LABELS]; /* units, then returns, then jumps behind units */
	uint32_t n_labels;
	struct jump jumps[MAX_JUMPS];
	uint32_t n_jumps;
};

#define PICK(g, ...)                                                                               \
	({                                                                                         \
		static const uint32_t from[] = {__VA_ARGS__};                                      \
		from[gen_below(g, NPF_ARRAY_LEN(from))];                                           \
	})

static inline bool one_in(struct maker *m, uint32_t n)
{
	return gen_below(m->g, n) == 0;
}

static inline void insn(struct maker *m, uint32_t code, uint32_t k)
{
	m->insns[m->n++] = (struct npf_bpf_insn){.code = (uint16_t)code, .k = k};
}

/* ---- shape_value.c ---- */

/* The lists of constants and the fields that the program draws from. */
void shape_choose(struct maker *m);
/* A constant to compare with: possible for the value at hand, or used elsewhere, as like as not. */
uint32_t shape_constant(struct maker *m);
/* A field as it is. */
void shape_field(struct maker *m, const struct field *f);
/* A field into A: one of the program's, perhaps with other arithmetic, or a new one. */
void shape_value(struct maker *m);
/* Something into X. */
void shape_base(struct maker *m);

#endif
