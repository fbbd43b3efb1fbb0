/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c - a filter from its program to something that runs: verify, choose a back end, compile.
 *
 * A filter keeps a copy of its program and of the ancillary values, so nothing that the caller
 * owns is looked at after npf_filter_compile(). It never changes afterwards.
 *
 * AUTO falls back to the interpreter when the system grants no executable memory; a back end that
 * was asked for by name does not fall back.
 */
#include "jit/filter.h"
#include "jit/emit.h"

#include <string.h>

/* A program needs about as many steps as instructions; many more means that sharing went wrong. */
#define SHARED_STEPS(n)   (8 * (n) + 4096)
#define UNSHARED_STEPS(n) (16 * (n) + 4096)

static const char *const backend_names[] = {
	[NPF_BACKEND_AUTO] = "auto",
	[NPF_BACKEND_INTERP] = "interp",
	[NPF_BACKEND_SCALAR] = "scalar",
	[NPF_BACKEND_AVX2] = "avx2",
	[NPF_BACKEND_AVX512] = "avx512",
};

const char *npf_backend_name(enum npf_backend b)
{
	return (size_t)b < NPF_ARRAY_LEN(backend_names) ? backend_names[b] : "unknown";
}

int npf_backend_from_env(enum npf_backend *b)
{
	const char *name = getenv("NPF_JIT");

	if (name == NULL || *name == '\0')
		name = "auto";
	for (size_t i = 0; i < NPF_ARRAY_LEN(backend_names); i++) {
		if (strcmp(name, backend_names[i]) == 0) {
			*b = (enum npf_backend)i;
			return 0;
		}
	}
	return -EINVAL;
}

int filter_generate(struct x86 *x, const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux, uint32_t passes, size_t *n_codep,
	void (*seen)(void *ctx, const char *name, const struct ir *ir), void *ctx)
{
	int rc = -E2BIG;

	for (int share = 1; share >= 0 && rc == -E2BIG; share--) {
		struct ir ir;

		ir_init(&ir, false);
		x86_init(x);
		rc = ir_optimise(&ir, insns, n_insns, aux, share != 0, passes, seen, ctx);
		if (rc == 0)
			rc = emit_filter(x, &ir,
				share != 0 ? SHARED_STEPS(n_insns) : UNSHARED_STEPS(n_insns),
				n_codep);
		ir_fini(&ir);
		if (rc < 0)
			x86_fini(x);
	}
	return rc;
}

#ifdef __x86_64__
static int compile_scalar(struct npf_filter *f)
{
	struct x86 x;
	int rc = filter_generate(&x, f->insns, f->n_insns, f->has_aux ? &f->aux : NULL,
		IR_ALL_PASSES, &f->n_code, NULL, NULL);

	if (rc < 0)
		return rc;
	f->n_table = x.len - f->n_code;
	rc = code_map(&f->code, x.code, x.len);
	x86_fini(&x);
	if (rc == 0) {
		f->burst = (npf_burst_fn *)f->code.at;
		f->backend = NPF_BACKEND_SCALAR;
		f->debug = debug_announce(&f->code, f->n_code);
	}
	return rc;
}
#else
static int compile_scalar(struct npf_filter *f)
{
	(void)f;
	return -ENOTSUP;
}
#endif

int npf_filter_compile(const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_filter_opts *opts, struct npf_filter **fp, struct npf_bpf_error *err)
{
	enum npf_backend backend = opts != NULL ? opts->backend : NPF_BACKEND_AUTO;
	struct npf_filter *f;
	int rc;

	if (backend > NPF_BACKEND_SCALAR)
		return -ENOTSUP;
	rc = npf_bpf_verify(insns, n_insns, err);
	if (rc < 0)
		return rc;
	f = malloc(sizeof(*f) + n_insns * sizeof(*insns));
	if (f == NULL)
		return -ENOMEM;
	*f = (struct npf_filter){
		.backend = NPF_BACKEND_INTERP,
		.has_aux = opts != NULL && opts->aux != NULL,
		.n_insns = n_insns,
	};
	if (f->has_aux)
		f->aux = *opts->aux;
	memcpy(f->insns, insns, n_insns * sizeof(*insns));
	if (backend != NPF_BACKEND_INTERP) {
		rc = compile_scalar(f);
		if (rc < 0 && backend == NPF_BACKEND_SCALAR) {
			free(f);
			return rc == -ENOMEM ? rc : -ENOTSUP;
		}
	}
	*fp = f;
	return 0;
}

struct npf_filter *npf_filter_free(struct npf_filter *f)
{
	if (f != NULL) {
		debug_withdraw(f->debug);
		code_unmap(&f->code);
	}
	free(f);
	return NULL;
}

enum npf_backend npf_filter_backend(const struct npf_filter *f)
{
	return f->backend;
}

uint32_t npf_filter_run(
	const struct npf_filter *f, const uint8_t *pkt, uint32_t len, uint32_t caplen)
{
	uint32_t result;

	if (f->burst == NULL)
		return npf_bpf_interpret(f->insns, pkt, len, caplen, f->has_aux ? &f->aux : NULL);
	f->burst(&pkt, &caplen, &result, &len, 1);
	return result;
}

void npf_filter_run_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	if (f->burst != NULL) {
		f->burst(pkts, caplens, results, lens, n);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		results[i] = npf_filter_run(f, pkts[i], lens[i], caplens[i]);
}
