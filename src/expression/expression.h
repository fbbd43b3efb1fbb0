/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * expression.h - filter expressions ("tcp port 80") compiled to classic BPF, by the genuine
 * libpcap. npf_filter_compile() verifies the program like any other.
 */
#ifndef NPF_EXPRESSION_EXPRESSION_H
#define NPF_EXPRESSION_EXPRESSION_H

#include "base/error.h"
#include "jit/bpf.h"

struct npf_expression {
	const char *text;
	int linktype; /* DLT_* of libpcap */
	uint32_t snaplen;
	bool is_plain; /* not optimised */
};

/*
 * npf_expression_compile - make the program of an expression.
 * Return: 0; a blank text, or NULL, accepts all: *insnsp is NULL and *np 0 then. -EINVAL: libpcap
 *         does not take it; -ENOMEM.
 * Owns:   *insnsp is the caller's, free().
 * Context: any thread but those of the datapath. Trusted text only: the parser is not ours.
 */
int npf_expression_compile(const struct npf_expression *x, struct npf_bpf_insn **insnsp,
	uint32_t *np, struct npf_error *err);

#endif
