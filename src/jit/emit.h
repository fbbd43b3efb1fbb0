/* SPDX-License-Identifier: BSD-3-Clause */
/* emit.h - from the scheduled program to x86-64 code. */
#ifndef NPF_JIT_EMIT_H
#define NPF_JIT_EMIT_H

#include "jit/ir.h"
#include "jit/x86.h"

/* What is compiled: a burst, after the System V calling convention. */
typedef void npf_burst_fn(const uint8_t *const *pkts, const uint32_t *caplens, uint32_t *results,
	const uint32_t *lens, uint64_t n);

/*
 * emit_filter - code for a whole filter, then the tables that it looks values up in.
 * @n_codep: how many bytes of it are instructions
 * Return: 0; -ENOMEM; -E2BIG when the program would take more than max_steps steps.
 */
int emit_filter(struct x86 *x, const struct ir *ir, uint32_t max_steps, size_t *n_codep);

#endif
