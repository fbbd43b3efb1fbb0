/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prompt.h - the prompt's commands as a table, for execution, help and completion.
 */
#ifndef NPF_TXGEN_PROMPT_H
#define NPF_TXGEN_PROMPT_H

#include "txgen/txgen.h"

struct txgen_prompt;

struct txgen_command {
	const char *words;   /* fixed words */
	const char *choices; /* of the argument, separated by '|'; NULL: it takes none */
	const char *help;
	void (*run)(struct txgen_prompt *p, const char *arg);
};

struct txgen_found {
	char common[64]; /* what all words that fit have in common */
	unsigned int n;  /* how many fit */
};

/* Which words can the last, begun word of the line become? */
void txgen_complete(const struct txgen_command *commands, size_t n_commands, const char *line,
	struct txgen_found *f);

#endif
