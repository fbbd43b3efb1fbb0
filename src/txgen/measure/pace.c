/* SPDX-License-Identifier: BSD-3-Clause */
/* pace.c - laying out a schedule. */
#include "txgen/measure/pace.h"

#include <math.h>

static uint64_t cycles(uint64_t ns, uint64_t hz)
{
	return (uint64_t)((unsigned __int128)ns * hz / 1000000000u);
}

void npf_txgen_pace_init(
	struct npf_txgen_pace *p, const struct npf_txgen_pace_conf *conf, uint64_t t0)
{
	const struct npf_rate *r = &conf->rate;
	long double step;

	*p = (struct npf_txgen_pace){
		.kind = r->kind,
		.due = t0,
		.train = conf->train,
		.left = conf->train,
		.gap = cycles(conf->gap_ns, conf->hz),
		.slack = cycles(3000, conf->hz),
		.lag_shift = 63 - (unsigned int)__builtin_clzll(cycles(4000000, conf->hz) | 1),
	};
	switch (r->kind) {
	case NPF_RATE_PPS:
		step = (long double)conf->hz * conf->n_queues / r->value;
		p->step = (uint64_t)step;
		p->step_frac = (uint32_t)((step - (long double)p->step) * 0x1p32L);
		p->half = p->step / 2;
		p->due += (uint64_t)(step * conf->queue / conf->n_queues);
		break;
	case NPF_RATE_BPS_L1:
	case NPF_RATE_BPS_L2:
		step = 8.0L * conf->hz * conf->n_queues / r->value;
		p->per_byte = (unsigned __int128)(step * 0x1p64L);
		p->extra = r->kind == NPF_RATE_BPS_L1 ? NPF_RATE_L1_OVERHEAD : 0;
		break;
	default:
		break;
	}
}

uint64_t npf_txgen_pace_total(const struct npf_rate *r, uint64_t duration_ns)
{
	if (r->kind != NPF_RATE_PPS)
		return 0;
	/* Rounded first: a rate like 0.1 pps must not gain a packet by its binary fraction. */
	return (uint64_t)ceill(roundl((long double)r->value * duration_ns / 1e9L * 1e6L) / 1e6L);
}
