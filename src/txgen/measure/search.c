/* SPDX-License-Identifier: BSD-3-Clause */
/* search.c - halving between the highest rate that passed and the lowest that failed. */
#include "txgen/measure/search.h"

#include <math.h>

void npf_txgen_search_init(
	struct npf_txgen_search *s, double max, double max_loss, double precision)
{
	*s = (struct npf_txgen_search){
		.max_loss = max_loss,
		.precision = precision > 0 ? precision : 1,
		.rate = max,
	};
}

bool npf_txgen_search_step(struct npf_txgen_search *s, double loss)
{
	bool first = s->trials++ == 0;
	bool passed = !isnan(loss) && loss <= s->max_loss;
	double max = s->high > 0 ? s->high : s->rate;

	if (passed) {
		s->low = s->rate;
		s->best_loss = loss;
		if (first) /* the maximum itself */
			return false;
	} else {
		s->high = s->rate;
		max = s->rate;
	}
	if (s->high - s->low <= s->low * s->precision / 100)
		return false;
	/* Nothing has passed for ten halvings: there is nothing to find. */
	if (s->low == 0 && s->trials > 10)
		return false;
	s->rate = (s->low + max) / 2;
	return true;
}
