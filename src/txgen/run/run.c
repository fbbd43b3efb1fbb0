/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - workers and the end of a run.
 *
 * A worker is an lcore, or, when the main lcore is the only one, a thread beside it on the same
 * CPU, registered with the EAL so that mempool caches work. All workers make their first packets,
 * then the begin is set a little ahead: nothing leaves before it, and everything leaves on schedule
 * from the first packet. A monitor thread looks every other millisecond whether all is sent and,
 * when it is checked, received.
 *
 * Order at the begin and the end: t0 is released after the jobs are complete and acquired by each
 * worker; a job's `done` is released after its last packet. Joining the workers orders all else.
 */
#include "txgen/run/run.h"

#include "base/clock.h"

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <string.h>

#define TICK_US   2000
#define STALL_NS  (5 * NPF_NS_PER_S)
#define SETTLE_NS (100 * NPF_NS_PER_MS) /* how long ports may take to count what they took */
#define LEAD_NS   200000                /* from setting the begin to the begin */

static int work(void *arg)
{
	struct npf_txgen_worker *w = arg;
	struct npf_txgen_run *r = w->run;
	uint64_t t0;

	for (unsigned int i = 0; i < w->n_jobs; i++) {
		if (w->jobs[i].kind == NPF_TXGEN_JOB_TX)
			npf_txgen_tx_job_prime(w->jobs[i].job);
	}
	atomic_fetch_add_explicit(&r->n_ready, 1, memory_order_release);
	while ((t0 = atomic_load_explicit(&r->t0, memory_order_acquire)) == 0)
		rte_pause();
	for (unsigned int i = 0; i < w->n_jobs; i++) {
		if (w->jobs[i].kind == NPF_TXGEN_JOB_TX)
			npf_txgen_run_set_begin(r, w->jobs[i].job, t0);
	}
	while (rte_rdtsc() < t0)
		rte_pause();
	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		for (unsigned int i = 0; i < w->n_jobs; i++) {
			switch (w->jobs[i].kind) {
			case NPF_TXGEN_JOB_TX:
				npf_txgen_tx_job_poll(w->jobs[i].job);
				break;
			case NPF_TXGEN_JOB_RX:
				npf_txgen_rx_job_poll(w->jobs[i].job);
				break;
			default:
				npf_txgen_fwd_job_poll(w->jobs[i].job);
			}
		}
	}
	return 0;
}

static void *work_thread(void *arg)
{
	rte_thread_register();
	work(arg);
	rte_thread_unregister();
	return NULL;
}

/* ---- The end ---- */

struct sums {
	uint64_t tx, full, rx, matched, last_rx;
	bool done;
};

static void add_up(const struct npf_txgen_run *r, struct sums *s)
{
	*s = (struct sums){.done = true};
	for (unsigned int i = 0; i < r->n_tx; i++) {
		s->tx += npf_txgen_counter_get(&r->tx[i].packets);
		s->full += npf_txgen_counter_get(&r->tx[i].full);
		if (!atomic_load_explicit(&r->tx[i].done, memory_order_acquire))
			s->done = false;
	}
	for (unsigned int i = 0; i < r->n_rx; i++) {
		s->rx += npf_txgen_counter_get(&r->rx[i].packets);
		s->matched += npf_txgen_counter_get(&r->rx[i].matched);
		s->last_rx = NPF_MAX(s->last_rx, npf_txgen_counter_get(&r->rx[i].last_tsc));
	}
}

/* All is sent: has all come back, or has nothing come for long enough? */
static bool is_drained(const struct npf_txgen_run *r, const struct sums *s, uint64_t now)
{
	uint64_t since = atomic_load_explicit(&r->t0, memory_order_relaxed);
	uint64_t wait = (uint64_t)((double)r->conf.drain_ns * r->hz / 1e9);

	if ((r->conf.savefile != NULL ? s->rx : s->matched) >= s->tx)
		return true;
	for (unsigned int i = 0; i < r->n_tx; i++)
		since = NPF_MAX(since, npf_txgen_counter_get(&r->tx[i].end_tsc));
	return now > NPF_MAX(since, s->last_rx) + wait;
}

static bool is_over(struct npf_txgen_run *r, const struct sums *s, uint64_t begin)
{
	const struct npf_txgen_run_conf *c = &r->conf;

	if (atomic_load_explicit(&r->stop_asked, memory_order_relaxed))
		return true;
	if (c->mode == NPF_TXGEN_TXONLY || c->mode == NPF_TXGEN_FLOWGEN)
		return s->done && (!c->check || is_drained(r, s, rte_rdtsc()));
	if (c->duration_ns > 0 && npf_clock_monotonic() - begin >= c->duration_ns)
		return true;
	return c->count > 0 && c->mode == NPF_TXGEN_RXONLY && s->rx >= c->count;
}

static void join(struct npf_txgen_run *r)
{
	atomic_store_explicit(&r->stop, true, memory_order_relaxed);
	for (unsigned int i = 0; i < r->n_workers; i++) {
		if (r->workers[i].is_thread)
			pthread_join(r->workers[i].thread, NULL);
		else
			rte_eal_wait_lcore(r->workers[i].lcore);
	}
	r->t_end = rte_rdtsc();
}

/* What is still in a port's queue will be counted in a moment. */
static void await_counts(const struct npf_txgen_run *r)
{
	uint64_t end = npf_clock_monotonic() + SETTLE_NS;

	for (unsigned int i = 0; i < r->n_ports; i++) {
		while (npf_txgen_run_unsent(r, i) > 0 && npf_clock_monotonic() < end)
			usleep(TICK_US);
	}
}

