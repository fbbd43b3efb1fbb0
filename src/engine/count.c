/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count.c - what is done for monitors: by the tap for what is received, by the sender for what is
 * sent.
 */
#include "engine/count.h"

#include "base/clock.h"

static_assert(NPF_TAP_BURST <= NPF_METER_BURST, "a burst can be counted at once");

static uint32_t count_row(const struct npf_tap_meter *m, unsigned int row, struct npf_burst *b,
	unsigned int from, const struct npf_meter_burst *weights, uint64_t now_ns)
{
	const struct npf_filter *filter = b->sent ? m->rows[row].out : m->rows[row].in;

	if (filter == NULL)
		return npf_meter_count(m->meter, row, weights, NULL, now_ns);
	npf_filter_run_burst(
		filter, b->data + from, b->len + from, b->caplen + from, weights->n, b->keep);
	return npf_meter_count(m->meter, row, weights, b->keep, now_ns);
}

/* Return: how many the first row accepted. */
static uint32_t count_rows(const struct npf_tap_meter *m, struct npf_burst *b, unsigned int from,
	const struct npf_meter_burst *weights, uint64_t now_ns, uint64_t mono_ns)
{
	uint32_t accepted;

	npf_meter_roll(m->meter, mono_ns);
	accepted = count_row(m, 0, b, from, weights, now_ns);
	for (unsigned int r = 1; r < m->n_rows; r++)
		count_row(m, r, b, from, weights, now_ns);
	return accepted;
}

static void count_feed(struct npf_feed *feed, uint64_t received, uint64_t accepted)
{
	if (feed == NULL)
		return;
	__atomic_store_n(&feed->received, feed->received + received, __ATOMIC_RELAXED);
	__atomic_store_n(&feed->accepted, feed->accepted + accepted, __ATOMIC_RELAXED);
}

void npf_count(
	const struct npf_tap_queue *q, struct npf_burst *b, uint64_t now_ns, uint64_t mono_ns)
{
	npf_count_part(q, b, (struct npf_count_place){0}, (struct npf_count_place){.n = b->n},
		now_ns, mono_ns);
}

static unsigned int place_of(const struct npf_tap_meter *m, const struct npf_count_place *at)
{
	return at->n + (m->session < at->session);
}

void npf_count_part(const struct npf_tap_queue *q, struct npf_burst *b, struct npf_count_place from,
	struct npf_count_place to, uint64_t now_ns, uint64_t mono_ns)
{
	unsigned int first = 0, end = 0;
	struct npf_meter_burst weights;

	for (unsigned int i = 0; i < q->n_meters; i++) {
		const struct npf_tap_meter *m = &q->meters[i];
		unsigned int a = place_of(m, &from), z = place_of(m, &to);
		uint32_t accepted = 0;

		if (a >= z)
			continue;
		if (a != first || z != end)
			npf_meter_weigh(&weights, b->len + a, z - a);
		first = a;
		end = z;
		if (m->want_in)
			accepted = count_rows(m, b, a, &weights, now_ns, mono_ns);
		count_feed(m->feed, z - a, accepted);
	}
}

void npf_count_tick(const struct npf_tap_queue *q, uint64_t mono_ns)
{
	for (unsigned int i = 0; i < q->n_meters; i++)
		npf_meter_roll(q->meters[i].meter, mono_ns);
}

/* ---- Sent packets ---- */

struct npf_sent_meters *npf_sent_meters_new(
	size_t n_meters, size_t n_rows, struct npf_tap_row **rowsp)
{
	struct npf_sent_meters *sm =
		calloc(1, sizeof(*sm) + n_meters * sizeof(*sm->meters) + n_rows * sizeof(**rowsp));

	if (sm == NULL)
		return NULL;
	if (npf_burst_init(&sm->burst) < 0) {
		free(sm);
		return NULL;
	}
	sm->meters = (struct npf_tap_meter *)(sm + 1);
	*rowsp = (struct npf_tap_row *)(sm->meters + n_meters);
	return sm;
}

struct npf_sent_meters *npf_sent_meters_free(struct npf_sent_meters *sm)
{
	if (sm != NULL)
		npf_burst_fini(&sm->burst);
	free(sm);
	return NULL;
}

static void count_sent_burst(struct npf_sent_meters *sm, struct rte_mbuf *const *mbufs,
	unsigned int n, uint64_t sender, uint64_t now_ns, uint64_t mono_ns)
{
	struct npf_burst *b = &sm->burst;
	struct npf_meter_burst weights;

	npf_burst_load(b, true, mbufs, n);
	npf_meter_weigh(&weights, b->len, n);
	for (unsigned int i = 0; i < sm->n_meters; i++) {
		const struct npf_tap_meter *m = &sm->meters[i];
		uint32_t accepted = 0;

		if (m->want_out && (m->want_own || m->session != sender))
			accepted = count_rows(m, b, 0, &weights, now_ns, mono_ns);
		count_feed(m->feed, n, accepted);
	}
}

void npf_count_sent(
	struct npf_sent_meters *sm, struct rte_mbuf *const *mbufs, unsigned int n, uint64_t sender)
{
	uint64_t now = npf_clock_realtime(), mono = npf_clock_monotonic();

	for (unsigned int i = 0; i < n; i += NPF_TAP_BURST)
		count_sent_burst(sm, mbufs + i, NPF_MIN(n - i, (unsigned int)NPF_TAP_BURST), sender,
			now, mono);
}
