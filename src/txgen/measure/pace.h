/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h - the schedule that a rate makes.
 */
#ifndef NPF_TXGEN_MEASURE_PACE_H
#define NPF_TXGEN_MEASURE_PACE_H

#include "base/rate.h"

/*
 * The schedule: when packet k is due, in cycles of the time stamp counter. Absolute: what one
 * packet is late is not added to the next. Kept in 64.32 bits fixed point, so that the sum of
 * 10^10 steps is exact to a packet.
 */
struct npf_txgen_pace {
	enum npf_rate_kind kind; /* never PERCENT */
	uint64_t due;            /* next packet, cycles */
	uint32_t frac;           /* ... and 2^-32 cycles */
	uint32_t step_frac;
	uint64_t step;              /* cycles between packets (PPS) */
	unsigned __int128 per_byte; /* 2^-64 cycles (BPS) */
	unsigned int extra;         /* bytes added to each packet (BPS_L1) */
	uint64_t gate;              /* no packet before: what was missed is caught up with gently */
	uint64_t half;              /* least mean distance while catching up, cycles */
	uint64_t slack;             /* cycles by which the gate may lag behind the clock */
	unsigned int lag_shift;     /* log2 of some 4 ms in cycles */
	uint64_t train;             /* packets in a train; 0: no trains */
	uint64_t left;              /* ... of which are to come */
	uint64_t gap;               /* pause between trains, cycles */
};

struct npf_txgen_pace_conf {
	struct npf_rate rate; /* of the port; not PERCENT */
	uint64_t hz;          /* of the counter */
	unsigned int queue;   /* this sender is one of so many that share the rate evenly */
	unsigned int n_queues;
	uint64_t train; /* packets; 0 = none */
	uint64_t gap_ns;
};

/* Begin at cycle t0. With ORIGINAL the caller sets due for each packet: npf_txgen_pace_set_due().
 */
void npf_txgen_pace_init(
	struct npf_txgen_pace *p, const struct npf_txgen_pace_conf *conf, uint64_t t0);

/* Is there a schedule at all? */
static inline bool npf_txgen_pace_is_paced(const struct npf_txgen_pace *p)
{
	return p->kind != NPF_RATE_ASAP || p->train > 0;
}

/*
 * May the packet that is due next go now? A delay of the sender must not become a burst that the
 * tested device drops: after the packets of a few microseconds, late ones go at twice the rate. The
 * rate doubles again for each 4 ms that the sender is behind, so that even one which gets only
 * slices of a busy CPU keeps to the count.
 */
static inline bool npf_txgen_pace_is_due(const struct npf_txgen_pace *p, uint64_t now)
{
	return now >= p->due && now >= p->gate;
}

/* A packet of len bytes leaves now, at its due time or later: when is the next due? */
static inline void npf_txgen_pace_step(struct npf_txgen_pace *p, uint16_t len, uint64_t now)
{
	uint64_t step = p->step, frac = (uint64_t)p->frac + p->step_frac;
	uint64_t lag = (now - p->due) >> p->lag_shift;

	if (p->kind == NPF_RATE_BPS_L1 || p->kind == NPF_RATE_BPS_L2) {
		unsigned __int128 d = p->per_byte * (len + p->extra) + ((uint64_t)p->frac << 32);

		step = (uint64_t)(d >> 64);
		frac = (uint32_t)(d >> 32);
		p->half = step / 2;
	}
	if (now > p->gate + p->slack)
		p->gate = now - p->slack;
	p->gate += p->half >> NPF_MIN(lag, (uint64_t)63);
	p->due += step + (frac >> 32);
	p->frac = (uint32_t)frac;
	if (p->train > 0 && --p->left == 0) {
		p->left = p->train;
		p->due += p->gap;
		if (p->kind == NPF_RATE_ASAP)
			p->due = now + p->gap;
	}
}

/* ORIGINAL: the next packet is due at cycle `due`. */
static inline void npf_txgen_pace_set_due(struct npf_txgen_pace *p, uint64_t due)
{
	p->due = due;
}

/* How many packets a rate makes in a time, both exact: the last one is due before the end.
 * 0: not a matter of counting (asap, bits per second, original). */
uint64_t npf_txgen_pace_total(const struct npf_rate *r, uint64_t duration_ns);

#endif
