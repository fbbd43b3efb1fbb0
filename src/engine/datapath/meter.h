/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * meter.h - what one lcore counts for one monitor: tallies by filter and interval. No DPDK here.
 *
 * Time is cut into intervals on an absolute schedule: number k lasts from start + k * interval to
 * start + (k + 1) * interval. The lcore counts into the slot of the current interval; when the time
 * has come it closes that and goes on with the next one's. A worker collects closed intervals. When
 * the worker lags by all slots, the lcore goes on counting in the slot it has: such packets are
 * reported in an earlier interval than their own, but none is lost or counted twice.
 */
#ifndef NPF_ENGINE_DATAPATH_METER_H
#define NPF_ENGINE_DATAPATH_METER_H

#include "base/base.h"
#include "base/clock.h"
#include "wire/wire.h"

#include <stdatomic.h>

#define NPF_METER_WINDOW_NS (100 * NPF_NS_PER_US) /* over which peaks are taken */
#define NPF_METER_BURST     32                    /* most packets counted at once */

struct npf_meter_conf {
	uint64_t start_ns;    /* CLOCK_MONOTONIC */
	uint64_t interval_ns; /* a multiple of NPF_METER_WINDOW_NS */
	unsigned int n_rows;
	unsigned int n_slots; /* intervals that may wait for the worker, and the current one */
};

struct npf_meter {
	/* Constant. */
	struct npf_meter_conf conf;
	size_t memory; /* bytes that the meter takes */

	/* The lcore's. */
	_Alignas(NPF_CACHELINE) uint64_t now; /* number of the interval counted in */
	uint64_t end_ns;                      /* of that interval */
	uint64_t window_end_ns;
	struct npf_wire_tally *tallies; /* of the current slot: n_rows */
	uint64_t *window;               /* by row: packets and bytes when the window began */
	uint64_t *slot_number;          /* by slot: interval that it holds */
	struct npf_wire_tally *slots;   /* n_slots * n_rows */

	_Alignas(NPF_CACHELINE) _Atomic uint64_t closed; /* the lcore stores; M1 */
	_Alignas(NPF_CACHELINE) _Atomic uint64_t taken;  /* the worker stores; M2 */
};

/* Return: NULL when there is no memory. */
struct npf_meter *npf_meter_new(const struct npf_meter_conf *conf);
struct npf_meter *npf_meter_free(struct npf_meter *m); /* NULL is fine; returns NULL */

/* npf_meter_advance(), when a window or an interval has ended. */
void npf_meter_rotate(struct npf_meter *m, uint64_t mono_ns);

/*
 * npf_meter_advance - close the windows and intervals that have ended. Call it before each burst,
 * and at least every millisecond.
 * @mono_ns: CLOCK_MONOTONIC; may go back a little
 * Context: the lcore; wait-free.
 */
static inline void npf_meter_advance(struct npf_meter *m, uint64_t mono_ns)
{
	if (NPF_UNLIKELY(mono_ns >= m->window_end_ns))
		npf_meter_rotate(m, mono_ns);
}

/*
 * A burst, ready to be added up under a mask. Each packet has two words: a 1, the length that NPF
 * counts, and its length (6, 29 and 29 bits: 32 packets of up to 16 MiB fit); and a 1 in the byte
 * of its size class.
 */
struct npf_meter_burst {
	_Alignas(NPF_CACHELINE) uint64_t weight[NPF_METER_BURST]; /* 0 beyond the burst's end */
	uint64_t size[NPF_METER_BURST];
	uint64_t all_weight, all_size; /* sums */
};

/* How many of n packets were kept: words that are not 0. @keep: NPF_METER_BURST words, anything
 * from the n-th on. With none or all of a burst there is less to count. */
uint32_t npf_meter_kept(const uint32_t *keep, unsigned int n);

void npf_meter_burst_load(struct npf_meter_burst *b, const uint32_t *len, unsigned int n);

/*
 * npf_meter_count - count a burst in one row.
 * @keep:   NPF_METER_BURST words: the filter's verdict on each packet, 0: rejected; anything beyond
 *          the burst's end. NULL: all accepted
 * @now_ns: CLOCK_REALTIME
 * Return:  how many packets were accepted.
 */
uint32_t npf_meter_count(struct npf_meter *m, unsigned int row, const struct npf_meter_burst *b,
	const uint32_t *keep, uint64_t now_ns);

/* Is interval number complete? Context: the worker. */
static inline bool npf_meter_is_closed(const struct npf_meter *m, uint64_t number)
{
	return atomic_load_explicit(&m->closed, memory_order_acquire) > number; /* M1 */
}

/*
 * npf_meter_collect - add what was counted in interval number to sum[n_rows].
 * Intervals must be collected in order, each once, when they are closed.
 * Context: the worker.
 */
void npf_meter_collect(struct npf_meter *m, uint64_t number, struct npf_wire_tally *sum);

/* Add tally t to *sum; peaks are added up, see npf_wire_tally. */
void npf_meter_add(struct npf_wire_tally *sum, const struct npf_wire_tally *t);

/* The same for tallies of successive intervals: of the peaks the greater one is kept. */
void npf_meter_merge_max(struct npf_wire_tally *sum, const struct npf_wire_tally *t);

#endif
