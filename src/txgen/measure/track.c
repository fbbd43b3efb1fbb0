/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * track.c - the rarer half of sequence tracking: gaps, late packets, duplicates.
 *
 * Invariant: bit n % WINDOW is set if number n has arrived, for all n from the start of the word
 * that holds (next - WINDOW) rounded up to a word, to next - 1; words are cleared when the window
 * enters them, a word at a time, hence the window is up to 63 numbers shorter than its bits.
 */
#include "txgen/measure/track.h"

#include <string.h>

void npf_txgen_track_init(struct npf_txgen_track *t)
{
	memset(t, 0, sizeof(*t));
}

static void jump(struct npf_txgen_track *t, uint64_t number)
{
	uint64_t word = (t->next + 63) / 64, last = number / 64;

	if (last >= word + NPF_TXGEN_TRACK_WINDOW / 64)
		word = last - NPF_TXGEN_TRACK_WINDOW / 64 + 1;
	for (; word <= last; word++)
		t->seen[word % (NPF_TXGEN_TRACK_WINDOW / 64)] = 0;
	t->seen[number % NPF_TXGEN_TRACK_WINDOW / 64] |= 1ull << number % 64;
	t->next = number + 1;
	t->unique++;
}

void npf_txgen_track_add_unexpected(struct npf_txgen_track *t, uint64_t number)
{
	uint64_t *word = &t->seen[number % NPF_TXGEN_TRACK_WINDOW / 64], bit = 1ull << number % 64;

	if ((int64_t)(number - t->next) >= 0) {
		jump(t, number);
		return;
	}
	if ((int64_t)number < 0 || t->next - number > NPF_TXGEN_TRACK_WINDOW - 64) {
		t->stale++;
		return;
	}
	if ((*word & bit) != 0) {
		t->duplicates++;
		return;
	}
	*word |= bit;
	t->unique++;
	t->reordered++;
	t->max_extent = NPF_MAX(t->max_extent, t->next - 1 - number);
}
