/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.h - the endless sequence of packets of one sender (one tx queue). It comes from a list of
 * templates, each with a weight, its packets in a row; or from a savefile.
 *
 * Several queues share one sequence. Of a single template or a savefile, queue q of n takes packets
 * q, q + n, ...; of several templates every n-th cycle, so that the order within a cycle is kept.
 */
#ifndef NPF_TXGEN_PROGRAM_SOURCE_H
#define NPF_TXGEN_PROGRAM_SOURCE_H

#include "txgen/program/program.h"
#include "replay/replay.h"

struct npf_txgen_source_conf {
	struct npf_txgen_tmpl *const *tmpls; /* n_tmpls of them; must outlive the source */
	const uint32_t *weights;             /* n_tmpls, or NULL: 1 each */
	unsigned int n_tmpls;
	const struct npf_savefile *savefile; /* in place of templates */
	unsigned int queue;
	unsigned int n_queues;
	uint64_t seed;
	const uint8_t *mac;
	bool sign;
	bool hw_csum;
};

struct npf_txgen_source;

/* Return: 0; -ERANGE, -ENOMEM with a text in err. */
int npf_txgen_source_new(const struct npf_txgen_source_conf *conf, struct npf_txgen_source **sp,
	struct npf_error *err);
struct npf_txgen_source *npf_txgen_source_free(struct npf_txgen_source *s);

/* Longest frame it sends; how many programs it has (0: a savefile). */
uint16_t npf_txgen_source_max_len(const struct npf_txgen_source *s);
unsigned int npf_txgen_source_n_progs(const struct npf_txgen_source *s);
struct npf_txgen_prog *npf_txgen_source_prog(struct npf_txgen_source *s, unsigned int i);

/*
 * npf_txgen_source_take - templates: which program makes the next packets, and how many in a row.
 * @max:   most that are wanted
 * @progp: set to the program's index
 * Return: how many (>= 1); the caller runs the program for exactly so many.
 */
unsigned int npf_txgen_source_take(
	struct npf_txgen_source *s, unsigned int max, unsigned int *progp);

/*
 * npf_txgen_source_saved - savefile: the next packet.
 * @offset_ns: when it is due by the file's stamps, since the first packet of the first round; after
 *             the last packet a round lasts one mean gap more. Never decreases.
 */
const struct npf_saved *npf_txgen_source_saved(struct npf_txgen_source *s, uint64_t *offset_ns);

#endif
