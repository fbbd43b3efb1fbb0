/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.h - what lies in the shared memory of a buffer, who writes it, in which order.
 *
 * Three kinds of object, each a memfd:
 *   producer words  struct npf_pw  one per buffer; sealed: the client maps it read-only
 *   consumer words  struct npf_cw  one per buffer; all that a client can write
 *   data            records        one per lane; sealed as the producer words, mapped twice back
 *                                  to back on both sides so that a record never splits or wraps
 *
 * Positions are byte counts since start_pos, 64 bits, free-running; a position's place in the data
 * is (position - start_pos) mod size, kept incrementally, so that size need not be a power of two
 * and nothing special happens at 2^32 or 2^64. head - tail bytes hold records; all of size is
 * usable.
 *
 * Each order edge has a label, W on the storing side and R on the loading one. Both sides have it
 * in the code (tests/meta/ring-labels.py checks). Words without a label are relaxed: counters, and
 * words that an edge beside them already orders.
 *
 *  edge    word        W side           R side           the edge orders
 *  W1 R1   head        lane publishes   reader looks     record bytes before the head above them:
 *                                                        weaker, a reader meets bytes not there yet
 *  W2 R2   tail        reader frees     lane reloads     the reader's loads of a record before its
 *                                                        room is written again
 *  W3 R3   watermark   lane commits,    reader looks,    the head before the watermark that vouches
 *                      ticks            lanes sum up     for it; and half of the wake-up (below)
 *  W4 R4   sleep_seq   reader arms      lane asks        seen and hold_ns before the request they
 *                                                        belong to; the other half of the wake-up
 *  W5 R5   closed      lane closes      reader looks,    the last head and unmarked before the word
 *                                       lanes sum up     that says so
 *  W6 R6   floor       lane discards    reader checks    the floor before the bytes that overwrite
 *                                       its copy         what lies below it, the copy before the
 *                                                        floor that confirms it (fences)
 *
 * Wake-up without a lost one: the lane stores (head, then) its watermark and loads sleep_seq; the
 * reader stores sleep_seq and loads watermark (, then head). All four accesses are seq_cst, so in
 * their single order one store comes before the other side's load: either the reader sees what was
 * committed and stays awake, or the lane sees that it sleeps. The same holds between two lanes,
 * which each store their own watermark and load the other's: the later one sees both sums. On x86
 * this costs the lane one xchg a commit, the reader one when it goes to sleep.
 * tests/model/wakeup.pml has the proof.
 */
#ifndef NPF_RINGBUF_LAYOUT_H
#define NPF_RINGBUF_LAYOUT_H

#include "ringbuf/ring.h"

#include <stdatomic.h>

#define NPF_PW_MAGIC   0x31676e697266706eull /* "npfring1" */
#define NPF_PW_VERSION 1u

#define NPF_PW_OVERWRITE 0x0001u

/*
 * Sides are kept two cache lines apart: hardware fetches lines in pairs, and a neighbour that is
 * written by the other side would be dragged along.
 */
#define NPF_APART (2 * NPF_CACHELINE)

/* Written once by the engine before the client has the descriptors; constant afterwards. */
struct npf_pw_head {
	uint64_t magic;
	uint32_t version;
	uint32_t n_lanes;
	uint64_t size;      /* of one lane's data, bytes; a multiple of page_size */
	uint64_t start_pos; /* position of offset 0; a multiple of NPF_REC_ALIGN */
	uint32_t page_size; /* of the data objects */
	uint32_t flags;     /* NPF_PW_* */
	uint8_t pad[NPF_APART - 40];
};

/* One lane's words. Written by the lane's lcore alone; read by the client and by the engine. */
struct npf_pw_lane {
	/* What a commit publishes: one line moves to the reader per burst. */
	_Alignas(NPF_APART) _Atomic uint64_t head; /* end of the committed records; W1 */
	_Atomic uint64_t watermark; /* no later record bears a lesser stamp; ns; W3 */
	_Atomic uint64_t floor;     /* overwrite mode: what lies below is gone; W6 */
	_Atomic uint32_t closed;    /* 1: head will not move again; W5 */
	_Atomic uint32_t unmarked;  /* drops after the last record; stored before W5 */

	/* Counters, relaxed. */
	_Alignas(NPF_APART) _Atomic uint64_t packets;
	_Atomic uint64_t bytes;
	_Atomic uint64_t drop[NPF_N_DROP];
};

struct npf_pw {
	struct npf_pw_head h;
	struct npf_pw_lane lane[]; /* h.n_lanes */
};

/* One lane's words of the consumer. Written by the client: hostile; read by the lane's lcore. */
struct npf_cw_lane {
	_Alignas(NPF_APART) _Atomic uint64_t tail; /* all below is free to be written again; W2 */
	_Atomic uint64_t seen; /* all below was handed out (tail <= seen); stored before W4 */
};

struct npf_cw {
	/* Stored when the reader goes to sleep or wakes up; otherwise the line stays shared in the
	 * caches of the lcores, which look at it once per commit. */
	_Alignas(NPF_APART) _Atomic uint64_t sleep_seq; /* odd: asleep; counts both ways; W4 */
	/* Stamp of the earliest record that the reader holds back because an idle lane's watermark
	 * has not reached it, else 0: waking the reader before that is of no use. */
	_Atomic uint64_t hold_ns;
	struct npf_cw_lane lane[];
};

static_assert(sizeof(struct npf_pw_head) == NPF_APART, "constants keep to their own lines");
static_assert(sizeof(struct npf_pw_lane) == 2 * NPF_APART, "lanes do not share lines");
static_assert(sizeof(struct npf_cw_lane) == NPF_APART, "lanes do not share lines");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words are shared between processes");

static inline size_t npf_pw_bytes(unsigned int n_lanes)
{
	return sizeof(struct npf_pw) + n_lanes * sizeof(struct npf_pw_lane);
}

static inline size_t npf_cw_bytes(unsigned int n_lanes)
{
	return sizeof(struct npf_cw) + n_lanes * sizeof(struct npf_cw_lane);
}

/* Add a lane's counters to *c. */
static inline void npf_pw_lane_count(const struct npf_pw_lane *pw, struct npf_ring_counters *c)
{
	c->packets += atomic_load_explicit(&pw->packets, memory_order_relaxed);
	c->bytes += atomic_load_explicit(&pw->bytes, memory_order_relaxed);
	for (unsigned int i = 0; i < NPF_N_DROP; i++)
		c->drop[i] += atomic_load_explicit(&pw->drop[i], memory_order_relaxed);
}

/*
 * The number of waiting bytes that wakes the reader. At least one, at most half a lane: a lane
 * that fills up below mintocopy would otherwise drop for ever while the reader sleeps.
 */
static inline uint64_t npf_wake_bytes(uint64_t mintocopy, uint64_t size)
{
	return NPF_MAX(NPF_MIN(mintocopy, size / 2), 1ull);
}

#endif
