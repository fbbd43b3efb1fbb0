/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deliver.c - a burst to clients: filters, one copy of what each accepts, publish.
 *
 * Two ways. On ports that drop, a filter runs over the whole burst at once. On ports that wait
 * (replays), packet by packet, so that the first full lane stops the burst at a point from which it
 * resumes with nothing lost or doubled.
 */
#include "engine/datapath/deliver.h"

#include "jit/set/set.h"

#include <x86intrin.h>

void npf_deliver_wake(const struct npf_tap_client *c)
{
	if (c->bell != NULL && npf_doorbell_ring(c->bell) > 0)
		npf_lane_wake_later(c->lane);
}

void npf_deliver_commit(const struct npf_tap_client *c, uint64_t now_ns)
{
	if (c->dump != NULL)
		npf_writer_burst_commit(c->dump);
	else if (npf_lane_commit(c->lane, now_ns))
		npf_deliver_wake(c);
}

/* Does the client capture packets of this direction and sender? The filter is not considered. */
static inline bool is_wanted(
	const struct npf_tap_client *c, const struct npf_burst *b, unsigned int i)
{
	if (!b->sent)
		return c->want_in;
	return c->want_out && (c->want_own || b->sender[i] != c->owner);
}

static inline const struct npf_filter *filter_for(
	const struct npf_tap_client *c, const struct npf_burst *b)
{
	return b->sent ? c->filter_out : c->filter_in;
}

/* Runs the filter over packets from..end-1 of the burst; the verdicts are in b->keep. */
static inline void run_filter(
	const struct npf_tap_client *c, struct npf_burst *b, unsigned int from, unsigned int end)
{
	(NPF_UNLIKELY(c->screens) ? npf_filter_screen_burst : npf_filter_run_burst)(
		filter_for(c, b), b->data + from, b->len + from, b->caplen + from, end - from,
		b->keep + from);
}

static unsigned int n_wanted(const struct npf_tap_client *c, const struct npf_burst *b,
	unsigned int from, unsigned int end)
{
	unsigned int n = 0;

	for (unsigned int i = from; i < end; i++)
		n += is_wanted(c, b, i);
	return n;
}

static inline uint32_t keep_bytes(
	const struct npf_tap_client *c, const struct npf_burst *b, unsigned int i, uint32_t verdict)
{
	uint32_t keep = NPF_MIN(verdict, c->snaplen);

	return NPF_MIN(keep, b->caplen[i]);
}

/*
 * Which of packets from..end-1 the client captures: a bit a packet. The bytes that it keeps of
 * these are in b->keep.
 */
static inline uint64_t accepted_by(
	const struct npf_tap_client *c, struct npf_burst *b, unsigned int from, unsigned int end)
{
	uint64_t mask = 0;

	if (!(b->sent ? c->want_out : c->want_in))
		return 0;
	if (filter_for(c, b) != NULL)
		run_filter(c, b, from, end);
	else
		for (unsigned int i = from; i < end; i++)
			b->keep[i] = UINT32_MAX;
	for (unsigned int i = from; i < end; i++) {
		const uint64_t bit = b->keep[i] != 0 && is_wanted(c, b, i);

		mask |= bit << i;
	}
	if (mask != 0)
		for (unsigned int i = from; i < end; i++)
			b->keep[i] = keep_bytes(c, b, i, b->keep[i]);
	return mask;
}

static void dump_range(const struct npf_tap_client *c, struct npf_burst *b, uint64_t mask,
	unsigned int from, unsigned int end)
{
	npf_writer_burst_begin(c->dump, end - from);
	for (; mask != 0; mask &= mask - 1) {
		unsigned int i = __builtin_ctzll(mask);
		struct npf_rec hdr = b->hdr[i];

		hdr.caplen = b->keep[i];
		npf_writer_burst_pending(c->dump, end - i);
		if (!npf_writer_put(c->dump, &hdr, b->data[i]))
			npf_writer_drop(c->dump, 1);
	}
}

