/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter_pair.h - a client's filter as the daemon runs it: compiled twice, once for received and
 * once for sent packets, so that direction and port are constants in each (`inbound`, `ifindex`).
 *
 * A long filter takes its time. So a request that brings filters first has them compiled by a task
 * (npf_filters_ahead()) and is put aside, as for memory (memory.h); when they are there, the
 * request is carried out once more from its beginning, and npf_filter_pair_compile() hands them
 * out.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_CORE_FILTER_PAIR_H
#define NPF_ENGINE_CORE_FILTER_PAIR_H

#include "base/error.h"
#include "engine/core/engine.h"
#include "jit/bpf.h"
#include "wire/wire.h"

struct npf_requester;

/* Both NULL: all packets pass. */
struct npf_filter_pair {
	struct npf_filter *in, *out;
};

/* What a filter is compiled from. */
struct npf_filter_source {
	const struct npf_config_limits *limits; /* the longest filter stands there */
	uint16_t port;                          /* its index, for `ifindex` */
	const struct npf_bpf_insn *insns;
	uint32_t n_insns; /* 0: all packets pass */
};

static inline struct npf_filter_source npf_filter_source(const struct npf_engine *e,
	const struct npf_engine_port *port, const struct npf_bpf_insn *insns, uint32_t n_insns)
{
	return (struct npf_filter_source){&e->conf->npf.limits, port->port.index, insns, n_insns};
}

/*
 * npf_filters_ahead - have the filters of a request compiled beside the control thread, before the
 * request takes anything that it would have to give back.
 * @requester: NULL: the daemon itself, which waits when it compiles
 * Return: 0: they are there, or compiled in no time; -EINPROGRESS: carry the request out again when
 *         the requester is ready; -ENOMEM with a text in err.
 */
int npf_filters_ahead(struct npf_requester *requester, const struct npf_filter_source *sources,
	unsigned int n, struct npf_error *err);

/*
 * npf_filter_pair_compile - compile a filter that a client or the configuration asks for, or take
 * what was compiled ahead of it.
 * @requester: NULL: the daemon itself
 * Return:   0; -E2BIG, -EINVAL or -ENOMEM with a text for the client in err, and an empty pair.
 * Owns:     the filters are the caller's: npf_filter_pair_free().
 */
int npf_filter_pair_compile(struct npf_requester *requester, const struct npf_filter_source *source,
	struct npf_filter_pair *pair, struct npf_error *err);

/* Empties the pair; an empty one is fine. */
void npf_filter_pair_free(struct npf_filter_pair *pair);

/* Free what was compiled ahead of a request and not taken. What is in work is freed when it is
 * done. */
void npf_filters_discard(struct npf_requester *requester);

#endif
