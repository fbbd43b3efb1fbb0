/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * track.h - loss, reordering and duplicates of one numbered stream, as its packets arrive.
 *
 * Reordering is RFC 4737's: a packet is reordered when its number is below one that has arrived
 * before; its extent is how many numbers it came too late. A window of the last
 * NPF_TXGEN_TRACK_WINDOW numbers tells late packets from duplicates; what is older than that counts
 * as stale.
 */
#ifndef NPF_TXGEN_MEASURE_TRACK_H
#define NPF_TXGEN_MEASURE_TRACK_H

#include "base/base.h"

#define NPF_TXGEN_TRACK_WINDOW 65536u /* numbers; a power of two */

struct npf_txgen_track {
	uint64_t next;       /* one above the highest number seen */
	uint64_t unique;     /* numbers seen, each counted once */
	uint64_t reordered;  /* of those: came after a higher one */
	uint64_t max_extent; /* most that one came too late, in numbers */
	uint64_t duplicates;
	uint64_t stale; /* too late to say whether late or duplicate */
	uint64_t seen[NPF_TXGEN_TRACK_WINDOW / 64];
};

void npf_txgen_track_init(struct npf_txgen_track *t);

/* A packet whose number is not the expected one (see npf_txgen_track_add). */
void npf_txgen_track_add_unexpected(struct npf_txgen_track *t, uint64_t number);

/*
 * npf_txgen_track_add - a packet has arrived.
 * @seq: lower 32 bits of its number; the number nearest to the expected one is meant
 */
static inline void npf_txgen_track_add(struct npf_txgen_track *t, uint32_t seq)
{
	uint64_t number = t->next + (uint64_t)(int64_t)(int32_t)(seq - (uint32_t)t->next);
	uint64_t *word = &t->seen[number % NPF_TXGEN_TRACK_WINDOW / 64];

	if (NPF_UNLIKELY(number != t->next)) {
		npf_txgen_track_add_unexpected(t, number);
		return;
	}
	if (number % 64 == 0)
		*word = 0; /* the window moves on to a word of old numbers */
	*word |= 1ull << number % 64;
	t->next++;
	t->unique++;
}

#endif
