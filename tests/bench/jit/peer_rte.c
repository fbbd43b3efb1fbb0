/* SPDX-License-Identifier: BSD-3-Clause */
#define ALLOW_EXPERIMENTAL_API
/*
 * peer_rte.c - DPDK's way: rte_bpf_convert() from classic BPF, then its x86-64 JIT.
 *
 * It reads packets through mbufs. One mbuf is made for each different packet, its data the packet's
 * bytes; no pool is needed for reading. Only the conversion needs an EAL, for its heap.
 */
#include "peers.h"

#include <pcap/pcap.h>
#include <rte_bpf.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <string.h>

struct peer_rte {
	struct rte_bpf *bpf;
	struct rte_bpf_jit jit;
	struct rte_mbuf *mbufs;
	struct rte_mbuf **order;
	uint32_t n;
};

static int fill(struct peer_rte *p, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n)
{
	const uint8_t *least = pkts[0];
	uint32_t n_mbufs = 0;

	/* Packets are found again by address: those of the mix lie in one array. */
	for (uint32_t i = 0; i < n; i++)
		least = NPF_MIN(least, pkts[i]);
	p->mbufs = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*p->mbufs) * 65536);
	p->order = calloc(n, sizeof(*p->order));
	if (p->mbufs == NULL || p->order == NULL)
		return -ENOMEM;
	memset(p->mbufs, 0, sizeof(*p->mbufs) * 65536);
	for (uint32_t i = 0; i < n; i++) {
		const size_t at = (size_t)(pkts[i] - least) / 128;
		struct rte_mbuf *m = &p->mbufs[at];

		if (at >= 65536)
			return -EINVAL;
		if (m->buf_addr == NULL) {
			m->buf_addr = npf_unconst(pkts[i]);
			m->data_len = (uint16_t)caplens[i];
			m->pkt_len = lens[i];
			m->nb_segs = 1;
			n_mbufs++;
		}
		p->order[i] = m;
	}
	p->n = n;
	return n_mbufs > 0 ? 0 : -EINVAL;
}

/* An EAL of the smallest kind, once. It must not change where the benchmark is pinned. */
static bool has_eal(void)
{
	static const char *argv[] = {"bench_filter", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "--log-level=1", "-m", "64", NULL};
	static int state = -1;
	cpu_set_t cpus;

	if (state < 0) {
		sched_getaffinity(0, sizeof(cpus), &cpus);
		state = rte_eal_init(NPF_ARRAY_LEN(argv) - 1, npf_unconst(argv)) >= 0;
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	return state != 0;
}

struct peer_rte *peer_rte_new(const struct npf_bpf_insn *insns, uint32_t n,
	const uint8_t *const *pkts, const uint32_t *lens, const uint32_t *caplens, uint32_t n_pkts)
{
	struct bpf_program prog = {.bf_len = n, .bf_insns = npf_unconst(insns)};
	struct peer_rte *p = calloc(1, sizeof(*p));
	struct rte_bpf_prm *prm;

	if (p == NULL || !has_eal()) {
		free(p);
		return NULL;
	}
	prm = rte_bpf_convert(&prog);
	if (prm != NULL) {
		p->bpf = rte_bpf_load(prm);
		rte_free(prm);
	}
	if (p->bpf == NULL || rte_bpf_get_jit(p->bpf, &p->jit) < 0 || p->jit.func == NULL ||
		fill(p, pkts, lens, caplens, n_pkts) < 0) {
		peer_rte_free(p);
		return NULL;
	}
	return p;
}

void peer_rte_run(struct peer_rte *p, uint32_t *results)
{
	for (uint32_t i = 0; i < p->n; i++)
		results[i] = (uint32_t)p->jit.func(p->order[i]);
}

void peer_rte_free(struct peer_rte *p)
{
	if (p == NULL)
		return;
	rte_bpf_destroy(p->bpf);
	free(p->mbufs);
	free(p->order);
	free(p);
}
