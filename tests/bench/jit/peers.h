/* SPDX-License-Identifier: BSD-3-Clause */
/* peers.h - other ways to run a filter natively, for comparison. NULL where one is not to be had.
 */
#ifndef NPF_BENCH_PEERS_H
#define NPF_BENCH_PEERS_H

#include "jit/bpf.h"

/* The program as C, compiled by gcc -O3 -march=native. */
struct peer_gcc;
struct peer_gcc *peer_gcc_new(const struct npf_bpf_insn *insns, uint32_t n);
uint32_t peer_gcc_run(const struct peer_gcc *p, const uint8_t *pkt, uint32_t len, uint32_t caplen);
void peer_gcc_burst(const struct peer_gcc *p, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n, uint32_t *results);
void peer_gcc_free(struct peer_gcc *p);

/* DPDK's rte_bpf: the program is bound to the packets, since it reads them through mbufs. */
struct peer_rte;
struct peer_rte *peer_rte_new(const struct npf_bpf_insn *insns, uint32_t n,
	const uint8_t *const *pkts, const uint32_t *lens, const uint32_t *caplens, uint32_t n_pkts);
void peer_rte_run(struct peer_rte *p, uint32_t *results);
void peer_rte_free(struct peer_rte *p);

#endif
