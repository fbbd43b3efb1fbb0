/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txgen.h - what the files of npf-txgen share: its settings, as options and the prompt's commands
 * make them.
 */
#ifndef NPF_TXGEN_TXGEN_H
#define NPF_TXGEN_TXGEN_H

#include "txgen/run/txgen.h"

#define TXGEN_FAILED 1 /* exit status: the traffic check did not pass */
#define TXGEN_ERROR  2 /* ... or there was no traffic: wrong usage, no port ... */

enum txgen_output {
	TXGEN_TEXT,
	TXGEN_JSON,
	TXGEN_CSV,
};

/* One --packet, or one stream of a stream file. */
struct txgen_packet {
	char *arg;  /* a template or a file */
	char *size; /* or NULL */
	uint32_t weight;
};

struct txgen {
	struct npf_txgen_port_conf ports;
	struct npf_txgen_run_conf run; /* without templates and savefile: txgen_load() */
	struct npf_txgen_limits limits;

	struct txgen_packet *packets;
	unsigned int n_packets;
	char *size; /* of templates that name none, or NULL */
	char *pcap; /* or NULL */

	struct npf_txgen_tmpl **tmpls; /* loaded */
	uint32_t *weights;
	unsigned int n_tmpls;
	struct npf_savefile *savefile;

	bool interactive;
	bool auto_start;
	bool search;
	double search_loss, search_precision; /* percent */
	bool has_rate;                        /* --rate was given */
	enum txgen_output output;
	char *output_file;
	double period; /* s between live figures; 0: none */
	bool has_period;
	uint64_t linger_ns; /* ports stay up so long after the end, for what is still on its way */

	char *attach; /* a daemon's port to send through, in place of ports of our own */
	char *socket; /* of that daemon, or NULL */

	struct npf_txgen *gen;
};

/*
 * txgen_options - read what stands after "--".
 * Return: 0; 1: help or version was asked for and printed; -EINVAL, with the error printed to
 * stderr.
 */
int txgen_options(struct txgen *tx, int argc, char **argv);
void txgen_usage(FILE *f);
void txgen_fini(struct txgen *tx);

/* One setting by its option's name ("rate", "size" ...). Return: 0 or -EINVAL with a text. */
int txgen_set(struct txgen *tx, const char *name, const char *value, struct npf_error *err);

/* Forget all packets, so that others can be given. */
void txgen_clear_packets(struct txgen *tx);

/* Read templates and files, with sizes; sets run's pointers. Return: 0 or -errno with a text. */
int txgen_load(struct txgen *tx, struct npf_error *err);

/* The longest frame of what is loaded. */
unsigned int txgen_max_len(const struct txgen *tx);

/* The prompt, until quit or the end of input. Returns the exit status. */
int txgen_prompt(struct txgen *tx);

/* Wait for the end of the run, showing figures meanwhile if wanted. */
void txgen_watch(struct txgen *tx, FILE *f);

/* SIGINT or SIGTERM has come since txgen_catch_signals() (and ended the run). */
void txgen_catch_signals(struct txgen *tx);
bool txgen_interrupted(void);

#endif
