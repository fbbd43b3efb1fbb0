/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.c - reading a histogram: a quantile is given as the middle of its bucket, kept within the
 * exact least and greatest value.
 */
#include "txgen/measure/hist.h"

#include <string.h>

void npf_txgen_hist_init(struct npf_txgen_hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void npf_txgen_hist_merge(struct npf_txgen_hist *into, const struct npf_txgen_hist *h)
{
	into->n += h->n;
	into->sum += h->sum;
	into->min = NPF_MIN(into->min, h->min);
	into->max = NPF_MAX(into->max, h->max);
	for (unsigned int i = 0; i < NPF_TXGEN_HIST_BUCKETS; i++)
		into->bucket[i] += h->bucket[i];
}

static uint64_t middle(unsigned int index)
{
	uint64_t first = npf_loglinear_first(index, NPF_TXGEN_HIST_BITS);

	return first + (npf_loglinear_first(index + 1, NPF_TXGEN_HIST_BITS) - first) / 2;
}

uint64_t npf_txgen_hist_quantile(const struct npf_txgen_hist *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->n), seen = 0;

	if (h->n == 0)
		return 0;
	if (want >= h->n)
		return h->max;
	for (unsigned int i = 0; i < NPF_TXGEN_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > want)
			return NPF_MAX(h->min, NPF_MIN(h->max, middle(i)));
	}
	return h->max;
}
