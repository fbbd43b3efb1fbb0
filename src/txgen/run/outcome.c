/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outcome.c - the result of a run, from its jobs.
 *
 * While the workers run, only their counters are read; histograms and sequence tracking after they
 * have ended.
 */
#include "txgen/run/run.h"

#include <rte_cycles.h>
#include <stdio.h>

static struct npf_txgen_port_result *port_of(
	const struct npf_txgen_run *r, struct npf_txgen_result *res, uint16_t id)
{
	for (unsigned int i = 0; i < r->n_ports; i++) {
		if (r->ports[i].id == id)
			return &res->port[i];
	}
	return NULL;
}

/* Drivers count the packets of so many queues, not those of further ones. */
static bool is_counted(uint16_t queue)
{
	return queue < RTE_ETHDEV_QUEUE_STAT_CNTRS;
}

uint64_t npf_txgen_run_unsent(const struct npf_txgen_run *r, unsigned int i)
{
	struct rte_eth_stats now;
	uint64_t taken = 0, went;
	uint16_t id = r->ports[i].id;

	for (unsigned int j = 0; j < r->n_tx; j++) {
		if (r->tx[j].port == id && is_counted(r->tx[j].queue))
			taken += npf_txgen_counter_get(&r->tx[j].packets);
	}
	for (unsigned int j = 0; j < r->n_fwd; j++) {
		if (r->fwd[j].tx_port == id && is_counted(r->fwd[j].tx_queue))
			taken += npf_txgen_counter_get(&r->fwd[j].tx_packets);
	}
	if (!r->counts[i] || rte_eth_stats_get(id, &now) != 0)
		return 0;
	went = now.opackets - r->before[i].opackets;
	return taken > went ? taken - went : 0;
}

/* Packets that ports took and did not send, by the ports' own counters. */
static void count_lost(const struct npf_txgen_run *r, struct npf_txgen_result *res)
{
	for (unsigned int i = 0; i < r->n_ports; i++) {
		struct npf_txgen_port_result *p = &res->port[i];

		p->tx_lost = NPF_MIN(npf_txgen_run_unsent(r, i), p->tx_packets);
		p->tx_uncounted = p->tx_packets > 0 && !r->counts[i];
		if (p->tx_lost == 0)
			continue;
		/* Their lengths are not known: take the mean. */
		p->tx_bytes -= p->tx_bytes / p->tx_packets * p->tx_lost;
		p->tx_packets -= p->tx_lost;
	}
}

static void count(const struct npf_txgen_run *r, struct npf_txgen_result *res)
{
	for (unsigned int i = 0; i < r->n_ports; i++) {
		struct rte_eth_stats now = r->before[i];
		const struct rte_eth_stats *was = &r->before[i];

		rte_eth_stats_get(r->ports[i].id, &now);
		snprintf(res->port[i].name, sizeof(res->port[i].name), "%s", r->ports[i].name);
		res->port[i].rx_missed = now.imissed - was->imissed + now.rx_nombuf -
					 was->rx_nombuf + now.ierrors - was->ierrors;
	}
	for (unsigned int i = 0; i < r->n_tx; i++) {
		struct npf_txgen_port_result *p = port_of(r, res, r->tx[i].port);
		uint64_t packets = npf_txgen_counter_get(&r->tx[i].packets);

		p->tx_packets += packets;
		p->tx_bytes += npf_txgen_counter_get(&r->tx[i].bytes);
		p->tx_full += npf_txgen_counter_get(&r->tx[i].full);
		res->sent += packets;
	}
	for (unsigned int i = 0; i < r->n_rx; i++) {
		struct npf_txgen_port_result *p = port_of(r, res, r->rx[i].port);

		p->rx_packets += npf_txgen_counter_get(&r->rx[i].packets);
		p->rx_bytes += npf_txgen_counter_get(&r->rx[i].bytes);
		res->foreign += npf_txgen_counter_get(&r->rx[i].packets) -
				npf_txgen_counter_get(&r->rx[i].matched);
		res->received += npf_txgen_counter_get(
			res->by_sequence ? &r->rx[i].matched : &r->rx[i].packets);
	}
	for (unsigned int i = 0; i < r->n_fwd; i++) {
		const struct npf_txgen_fwd_job *j = &r->fwd[i];
		struct npf_txgen_port_result *in = port_of(r, res, j->rx_port);
		struct npf_txgen_port_result *out = port_of(r, res, j->tx_port);

		in->rx_packets += npf_txgen_counter_get(&j->rx_packets);
		in->rx_bytes += npf_txgen_counter_get(&j->rx_bytes);
		out->tx_packets += npf_txgen_counter_get(&j->tx_packets);
		out->tx_bytes += npf_txgen_counter_get(&j->tx_bytes);
		out->tx_drop += npf_txgen_counter_get(&j->dropped);
	}
}

