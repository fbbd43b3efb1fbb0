/* SPDX-License-Identifier: BSD-3-Clause */
/* test_lanes.c - a reader of several lanes, and of one buffer after another. */
#include "pair.h"

#define SIZE NPF_BUFFER_MIN

static void lanes_merge_in_time_order(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 3};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	put(pair_lane(&p, 0), 1, 10, 100);
	put(pair_lane(&p, 0), 4, 10, 400);
	put(pair_lane(&p, 0), 5, 10, 500);
	put(pair_lane(&p, 1), 2, 20, 200);
	put(pair_lane(&p, 1), 6, 20, 600);
	put(pair_lane(&p, 2), 3, 30, 300);
	for (unsigned int i = 0; i < 3; i++)
		npf_lane_commit(pair_lane(&p, i), 600);
	next_is(&p, 1, 10, 100);
	next_is(&p, 2, 20, 200);
	next_is(&p, 3, 30, 300);
	next_is(&p, 4, 10, 400);
	next_is(&p, 5, 10, 500);
	next_is(&p, 6, 20, 600);
	next_is_none(&p);
	pair_fini(&p);
}

static void a_record_waits_until_no_lane_can_bring_an_older_one(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	put(pair_lane(&p, 0), 2, 10, 200);
	npf_lane_commit(pair_lane(&p, 0), 200);
	next_is_none(&p); /* lane 1 might still bring one of 199 */
	npf_lane_tick(pair_lane(&p, 1), 199, 1);
	next_is_none(&p);
	put(pair_lane(&p, 1), 1, 10, 199);
	npf_lane_commit(pair_lane(&p, 1), 199);
	next_is(&p, 1, 10, 199);
	next_is_none(&p);
	npf_lane_tick(pair_lane(&p, 1), 200, 1);
	next_is(&p, 2, 10, 200);
	pair_fini(&p);
}

static void a_clock_set_back_holds_nothing_up(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	put(pair_lane(&p, 0), 1, 10, 1000000);
	npf_lane_commit(pair_lane(&p, 0), 1000000);
	npf_lane_tick(pair_lane(&p, 1), 999999, 1);
	next_is_none(&p);
	npf_lane_tick(pair_lane(&p, 1), 500, 2);
	next_is(&p, 1, 10, 1000000);
	put(pair_lane(&p, 1), 2, 10, 501);
	npf_lane_commit(pair_lane(&p, 1), 501);
	npf_lane_commit(pair_lane(&p, 0), 501);
	next_is(&p, 2, 10, 501);
	pair_fini(&p);
}

static void a_closed_lane_holds_nothing_up(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	put(pair_lane(&p, 0), 1, 10, 100);
	npf_lane_commit(pair_lane(&p, 0), 100);
	npf_lane_close(pair_lane(&p, 1));
	next_is(&p, 1, 10, 100);
	next_is_none(&p);
	put(pair_lane(&p, 0), 2, 10, 101);
	npf_lane_close(pair_lane(&p, 0)); /* what was reserved is published */
	assert_null(npf_lane_reserve(pair_lane(&p, 0), 1));
	next_is(&p, 2, 10, 101);
	assert_int_equal(npf_reader_next(p.r, &v), -ENODATA);
	assert_int_equal(npf_reader_next(p.r, &v), -ENODATA);
	pair_fini(&p);
}

static void one_busy_lane_can_use_the_whole_budget(void **state)
{
	struct npf_buffer_conf conf = {.size = 1 << 20, .n_lanes = 4};
	struct npf_buffer_info info;
	struct pair p;
	uint64_t bytes = 0;

	(void)state;
	pair_init(&p, &conf);
	while (put(pair_lane(&p, 2), 1, 992, 1))
		bytes += npf_rec_space(992);
	assert_true(bytes * 100 >= conf.size * 99);
	npf_buffer_info(p.b, &info);
	assert_int_equal(info.n_lanes, 4);
	assert_true(info.memory >= 4 * info.size);
	pair_fini(&p);
}

