/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.h - the two clocks that every room reads, in nanoseconds. */
#ifndef NPF_BASE_CLOCK_H
#define NPF_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NPF_NS_PER_US 1000ull
#define NPF_NS_PER_MS 1000000ull
#define NPF_NS_PER_S  1000000000ull

static inline uint64_t npf_clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NPF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Nanoseconds since the Unix epoch: packet time stamps. */
static inline uint64_t npf_clock_realtime(void)
{
	return npf_clock_ns(CLOCK_REALTIME);
}

/* Nanoseconds since some fixed point: timeouts. */
static inline uint64_t npf_clock_monotonic(void)
{
	return npf_clock_ns(CLOCK_MONOTONIC);
}

#endif
