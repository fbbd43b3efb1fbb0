/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs.c - a run's configuration made into jobs.
 *
 * Counts and rates are those of a port; its queues share them, the counts to the packet. Signed
 * packets of any queue may arrive on any port, as the tested device decides. All rx queues of a
 * port are one job, so that one thread sees the order of a stream.
 */
#include "txgen/run/run.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <string.h>

#define LATE_NS 100000000u /* a packet that is due before the end may leave so much after it */

static void *new_array(unsigned int n, size_t size)
{
	return n > 0 ? aligned_alloc(NPF_CACHELINE, NPF_ALIGN_UP(n * size, (size_t)NPF_CACHELINE))
		     : NULL;
}

static struct npf_txgen_hist *new_hist(void)
{
	struct npf_txgen_hist *h = malloc(sizeof(*h));

	if (h != NULL)
		npf_txgen_hist_init(h);
	return h;
}

static bool generates(const struct npf_txgen_run_conf *c)
{
	return c->mode == NPF_TXGEN_TXONLY || c->mode == NPF_TXGEN_FLOWGEN || c->tx_first;
}

static bool forwards(const struct npf_txgen_run_conf *c)
{
	return c->mode == NPF_TXGEN_IO || c->mode == NPF_TXGEN_MACSWAP;
}

/* Packets that one port is to send; UINT64_MAX: no limit. */
static uint64_t port_limit(const struct npf_txgen_run *r)
{
	const struct npf_txgen_run_conf *c = &r->conf;
	uint64_t limit = c->count > 0 ? c->count : UINT64_MAX, rate_limit;

	if (forwards(c))
		return c->burst; /* tx-first */
	if (c->savefile != NULL && c->loop > 0)
		limit = NPF_MIN(limit, c->loop * c->savefile->n_packets);
	rate_limit = c->duration_ns > 0 && c->train == 0
			     ? npf_txgen_pace_total(&c->rate, c->duration_ns)
			     : 0;
	return rate_limit > 0 ? NPF_MIN(limit, rate_limit) : limit;
}

