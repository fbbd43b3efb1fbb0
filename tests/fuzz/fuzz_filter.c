/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any program on any packet: refused by the verifier, or the same result from libpcap's
 * bpf_filter(), the interpreter, the intermediate program after every pass, and both forms of
 * native code.
 *
 * A program that only libpcap runs: what can be said without its loops rejects nothing that it
 * accepts, and the filter made of it gives what the interpreter gives.
 *
 * Input: the number of instructions (one byte), the instructions as they lie in memory, and the
 * packet, which is put in front of an unreadable page.
 */
#include "jit/inspect/inspect.h"
#include "jit/filter.h"
#include "conformance/gen.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct packet {
	const uint8_t *pkt;
	uint32_t len, caplen, expected;
};

static void differ(const char *who, uint32_t got, const struct packet *p)
{
	fprintf(stderr, "%s gives %u instead of %u\n", who, got, p->expected);
	abort();
}

static void eval(void *ctx, const char *name, const struct ir *ir)
{
	const struct packet *p = ctx;
	uint32_t result = 0;
	int rc = ir_eval(ir, p->pkt, p->len, p->caplen, &result);

	if (rc == -ENOMEM)
		return;
	if (rc < 0)
		fprintf(stderr, "unsafe: ");
	if (rc < 0 || result != p->expected)
		differ(name, result, p);
}

static void try_loose(const struct npf_bpf_insn *insns, uint32_t n, struct packet *p)
{
	const struct npf_filter_opts opts = {.loose = true};
	struct npf_filter *f;
	uint32_t result, screened;

	if (npf_filter_compile(insns, n, &opts, &f, NULL) < 0)
		return;
	if (npf_filter_is_unproven(f))
		abort();
	p->expected = npf_bpf_interpret_loose(
		insns, p->pkt, p->len, p->caplen, NULL, n + NPF_BPF_MAXSTEPS);
	screened = npf_filter_screen(f, p->pkt, p->len, p->caplen);
	result = npf_filter_run(f, p->pkt, p->len, p->caplen);
	if (screened != UINT32_MAX && screened != p->expected)
		differ("the screen", screened, p);
	if (result != p->expected)
		differ("the loose filter", result, p);
	npf_filter_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gen_guard guard;
	struct npf_bpf_insn insns[255];
	const struct ir_watch watch = {.seen = eval, .ctx = &(struct packet){0}};
	struct packet *p = watch.ctx;
	struct npf_bpf_error err;
	struct npf_filter *f = NULL;
	struct generated made;
	uint32_t n, result;
	uint8_t *at;
	int how, rc;

	if (size < 1 || size < 1 + 8 * (size_t)data[0] || size > 8192)
		return 0;
	n = data[0];
	memcpy(insns, data + 1, 8 * (size_t)n);
	how = npf_bpf_verify_loose(insns, n, &err);
	if (how != 0 && (err.pc > n || strlen(err.reason) == 0))
		abort();
	if (how < 0)
		return 0;
	if (guard.end == NULL && gen_guard_init(&guard, 8192) < 0)
		return 0;
	p->caplen = (uint32_t)(size - 1 - 8 * (size_t)n);
	p->len = p->caplen + (n & 1 ? 100 : 0);
	at = guard.end - p->caplen;
	memcpy(at, data + 1 + 8 * (size_t)n, p->caplen);
	p->pkt = at;
	if (how > 0) {
		try_loose(insns, n, p);
		return 0;
	}
	p->expected = bpf_filter((const struct bpf_insn *)insns, at, p->len, p->caplen);
	result = npf_bpf_interpret(insns, at, p->len, p->caplen, NULL);
	if (result != p->expected)
		differ("the interpreter", result, p);
	rc = filter_generate(&made, insns, n, NULL, IR_ALL_PASSES, &watch);
	if (rc == -EFAULT)
		abort();
	if (rc < 0)
		return 0;
	x86_fini(&made.x);
	if (npf_filter_compile(insns, n, NULL, &f, NULL) < 0)
		return 0;
	for (unsigned int form = 0; form < f->n_forms; form++) {
		f->form[form](&p->pkt, &p->caplen, &result, &p->len, 1);
		if (result != p->expected)
			differ(form == 0 ? "flat code" : "branching code", result, p);
	}
	npf_filter_free(f);
	return 0;
}
