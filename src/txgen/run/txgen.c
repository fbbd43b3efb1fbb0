/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txgen.c - the generator as its users hold it: ports, and one run at a time over them.
 *
 * The time stamp counter's rate is measured against the monotonic clock from the opening of the
 * ports to the start of each run, so the longer the program lives the better it is known: 50 ms
 * give about one part in a million.
 */
#include "txgen/run/txgen.h"

#include "txgen/run/run.h"
#include "base/clock.h"
#include "eal/eal.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

struct npf_txgen {
	struct npf_txgen_port_conf conf;
	struct npf_txgen_port ports[NPF_TXGEN_MAXPORTS];
	unsigned int n_ports;
	uint64_t tsc0, ns0; /* a moment on both clocks */
	struct npf_txgen_run *run;
};

static const char *const mode_names[NPF_TXGEN_N_MODES] = {
	[NPF_TXGEN_TXONLY] = "txonly",
	[NPF_TXGEN_RXONLY] = "rxonly",
	[NPF_TXGEN_IO] = "io",
	[NPF_TXGEN_MACSWAP] = "macswap",
	[NPF_TXGEN_FLOWGEN] = "flowgen",
};

const char *npf_txgen_mode_name(enum npf_txgen_mode mode)
{
	return mode_names[mode];
}

int npf_txgen_mode_find(const char *name)
{
	for (int i = 0; i < NPF_TXGEN_N_MODES; i++) {
		if (strcmp(name, mode_names[i]) == 0)
			return i;
	}
	return -1;
}

static void clock_pair(uint64_t *tscp, uint64_t *nsp)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t a = rte_rdtsc(), ns = npf_clock_monotonic(), b = rte_rdtsc();

		if (b - a < best) {
			best = b - a;
			*tscp = a + (b - a) / 2;
			*nsp = ns;
		}
	}
}

static double measure_hz(const struct npf_txgen *g)
{
	uint64_t tsc = 0, ns = 0;

	clock_pair(&tsc, &ns);
	if (ns - g->ns0 < 50 * NPF_NS_PER_MS) {
		usleep((useconds_t)(50000 - (ns - g->ns0) / 1000));
		clock_pair(&tsc, &ns);
	}
	return (double)(tsc - g->tsc0) * 1e9 / (double)(ns - g->ns0);
}

int npf_txgen_open(
	const struct npf_txgen_port_conf *conf, struct npf_txgen **gp, struct npf_error *err)
{
	struct npf_txgen *g = calloc(1, sizeof(*g));
	uint16_t id;
	int rc = npf_txgen_job_init_tags();

	if (g == NULL || rc < 0) {
		free(g);
		return rc < 0 ? npf_error_set(err, rc, "no room for a tag in mbufs")
			      : npf_error_set(err, -ENOMEM, "out of memory");
	}
	g->conf = *conf;
	clock_pair(&g->tsc0, &g->ns0);
	RTE_ETH_FOREACH_DEV(id)
	{
		if (g->n_ports == NPF_TXGEN_MAXPORTS || rc < 0)
			break;
		rc = npf_txgen_port_open(&g->ports[g->n_ports++], id, conf, err);
	}
	if (rc == 0 && g->n_ports == 0) {
		rc = npf_error_set(err, -ENODEV,
			"no ports: name a device before '--', for example --vdev=net_null0 or "
			"-a 0000:3b:00.0");
	}
	if (rc < 0) {
		npf_txgen_close(g);
		return rc;
	}
	*gp = g;
	return 0;
}

struct npf_txgen *npf_txgen_close(struct npf_txgen *g)
{
	if (g == NULL)
		return NULL;
	npf_txgen_stop(g);
	npf_txgen_run_free(g->run);
	npf_eal_stop_interrupts();
	for (unsigned int i = 0; i < g->n_ports; i++)
		npf_txgen_port_close(&g->ports[i]);
	free(g);
	return NULL;
}

unsigned int npf_txgen_n_ports(const struct npf_txgen *g)
{
	return g->n_ports;
}

void npf_txgen_port_info(
	const struct npf_txgen *g, unsigned int i, struct npf_txgen_port_info *info)
{
	const struct npf_txgen_port *p = &g->ports[i];
	struct rte_eth_dev_info dev;
	struct rte_eth_link link = {0};

	*info = (struct npf_txgen_port_info){
		.started = p->started,
		.n_rxq = p->n_rxq,
		.n_txq = p->n_txq,
		.hw_csum = p->hw_csum,
	};
	snprintf(info->name, sizeof(info->name), "%s", p->name);
	memcpy(info->mac, p->mac.addr_bytes, 6);
	if (rte_eth_dev_info_get(p->id, &dev) == 0)
		snprintf(info->driver, sizeof(info->driver), "%s", dev.driver_name);
	if (p->started && rte_eth_link_get_nowait(p->id, &link) == 0) {
		info->up = link.link_status;
		info->speed = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	}
}

