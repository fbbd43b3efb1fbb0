/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane.c - the engine's side of a tx lane: no word of the client is trusted.
 *
 * Invariants: tail <= taken <= head <= tail + size, where tail and taken are the engine's own and
 * head is a copy, checked when it was loaded. A record's fields are each loaded once; the
 * frame's bytes are the caller's to copy once, after that it does not matter what the client does
 * with them.
 */
#include "ringbuf/ring.h"
#include "ringbuf/tx/layout.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

struct npf_tx_lane {
	uint64_t size;
	uint64_t taken; /* end of what npf_tx_lane_take() has handed out */
	uint64_t head;  /* the client's, when last loaded, checked */
	uint64_t sent, failed;
	const uint8_t *data;
	struct npf_txe *e;
	const struct npf_txc *c;
	_Atomic int fault;
	int kick; /* eventfd: the client writes it, the engine neither reads nor writes it ... */
	int kick_set; /* ... but waits for it by this epoll set */
	struct npf_doorbell done;
	bool owes_ring; /* the client is due to be woken and was not yet */
	struct npf_mem e_mem, c_mem, data_mem;
};

uint64_t npf_tx_late(const struct npf_tx_state *st, double q)
{
	uint64_t n = 0, seen = 0;

	for (unsigned int i = 0; i < NPF_TX_CLASSES; i++)
		n += st->late[i];
	for (unsigned int i = 0; i < NPF_TX_CLASSES; i++) {
		seen += st->late[i];
		if (n > 0 && (double)seen >= q * (double)n)
			return NPF_MIN(npf_tx_class_end(i), st->late_max_ns);
	}
	return 0;
}

static int make_kick(struct npf_tx_lane *l)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	l->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->kick_set = epoll_create1(EPOLL_CLOEXEC);
	if (l->kick < 0 || l->kick_set < 0 ||
		epoll_ctl(l->kick_set, EPOLL_CTL_ADD, l->kick, &ev) < 0)
		return -errno;
	return 0;
}

int npf_tx_lane_new(uint64_t size, struct npf_doorbell_budget *budget, struct npf_tx_lane **lp)
{
	struct npf_tx_lane *l;
	int rc;

	if (size < NPF_TX_MIN || size > NPF_TX_MAX || (size & (size - 1)) != 0)
		return -EINVAL;
	if (size > npf_mem_available())
		return -ENOMEM;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->size = size;
	l->kick = l->kick_set = -1;
	l->e_mem.fd = l->c_mem.fd = l->data_mem.fd = -1;
	rc = npf_doorbell_init(&l->done, budget);
	if (rc == 0)
		rc = make_kick(l);
	if (rc == 0)
		rc = npf_mem_new(
			&l->e_mem, "npf-tx-engine", sizeof(struct npf_txe), NPF_MEM_READONLY);
	if (rc == 0)
		rc = npf_mem_new(&l->c_mem, "npf-tx-client", sizeof(struct npf_txc), 0);
	if (rc == 0)
		rc = npf_mem_new(&l->data_mem, "npf-tx-data", size, NPF_MEM_TWICE);
	if (rc < 0) {
		npf_tx_lane_free(l);
		return rc;
	}
	l->e = (struct npf_txe *)l->e_mem.addr;
	l->c = (const struct npf_txc *)l->c_mem.addr;
	l->data = l->data_mem.addr;
	l->e->magic = NPF_TX_MAGIC;
	l->e->version = NPF_TX_VERSION;
	l->e->size = size;
	*lp = l;
	return 0;
}

struct npf_tx_lane *npf_tx_lane_free(struct npf_tx_lane *l)
{
	if (l == NULL)
		return NULL;
	npf_mem_fini(&l->e_mem);
	npf_mem_fini(&l->c_mem);
	npf_mem_fini(&l->data_mem);
	npf_close(l->kick_set);
	npf_close(l->kick);
	npf_doorbell_fini(&l->done);
	free(l);
	return NULL;
}

void npf_tx_lane_fds(const struct npf_tx_lane *l, int fds[NPF_TX_NFDS])
{
	fds[0] = l->e_mem.fd;
	fds[1] = l->c_mem.fd;
	fds[2] = l->data_mem.fd;
	fds[3] = l->kick;
	fds[4] = l->done.wait_fd;
}

int npf_tx_lane_steal_done_fd(struct npf_tx_lane *l)
{
	return npf_steal_fd(&l->done.wait_fd);
}

int npf_tx_lane_kick(const struct npf_tx_lane *l)
{
	return l->kick_set;
}

uint64_t npf_tx_lane_memory(const struct npf_tx_lane *l)
{
	return l->e_mem.size + l->c_mem.size + l->data_mem.size;
}

int npf_tx_lane_fault(const struct npf_tx_lane *l)
{
	return atomic_load_explicit(&l->fault, memory_order_relaxed);
}

static int fail(struct npf_tx_lane *l)
{
	atomic_store_explicit(&l->fault, -EPROTO, memory_order_relaxed);
	return -EPROTO;
}

