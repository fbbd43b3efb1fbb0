/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txgen_live.c - figures while traffic runs: a table in place on a terminal, else a line (or CSV
 * line) each period. Rates are those of the last period; a period's counters are differences of
 * the running totals, so none is lost or counted twice.
 */
#include "txgen.h"

#include "base/clock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct npf_gen *volatile signalled; /* whose run a signal ends */
static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	struct npf_gen *g = signalled;

	got_signal = sig;
	if (g)
		npf_gen_stop_soon(g);
	npf_gen_attach_stop();
}

void txgen_catch_signals(struct txgen *tx)
{
	struct sigaction sa = {.sa_handler = on_signal};

	got_signal = 0;
	signalled = tx->gen;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool txgen_interrupted(void)
{
	return got_signal;
}

struct rates {
	double tx_pps, tx_l1, tx_l2, rx_pps, rx_l1, rx_l2;
};

static void rates_of(struct rates *x, const struct npf_port_result *now,
	const struct npf_port_result *was, double s)
{
	double txp = (double)(now->tx_packets - was->tx_packets) / s;
	double txb = (double)(now->tx_bytes - was->tx_bytes) / s;
	double rxp = (double)(now->rx_packets - was->rx_packets) / s;
	double rxb = (double)(now->rx_bytes - was->rx_bytes) / s;

	*x = (struct rates){
		.tx_pps = txp,
		.tx_l2 = txb * 8,
		.tx_l1 = (txb + txp * NPF_WIRE_L1_EXTRA) * 8,
		.rx_pps = rxp,
		.rx_l2 = rxb * 8,
		.rx_l1 = (rxb + rxp * NPF_WIRE_L1_EXTRA) * 8,
	};
}

static void show_table(
	FILE *f, const struct npf_result *now, const struct npf_result *was, double s, bool again)
{
	if (again) /* back over the table shown before */
		fprintf(f, "\033[%uA", now->n_ports + 2);
	fprintf(f, "\033[K%-4s %-16s %12s %12s %12s %12s %12s %12s\n", "port", "device", "tx pps",
		"tx L1 Mb/s", "tx L2 Mb/s", "rx pps", "rx L1 Mb/s", "dropped");
	for (unsigned int i = 0; i < now->n_ports; i++) {
		const struct npf_port_result *p = &now->port[i];
		struct rates x;

		rates_of(&x, p, &was->port[i], s);
		fprintf(f, "\033[K%-4u %-16.16s %12.0f %12.1f %12.1f %12.0f %12.1f %12" PRIu64 "\n",
			i, p->name, x.tx_pps, x.tx_l1 / 1e6, x.tx_l2 / 1e6, x.rx_pps, x.rx_l1 / 1e6,
			p->tx_drop + p->rx_missed);
	}
	fprintf(f, "\033[K%.0f s\n", now->seconds);
	fflush(f);
}

static void show_lines(
	FILE *f, const struct npf_result *now, const struct npf_result *was, double s)
{
	for (unsigned int i = 0; i < now->n_ports; i++) {
		struct rates x;

		rates_of(&x, &now->port[i], &was->port[i], s);
		fprintf(f,
			"%8.1f s  port %u  tx %.0f pps  L1 %.0f bit/s  L2 %.0f bit/s  "
			"rx %.0f pps  L1 %.0f bit/s  dropped %" PRIu64 "\n",
			now->seconds, i, x.tx_pps, x.tx_l1, x.tx_l2, x.rx_pps, x.rx_l1,
			now->port[i].tx_drop + now->port[i].rx_missed);
	}
	fflush(f);
}

void txgen_watch(struct txgen *tx, FILE *f)
{
	static struct npf_result now, was;
	uint64_t period = (uint64_t)(tx->period * 1e9);
	uint64_t next = npf_clock_monotonic() + period, last = npf_clock_monotonic();
	bool table = isatty(fileno(f)), again = false;

	/* JSON is one object at the end; figures before it would spoil it. */
	if (!period || (tx->output == TXGEN_JSON && !tx->output_file)) {
		npf_gen_wait(tx->gen, UINT64_MAX / 2);
		return;
	}
	npf_gen_result(tx->gen, &was);
	if (tx->output == TXGEN_CSV)
		npf_result_csv_head(f);
	for (;;) {
		uint64_t at = npf_clock_monotonic();

		if (npf_gen_wait(tx->gen, next > at ? next - at : 0))
			return;
		at = npf_clock_monotonic();
		npf_gen_result(tx->gen, &now);
		if (tx->output == TXGEN_CSV)
			npf_result_csv(f, &now);
		else if (table)
			show_table(f, &now, &was, (double)(at - last) / 1e9, again);
		else
			show_lines(f, &now, &was, (double)(at - last) / 1e9);
		again = true;
		was = now;
		last = at;
		next += period;
	}
}