static int check_idle(struct npf_txgen *g, struct npf_error *err)
{
	if (npf_txgen_wait(g, 0))
		return 0;
	return npf_error_set(err, -EBUSY, "traffic is running: stop it first");
}

int npf_txgen_start_port(struct npf_txgen *g, unsigned int i, struct npf_error *err)
{
	int rc = check_idle(g, err);

	return rc < 0 ? rc : npf_txgen_port_start(&g->ports[i], err);
}

int npf_txgen_stop_port(struct npf_txgen *g, unsigned int i, struct npf_error *err)
{
	int rc = check_idle(g, err);

	return rc < 0 ? rc : npf_txgen_port_stop(&g->ports[i], err);
}

void npf_txgen_port_stats(const struct npf_txgen *g, unsigned int i, struct npf_txgen_port_stats *s)
{
	const struct rte_eth_stats *c = &g->ports[i].cleared;
	struct rte_eth_stats now = *c;

	rte_eth_stats_get(g->ports[i].id, &now);
	*s = (struct npf_txgen_port_stats){
		.rx_packets = now.ipackets - c->ipackets,
		.rx_bytes = now.ibytes - c->ibytes,
		.rx_missed = now.imissed - c->imissed,
		.rx_errors = now.ierrors - c->ierrors,
		.rx_nombuf = now.rx_nombuf - c->rx_nombuf,
		.tx_packets = now.opackets - c->opackets,
		.tx_bytes = now.obytes - c->obytes,
		.tx_errors = now.oerrors - c->oerrors,
	};
}

void npf_txgen_clear_port_stats(struct npf_txgen *g, unsigned int i)
{
	/* Remembered rather than reset: some drivers cannot reset. */
	rte_eth_stats_get(g->ports[i].id, &g->ports[i].cleared);
}

static int check_run(
	struct npf_txgen *g, const struct npf_txgen_run_conf *run, struct npf_error *err)
{
	bool sends =
		run->mode == NPF_TXGEN_TXONLY || run->mode == NPF_TXGEN_FLOWGEN || run->tx_first;
	int rc = check_idle(g, err);

	for (unsigned int i = 0; i < g->n_ports && rc == 0; i++) {
		const struct npf_txgen_port *p = &g->ports[i];

		if (!p->started) {
			rc = npf_error_set(err, -EINVAL, "port %u is stopped: port start %u", i, i);
		} else if (sends && g->conf.link_wait_ns > 0) {
			rc = npf_txgen_port_wait_link(p, g->conf.link_wait_ns, err);
		}
		if (rc == 0 && sends && run->rate.kind == NPF_RATE_PERCENT &&
			npf_txgen_port_speed(p) == 0) {
			rc = npf_error_set(err, -EINVAL,
				"port %u does not tell its link's speed: give the rate in bps or "
				"pps",
				i);
		}
	}
	if (rc == 0 && sends && run->n_tmpls == 0 && run->savefile == NULL) {
		rc = npf_error_set(err, -EINVAL, "no packets to send");
	}
	if (rc == 0 && (run->burst == 0 || run->burst > NPF_TXGEN_BURST_MAX)) {
		rc = npf_error_set(
			err, -EINVAL, "a burst has 1 to %d packets", NPF_TXGEN_BURST_MAX);
	}
	if (rc == 0 && run->rate.kind == NPF_RATE_ORIGINAL && run->savefile == NULL) {
		rc = npf_error_set(
			err, -EINVAL, "the original timing is that of a savefile: --pcap");
	}
	return rc;
}

int npf_txgen_start(
	struct npf_txgen *g, const struct npf_txgen_run_conf *run, struct npf_error *err)
{
	int rc = check_run(g, run, err);

	if (rc < 0)
		return rc;
	g->run = npf_txgen_run_free(g->run);
	return npf_txgen_run_start(&g->run, g->ports, g->n_ports, run, measure_hz(g), err);
}

bool npf_txgen_wait(struct npf_txgen *g, uint64_t timeout_ns)
{
	uint64_t end = npf_clock_monotonic() + timeout_ns;

	while (g->run != NULL && !atomic_load_explicit(&g->run->over, memory_order_acquire)) {
		if (npf_clock_monotonic() >= end)
			return false;
		usleep(1000);
	}
	return true;
}

void npf_txgen_request_stop(struct npf_txgen *g)
{
	struct npf_txgen_run *r = g->run;

	if (r != NULL)
		atomic_store_explicit(&r->stop_asked, true, memory_order_relaxed);
}

void npf_txgen_stop(struct npf_txgen *g)
{
	npf_txgen_request_stop(g);
	npf_txgen_wait(g, UINT64_MAX / 2);
}

void npf_txgen_result(struct npf_txgen *g, struct npf_txgen_result *r)
{
	*r = (struct npf_txgen_result){0};
	if (g->run != NULL)
		npf_txgen_run_result(g->run, r);
}
