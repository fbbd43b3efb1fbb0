/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_structured.c - one answer from all, on programs made of what the optimiser looks for.
 *
 * usage: test_structured [PROGRAMS [SEED]]
 *
 * Programs from shape.c, packets from aim.c that lie on their edges, between unreadable pages.
 * libpcap's bpf_filter(), the interpreter and native code in each form must agree, also with passes
 * left out and with values that are not shared; now and then the intermediate program is run
 * after every pass. Filters compiled before live on and are run again.
 *
 * The first difference or crash is made smaller, printed as `tcpdump -ddd` prints a program, and
 * ends the run. A program is the same for the same seed whatever ran before.
 */
#include "conformance/aim.h"
#include "conformance/made.h"
#include "conformance/shape.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define BURST  32
#define ROUNDS 8
#define N_OLD  4

struct burst {
	struct gen_guard guards[BURST];
	struct aim_packet packets[BURST];
	struct made_burst b;
};

struct program {
	struct npf_bpf_insn insns[SHAPE_MAX_INSNS];
	uint32_t n;
	struct made made;
};

static struct burst burst;
static uint64_t seed;

/* ---- a difference ---- */

static void print_program(const struct npf_bpf_insn *insns, uint32_t n)
{
	fprintf(stderr, "%u\n", n);
	for (uint32_t i = 0; i < n; i++)
		fprintf(stderr, "%u %u %u %u\n", insns[i].code, insns[i].jt, insns[i].jf,
			insns[i].k);
}

/* The program without the instructions from `from` up to `to`; jumps over them shrink. */
static uint32_t without(const struct npf_bpf_insn *insns, uint32_t n, uint32_t from, uint32_t to,
	struct npf_bpf_insn *out)
{
	uint32_t m = 0;

	for (uint32_t pc = 0; pc < n; pc++) {
		struct npf_bpf_insn in = insns[pc];
		uint32_t by[3] = {in.jt, in.jf, in.k};

		if (pc >= from && pc < to)
			continue;
		for (uint32_t i = 0; i < 3 && pc < from; i++) {
			const uint64_t target = (uint64_t)pc + 1 + by[i];

			by[i] -= target >= to    ? to - from
				 : target > from ? (uint32_t)target - from
						 : 0;
		}
		if (in.code == OP_JA) {
			in.k = by[2];
		} else if (npf_bpf_is_jump(in.code)) {
			in.jt = (uint8_t)by[0];
			in.jf = (uint8_t)by[1];
		}
		out[m++] = in;
	}
	return m;
}

/* Is there a difference, or a crash, with this program and packet i of the burst? */
static bool is_wrong(const struct npf_bpf_insn *insns, uint32_t n, uint32_t variant, uint32_t i)
{
	struct made_burst one = {.pkts = &burst.b.pkts[i],
		.lens = &burst.b.lens[i],
		.caplens = &burst.b.caplens[i],
		.n = 1};
	struct made_fault fault;
	struct made made;
	uint32_t expected;
	bool wrong;

	if (n == 0 || npf_bpf_verify(insns, n, NULL) < 0)
		return false;
	expected = npf_bpf_interpret(insns, one.pkts[0], one.lens[0], one.caplens[0], NULL);
	one.expected = &expected;
	if (variant == MADE_EVALUATED)
		return !made_evaluate(insns, n, &one, &fault);
	if (made_init(&made, insns, n, variant) < 0)
		return false;
	wrong = !made_run(&made, &one, &fault);
	made_fini(&made);
	return wrong;
}

static uint32_t shrink(struct npf_bpf_insn *insns, uint32_t n, uint32_t variant, uint32_t i)
{
	static struct npf_bpf_insn less[SHAPE_MAX_INSNS];
	bool shrunk = true;

	while (shrunk) {
		shrunk = false;
		for (uint32_t size = 64; size > 0; size /= 4) {
			for (uint32_t from = 0; from + size <= n;) {
				const uint32_t m = without(insns, n, from, from + size, less);

				if (is_wrong(less, m, variant, i)) {
					memcpy(insns, less, m * sizeof(*insns));
					n = m;
					shrunk = true;
				} else {
					from += size;
				}
			}
		}
	}
	return n;
}

static void differ(struct program *p, uint32_t variant, const struct made_fault *fault)
{
	const struct made_burst *b = &burst.b;
	uint32_t i = fault->packet;

	fprintf(stderr, "program %llu: %s", (unsigned long long)seed, fault->who);
	if (fault->signal != 0)
		fprintf(stderr, " crashes (%s)\n", strsignal(fault->signal));
	else
		fprintf(stderr, " gives %u, bpf_filter() %u\n", fault->got, b->expected[i]);
	for (uint32_t j = 0; fault->signal != 0 && j < BURST; j++) {
		if (is_wrong(p->insns, p->n, variant, j))
			i = j;
	}
	if (is_wrong(p->insns, p->n, variant, i))
		p->n = shrink(p->insns, p->n, variant, i);
	print_program(p->insns, p->n);
	fprintf(stderr, "packet: len %u, caplen %u:", b->lens[i], b->caplens[i]);
	for (uint32_t j = 0; j < b->caplens[i]; j++)
		fprintf(stderr, " %02x", b->pkts[i][j]);
	fprintf(stderr, "\n");
	exit(1);
}

