/* SPDX-License-Identifier: BSD-3-Clause */
/* test_wake.c - when a sleeping reader is woken, and when it is left alone. */
#include "pair.h"

#include "base/clock.h"

#define SIZE NPF_BUFFER_MIN
#define MS   NPF_NS_PER_MS

/* One 100-byte packet. */
static bool feed(struct pair *p, unsigned int lane, uint64_t now)
{
	assert_true(put(pair_lane(p, lane), now, 100, now));
	return npf_lane_commit(pair_lane(p, lane), now);
}

static void drain(struct pair *p)
{
	struct npf_view v;

	while (npf_reader_next(p->r, &v) == 1)
		;
}

static void a_reader_that_is_awake_is_not_woken(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_false(feed(&p, 0, 1));
	assert_false(npf_lane_tick(pair_lane(&p, 0), 1, 1));
	drain(&p);
	assert_true(npf_reader_arm(p.r, 0));
	npf_reader_disarm(p.r);
	assert_false(feed(&p, 0, 2));
	pair_fini(&p);
}

static void a_sleeping_reader_is_woken_once_by_the_first_commit(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	for (uint64_t now = 1; now < 50; now += 10) {
		assert_true(npf_reader_arm(p.r, 0));
		assert_false(npf_lane_commit(pair_lane(&p, 0), now));
		assert_true(feed(&p, 0, now));
		assert_false(feed(&p, 0, now + 1));
		assert_false(npf_lane_tick(pair_lane(&p, 0), now + 1, now + 1));
		drain(&p);
	}
	pair_fini(&p);
}

static void a_reader_does_not_go_to_sleep_over_what_is_there(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	feed(&p, 0, 1);
	assert_false(npf_reader_arm(p.r, 0));
	assert_false(feed(&p, 0, 2)); /* not armed */
	drain(&p);
	assert_true(npf_reader_arm(p.r, 0));
	npf_lane_close(pair_lane(&p, 0));
	npf_reader_disarm(p.r);
	assert_false(npf_reader_arm(p.r, 0)); /* the end is there */
	pair_fini(&p);
}

static void mintocopy_is_what_wakes_a_reader(void **state)
{
	uint64_t space = npf_rec_space(100);
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1, .mintocopy = 5 * space};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	for (uint64_t now = 1; now < 5; now++)
		assert_false(feed(&p, 0, now));
	assert_true(npf_reader_arm(p.r, conf.mintocopy)); /* below it, so it may sleep */
	assert_true(feed(&p, 0, 5));
	assert_false(npf_reader_arm(p.r, conf.mintocopy));
	drain(&p);
	pair_fini(&p);
}

static void mintocopy_counts_what_all_lanes_have_together(void **state)
{
	uint64_t space = npf_rec_space(100);
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 3, .mintocopy = 3 * space};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	assert_false(feed(&p, 0, 1));
	assert_false(feed(&p, 1, 1));
	assert_true(feed(&p, 2, 1));
	pair_fini(&p);
}

static void a_record_in_use_does_not_count_as_waiting(void **state)
{
	uint64_t space = npf_rec_space(100);
	struct npf_buffer_conf conf = {
		.size = SIZE, .n_lanes = 1, .mintocopy = 2 * space, .timeout_ns = 10 * MS};
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	feed(&p, 0, 1);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	assert_false(npf_lane_tick(pair_lane(&p, 0), 2, 1 * MS));
	assert_false(npf_lane_tick(pair_lane(&p, 0), 2, 99 * MS));
	assert_false(feed(&p, 0, 2));
	assert_true(feed(&p, 0, 3));
	view_is(&v, 1, 100, 1);
	pair_fini(&p);
}

static void the_timeout_wakes_a_reader_when_something_is_there(void **state)
{
	struct npf_buffer_conf conf = {
		.size = SIZE, .n_lanes = 1, .mintocopy = 16000, .timeout_ns = 10 * MS};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	for (uint64_t ms = 1; ms < 100; ms++)
		assert_false(npf_lane_tick(pair_lane(&p, 0), ms, ms * MS)); /* empty */
	assert_false(feed(&p, 0, 100));
	for (uint64_t ms = 100; ms < 110; ms++)
		assert_false(npf_lane_tick(pair_lane(&p, 0), ms, ms * MS));
	assert_true(npf_lane_tick(pair_lane(&p, 0), 110, 110 * MS));
	assert_false(npf_lane_tick(pair_lane(&p, 0), 111, 111 * MS));
	/* Not read, asleep again: it has waited long enough already. */
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	assert_true(npf_lane_tick(pair_lane(&p, 0), 112, 112 * MS));
	pair_fini(&p);
}

