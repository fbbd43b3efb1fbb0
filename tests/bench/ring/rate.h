/* SPDX-License-Identifier: BSD-3-Clause */
/* rate.h - one measurement of the rate benchmark, and what it may be compared with. */
#ifndef NPF_BENCH_RING_RATE_H
#define NPF_BENCH_RING_RATE_H

#include "bench.h"

#define RATE_BURST     32
#define RATE_N_PACKETS 256 /* in turn; they stay in the cache, as mbufs just received do */

struct rate {
	uint32_t caplen;
	uint32_t stride; /* the reader looks at every so many bytes of the data */
	uint64_t ring_size;
	uint64_t n_records;
	const uint8_t *packets; /* RATE_N_PACKETS of them, each 2048 bytes */
	_Atomic uint64_t *done; /* shared: what the reader has seen */
};

/* Records per second, in millions; negative: this peer is not built in. */
double rate_rte_ring(const struct rate *t);

#endif
