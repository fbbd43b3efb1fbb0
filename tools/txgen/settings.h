/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings.h - the table of settings: options of the command line, and `set` at the prompt.
 */
#ifndef NPF_TXGEN_SETTINGS_H
#define NPF_TXGEN_SETTINGS_H

#include "txgen/txgen.h"

struct txgen_setting {
	const char *name; /* NULL: help is a heading */
	const char *arg;  /* what it takes; NULL: nothing */
	const char *help;
	int (*set)(struct txgen *tx, const char *value, struct npf_error *err);
};

extern const struct txgen_setting txgen_settings[];
extern const size_t txgen_n_settings;

#endif