static void the_timeout_starts_anew_with_what_comes_after_a_read(void **state)
{
	struct npf_buffer_conf conf = {
		.size = SIZE, .n_lanes = 1, .mintocopy = 16000, .timeout_ns = 10 * MS};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	feed(&p, 0, 1);
	assert_false(npf_lane_tick(pair_lane(&p, 0), 1, 1 * MS));
	drain(&p);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	feed(&p, 0, 2);
	for (uint64_t ms = 9; ms < 19; ms++)
		assert_false(npf_lane_tick(pair_lane(&p, 0), ms, ms * MS));
	assert_true(npf_lane_tick(pair_lane(&p, 0), 19, 19 * MS));
	pair_fini(&p);
}

static void without_a_timeout_only_mintocopy_wakes(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1, .mintocopy = 16000};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	assert_false(feed(&p, 0, 1));
	assert_false(npf_lane_tick(pair_lane(&p, 0), 1, 1 * MS));
	assert_false(npf_lane_tick(pair_lane(&p, 0), 1, 1000000 * MS));
	pair_fini(&p);
}

static void new_wake_parameters_take_effect_at_the_next_tick(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1, .mintocopy = 16000};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	assert_false(feed(&p, 0, 1));
	npf_buffer_set_wake(p.b, 0, 0);
	assert_true(npf_lane_tick(pair_lane(&p, 0), 1, 1));
	assert_true(npf_reader_arm(p.r, 16000));
	npf_buffer_set_wake(p.b, 16000, 5 * MS);
	assert_false(npf_lane_tick(pair_lane(&p, 0), 1, 1 * MS));
	assert_true(npf_lane_tick(pair_lane(&p, 0), 1, 6 * MS));
	pair_fini(&p);
}

static void a_full_lane_wakes_a_reader_whatever_mintocopy_says(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1, .mintocopy = UINT64_MAX};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	assert_true(put(pair_lane(&p, 0), 1, SIZE / 3, 1));
	assert_false(npf_lane_commit(pair_lane(&p, 0), 1));
	assert_null(npf_lane_reserve(pair_lane(&p, 0), SIZE - 4096)); /* as on a port that waits */
	assert_true(npf_lane_commit(pair_lane(&p, 0), 2));
	drain(&p);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	assert_non_null(npf_lane_reserve(pair_lane(&p, 0), SIZE / 3));
	assert_false(npf_lane_commit(pair_lane(&p, 0), 3)); /* there was room: nothing urgent */
	assert_non_null(npf_lane_reserve(pair_lane(&p, 0), SIZE / 3));
	assert_true(npf_lane_commit(pair_lane(&p, 0), 3)); /* more than half */
	pair_fini(&p);
}

static void a_reader_is_not_woken_for_what_it_may_not_hand_out_yet(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_false(feed(&p, 0, 100));
	next_is_none(&p); /* lane 1 is behind */
	assert_true(npf_reader_arm(p.r, 0));
	assert_false(feed(&p, 0, 101));
	assert_false(npf_lane_tick(pair_lane(&p, 1), 99, 1));
	assert_true(npf_lane_tick(pair_lane(&p, 1), 100, 2));
	next_is(&p, 100, 100, 100);
	next_is_none(&p);
	/* ... nor kept awake by it. */
	assert_true(npf_reader_arm(p.r, 0));
	assert_true(feed(&p, 1, 100));
	next_is(&p, 100, 100, 100);
	pair_fini(&p);
}

static void what_a_closed_lane_has_left_is_due_at_once(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2, .mintocopy = 16000};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	feed(&p, 0, 1);
	npf_lane_tick(pair_lane(&p, 1), 1, 1);
	assert_true(npf_reader_arm(p.r, conf.mintocopy));
	npf_lane_close(pair_lane(&p, 0));
	assert_true(npf_lane_tick(pair_lane(&p, 1), 2, 2));
	npf_reader_disarm(p.r);
	assert_false(npf_reader_arm(p.r, conf.mintocopy));
	pair_fini(&p);
}

