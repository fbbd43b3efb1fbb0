/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latency.c - how long a record takes from commit to the reader's hand.
 *
 *     bench-ring-latency [ROUNDS]
 *
 * Ping-pong of two pinned processes, half of the round trip. Spinning: a ring each way, polled,
 * against one cache line that is written back and forth. Sleeping: the same rings, each side asleep
 * on its eventfd until woken, against bare eventfds, where each side blocks in poll and then reads.
 */
#include "bench.h"

#include <poll.h>
#include <sys/eventfd.h>

#define HOPS_SPINNING 300000
#define HOPS_SLEEPING 30000

/* Side 0 begins. */
struct game {
	uint64_t hops; /* round trips */
	_Atomic uint64_t *ball;
	struct npf_buffer *b[2]; /* side i writes b[i], reads b[1 - i] */
	int efd[2];              /* side i sleeps on efd[i] */
	bool sleeps;
};

static void ring_play(const struct game *g, unsigned int side)
{
	struct npf_lane *l = npf_buffer_lane(g->b[side], 0);
	int fds[NPF_BUFFER_NFDS];
	struct npf_reader *r;
	struct npf_view v;

	DEMAND(npf_reader_new(g->efd[side], &r) == 0);
	DEMAND(npf_reader_add(r, fds, npf_buffer_fds(g->b[1 - side], fds)) == 0);
	for (uint64_t n = 0; n < g->hops * 2; n++) {
		int ret;

		if (n % 2 == side) {
			struct npf_rec hdr = {.ts_ns = n, .caplen = 64, .len = 64};
			static const uint8_t data[64];

			DEMAND(npf_lane_put(l, &hdr, data));
			if (npf_lane_commit(l, n))
				eventfd_write(g->efd[1 - side], 1);
			continue;
		}
		while ((ret = npf_reader_next(r, &v)) == 0) {
			struct pollfd pfd = {.fd = g->efd[side], .events = POLLIN};

			if (!g->sleeps) {
				bench_pause();
			} else if (npf_reader_arm(r, 0)) {
				DEMAND(poll(&pfd, 1, 10000) == 1);
				npf_reader_disarm(r);
			}
		}
		DEMAND(ret == 1 && v.ts_ns == n);
	}
	npf_reader_free(r);
}

static void line_play(const struct game *g, unsigned int side)
{
	for (uint64_t n = 0; n < g->hops * 2; n++) {
		if (n % 2 == side)
			atomic_store_explicit(g->ball, n + 1, memory_order_release);
		else
			while (atomic_load_explicit(g->ball, memory_order_acquire) <= n)
				bench_pause();
	}
}

static void eventfd_play(const struct game *g, unsigned int side)
{
	for (uint64_t n = 0; n < g->hops * 2; n++) {
		struct pollfd pfd = {.fd = g->efd[side], .events = POLLIN};
		eventfd_t value;

		if (n % 2 == side) {
			DEMAND(eventfd_write(g->efd[1 - side], 1) == 0);
			continue;
		}
		DEMAND(poll(&pfd, 1, 10000) == 1);
		DEMAND(eventfd_read(g->efd[side], &value) == 0);
	}
}

struct player {
	const struct game *g;
	void (*play)(const struct game *g, unsigned int side);
};

static void second(void *arg)
{
	const struct player *p = arg;

	p->play(p->g, 1);
}

/* Nanoseconds for one way. */
static double play(void (*fn)(const struct game *g, unsigned int side), bool sleeps)
{
	struct npf_buffer_conf conf = {.size = 1 << 20, .n_lanes = 1};
	struct game g = {
		.hops = sleeps ? HOPS_SLEEPING : HOPS_SPINNING,
		.ball = bench_share(4096),
		.sleeps = sleeps,
	};
	struct player p = {.g = &g, .play = fn};
	uint64_t start;
	pid_t child;
	double ns;

	for (unsigned int i = 0; i < 2; i++) {
		DEMAND(npf_buffer_new(&conf, &g.b[i]) == 0);
		g.efd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		DEMAND(g.efd[i] >= 0);
	}
	child = bench_fork(second, &p);
	start = npf_clock_monotonic();
	fn(&g, 0);
	ns = (double)(npf_clock_monotonic() - start);
	bench_join(child);
	for (unsigned int i = 0; i < 2; i++) {
		npf_buffer_free(g.b[i]);
		npf_close(g.efd[i]);
	}
	munmap(g.ball, 4096);
	return ns / (double)g.hops / 2;
}

int main(int argc, char **argv)
{
	struct bench_series line = {.n = 0}, spin = {.n = 0}, event = {.n = 0}, asleep = {.n = 0};
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 9;

	DEMAND(rounds > 0 && rounds <= BENCH_ROUNDS_MAX);
	bench_pin(0);
	for (unsigned int i = 0; i < rounds; i++) {
		bench_add(&line, play(line_play, false));
		bench_add(&spin, play(ring_play, false));
		bench_add(&event, play(eventfd_play, true));
		bench_add(&asleep, play(ring_play, true));
	}
	bench_title("one way, 64-byte record");
	bench_print("ring, reader spinning", &spin, "ns");
	bench_print("cache line, spinning", &line, "ns");
	bench_print_ratio("ring / cache line", &spin, &line);
	bench_print("ring, reader asleep", &asleep, "ns");
	bench_print("eventfd, poll and read", &event, "ns");
	bench_print_ratio("ring / eventfd", &asleep, &event);
	return 0;
}
