/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_random.c - one answer from all: libpcap's bpf_filter(), the interpreter, native code.
 *
 * usage: test_random [PAIRS [SEED]]
 *
 * Random programs on random packets that end where memory does. Each program meets a few dozen
 * packets as one burst; now and then the intermediate program is run too, after every pass, and
 * compiled with passes left out. The first difference is printed with the program and ends the run.
 */
#include "conformance/gen.h"
#include "jit/inspect/inspect.h"
#include "jit/filter.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define BURST 32

struct burst {
	struct gen_guard guards[BURST];
	const uint8_t *pkts[BURST];
	uint32_t lens[BURST];
	uint32_t caplens[BURST];
	uint32_t expected[BURST];
	uint32_t results[BURST];
};

static const struct npf_bpf_insn *program;
static uint32_t n_program;

static void print_program(void)
{
	for (uint32_t i = 0; i < n_program; i++) {
		const struct bpf_insn in = {
			program[i].code, program[i].jt, program[i].jf, program[i].k};

		fprintf(stderr, "%s\t{0x%02x, %u, %u, 0x%x}\n", bpf_image(&in, (int)i),
			program[i].code, program[i].jt, program[i].jf, program[i].k);
	}
}

static void differ(
	const struct burst *burst, uint32_t i, const char *who, uint32_t got, uint64_t seed)
{
	fprintf(stderr, "program %llu: %s gives %u, bpf_filter() %u\n", (unsigned long long)seed,
		who, got, burst->expected[i]);
	print_program();
	fprintf(stderr, "len %u, caplen %u:", burst->lens[i], burst->caplens[i]);
	for (uint32_t j = 0; j < burst->caplens[i]; j++)
		fprintf(stderr, " %02x", burst->pkts[i][j]);
	fprintf(stderr, "\n");
	exit(1);
}

static void fill(struct gen *g, struct burst *burst)
{
	uint8_t pkt[GEN_MAX_LEN];

	for (uint32_t i = 0; i < BURST; i++) {
		const uint32_t n = gen_packet(g, pkt);
		uint8_t *at = burst->guards[i].end - n;

		memcpy(at, pkt, n);
		burst->pkts[i] = at;
		burst->caplens[i] = n;
		burst->lens[i] = gen_below(g, 3) == 0 ? n + gen_below(g, 1500) : n;
	}
}

static void check_burst(struct burst *burst, const char *who, uint64_t seed)
{
	for (uint32_t i = 0; i < BURST; i++) {
		if (burst->results[i] != burst->expected[i])
			differ(burst, i, who, burst->results[i], seed);
	}
}

struct eval_ctx {
	struct burst *burst;
	uint64_t seed;
};

static void eval_after_pass(void *ctx, const char *name, const struct ir *ir)
{
	struct eval_ctx *c = ctx;

	for (uint32_t i = 0; i < BURST; i++) {
		uint32_t result = 0;
		int rc = ir_eval(
			ir, c->burst->pkts[i], c->burst->lens[i], c->burst->caplens[i], &result);

		if (rc < 0) {
			fprintf(stderr, "unsafe after %s (%d):\n", name, rc);
			ir_print(ir, stderr);
		}
		if (rc < 0 || result != c->burst->expected[i])
			differ(c->burst, i, name, result, c->seed);
	}
}

