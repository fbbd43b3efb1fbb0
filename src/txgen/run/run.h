/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.h - one run of the generator: its jobs, the workers that do them, and the thread that notices
 * its end.
 */
#ifndef NPF_TXGEN_RUN_RUN_H
#define NPF_TXGEN_RUN_RUN_H

#include "txgen/run/job.h"
#include "txgen/run/ports.h"

#include <pthread.h>

#define NPF_TXGEN_MAXWORKERS 128

enum npf_txgen_job_kind {
	NPF_TXGEN_JOB_TX,
	NPF_TXGEN_JOB_RX,
	NPF_TXGEN_JOB_FWD,
};

struct npf_txgen_job {
	enum npf_txgen_job_kind kind;
	void *job;
};

struct npf_txgen_worker {
	struct npf_txgen_run *run;
	struct npf_txgen_job *jobs; /* n_jobs; owned */
	unsigned int n_jobs;
	unsigned int lcore; /* or LCORE_ID_ANY: a thread of its own */
	pthread_t thread;
	bool is_thread;
};

struct npf_txgen_run {
	struct npf_txgen_run_conf conf;
	struct npf_txgen_port *ports;
	unsigned int n_ports;
	double hz; /* of the time stamp counter */
	uint8_t id;

	struct npf_txgen_tx_job *tx; /* n_tx */
	struct npf_txgen_rx_job *rx; /* n_rx */
	struct npf_txgen_fwd_job *fwd;
	unsigned int n_tx, n_rx, n_fwd;
	struct npf_txgen_worker workers[NPF_TXGEN_MAXWORKERS];
	unsigned int n_workers;
	struct rte_eth_stats before[NPF_TXGEN_MAXPORTS]; /* the ports' counters at the start */
	bool counts[NPF_TXGEN_MAXPORTS];                 /* the counters can be read */

	_Atomic unsigned int n_ready; /* workers that have made their first packets */
	_Atomic uint64_t t0;          /* cycle of the begin; 0: not yet known */
	_Atomic bool stop;            /* workers end */
	_Atomic bool stop_asked;      /* by the user */
	_Atomic bool over;
	bool stalled;
	uint64_t t_end; /* cycle at which the last worker had ended */
	pthread_t monitor;
	bool has_monitor;
};

/* Return: 0 or -errno with a text in err; on failure nothing is left behind. */
int npf_txgen_run_start(struct npf_txgen_run **rp, struct npf_txgen_port *ports,
	unsigned int n_ports, const struct npf_txgen_run_conf *conf, double hz,
	struct npf_error *err);
/* The run must be over. Return: NULL. */
struct npf_txgen_run *npf_txgen_run_free(struct npf_txgen_run *r);

/* Make the run's jobs (jobs.c); freed by npf_txgen_run_free(). */
int npf_txgen_run_make_jobs(struct npf_txgen_run *r, struct npf_error *err);
/* Set the schedule of a tx job, once the run's begin is known. */
void npf_txgen_run_set_begin(struct npf_txgen_run *r, struct npf_txgen_tx_job *j, uint64_t t0);

/* Packets that port i took from the run's jobs and does not count as sent (yet). */
uint64_t npf_txgen_run_unsent(const struct npf_txgen_run *r, unsigned int i);

void npf_txgen_run_result(const struct npf_txgen_run *r, struct npf_txgen_result *res);

#endif
