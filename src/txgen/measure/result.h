/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result.h - the result of a run: what was sent, received and measured.
 */
#ifndef NPF_TXGEN_MEASURE_RESULT_H
#define NPF_TXGEN_MEASURE_RESULT_H

#include "txgen/measure/hist.h"
#include "txgen/measure/pace.h"

#include <stdio.h>

#define NPF_TXGEN_MAXPORTS 32
#define NPF_TXGEN_NAMELEN  64

/* Of one port, since the run began. Bytes are of frames without FCS. */
struct npf_txgen_port_result {
	char name[NPF_TXGEN_NAMELEN];
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_full;  /* times that the port did not take all it was offered at once */
	uint64_t tx_drop;  /* forwarding modes: packets the port did not take, dropped */
	uint64_t tx_lost;  /* taken from us, but not sent by the port's own count; not in tx_packets
			    */
	bool tx_uncounted; /* it has sent for us, and its own count can't be read */
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t rx_missed; /* the port's own count: no descriptor or no mbuf, errors included */
};

/* A distribution of times, ns. All zero when nothing was measured. */
struct npf_txgen_times {
	uint64_t n;
	double min, avg, p50, p99, p999, max;
};

struct npf_txgen_result {
	double seconds; /* from the first packet's due time to the end of sending (or receiving) */
	unsigned int n_ports;
	struct npf_txgen_port_result port[NPF_TXGEN_MAXPORTS];

	bool paced;
	uint64_t planned; /* packets that were to be sent; 0: not known beforehand */
	uint64_t sent;    /* taken by ports; by generation, not forwarding */
	struct npf_txgen_times
		pacing;              /* |distance of two departures - distance due|, of one queue */
	struct npf_txgen_times late; /* departure after due time */

	bool checked;      /* the receiving side was watched */
	bool by_sequence;  /* packets bore numbers; else only counts are compared */
	uint64_t received; /* of those sent, each counted once */
	uint64_t lost;
	uint64_t reordered;
	uint64_t max_extent; /* of reordering, packets (RFC 4737) */
	uint64_t duplicates;
	uint64_t stale;   /* too late to be told from duplicates */
	uint64_t foreign; /* received, but not of this run */
	struct npf_txgen_times latency;
	double jitter_ns; /* RFC 3550's, of the last packets */

	bool generated; /* the run was to send of its own accord */
	bool stopped;   /* by the user, before it was done */
	bool stalled;   /* a port took nothing for too long */
	bool behind;    /* the rate was not reached */
};

struct npf_txgen_limits {
	double max_loss; /* percent */
	bool allow_reorder;
};

/* The quantiles of a histogram of cycles, in ns. */
void npf_txgen_times_from(struct npf_txgen_times *t, const struct npf_txgen_hist *h, double hz);

struct npf_txgen_result_totals {
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
	uint64_t drops; /* by ports, tx_lost included */
	uint64_t tx_lost;
	bool uncounted; /* a port's tx_uncounted */
};
void npf_txgen_result_totals(const struct npf_txgen_result *r, struct npf_txgen_result_totals *t);

double npf_txgen_result_loss(const struct npf_txgen_result *r); /* percent of those sent */

/*
 * npf_txgen_result_passed - was all that was asked for sent, and is there evidence of it?
 *
 * Where the receiving side was watched: packets have come, and are missing within limits. Where
 * not: by the ports' own counters all packets that they took have left.
 */
bool npf_txgen_result_passed(const struct npf_txgen_result *r, const struct npf_txgen_limits *l);

/* For people, a few lines; for programs, a JSON object; CSV, a heading and one line a port. */
void npf_txgen_result_print(
	FILE *f, const struct npf_txgen_result *r, const struct npf_txgen_limits *l);
int npf_txgen_result_json(
	FILE *f, const struct npf_txgen_result *r, const struct npf_txgen_limits *l);
void npf_txgen_result_csv_head(FILE *f);
void npf_txgen_result_csv(FILE *f, const struct npf_txgen_result *r);

#endif
