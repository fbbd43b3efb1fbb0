/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter_pair.h - a client's filter as the daemon runs it: compiled twice, once for received and
 * once for sent packets, so that direction and port are constants in each (`inbound`, `ifindex`).
 */
#ifndef NPF_ENGINE_CORE_FILTER_PAIR_H
#define NPF_ENGINE_CORE_FILTER_PAIR_H

#include "base/error.h"
#include "engine/config/config.h"
#include "jit/bpf.h"
#include "wire/wire.h"

/* Both NULL: all packets pass. */
struct npf_filter_pair {
	struct npf_filter *in, *out;
};

/*
 * npf_filter_pair_compile - compile a filter that a client or the configuration asks for.
 * @limits:  the longest filter stands there
 * @port:    the port's index, for `ifindex`
 * @n_insns: 0: all packets pass
 * Return:   0; -E2BIG, -EINVAL or -ENOMEM with a text for the client in err, and an empty pair.
 * Owns:     the filters are the caller's: npf_filter_pair_free().
 */
int npf_filter_pair_compile(const struct npf_config_limits *limits, uint16_t port,
	const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_filter_pair *pair,
	struct npf_error *err);

/* Empties the pair; an empty one is fine. */
void npf_filter_pair_free(struct npf_filter_pair *pair);

#endif
