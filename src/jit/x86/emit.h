/* SPDX-License-Identifier: BSD-3-Clause */
/* emit.h - from the scheduled program to x86-64 code. */
#ifndef NPF_JIT_X86_EMIT_H
#define NPF_JIT_X86_EMIT_H

#include "jit/ir/ir.h"
#include "jit/x86/x86.h"

/* What is compiled: a burst, after the System V calling convention. */
typedef void npf_burst_fn(const uint8_t *const *pkts, const uint32_t *caplens, uint32_t *results,
	const uint32_t *lens, uint64_t n);

struct emit_set;

/* What is shared by the functions that are made of one program: its sets, as tables. */
struct emit_tables {
	struct emit_set *at; /* by set */
	uint32_t n;
};

/*
 * emit_function - append a function for the program.
 * @tables: zeroed before the first function
 * @startp: where it begins
 * Return: 0; -ENOMEM; -E2BIG when the program would take more than max_steps steps;
 * -EFAULT when check_program() can't show that it stays in bounds.
 */
int emit_function(struct x86 *x, struct ir *ir, uint32_t max_steps, struct emit_tables *tables,
	size_t *startp);

/* Append the tables that the functions look into, then fill in all displacements. */
int emit_tables_finish(struct x86 *x, struct emit_tables *tables);
void emit_tables_fini(struct emit_tables *tables);

#endif
