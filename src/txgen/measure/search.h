/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * search.h - throughput as RFC 2544, section 26.1, defines it: the highest rate at which no more
 * than the allowed share of packets is lost, found by halving.
 */
#ifndef NPF_TXGEN_MEASURE_SEARCH_H
#define NPF_TXGEN_MEASURE_SEARCH_H

#include "base/base.h"

struct npf_txgen_search {
	double max_loss;  /* percent that a passing trial may lose */
	double precision; /* percent of the found rate at which to stop */
	double low;       /* highest rate that passed; 0: none yet */
	double high;      /* lowest rate that failed; 0: none yet */
	double rate;      /* of the next trial */
	double best_loss; /* of the trial at low */
	unsigned int trials;
};

/* Begin at the rate `max` (any unit; never exceeded). */
void npf_txgen_search_init(
	struct npf_txgen_search *s, double max, double max_loss, double precision);

/*
 * npf_txgen_search_step - enter the outcome of the trial at s->rate.
 * @loss: percent lost; NAN: the rate itself was not reached, which fails the trial
 * Return: true when another trial is due, at the new s->rate; false: s->low is the throughput, 0
 *         when not even a thousandth of the maximum passed.
 */
bool npf_txgen_search_step(struct npf_txgen_search *s, double loss);

#endif
