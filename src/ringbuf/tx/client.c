/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c - the client's side of a tx lane. It has to trust the engine, which sends the frames;
 * but it uses a copy of the lane's size, checked against the memory.
 */
#include "base/clock.h"
#include "base/copy.h"
#include "base/doorbell.h"
#include "base/eventfd.h"
#include "ringbuf/ring.h"
#include "ringbuf/tx/layout.h"

#include <poll.h>
#include <sched.h>
#include <string.h>

#define STEP_MIN    (2u << 10)
#define STEP_MAX    (16u << 10)
#define YIELD_EVERY 50
#define SPINS       2000 /* checks before sleeping: about the time that two context switches take */

struct npf_tx {
	uint64_t size;
	uint64_t head;      /* end of what was put */
	uint64_t published; /* ... and published */
	uint64_t step;      /* bytes put after which they are published */
	uint64_t tail;      /* the engine's, when last loaded */
	uint8_t *data;
	const struct npf_txe *e;
	struct npf_txc *c;
	struct npf_mem e_mem, c_mem, data_mem;
	int fds[NPF_TX_NFDS];
};

int npf_tx_map(const int fds[NPF_TX_NFDS], struct npf_tx **txp)
{
	struct npf_tx *tx = calloc(1, sizeof(*tx));
	size_t sizes[3], page;
	int rc = tx != NULL ? 0 : -ENOMEM;

	for (int i = 0; rc == 0 && i < 3; i++)
		rc = npf_mem_stat(fds[i], &sizes[i], &page);
	if (rc == 0 && (sizes[0] < sizeof(struct npf_txe) || sizes[1] < sizeof(struct npf_txc)))
		rc = -EPROTO;
	if (rc == 0)
		rc = npf_mem_map(&tx->e_mem, fds[0], sizes[0], NPF_MEM_READONLY);
	if (rc == 0)
		rc = npf_mem_map(&tx->c_mem, fds[1], sizes[1], 0);
	if (rc == 0)
		rc = npf_mem_map(&tx->data_mem, fds[2], sizes[2], NPF_MEM_TWICE);
	if (rc == 0) {
		tx->e = (const struct npf_txe *)tx->e_mem.addr;
		tx->c = (struct npf_txc *)tx->c_mem.addr;
		tx->data = tx->data_mem.addr;
		tx->size = tx->e->size;
		if (tx->e->magic != NPF_TX_MAGIC || tx->e->version != NPF_TX_VERSION ||
			tx->size != sizes[2] || (tx->size & (tx->size - 1)) != 0)
			rc = -EPROTO;
	}
	if (tx != NULL)
		memset(tx->fds, 0xff, sizeof(tx->fds));
	if (rc < 0) {
		npf_tx_unmap(tx);
		return rc;
	}
	memcpy(tx->fds, fds, sizeof(tx->fds));
	tx->step = STEP_MIN;
	*txp = tx;
	return 0;
}

struct npf_tx *npf_tx_unmap(struct npf_tx *tx)
{
	if (tx == NULL)
		return NULL;
	npf_mem_fini(&tx->e_mem);
	npf_mem_fini(&tx->c_mem);
	npf_mem_fini(&tx->data_mem);
	for (int i = 0; i < NPF_TX_NFDS; i++)
		npf_close(tx->fds[i]);
	free(tx);
	return NULL;
}

uint64_t npf_tx_size(const struct npf_tx *tx)
{
	return tx->size;
}

static void publish(struct npf_tx *tx)
{
	tx->published = tx->head;
	/* W7: seq_cst, pairs with R7. The records' bytes are there. */
	atomic_store_explicit(&tx->c->head, tx->head, memory_order_seq_cst);
	/* R9: seq_cst, pairs with W9. Either this sees that the engine sleeps, or it sees the head.
	 */
	if (atomic_load_explicit(&tx->e->asleep, memory_order_seq_cst) != 0)
		npf_eventfd_signal(tx->fds[3]);
}

