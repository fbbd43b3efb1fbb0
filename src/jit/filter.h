/* SPDX-License-Identifier: BSD-3-Clause */
/* filter.h - private: what a filter is made of, and the way to its code, for tests and tools. */
#ifndef NPF_JIT_FILTER_H
#define NPF_JIT_FILTER_H

#include "jit/bpf.h"
#include "jit/code.h"
#include "jit/debug.h"
#include "jit/emit.h"

#include <stdatomic.h>

/* The forms of one filter: as logic, and as the branches that its program makes. */
enum {
	FORM_FLAT,
	FORM_BRANCHING,
	FORM_MAX
};

struct generated {
	struct x86 x;
	unsigned int n_forms; /* 1: nothing could be flattened */
	size_t start[FORM_MAX];
	size_t n_code; /* bytes of instructions; tables follow */
};

/*
 * filter_generate - code for a verified program, to be freed with x86_fini(&g->x).
 * @passes: mask of ir_passes
 * @watch:  may be NULL
 */
int filter_generate(struct generated *g, const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux, uint32_t passes, const struct ir_watch *watch);

/* Which form is faster on the traffic at hand; see adapt.c. All relaxed: a hint, not a fact. */
struct adapt {
	_Atomic uint32_t preferred;
	_Atomic uint32_t cost[FORM_MAX]; /* 1/16 cycles a packet, smoothed; 0: not known */
};

struct npf_filter {
	npf_burst_fn *form[FORM_MAX];
	unsigned int n_forms; /* 0: interpreted */
	enum npf_backend backend;
	struct adapt adapt;
	bool has_aux;
	struct npf_bpf_aux aux;
	struct code code;
	size_t n_code;  /* bytes of instructions, */
	size_t n_table; /* and of the tables that follow */
	size_t start[FORM_MAX];
	struct debug_entry *debug;
	uint32_t n_insns;
	struct npf_bpf_insn insns[];
};

/* Bursts from here on are long enough to be measured in parts. */
#define ADAPT_MIN_BURST 32

/* Is this burst, of this thread, one to measure? About one in 512 is. */
bool adapt_is_due(void);
/* Run a burst with both forms, a part each, and learn which is faster. */
void adapt_run(struct npf_filter *f, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n, uint32_t *results);

#endif
