/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - does the program that was emitted stay inside the packet, its tables and its frame?
 *
 * A proof by other means than those of the optimiser: check.c shares no code with facts.c or the
 * passes, and takes nothing on trust that it can see for itself.
 */
#ifndef NPF_JIT_CHECK_CHECK_H
#define NPF_JIT_CHECK_CHECK_H

#include "jit/schedule/schedule.h"

/* The table that a step was made to look into. Shifts are of products modulo 2^32. */
struct check_lookup {
	enum {
		CHECK_NO_TABLE,
		CHECK_BITMAP,    /* word value / 32 */
		CHECK_HASH,      /* word product >> shift */
		CHECK_TWO_HASHES /* ... whose multiplier is word product >> mult_shift of another
				    table */
	} kind;
	uint32_t n_words, shift;
	uint32_t n_mults, mult_shift;
};

/*
 * check_program - the last stage before code may run.
 *
 * Shown are: the list of steps is the program's blocks in an order in which each edge goes forward;
 * each operand was computed on every way to its use, and its register or stack word was not given
 * to another in between; stack words and slots lie in the frame; on every way to a load the length
 * was checked; on every way to a division the divisor is not 0; no lookup leaves its table, and
 * no value beyond 65535 is looked up in a bitmap.
 *
 * @s:       as it was emitted, with n_regs registers
 * @lookups: by step
 * Return: 0; -EFAULT: not shown; -ENOMEM.
 */
int check_program(
	struct ir *ir, const struct sched *s, uint32_t n_regs, const struct check_lookup *lookups);

#endif