/*
 * What the client has accepted of packets from..end-1 of the burst to it; a full lane drops.
 *
 * A lane that got nothing is not committed: its watermark can wait for the tick, unless
 * other lanes of the session wait for it.
 */
static inline __attribute__((always_inline)) void deliver_accepted(const struct npf_tap_client *c,
	struct npf_burst *b, unsigned int from, unsigned int end, uint64_t mask, uint64_t now_ns)
{
	const uint64_t accepted = __builtin_popcountll(mask);

	if (mask != 0)
		npf_burst_describe(b);
	if (c->dump != NULL)
		dump_range(c, b, mask, from, end);
	else if (mask != 0)
		npf_lane_put_burst(c->lane,
			&(struct npf_lane_burst){b->hdr, b->data, b->keep, c->filter_gen}, mask);
	if (NPF_UNLIKELY(c->screens)) /* libpcap counts what it rejects itself as received */
		npf_tap_count(&c->counters->screened, n_wanted(c, b, from, end) - accepted);
	if (accepted > 0)
		npf_tap_count(&c->counters->accepted, accepted);
	if (accepted > 0 || c->is_merged)
		npf_deliver_commit(c, now_ns);
}

static inline __attribute__((always_inline)) void deliver_range(const struct npf_tap_client *c,
	struct npf_burst *b, unsigned int from, unsigned int end, uint64_t now_ns)
{
	deliver_accepted(c, b, from, end, accepted_by(c, b, from, end), now_ns);
	npf_tap_count(&c->counters->received, end - from);
}

/* The client's user has no time left for packets from..n-1 of the burst. */
static void refuse(const struct npf_tap_client *c, const struct npf_burst *b, unsigned int from)
{
	unsigned int n = n_wanted(c, b, from, b->n);

	if (c->dump != NULL)
		npf_writer_drop(c->dump, n);
	npf_tap_count(&c->counters->received, b->n - from);
	npf_tap_count(&c->counters->over_budget, n);
}

/* The same, as far as the client's user has time left on this lcore: one packet after the other
 * until it is known to be cheap. */
static void deliver_limited(struct npf_tap_turn *turn, const struct npf_tap_client *c,
	struct npf_burst *b, uint64_t now_ns)
{
	uint64_t tsc = __rdtsc();

	for (unsigned int i = 0, end; i < b->n; i = end) {
		uint64_t begun = tsc;

		if (!npf_tap_budget_allows(c->budget, turn, c->share, begun)) {
			refuse(c, b, i);
			return;
		}
		end = NPF_MIN(i + (c->counters->is_cheap ? NPF_TAP_PIECE : 1u), b->n);
		deliver_range(c, b, i, end, now_ns);
		tsc = __rdtsc();
		c->counters->is_cheap =
			npf_tap_budget_pay(c->budget, turn, c->share, tsc - begun, end - i);
	}
}

static void deliver_to(const struct npf_tap_client *c, struct npf_burst *b,
	struct npf_tap_turn *turn, uint64_t now_ns)
{
	if (NPF_LIKELY(c->budget == NULL))
		deliver_range(c, b, 0, b->n, now_ns);
	else
		deliver_limited(turn, c, b, now_ns);
}

/* The packets of a burst that the queue's set says the member accepts. */
static void deliver_answered(
	const struct npf_tap_member *m, struct npf_burst *b, uint64_t mask, uint64_t now_ns)
{
	for (uint64_t left = mask; left != 0; left &= left - 1) {
		unsigned int i = __builtin_ctzll(left);

		b->keep[i] = keep_bytes(m->client, b, i, m->keep);
	}
	deliver_accepted(m->client, b, 0, b->n, mask, now_ns);
}

static void deliver_answered_limited(const struct npf_tap_member *m, struct npf_burst *b,
	uint64_t mask, struct npf_tap_turn *turn, uint64_t now_ns)
{
	const struct npf_tap_client *c = m->client;
	const uint64_t n = __builtin_popcountll(mask);
	uint64_t begun = __rdtsc();

	if (npf_tap_budget_allows(c->budget, turn, c->share, begun)) {
		deliver_answered(m, b, mask, now_ns);
		npf_tap_budget_pay(c->budget, turn, c->share, __rdtsc() - begun, n);
		return;
	}
	npf_tap_count(&c->counters->over_budget, n); /* no dump is a member */
}

