/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pingpong.c - the least latency that port 0 itself has: one packet out and in again, nothing else.
 *
 *	pingpong [EAL options] -- ROUNDS
 *
 * Prints median and 99th percentile in nanoseconds. What npf-txgen adds to it is its own.
 */
#include "txgen/measure/hist.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

static struct npf_txgen_hist hist;

static int open_port(struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};

	return rte_eth_dev_configure(0, 1, 1, &conf) ||
	       rte_eth_rx_queue_setup(0, 0, 512, 0, NULL, pool) ||
	       rte_eth_tx_queue_setup(0, 0, 512, 0, NULL) || rte_eth_dev_start(0);
}

int main(int argc, char **argv)
{
	int n = rte_eal_init(argc, argv);
	unsigned long rounds = n >= 0 && n + 1 < argc ? strtoul(argv[n + 1], NULL, 10) : 1000000;
	struct rte_mempool *pool;
	struct rte_mbuf *m;
	double ns;

	if (n < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("pool", 1023, 128, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (!pool || open_port(pool))
		return 1;
	m = rte_pktmbuf_alloc(pool);
	if (!m)
		return 1;
	memset(rte_pktmbuf_append(m, 64), 0, 64);
	npf_txgen_hist_init(&hist);
	for (unsigned long i = 0; i < rounds; i++) {
		uint64_t t = rte_rdtsc();

		while (!rte_eth_tx_burst(0, 0, &m, 1))
			;
		while (!rte_eth_rx_burst(0, 0, &m, 1))
			;
		npf_txgen_hist_record(&hist, rte_rdtsc() - t);
	}
	ns = 1e9 / (double)rte_get_tsc_hz();
	printf("%.1f %.1f\n", (double)npf_txgen_hist_quantile(&hist, 0.5) * ns,
		(double)npf_txgen_hist_quantile(&hist, 0.99) * ns);
	rte_pktmbuf_free(m);
	rte_eth_dev_stop(0);
	rte_eal_cleanup();
	return 0;
}