static int init_tx(struct npf_txgen_run *r, struct npf_txgen_tx_job *j, struct npf_txgen_port *p,
	uint16_t q, uint64_t limit, struct npf_error *err)
{
	const struct npf_txgen_run_conf *c = &r->conf;
	struct npf_txgen_source_conf sc = {
		.tmpls = c->tmpls,
		.weights = c->weights,
		.n_tmpls = c->n_tmpls,
		.savefile = c->savefile,
		.queue = q,
		.n_queues = p->n_txq,
		.seed = c->seed,
		.mac = p->mac.addr_bytes,
		.sign = c->check && c->savefile == NULL,
		.hw_csum = p->hw_csum,
	};

	*j = (struct npf_txgen_tx_job){
		.port = p->id,
		.queue = q,
		.stream = (uint8_t)(j - r->tx),
		.run = r->id,
		.burst = c->burst,
		.sign = sc.sign,
		.paced = !forwards(c) && (c->rate.kind != NPF_RATE_ASAP || c->train > 0),
		.original = c->rate.kind == NPF_RATE_ORIGINAL,
		.mtu = npf_txgen_port_mtu(p),
		.pool = p->tx_pool[q],
		.left = limit == UINT64_MAX ? limit : (limit + p->n_txq - 1 - q) / p->n_txq,
		.end = UINT64_MAX,
		.cycles_per_ns =
			r->hz / 1e9 / (c->rate.kind == NPF_RATE_ORIGINAL ? c->rate.value : 1),
	};
	j->off = new_hist();
	j->late = new_hist();
	if (j->off == NULL || j->late == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	return npf_txgen_tx_job_init(j, &sc, err);
}

/* Known only when the run begins: times in cycles. */
void npf_txgen_run_set_begin(struct npf_txgen_run *r, struct npf_txgen_tx_job *j, uint64_t t0)
{
	const struct npf_txgen_run_conf *c = &r->conf;
	struct npf_txgen_port *p = NULL;
	struct npf_txgen_pace_conf pc = {
		.rate = c->rate,
		.hz = (uint64_t)r->hz,
		.queue = j->queue,
		.train = forwards(c) ? 0 : c->train,
		.gap_ns = c->gap_ns,
	};

	for (unsigned int i = 0; i < r->n_ports; i++) {
		if (r->ports[i].id == j->port)
			p = &r->ports[i];
	}
	pc.n_queues = p->n_txq;
	if (forwards(c))
		pc.rate.kind = NPF_RATE_ASAP;
	if (pc.rate.kind == NPF_RATE_PERCENT) {
		pc.rate.kind = NPF_RATE_BPS_L1;
		pc.rate.value = npf_txgen_port_speed(p) * c->rate.value / 100;
	}
	npf_txgen_pace_init(&j->pace, &pc, t0);
	j->t0 = t0;
	if (c->duration_ns > 0)
		j->end = t0 + (uint64_t)((double)c->duration_ns * r->hz / 1e9);
	j->give_up = (uint64_t)(LATE_NS * r->hz / 1e9);
}

static int make_tx(struct npf_txgen_run *r, struct npf_error *err)
{
	uint64_t limit = port_limit(r);
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->n_ports; i++)
		n += r->ports[i].n_txq;
	if (n > 256)
		return npf_error_set(err, -EINVAL, "more than 256 tx queues");
	r->tx = new_array(n, sizeof(*r->tx));
	if (n > 0 && r->tx == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->n_ports; i++) {
		for (uint16_t q = 0; q < r->ports[i].n_txq; q++) {
			int rc = init_tx(r, &r->tx[r->n_tx], &r->ports[i], q, limit, err);

			r->n_tx++; /* whatever came of it, it is to be ended */
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int make_rx(struct npf_txgen_run *r)
{
	r->rx = new_array(r->n_ports, sizeof(*r->rx));
	if (r->rx == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->n_ports; i++) {
		struct npf_txgen_rx_job *j = &r->rx[r->n_rx++];

		*j = (struct npf_txgen_rx_job){
			.port = r->ports[i].id,
			.n_queues = r->ports[i].n_rxq,
			.run = r->id,
			.check = r->conf.check && r->conf.savefile == NULL,
			.latency = new_hist(),
		};
		j->tracks = calloc(r->n_tx + 1, sizeof(struct npf_txgen_track *));
		if (j->latency == NULL || j->tracks == NULL)
			return -ENOMEM;
		for (; j->check && j->n_streams < r->n_tx; j->n_streams++) {
			struct npf_txgen_track *t = malloc(sizeof(*t));

			if (t == NULL)
				return -ENOMEM;
			npf_txgen_track_init(t);
			j->tracks[j->n_streams] = t;
		}
	}
	return 0;
}

static int make_fwd(struct npf_txgen_run *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->n_ports; i++)
		n += r->ports[i].n_rxq;
	r->fwd = new_array(n, sizeof(*r->fwd));
	if (r->fwd == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->n_ports; i++) {
		unsigned int peer = (i ^ 1) < r->n_ports ? i ^ 1 : i;

		for (uint16_t q = 0; q < r->ports[i].n_rxq; q++)
			r->fwd[r->n_fwd++] = (struct npf_txgen_fwd_job){
				.rx_port = r->ports[i].id,
				.rx_queue = q,
				.tx_port = r->ports[peer].id,
				.tx_queue = (uint16_t)(q % r->ports[peer].n_txq),
				.burst = r->conf.burst,
				.swap = r->conf.mode == NPF_TXGEN_MACSWAP,
			};
	}
	return 0;
}

int npf_txgen_run_make_jobs(struct npf_txgen_run *r, struct npf_error *err)
{
	const struct npf_txgen_run_conf *c = &r->conf;
	int rc = 0;

	npf_error_set(err, 0, "out of memory"); /* what most failures are */
	if (generates(c))
		rc = make_tx(r, err);
	if (rc == 0 && (c->check || c->mode == NPF_TXGEN_RXONLY || c->mode == NPF_TXGEN_FLOWGEN))
		rc = make_rx(r);
	if (rc == 0 && forwards(c))
		rc = make_fwd(r);
	return rc;
}
