/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * set.h - the door of the filter set: the filters of many clients, answered together for a burst.
 *
 * A filter that runs alone costs its price once more for each client. In a set a field of the
 * packets is read once, a test made once, and what filters have in common decided once, for all
 * packets of the burst at a time: a test gives a plane, which has a bit for each packet, and a
 * filter is logic on planes. Filters that test one field for equality with different constants
 * cost one lookup of that field together.
 *
 * A set has no machine code. It reads packets by loads that are checked one by one against caplen.
 * A filter that does not fit runs alone, by npf_filter_run_burst(), inside npf_filter_set_run().
 */
#ifndef NPF_JIT_SET_SET_H
#define NPF_JIT_SET_SET_H

#include "jit/bpf.h"

#define NPF_FILTER_SET_BURST 32u   /* most packets of a burst: a plane's bits */
#define NPF_FILTER_SET_MAX   1024u /* most members */

struct npf_filter_set_member {
	const struct npf_bpf_insn *insns; /* only read while the set is made; NULL: accepts all */
	uint32_t n_insns;
	const struct npf_bpf_aux *aux; /* or NULL */
	/* Compiled of insns and aux, runs the member where it does not fit. It must live as long
	 * as the set. NULL: whoever has the set runs it; its plane is 0 then. */
	const struct npf_filter *filter;
	bool screens; /* alone it is run by npf_filter_screen_burst() */
};

/* What evaluates a set; the results are the same. */
enum npf_filter_set_kernel {
	NPF_FILTER_SET_AUTO, /* the best for this CPU */
	NPF_FILTER_SET_PLAIN,
	NPF_FILTER_SET_AVX2,
	NPF_FILTER_SET_AVX512,
	NPF_FILTER_SET_N_KERNELS,
};

struct npf_filter_set_opts {
	enum npf_filter_set_kernel kernel;
	bool always; /* take what fits, even where running alone is likely to be faster */
};

/* Immutable: any number of threads may run it at once, each with a scratch of its own. */
struct npf_filter_set;
/* What one thread needs to run one set, the results included. */
struct npf_filter_set_scratch;

/*
 * npf_filter_set_new - compile a set.
 * @opts: or NULL: AUTO
 * Return: 0; -E2BIG: more than NPF_FILTER_SET_MAX members; -EINVAL: a program that is not valid;
 *         -ENOTSUP: this CPU has no such kernel; -ENOMEM.
 * Context: any thread but those of the datapath. The work is bounded, whatever the programs.
 */
int npf_filter_set_new(const struct npf_filter_set_member *members, unsigned int n,
	const struct npf_filter_set_opts *opts, struct npf_filter_set **setp);
struct npf_filter_set *npf_filter_set_free(struct npf_filter_set *set); /* NULL is fine */

/* Return: NULL: out of memory. */
struct npf_filter_set_scratch *npf_filter_set_scratch_new(const struct npf_filter_set *set);
struct npf_filter_set_scratch *npf_filter_set_scratch_free(struct npf_filter_set_scratch *scratch);

/*
 * npf_filter_set_run - which members keep which packets of a burst?
 * @n: packets, NPF_FILTER_SET_BURST at most
 *
 * No byte beyond pkts[i][caplens[i] - 1] is read.
 * Return: by member, a plane: bit i is 1 where the member accepts packet i; bits from n on are 0.
 *         The planes are the scratch's, until its next run.
 */
const uint32_t *npf_filter_set_run(const struct npf_filter_set *set,
	struct npf_filter_set_scratch *scratch, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n);

/* Bytes that a member keeps of each packet that it accepts; not for a member that runs alone. */
uint32_t npf_filter_set_keep(const struct npf_filter_set *set, unsigned int member);

/*
 * npf_filter_set_row - the results of a member that ran alone, by packet of the last burst.
 * Return: NULL: the member fits, and npf_filter_set_keep() is its result; or it has no filter.
 */
const uint32_t *npf_filter_set_row(const struct npf_filter_set *set,
	const struct npf_filter_set_scratch *scratch, unsigned int member);

/* ---- what became of the members, for people and tests ---- */

enum npf_filter_set_fit {
	NPF_FILTER_SET_FITS,
	NPF_FILTER_SET_LOOSE,   /* runs alone: a loose program, */
	NPF_FILTER_SET_LONG,    /* one of very many instructions, */
	NPF_FILTER_SET_RESULTS, /* that accepts with more than one result, */
	NPF_FILTER_SET_MEMORY,  /* whose ways join with different values in one register, */
	NPF_FILTER_SET_DEAR,    /* which has too many tests and loads to pay, */
	NPF_FILTER_SET_FULL,    /* for which the set had no room, */
	NPF_FILTER_SET_FEW,     /* or in a set of too few members to pay */
	NPF_FILTER_SET_N_FITS,
};

/* Why, for people: "fits", or the reason for which it runs alone. */
const char *npf_filter_set_fit_text(enum npf_filter_set_fit fit);
enum npf_filter_set_fit npf_filter_set_fit(const struct npf_filter_set *set, unsigned int member);
/* The first member that has the same program; the member itself where it is the first. */
unsigned int npf_filter_set_same_as(const struct npf_filter_set *set, unsigned int member);
const char *npf_filter_set_kernel_name(enum npf_filter_set_kernel kernel);

/* What a filter that runs alone takes of a burst, roughly: to compare with the estimate below. */
#define NPF_FILTER_SET_ALONE_NS 90u

struct npf_filter_set_facts {
	enum npf_filter_set_kernel kernel;
	unsigned int n_members;
	unsigned int n_different;                  /* programs */
	unsigned int n_fit[NPF_FILTER_SET_N_FITS]; /* of n_different */
	uint32_t n_loads;                          /* fields read from packets, */
	uint32_t n_derived;                        /* and values computed of them */
	uint32_t n_tests;                          /* planes made by comparing, */
	uint32_t n_probes;                         /* by lookups, */
	uint32_t n_probed;                         /* so many by these, */
	uint32_t n_ops;                            /* and by logic */
	uint32_t n_levels;                         /* of logic, */
	uint32_t n_runs;                           /* regular sequences of it, */
	uint32_t n_in_runs;                        /* that have so many of n_ops */
	uint32_t estimate;                         /* ns a burst, roughly */
};

void npf_filter_set_explain(const struct npf_filter_set *set, struct npf_filter_set_facts *facts);

#endif
