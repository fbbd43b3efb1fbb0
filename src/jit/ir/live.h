/* SPDX-License-Identifier: BSD-3-Clause */
/* live.h - which registers a program still reads, by instruction. */
#ifndef NPF_JIT_IR_LIVE_H
#define NPF_JIT_IR_LIVE_H

#include "jit/bpf.h"

/*
 * ir_find_live - of a valid program.
 * @live_at:   n_insns words: the slots (IR_SLOT_*, one bit each) that are read from there on before
 *             they are written
 * @is_leader: n_insns + 1, all false: set where a jump leads
 */
void ir_find_live(
	const struct npf_bpf_insn *insns, uint32_t n_insns, uint32_t *live_at, bool *is_leader);

#endif