int npf_tx_put(struct npf_tx *tx, const void *frame, uint32_t len, uint32_t repeat, uint64_t at_ns,
	uint32_t flags)
{
	uint64_t space = npf_tx_space(len);
	struct npf_tx_rec *rec;

	if (len == 0 || repeat == 0)
		return -EINVAL;
	if (len > NPF_TX_MAXFRAME || space > tx->size / 2)
		return -EMSGSIZE;
	if (tx->head + space - tx->tail > tx->size) {
		/* R8: acquire, pairs with W8. The engine has done with what lies below. */
		tx->tail = atomic_load_explicit(&tx->e->tail, memory_order_acquire);
		if (tx->head + space - tx->tail > tx->size)
			return -EAGAIN;
	}
	for (uint64_t at = 0; at < NPF_MIN(space, (uint64_t)NPF_TX_AHEAD); at += NPF_CACHELINE)
		npf_prefetch_write(tx->data + ((tx->head + NPF_TX_AHEAD + at) & (tx->size - 1)));
	rec = (struct npf_tx_rec *)(tx->data + (tx->head & (tx->size - 1)));
	*rec = (struct npf_tx_rec){.at_ns = at_ns, .len = len, .repeat = repeat, .flags = flags};
	if (len <= NPF_COPY_CACHED_MAX)
		npf_copy_cached((uint8_t *)(rec + 1), frame, len);
	else
		memcpy(rec + 1, frame, len);
	tx->head += space;
	/* The engine polls head, so each store moves its line there and back: early for the first
	 * frames, less often for those behind them. */
	if (tx->head - tx->published >= tx->step) {
		publish(tx);
		tx->step = NPF_MIN(2 * tx->step, (uint64_t)STEP_MAX);
	}
	return 0;
}

void npf_tx_flush(struct npf_tx *tx)
{
	tx->step = STEP_MIN;
	if (tx->published != tx->head)
		publish(tx);
}

void npf_tx_cancel(struct npf_tx *tx)
{
	atomic_store_explicit(&tx->c->cut, tx->published, memory_order_relaxed);
	/* The worker may be asleep until a time in the schedule. */
	npf_eventfd_signal(tx->fds[3]);
}

static bool is_settled(struct npf_tx *tx, uint64_t pending)
{
	/* R8: seq_cst, pairs with W8. */
	tx->tail = atomic_load_explicit(&tx->e->tail, memory_order_seq_cst);
	return tx->head - tx->tail <= pending;
}

/* Return: 0: check again; -EINTR, -ETIMEDOUT, -EPIPE, ... */
static int sleep_once(struct npf_tx *tx, int sock, uint64_t end_ns)
{
	struct pollfd pfds[2] = {
		{.fd = tx->fds[4], .events = POLLIN}, {.fd = sock, .events = POLLRDHUP}};
	uint64_t now = npf_clock_monotonic();
	struct timespec ts = {0};
	int rc;

	if (end_ns != UINT64_MAX && now < end_ns) {
		ts.tv_sec = (time_t)((end_ns - now) / NPF_NS_PER_S);
		ts.tv_nsec = (long)((end_ns - now) % NPF_NS_PER_S);
	}
	rc = ppoll(pfds, 2, end_ns != UINT64_MAX ? &ts : NULL, NULL);
	if (rc < 0)
		return -errno;
	if (rc == 0)
		return -ETIMEDOUT;
	if ((pfds[0].revents & POLLHUP) != 0)
		return -EPIPE;
	if ((pfds[0].revents & POLLIN) != 0)
		npf_doorbell_drain(tx->fds[4]);
	if (pfds[0].revents == 0 && (pfds[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
		return -EPIPE;
	return 0;
}

int npf_tx_wait(struct npf_tx *tx, uint64_t pending, int sock, int timeout_ms)
{
	uint64_t end_ns = UINT64_MAX;
	int rc = 0;

	npf_tx_flush(tx);
	for (int i = 0; i < SPINS; i++) {
		if (is_settled(tx, pending))
			return 0;
		__builtin_ia32_pause();
		/* The engine may run on the same CPU. */
		if (i % YIELD_EVERY == YIELD_EVERY - 1)
			sched_yield();
	}
	if (timeout_ms >= 0)
		end_ns = npf_clock_monotonic() + (uint64_t)timeout_ms * NPF_NS_PER_MS;
	/* W10: seq_cst, pairs with R10. Either the engine sees this, or we see its tail. */
	atomic_store_explicit(
		&tx->c->wake_at, tx->head - NPF_MIN(pending, tx->head), memory_order_seq_cst);
	while (rc == 0 && !is_settled(tx, pending))
		rc = sleep_once(tx, sock, end_ns);
	atomic_store_explicit(&tx->c->wake_at, 0, memory_order_relaxed);
	return rc < 0 && is_settled(tx, pending) ? 0 : rc;
}

void npf_tx_state(const struct npf_tx *tx, struct npf_tx_state *st)
{
	/* R8: acquire, pairs with W8. What lies below is counted. */
	uint64_t tail = atomic_load_explicit(&tx->e->tail, memory_order_acquire);

	npf_txe_state(tx->e, st);
	st->pending = tx->head - tail;
}
