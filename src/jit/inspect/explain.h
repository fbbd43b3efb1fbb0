/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain.h - the door for those who look into the filter machine: the stages of a filter's
 * compilation.
 *
 * For npf-filter(1); the datapath does not use it.
 */
#ifndef NPF_JIT_INSPECT_EXPLAIN_H
#define NPF_JIT_INSPECT_EXPLAIN_H

#include "jit/bpf.h"

/* One stage of compilation, valid during the call. */
struct npf_explain_stage {
	const char *name;  /* of the pass; "build" is the first */
	const char *what;  /* what the pass does, one line */
	const char *text;  /* the intermediate program after it, lines */
	uint32_t n_blocks; /* that can be reached */
	uint32_t n_branches;
	bool changed; /* the text differs from that of the stage before */
};

/*
 * npf_filter_explain - compile a program, and call back with each stage.
 * Of a loose program (enum npf_bpf_loose) the stages are those of the part without loops.
 * Return: 0; -EINVAL: not a valid program; -ENOMEM.
 */
int npf_filter_explain(const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux,
	void (*show)(void *ctx, const struct npf_explain_stage *stage), void *ctx);

/* The native code of a filter, as it lies in memory; valid as long as the filter. */
struct npf_code_view {
	const uint8_t *code;
	size_t n_branching; /* bytes of the form that branches, which comes first */
	size_t n_code;      /* bytes of both forms; equal to n_branching where there is only one */
	size_t n_table;     /* bytes of lookup tables behind them */
};

/* Return: false when the filter is interpreted. */
bool npf_filter_code(const struct npf_filter *f, struct npf_code_view *view);

#endif
