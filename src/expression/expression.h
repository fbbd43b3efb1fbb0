/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * expression.h - classic BPF from what people write: filter expressions ("tcp port 80"), by the
 * genuine libpcap; and set files, long lists of hosts, nets and ports, for which libpcap takes time
 * quadratic in their length: minutes for thousands. npf_filter_compile() verifies either program
 * like any other.
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

/*
 * npf_expression_compile_set - the program that accepts what any of the items describes.
 * @text, @len: lines, each one item; `#` begins a comment:
 *                10.0.0.1   2001:db8::1          a host, sender or receiver, in ARP and RARP too
 *                10.0.0.0/8   2001:db8::/32      a net
 *                port 80   port 1000-2000        TCP, UDP or SCTP, source or destination
 * @keep: bytes to keep of an accepted packet, the program's result
 * @insnsp: the program, to be freed by the caller
 *
 * The packets are Ethernet without tags. Each item means what `host`, `net` and `port` mean to
 * pcap_compile(). IPv4 hosts, nets of one size and single ports cost one lookup each however many
 * there are; IPv6 addresses and port ranges are compared one by one.
 *
 * Return: 0; -EINVAL with err->pc the line's number (from 1) and err->reason; -ENOMEM.
 */
int npf_expression_compile_set(const char *text, size_t len, uint32_t keep,
	struct npf_bpf_insn **insnsp, uint32_t *n_insnsp, struct npf_bpf_error *err);

#endif
