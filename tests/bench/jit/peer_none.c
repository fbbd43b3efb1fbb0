/* SPDX-License-Identifier: BSD-3-Clause */
/* peer_none.c - a build without DPDK has no rte_bpf to compare with. */
#include "peers.h"

struct peer_rte *peer_rte_new(const struct npf_bpf_insn *insns, uint32_t n,
	const uint8_t *const *pkts, const uint32_t *lens, const uint32_t *caplens, uint32_t n_pkts)
{
	(void)insns;
	(void)n;
	(void)pkts;
	(void)lens;
	(void)caplens;
	(void)n_pkts;
	return NULL;
}

void peer_rte_run(struct peer_rte *p, uint32_t *results)
{
	(void)p;
	(void)results;
}

void peer_rte_free(struct peer_rte *p)
{
	(void)p;
}
