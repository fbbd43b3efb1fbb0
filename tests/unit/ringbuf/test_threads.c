/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads.c - lanes and a reader that run at the same time: records, wake-up, resize.
 *
 * Built a second time under ThreadSanitizer. That tool goes by addresses and would see two
 * unrelated memories in the producer's mapping and the reader's; so the reader is made to use the
 * producer's (share_mapping).
 */
#include "pair.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "ringbuf/lane.h"
#include "ringbuf/reader.h"

#ifdef NPF_TEST_LIGHT /* under a sanitizer */
#	define N(normal) ((normal) / 10)
#else
#	define N(normal) (normal)
#endif

#define N_LANES     2
#define MAX_BUFFERS 64

struct shared {
	struct pair p;
	_Atomic uint64_t clock;                  /* stamps of all lanes: a count of bursts */
	_Atomic uint64_t read;                   /* packets that the reader has had */
	struct npf_buffer *buffers[MAX_BUFFERS]; /* of which those up to now are there */
	_Atomic unsigned int now;                /* the one to write to */
	uint64_t mintocopy;
	uint64_t n_packets; /* of each lane */
	unsigned int n_lanes;
	unsigned int n_resizes;
	bool wakes_only; /* no tick: nothing but commits may wake the reader */
	bool lockstep;   /* wait for the reader after each commit */
};

struct producer {
	struct shared *s;
	unsigned int i;
	pthread_t thread;
	struct npf_lane *ends; /* the lane that it left */
};

static void share_mapping(struct shared *s)
{
	struct npf_reader_buffer *rb = s->p.r->first;

	while (rb->next)
		rb = rb->next;
	rb->pw = s->p.b->pw;
	rb->cw = (struct npf_cw *)s->p.b->cw_mem.addr;
	for (unsigned int i = 0; i < rb->n_lanes; i++) {
		rb->lane[i].pw = &rb->pw->lane[i];
		rb->lane[i].cw = &rb->cw->lane[i];
		rb->lane[i].data = s->p.b->data_mem[i].addr;
	}
}

/* Half of the packets of a lane bear its number: packet n of lane i is number 2 * n + i. */
static uint64_t number(const struct producer *t, uint64_t n)
{
	return n * N_LANES + t->i;
}

static void fill(struct npf_rec *rec, uint64_t n, uint64_t ts)
{
	rec->ts_ns = ts;
	rec->len = rec->caplen + 4;
	rec->flags = (uint16_t)n;
	rec->filter_gen = (uint16_t)(n >> 16);
	rec->port = 3;
	rec->queue = 5;
	packet_fill((uint8_t *)(rec + 1), n, rec->caplen);
}

static void wake(struct producer *t, bool due)
{
	if (due)
		assert_return_code(eventfd_write(t->s->p.efd, 1), 0);
}

/* Follow the control thread to the newest buffer. The lane of each one on the way must be closed:
 * the reader waits for that. */
static struct npf_lane *current_lane(struct producer *t, struct npf_lane *l, unsigned int *atp)
{
	while (*atp != atomic_load(&t->s->now)) {
		struct npf_lane *to = npf_buffer_lane(t->s->buffers[++*atp], t->i);

		npf_lane_close(l);
		wake(t, true);
		l = to;
	}
	return l;
}

static void *produce(void *arg)
{
	struct producer *t = arg;
	struct shared *s = t->s;
	struct npf_lane *l = npf_buffer_lane(s->buffers[0], t->i);
	uint64_t seed = 17 + t->i;
	unsigned int at = 0;

	for (uint64_t n = 0; n < s->n_packets;) {
		uint64_t burst = s->lockstep ? 1 : 1 + random_next(&seed) % 16;
		uint64_t ts = atomic_fetch_add(&s->clock, 1);
		uint64_t before = n;

		l = current_lane(t, l, &at);
		for (; burst && n < s->n_packets; burst--, n++) {
			struct npf_rec *rec = npf_lane_reserve(l, random_next(&seed) % 300);

			if (!rec) /* as a port that waits */
				break;
			fill(rec, number(t, n), ts);
		}
		wake(t, npf_lane_commit(l, ts));
		if (!s->wakes_only)
			wake(t, npf_lane_tick(l, ts, npf_clock_monotonic()));
		if (n == before)
			sched_yield();
		while (s->lockstep && atomic_load(&s->read) < n)
			sched_yield();
	}
	while (at < s->n_resizes) /* buffers still to come must be closed, too */
		l = current_lane(t, l, &at);
	t->ends = l;
	npf_lane_close(l);
	wake(t, true);
	return NULL;
}

