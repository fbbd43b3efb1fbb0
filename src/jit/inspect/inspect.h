/* SPDX-License-Identifier: BSD-3-Clause */
/* inspect.h - the intermediate program printed, and run slowly. The datapath uses neither. */
#ifndef NPF_JIT_INSPECT_INSPECT_H
#define NPF_JIT_INSPECT_INSPECT_H

#include "jit/ir/ir.h"

#include <stdio.h>

/* Write it as text for people. */
void ir_print(const struct ir *ir, FILE *out);

/*
 * ir_eval - the result of the program for one packet; slow, for tests and for comparing passes.
 * Return: 0; -EFAULT: a value was needed whose load is out of range or whose divisor is 0, so a
 * pass is wrong; -ENOMEM.
 */
int ir_eval(
	const struct ir *ir, const uint8_t *pkt, uint32_t len, uint32_t caplen, uint32_t *resultp);

#endif
