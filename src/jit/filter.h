/* SPDX-License-Identifier: BSD-3-Clause */
/* filter.h - private: the parts of a filter, and the making of its code, for tests and tools. */
#ifndef NPF_JIT_FILTER_H
#define NPF_JIT_FILTER_H

#include "jit/adapt.h"
#include "jit/bpf.h"
#include "jit/code/code.h"
#include "jit/x86/emit.h"

struct generated {
	struct x86 x;
	unsigned int n_forms; /* 1: nothing could be flattened */
	size_t start[FORM_MAX];
	size_t n_code;  /* bytes of instructions; tables follow */
	uint64_t steps; /* of work that it took: see ir_spend() */
};

/*
 * filter_generate - code for a verified program, to be freed with x86_fini(&g->x).
 * @passes: mask of ir_passes
 * @watch:  may be NULL
 */
int filter_generate(struct generated *g, const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux, uint32_t passes, const struct ir_watch *watch);

struct npf_filter {
	npf_burst_fn *form[FORM_MAX];
	unsigned int n_forms; /* 0: interpreted, */
	bool is_unproven;     /* since check_program() could not show that the code is safe */
	enum npf_backend backend;
	uint64_t serial;
	struct adapt adapt;
	/* &adapt, for runs, which have the filter const: what they learn changes no result. */
	struct adapt *learns;
	bool has_aux;
	struct npf_bpf_aux aux;
	struct code code;
	size_t n_code;  /* bytes of instructions, */
	size_t n_table; /* and of the tables that follow */
	size_t start[FORM_MAX];
	struct debug_entry *debug;
	/* A loose program, which decides where the result of insns is UINT32_MAX; else NULL. */
	const struct npf_bpf_insn *loose;
	uint32_t max_steps; /* ... for it may have jumped backward there; 0: it has no loops */
	uint32_t n_insns;
	struct npf_bpf_insn insns[];
};

/* The trial that a thread makes, if any. */
struct adapt_seat {
	/* Only compared: the filter may be freed. A new filter at the same address inherits the
	 * trial, which may then have a wrong verdict. */
	const struct npf_filter *filter;
	uint32_t drawn;
	uint32_t idle; /* bursts of other filters since its last */
	struct adapt_trial trial;
};
extern _Thread_local struct adapt_seat adapt_seat;

/* Is this a burst of a trial, or one at which to ask for a trial? */
static inline bool adapt_is_due(const struct npf_filter *f)
{
	adapt_seat.drawn = adapt_seat.drawn * 1664525u + 1013904223u;
	return adapt_seat.drawn < UINT32_MAX / ADAPT_LOOK || adapt_seat.filter == f;
}

/* Run such a burst, by the trial's form if it is one of a trial; see adapt.c. */
void adapt_run(const struct npf_filter *f, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n, uint32_t *results);

#endif
