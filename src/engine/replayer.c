/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replayer.c - the thread that reads a savefile ahead of the tap.
 *
 * One producer, one consumer, and a ring between them. A thread that finds the ring full or the
 * pool empty sleeps for a moment and looks again, so that the lcore never has to wake it. The end
 * of the file, or the damage, is told when the tap has taken everything before it.
 */
#include "engine/replayer.h"

#include "engine/log.h"
#include "engine/port.h"
#include "replay/trace.h"
#include "ringbuf/ring.h"

#include <pthread.h>
#include <rte_errno.h>
#include <rte_mbuf_dyn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define BURST      32
#define NAP_MIN_NS 50000u
#define NAP_STEPS  5 /* each twice as long as the one before: up to 1.6 ms */

struct npf_replayer {
	struct npf_replayer_conf conf;
	int file; /* kept open for npf_trace_open() */
	struct npf_trace *trace;
	struct rte_ring *ring;
	pthread_t thread;
	bool has_thread;
	uint64_t first; /* taken before this replay */
	_Atomic bool stop;
	/* the reading thread's: written by it alone while it runs */
	_Atomic int state;
	_Atomic uint64_t errors, too_long;
	char error[256]; /* before state says DAMAGED */
	unsigned int n_stock;
	struct rte_mbuf *stock[BURST];
	/* the tap's */
	_Atomic uint64_t packets __attribute__((aligned(NPF_CACHELINE)));
	_Atomic uint64_t bytes;
} __attribute__((aligned(NPF_CACHELINE)));

const char *const npf_replayer_state_names[NPF_REPLAYER_N_STATES] = {
	[NPF_REPLAYER_WAITING] = "waiting",
	[NPF_REPLAYER_RUNNING] = "running",
	[NPF_REPLAYER_ENDED] = "ended",
	[NPF_REPLAYER_DAMAGED] = "damaged",
	[NPF_REPLAYER_STOPPED] = "stopped",
};

/* A counter with one writer. */
static void count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- The reading thread ---- */

static bool is_stopped(const struct npf_replayer *r)
{
	return atomic_load_explicit(&r->stop, memory_order_relaxed);
}

/* Return: false: it is to stop. */
static bool nap(const struct npf_replayer *r, unsigned int *n_naps)
{
	unsigned int step = NPF_MIN(*n_naps, (unsigned int)NAP_STEPS);

	nanosleep(&(struct timespec){.tv_nsec = (long)(NAP_MIN_NS << step)}, NULL);
	++*n_naps;
	return !is_stopped(r);
}

/* Return: NULL: it is to stop. */
static struct rte_mbuf *take_mbuf(struct npf_replayer *r)
{
	unsigned int n_naps = 0;

	while (r->n_stock == 0) {
		if (rte_mempool_avail_count(r->conf.pool) >= r->conf.n_left + BURST &&
			rte_pktmbuf_alloc_bulk(r->conf.pool, r->stock, BURST) == 0)
			r->n_stock = BURST;
		else if (!nap(r, &n_naps))
			return NULL;
	}
	return r->stock[--r->n_stock];
}

