/* SPDX-License-Identifier: BSD-3-Clause */
/* expression.h - filter expressions of the configuration ("tcp port 80"), through the genuine
 * libpcap's compiler. */
#ifndef NPF_ENGINE_CONFIG_EXPRESSION_H
#define NPF_ENGINE_CONFIG_EXPRESSION_H

#include "jit/bpf.h"

/*
 * npf_expression_compile - for packets of a link type (DLT_* of libpcap), optimised.
 * @text: "" or NULL: accept all; then *insnsp is NULL and *n_insnsp 0
 * Return: 0, or -EINVAL with libpcap's words in err.
 * Owns:   *insnsp is the caller's to free().
 * Context: control thread, npfctl; not the datapath. Trusted text only: this parser is not ours.
 */
int npf_expression_compile(const char *text, int linktype, uint32_t snaplen,
	struct npf_bpf_insn **insnsp, uint32_t *n_insnsp, char *err, size_t err_len);

#endif
