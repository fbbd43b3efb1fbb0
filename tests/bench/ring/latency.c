/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latency.c - how long a record takes from commit to the reader's hand.
 *
 *     bench-ring-latency [ROUNDS]
 *
 * Ping-pong of two pinned processes, half of the round trip. Spinning: a ring each way, polled,
 * against one cache line that is written back and forth. Sleeping: the same rings, each side asleep
 * until its doorbell is rung, or, as a comparison, its eventfd is written; against bare doorbells
 * and eventfds, where each side blocks in poll and then drains. One wake-up: the call alone, to
 * somebody who does not wait.
 */
#include "bench.h"

#include "base/doorbell.h"

#include <poll.h>
#include <sys/eventfd.h>

#define HOPS_SPINNING 300000
#define HOPS_SLEEPING 30000
#define CALLS         100000

/* Side 0 begins. */
struct game {
	uint64_t hops; /* round trips */
	_Atomic uint64_t *ball;
	struct npf_buffer *b[2]; /* side i writes b[i], reads b[1 - i] */
	/* Side i sleeps on one of these. */
	struct npf_doorbell bell[2];
	int efd[2];
	enum way {
		SPIN,
		BELL,
		EVENTFD
	} way;
};

static int wait_fd(struct game *g, unsigned int side)
{
	return g->way == BELL ? g->bell[side].wait_fd : g->efd[side];
}

static void wake(struct game *g, unsigned int side)
{
	if (g->way == BELL)
		while (npf_doorbell_ring(&g->bell[side]) > 0)
			bench_pause();
	else
		eventfd_write(g->efd[side], 1);
}

