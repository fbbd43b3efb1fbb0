/* SPDX-License-Identifier: BSD-3-Clause */
/* set_bench.h - the fixture of the tests of filter sets: members, packets at the end of readable
 * memory, and every kernel against the interpreter. */
#ifndef NPF_TESTS_SET_BENCH_H
#define NPF_TESTS_SET_BENCH_H

#include "jit/set/set.h"
#include "jit/opcode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define MAX_MEMBERS 200

/* Members, with the programs that they are made of. */
struct bench {
	struct npf_filter_set_member members[MAX_MEMBERS];
	struct npf_bpf_insn *insns[MAX_MEMBERS];
	struct npf_filter *filters[MAX_MEMBERS];
	unsigned int n;
	struct npf_filter_set_facts facts; /* of the last set made */
	enum npf_filter_set_fit fit[MAX_MEMBERS];
	/* Unreadable memory follows it. */
	uint8_t *room, *end;
	const uint8_t *pkts[64];
	uint32_t lens[64], caplens[64];
	uint32_t n_pkts;
};

int set_bench_make(void **state);
int set_bench_unmake(void **state);

void set_bench_add_insns(struct bench *b, const struct npf_bpf_insn *insns, uint32_t n);
void set_bench_add(struct bench *b, const char *expr);

/* An IPv4 packet of TCP, whose header has so many words. */
void set_bench_write_tcp(
	uint8_t *p, uint32_t src, uint32_t dst, uint32_t sport, uint32_t dport, uint32_t words);
void set_bench_fill_hosts(struct bench *b);

/* Every kernel must give the interpreter's verdicts on the packets. */
void set_bench_run(struct bench *b);
/* One packet, cut at every length, each time at the end of readable memory. */
void set_bench_run_cut(struct bench *b, const uint8_t *bytes, uint32_t len);

#endif
