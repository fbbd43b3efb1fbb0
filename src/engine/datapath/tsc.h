/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tsc.h - CLOCK_REALTIME at the price of rdtsc, one instance per lcore.
 *
 * The TSC is read, scaled, and steered onto CLOCK_REALTIME: npf_tsc_sync(), called every few
 * milliseconds, compares the two and adjusts the slope so that the error found is gone by the next
 * sync. Time never goes back, unless the system's clock was set by more than NPF_TSC_STEP_NS: then
 * it follows at once.
 */
#ifndef NPF_ENGINE_DATAPATH_TSC_H
#define NPF_ENGINE_DATAPATH_TSC_H

#include "base/base.h"
#include "base/clock.h"

#include <x86intrin.h>

#define NPF_TSC_STEP_NS (100 * NPF_NS_PER_MS)
#define NPF_TSC_SYNC_NS (10 * NPF_NS_PER_MS)

struct npf_tsc {
	uint64_t base_tsc; /* now = base_ns + (tsc - base_tsc) * slope / 2^32 */
	uint64_t base_ns;
	uint64_t slope;                 /* ns per tick, 32.32 */
	uint64_t nominal;               /* slope without steering */
	uint64_t anchor_tsc, anchor_ns; /* a distant pair, to measure the nominal slope */
	uint64_t last_ns;
};

static inline uint64_t npf_tsc_scale(const struct npf_tsc *c, uint64_t tsc)
{
	return c->base_ns + (uint64_t)(((unsigned __int128)(tsc - c->base_tsc) * c->slope) >> 32);
}

/* A TSC value and the real time at the same moment: of a few tries the one with the shortest gap.
 */
static inline void npf_tsc_pair(uint64_t *tscp, uint64_t *nsp)
{
	uint64_t best = UINT64_MAX;

	*tscp = *nsp = 0;
	for (int i = 0; i < 4; i++) {
		uint64_t a = __rdtsc();
		uint64_t ns = npf_clock_realtime();
		uint64_t b = __rdtsc();

		if (b - a < best) {
			best = b - a;
			*tscp = a + (b - a) / 2;
			*nsp = ns;
		}
	}
}

static inline void npf_tsc_init(struct npf_tsc *c, uint64_t hz)
{
	npf_tsc_pair(&c->base_tsc, &c->base_ns);
	c->anchor_tsc = c->base_tsc;
	c->anchor_ns = c->base_ns;
	c->last_ns = c->base_ns;
	c->nominal = (uint64_t)(((unsigned __int128)NPF_NS_PER_S << 32) / hz);
	c->slope = c->nominal;
}

/* Nanoseconds since the epoch; never less than the time before. */
static inline uint64_t npf_tsc_now(struct npf_tsc *c)
{
	uint64_t ns = npf_tsc_scale(c, __rdtsc());

	if (ns < c->last_ns)
		return c->last_ns;
	return c->last_ns = ns;
}

/* Return: by how many ns the time steps with this, because the system's clock was set; mostly 0. */
static inline int64_t npf_tsc_sync(struct npf_tsc *c)
{
	uint64_t tsc, real, mine;
	int64_t error, limit;

	npf_tsc_pair(&tsc, &real);
	mine = npf_tsc_scale(c, tsc);
	error = (int64_t)(real - mine);
	if (error > (int64_t)NPF_TSC_STEP_NS || error < -(int64_t)NPF_TSC_STEP_NS) {
		c->base_tsc = c->anchor_tsc = tsc;
		c->base_ns = c->anchor_ns = c->last_ns = real;
		c->slope = c->nominal;
		return error;
	}
	/* Over a second and more the pair's own jitter no longer matters for the slope. */
	if (real - c->anchor_ns >= NPF_NS_PER_S) {
		c->nominal = (uint64_t)(((unsigned __int128)(real - c->anchor_ns) << 32) /
					(tsc - c->anchor_tsc));
		c->anchor_tsc = tsc;
		c->anchor_ns = real;
	}
	/* Steer by at most 1 in 256, so that intervals between packets stay true. */
	limit = (int64_t)(NPF_TSC_SYNC_NS / 256);
	error = NPF_MIN(limit, error);
	error = NPF_MAX(-limit, error);
	c->base_tsc = tsc;
	c->base_ns = mine;
	c->slope = (uint64_t)((int64_t)c->nominal +
			      (int64_t)(((__int128)c->nominal * error) / (int64_t)NPF_TSC_SYNC_NS));
	return 0;
}

#endif
