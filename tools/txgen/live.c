/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live.c - figures while traffic runs: a table in place on a terminal, else a line (or CSV
 * line) each period. Rates are those of the last period; a period's counters are differences of
 * the running totals, so none is lost or counted twice. A terminal too narrow for all columns is
 * shown the most wanted ones, one too low the first ports.
 */
#include "common/screen.h"
#include "txgen/txgen.h"

#include "base/clock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAXWAIT_NS (500 * NPF_NS_PER_MS) /* until a resize is seen */

static struct npf_txgen *volatile signalled; /* whose run a signal ends */
static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	struct npf_txgen *g = signalled;

	got_signal = sig;
	if (g != NULL)
		npf_txgen_request_stop(g);
	npf_txgen_request_attach_stop();
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

static void rates_of(struct rates *x, const struct npf_txgen_port_result *now,
	const struct npf_txgen_port_result *was, double s)
{
	double txp = (double)(now->tx_packets - was->tx_packets) / s;
	double txb = (double)(now->tx_bytes - was->tx_bytes) / s;
	double rxp = (double)(now->rx_packets - was->rx_packets) / s;
	double rxb = (double)(now->rx_bytes - was->rx_bytes) / s;

	*x = (struct rates){
		.tx_pps = txp,
		.tx_l2 = txb * 8,
		.tx_l1 = (txb + txp * NPF_RATE_L1_OVERHEAD) * 8,
		.rx_pps = rxp,
		.rx_l2 = rxb * 8,
		.rx_l1 = (rxb + rxp * NPF_RATE_L1_OVERHEAD) * 8,
	};
}

/* What is shown, kept to be painted again after a resize. */
struct live {
	struct screen screen;
	struct npf_txgen_result now, was;
	double seconds; /* between them */
};

enum column {
	PORT,
	DEVICE,
	TX_PPS,
	TX_L1,
	TX_L2,
	RX_PPS,
	RX_L1,
	DROPPED,
	N_COLUMNS
};

static const struct {
	const char *title;
	int width; /* below 0: to the left */
} columns[N_COLUMNS] = {
	[PORT] = {"port", -4},
	[DEVICE] = {"device", -16},
	[TX_PPS] = {"tx pps", 10},
	[TX_L1] = {"tx L1 Mb/s", 10},
	[TX_L2] = {"tx L2 Mb/s", 10},
	[RX_PPS] = {"rx pps", 10},
	[RX_L1] = {"rx L1 Mb/s", 10},
	[DROPPED] = {"dropped", 12},
};

typedef char cells[N_COLUMNS][32];

/* A bit for each column that a terminal of this width has room for. */
static unsigned int fitting_columns(unsigned int terminal)
{
	static const enum column least_wanted[] = {TX_L2, RX_L1, TX_L1, DEVICE, RX_PPS, DROPPED};
	unsigned int shown = ~0u, width = 0;

	for (unsigned int c = 0; c < N_COLUMNS; c++)
		width += (unsigned int)abs(columns[c].width) + 1;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(least_wanted) && width > terminal; i++) {
		shown &= ~(1u << least_wanted[i]);
		width -= (unsigned int)abs(columns[least_wanted[i]].width) + 1;
	}
	return shown;
}

static void paint_line(struct live *l, unsigned int shown, cells text)
{
	char line[N_COLUMNS * sizeof(text[0])];
	size_t n = 0;

	for (unsigned int c = 0; c < N_COLUMNS; c++)
		if ((shown & 1u << c) != 0)
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%*s", n > 0 ? " " : "",
				columns[c].width, text[c]);
	screen_line(&l->screen, line);
}

static void paint_port(struct live *l, unsigned int shown, unsigned int i)
{
	const struct npf_txgen_port_result *p = &l->now.port[i];
	struct rates x;
	cells text;

	rates_of(&x, p, &l->was.port[i], l->seconds);
	snprintf(text[PORT], sizeof(text[0]), "%u", i);
	snprintf(text[DEVICE], sizeof(text[0]), "%.16s", p->name);
	snprintf(text[TX_PPS], sizeof(text[0]), "%.0f", x.tx_pps);
	snprintf(text[TX_L1], sizeof(text[0]), "%.1f", x.tx_l1 / 1e6);
	snprintf(text[TX_L2], sizeof(text[0]), "%.1f", x.tx_l2 / 1e6);
	snprintf(text[RX_PPS], sizeof(text[0]), "%.0f", x.rx_pps);
	snprintf(text[RX_L1], sizeof(text[0]), "%.1f", x.rx_l1 / 1e6);
	snprintf(text[DROPPED], sizeof(text[0]), "%" PRIu64, p->tx_drop + p->rx_missed);
	paint_line(l, shown, text);
}

static void paint(struct live *l)
{
	unsigned int n = l->now.n_ports, room, shown;
	char line[96];
	cells titles;

	screen_begin(&l->screen);
	room = screen_room(&l->screen);
	shown = fitting_columns(l->screen.columns);
	n = NPF_MIN(n, room > 2 ? room - 2 : 0);
	for (unsigned int c = 0; c < N_COLUMNS; c++)
		snprintf(titles[c], sizeof(titles[c]), "%s", columns[c].title);
	paint_line(l, shown, titles);
	for (unsigned int i = 0; i < n; i++)
		paint_port(l, shown, i);
	if (n < l->now.n_ports)
		snprintf(line, sizeof(line), "%.0f s, %u more ports: the terminal is too low",
			l->now.seconds, l->now.n_ports - n);
	else
		snprintf(line, sizeof(line), "%.0f s", l->now.seconds);
	screen_line(&l->screen, line);
	screen_end(&l->screen);
}

static void show_lines(
	FILE *f, const struct npf_txgen_result *now, const struct npf_txgen_result *was, double s)
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
	static struct live l;
	uint64_t period = (uint64_t)(tx->period * 1e9);
	uint64_t next = npf_clock_monotonic() + period, last = npf_clock_monotonic();

	/* JSON is one object at the end; figures before it would spoil it. */
	if (period == 0 || (tx->output == TXGEN_JSON && tx->output_file == NULL)) {
		npf_txgen_wait(tx->gen, UINT64_MAX / 2);
		return;
	}
	screen_init(&l.screen, f);
	npf_txgen_result(tx->gen, &l.now);
	if (tx->output == TXGEN_CSV)
		npf_txgen_result_csv_head(f);
	for (;;) {
		uint64_t at = npf_clock_monotonic();
		uint64_t wait = next > at ? NPF_MIN(next - at, MAXWAIT_NS) : 0;
		bool over = npf_txgen_wait(tx->gen, wait);

		if (screen_is_resized(&l.screen))
			paint(&l);
		if (over)
			return;
		at = npf_clock_monotonic();
		if (at < next)
			continue;
		l.was = l.now;
		l.seconds = (double)(at - last) / 1e9;
		npf_txgen_result(tx->gen, &l.now);
		if (tx->output == TXGEN_CSV)
			npf_txgen_result_csv(f, &l.now);
		else if (l.screen.live)
			paint(&l);
		else
			show_lines(f, &l.now, &l.was, l.seconds);
		last = at;
		next += period;
	}
}
