/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shape.h - random programs built of what the optimiser looks for, the same for the same seed.
 *
 * Chains of equal-compares against lists that several values share, fields that are masked and
 * shifted before, conjunctions over neighbouring bytes, ranges, bases that move with the packet and
 * loads behind them, shared tails, scratch memory, joins. A program that is arbitrary meets the
 * passes by accident; one of these is changed by nearly all of them.
 */
#ifndef NPF_TESTS_SHAPE_H
#define NPF_TESTS_SHAPE_H

#include "conformance/gen.h"

#define SHAPE_MAX_INSNS 9216

/* Return: number of instructions at insns, which has room for SHAPE_MAX_INSNS; it is valid. */
uint32_t shape_program(struct gen *g, struct npf_bpf_insn *insns);

#endif
