/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_check.c - the check shows of every program that its code stays in bounds.
 *
 * usage: test_check [PROGRAMS [SEED]]
 *
 * Programs made for the optimiser, arbitrary ones, decision trees and real filters, compiled as
 * they would be, with passes left out, and without sharing values; nothing is run. A program that
 * the check does not pass is either a fault of the compiler or a false alarm, which costs speed.
 */
#include "conformance/made.h"
#include "conformance/shape.h"

#include <pcap/pcap.h>
#include <stdio.h>

static void print_program(const struct npf_bpf_insn *insns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		fprintf(stderr, "\t{0x%02x, %u, %u, 0x%x}\n", insns[i].code, insns[i].jt,
			insns[i].jf, insns[i].k);
}

static int check(const struct npf_bpf_insn *insns, uint32_t n, uint64_t seed, uint32_t variant)
{
	struct made m;
	int rc = made_init(&m, insns, n, variant);

	if (rc < 0) {
		fprintf(stderr, "program %llu, variant 0x%x: %s\n", (unsigned long long)seed,
			variant, rc == -EFAULT ? "not shown to stay in bounds" : "not compiled");
		print_program(insns, n);
		return rc == -EFAULT ? 1 : 2;
	}
	made_fini(&m);
	return 0;
}

int main(int argc, char **argv)
{
	static struct npf_bpf_insn insns[SHAPE_MAX_INSNS];
	const uint64_t programs = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	int rc = 0;

	for (unsigned int i = 0; i < 2 * gen_n_exprs && rc == 0; i++) {
		rc = check(gen_real(i)->insns, gen_real(i)->n_insns, i, 0);
		if (rc == 0)
			rc = check(gen_real(i)->insns, gen_real(i)->n_insns, i,
				MADE_UNSHARED | MADE_MASK);
	}
	for (uint64_t seed = first; seed < first + programs && rc == 0; seed++) {
		struct gen g;
		uint32_t n, mask;

		gen_init(&g, seed);
		n = seed % 2 == 0 ? gen_program(&g, insns) : shape_program(&g, insns);
		mask = (uint32_t)gen_next(&g) & MADE_MASK;
		rc = check(insns, n, seed, 0);
		if (rc == 0)
			rc = check(insns, n, seed, MADE_PASSES | mask);
		if (rc == 0)
			rc = check(insns, n, seed, MADE_UNSHARED | mask);
	}
	if (rc == 0)
		printf("%llu programs, each shown to stay in bounds\n",
			(unsigned long long)programs);
	return rc;
}
