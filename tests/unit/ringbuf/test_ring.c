/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ring.c - records in, records out of one lane: order, bytes, room, gaps, wrapping. */
#include "pair.h"

#define SIZE NPF_BUFFER_MIN

static const struct npf_buffer_conf one_lane = {.size = SIZE, .n_lanes = 1};

static void an_empty_ring_delivers_nothing(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, &one_lane);
	next_is_none(&p);
	assert_int_equal(npf_reader_pending(p.r), 0);
	assert_int_equal(npf_buffer_used(p.b), 0);
	pair_fini(&p);
}

static void a_reader_without_a_buffer_delivers_nothing(void **state)
{
	struct npf_ring_counters c;
	struct npf_reader *r;
	struct npf_view v;

	(void)state;
	assert_int_equal(npf_reader_new(-1, &r), 0);
	assert_int_equal(npf_reader_next(r, &v), 0);
	npf_reader_release(r);
	npf_reader_counters(r, &c);
	assert_int_equal(c.packets, 0);
	assert_null(npf_reader_free(r));
}

static void records_are_invisible_before_commit(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, &one_lane);
	assert_true(put(pair_lane(&p, 0), 1, 60, 10));
	assert_true(put(pair_lane(&p, 0), 2, 61, 11));
	next_is_none(&p);
	assert_false(npf_lane_commit(pair_lane(&p, 0), 12));
	next_is(&p, 1, 60, 10);
	next_is(&p, 2, 61, 11);
	next_is_none(&p);
	pair_fini(&p);
}

static void every_length_arrives_unharmed(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, &one_lane);
	for (uint32_t caplen = 0; caplen < 2100; caplen++) {
		assert_true(put(pair_lane(&p, 0), caplen, caplen, caplen));
		npf_lane_commit(pair_lane(&p, 0), caplen);
		next_is(&p, caplen, caplen, caplen);
	}
	pair_fini(&p);
}

static void the_largest_record_fits(void **state)
{
	struct npf_buffer_conf conf = {.size = 2 * NPF_REC_MAXCAP, .n_lanes = 1};
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	for (unsigned int i = 0; i < 5; i++) {
		assert_true(put(pair_lane(&p, 0), i, NPF_REC_MAXCAP, i));
		npf_lane_commit(pair_lane(&p, 0), i);
		next_is(&p, i, NPF_REC_MAXCAP, i);
		npf_reader_release(p.r);
	}
	pair_fini(&p);
}

static void copies_in_pieces_arrive_whole(void **state)
{
	struct pair p;
	uint8_t data[1500];
	struct npf_view v;

	(void)state;
	packet_fill(data, 7, sizeof(data));
	pair_init(&p, &one_lane);
	for (uint32_t cut = 0; cut <= sizeof(data); cut += 13) {
		struct npf_rec *rec = npf_lane_reserve(pair_lane(&p, 0), sizeof(data));

		assert_non_null(rec);
		npf_lane_copy(rec + 1, data, cut);
		npf_lane_copy((uint8_t *)(rec + 1) + cut, data + cut, sizeof(data) - cut);
		npf_lane_commit(pair_lane(&p, 0), 1);
		assert_int_equal(npf_reader_next(p.r, &v), 1);
		assert_int_equal(v.caplen, sizeof(data));
		assert_memory_equal(v.data, data, sizeof(data));
	}
	pair_fini(&p);
}

static void reserve_returns_null_when_the_ring_is_full(void **state)
{
	struct npf_ring_counters c;
	struct pair p;
	uint64_t n = 0;

	(void)state;
	pair_init(&p, &one_lane);
	while (npf_lane_reserve(pair_lane(&p, 0), 32))
		n++;
	assert_int_equal(n, SIZE / npf_rec_space(32));
	npf_lane_commit(pair_lane(&p, 0), 1);
	assert_int_equal(npf_buffer_used(p.b), SIZE);
	assert_int_equal(npf_reader_pending(p.r), SIZE);
	npf_buffer_counters(p.b, &c);
	assert_int_equal(c.packets, n);
	assert_int_equal(c.bytes, n * 32);
	assert_int_equal(c.drop[NPF_DROP_FULL], 0); /* counting is the caller's */
	pair_fini(&p);
}

