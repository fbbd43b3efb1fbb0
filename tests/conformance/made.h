/* SPDX-License-Identifier: BSD-3-Clause */
/* made.h - a program compiled in one of several ways, and run so that a crash is an answer too. */
#ifndef NPF_TESTS_MADE_H
#define NPF_TESTS_MADE_H

#include "jit/code/code.h"
#include "jit/filter.h"

/* Ways to compile; 0 is that of npf_filter_compile(). */
#define MADE_UNSHARED  0x10000u /* with the passes of the mask, values not shared */
#define MADE_PASSES    0x20000u /* with the passes of the mask */
#define MADE_EVALUATED 0x40000u /* not compiled: the intermediate program, after each pass */
#define MADE_MASK      0xffffu

struct made {
	uint32_t variant;
	unsigned int n_forms;
	npf_burst_fn *form[FORM_MAX];
	struct npf_filter *filter;
	struct code code;
};

struct made_burst {
	const uint8_t **pkts;
	uint32_t *lens, *caplens, *expected;
	uint32_t n; /* 32 at most */
};

struct made_fault {
	const char *who;
	uint32_t packet; /* its place in the burst */
	uint32_t got;
	int signal; /* 0, or what ended the run; which packet it was is not known then */
};

/* From here on a crash of generated code is a fault of made_run(). Return: 0, -1. */
int made_catch_crashes(void);

/* Return: 0 or -errno; -EFAULT: the code can't be shown to stay in bounds. */
int made_init(struct made *m, const struct npf_bpf_insn *insns, uint32_t n, uint32_t variant);
void made_fini(struct made *m);
/* Return: whether each form gave what was expected. */
bool made_run(const struct made *m, const struct made_burst *b, struct made_fault *fault);
/* The same for the intermediate program after each pass, built with values shared and not. */
bool made_evaluate(const struct npf_bpf_insn *insns, uint32_t n, const struct made_burst *b,
	struct made_fault *fault);

#endif