/* The bytes of a packet in one mbuf or a chain of them. NULL: it is to stop. */
static struct rte_mbuf *fill(struct npf_replayer *r, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	while (len > 0 || head == NULL) {
		struct rte_mbuf *m = take_mbuf(r);

		if (m == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		m->data_len = (uint16_t)NPF_MIN(len, (uint32_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_mtod(m, void *), data, m->data_len);
		data += m->data_len;
		len -= m->data_len;
		if (head == NULL) {
			head = m;
		} else {
			last->next = m;
			head->nb_segs++;
		}
		last = m;
	}
	return head;
}

static void note_too_long(struct npf_replayer *r, const struct npf_trace_packet *p)
{
	if (atomic_load_explicit(&r->too_long, memory_order_relaxed) == 0)
		npf_warn("port %s: %s: packet %llu has %u bytes: of it, and of others as long, "
			 "the first %u are replayed",
			r->conf.port, r->conf.path, (unsigned long long)npf_trace_packets(r->trace),
			p->caplen, NPF_REC_MAXCAP);
	count(&r->too_long, 1);
}

/* Return: 1 and the next packet; else what npf_trace_next() does; -ECANCELED: it is to stop. */
static int read_packet(struct npf_replayer *r, struct rte_mbuf **mp)
{
	struct npf_trace_packet p;
	struct rte_mbuf *m;
	int rc = npf_trace_next(r->trace, &p);

	if (rc != 1)
		return rc;
	if (NPF_UNLIKELY(p.caplen > NPF_REC_MAXCAP))
		note_too_long(r, &p);
	m = fill(r, p.data, NPF_MIN(p.caplen, NPF_REC_MAXCAP));
	if (m == NULL)
		return -ECANCELED;
	m->pkt_len = p.len;
	m->ol_flags |= npf_port_stamp_flag;
	*RTE_MBUF_DYNFIELD(m, npf_port_stamp_offset, rte_mbuf_timestamp_t *) = p.ts_ns;
	*mp = m;
	return 1;
}

static void hand_over(struct npf_replayer *r, struct rte_mbuf **mbufs, unsigned int n)
{
	unsigned int done = 0, n_naps = 0;

	for (;;) {
		unsigned int put =
			rte_ring_sp_enqueue_burst(r->ring, (void **)(mbufs + done), n - done, NULL);

		done += put;
		if (done == n)
			return;
		if (put > 0)
			n_naps = 0;
		if (!nap(r, &n_naps))
			break;
	}
	rte_pktmbuf_free_bulk(mbufs + done, n - done);
}

static bool wait_taken(const struct npf_replayer *r)
{
	unsigned int n_naps = 0;

	while (!rte_ring_empty(r->ring))
		if (!nap(r, &n_naps))
			return false;
	return !is_stopped(r);
}

static void finish(struct npf_replayer *r, int rc)
{
	unsigned long long n = npf_trace_packets(r->trace);

	if (rc == 0) {
		npf_info("port %s: %s has ended after %llu packets", r->conf.port, r->conf.path, n);
	} else {
		snprintf(r->error, sizeof(r->error), "at packet %llu, byte %llu: %.190s", n + 1,
			(unsigned long long)npf_trace_offset(r->trace), npf_trace_error(r->trace));
		npf_err("port %s: %s is damaged %s; the replay ends there", r->conf.port,
			r->conf.path, r->error);
		count(&r->errors, 1);
	}
	/* F1: release, pairs with npf_replayer_report(): the error's text is whole before it is
	 * read. */
	atomic_store_explicit(&r->state, rc == 0 ? NPF_REPLAYER_ENDED : NPF_REPLAYER_DAMAGED,
		memory_order_release);
}

static void *read_ahead(void *arg)
{
	struct npf_replayer *r = arg;
	int rc = 1;

	prctl(PR_SET_TIMERSLACK, 1ul);
	prctl(PR_SET_NAME, "npf-replay");
	while (rc == 1 && !is_stopped(r)) {
		struct rte_mbuf *burst[BURST];
		unsigned int n = 0;

		while (n < BURST && (rc = read_packet(r, &burst[n])) == 1)
			n++;
		hand_over(r, burst, n);
	}
	rte_pktmbuf_free_bulk(r->stock, r->n_stock);
	r->n_stock = 0;
	if (rc != 1 && wait_taken(r))
		finish(r, rc);
	return NULL;
}

/* ---- Life ---- */

static int make_ring(struct npf_replayer *r)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "npf_file_%u_%u", r->conf.index, r->conf.queue);
	r->ring = rte_ring_create(name, r->conf.n_ahead, r->conf.socket_id,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	return r->ring != NULL ? 0 : -rte_errno;
}

/* Return: 0 or -errno with a text in err. */
static int open_trace(struct npf_replayer *r, struct npf_trace **tp, char *err)
{
	char why[NPF_TRACE_ERR];
	int rc = npf_trace_open(r->conf.path, r->file, tp, why);

	if (rc < 0) {
		snprintf(err, NPF_REPLAYED_ERR, "port %s: %s", r->conf.port, why);
		return rc;
	}
	if (npf_trace_linktype(*tp) == r->conf.linktype)
		return 0;
	snprintf(err, NPF_REPLAYED_ERR,
		"port %s: %.200s holds packets of another link type than when the port was opened: "
		"remove the port and add it again",
		r->conf.port, r->conf.path);
	*tp = npf_trace_close(*tp);
	return -EINVAL;
}

int npf_replayer_new(const struct npf_replayer_conf *conf, struct npf_replayer **rp, char *err)
{
	struct npf_replayer *r = aligned_alloc(NPF_CACHELINE, sizeof(*r));
	struct npf_trace *t;
	int rc;

	snprintf(err, NPF_REPLAYED_ERR, "port %s: out of memory", conf->port);
	if (r == NULL)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->conf = *conf;
	r->file = -1;
	rc = make_ring(r);
	if (rc == 0)
		rc = open_trace(r, &t, err);
	if (rc == 0) {
		r->file = npf_trace_dup(t);
		npf_trace_close(t);
		rc = r->file < 0 ? r->file : 0;
	}
	if (rc < 0)
		npf_replayer_free(r);
	else
		*rp = r;
	return rc;
}

struct npf_replayer *npf_replayer_free(struct npf_replayer *r)
{
	if (r == NULL)
		return NULL;
	npf_replayer_stop(r);
	rte_ring_free(r->ring);
	npf_close(r->file);
	free(r);
	return NULL;
}

int npf_replayer_start(struct npf_replayer *r)
{
	char err[NPF_REPLAYED_ERR];
	int rc = open_trace(r, &r->trace, err);

	if (rc < 0) {
		npf_err("%s", err);
		return rc;
	}
	r->error[0] = '\0';
	r->first = atomic_load_explicit(&r->packets, memory_order_relaxed);
	atomic_store_explicit(&r->too_long, 0, memory_order_relaxed);
	atomic_store_explicit(&r->stop, false, memory_order_relaxed);
	atomic_store_explicit(&r->state, NPF_REPLAYER_RUNNING, memory_order_relaxed);
	rc = -pthread_create(&r->thread, NULL, read_ahead, r);
	r->has_thread = rc == 0;
	if (rc < 0) {
		npf_err("port %s: no thread to read %s: %s", r->conf.port, r->conf.path,
			strerror(-rc));
		r->trace = npf_trace_close(r->trace);
	}
	return rc;
}

void npf_replayer_stop(struct npf_replayer *r)
{
	struct rte_mbuf *m;
	int running = NPF_REPLAYER_RUNNING;

	if (!r->has_thread)
		return;
	atomic_store_explicit(&r->stop, true, memory_order_relaxed);
	pthread_join(r->thread, NULL);
	r->has_thread = false;
	while (rte_ring_dequeue(r->ring, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	r->trace = npf_trace_close(r->trace);
	atomic_compare_exchange_strong(&r->state, &running, NPF_REPLAYER_STOPPED);
}

uint16_t npf_replayer_rx(struct npf_replayer *r, struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t bytes = 0;
	unsigned int got = rte_ring_sc_dequeue_burst(r->ring, (void **)mbufs, n, NULL);

	if (got == 0)
		return 0;
	for (unsigned int i = 0; i < got; i++)
		bytes += mbufs[i]->pkt_len;
	count(&r->packets, got);
	count(&r->bytes, bytes);
	return (uint16_t)got;
}

void npf_replayer_report(const struct npf_replayer *r, struct npf_replayer_report *report)
{
	/* F1: acquire, pairs with the release in finish(). */
	int state = atomic_load_explicit(&r->state, memory_order_acquire);

	*report = (struct npf_replayer_report){
		.state = (enum npf_replayer_state)state,
		.path = r->conf.path,
		.packets = atomic_load_explicit(&r->packets, memory_order_relaxed) - r->first,
		.too_long = atomic_load_explicit(&r->too_long, memory_order_relaxed),
	};
	if (state == NPF_REPLAYER_DAMAGED)
		memcpy(report->error, r->error, sizeof(report->error));
}

void npf_replayer_count(const struct npf_replayer *r, struct npf_replayer_counters *c)
{
	c->packets = atomic_load_explicit(&r->packets, memory_order_relaxed);
	c->bytes = atomic_load_explicit(&r->bytes, memory_order_relaxed);
	c->errors = atomic_load_explicit(&r->errors, memory_order_relaxed);
}
