/* SPDX-License-Identifier: BSD-3-Clause */
/* test_overwrite.c - overwrite mode: the newest records stay, the lost ones are counted. */
#include "pair.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIZE NPF_BUFFER_MIN

static const struct npf_buffer_conf overwriting = {.size = SIZE, .n_lanes = 1, .overwrite = true};

static void the_newest_records_stay(void **state)
{
	uint64_t capacity = SIZE / npf_rec_space(1000);
	struct npf_ring_counters c;
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &overwriting);
	for (uint64_t n = 0; n < 1000; n++) {
		assert_true(put(pair_lane(&p, 0), n, 1000, n));
		npf_lane_commit(pair_lane(&p, 0), n);
	}
	for (uint64_t n = 1000 - capacity; n < 1000; n++) {
		assert_int_equal(npf_reader_next(p.r, &v), 1);
		view_is(&v, n, 1000, n);
		assert_int_equal(v.gap, n == 1000 - capacity ? n : 0);
	}
	next_is_none(&p);
	npf_buffer_counters(p.b, &c);
	assert_int_equal(c.packets, 1000);
	assert_int_equal(c.drop[NPF_DROP_OVERWRITTEN], 1000 - capacity);
	assert_int_equal(c.drop[NPF_DROP_FULL], 0);
	npf_reader_counters(p.r, &c);
	assert_int_equal(c.drop[NPF_DROP_OVERWRITTEN], 1000 - capacity);
	pair_fini(&p);
}

static void what_was_read_is_not_lost(void **state)
{
	struct npf_ring_counters c;
	struct pair p;

	(void)state;
	pair_init(&p, &overwriting);
	for (uint64_t n = 0; n < 5000; n++) {
		assert_true(put(pair_lane(&p, 0), n, n % 1500, n));
		npf_lane_commit(pair_lane(&p, 0), n);
		next_is(&p, n, n % 1500, n);
	}
	npf_buffer_counters(p.b, &c);
	assert_int_equal(c.drop[NPF_DROP_OVERWRITTEN], 0);
	pair_fini(&p);
}

static void a_burst_larger_than_the_lane_drops_its_end(void **state)
{
	struct npf_ring_counters c;
	struct pair p;
	uint64_t n = 0;

	(void)state;
	pair_init(&p, &overwriting);
	put(pair_lane(&p, 0), 0, 1000, 0);
	npf_lane_commit(pair_lane(&p, 0), 0);
	for (uint64_t i = 0; i < 100; i++)
		n += put(pair_lane(&p, 0), i, 1000, 1);
	assert_int_equal(n, SIZE / npf_rec_space(1000));
	npf_lane_commit(pair_lane(&p, 0), 1);
	for (uint64_t i = 0; i < n; i++)
		next_is(&p, i, 1000, 1);
	npf_buffer_counters(p.b, &c);
	assert_int_equal(c.drop[NPF_DROP_FULL], 100 - n);
	assert_int_equal(c.drop[NPF_DROP_OVERWRITTEN], 1);
	pair_fini(&p);
}

static void a_view_stays_what_it_was_while_its_record_is_overwritten(void **state)
{
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &overwriting);
	put(pair_lane(&p, 0), 1, 1000, 1);
	npf_lane_commit(pair_lane(&p, 0), 1);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	for (uint64_t n = 0; n < 100; n++)
		put(pair_lane(&p, 0), n, 1000, n);
	npf_lane_commit(pair_lane(&p, 0), 100);
	view_is(&v, 1, 1000, 1);
	pair_fini(&p);
}