/* Sleep as an application would. A wake-up that does not come within 20 s is lost. */
static void doze(struct shared *s)
{
	struct pollfd pfd = {.fd = s->p.efd, .events = POLLIN};

	if (!npf_reader_arm(s->p.r, s->mintocopy))
		return;
	if (poll(&pfd, 1, 20000) == 0)
		fail_msg("not woken with %llu bytes waiting",
			(unsigned long long)npf_reader_pending(s->p.r));
	npf_reader_disarm(s->p.r);
}

static void run(struct shared *s, const struct npf_buffer_conf *conf)
{
	struct npf_buffer_conf larger = *conf;
	struct producer t[N_LANES] = {{0}};
	uint64_t expected[N_LANES] = {0};
	unsigned int now = 0;
	uint64_t got = 0, last = 0;
	struct npf_view v;
	int ret;

	s->n_lanes = conf->n_lanes;
	s->mintocopy = conf->mintocopy;
	pair_init(&s->p, conf);
	share_mapping(s);
	s->buffers[0] = s->p.b;
	for (unsigned int i = 0; i < s->n_lanes; i++) {
		t[i] = (struct producer){.s = s, .i = i};
		assert_int_equal(pthread_create(&t[i].thread, NULL, produce, &t[i]), 0);
	}
	while ((ret = npf_reader_next(s->p.r, &v)) != -ENODATA) {
		unsigned int i = (v.flags % N_LANES);

		assert_true(ret >= 0);
		if (ret == 0) {
			doze(s);
			continue;
		}
		view_is(&v, expected[i] * N_LANES + i, v.caplen, v.ts_ns);
		assert_true(v.ts_ns >= last);
		assert_int_equal(v.gap, 0);
		last = v.ts_ns;
		expected[i]++;
		atomic_store(&s->read, ++got);
		if (now < s->n_resizes && got == (now + 1) * s->n_packets / (s->n_resizes + 1)) {
			larger.size += 4096;
			assert_int_equal(npf_buffer_new(&larger, &s->p.b), 0);
			pair_attach(&s->p);
			share_mapping(s);
			s->buffers[++now] = s->p.b;
			atomic_store(&s->now, now);
		}
	}
	for (unsigned int i = 0; i < s->n_lanes; i++) {
		pthread_join(t[i].thread, NULL);
		assert_int_equal(expected[i], s->n_packets);
		assert_int_equal(npf_lane_fault(t[i].ends), 0);
	}
	pair_fini(&s->p);
	while (now)
		npf_buffer_free(s->buffers[--now]);
}

static void records_pass_unharmed_between_threads(void **state)
{
	struct npf_buffer_conf conf = {.size = NPF_BUFFER_MIN, .n_lanes = 1};
	struct shared s = {.n_packets = N(300000)};

	(void)state;
	run(&s, &conf);
}

static void two_lanes_merge_in_time_order(void **state)
{
	struct npf_buffer_conf conf = {.size = NPF_BUFFER_MIN, .n_lanes = 2};
	struct shared s = {.n_packets = N(100000)};

	(void)state;
	run(&s, &conf);
}

static void no_wake_up_is_lost(void **state)
{
	struct npf_buffer_conf conf = {.size = NPF_BUFFER_MIN, .n_lanes = 1};
	struct shared s = {.n_packets = N(50000), .wakes_only = true, .lockstep = true};

	(void)state;
	run(&s, &conf);
}

static void no_wake_up_is_lost_above_mintocopy(void **state)
{
	struct npf_buffer_conf conf = {.size = NPF_BUFFER_MIN, .n_lanes = 1, .mintocopy = 16000};
	struct shared s = {.n_packets = N(200000), .wakes_only = true};

	(void)state;
	run(&s, &conf);
}

static void the_timeout_ends_a_sleep_below_mintocopy(void **state)
{
	struct npf_buffer_conf conf = {
		.size = NPF_BUFFER_MIN,
		.n_lanes = 2,
		.mintocopy = 16000,
		.timeout_ns = NPF_NS_PER_MS,
	};
	struct shared s = {.n_packets = N(100000)};

	(void)state;
	run(&s, &conf);
}

static void buffers_are_exchanged_under_load(void **state)
{
	struct npf_buffer_conf conf = {.size = NPF_BUFFER_MIN, .n_lanes = 2};
	struct shared s = {.n_packets = N(100000), .n_resizes = 40};

	(void)state;
	run(&s, &conf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_pass_unharmed_between_threads),
		cmocka_unit_test(two_lanes_merge_in_time_order),
		cmocka_unit_test(no_wake_up_is_lost),
		cmocka_unit_test(no_wake_up_is_lost_above_mintocopy),
		cmocka_unit_test(the_timeout_ends_a_sleep_below_mintocopy),
		cmocka_unit_test(buffers_are_exchanged_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