static void ring_play(struct game *g, unsigned int side)
{
	struct npf_lane *l = npf_buffer_lane(g->b[side], 0);
	int fds[NPF_BUFFER_NFDS];
	struct npf_reader *r;
	struct npf_view v;

	DEMAND(npf_reader_new(wait_fd(g, side), &r) == 0);
	DEMAND(npf_reader_add(r, fds, npf_buffer_fds(g->b[1 - side], fds)) == 0);
	for (uint64_t n = 0; n < g->hops * 2; n++) {
		int ret;

		if (n % 2 == side) {
			struct npf_rec hdr = {.ts_ns = n, .caplen = 64, .len = 64};
			static const uint8_t data[64];

			DEMAND(npf_lane_put(l, &hdr, data));
			if (npf_lane_commit(l, n))
				wake(g, 1 - side);
			continue;
		}
		while ((ret = npf_reader_next(r, &v)) == 0) {
			struct pollfd pfd = {.fd = wait_fd(g, side), .events = POLLIN};

			if (g->way == SPIN) {
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

static void line_play(struct game *g, unsigned int side)
{
	for (uint64_t n = 0; n < g->hops * 2; n++) {
		if (n % 2 == side)
			atomic_store_explicit(g->ball, n + 1, memory_order_release);
		else
			while (atomic_load_explicit(g->ball, memory_order_acquire) <= n)
				bench_pause();
	}
}

static void bare_play(struct game *g, unsigned int side)
{
	for (uint64_t n = 0; n < g->hops * 2; n++) {
		struct pollfd pfd = {.fd = wait_fd(g, side), .events = POLLIN};

		if (n % 2 == side) {
			wake(g, 1 - side);
			continue;
		}
		DEMAND(poll(&pfd, 1, 10000) == 1);
		npf_doorbell_drain(pfd.fd);
	}
}

struct player {
	struct game *g;
	void (*play)(struct game *g, unsigned int side);
};

static void second(void *arg)
{
	const struct player *p = arg;

	p->play(p->g, 1);
}

/* Nanoseconds for one way. */
static double play(void (*fn)(struct game *g, unsigned int side), enum way way)
{
	struct npf_buffer_conf conf = {.size = 1 << 20, .n_lanes = 1};
	struct game g = {
		.hops = way != SPIN ? HOPS_SLEEPING : HOPS_SPINNING,
		.ball = bench_share(4096),
		.way = way,
	};
	struct player p = {.g = &g, .play = fn};
	uint64_t start;
	pid_t child;
	double ns;

	for (unsigned int i = 0; i < 2; i++) {
		DEMAND(npf_buffer_new(&conf, &g.b[i]) == 0);
		g.efd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		DEMAND(g.efd[i] >= 0);
		DEMAND(npf_doorbell_init(&g.bell[i], NULL) == 0);
	}
	child = bench_fork(second, &p);
	start = npf_clock_monotonic();
	fn(&g, 0);
	ns = (double)(npf_clock_monotonic() - start);
	bench_join(child);
	for (unsigned int i = 0; i < 2; i++) {
		npf_buffer_free(g.b[i]);
		npf_close(g.efd[i]);
		npf_doorbell_fini(&g.bell[i]);
	}
	munmap(g.ball, 4096);
	return ns / (double)g.hops / 2;
}

/* Nanoseconds for one wake-up of somebody who does not wait, and, with drains, for draining it. */
static double call(enum way way, bool drains)
{
	struct game g = {.way = way, .efd = {eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), -1}};
	uint64_t start, ns = 0;

	DEMAND(npf_doorbell_init(&g.bell[0], NULL) == 0 && g.efd[0] >= 0);
	for (unsigned int i = 0; i < CALLS; i++) {
		if (drains)
			wake(&g, 0);
		start = npf_clock_monotonic();
		if (drains)
			npf_doorbell_drain(wait_fd(&g, 0));
		else
			wake(&g, 0);
		ns += npf_clock_monotonic() - start;
		if (!drains)
			npf_doorbell_drain(wait_fd(&g, 0));
	}
	npf_doorbell_fini(&g.bell[0]);
	npf_close(g.efd[0]);
	return (double)ns / CALLS;
}

int main(int argc, char **argv)
{
	struct bench_series line = {.n = 0}, spin = {.n = 0}, event = {.n = 0}, bell = {.n = 0},
			    asleep = {.n = 0}, before = {.n = 0}, ring = {.n = 0}, drain = {.n = 0},
			    write = {.n = 0}, read = {.n = 0};
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 9;

	DEMAND(rounds > 0 && rounds <= BENCH_ROUNDS_MAX);
	bench_pin(0);
	for (unsigned int i = 0; i < rounds; i++) {
		bench_add(&line, play(line_play, SPIN));
		bench_add(&spin, play(ring_play, SPIN));
		bench_add(&event, play(bare_play, EVENTFD));
		bench_add(&bell, play(bare_play, BELL));
		bench_add(&before, play(ring_play, EVENTFD));
		bench_add(&asleep, play(ring_play, BELL));
		bench_add(&write, call(EVENTFD, false));
		bench_add(&ring, call(BELL, false));
		bench_add(&read, call(EVENTFD, true));
		bench_add(&drain, call(BELL, true));
	}
	bench_title("one way, 64-byte record");
	bench_print("ring, reader spinning", &spin, "ns");
	bench_print("cache line, spinning", &line, "ns");
	bench_print_ratio("ring / cache line", &spin, &line);
	bench_print("ring, reader asleep", &asleep, "ns");
	bench_print("the same with an eventfd", &before, "ns");
	bench_print_ratio("doorbell / eventfd", &asleep, &before);
	bench_print("eventfd, poll and read", &event, "ns");
	bench_print_ratio("ring / eventfd", &asleep, &event);
	bench_print("doorbell, poll and drain", &bell, "ns");
	bench_print_ratio("doorbell / eventfd", &bell, &event);
	bench_title("the call alone, nobody waits");
	bench_print("doorbell, ring", &ring, "ns");
	bench_print("eventfd, write", &write, "ns");
	bench_print("doorbell, drain", &drain, "ns");
	bench_print("eventfd, read", &read, "ns");
	return 0;
}
