/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.h - what lies in the shared memory of a tx lane, who writes it, in which order.
 *
 *   engine's words  struct npf_txe  sealed: the client maps it read-only
 *   client's words  struct npf_txc  hostile
 *   data            records         hostile; mapped twice back to back, so that none wraps
 *
 * Positions are byte counts, 64 bits, free-running; the size is a power of two.
 *
 * Each order edge has a label, as in layout.h:
 *
 *  edge    word        W side           R side           the edge orders
 *  W7 R7   head        client flushes   engine looks     record bytes before the head above them
 *  W8 R8   tail        engine settles   client reloads   the engine's loads of a record, and its
 *                                                        counts, before the room is written again
 *  W9 R9   asleep      engine sleeps    client flushes   half of the engine's wake-up (below)
 *  W10 R10  wake_at    client waits     engine settles   half of the client's wake-up
 *
 * No lost wake-up: the engine stores asleep and loads head, the client stores head and loads
 * asleep, all four seq_cst: one store comes before the other side's load. The same holds for
 * wake_at and tail.
 */
#ifndef NPF_RINGBUF_TX_LAYOUT_H
#define NPF_RINGBUF_TX_LAYOUT_H

#include "ringbuf/tx/tx.h"

#include <assert.h>
#include <stdatomic.h>

#define NPF_TX_MAGIC   0x31787466706eull /* "npftx1" */
#define NPF_TX_VERSION 1u
#define NPF_TX_APART   (2 * NPF_CACHELINE)

struct npf_txe {
	/* Constant. */
	uint64_t magic;
	uint32_t version;
	uint32_t reserved;
	uint64_t size;
	/* Written by the send worker. */
	_Alignas(NPF_TX_APART) _Atomic uint64_t tail; /* all below is settled; W8 */
	_Atomic uint64_t sent, failed;                /* stored before the tail that covers them */
	_Atomic int error;
	/* Looked at by the client with every flush: away from the words that move. */
	_Alignas(NPF_TX_APART) _Atomic uint32_t asleep; /* W9 */
	_Alignas(NPF_TX_APART) _Atomic uint64_t late_max_ns;
	_Atomic uint64_t late[NPF_TX_CLASSES];
};

struct npf_txc {
	_Alignas(NPF_TX_APART) _Atomic uint64_t head; /* W7 */
	/* Looked at once a burst: away from the word that moves all the time. */
	_Alignas(NPF_TX_APART) _Atomic uint64_t cut; /* what lies below is not to be sent */
	_Atomic uint64_t wake_at; /* the client sleeps until tail is there; 0: it does not; W10 */
};

static inline void npf_txe_state(const struct npf_txe *e, struct npf_tx_state *st)
{
	st->sent = atomic_load_explicit(&e->sent, memory_order_relaxed);
	st->failed = atomic_load_explicit(&e->failed, memory_order_relaxed);
	st->error = atomic_load_explicit(&e->error, memory_order_relaxed);
	st->late_max_ns = atomic_load_explicit(&e->late_max_ns, memory_order_relaxed);
	for (unsigned int i = 0; i < NPF_TX_CLASSES; i++)
		st->late[i] = atomic_load_explicit(&e->late[i], memory_order_relaxed);
}

#endif
