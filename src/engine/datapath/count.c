/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count.c - counts for monitors: the tap counts received packets, the sender counts sent ones.
 */
#include "engine/datapath/count.h"

#include "base/clock.h"

#include <x86intrin.h>

static_assert(NPF_TAP_BURST <= NPF_METER_BURST, "a burst can be counted at once");

/* Packets from..end-1 of a burst, and their counts, made when they are first needed. */
struct range {
	struct npf_burst *b;
	uint64_t now_ns, mono_ns;
	unsigned int from, end;
	unsigned int counted_from, counted_end; /* what `counts` are of */
	struct npf_meter_burst counts;
};

static void init_range(struct range *r, struct npf_burst *b, uint64_t now_ns, uint64_t mono_ns)
{
	r->b = b;
	r->now_ns = now_ns;
	r->mono_ns = mono_ns;
	r->counted_from = r->counted_end = 0;
}

static const struct npf_meter_burst *load_counts(struct range *r)
{
	if (r->counted_from != r->from || r->counted_end != r->end)
		npf_meter_burst_load(&r->counts, r->b->len + r->from, r->end - r->from);
	r->counted_from = r->from;
	r->counted_end = r->end;
	return &r->counts;
}

static inline const struct npf_filter *filter_of(
	const struct npf_tap_meter *m, unsigned int row, const struct npf_burst *b)
{
	return b->sent ? m->rows[row].out : m->rows[row].in;
}

/*
 * A range of packets, in every row. First several filters run, then their verdicts
 * are counted: read as vectors right behind the stores of single words they would be waited for.
 * Return: how many the first row accepted.
 */
static uint32_t count_rows(const struct npf_tap_meter *m, struct range *r)
{
	const unsigned int from = r->from, n_packets = r->end - r->from;
	struct npf_burst *b = r->b;
	uint32_t accepted = 0;

	npf_meter_advance(m->meter, r->mono_ns);
	for (unsigned int first = 0; first < m->n_rows; first += NPF_BURST_ROWS) {
		unsigned int n = NPF_MIN(m->n_rows - first, (unsigned int)NPF_BURST_ROWS);

		for (unsigned int i = 0; i < n; i++)
			if (filter_of(m, first + i, b) != NULL)
				npf_filter_run_burst(filter_of(m, first + i, b), b->data + from,
					b->len + from, b->caplen + from, n_packets, b->rows[i]);
		for (unsigned int i = 0; i < n; i++) {
			bool no_filter = filter_of(m, first + i, b) == NULL;
			uint32_t kept =
				no_filter ? n_packets : npf_meter_kept(b->rows[i], n_packets);

			if (kept > 0)
				npf_meter_count(m->meter, first + i, load_counts(r),
					kept == n_packets ? NULL : b->rows[i], r->now_ns);
			if (first + i == 0)
				accepted = kept;
		}
	}
	return accepted;
}

/* One writer: no locked instruction is needed, only that readers see no torn value. */
static void add_counts(struct npf_tap_counters *counters, uint64_t received, uint64_t accepted)
{
	if (counters == NULL)
		return;
	npf_tap_counters_add(counters, &received, &accepted);
	atomic_store_explicit(&counters->received, received, memory_order_relaxed);
	atomic_store_explicit(&counters->accepted, accepted, memory_order_relaxed);
}

static bool is_wanted(const struct npf_tap_meter *m, const struct range *r)
{
	return r->b->sent ? m->want_out : m->want_in;
}

static void count_over_budget(const struct npf_tap_meter *m, const struct range *r, uint64_t n)
{
	struct npf_tap_counters *counters = m->counters;

	add_counts(counters, n, 0);
	if (counters != NULL && is_wanted(m, r))
		atomic_store_explicit(&counters->over_budget,
			atomic_load_explicit(&counters->over_budget, memory_order_relaxed) + n,
			memory_order_relaxed);
}

static uint32_t count_wanted(const struct npf_tap_meter *m, struct range *r)
{
	return is_wanted(m, r) ? count_rows(m, r) : 0;
}

/* As far as the monitor's user has time left: one packet after the other until it is known to be
 * cheap. */
static void count_limited(const struct npf_tap_meter *m, struct range *r, struct npf_tap_turn *turn)
{
	const unsigned int n = r->b->n;
	bool is_cheap = false;
	uint64_t tsc = __rdtsc();

	for (r->from = 0; r->from < n; r->from = r->end) {
		uint64_t begun = tsc;

		if (!npf_tap_budget_allows(m->budget, turn, m->share, begun)) {
			count_over_budget(m, r, n - r->from);
			return;
		}
		r->end = NPF_MIN(r->from + (is_cheap ? NPF_TAP_PIECE : 1u), n);
		add_counts(m->counters, r->end - r->from, count_wanted(m, r));
		tsc = __rdtsc();
		is_cheap = npf_tap_budget_pay(
			m->budget, turn, m->share, tsc - begun, r->end - r->from);
	}
}

void npf_count(const struct npf_tap_queue *q, struct npf_burst *b, struct npf_tap_turn *turn,
	uint64_t now_ns, uint64_t mono_ns)
{
	struct range r;

	init_range(&r, b, now_ns, mono_ns);
	for (unsigned int i = 0; i < q->n_meters; i++) {
		const struct npf_tap_meter *m = &q->meters[i];

		if (NPF_UNLIKELY(m->budget != NULL)) {
			count_limited(m, &r, turn);
			continue;
		}
		r.from = 0;
		r.end = b->n;
		add_counts(m->counters, b->n, count_wanted(m, &r));
	}
}

static unsigned int first_of(const struct npf_tap_meter *m, const struct npf_burst_position *at)
{
	return at->n + (m->session < at->session);
}

void npf_count_range(const struct npf_tap_queue *q, struct npf_burst *b,
	struct npf_burst_position from, struct npf_burst_position to, uint64_t now_ns,
	uint64_t mono_ns)
{
	struct range r;

	init_range(&r, b, now_ns, mono_ns);
	for (unsigned int i = 0; i < q->n_meters; i++) {
		const struct npf_tap_meter *m = &q->meters[i];

		r.from = first_of(m, &from);
		r.end = first_of(m, &to);
		if (r.from < r.end)
			add_counts(m->counters, r.end - r.from, count_wanted(m, &r));
	}
}

void npf_count_tick(const struct npf_tap_queue *q, uint64_t mono_ns)
{
	for (unsigned int i = 0; i < q->n_meters; i++)
		npf_meter_advance(q->meters[i].meter, mono_ns);
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
	struct range r;

	npf_burst_load(b, true, mbufs, n);
	init_range(&r, b, now_ns, mono_ns);
	r.from = 0;
	r.end = n;
	for (unsigned int i = 0; i < sm->n_meters; i++) {
		const struct npf_tap_meter *m = &sm->meters[i];
		uint32_t accepted = 0;

		if (m->want_out && (m->want_own || m->session != sender))
			accepted = count_rows(m, &r);
		add_counts(m->counters, n, accepted);
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