/* What one port has seen of the streams. */
static void add_receiver(const struct npf_txgen_rx_job *j, double hz, struct npf_txgen_result *res)
{
	for (unsigned int s = 0; s < j->n_streams; s++) {
		const struct npf_txgen_track *t = j->tracks[s];

		res->reordered += t->reordered;
		res->max_extent = NPF_MAX(res->max_extent, t->max_extent);
		res->duplicates += t->duplicates;
		res->stale += t->stale;
	}
	res->jitter_ns = NPF_MAX(res->jitter_ns, (double)j->jitter / 16 * 1e9 / hz);
}

static void check(const struct npf_txgen_run *r, struct npf_txgen_result *res)
{
	struct npf_txgen_hist *all = malloc(sizeof(*all));
	uint64_t received = 0;

	if (all != NULL)
		npf_txgen_hist_init(all);
	for (unsigned int i = 0; i < r->n_rx; i++) {
		add_receiver(&r->rx[i], r->hz, res);
		if (all != NULL)
			npf_txgen_hist_merge(all, r->rx[i].latency);
	}
	/* A stream may come in on several ports; it cannot have arrived more often than sent. */
	for (unsigned int s = 0; s < r->n_tx; s++) {
		uint64_t unique = 0;

		for (unsigned int i = 0; i < r->n_rx; i++)
			unique += s < r->rx[i].n_streams ? r->rx[i].tracks[s]->unique : 0;
		received += NPF_MIN(unique, npf_txgen_counter_get(&r->tx[s].packets));
	}
	res->received = received;
	if (all != NULL)
		npf_txgen_times_from(&res->latency, all, r->hz);
	free(all);
}

static void pacing(const struct npf_txgen_run *r, struct npf_txgen_result *res)
{
	struct npf_txgen_hist *off = malloc(sizeof(*off)), *late = malloc(sizeof(*late));

	if (off != NULL && late != NULL) {
		npf_txgen_hist_init(off);
		npf_txgen_hist_init(late);
		for (unsigned int i = 0; i < r->n_tx; i++) {
			npf_txgen_hist_merge(off, r->tx[i].off);
			npf_txgen_hist_merge(late, r->tx[i].late);
		}
		npf_txgen_times_from(&res->pacing, off, r->hz);
		npf_txgen_times_from(&res->late, late, r->hz);
	}
	free(off);
	free(late);
}

void npf_txgen_run_result(const struct npf_txgen_run *r, struct npf_txgen_result *res)
{
	bool over = atomic_load_explicit(&r->over, memory_order_acquire);
	uint64_t t0 = atomic_load_explicit(&r->t0, memory_order_relaxed);
	uint64_t end = over ? 0 : rte_rdtsc(), planned = 0;

	res->n_ports = r->n_ports;
	res->checked = r->conf.check;
	res->by_sequence = r->conf.check && r->conf.savefile == NULL;
	count(r, res);
	for (unsigned int i = 0; i < r->n_tx; i++) {
		const struct npf_txgen_tx_job *j = &r->tx[i];

		if (!over)
			continue;
		end = NPF_MAX(end, npf_txgen_counter_get(&j->end_tsc));
		res->paced |= j->paced;
		res->behind |= j->behind;
		if (j->left < UINT64_MAX / 2)
			planned += j->left + (j->n_made - j->head) +
				   npf_txgen_counter_get(&j->packets);
	}
	res->stopped = atomic_load_explicit(&r->stop_asked, memory_order_relaxed);
	res->stalled = r->stalled;
	/* Receiving and forwarding end when the workers do; sending a little before. */
	if (over && (end == 0 || r->n_fwd > 0 || res->stopped || res->stalled))
		end = r->t_end;
	res->seconds = end > t0 ? (double)(end - t0) / r->hz : 0;
	if (!over)
		return;
	res->planned = r->n_fwd > 0 ? 0 : planned;
	res->generated = r->n_tx > 0;
	count_lost(r, res);
	if (res->by_sequence)
		check(r, res);
	if (res->checked)
		res->lost = res->sent > res->received ? res->sent - res->received : 0;
	if (res->paced)
		pacing(r, res);
}
