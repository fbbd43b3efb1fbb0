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
#include "jit/opcode.h"

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
 * npf_bpf_verify - the trust boundary: can this program be run on any packet?
 *
 * Opcodes are known; each jump goes forward and inside the program; M[k] is within NPF_BPF_MEMWORDS
 * and written on every path before it is read; no division or modulo by constant zero; constant
 * shifts are below 32; the last instruction is RET.
 *
 * Return: 0, or -EINVAL with *err filled (err may be NULL).
 */
int npf_bpf_verify(const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_bpf_error *err);

/*
 * Loose programs: those that libpcap runs itself, since no kernel accepts them. They jump backward
 * (`ip6 protochain 17`), read scratch memory that they may not have written, or shift by a constant
 * of 32 or more. npf_bpf_verify() refuses them. Their meaning is that of libpcap's bpf_filter()
 * where that is defined. Scratch memory that was not written reads as 0 (in bpf_filter(): what the
 * stack held). Of a constant shift the low five bits count (in bpf_filter(): what the CPU does,
 * which is the same on x86-64 and AArch64).
 */
enum npf_bpf_loose {
	NPF_BPF_LOOPS = 1,   /* jumps backward: may run for ever */
	NPF_BPF_SCRATCH = 2, /* reads scratch memory that is not written on every path */
	NPF_BPF_SHIFTS = 4,  /* shifts by a constant of 32 or more */
};

/* Where a loose program must not hang, it may take one step for each of its instructions and this
 * many more on one packet: as many as Linux's longest program has instructions. */
#define NPF_BPF_MAXSTEPS 4096u

/*
 * npf_bpf_verify_loose - can bpf_filter() run this program, though perhaps for ever?
 * Demands what npf_bpf_verify() does, except what a loose program may do.
 * Return: 0: npf_bpf_verify() accepts it, too; a mask of enum npf_bpf_loose, with the first such
 *         place in *why (which may be NULL); -EINVAL with *why filled; -ENOMEM.
 */
int npf_bpf_verify_loose(
	const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_bpf_error *why);

/*
 * npf_bpf_tighten - make a program for npf_bpf_verify() of one that npf_bpf_verify_loose() accepts.
 * The new program rejects no packet that the loose one accepts.
 *
 * Its result is that of the loose program, unless it is UINT32_MAX: there the loose program may
 * have jumped backward, and has to be run for the result. Without NPF_BPF_LOOPS the results are
 * always the same.
 * @outp: allocated, the caller's to free
 * Return: 0 or -ENOMEM.
 */
int npf_bpf_tighten(const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_bpf_insn **outp,
	uint32_t *n_outp);

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

/*
 * npf_bpf_interpret_loose - run a program that npf_bpf_verify_loose() accepts.
 * @max_steps: reject the packet after so many instructions; 0: no limit, and a program may loop for
 *             ever
 */
uint32_t npf_bpf_interpret_loose(const struct npf_bpf_insn *insns, const uint8_t *pkt, uint32_t len,
	uint32_t caplen, const struct npf_bpf_aux *aux, uint32_t max_steps);

enum npf_backend {
	NPF_BACKEND_AUTO, /* the best for this CPU and this filter */
	NPF_BACKEND_INTERP,
	NPF_BACKEND_SCALAR,
	NPF_N_BACKENDS,
};

/* The back end of that name. Return: 0 or -EINVAL. */
int npf_backend_find(const char *name, enum npf_backend *b);
/* The one that NPF_JIT in the environment names, else AUTO. Return: 0 or -EINVAL. */
int npf_backend_from_env(enum npf_backend *b);
const char *npf_backend_name(enum npf_backend b);

struct npf_filter_opts {
	enum npf_backend backend;      /* -ENOTSUP from compile when this CPU does not have it */
	const struct npf_bpf_aux *aux; /* or NULL */
	bool loose; /* accept loose programs; their steps are bounded, and beyond the bound they
		       reject */
};

/* A filter ready to run. Immutable: any number of threads may run it at once. */
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

/*
 * Was native code made and dropped, since it could not be shown to stay within the packet and its
 * tables? The interpreter runs the filter then. This means a fault of the compiler: report it.
 */
bool npf_filter_is_unproven(const struct npf_filter *f);

/* Is its program a loose one? */
bool npf_filter_is_loose(const struct npf_filter *f);

/* A number that no other filter of this process has or had. */
uint64_t npf_filter_serial(const struct npf_filter *f);

/*
 * npf_filter_program - what it was compiled of; of a loose one, the part without loops.
 * @auxp:  NULL, where it was compiled without
 * Return: number of instructions. Lifetime: the filter's.
 */
uint32_t npf_filter_program(const struct npf_filter *f, const struct npf_bpf_insn **insnsp,
	const struct npf_bpf_aux **auxp);

/* Bytes to keep of one packet, not yet limited to its length; 0 = reject. */
uint32_t npf_filter_run(
	const struct npf_filter *f, const uint8_t *pkt, uint32_t len, uint32_t caplen);

/*
 * npf_filter_run_burst - the same for a burst.
 * No byte beyond pkts[i][caplens[i] - 1] is read.
 */
void npf_filter_run_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results);

/*
 * npf_filter_screen, npf_filter_screen_burst - the part of a loose filter that runs without loops,
 * where the reader of the packets runs the whole filter. Result: 0: rejected; UINT32_MAX: the
 * reader has to decide. Of other filters the result is that of npf_filter_run().
 */
uint32_t npf_filter_screen(
	const struct npf_filter *f, const uint8_t *pkt, uint32_t len, uint32_t caplen);
void npf_filter_screen_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results);

#endif
