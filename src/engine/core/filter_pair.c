/* SPDX-License-Identifier: BSD-3-Clause */
/* filter_pair.c - see filter_pair.h. A pair is whole or empty. */
#include "engine/core/filter_pair.h"

#include "base/log.h"

#include <stdatomic.h>
#include <string.h>

/* What Linux's SKF_AD_PKTTYPE says of a packet. */
#define PKTTYPE_HOST     0
#define PKTTYPE_OUTGOING 4

/* A filter that runs slower than it could, by a fault of ours. The log has the first only; each
 * session's report has its own. */
static void log_unproven(const struct npf_filter_pair *pair, uint32_t n_insns)
{
	static atomic_bool is_logged;

	if (!npf_filter_is_unproven(pair->in) && !npf_filter_is_unproven(pair->out))
		return;
	if (!atomic_exchange_explicit(&is_logged, true, memory_order_relaxed))
		npf_warn("the code of a filter of %u instructions could not be shown to stay in "
			 "bounds, so the interpreter runs it: please report the filter (further "
			 "ones "
			 "are not logged)",
			n_insns);
}

int npf_filter_pair_compile(const struct npf_config_limits *limits, uint16_t port,
	const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_filter_pair *pair,
	struct npf_error *err)
{
	struct npf_bpf_aux in = {PKTTYPE_HOST, port}, out = {PKTTYPE_OUTGOING, port};
	struct npf_filter_opts opts = {.aux = &in, .loose = true};
	struct npf_bpf_error bad = {0};
	int rc;

	*pair = (struct npf_filter_pair){0};
	if (n_insns == 0)
		return 0;
	if (n_insns > limits->filter)
		return npf_error_set(err, -E2BIG,
			"a filter of %u instructions is longer than the limit of %u "
			"(npf.limits.filter)",
			n_insns, limits->filter);
	npf_backend_from_env(&opts.backend);
	rc = npf_filter_compile(insns, n_insns, &opts, &pair->in, &bad);
	opts.aux = &out;
	if (rc == 0)
		rc = npf_filter_compile(insns, n_insns, &opts, &pair->out, &bad);
	if (rc == 0) {
		log_unproven(pair, n_insns);
		return 0;
	}
	npf_filter_pair_free(pair);
	if (rc == -EINVAL)
		return npf_error_set(err, rc,
			"the filter is not a valid BPF program: instruction %u: %s", bad.pc,
			bad.reason);
	return npf_error_set(err, rc, "the filter can't be compiled: %s", strerror(-rc));
}

void npf_filter_pair_free(struct npf_filter_pair *pair)
{
	pair->in = npf_filter_free(pair->in);
	pair->out = npf_filter_free(pair->out);
}