static void *monitor(void *arg)
{
	struct npf_txgen_run *r = arg;
	uint64_t begin = npf_clock_monotonic(), moved = begin, last_tx = 0, last_full = 0;
	struct sums s;

	for (;;) {
		uint64_t now;

		usleep(TICK_US);
		add_up(r, &s);
		if (is_over(r, &s, begin))
			break;
		now = npf_clock_monotonic();
		if (s.tx != last_tx || s.full == last_full || s.done) {
			moved = now;
			last_tx = s.tx;
			last_full = s.full;
		} else if (now - moved > STALL_NS) {
			r->stalled = true;
			break;
		}
	}
	join(r);
	await_counts(r);
	atomic_store_explicit(&r->over, true, memory_order_release);
	return NULL;
}

/* ---- The begin ---- */

/* Deal the jobs out: sending first, so that receiving gets workers of its own when it can. */
static int deal(struct npf_txgen_run *r)
{
	unsigned int n = r->n_tx + r->n_rx + r->n_fwd, k = 0;

	for (unsigned int i = 0; i < r->n_workers; i++) {
		r->workers[i].jobs = calloc(n + 1, sizeof(struct npf_txgen_job));
		if (r->workers[i].jobs == NULL)
			return -ENOMEM;
	}
	for (unsigned int i = 0; i < n; i++, k++) {
		struct npf_txgen_worker *w = &r->workers[k % r->n_workers];
		struct npf_txgen_job *j = &w->jobs[w->n_jobs++];

		if (i < r->n_tx)
			*j = (struct npf_txgen_job){NPF_TXGEN_JOB_TX, &r->tx[i]};
		else if (i < r->n_tx + r->n_rx)
			*j = (struct npf_txgen_job){NPF_TXGEN_JOB_RX, &r->rx[i - r->n_tx]};
		else
			*j = (struct npf_txgen_job){
				NPF_TXGEN_JOB_FWD, &r->fwd[i - r->n_tx - r->n_rx]};
	}
	return 0;
}

static void choose_workers(struct npf_txgen_run *r)
{
	unsigned int want = r->n_tx + r->n_rx + r->n_fwd, lcore;

	if (r->conf.n_cores > 0)
		want = NPF_MIN(want, r->conf.n_cores);
	want = NPF_MIN(want, (unsigned int)NPF_TXGEN_MAXWORKERS);
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (r->n_workers < want)
			r->workers[r->n_workers++] = (struct npf_txgen_worker){.lcore = lcore};
	}
	if (r->n_workers == 0)
		r->workers[r->n_workers++] = (struct npf_txgen_worker){.is_thread = true};
	for (unsigned int i = 0; i < r->n_workers; i++)
		r->workers[i].run = r;
}

static int launch(struct npf_txgen_run *r, struct npf_error *err)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < r->n_workers && rc == 0; i++) {
		struct npf_txgen_worker *w = &r->workers[i];

		if (w->is_thread)
			rc = -pthread_create(&w->thread, NULL, work_thread, w);
		else
			rc = rte_eal_remote_launch(work, w, w->lcore);
	}
	if (rc < 0) {
		npf_error_set(err, rc, "a worker does not start: %s", strerror(-rc));
		r->n_workers = i - 1;
		atomic_store_explicit(&r->stop, true, memory_order_relaxed);
		atomic_store_explicit(&r->t0, 1, memory_order_release);
		join(r);
		return rc;
	}
	while (atomic_load_explicit(&r->n_ready, memory_order_acquire) < r->n_workers)
		usleep(50);
	atomic_store_explicit(
		&r->t0, rte_rdtsc() + (uint64_t)(LEAD_NS * r->hz / 1e9), memory_order_release);
	rc = -pthread_create(&r->monitor, NULL, monitor, r);
	if (rc < 0) {
		npf_error_set(err, rc, "no thread to watch the run: %s", strerror(-rc));
		join(r);
		return rc;
	}
	r->has_monitor = true;
	return 0;
}

int npf_txgen_run_start(struct npf_txgen_run **rp, struct npf_txgen_port *ports,
	unsigned int n_ports, const struct npf_txgen_run_conf *conf, double hz,
	struct npf_error *err)
{
	static uint8_t last_id;
	struct npf_txgen_run *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	r->conf = *conf;
	r->ports = ports;
	r->n_ports = n_ports;
	r->hz = hz;
	r->id = ++last_id;
	rc = npf_txgen_run_make_jobs(r, err);
	if (rc == 0) {
		choose_workers(r);
		rc = deal(r);
	}
	for (unsigned int i = 0; i < n_ports; i++)
		r->counts[i] = rte_eth_stats_get(ports[i].id, &r->before[i]) == 0;
	if (rc == 0)
		rc = launch(r, err);
	if (rc < 0) {
		npf_txgen_run_free(r);
		return rc;
	}
	*rp = r;
	return 0;
}

struct npf_txgen_run *npf_txgen_run_free(struct npf_txgen_run *r)
{
	if (r == NULL)
		return NULL;
	if (r->has_monitor)
		pthread_join(r->monitor, NULL);
	for (unsigned int i = 0; i < r->n_tx; i++)
		npf_txgen_tx_job_fini(&r->tx[i]);
	for (unsigned int i = 0; i < r->n_rx; i++) {
		for (unsigned int s = 0; r->rx[i].tracks != NULL && s < r->rx[i].n_streams; s++)
			free(r->rx[i].tracks[s]);
		free(r->rx[i].tracks);
		free(r->rx[i].latency);
	}
	for (unsigned int i = 0; i < r->n_workers; i++)
		free(r->workers[i].jobs);
	free(r->tx);
	free(r->rx);
	free(r->fwd);
	free(r);
	return NULL;
}