static void at_least_99_percent_of_the_ring_holds_records(void **state)
{
	struct npf_buffer_conf conf = {.size = 1 << 20, .n_lanes = 1};
	uint64_t seed = 1, filled, least = UINT64_MAX;
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	/* Filled up again after each record that the reader takes: also in the middle of reading
	 * the room that is read and not yet free stays below 1 %. */
	for (unsigned int round = 0; round < 20000; round++) {
		while (put(pair_lane(&p, 0), 0, (uint32_t)(random_next(&seed) % 1500), 1))
			;
		while (put(pair_lane(&p, 0), 0, 0, 1))
			;
		npf_lane_commit(pair_lane(&p, 0), 1);
		filled = npf_reader_pending(p.r);
		least = NPF_MIN(least, filled);
		assert_int_equal(npf_reader_next(p.r, &v), 1);
	}
	assert_true(least * 100 >= conf.size * 99);
	pair_fini(&p);
}

static void space_is_freed_while_a_window_is_worked_through(void **state)
{
	struct npf_view v;
	struct pair p;
	uint64_t n = 0;

	(void)state;
	pair_init(&p, &one_lane);
	while (put(pair_lane(&p, 0), n, 224, n))
		n++;
	npf_lane_commit(pair_lane(&p, 0), n);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(npf_reader_next(p.r, &v), 1);
	/* Seven of some 250 are done with: there is room, although the window has not ended. */
	assert_true(npf_buffer_used(p.b) < SIZE);
	assert_true(put(pair_lane(&p, 0), n, 224, n));
	pair_fini(&p);
}

static void the_record_handed_out_is_not_overwritten(void **state)
{
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &one_lane);
	put(pair_lane(&p, 0), 1, 1000, 1);
	npf_lane_commit(pair_lane(&p, 0), 1);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_true(npf_reader_arm(p.r, 0));
	while (put(pair_lane(&p, 0), 2, 500, 2))
		;
	npf_lane_commit(pair_lane(&p, 0), 2);
	view_is(&v, 1, 1000, 1);
	pair_fini(&p);
}

static void release_frees_all_that_was_read(void **state)
{
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &one_lane);
	put(pair_lane(&p, 0), 1, 100, 1);
	npf_lane_commit(pair_lane(&p, 0), 1);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_int_equal(npf_buffer_used(p.b), npf_rec_space(100));
	npf_reader_release(p.r);
	assert_int_equal(npf_buffer_used(p.b), 0);
	pair_fini(&p);
}

static void drops_are_counted_by_cause_and_marked_in_the_next_record(void **state)
{
	struct npf_ring_counters c;
	struct npf_view v;
	struct pair p;
	uint64_t n = 0;

	(void)state;
	pair_init(&p, &one_lane);
	while (put(pair_lane(&p, 0), n, 1000, n))
		n++;
	assert_false(put(pair_lane(&p, 0), n, 1000, n));
	assert_false(put(pair_lane(&p, 0), n, SIZE, n));
	npf_lane_drop(pair_lane(&p, 0), NPF_DROP_FULL, 10);
	npf_lane_commit(pair_lane(&p, 0), n);
	while (npf_reader_next(p.r, &v) == 1)
		assert_int_equal(v.gap, 0);
	assert_true(put(pair_lane(&p, 0), n, 1000, n));
	assert_true(put(pair_lane(&p, 0), n + 1, 1000, n));
	npf_lane_commit(pair_lane(&p, 0), n);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_int_equal(v.gap, 13);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_int_equal(v.gap, 0);

	npf_buffer_counters(p.b, &c);
	assert_int_equal(c.packets, n + 2);
	assert_int_equal(c.drop[NPF_DROP_FULL], 12);
	assert_int_equal(c.drop[NPF_DROP_OVERSIZE], 1);
	assert_int_equal(c.drop[NPF_DROP_OVERWRITTEN], 0);
	npf_reader_counters(p.r, &c);
	assert_int_equal(c.drop[NPF_DROP_FULL], 12);
	pair_fini(&p);
}

static void gaps_saturate_and_counters_do_not(void **state)
{
	struct npf_ring_counters c;
	struct npf_view v;
	struct pair p;

	(void)state;
	pair_init(&p, &one_lane);
	npf_lane_drop(pair_lane(&p, 0), NPF_DROP_FULL, UINT32_MAX);
	npf_lane_drop(pair_lane(&p, 0), NPF_DROP_FULL, UINT32_MAX);
	put(pair_lane(&p, 0), 1, 1, 1);
	npf_lane_commit(pair_lane(&p, 0), 1);
	assert_int_equal(npf_reader_next(p.r, &v), 1);
	assert_int_equal(v.gap, UINT32_MAX);
	npf_buffer_counters(p.b, &c);
	assert_int_equal(c.drop[NPF_DROP_FULL], 2ull * UINT32_MAX);
	pair_fini(&p);
}