static void a_new_buffer_is_read_after_the_old_one_without_loss(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct npf_buffer *old;
	struct npf_ring_counters c;
	struct pair p;
	uint64_t n = 0, got = 0;

	(void)state;
	pair_init(&p, &conf);
	for (unsigned int round = 0; round < 30; round++) {
		for (unsigned int i = 0; i < 40; i++, n++)
			assert_true(put(pair_lane(&p, n % 2), n, 200, n));
		npf_lane_commit(pair_lane(&p, 0), n);
		npf_lane_commit(pair_lane(&p, 1), n);
		for (unsigned int i = 0; i < 15; i++, got++)
			next_is(&p, got, 200, got);

		old = p.b;
		conf.size += 4096;
		assert_int_equal(npf_buffer_new(&conf, &p.b), 0);
		pair_attach(&p);
		/* The new lanes may already run while the old ones end. */
		put(pair_lane(&p, 0), n, 200, n);
		npf_lane_commit(pair_lane(&p, 0), n);
		n++;
		npf_lane_close(npf_buffer_lane(old, 0));
		npf_lane_close(npf_buffer_lane(old, 1));
		npf_lane_tick(pair_lane(&p, 1), n, 1);
		if (round % 2) /* the engine may forget it at once: the client has its mapping */
			old = npf_buffer_free(old);
		for (; got < n; got++)
			next_is(&p, got, 200, got);
		next_is_none(&p);
		npf_buffer_free(old);
	}
	npf_reader_counters(p.r, &c);
	assert_int_equal(c.packets, n);
	assert_int_equal(c.bytes, n * 200);
	pair_fini(&p);
}

static void lanes_that_move_to_a_new_buffer_one_by_one_stay_in_time_order(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 3};
	struct npf_buffer *old;
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	old = p.b;
	put(npf_buffer_lane(old, 0), 1, 10, 10);
	npf_lane_commit(npf_buffer_lane(old, 0), 10);
	conf.n_lanes = 2; /* lane 2 has no successor */
	assert_int_equal(npf_buffer_new(&conf, &p.b), 0);
	pair_attach(&p);

	npf_lane_close(npf_buffer_lane(old, 0));
	put(pair_lane(&p, 0), 2, 10, 20);
	put(pair_lane(&p, 0), 5, 10, 50);
	npf_lane_commit(pair_lane(&p, 0), 50);
	next_is_none(&p); /* the others are behind */
	put(npf_buffer_lane(old, 2), 3, 10, 30);
	npf_lane_close(npf_buffer_lane(old, 2));
	put(npf_buffer_lane(old, 1), 4, 10, 40);
	npf_lane_commit(npf_buffer_lane(old, 1), 40);
	next_is(&p, 1, 10, 10);
	next_is(&p, 2, 10, 20);
	next_is(&p, 3, 10, 30);
	next_is(&p, 4, 10, 40);
	next_is_none(&p);
	npf_lane_close(npf_buffer_lane(old, 1));
	next_is_none(&p); /* lane 1 might go on in its new place */
	npf_lane_tick(pair_lane(&p, 1), 60, 1);
	next_is(&p, 5, 10, 50);
	next_is_none(&p);

	/* And back to three: the third has none to wait for. */
	npf_buffer_free(old);
	old = p.b;
	conf.n_lanes = 3;
	assert_int_equal(npf_buffer_new(&conf, &p.b), 0);
	pair_attach(&p);
	put(pair_lane(&p, 2), 6, 10, 60);
	npf_lane_commit(pair_lane(&p, 2), 60);
	put(pair_lane(&p, 0), 8, 10, 80);
	npf_lane_close(pair_lane(&p, 0));
	put(npf_buffer_lane(old, 0), 7, 10, 70);
	npf_lane_close(npf_buffer_lane(old, 0));
	npf_lane_close(npf_buffer_lane(old, 1));
	npf_lane_close(pair_lane(&p, 1));
	next_is(&p, 6, 10, 60);
	npf_lane_close(pair_lane(&p, 2));
	next_is(&p, 7, 10, 70);
	next_is(&p, 8, 10, 80);
	assert_int_equal(npf_reader_next(p.r, &v), -ENODATA);
	npf_buffer_free(old);
	pair_fini(&p);
}