static uint64_t tail_of(const struct npf_tx_lane *l)
{
	return atomic_load_explicit(&l->e->tail, memory_order_relaxed);
}

/* Load the client's position. Return: 0 or -EPROTO. */
static int load_head(struct npf_tx_lane *l)
{
	/* R7: acquire, pairs with W7. The bytes of records below head are there. */
	uint64_t head = atomic_load_explicit(&l->c->head, memory_order_acquire);

	if (head - tail_of(l) > l->size || head - tail_of(l) < l->head - tail_of(l) ||
		head % NPF_TX_ALIGN != 0)
		return fail(l);
	l->head = head;
	return 0;
}

bool npf_tx_walk_begin(struct npf_tx_lane *l, struct npf_tx_walk *w)
{
	if (npf_tx_lane_fault(l) < 0 || (l->taken == l->head && load_head(l) < 0))
		return false;
	*w = (struct npf_tx_walk){l->data, l->size - 1, l->taken, l->head};
	return l->taken != l->head;
}

void npf_tx_walk_end(struct npf_tx_lane *l, const struct npf_tx_walk *w)
{
	l->taken = w->at;
}

int npf_tx_lane_take(struct npf_tx_lane *l, struct npf_tx_item *it)
{
	struct npf_tx_walk w;

	if (!npf_tx_walk_begin(l, &w))
		return npf_tx_lane_fault(l);
	if (npf_tx_walk_next(&w, it) < 0)
		return fail(l);
	npf_tx_walk_end(l, &w);
	return 1;
}

bool npf_tx_lane_is_canceled(const struct npf_tx_lane *l, uint64_t end)
{
	uint64_t cut = atomic_load_explicit(&l->c->cut, memory_order_relaxed);

	/* Whatever the client writes there, it takes back its own frames or none. */
	return cut - tail_of(l) <= l->size && cut - tail_of(l) >= end - tail_of(l);
}

void npf_tx_lane_count(struct npf_tx_lane *l, uint64_t sent, uint64_t failed, int error)
{
	if (sent > 0) {
		l->sent += sent;
		atomic_store_explicit(&l->e->sent, l->sent, memory_order_relaxed);
	}
	if (failed > 0) {
		l->failed += failed;
		atomic_store_explicit(&l->e->failed, l->failed, memory_order_relaxed);
		atomic_store_explicit(&l->e->error, error, memory_order_relaxed);
	}
}

void npf_tx_lane_late(struct npf_tx_lane *l, uint64_t ns)
{
	_Atomic uint64_t *c = &l->e->late[npf_tx_class(ns)];

	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + 1, memory_order_relaxed);
	if (ns > atomic_load_explicit(&l->e->late_max_ns, memory_order_relaxed))
		atomic_store_explicit(&l->e->late_max_ns, ns, memory_order_relaxed);
}

void npf_tx_lane_settle(struct npf_tx_lane *l, uint64_t end)
{
	uint64_t tail = tail_of(l), wake_at;

	if (end == tail)
		return;
	/* W8: seq_cst, pairs with R8. All use of what lies below is over, and it is counted. */
	atomic_store_explicit(&l->e->tail, end, memory_order_seq_cst);
	/* R10: seq_cst, pairs with W10. Either this sees the wish, or the client sees the tail. */
	wake_at = atomic_load_explicit(&l->c->wake_at, memory_order_seq_cst);
	/* Only when this step got there: a client that leaves its word alone is not signalled for
	 * every frame. */
	if (wake_at > tail && wake_at <= end)
		l->owes_ring = npf_doorbell_ring(&l->done) > 0;
}

bool npf_tx_lane_sleep(struct npf_tx_lane *l)
{
	uint64_t head;

	/* W9: seq_cst, pairs with R9. Either the client sees this, or we see its head. */
	atomic_store_explicit(&l->e->asleep, 1, memory_order_seq_cst);
	/* R7: seq_cst, pairs with W7. */
	head = atomic_load_explicit(&l->c->head, memory_order_seq_cst);
	/* What was seen but not taken waits for its time. */
	if (head == l->head || npf_tx_lane_fault(l) < 0)
		return true;
	atomic_store_explicit(&l->e->asleep, 0, memory_order_relaxed);
	return false;
}

void npf_tx_lane_awake(struct npf_tx_lane *l)
{
	if (atomic_load_explicit(&l->e->asleep, memory_order_relaxed) != 0)
		atomic_store_explicit(&l->e->asleep, 0, memory_order_relaxed);
}

uint64_t npf_tx_lane_wake_due(struct npf_tx_lane *l)
{
	uint64_t later = l->owes_ring ? npf_doorbell_ring(&l->done) : 0;

	l->owes_ring = later > 0;
	return later;
}

void npf_tx_lane_state(const struct npf_tx_lane *l, struct npf_tx_state *st)
{
	npf_txe_state(l->e, st);
	st->pending = atomic_load_explicit(&l->c->head, memory_order_relaxed) - tail_of(l);
	st->pending = NPF_MIN(st->pending, l->size);
}
