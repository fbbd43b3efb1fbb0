/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count.c - what is done for monitors: by the tap for what is received, by the sender for what is
 * sent.
 */
#include "engine/datapath/count.h"

#include "base/clock.h"

static_assert(NPF_TAP_BURST <= NPF_METER_BURST, "a burst can be counted at once");

/* What a part of a burst weighs, reckoned when it is first asked for. */
struct weights {
	unsigned int from, end;
	struct npf_meter_burst of;
};

static const struct npf_meter_burst *weigh(
	struct weights *w, const struct npf_burst *b, unsigned int from, unsigned int end)
{
	if (w->from != from || w->end != end)
		npf_meter_weigh(&w->of, b->len + from, end - from);
	w->from = from;
	w->end = end;
	return &w->of;
}

static inline const struct npf_filter *filter_of(
	const struct npf_tap_meter *m, unsigned int row, const struct npf_burst *b)
{
	return b->sent ? m->rows[row].out : m->rows[row].in;
}

/*
 * Packets from..end-1 of the burst, in every row. First several filters run, then their verdicts
 * are counted: read as vectors right behind the stores of single words they would be waited for.
 * Return: how many the first row accepted.
 */
static uint32_t count_rows(const struct npf_tap_meter *m, struct npf_burst *b, unsigned int from,
	unsigned int end, struct weights *w, uint64_t now_ns, uint64_t mono_ns)
{
	uint32_t accepted = 0;

	npf_meter_roll(m->meter, mono_ns);
	for (unsigned int first = 0; first < m->n_rows; first += NPF_BURST_ROWS) {
		unsigned int n = NPF_MIN(m->n_rows - first, (unsigned int)NPF_BURST_ROWS);

		for (unsigned int i = 0; i < n; i++)
			if (filter_of(m, first + i, b) != NULL)
				npf_filter_run_burst(filter_of(m, first + i, b), b->data + from,
					b->len + from, b->caplen + from, end - from, b->rows[i]);
		for (unsigned int i = 0; i < n; i++) {
			bool no_filter = filter_of(m, first + i, b) == NULL;
			uint32_t kept =
				no_filter ? end - from : npf_meter_kept(b->rows[i], end - from);

			if (kept > 0)
				npf_meter_count(m->meter, first + i, weigh(w, b, from, end),
					kept == end - from ? NULL : b->rows[i], now_ns);
			if (first + i == 0)
				accepted = kept;
		}
	}
	return accepted;
}

/* One writer: no locked instruction is needed, only that readers see no torn value. */
static void count_feed(struct npf_feed *feed, uint64_t received, uint64_t accepted)
{
	if (feed == NULL)
		return;
	npf_feed_add(feed, &received, &accepted);
	atomic_store_explicit(&feed->received, received, memory_order_relaxed);
	atomic_store_explicit(&feed->accepted, accepted, memory_order_relaxed);
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
	struct weights w;

	w.from = w.end = 0;
	for (unsigned int i = 0; i < q->n_meters; i++) {
		const struct npf_tap_meter *m = &q->meters[i];
		unsigned int a = place_of(m, &from), z = place_of(m, &to);
		uint32_t accepted = 0;

		if (a >= z)
			continue;
		if (b->sent ? m->want_out : m->want_in)
			accepted = count_rows(m, b, a, z, &w, now_ns, mono_ns);
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
	struct weights w;

	npf_burst_load(b, true, mbufs, n);
	w.from = w.end = 0;
	for (unsigned int i = 0; i < sm->n_meters; i++) {
		const struct npf_tap_meter *m = &sm->meters[i];
		uint32_t accepted = 0;

		if (m->want_out && (m->want_own || m->session != sender))
			accepted = count_rows(m, b, 0, n, &w, now_ns, mono_ns);
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
