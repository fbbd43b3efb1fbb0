/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.h - a histogram of times over the whole range of 64 bits, exact to 0.8 %.
 *
 * Log-linear (base/loglinear.h) with 128 buckets for each power of two. Recording is a shift, a
 * subtraction and an addition.
 */
#ifndef NPF_TXGEN_MEASURE_HIST_H
#define NPF_TXGEN_MEASURE_HIST_H

#include "base/base.h"
#include "base/loglinear.h"

#define NPF_TXGEN_HIST_BITS    7
#define NPF_TXGEN_HIST_BUCKETS ((64 - NPF_TXGEN_HIST_BITS + 1) << NPF_TXGEN_HIST_BITS)

struct npf_txgen_hist {
	uint64_t n;
	uint64_t sum;
	uint64_t min; /* UINT64_MAX when empty */
	uint64_t max;
	uint64_t bucket[NPF_TXGEN_HIST_BUCKETS];
};

void npf_txgen_hist_init(struct npf_txgen_hist *h);
void npf_txgen_hist_merge(struct npf_txgen_hist *into, const struct npf_txgen_hist *h);

/* The value that a share q (0..1) of all recorded ones does not exceed; 0 when empty. */
uint64_t npf_txgen_hist_quantile(const struct npf_txgen_hist *h, double q);

static inline void npf_txgen_hist_record(struct npf_txgen_hist *h, uint64_t v)
{
	h->n++;
	h->sum += v;
	h->min = NPF_MIN(h->min, v);
	h->max = NPF_MAX(h->max, v);
	h->bucket[npf_loglinear_class(v, NPF_TXGEN_HIST_BITS)]++;
}

#endif
