/* SPDX-License-Identifier: BSD-3-Clause */
/* filter.h - private: what a filter is made of, and the way to its code, for tests and tools. */
#ifndef NPF_JIT_FILTER_H
#define NPF_JIT_FILTER_H

#include "jit/bpf.h"
#include "jit/code.h"
#include "jit/debug.h"
#include "jit/emit.h"

struct npf_filter {
	npf_burst_fn *burst; /* NULL: interpreted */
	enum npf_backend backend;
	bool has_aux;
	struct npf_bpf_aux aux;
	struct code code;
	size_t n_code;  /* bytes of instructions, */
	size_t n_table; /* and of the tables that follow */
	struct debug_entry *debug;
	uint32_t n_insns;
	struct npf_bpf_insn insns[];
};

/*
 * filter_generate - code for a verified program, in a buffer that the caller frees (x86_fini()).
 * @passes: mask of ir_passes
 */
int filter_generate(struct x86 *x, const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux, uint32_t passes, size_t *n_codep,
	void (*seen)(void *ctx, const char *name, const struct ir *ir), void *ctx);

#endif
