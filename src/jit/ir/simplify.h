/* SPDX-License-Identifier: BSD-3-Clause */
/* simplify.h - private to the makers in ir.c: what is known about a value before it is made. */
#ifndef NPF_JIT_IR_SIMPLIFY_H
#define NPF_JIT_IR_SIMPLIFY_H

#include "jit/ir/ir.h"

/* A value equal to the operation, simpler than it; 0 if there is none. */
uint32_t simplify(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t c, uint32_t k);

/* The greatest value that val can have, as far as its operands tell. */
uint32_t simplify_max(const struct ir *ir, const struct ir_val *val);

/* Does predicate p being 1 mean that predicate q is 0? False when that isn't plain to see. */
bool simplify_excludes(const struct ir *ir, uint32_t p, uint32_t q, unsigned int depth);

#endif