/* ---- the run ---- */

/* Each packet takes a step, and its place: at one end of the memory or at the other. */
static void fill(struct gen *g, const struct program *p, bool anew)
{
	for (uint32_t i = 0; i < BURST; i++) {
		struct aim_packet *packet = &burst.packets[i];
		const struct gen_guard *guard = &burst.guards[i];
		uint8_t *at;

		if (anew)
			aim_begin(g, packet);
		for (uint32_t steps = anew ? 1 + gen_below(g, 4) : 1; steps > 0; steps--)
			aim_step(g, p->insns, packet);
		at = gen_below(g, 4) == 0 ? guard->begin : guard->end - packet->caplen;
		memcpy(at, packet->bytes, packet->caplen);
		burst.b.pkts[i] = at;
		burst.b.caplens[i] = packet->caplen;
		burst.b.lens[i] = packet->len;
	}
}

static void expect(struct program *p)
{
	struct made_burst *b = &burst.b;

	for (uint32_t i = 0; i < BURST; i++) {
		const uint32_t got =
			npf_bpf_interpret(p->insns, b->pkts[i], b->lens[i], b->caplens[i], NULL);

		b->expected[i] = bpf_filter(
			(const struct bpf_insn *)p->insns, b->pkts[i], b->lens[i], b->caplens[i]);
		if (got != b->expected[i])
			differ(p, 0, &(struct made_fault){"the interpreter", i, got, 0});
	}
}

static void check(struct program *p, struct made *made)
{
	struct made_fault fault;

	if (!made_run(made, &burst.b, &fault))
		differ(p, made->variant, &fault);
}

static uint64_t try_program(struct gen *g, struct program *p, struct program *old)
{
	const uint32_t variant = seed % 4 != 0 ? 0 : seed % 8 == 0 ? MADE_UNSHARED : MADE_PASSES;
	uint64_t accepted = 0;
	struct made other;
	int rc;

	p->n = shape_program(g, p->insns);
	rc = made_init(&p->made, p->insns, p->n, 0);
	if (rc == 0 && variant != 0)
		rc = made_init(
			&other, p->insns, p->n, variant | ((uint32_t)gen_next(g) & MADE_MASK));
	if (rc < 0) {
		fprintf(stderr, "program %llu %s\n", (unsigned long long)seed,
			rc == -EFAULT ? "is not shown to stay in bounds" : "does not compile");
		print_program(p->insns, p->n);
		exit(1);
	}
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct made_fault fault;

		fill(g, p, round == 0);
		expect(p);
		for (uint32_t i = 0; i < BURST; i++)
			accepted += burst.b.expected[i] != 0;
		check(p, &p->made);
		if (variant != 0)
			check(p, &other);
		if (seed % 16 == 0 && round % 4 == 1 &&
			!made_evaluate(p->insns, p->n, &burst.b, &fault))
			differ(p, MADE_EVALUATED, &fault);
		if (round == ROUNDS - 1 && old->n != 0) {
			expect(old);
			check(old, &old->made);
		}
	}
	if (variant != 0)
		made_fini(&other);
	return accepted;
}

static int init(void)
{
	static const uint8_t *pkts[BURST];
	static uint32_t lens[BURST], caplens[BURST], expected[BURST];

	burst.b = (struct made_burst){pkts, lens, caplens, expected, BURST};
	for (uint32_t i = 0; i < BURST; i++) {
		if (gen_guard_init(&burst.guards[i], GEN_MAX_LEN) < 0)
			return -1;
	}
	return made_catch_crashes();
}

int main(int argc, char **argv)
{
	const uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static struct program programs[N_OLD];
	uint64_t accepted = 0;

	if (init() < 0)
		return 99;
	for (seed = first; seed < first + n; seed++) {
		struct program *p = &programs[seed % N_OLD];
		struct gen g;

		gen_init(&g, seed);
		if (p->n != 0)
			made_fini(&p->made);
		accepted += try_program(&g, p, &programs[(seed + 1) % N_OLD]);
	}
	for (uint32_t i = 0; i < N_OLD; i++) {
		if (programs[i].n != 0)
			made_fini(&programs[i].made);
	}
	for (uint32_t i = 0; i < BURST; i++)
		gen_guard_fini(&burst.guards[i]);
	printf("%llu programs, %llu pairs, %llu %% accepted: no difference\n",
		(unsigned long long)n, (unsigned long long)(n * BURST * ROUNDS),
		(unsigned long long)(accepted * 100 / (n * BURST * ROUNDS)));
	return 0;
}
