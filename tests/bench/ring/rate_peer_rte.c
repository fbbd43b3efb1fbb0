/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rate_peer_rte.c - the peer: packets copied into buffers, their pointers through an rte_ring.
 *
 * What dpdk-pdump and most DPDK programs do: a buffer per packet, filled by the same copy, pointers
 * passed in bulks of a burst between one producer and one consumer. The best case for it: buffers
 * are taken in turn, as many as the memory of our ring would hold and never more than the ring
 * lets be under way, so neither allocation nor freeing costs anything.
 */
#include <rte_ring.h>

#include "base/copy.h"
#include "rate.h"

struct peer {
	const struct rate *t;
	struct rte_ring *ring;
};

static void peer_read(void *arg)
{
	struct peer *p = arg;
	uint64_t n = 0, sum = 0;

	while (n < p->t->n_records) {
		void *recs[RATE_BURST];
		unsigned int got = rte_ring_sc_dequeue_burst(p->ring, recs, RATE_BURST, NULL);

		for (unsigned int i = 0; i < got; i++) {
			const struct npf_rec *rec = recs[i];
			const uint8_t *data = recs[i];

			sum += rec->ts_ns + rec->caplen;
			for (uint32_t at = 0; at < rec->caplen; at += p->t->stride)
				sum += data[sizeof(*rec) + at];
		}
		n += got;
		if (!got)
			bench_pause();
	}
	atomic_store(p->t->done, n + (sum == 1));
}

double rate_rte_ring(const struct rate *t)
{
	uint64_t slot = NPF_ALIGN_UP(sizeof(struct npf_rec) + t->caplen, 64ull);
	unsigned int count = 1;
	uint64_t n_slots, at = 0, start;
	struct peer p = {.t = t};
	uint8_t *slots;
	pid_t child;
	double ns;

	while (count * 2 * slot <= t->ring_size)
		count *= 2;
	n_slots = count + 2 * RATE_BURST;
	slots = bench_share(n_slots * slot);
	p.ring = bench_share((size_t)rte_ring_get_memsize(count));
	DEMAND(rte_ring_init(p.ring, "peer", count, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0);
	atomic_store(t->done, 0);
	child = bench_fork(peer_read, &p);

	start = npf_clock_monotonic();
	for (uint64_t n = 0; n < t->n_records; n += RATE_BURST) {
		void *recs[RATE_BURST];
		unsigned int sent = 0;

		for (unsigned int i = 0; i < RATE_BURST; i++) {
			struct npf_rec *rec = (struct npf_rec *)(slots + at * slot);

			rec->ts_ns = n;
			rec->caplen = t->caplen;
			rec->len = t->caplen;
			rec->gap = 0;
			rec->flags = 0;
			rec->port = 0;
			npf_copy(rec + 1, t->packets + (n + i) % RATE_N_PACKETS * 2048, t->caplen);
			recs[i] = rec;
			at = at + 1 == n_slots ? 0 : at + 1;
		}
		npf_copy_fence();
		while (sent < RATE_BURST) {
			unsigned int now = rte_ring_sp_enqueue_burst(
				p.ring, recs + sent, RATE_BURST - sent, NULL);

			sent += now;
			if (!now)
				bench_pause();
		}
	}
	while (atomic_load(t->done) < t->n_records)
		bench_pause();
	ns = (double)(npf_clock_monotonic() - start);
	bench_join(child);
	munmap(slots, n_slots * slot);
	munmap(p.ring, (size_t)rte_ring_get_memsize(count));
	return (double)t->n_records * 1e3 / ns;
}
