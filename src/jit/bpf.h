/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bpf.h - the door of the filter machine: classic BPF, verified, then run.
 *
 * The result of a filter is the number of bytes to keep, 0 to reject. The semantics are those of
 * libpcap's bpf_filter() on every input; npf_bpf_interpret() is the oracle for every back end.
 */
#ifndef NPF_JIT_BPF_H
#define NPF_JIT_BPF_H

#include "base/base.h"

#define NPF_BPF_MAXINSNS 65536u /* longest program accepted, instructions */
#define NPF_BPF_MEMWORDS 16

/* One instruction; the same layout as struct bpf_insn of libpcap. */
struct npf_bpf_insn {
	uint16_t code;
	uint8_t jt;
	uint8_t jf;
	uint32_t k;
};

struct npf_bpf_error {
	uint32_t pc;      /* instruction at fault */
	char reason[124]; /* what is wrong with it, for people */
};

/*
 * npf_bpf_verify - the trust boundary: is this a program that can be run on anything?
 *
 * Known opcodes only; every jump forward and inside; M[k] within NPF_BPF_MEMWORDS and written on
 * every path before it is read; no division or modulo by constant zero; shifts by constants below
 * 32; ends in RET.
 *
 * Return: 0, or -EINVAL with *err filled (err may be NULL).
 */
int npf_bpf_verify(const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_bpf_error *err);

/*
 * What Linux's ancillary loads (offsets from 0xfffff000, SKF_AD_OFF) mean for the packets that a
 * filter is compiled for: libpcap 1.10 compiles `inbound`, `outbound` and `ifindex N` to them.
 */
struct npf_bpf_aux {
	uint32_t pkttype; /* SKF_AD_PKTTYPE: 0 received, 4 (PACKET_OUTGOING) sent */
	uint32_t ifindex; /* SKF_AD_IFINDEX */
};

/*
 * npf_bpf_interpret - run a verified program on one packet.
 * @len:    bytes that the packet had on the wire (BPF_LEN)
 * @caplen: bytes at pkt; a load that reaches beyond them rejects the packet
 * @aux:    or NULL: ancillary loads are then out of range, as in libpcap's bpf_filter()
 */
uint32_t npf_bpf_interpret(const struct npf_bpf_insn *insns, const uint8_t *pkt, uint32_t len,
	uint32_t caplen, const struct npf_bpf_aux *aux);

enum npf_backend {
	NPF_BACKEND_AUTO, /* the best that this CPU and this filter allow */
	NPF_BACKEND_INTERP,
	NPF_BACKEND_SCALAR,
	NPF_BACKEND_AVX2,
	NPF_BACKEND_AVX512,
};

/* NPF_JIT in the environment, else AUTO; -EINVAL for an unknown name. */
int npf_backend_from_env(enum npf_backend *b);
const char *npf_backend_name(enum npf_backend b);

struct npf_filter_opts {
	enum npf_backend backend;      /* -ENOTSUP from compile when this one is not there */
	const struct npf_bpf_aux *aux; /* or NULL */
};

/* A filter ready to run. Immutable: any number of threads may run one at once. */
struct npf_filter;

/*
 * npf_filter_compile - verify, optimise and compile. The instructions are copied.
 * @opts: NULL: AUTO, no aux
 * Return: 0; -EINVAL: not a valid program (*err says where); -ENOTSUP: no such back end here;
 * -ENOMEM.
 */
int npf_filter_compile(const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_filter_opts *opts, struct npf_filter **fp, struct npf_bpf_error *err);
struct npf_filter *npf_filter_free(struct npf_filter *f); /* NULL is fine; returns NULL */

enum npf_backend npf_filter_backend(const struct npf_filter *f);

/* Bytes to keep of one packet, not yet limited to its length; 0 = reject. */
uint32_t npf_filter_run(
	const struct npf_filter *f, const uint8_t *pkt, uint32_t len, uint32_t caplen);

/*
 * npf_filter_run_burst - the same for a burst.
 * No byte beyond pkts[i][caplens[i] - 1] is read.
 */
void npf_filter_run_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results);

#endif
