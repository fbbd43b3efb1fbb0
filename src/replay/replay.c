/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - when the n-th packet of a replay is due.
 *
 * Each time is computed from the position alone and not from the packet before: so its error is
 * that of one division, however long the replay runs.
 */
#include "replay/replay.h"

#include "base/clock.h"

uint64_t npf_replay_due(const struct npf_replay *r)
{
	const struct npf_savefile *f = r->file;
	uint64_t bytes = 0;
	double ns;

	switch (r->rate.kind) {
	case NPF_RATE_ORIGINAL:
		ns = ((double)r->loop * (double)f->span_ns + (double)f->packets[r->packet].at_ns) /
		     r->rate.value;
		break;
	case NPF_RATE_PPS:
		ns = (double)r->n * (double)NPF_NS_PER_S / r->rate.value;
		break;
	case NPF_RATE_BPS_L1:
		bytes = r->n * NPF_RATE_L1_OVERHEAD;
		/* fallthrough */
	case NPF_RATE_BPS_L2:
		bytes += npf_replay_bytes(r, r->n);
		ns = (double)bytes * 8 * (double)NPF_NS_PER_S / r->rate.value;
		break;
	default:
		return 0;
	}
	return ns < 0x1p63 ? (uint64_t)ns : 1ull << 63;
}

void npf_replay_seek(struct npf_replay *r, uint64_t n)
{
	uint64_t in_round = n % npf_replay_round(r);

	r->n = n;
	r->loop = n / npf_replay_round(r);
	r->packet = (size_t)(in_round / r->repeat);
	r->repeated = (uint32_t)(in_round % r->repeat);
}

uint64_t npf_replay_round(const struct npf_replay *r)
{
	return (uint64_t)r->file->n_packets * r->repeat;
}

uint64_t npf_replay_bytes(const struct npf_replay *r, uint64_t n)
{
	struct npf_replay at = *r;
	const struct npf_saved *p;

	npf_replay_seek(&at, n);
	p = &r->file->packets[at.packet];
	return (at.loop * r->file->bytes + p->off) * r->repeat + (uint64_t)at.repeated * p->len;
}
