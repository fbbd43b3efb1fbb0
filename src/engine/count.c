/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count.c - what the tap does for monitors. A burst is all received or all sent, so that of the
 * three wishes only "not my own" has to be looked at packet by packet.
 */
#include "engine/count.h"

static_assert(NPF_TAP_BURST <= NPF_METER_BURST, "a burst can be counted at once");

/* Clears the verdict on packets that the session itself sent. */
static void drop_own(const struct npf_tap_meter *m, struct npf_burst *b)
{
	for (unsigned int i = 0; i < b->n; i++)
		if (b->sender[i] == m->session)
			b->keep[i] = 0;
}

static uint32_t count_row(const struct npf_tap_meter *m, unsigned int row, struct npf_burst *b,
	const struct npf_meter_burst *weights, uint64_t now_ns)
{
	const struct npf_filter *filter = b->sent ? m->rows[row].out : m->rows[row].in;
	bool any_sender = !b->sent || m->want_own;

	if (filter == NULL && any_sender)
		return npf_meter_count(m->meter, row, weights, NULL, now_ns);
	if (filter != NULL)
		npf_filter_run_burst(filter, b->data, b->len, b->caplen, b->n, b->keep);
	else
		for (unsigned int i = 0; i < b->n; i++)
			b->keep[i] = UINT32_MAX;
	if (!any_sender)
		drop_own(m, b);
	return npf_meter_count(m->meter, row, weights, b->keep, now_ns);
}

static void count_feed(struct npf_feed *feed, uint64_t received, uint64_t accepted)
{
	__atomic_store_n(&feed->received, feed->received + received, __ATOMIC_RELAXED);
	__atomic_store_n(&feed->accepted, feed->accepted + accepted, __ATOMIC_RELAXED);
}

void npf_count(
	const struct npf_tap_queue *q, struct npf_burst *b, uint64_t now_ns, uint64_t mono_ns)
{
	struct npf_meter_burst weights;

	if (q->n_meters == 0)
		return;
	npf_meter_weigh(&weights, b->len, b->n);
	for (unsigned int i = 0; i < q->n_meters; i++) {
		const struct npf_tap_meter *m = &q->meters[i];
		uint32_t accepted = 0;

		if (b->sent ? m->want_out : m->want_in) {
			npf_meter_roll(m->meter, mono_ns);
			accepted = count_row(m, 0, b, &weights, now_ns);
			for (unsigned int r = 1; r < m->n_rows; r++)
				count_row(m, r, b, &weights, now_ns);
		}
		if (m->feed != NULL)
			count_feed(m->feed, b->n, accepted);
	}
}

void npf_count_tick(const struct npf_tap_queue *q, uint64_t mono_ns)
{
	for (unsigned int i = 0; i < q->n_meters; i++)
		npf_meter_roll(q->meters[i].meter, mono_ns);
}
