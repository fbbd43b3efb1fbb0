/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replayer.c - makes mbufs of what was read ahead, and reports the end of a replay.
 *
 * The lcore that polls makes the mbufs, out of its own cache of the pool: no mbuf waits anywhere,
 * so that a port's memory does not depend on how far a file was read ahead.
 */
#include "engine/port/replayer.h"

#include "base/log.h"
#include "engine/port/port.h"
#include "replay/replay.h"
#include "engine/syscalls/syscalls.h"
#include "ringbuf/ring.h"

#include <rte_mbuf_dyn.h>
#include <stdatomic.h>
#include <string.h>

#define STOCK       32
#define SEGS_A_POLL 256 /* mbufs of long packets in one burst, about: senders want some, too */

struct npf_replayer {
	struct npf_replayer_conf conf;
	int file;                /* kept open for npf_trace_open() */
	struct npf_ahead *ahead; /* NULL: it is stopped */
	uint64_t first;          /* taken before this replay */
	uint64_t too_long;       /* of the last replay, when it is stopped */
	/* the reading thread's, at the end of a replay */
	_Atomic int state;
	_Atomic uint64_t errors;
	struct npf_error error; /* before state says DAMAGED */
	/* the tap's */
	unsigned int n_stock __attribute__((aligned(NPF_CACHELINE)));
	_Atomic uint64_t packets, bytes;
	struct rte_mbuf *stock[STOCK];
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

/* ---- The end: the reading thread's ---- */

static void warn_too_long(const struct npf_replayer *r, uint64_t n)
{
	if (n > 0)
		npf_warn("port %s: %llu packets of %s have more than %u bytes: of those, the "
			 "first %u were replayed",
			r->conf.port, (unsigned long long)n, r->conf.path, NPF_REC_MAXCAP,
			NPF_REC_MAXCAP);
}

static void replay_ended(void *arg, const struct npf_trace *trace, int rc)
{
	struct npf_replayer *r = arg;
	unsigned long long n = npf_trace_packets(trace);

	if (rc == 0) {
		npf_info("port %s: %s has ended after %llu packets", r->conf.port, r->conf.path, n);
	} else {
		npf_error_set(&r->error, rc, "at packet %llu, byte %llu: %.190s", n + 1,
			(unsigned long long)npf_trace_offset(trace), npf_trace_error(trace));
		npf_err("port %s: %s is damaged %s; the replay ends there", r->conf.port,
			r->conf.path, r->error.text);
		count(&r->errors, 1);
	}
	/* F1: release, pairs with npf_replayer_report(): the error's text is whole before it is
	 * read. */
	atomic_store_explicit(&r->state, rc == 0 ? NPF_REPLAYER_ENDED : NPF_REPLAYER_DAMAGED,
		memory_order_release);
}

static void confine(void *arg)
{
	(void)arg;
	npf_syscalls_confine(NPF_SYSCALLS_READER);
}

/* ---- Life ---- */

/* Return: 0 or -errno with a text in err. */
static int open_trace(struct npf_replayer *r, struct npf_trace **tp, struct npf_error *err)
{
	int rc = npf_trace_open(r->conf.path, r->file, tp, err);

	if (rc < 0)
		return npf_error_set(err, rc, "port %s: %s", r->conf.port, err->text);
	if (npf_trace_linktype(*tp) == r->conf.linktype)
		return 0;
	*tp = npf_trace_close(*tp);
	return npf_error_set(err, -EINVAL,
		"port %s: %.100s holds packets of another link type than when the port was opened: "
		"remove the port and add it again",
		r->conf.port, r->conf.path);
}

int npf_replayer_new(
	const struct npf_replayer_conf *conf, struct npf_replayer **rp, struct npf_error *err)
{
	struct npf_replayer *r = aligned_alloc(NPF_CACHELINE, sizeof(*r));
	struct npf_trace *t;
	int rc;

	if (r == NULL)
		return npf_error_set(err, -ENOMEM, "port %s: out of memory", conf->port);
	memset(r, 0, sizeof(*r));
	r->conf = *conf;
	r->file = -1;
	rc = open_trace(r, &t, err);
	if (rc == 0) {
		r->file = npf_trace_dup(t);
		npf_trace_close(t);
		if (r->file < 0)
			rc = npf_error_set(
				err, r->file, "port %s: %s", conf->port, strerror(-r->file));
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
	npf_close(r->file);
	free(r);
	return NULL;
}

int npf_replayer_start(struct npf_replayer *r)
{
	const struct npf_ahead_conf conf = {
		.longest = NPF_REC_MAXCAP, .over = replay_ended, .begun = confine, .arg = r};
	struct npf_error err;
	struct npf_trace *t;
	int rc = open_trace(r, &t, &err);

	if (rc < 0) {
		npf_err("%s", err.text);
		return rc;
	}
	r->error = (struct npf_error){""};
	r->first = atomic_load_explicit(&r->packets, memory_order_relaxed);
	atomic_store_explicit(&r->state, NPF_REPLAYER_RUNNING, memory_order_relaxed);
	rc = npf_ahead_start(&conf, t, &r->ahead);
	if (rc < 0) {
		npf_err("port %s: no memory or no thread to read %s: %s", r->conf.port,
			r->conf.path, strerror(-rc));
		npf_trace_close(t);
		atomic_store_explicit(&r->state, NPF_REPLAYER_STOPPED, memory_order_relaxed);
	}
	return rc;
}

void npf_replayer_stop(struct npf_replayer *r)
{
	int running = NPF_REPLAYER_RUNNING;

	if (r->ahead == NULL)
		return;
	r->too_long = npf_ahead_too_long(r->ahead);
	r->ahead = npf_ahead_stop(r->ahead);
	rte_pktmbuf_free_bulk(r->stock, r->n_stock);
	r->n_stock = 0;
	warn_too_long(r, r->too_long);
	atomic_compare_exchange_strong(&r->state, &running, NPF_REPLAYER_STOPPED);
}

/* ---- The tap ---- */

/* Return: NULL: the pool is empty. */
static struct rte_mbuf *alloc_mbuf(struct npf_replayer *r)
{
	if (r->n_stock == 0) {
		if (rte_pktmbuf_alloc_bulk(r->conf.pool, r->stock, STOCK) != 0)
			return rte_pktmbuf_alloc(r->conf.pool);
		r->n_stock = STOCK;
	}
	return r->stock[--r->n_stock];
}

/* The bytes of a packet in one mbuf or a chain of them. NULL: the pool is empty. */
static struct rte_mbuf *fill(struct npf_replayer *r, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	while (len > 0 || head == NULL) {
		struct rte_mbuf *m = alloc_mbuf(r);

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

/* The next packet, if there is one and there is an mbuf for it. */
static struct rte_mbuf *next(struct npf_replayer *r)
{
	struct npf_trace_packet p;
	struct rte_mbuf *m;

	if (!npf_ahead_next(r->ahead, &p))
		return NULL;
	m = fill(r, p.data, p.caplen);
	if (m == NULL) {
		npf_ahead_put_back(r->ahead);
		return NULL;
	}
	m->pkt_len = p.len;
	m->ol_flags |= npf_port_stamp_flag;
	*RTE_MBUF_DYNFIELD(m, npf_port_stamp_offset, rte_mbuf_timestamp_t *) = p.ts_ns;
	return m;
}

uint16_t npf_replayer_rx(struct npf_replayer *r, struct rte_mbuf **mbufs, uint16_t n)
{
	unsigned int segs = 0;
	uint64_t bytes = 0;
	uint16_t got = 0;

	while (got < n && segs < SEGS_A_POLL && (mbufs[got] = next(r)) != NULL) {
		bytes += mbufs[got]->pkt_len;
		segs += mbufs[got++]->nb_segs;
	}
	if (got == 0)
		return 0;
	npf_ahead_release(r->ahead);
	count(&r->packets, got);
	count(&r->bytes, bytes);
	return got;
}

/* ---- Reports ---- */

void npf_replayer_report(const struct npf_replayer *r, struct npf_replayer_report *report)
{
	/* F1: acquire, pairs with the release in replay_ended(). */
	int state = atomic_load_explicit(&r->state, memory_order_acquire);

	*report = (struct npf_replayer_report){
		.state = (enum npf_replayer_state)state,
		.path = r->conf.path,
		.packets = atomic_load_explicit(&r->packets, memory_order_relaxed) - r->first,
		.too_long = r->ahead != NULL ? npf_ahead_too_long(r->ahead) : r->too_long,
	};
	if (state == NPF_REPLAYER_DAMAGED)
		report->error = r->error;
}

void npf_replayer_count(const struct npf_replayer *r, struct npf_replayer_counters *c)
{
	c->packets = atomic_load_explicit(&r->packets, memory_order_relaxed);
	c->bytes = atomic_load_explicit(&r->bytes, memory_order_relaxed);
	c->errors = atomic_load_explicit(&r->errors, memory_order_relaxed);
}
