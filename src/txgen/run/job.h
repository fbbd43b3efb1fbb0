/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * job.h - the work of the workers. A job is one tx queue to fill, one port to receive from, or one
 * queue to forward. Each job belongs to one worker, which polls its jobs in turn.
 *
 * A job's counters are written by its worker alone and may be read by any thread at any time. The
 * other members are read by other threads only after the worker has ended.
 */
#ifndef NPF_TXGEN_RUN_JOB_H
#define NPF_TXGEN_RUN_JOB_H

#include "txgen/run/txgen.h"
#include "txgen/program/source.h"
#include "txgen/measure/track.h"

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <stdatomic.h>

#define NPF_TXGEN_RX_BURST 64

/* Single writer, so a plain addition and a relaxed store do. */
static inline void npf_txgen_counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t npf_txgen_counter_get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* The mbuf members that a program sets, the same for all its packets. */
struct npf_txgen_job_meta {
	uint32_t tag; /* marks mbufs that hold the program's image; never 0 */
	uint64_t ol_flags;
	uint64_t tx_offload;
};

struct npf_txgen_tx_job {
	uint16_t port, queue;
	uint8_t stream, run; /* of signatures */
	unsigned int burst;
	bool sign;
	bool paced;
	bool original; /* the savefile's timing */
	uint32_t mtu;  /* of the port; 0: it has none */
	struct rte_mempool *pool;
	struct npf_txgen_source *source;
	const struct npf_savefile *savefile;
	struct npf_txgen_job_meta *meta; /* one per program of the source */
	uint64_t rearm;                  /* first words of every mbuf */
	uint64_t left;                   /* packets still to be made */
	uint64_t t0;                     /* cycle of the run's begin */
	uint64_t end;                    /* cycle at which sending ends; UINT64_MAX: none */
	uint64_t give_up;     /* how long after its end what is late may still leave, cycles */
	double cycles_per_ns; /* ORIGINAL: the file's ns to cycles, its factor included */
	struct npf_txgen_pace pace;

	/* Packets made and not yet sent: from head to n_made; the first n_due may go. */
	unsigned int head, n_made, n_due;
	struct rte_mbuf *pkts[NPF_TXGEN_BURST_MAX];
	uint64_t sum[NPF_TXGEN_BURST_MAX];
	uint64_t due[NPF_TXGEN_BURST_MAX]; /* ORIGINAL: cycles after the begin */
	uint16_t len[NPF_TXGEN_BURST_MAX];
	uint16_t prog[NPF_TXGEN_BURST_MAX];

	uint64_t last_due, last_sent; /* of the packet before; 0: none yet */
	struct npf_txgen_hist *off;   /* paced: |distance of departures - distance due|, cycles */
	struct npf_txgen_hist *late;  /* paced: departure after due time, cycles */

	_Atomic bool done;
	_Atomic uint64_t packets __attribute__((aligned(NPF_CACHELINE)));
	_Atomic uint64_t bytes;
	_Atomic uint64_t full;
	_Atomic uint64_t end_tsc; /* when it was done */
	bool behind;
};

struct npf_txgen_rx_job {
	uint16_t port, n_queues;
	uint8_t run;
	bool check;
	unsigned int n_streams;
	struct npf_txgen_track **tracks; /* n_streams */
	struct npf_txgen_hist *latency;  /* cycles */
	uint64_t last_latency;
	uint64_t jitter; /* 1/16 cycles */
	_Atomic uint64_t packets __attribute__((aligned(NPF_CACHELINE)));
	_Atomic uint64_t bytes;
	_Atomic uint64_t matched;  /* signed packets of this run */
	_Atomic uint64_t last_tsc; /* of the last packet received */
};

struct npf_txgen_fwd_job {
	uint16_t rx_port, rx_queue;
	uint16_t tx_port, tx_queue;
	unsigned int burst;
	bool swap;
	_Atomic uint64_t rx_packets __attribute__((aligned(NPF_CACHELINE)));
	_Atomic uint64_t rx_bytes;
	_Atomic uint64_t tx_packets;
	_Atomic uint64_t tx_bytes;
	_Atomic uint64_t dropped;
};

/* Register the mbuf field that holds the tag of the image; once. Return: 0 or -errno. */
int npf_txgen_job_init_tags(void);
extern int npf_txgen_job_tag_offset;

/* A writer of the packet's bytes sets the tag to 0. */
static inline uint32_t *npf_txgen_job_tag(struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, npf_txgen_job_tag_offset, uint32_t *);
}

/* Make the job's source and check that its packets fit the pool and the port's MTU. */
int npf_txgen_tx_job_init(struct npf_txgen_tx_job *j, const struct npf_txgen_source_conf *conf,
	struct npf_error *err);
void npf_txgen_tx_job_fini(struct npf_txgen_tx_job *j);

/* Make the first packets, so that they are there when the run begins. */
void npf_txgen_tx_job_prime(struct npf_txgen_tx_job *j);

/* One turn each. Context: the job's worker. */
void npf_txgen_tx_job_poll(struct npf_txgen_tx_job *j);
void npf_txgen_rx_job_poll(struct npf_txgen_rx_job *j);
void npf_txgen_fwd_job_poll(struct npf_txgen_fwd_job *j);

#endif
