/* SPDX-License-Identifier: BSD-3-Clause */
/* filters.h - the filters that are timed, and what both benchmarks reckon with. */
#ifndef TESTS_BENCH_JIT_FILTERS_H
#define TESTS_BENCH_JIT_FILTERS_H

#include "jit/bpf.h"

struct filter {
	const char *name;
	const char *expr; /* or NULL: a set of `hosts` hosts and `ports` ports */
	unsigned int hosts, ports;
	bool in_mean;
};

extern const struct filter filters[];
extern const size_t n_filters;

/* The program of the filter, as an array that the caller frees. */
int filter_program(const struct filter *f, struct npf_bpf_insn **insnsp, uint32_t *np);

/* Sorts v. */
double median(double *v, unsigned int n);

#endif
