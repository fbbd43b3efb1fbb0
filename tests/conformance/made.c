/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * made.c - compiling without sharing goes past filter.c, which does that only for programs that are
 * too dear otherwise; the rest is filter.c's own.
 */
#include "conformance/made.h"

#include "jit/inspect/inspect.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static sigjmp_buf crashed;

static void on_crash(int sig)
{
	siglongjmp(crashed, sig);
}

int made_catch_crashes(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	const struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};

	for (size_t i = 0; i < NPF_ARRAY_LEN(signals); i++) {
		if (sigaction(signals[i], &action, NULL) < 0)
			return -1;
	}
	return 0;
}

static int unshared(
	struct generated *g, const struct npf_bpf_insn *insns, uint32_t n, uint32_t mask)
{
	struct emit_tables tables = {0};
	struct ir ir;
	int rc;

	*g = (struct generated){.n_forms = FORM_MAX};
	ir_init(&ir, NULL);
	x86_init(&g->x);
	rc = ir_build(&ir, insns, n, NULL, false);
	if (rc == 0)
		rc = ir_optimise(&ir, 0, ir_flatten_at, mask, NULL);
	if (rc == 0)
		rc = emit_function(&g->x, &ir, UINT32_MAX, &tables, &g->start[FORM_BRANCHING]);
	if (rc == 0)
		rc = ir_optimise(&ir, ir_flatten_at, ir_n_passes, mask, NULL);
	if (rc == 0)
		rc = emit_function(&g->x, &ir, UINT32_MAX, &tables, &g->start[FORM_FLAT]);
	if (rc == 0)
		rc = emit_tables_finish(&g->x, &tables);
	emit_tables_fini(&tables);
	ir_fini(&ir);
	if (rc < 0)
		x86_fini(&g->x);
	return rc;
}

int made_init(struct made *m, const struct npf_bpf_insn *insns, uint32_t n, uint32_t variant)
{
	struct generated g;
	int rc;

	*m = (struct made){.variant = variant};
	if (variant == 0) {
		rc = npf_filter_compile(insns, n, NULL, &m->filter, NULL);
		if (rc < 0)
			return rc;
		if (npf_filter_is_unproven(m->filter)) {
			made_fini(m);
			return -EFAULT;
		}
		m->n_forms = m->filter->n_forms;
		memcpy(m->form, m->filter->form, sizeof(m->form));
		return 0;
	}
	if (variant & MADE_UNSHARED)
		rc = unshared(&g, insns, n, variant & MADE_MASK);
	else
		rc = filter_generate(&g, insns, n, NULL, variant & MADE_MASK, NULL);
	/* Not folded, the base of a check and that of a load may be one value in two shapes. */
	if (rc == -EFAULT && (variant & 1) == 0)
		return 0;
	if (rc < 0)
		return rc;
	rc = code_map(&m->code, g.x.code, g.x.len);
	m->n_forms = g.n_forms;
	for (unsigned int i = 0; rc == 0 && i < g.n_forms; i++)
		m->form[i] = (npf_burst_fn *)((uint8_t *)m->code.at + g.start[i]);
	x86_fini(&g.x);
	return rc;
}

void made_fini(struct made *m)
{
	npf_filter_free(m->filter);
	code_unmap(&m->code);
	*m = (struct made){0};
}

bool made_run(const struct made *m, const struct made_burst *b, struct made_fault *fault)
{
	static const char *const names[2][FORM_MAX] = {
		{"flat code", "branching code"}, {"flat code, variant", "branching code, variant"}};
	uint32_t results[32];
	volatile unsigned int form = 0;

	*fault = (struct made_fault){0};
	for (; form < m->n_forms; form++) {
		const int sig = sigsetjmp(crashed, 0);

		fault->who = names[m->variant != 0][form];
		fault->signal = sig;
		if (sig != 0)
			return false;
		memset(results, 0xee, sizeof(results));
		m->form[form](b->pkts, b->caplens, results, b->lens, b->n);
		for (uint32_t i = 0; i < b->n; i++) {
			fault->packet = i;
			fault->got = results[i];
			if (results[i] != b->expected[i])
				return false;
		}
	}
	return true;
}

struct evaluation {
	const struct made_burst *b;
	struct made_fault *fault;
	bool is_wrong;
};

static void after_pass(void *ctx, const char *name, const struct ir *ir)
{
	struct evaluation *e = ctx;

	for (uint32_t i = 0; i < e->b->n && !e->is_wrong; i++) {
		int rc =
			ir_eval(ir, e->b->pkts[i], e->b->lens[i], e->b->caplens[i], &e->fault->got);

		e->is_wrong = rc < 0 || e->fault->got != e->b->expected[i];
		e->fault->packet = i;
		e->fault->who = name;
		if (rc < 0)
			fprintf(stderr, "after %s a value is computed that must not be:\n", name);
	}
}

bool made_evaluate(const struct npf_bpf_insn *insns, uint32_t n, const struct made_burst *b,
	struct made_fault *fault)
{
	struct evaluation e = {.b = b, .fault = fault};
	const struct ir_watch watch = {.seen = after_pass, .ctx = &e};

	*fault = (struct made_fault){0};
	for (int share = 0; share < 2 && !e.is_wrong; share++) {
		struct ir ir;

		ir_init(&ir, NULL);
		if (ir_build(&ir, insns, n, NULL, share != 0) < 0 ||
			ir_optimise(&ir, 0, ir_n_passes, IR_ALL_PASSES, &watch) < 0)
			abort();
		ir_fini(&ir);
	}
	return !e.is_wrong;
}
