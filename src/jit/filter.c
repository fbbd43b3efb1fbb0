/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c - a filter from its program to something that runs: verify, choose a back end, compile.
 *
 * A filter keeps a copy of its program and of the ancillary values, so nothing that the caller
 * owns is looked at after npf_filter_compile(). It never changes afterwards.
 */
#include "jit/bpf.h"

#include <string.h>

struct npf_filter {
	enum npf_backend backend;
	bool has_aux;
	struct npf_bpf_aux aux;
	uint32_t n_insns;
	struct npf_bpf_insn insns[];
};

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

int npf_filter_compile(const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_filter_opts *opts, struct npf_filter **fp, struct npf_bpf_error *err)
{
	enum npf_backend backend = opts != NULL ? opts->backend : NPF_BACKEND_AUTO;
	struct npf_filter *f;
	int rc;

	if (backend != NPF_BACKEND_AUTO && backend != NPF_BACKEND_INTERP)
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
	*fp = f;
	return 0;
}

struct npf_filter *npf_filter_free(struct npf_filter *f)
{
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
	return npf_bpf_interpret(f->insns, pkt, len, caplen, f->has_aux ? &f->aux : NULL);
}

void npf_filter_run_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	for (uint32_t i = 0; i < n; i++)
		results[i] = npf_filter_run(f, pkts[i], lens[i], caplens[i]);
}
