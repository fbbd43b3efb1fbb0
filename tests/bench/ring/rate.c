/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rate.c - how fast records pass from one process to another, against the floor and a peer.
 *
 *     bench-ring-rate [ROUNDS]
 *
 * The ring: one process copies packets in, bursts of 32, one commit each; another walks them and
 * looks at each header and at the first byte, or at a byte of every line. When the lane is full the
 * producer waits. The floor: one process, memcpy of the same bytes (header and data) into memory of
 * the same size and kind, and nobody reads them. The peer: the same copy into single buffers,
 * pointers through an rte_ring (when DPDK is there).
 */
#include "rate.h"

#include "base/copy.h"
#include "ringbuf/memory.h"

struct ring {
	const struct rate *t;
	struct npf_buffer *b;
};

static void ring_read(void *arg)
{
	struct ring *k = arg;
	int fds[NPF_BUFFER_NFDS];
	struct npf_reader *r;
	struct npf_view v;
	uint64_t n = 0, sum = 0;

	DEMAND(npf_reader_new(-1, &r) == 0);
	DEMAND(npf_reader_add(r, fds, npf_buffer_fds(k->b, fds)) == 0);
	atomic_store(k->t->done, 1); /* mapped */
	while (n < k->t->n_records) {
		int ret = npf_reader_next(r, &v);

		if (ret == 1) {
			sum += v.ts_ns + v.caplen;
			for (uint32_t at = 0; at < v.caplen; at += k->t->stride)
				sum += v.data[at];
			n++;
		} else {
			DEMAND(ret == 0);
			bench_pause();
		}
	}
	atomic_store(k->t->done, n + (sum == 1));
}

static double rate_ring(const struct rate *t)
{
	struct npf_buffer_conf conf = {.size = t->ring_size, .n_lanes = 1, .hugepages = true};
	struct npf_rec hdr = {.caplen = t->caplen, .len = t->caplen};
	struct ring k = {.t = t};
	struct npf_lane *l;
	uint64_t start;
	pid_t child;
	double ns;

	DEMAND(npf_buffer_new(&conf, &k.b) == 0);
	l = npf_buffer_lane(k.b, 0);
	atomic_store(t->done, 0);
	child = bench_fork(ring_read, &k);
	while (!atomic_load(t->done))
		;

	start = npf_clock_monotonic();
	for (uint64_t n = 0; n < t->n_records;) {
		struct npf_rec *rec = NULL;

		for (unsigned int i = 0; i < RATE_BURST && n < t->n_records; i++, n++) {
			rec = npf_lane_reserve(l, t->caplen);
			if (!rec)
				break;
			hdr.ts_ns = n;
			rec->ts_ns = n;
			rec->len = hdr.len;
			rec->flags = hdr.flags;
			rec->filter_gen = hdr.filter_gen;
			rec->port = hdr.port;
			rec->queue = hdr.queue;
			npf_copy(rec + 1, t->packets + n % RATE_N_PACKETS * 2048, t->caplen);
		}
		npf_lane_commit(l, n);
		if (!rec)
			bench_pause();
	}
	while (atomic_load(t->done) < t->n_records)
		bench_pause();
	ns = (double)(npf_clock_monotonic() - start);
	bench_join(child);
	npf_buffer_free(k.b);
	return (double)t->n_records * 1e3 / ns;
}

static double rate_floor(const struct rate *t)
{
	uint64_t space = npf_rec_space(t->caplen);
	struct npf_rec hdr = {.caplen = t->caplen, .len = t->caplen};
	struct npf_mem m;
	uint64_t at = 0, start;
	double ns;

	if (npf_mem_new(&m, "floor", t->ring_size, NPF_MEM_HUGE) != 0)
		DEMAND(npf_mem_new(&m, "floor", t->ring_size, 0) == 0);
	start = npf_clock_monotonic();
	for (uint64_t n = 0; n < t->n_records; n++) {
		if (at + space > m.size)
			at = 0;
		hdr.ts_ns = n;
		memcpy(m.addr + at, &hdr, sizeof(hdr));
		memcpy(m.addr + at + sizeof(hdr), t->packets + n % RATE_N_PACKETS * 2048,
			t->caplen);
		__asm__ volatile("" ::: "memory"); /* each copy is made */
		at += space;
	}
	ns = (double)(npf_clock_monotonic() - start);
	npf_mem_fini(&m);
	return (double)t->n_records * 1e3 / ns;
}

static void compare(const char *title, const struct rate *t, unsigned int rounds)
{
	struct bench_series ring = {.n = 0}, floor = {.n = 0}, peer = {.n = 0};

	for (unsigned int i = 0; i < rounds; i++) {
		double rte;

		bench_add(&floor, rate_floor(t));
		bench_add(&ring, rate_ring(t));
		rte = rate_rte_ring(t);
		if (rte > 0)
			bench_add(&peer, rte);
	}
	bench_title(title);
	bench_print("ring, two processes", &ring, "M records/s");
	bench_print("floor: memcpy, one process", &floor, "M records/s");
	bench_print_ratio("time of the ring / time of the floor", &floor, &ring);
	bench_print_ratio("rate of the ring / rate of the floor", &ring, &floor);
	if (peer.n) {
		bench_print("peer: rte_ring of pointers, the same copy", &peer, "M records/s");
		bench_print_ratio("rate of the ring / rate of the peer", &ring, &peer);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 7;
	uint8_t *packets = bench_share(RATE_N_PACKETS * 2048);
	_Atomic uint64_t *done = bench_share(4096);
	static const struct {
		const char *title;
		uint32_t caplen, stride;
		uint64_t size, n;
	} cases[] = {
		{"64-byte records, ring of 1 MiB", 64, 64, 1 << 20, 10000000},
		{"64-byte records, ring of 64 MiB", 64, 64, 64 << 20, 10000000},
		{"1514-byte records, ring of 1 MiB", 1514, 2048, 1 << 20, 2000000},
		{"1514-byte records, ring of 1 MiB, every line read", 1514, 64, 1 << 20, 2000000},
		{"1514-byte records, ring of 64 MiB", 1514, 2048, 64 << 20, 2000000},
		{"1514-byte records, ring of 64 MiB, every line read", 1514, 64, 64 << 20, 2000000},
	};

	DEMAND(rounds > 0 && rounds <= BENCH_ROUNDS_MAX);
	memset(packets, 0x5a, RATE_N_PACKETS * 2048);
	bench_pin(0);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(cases); i++) {
		struct rate t = {
			.caplen = cases[i].caplen,
			.stride = cases[i].stride,
			.ring_size = cases[i].size,
			.n_records = cases[i].n,
			.packets = packets,
			.done = done,
		};

		compare(cases[i].title, &t, rounds);
	}
	return 0;
}