static void lanes_merge_in_time_order_over_losses(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2, .overwrite = true};
	struct npf_ring_counters c;
	uint64_t last = 0, got = 0, gaps = 0;
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	for (uint64_t n = 1; n <= 20000; n++) {
		assert_true(put(pair_lane(&p, n % 2), n, 700, n));
		npf_lane_commit(pair_lane(&p, 0), n);
		npf_lane_commit(pair_lane(&p, 1), n);
		for (unsigned int i = 0; n % 500 == 0 && i < 70; i++) {
			assert_int_equal(npf_reader_next(p.r, &v), 1);
			view_is(&v, v.ts_ns, 700, v.ts_ns);
			assert_true(v.ts_ns > last);
			last = v.ts_ns;
			gaps += v.gap;
			got++;
		}
	}
	while (npf_reader_next(p.r, &v) == 1) {
		gaps += v.gap;
		got++;
	}
	assert_int_equal(v.ts_ns, 20000);
	assert_int_equal(got + gaps, 20000);
	npf_reader_counters(p.r, &c);
	assert_int_equal(c.drop[NPF_DROP_OVERWRITTEN], gaps);
	pair_fini(&p);
}

static void positions_wrap(void **state)
{
	struct npf_buffer_conf conf = overwriting;
	uint64_t expected = 0, n = 0;
	struct npf_view v;
	struct pair p;

	(void)state;
	conf.size = SIZE + 4096;
	conf.start_pos = -8ull * SIZE;
	pair_init(&p, &conf);
	while (n < 3000) {
		for (unsigned int i = 0; i < 150; i++, n++) {
			put(pair_lane(&p, 0), n, 1200, n);
			npf_lane_commit(pair_lane(&p, 0), n);
		}
		for (unsigned int i = 0; i < 20; i++) {
			assert_int_equal(npf_reader_next(p.r, &v), 1);
			expected += v.gap;
			view_is(&v, expected++, 1200, v.ts_ns);
		}
	}
	assert_int_equal(npf_lane_fault(pair_lane(&p, 0)), 0);
	pair_fini(&p);
}

/* ---- A producer that laps a reader which is reading ---- */

#define LAPS_PACKETS 300000

struct laps {
	struct pair p;
	_Atomic bool done;
};

static void *laps_produce(void *arg)
{
	struct laps *t = arg;
	uint64_t seed = 3;
	uint64_t n = 0;

	while (n < LAPS_PACKETS) {
		for (uint64_t burst = 1 + random_next(&seed) % 32; burst && n < LAPS_PACKETS;
			burst--) {
			put(pair_lane(&t->p, 0), n, 16 + random_next(&seed) % 1500, n);
			n++;
		}
		npf_lane_commit(pair_lane(&t->p, 0), n);
	}
	atomic_store(&t->done, true);
	return NULL;
}

static void no_torn_record_is_ever_delivered(void **state)
{
	struct npf_ring_counters c;
	uint64_t expected = 0, got = 0;
	struct laps t = {.done = false};
	struct npf_view v;
	pthread_t producer;
	bool done;
	int ret;

	(void)state;
	pair_init(&t.p, &overwriting);
	assert_int_equal(pthread_create(&producer, NULL, laps_produce, &t), 0);
	do {
		done = atomic_load(&t.done);
		while ((ret = npf_reader_next(t.p.r, &v)) == 1) {
			expected += v.gap;
			view_is(&v, expected, v.caplen, expected);
			expected++;
			got++;
		}
		assert_int_equal(ret, 0);
	} while (!done);
	pthread_join(producer, NULL);
	npf_reader_counters(t.p.r, &c);
	assert_int_equal(expected, LAPS_PACKETS);
	assert_int_equal(got + c.drop[NPF_DROP_OVERWRITTEN], LAPS_PACKETS);
	/* The producer's figure may count in what was being read: never too little. */
	npf_buffer_counters(t.p.b, &c);
	assert_true(got + c.drop[NPF_DROP_OVERWRITTEN] >= LAPS_PACKETS);
	pair_fini(&t.p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_records_stay),
		cmocka_unit_test(what_was_read_is_not_lost),
		cmocka_unit_test(a_burst_larger_than_the_lane_drops_its_end),
		cmocka_unit_test(a_view_stays_what_it_was_while_its_record_is_overwritten),
		cmocka_unit_test(lanes_merge_in_time_order_over_losses),
		cmocka_unit_test(positions_wrap),
		cmocka_unit_test(no_torn_record_is_ever_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
