/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npf-filter.h - what the parts of the filter workbench share.
 *
 * input.c brings the program, show.c explains it, run.c applies it to a savefile, bench.c times it.
 * Each returns an exit code: what went wrong has been said on stderr then.
 */
#ifndef NPF_NPF_FILTER_NPF_FILTER_H
#define NPF_NPF_FILTER_NPF_FILTER_H

#include "jit/bpf.h"

#include <pcap/pcap.h>

enum {
	EXIT_SAME = 0,   /* done; back ends agree */
	EXIT_DIFFER = 1, /* two back ends gave different results */
	EXIT_USAGE = 2,  /* a wrong option, filter or file, or a back end that is not there */
};

enum stage {
	STAGE_CBPF = 1,
	STAGE_IR = 2,
	STAGE_PASSES = 4,
	STAGE_ASM = 8
};

struct options {
	const char *insns_file;
	const char *set_file;
	const char *savefile;
	char *expr; /* NULL when the program comes from a file */
	int linktype;
	int snaplen;
	unsigned int dump;   /* how many -d */
	unsigned int stages; /* to show */
	bool optimize;
	bool all_backends;
	bool bench;
	bool raw;     /* print results, not bytes kept */
	bool has_aux; /* inbound and outbound mean something: */
	struct npf_bpf_aux aux;
	enum npf_backend backend;
};

/* Run one filter with one back end; name is for people. */
struct contender {
	const char *name;
	struct npf_filter *filter; /* NULL: libpcap's bpf_filter() */
};

#define MAX_CONTENDERS 4

__attribute__((format(printf, 1, 2))) int complain(const char *fmt, ...); /* returns EXIT_USAGE */

/* ---- npf-filter-input.c ---- */
int input_program(const struct options *o, struct npf_bpf_insn **insnsp, uint32_t *np);
/* Opens the savefile; its link type becomes the options'. */
int input_savefile(struct options *o, pcap_t **pp);

/* ---- npf-filter-show.c ---- */
int show_program(const struct options *o, const struct npf_bpf_insn *insns, uint32_t n,
	const struct npf_bpf_aux *aux, FILE *out);

/* ---- npf-filter-run.c ---- */
/* The back ends that the options ask for; the first is what the others are compared with. */
int contenders_open(const struct options *o, const struct npf_bpf_insn *insns, uint32_t n,
	const struct npf_bpf_aux *aux, struct contender *c, unsigned int *np);
void contenders_close(struct contender *c, unsigned int n);
void contender_run(const struct contender *c, const struct npf_bpf_insn *insns,
	const uint8_t *const *pkts, const uint32_t *lens, const uint32_t *caplens, uint32_t n,
	uint32_t *results);
int run_savefile(const struct options *o, pcap_t *p, const struct npf_bpf_insn *insns,
	const struct contender *c, unsigned int n_contenders);

/* ---- npf-filter-bench.c ---- */
int bench(const struct options *o, pcap_t *p, const struct npf_bpf_insn *insns, uint32_t n,
	const struct npf_bpf_aux *aux, const struct contender *c, unsigned int n_contenders);

#endif