/* A million bytes through a ring whose positions start at start_pos. */
static void pump(uint64_t start_pos)
{
	struct npf_buffer_conf conf = one_lane;
	uint64_t seed = 7, put_n = 0, got_n = 0;
	struct pair p;

	conf.size = SIZE + 4096; /* no power of two */
	conf.start_pos = start_pos;
	pair_init(&p, &conf);
	while (got_n < 4000) {
		uint64_t burst = random_next(&seed) % 90;

		for (; burst && put(pair_lane(&p, 0), put_n, put_n % 1600, put_n); burst--)
			put_n++;
		npf_lane_commit(pair_lane(&p, 0), put_n);
		for (burst = random_next(&seed) % 90; burst && got_n < put_n; burst--, got_n++)
			next_is(&p, got_n, got_n % 1600, got_n);
	}
	for (; got_n < put_n; got_n++)
		next_is(&p, got_n, got_n % 1600, got_n);
	next_is_none(&p);
	assert_int_equal(npf_buffer_used(p.b), 0);
	assert_int_equal(npf_lane_fault(pair_lane(&p, 0)), 0);
	pair_fini(&p);
}

static void nothing_happens_at_the_end_of_the_ring(void **state)
{
	(void)state;
	pump(0);
}

static void nothing_happens_where_positions_pass_2_to_the_32(void **state)
{
	(void)state;
	pump((1ull << 32) - 64 * 1024 - 16);
}

static void nothing_happens_where_positions_pass_2_to_the_64(void **state)
{
	(void)state;
	pump(UINT64_MAX - 64 * 1024 - 15);
}

static void a_held_window_stays_whole_until_it_is_released(void **state)
{
	struct npf_view v[32];
	unsigned int n = 0;
	struct pair p;

	(void)state;
	pair_init(&p, &one_lane);
	while (n < 32 && put(pair_lane(&p, 0), n, 100, n))
		n++;
	npf_lane_commit(pair_lane(&p, 0), n);
	npf_reader_hold(p.r, true);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(npf_reader_next(p.r, &v[i]), 1);
	next_is_none(&p);
	assert_true(npf_reader_arm(p.r, 0));
	assert_int_equal(npf_buffer_used(p.b), n * npf_rec_space(100));
	while (put(pair_lane(&p, 0), 99, 500, 99))
		;
	npf_lane_commit(pair_lane(&p, 0), 99);
	for (unsigned int i = 0; i < n; i++)
		view_is(&v[i], i, 100, i);
	npf_reader_disarm(p.r);
	npf_reader_release(p.r);
	assert_true(npf_buffer_used(p.b) <= SIZE - n * npf_rec_space(100));
	npf_reader_hold(p.r, false);
	next_is(&p, 99, 500, 99);
	pair_fini(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_ring_delivers_nothing),
		cmocka_unit_test(a_reader_without_a_buffer_delivers_nothing),
		cmocka_unit_test(records_are_invisible_before_commit),
		cmocka_unit_test(every_length_arrives_unharmed),
		cmocka_unit_test(the_largest_record_fits),
		cmocka_unit_test(copies_in_pieces_arrive_whole),
		cmocka_unit_test(reserve_returns_null_when_the_ring_is_full),
		cmocka_unit_test(at_least_99_percent_of_the_ring_holds_records),
		cmocka_unit_test(space_is_freed_while_a_window_is_worked_through),
		cmocka_unit_test(the_record_handed_out_is_not_overwritten),
		cmocka_unit_test(release_frees_all_that_was_read),
		cmocka_unit_test(drops_are_counted_by_cause_and_marked_in_the_next_record),
		cmocka_unit_test(gaps_saturate_and_counters_do_not),
		cmocka_unit_test(nothing_happens_at_the_end_of_the_ring),
		cmocka_unit_test(nothing_happens_where_positions_pass_2_to_the_32),
		cmocka_unit_test(nothing_happens_where_positions_pass_2_to_the_64),
		cmocka_unit_test(a_held_window_stays_whole_until_it_is_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