static void deliver_to_members(const struct npf_tap_queue *q, struct npf_burst *b,
	struct npf_tap_turn *turn, uint64_t now_ns)
{
	const uint64_t begun = q->has_budgets ? __rdtsc() : 0;
	const uint32_t *planes =
		npf_filter_set_run(q->set, q->scratch, b->data, b->len, b->caplen, b->n);

	q->unsettled->packets += b->n;
	if (q->has_budgets)
		q->unsettled->cycles += NPF_MIN(__rdtsc() - begun, turn->piece);
	for (unsigned int i = 0; i < q->n_members; i++) {
		const struct npf_tap_member *m = &q->members[i];
		uint64_t mask = planes[m->number];

		if (NPF_LIKELY(mask == 0))
			continue;
		if (m->client->budget == NULL)
			deliver_answered(m, b, mask, now_ns);
		else
			deliver_answered_limited(m, b, mask, turn, now_ns);
	}
}

void npf_deliver(const struct npf_tap_queue *q, struct npf_burst *b, struct npf_tap_turn *turn,
	uint64_t now_ns)
{
	if (q->set == NULL || b->sent) {
		for (unsigned int i = 0; i < q->n_clients; i++)
			deliver_to(&q->clients[i], b, turn, now_ns);
		return;
	}
	deliver_to_members(q, b, turn, now_ns);
	for (unsigned int i = 0; i < q->n_others; i++)
		deliver_to(q->others[i], b, turn, now_ns);
}

/* Of the set's time each member pays an equal part. */
void npf_deliver_settle(const struct npf_tap_queue *q, const struct npf_tap_turn *turn)
{
	struct npf_tap_unsettled *u = q->unsettled;
	const uint64_t now = q->has_budgets ? __rdtsc() : 0;

	if (q->set == NULL || u->packets == 0)
		return;
	for (unsigned int i = 0; i < q->n_members; i++) {
		const struct npf_tap_client *c = q->members[i].client;

		npf_tap_count(&c->counters->received, u->packets);
		if (c->budget != NULL)
			npf_tap_budget_share(
				c->budget, turn, c->share, u->cycles / q->n_members, now);
	}
	*u = (struct npf_tap_unsettled){0};
}

bool npf_deliver_one(const struct npf_tap_client *c, struct npf_burst *b, unsigned int i)
{
	const struct npf_filter *filter = filter_for(c, b);
	uint32_t verdict = UINT32_MAX;
	struct npf_rec hdr = b->hdr[i];

	if (c->dump != NULL)
		npf_writer_burst_begin(c->dump, 1);
	if (!is_wanted(c, b, i))
		verdict = 0;
	else if (filter != NULL)
		verdict = (c->screens ? npf_filter_screen : npf_filter_run)(
			filter, b->data[i], b->len[i], b->caplen[i]);
	if (verdict == 0 && c->screens && is_wanted(c, b, i))
		npf_tap_count(&c->counters->screened, 1);
	if (verdict != 0) {
		hdr.caplen = keep_bytes(c, b, i, verdict);
		hdr.filter_gen = c->filter_gen;
		if (c->dump != NULL) {
			if (!npf_writer_put(c->dump, &hdr, b->data[i])) {
				npf_writer_burst_uncount(c->dump);
				return false;
			}
		} else if (!npf_lane_try(c->lane, &hdr, b->data[i])) {
			/* There is never room in a lane with a fault, nor for a packet larger than
			 * the lane. */
			if (npf_lane_fault(c->lane) == 0 &&
				npf_rec_space(hdr.caplen) <= c->lane_size)
				return false;
			npf_lane_drop(c->lane, NPF_DROP_OVERSIZE, 1);
		}
		npf_tap_count(&c->counters->accepted, 1);
	}
	npf_tap_count(&c->counters->received, 1);
	return true;
}