static void drops_at_the_end_of_a_buffer_are_marked_in_the_next_one(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct npf_buffer *old;
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	put(pair_lane(&p, 0), 1, 10, 1);
	npf_lane_drop(pair_lane(&p, 0), NPF_DROP_FULL, 5);
	npf_lane_drop(pair_lane(&p, 1), NPF_DROP_OVERSIZE, 2);
	old = p.b;
	assert_int_equal(npf_buffer_new(&conf, &p.b), 0);
	pair_attach(&p);
	put(pair_lane(&p, 0), 2, 10, 2);
	put(pair_lane(&p, 0), 3, 10, 3);
	npf_lane_commit(pair_lane(&p, 0), 3);
	npf_lane_close(pair_lane(&p, 1));
	npf_lane_close(npf_buffer_lane(old, 0));
	npf_lane_close(npf_buffer_lane(old, 1));
	/* Lane 1 is left when the first record is looked for, lane 0 after it. */
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_int_equal(v.gap, 2);
	npf_reader_arm(p.r, 0); /* a look ahead must not lose it */
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_int_equal(v.gap, 5);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_int_equal(v.gap, 0);
	npf_buffer_free(old);
	pair_fini(&p);
}

static void a_fresh_reader_goes_on_where_the_last_one_left_off(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE + 4096, .n_lanes = 1, .start_pos = -4096ull};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	for (uint64_t n = 0; n < 2000; n++) {
		assert_true(put(pair_lane(&p, 0), n, 100, n));
		npf_lane_commit(pair_lane(&p, 0), n);
		next_is(&p, n, 100, n);
		if (n % 100 == 99) {
			npf_reader_release(p.r);
			npf_reader_free(p.r);
			assert_int_equal(npf_reader_new(p.efd, &p.r), 0);
			pair_attach(&p);
		}
	}
	pair_fini(&p);
}

static void what_a_dead_producer_committed_is_read_in_order_to_the_end(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	put(pair_lane(&p, 0), 2, 10, 200);
	put(pair_lane(&p, 0), 3, 10, 300);
	npf_lane_commit(pair_lane(&p, 0), 300);
	put(pair_lane(&p, 1), 1, 10, 100);
	npf_lane_commit(pair_lane(&p, 1), 100);
	next_is(&p, 1, 10, 100);
	next_is_none(&p); /* lane 1 might go on at 100 */
	npf_reader_finish(p.r);
	next_is(&p, 2, 10, 200);
	next_is(&p, 3, 10, 300);
	assert_int_equal(npf_reader_next(p.r, &v), -ENODATA);
	pair_fini(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes_merge_in_time_order),
		cmocka_unit_test(a_record_waits_until_no_lane_can_bring_an_older_one),
		cmocka_unit_test(a_clock_set_back_holds_nothing_up),
		cmocka_unit_test(a_closed_lane_holds_nothing_up),
		cmocka_unit_test(one_busy_lane_can_use_the_whole_budget),
		cmocka_unit_test(a_new_buffer_is_read_after_the_old_one_without_loss),
		cmocka_unit_test(lanes_that_move_to_a_new_buffer_one_by_one_stay_in_time_order),
		cmocka_unit_test(drops_at_the_end_of_a_buffer_are_marked_in_the_next_one),
		cmocka_unit_test(a_fresh_reader_goes_on_where_the_last_one_left_off),
		cmocka_unit_test(what_a_dead_producer_committed_is_read_in_order_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