/* The program as it is after each pass, then code made with only the passes of the mask. */
static void check_passes(struct gen *g, struct burst *burst, uint64_t seed)
{
	const uint32_t mask = (uint32_t)gen_next(g);
	struct eval_ctx ctx = {.burst = burst, .seed = seed};
	const struct ir_watch watch = {.seen = eval_after_pass, .ctx = &ctx};
	struct ir ir;
	struct generated made;
	struct code code;
	char who[48];
	int rc;

	ir_init(&ir, NULL);
	if (ir_build(&ir, program, n_program, NULL, gen_below(g, 4) != 0) < 0 ||
		ir_optimise(&ir, 0, ir_n_passes, IR_ALL_PASSES, &watch) < 0)
		abort();
	ir_fini(&ir);
	rc = filter_generate(&made, program, n_program, NULL, mask, NULL);
	/* Not folded, the base of a check and that of a load may be one value in two shapes. */
	if (rc == -EFAULT && (mask & 1) == 0)
		return;
	if (rc < 0 || code_map(&code, made.x.code, made.x.len) < 0)
		abort();
	x86_fini(&made.x);
	for (unsigned int form = 0; form < made.n_forms; form++) {
		npf_burst_fn *fn = (npf_burst_fn *)((uint8_t *)code.at + made.start[form]);

		fn(burst->pkts, burst->caplens, burst->results, burst->lens, BURST);
		snprintf(who, sizeof(who), "form %u with passes 0x%x", form,
			mask & ((1u << ir_n_passes) - 1));
		check_burst(burst, who, seed);
	}
	code_unmap(&code);
}

/* Native code: each form, and now and then a burst of a trial of both. */
static void check_forms(struct npf_filter *f, struct burst *burst, struct gen *g, uint64_t seed)
{
	for (unsigned int form = 0; form <= f->n_forms; form++) {
		if (form == f->n_forms && (form < 2 || seed % 8 != 0))
			return;
		memset(burst->results, 0xee, sizeof(burst->results));
		if (form < f->n_forms)
			f->form[form](
				burst->pkts, burst->caplens, burst->results, burst->lens, BURST);
		else
			adapt_run(
				f, burst->pkts, burst->lens, burst->caplens, BURST, burst->results);
		if (memcmp(burst->results, burst->expected, sizeof(burst->results)) != 0) {
			struct burst saved = *burst;

			/* Is it a pass? Else it is the code that was made of it. */
			for (unsigned int i = 0; i < 8; i++)
				check_passes(g, burst, seed);
			*burst = saved;
			check_burst(burst, form == 0 ? "flat code" : "native code", seed);
		}
	}
}

int main(int argc, char **argv)
{
	const uint64_t pairs = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static struct burst burst;
	uint64_t done = 0;
	uint64_t seed = first;
	uint64_t accepted = 0;

	for (uint32_t i = 0; i < BURST; i++) {
		if (gen_guard_init(&burst.guards[i], GEN_MAX_LEN) < 0)
			return 99;
	}
	for (; done < pairs; seed++) {
		const struct npf_filter_opts opts = {.backend = NPF_BACKEND_SCALAR};
		struct npf_bpf_insn insns[GEN_MAX_INSNS];
		struct npf_filter *f = NULL;
		struct gen g;

		gen_init(&g, seed);
		n_program = gen_program(&g, insns);
		program = insns;
		if (npf_filter_compile(insns, n_program, &opts, &f, NULL) < 0) {
			fprintf(stderr, "program %llu does not compile\n",
				(unsigned long long)seed);
			print_program();
			return 1;
		}
		for (unsigned int round = 0; round < 4; round++) {
			fill(&g, &burst);
			for (uint32_t i = 0; i < BURST; i++) {
				uint32_t got = npf_bpf_interpret(insns, burst.pkts[i],
					burst.lens[i], burst.caplens[i], NULL);

				burst.expected[i] = bpf_filter((const struct bpf_insn *)insns,
					burst.pkts[i], burst.lens[i], burst.caplens[i]);
				accepted += burst.expected[i] != 0;
				if (got != burst.expected[i])
					differ(&burst, i, "the interpreter", got, seed);
			}
			check_forms(f, &burst, &g, seed);
			done += BURST;
			if (round == 0 && seed % 16 == 0)
				check_passes(&g, &burst, seed);
		}
		npf_filter_free(f);
	}
	printf("%llu programs, %llu pairs, %llu %% accepted: no difference\n",
		(unsigned long long)(seed - first), (unsigned long long)done,
		(unsigned long long)(accepted * 100 / done));
	for (uint32_t i = 0; i < BURST; i++)
		gen_guard_fini(&burst.guards[i]);
	return 0;
}
