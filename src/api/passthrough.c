/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passthrough.c - the half of libpcap that never sees a handle of ours.
 *
 * Savefiles, names and numbers, BPF programs, dumpers: each function here is a door to the real
 * one of the same name, generated from the table in genuine.h.
 */
#include "api/genuine.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define DEFINE(ret, name, params, args, none)                                                      \
	ret name params                                                                            \
	{                                                                                          \
		const struct npf_genuine *g = npf_genuine();                                       \
                                                                                                   \
		return g->name != NULL ? g->name args : none;                                      \
	}

#define DEFINE_VOID(name, params, args)                                                            \
	void name params                                                                           \
	{                                                                                          \
		const struct npf_genuine *g = npf_genuine();                                       \
                                                                                                   \
		if (g->name != NULL)                                                               \
			g->name args;                                                              \
	}

NPF_GENUINE_PASS(DEFINE)
NPF_GENUINE_PASS_VOID(DEFINE_VOID)