static void a_reader_that_could_not_be_woken_is_due_again(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_true(npf_reader_arm(p.r, 0));
	assert_true(feed(&p, 0, 1));
	assert_false(feed(&p, 0, 2)); /* once a sleep */
	npf_lane_wake_later(pair_lane(&p, 0));
	assert_true(feed(&p, 0, 3));
	npf_lane_wake_later(pair_lane(&p, 0));
	assert_true(npf_lane_tick(pair_lane(&p, 0), 4, 4));
	npf_reader_disarm(p.r);
	npf_lane_wake_later(pair_lane(&p, 0));
	assert_false(npf_lane_tick(pair_lane(&p, 0), 5, 5));
	drain(&p);
	pair_fini(&p);
}

static void arming_drains_the_eventfd(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1};
	struct pair p;
	eventfd_t n;

	(void)state;
	pair_init(&p, &conf);
	assert_int_equal(eventfd_write(p.efd, 3), 0);
	assert_true(npf_reader_arm(p.r, 0));
	assert_int_equal(eventfd_read(p.efd, &n), -1);
	assert_int_equal(errno, EAGAIN);
	pair_fini(&p);
}

static void a_fresh_reader_of_a_sleeping_one_is_woken_too(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	for (uint64_t now = 1; now < 10; now++) {
		assert_true(npf_reader_arm(p.r, 0));
		assert_true(feed(&p, 0, now));
		next_is(&p, now, 100, now);
		npf_reader_release(p.r);
		if (now % 2)
			npf_reader_disarm(p.r);
		npf_reader_free(p.r); /* as if it had been killed */
		assert_int_equal(npf_reader_new(p.efd, &p.r), 0);
		pair_attach(&p);
	}
	pair_fini(&p);
}

static void there_is_more_only_of_what_was_found_and_can_be_handed_out(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	assert_false(npf_reader_has_more(p.r));
	put(pair_lane(&p, 0), 1, 10, 100);
	put(pair_lane(&p, 0), 2, 10, 200);
	put(pair_lane(&p, 0), 3, 10, 300);
	npf_lane_commit(pair_lane(&p, 0), 300);
	npf_lane_tick(pair_lane(&p, 1), 200, 1);
	assert_false(npf_reader_has_more(p.r)); /* nobody has looked yet */
	next_is(&p, 1, 10, 100);
	assert_true(npf_reader_has_more(p.r));
	next_is(&p, 2, 10, 200);
	assert_false(npf_reader_has_more(p.r)); /* lane 1 may bring an older one */
	next_is_none(&p);
	assert_true(npf_reader_is_holding(p.r));
	npf_lane_tick(pair_lane(&p, 1), 300, 1);
	assert_true(npf_reader_has_more(p.r));
	assert_false(npf_reader_is_holding(p.r));
	next_is(&p, 3, 10, 300);
	assert_false(npf_reader_has_more(p.r));
	npf_lane_close(pair_lane(&p, 0));
	npf_lane_close(pair_lane(&p, 1));
	assert_false(npf_reader_has_more(p.r));
	pair_fini(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_that_is_awake_is_not_woken),
		cmocka_unit_test(a_sleeping_reader_is_woken_once_by_the_first_commit),
		cmocka_unit_test(a_reader_does_not_go_to_sleep_over_what_is_there),
		cmocka_unit_test(mintocopy_is_what_wakes_a_reader),
		cmocka_unit_test(mintocopy_counts_what_all_lanes_have_together),
		cmocka_unit_test(a_record_in_use_does_not_count_as_waiting),
		cmocka_unit_test(the_timeout_wakes_a_reader_when_something_is_there),
		cmocka_unit_test(the_timeout_starts_anew_with_what_comes_after_a_read),
		cmocka_unit_test(without_a_timeout_only_mintocopy_wakes),
		cmocka_unit_test(new_wake_parameters_take_effect_at_the_next_tick),
		cmocka_unit_test(a_full_lane_wakes_a_reader_whatever_mintocopy_says),
		cmocka_unit_test(a_reader_is_not_woken_for_what_it_may_not_hand_out_yet),
		cmocka_unit_test(what_a_closed_lane_has_left_is_due_at_once),
		cmocka_unit_test(a_reader_that_could_not_be_woken_is_due_again),
		cmocka_unit_test(arming_drains_the_eventfd),
		cmocka_unit_test(a_fresh_reader_of_a_sleeping_one_is_woken_too),
		cmocka_unit_test(there_is_more_only_of_what_was_found_and_can_be_handed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
