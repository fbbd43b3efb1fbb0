/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rx.c - the receiving jobs: count, check, forward.
 *
 * The clock is read once a burst, for all its packets. A signed packet is recognised by its last
 * bytes: a magic number and the number of the run, so that packets of an earlier run that were left
 * in a queue do not count.
 */
#include "txgen/run/job.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

static void check(struct npf_txgen_rx_job *j, struct rte_mbuf *m, uint64_t now, uint64_t *matched)
{
	uint8_t copy[NPF_TXGEN_SIGN_LEN];
	const uint8_t *at;
	uint64_t head, tsc, latency;
	unsigned int stream;

	if (m->pkt_len < NPF_TXGEN_TMPL_SIZE_MIN + NPF_TXGEN_SIGN_LEN)
		return;
	at = rte_pktmbuf_read(m, m->pkt_len - NPF_TXGEN_SIGN_LEN, NPF_TXGEN_SIGN_LEN, copy);
	npf_txgen_sign_read(at, &head, &tsc);
	stream = (head >> 32) & 0xff;
	if (head >> 40 != (NPF_TXGEN_SIGN_MAGIC << 8 | j->run) || stream >= j->n_streams)
		return;
	++*matched;
	npf_txgen_track_add(j->tracks[stream], (uint32_t)head);
	latency = now > tsc ? now - tsc : 0; /* another core's counter may be a hair ahead */
	npf_txgen_hist_record(j->latency, latency);
	if (j->last_latency > 0) {
		uint64_t d = latency > j->last_latency ? latency - j->last_latency
						       : j->last_latency - latency;

		/* RFC 3550: J += (|D| - J) / 16, with J in sixteenths. */
		j->jitter += d - ((j->jitter + 8) >> 4);
	}
	j->last_latency = latency;
}

/* Return: how many of the packets are signed and of this run. */
static uint64_t check_burst(
	struct npf_txgen_rx_job *j, struct rte_mbuf **pkts, uint16_t n, uint64_t now)
{
	uint64_t matched = 0;

	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod_offset(
			pkts[i], void *, pkts[i]->data_len - NPF_TXGEN_SIGN_LEN));
	for (uint16_t i = 0; i < n; i++)
		check(j, pkts[i], now, &matched);
	return matched;
}

void npf_txgen_rx_job_poll(struct npf_txgen_rx_job *j)
{
	struct rte_mbuf *pkts[NPF_TXGEN_RX_BURST];
	uint64_t now = 0, bytes = 0, packets = 0, matched = 0;

	for (uint16_t q = 0; q < j->n_queues; q++) {
		uint16_t n = rte_eth_rx_burst(j->port, q, pkts, NPF_TXGEN_RX_BURST);

		if (n == 0)
			continue;
		now = rte_rdtsc();
		packets += n;
		if (j->check)
			matched += check_burst(j, pkts, n, now);
		for (uint16_t i = 0; i < n; i++)
			bytes += pkts[i]->pkt_len;
		rte_pktmbuf_free_bulk(pkts, n);
	}
	if (packets == 0)
		return;
	npf_txgen_counter_add(&j->packets, packets);
	npf_txgen_counter_add(&j->bytes, bytes);
	npf_txgen_counter_add(&j->matched, matched);
	atomic_store_explicit(&j->last_tsc, now, memory_order_relaxed);
}

static void swap(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr dst = eth->dst_addr;

	eth->dst_addr = eth->src_addr;
	eth->src_addr = dst;
	*npf_txgen_job_tag(m) = 0; /* it may be one of our own, come back through a ring */
}

void npf_txgen_fwd_job_poll(struct npf_txgen_fwd_job *j)
{
	struct rte_mbuf *pkts[NPF_TXGEN_BURST_MAX];
	uint64_t rx_bytes = 0, drop_bytes = 0;
	uint16_t n = rte_eth_rx_burst(j->rx_port, j->rx_queue, pkts, (uint16_t)j->burst), sent;

	if (n == 0)
		return;
	for (uint16_t i = 0; i < n; i++) {
		rx_bytes += pkts[i]->pkt_len;
		if (j->swap)
			swap(pkts[i]);
	}
	sent = rte_eth_tx_burst(j->tx_port, j->tx_queue, pkts, n);
	for (uint16_t i = sent; i < n; i++)
		drop_bytes += pkts[i]->pkt_len;
	if (sent < n)
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	npf_txgen_counter_add(&j->rx_packets, n);
	npf_txgen_counter_add(&j->rx_bytes, rx_bytes);
	npf_txgen_counter_add(&j->tx_packets, sent);
	npf_txgen_counter_add(&j->tx_bytes, rx_bytes - drop_bytes);
	npf_txgen_counter_add(&j->dropped, (uint64_t)(n - sent));
}
