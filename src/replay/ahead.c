/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ahead.c - the reading thread and its ring.
 *
 * One producer, one consumer; positions only grow. A record is contiguous: where it does not fit
 * before the ring's end it begins at the ring's start, and a mark fills the room before the end. A
 * producer that finds the ring full sleeps for a moment and checks again, so the consumer never
 * has to wake it.
 */
#include "replay/ahead.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define RING_SIZE  (4u << 20)
#define BATCH      32 /* packets that are published at once */
#define NAP_MIN_NS 50000u
#define NAP_STEPS  5 /* each twice as long as the one before: up to 1.6 ms */
#define MARK       UINT32_MAX

/* Followed by the packet's bytes, padded to a multiple of its size. */
struct record {
	uint64_t ts_ns;
	uint32_t caplen, len; /* caplen is MARK: go on at the ring's start */
};

static_assert(RING_SIZE % sizeof(struct record) == 0, "a mark fits wherever a record ends");

struct npf_ahead {
	struct npf_ahead_conf conf;
	struct npf_trace *trace;
	uint8_t *ring;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint64_t too_long;
	/* the reading thread writes */
	_Atomic uint64_t head __attribute__((aligned(NPF_CACHELINE)));
	uint64_t at; /* where it writes: records from head to here are not published yet */
	/* the consumer writes */
	_Atomic uint64_t tail __attribute__((aligned(NPF_CACHELINE)));
	uint64_t seen, pos, before; /* head when last loaded; next record; the one before it */
} __attribute__((aligned(NPF_CACHELINE)));

static struct record *record_at(const struct npf_ahead *a, uint64_t pos)
{
	return (struct record *)(a->ring + pos % RING_SIZE);
}

static uint64_t space_of(uint32_t caplen)
{
	return sizeof(struct record) + NPF_ALIGN_UP((uint64_t)caplen, sizeof(struct record));
}

/* ---- The reading thread ---- */

static bool is_stopped(const struct npf_ahead *a)
{
	return atomic_load_explicit(&a->stop, memory_order_relaxed);
}

/* A1: release, pairs with npf_ahead_next(): records are whole before they are published. */
static void publish(struct npf_ahead *a)
{
	atomic_store_explicit(&a->head, a->at, memory_order_release);
}

/* Wait until at most left bytes are not released. Return: false: the thread is to stop. */
static bool wait_taken(struct npf_ahead *a, uint64_t left)
{
	unsigned int n_naps = 0;

	/* A2: acquire, pairs with npf_ahead_release(): all reads of the room are over before it
	 * is written again. */
	while (a->at - atomic_load_explicit(&a->tail, memory_order_acquire) > left) {
		long ns = (long)NAP_MIN_NS << NPF_MIN(n_naps++, (unsigned int)NAP_STEPS);

		nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
		if (is_stopped(a))
			return false;
	}
	return true;
}

/* Wait for room for a contiguous record. Return: false: the thread is to stop. */
static bool make_room(struct npf_ahead *a, uint64_t space)
{
	uint64_t to_end = RING_SIZE - a->at % RING_SIZE;
	uint64_t all = space <= to_end ? space : to_end + space;
	uint64_t tail = atomic_load_explicit(&a->tail, memory_order_acquire); /* A2 */

	if (a->at + all - tail > RING_SIZE) {
		publish(a);
		/* More room than this record needs, or each record would wait anew. */
		if (!wait_taken(a, NPF_MIN(RING_SIZE - all, (uint64_t)RING_SIZE / 4 * 3)))
			return false;
	}
	if (space > to_end) {
		record_at(a, a->at)->caplen = MARK;
		a->at += to_end;
	}
	return true;
}

/* Return: 1; what npf_trace_next() returns at the end; -ECANCELED: the thread is to stop. */
static int read_packet(struct npf_ahead *a)
{
	struct npf_trace_packet p;
	struct record *r;
	int rc = npf_trace_next(a->trace, &p);

	if (rc != 1)
		return rc;
	if (NPF_UNLIKELY(p.caplen > a->conf.longest)) {
		atomic_fetch_add_explicit(&a->too_long, 1, memory_order_relaxed);
		p.caplen = a->conf.longest;
	}
	if (!make_room(a, space_of(p.caplen)))
		return -ECANCELED;
	r = record_at(a, a->at);
	*r = (struct record){.ts_ns = p.ts_ns, .caplen = p.caplen, .len = p.len};
	memcpy(r + 1, p.data, p.caplen);
	a->at += space_of(p.caplen);
	return 1;
}

static void *read_ahead(void *arg)
{
	struct npf_ahead *a = arg;
	int rc = 1;

	prctl(PR_SET_TIMERSLACK, 1ul);
	prctl(PR_SET_NAME, "npf-replay");
	if (a->conf.begun != NULL)
		a->conf.begun(a->conf.arg);
	while (rc == 1 && !is_stopped(a)) {
		for (unsigned int i = 0; i < BATCH && rc == 1; i++)
			rc = read_packet(a);
		publish(a);
	}
	if ((rc == 0 || rc == -EBADMSG) && wait_taken(a, 0))
		a->conf.over(a->conf.arg, a->trace, rc);
	return NULL;
}

/* ---- Life ---- */

static struct npf_ahead *free_ahead(struct npf_ahead *a)
{
	if (a != NULL)
		free(a->ring);
	free(a);
	return NULL;
}

int npf_ahead_start(
	const struct npf_ahead_conf *conf, struct npf_trace *trace, struct npf_ahead **ap)
{
	struct npf_ahead *a = aligned_alloc(NPF_CACHELINE, sizeof(*a));
	int rc = -ENOMEM;

	if (a == NULL)
		return rc;
	memset(a, 0, sizeof(*a));
	a->conf = *conf;
	a->trace = trace;
	a->ring = aligned_alloc(NPF_CACHELINE, RING_SIZE);
	if (a->ring != NULL)
		rc = -pthread_create(&a->thread, NULL, read_ahead, a);
	if (rc < 0)
		free_ahead(a);
	else
		*ap = a;
	return rc;
}

struct npf_ahead *npf_ahead_stop(struct npf_ahead *a)
{
	if (a == NULL)
		return NULL;
	atomic_store_explicit(&a->stop, true, memory_order_relaxed);
	pthread_join(a->thread, NULL);
	npf_trace_close(a->trace);
	return free_ahead(a);
}

/* ---- The consumer ---- */

bool npf_ahead_next(struct npf_ahead *a, struct npf_trace_packet *p)
{
	const struct record *r;

	if (a->pos == a->seen) {
		/* A1: acquire, pairs with publish(). */
		a->seen = atomic_load_explicit(&a->head, memory_order_acquire);
		if (a->pos == a->seen)
			return false;
	}
	r = record_at(a, a->pos);
	if (r->caplen == MARK) {
		a->pos += RING_SIZE - a->pos % RING_SIZE;
		r = record_at(a, a->pos);
	}
	*p = (struct npf_trace_packet){
		.data = (const uint8_t *)(r + 1),
		.ts_ns = r->ts_ns,
		.caplen = r->caplen,
		.len = r->len,
	};
	a->before = a->pos;
	a->pos += space_of(r->caplen);
	return true;
}

void npf_ahead_put_back(struct npf_ahead *a)
{
	a->pos = a->before;
}

void npf_ahead_release(struct npf_ahead *a)
{
	/* A2: release, pairs with the reading thread's loads of tail. */
	atomic_store_explicit(&a->tail, a->pos, memory_order_release);
}

uint64_t npf_ahead_too_long(const struct npf_ahead *a)
{
	return atomic_load_explicit(&a->too_long, memory_order_relaxed);
}
