/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen.h - random programs and packets for differential tests, the same for the same seed.
 *
 * Programs are valid by construction (the verifier accepts them) and of three kinds: arbitrary code
 * over all opcodes, decision trees such as filters are, and real filters with some instructions
 * changed. Packets are real ones changed and cut, or noise. Guarded memory makes a read of
 * a byte beyond a packet's last a crash.
 */
#ifndef NPF_TESTS_GEN_H
#define NPF_TESTS_GEN_H

#include "jit/bpf.h"

#define GEN_MAX_INSNS 400
#define GEN_MAX_LEN   2048

struct gen {
	uint64_t state;
};

void gen_init(struct gen *g, uint64_t seed);
uint64_t gen_next(struct gen *g);
uint32_t gen_below(struct gen *g, uint32_t n);

/* The bytes between unreadable memory and unreadable memory. */
struct gen_guard {
	uint8_t *begin, *end;
	void *map;
	size_t len;
};

int gen_guard_init(struct gen_guard *gu, size_t room);
void gen_guard_fini(struct gen_guard *gu);

/* Return: number of instructions at insns, which has room for GEN_MAX_INSNS. */
uint32_t gen_program(struct gen *g, struct npf_bpf_insn *insns);
/* Return: bytes written at pkt, GEN_MAX_LEN at most. */
uint32_t gen_packet(struct gen *g, uint8_t *pkt);

/* Real filters, compiled by libpcap once, and the expressions that they came from. */
struct gen_real {
	const char *expr;
	struct npf_bpf_insn *insns;
	uint32_t n_insns;
};

extern const char *const gen_exprs[];
extern const unsigned int gen_n_exprs;
const struct gen_real *gen_real(unsigned int i); /* i < 2 * gen_n_exprs: optimised, then not */

#endif
