/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npf-filter.h - what the parts of the filter workbench share.
 *
 * input.c brings the program, show.c explains it, run.c applies it to a savefile, bench.c times it;
 * clients.c does all that for the filters of many clients.
 * Each returns an exit code, with the error printed to stderr.
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
	const char *clients_file;
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

/* The filter as classic BPF. */
struct program {
	struct npf_bpf_insn *insns; /* owned by main */
	uint32_t n;
	const struct npf_bpf_aux *aux; /* NULL: no ancillary values */
};

struct packets {
	const uint8_t *const *pkts; /* n, as lens and caplens */
	const uint32_t *lens, *caplens;
	uint32_t n;
};

#define MAX_CONTENDERS 4

/* One filter by each back end that is to be used. */
struct contender {
	const char *name;          /* for people */
	struct npf_filter *filter; /* NULL: libpcap's bpf_filter() */
};

struct contenders {
	struct contender list[MAX_CONTENDERS]; /* the first is what the others are compared with */
	unsigned int n;
};

__attribute__((format(printf, 1, 2))) int print_error(
	const char *fmt, ...); /* returns EXIT_USAGE */

/* ---- input.c ---- */
int input_program(const struct options *o, struct program *prog);
/* The whole of a file, with a zero behind it, to be freed; - is standard input. */
int input_file(const char *name, char **textp, size_t *lenp);
/* Opens the savefile; its link type becomes the options'. */
int input_savefile(struct options *o, pcap_t **pp);

/* ---- show.c ---- */
int show_program(const struct options *o, const struct program *prog, FILE *out);

/* ---- run.c ---- */
int contenders_open(const struct options *o, const struct program *prog, struct contenders *c);
void contenders_close(struct contenders *c);
void contender_run(const struct contender *c, const struct program *prog, const struct packets *p,
	uint32_t *results);
int run_savefile(
	const struct options *o, pcap_t *p, const struct program *prog, const struct contenders *c);

/* ---- bench.c ---- */
struct mix;
/* The packets of the savefile, repeated; mix_fini() also where this fails. */
int read_packets(const struct options *o, pcap_t *p, struct mix *m);
int bench(
	const struct options *o, pcap_t *p, const struct program *prog, const struct contenders *c);

/* ---- clients.c ---- */
int clients(const struct options *o, pcap_t *p);

#endif
