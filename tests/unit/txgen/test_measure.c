/* SPDX-License-Identifier: BSD-3-Clause */
/* test_measure.c - rates, schedules, histograms and sequence tracking. */
#include "unit/txgen/check.h"

#include "base/units.h"

#include "txgen/measure/hist.h"
#include "txgen/measure/pace.h"
#include "txgen/measure/track.h"

#include <stdlib.h>

static void counts_and_times_read_as_they_are_written(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(npf_parse_count("1.5k", &v), 0);
	assert_int_equal(v, 1500);
	assert_int_equal(npf_parse_count("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(npf_parse_count("2G", &v), 0);
	assert_true(v == 2000000000);
	assert_true(npf_parse_count("0.5", &v) < 0);
	assert_true(npf_parse_count("5x", &v) < 0);
	assert_true(npf_parse_count("-5", &v) < 0);
	assert_int_equal(npf_parse_duration("10s", &v), 0);
	assert_true(v == 10000000000);
	assert_int_equal(npf_parse_duration("1.5ms", &v), 0);
	assert_int_equal(v, 1500000);
	assert_int_equal(npf_parse_duration("2", &v), 0);
	assert_int_equal(v, 2000000000);
	assert_int_equal(npf_parse_duration("1m", &v), 0);
	assert_true(v == 60000000000);
	assert_true(npf_parse_duration("10parsec", &v) < 0);
}

static void a_schedule_is_exact_to_one_packet_over_an_hour(void **state)
{
	static const double rates[] = {1e6, 14880952, 3, 999999, 1234567.89};
	const uint64_t hz = 2596097000;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(rates); i++) {
		struct npf_txgen_pace_conf conf = {
			.rate = {NPF_RATE_PPS, rates[i]}, .hz = hz, .n_queues = 1};
		struct npf_txgen_pace p;
		unsigned int n = 10000000;
		long double want;

		npf_txgen_pace_init(&p, &conf, 1000);
		for (unsigned int k = 0; k < n; k++)
			npf_txgen_pace_step(&p, 64, p.due);
		want = 1000 + (long double)hz / rates[i] * n;
		/* 10^7 packets: within 1/1000 of the distance of two, so one in 10^10. */
		assert_true((long double)p.due > want - hz / rates[i] / 1000 - 1);
		assert_true((long double)p.due < want + hz / rates[i] / 1000 + 1);
	}
}

static void queues_of_a_port_interleave(void **state)
{
	struct npf_txgen_pace p[4];

	(void)state;
	for (unsigned int q = 0; q < 4; q++) {
		struct npf_txgen_pace_conf conf = {
			.rate = {NPF_RATE_PPS, 1e6}, .hz = 1000000000, .queue = q, .n_queues = 4};

		npf_txgen_pace_init(&p[q], &conf, 5000);
	}
	for (unsigned int k = 0; k < 1000; k++) {
		assert_int_equal(p[k % 4].due, 5000 + k * 1000);
		npf_txgen_pace_step(&p[k % 4], 64, p[k % 4].due);
	}
}

static void bits_per_second_count_what_the_layer_says(void **state)
{
	struct npf_txgen_pace_conf conf = {
		.rate = {NPF_RATE_BPS_L1, 1e9}, .hz = 1000000000, .n_queues = 1};
	struct npf_txgen_pace p;

	(void)state;
	npf_txgen_pace_init(&p, &conf, 0);
	npf_txgen_pace_step(&p, 64, 0); /* 88 bytes are 704 bits: 704 ns at 1 Gbit/s */
	assert_in_range(p.due, 703, 704);
	npf_txgen_pace_step(&p, 1518, p.due);
	assert_in_range(p.due, 704 + 12335, 704 + 12336);
	conf.rate.kind = NPF_RATE_BPS_L2;
	npf_txgen_pace_init(&p, &conf, 0);
	npf_txgen_pace_step(&p, 64, 0);
	assert_in_range(p.due, 511, 512);
}

static void what_was_missed_is_caught_up_with_gently(void **state)
{
	struct npf_txgen_pace_conf conf = {
		.rate = {NPF_RATE_PPS, 1e6}, .hz = 1000000000, .n_queues = 1};
	struct npf_txgen_pace p;
	uint64_t now = 1000000;
	unsigned int sent = 0, at_once = 0;

	(void)state;
	npf_txgen_pace_init(
		&p, &conf, 0); /* the sender slept for a millisecond: 1000 packets late */
	for (; npf_txgen_pace_is_due(&p, now); at_once++)
		npf_txgen_pace_step(&p, 64, now);
	assert_in_range(at_once, 2, 10);
	for (; now < 1500000; now += 10) {
		while (npf_txgen_pace_is_due(&p, now)) {
			npf_txgen_pace_step(&p, 64, now);
			sent++;
		}
	}
	assert_in_range(sent, 980, 1001); /* twice the rate for half a millisecond */
	for (; now < 4000000; now += 10) {
		while (npf_txgen_pace_is_due(&p, now)) {
			npf_txgen_pace_step(&p, 64, now);
			sent++;
		}
	}
	assert_int_equal(at_once + sent, 4000); /* and none is missing in the end */
}

static void a_sender_that_gets_slices_of_a_cpu_keeps_to_the_count(void **state)
{
	struct npf_txgen_pace_conf conf = {
		.rate = {NPF_RATE_PPS, 1e6}, .hz = 1000000000, .n_queues = 1};
	struct npf_txgen_pace p;
	unsigned int sent = 0;

	(void)state;
	npf_txgen_pace_init(&p, &conf, 0);
	for (uint64_t slice = 0; slice < 100; slice++) { /* 2 ms of each 20 */
		for (uint64_t now = slice * 20000000; now < slice * 20000000 + 2000000;
			now += 100) {
			while (npf_txgen_pace_is_due(&p, now)) {
				npf_txgen_pace_step(&p, 64, now);
				sent++;
			}
		}
	}
	assert_in_range(sent, 1980000, 1982001); /* what was due when the last slice ended */
}

static void trains_leave_with_a_gap(void **state)
{
	struct npf_txgen_pace_conf conf = {.rate = {NPF_RATE_PPS, 1e6},
		.hz = 1000000000,
		.n_queues = 1,
		.train = 3,
		.gap_ns = 50000};
	static const uint64_t want[] = {0, 1000, 2000, 53000, 54000, 55000, 106000};
	struct npf_txgen_pace p;

	(void)state;
	npf_txgen_pace_init(&p, &conf, 0);
	for (size_t i = 0; i < NPF_ARRAY_LEN(want); i++) {
		assert_int_equal(p.due, want[i]);
		npf_txgen_pace_step(&p, 64, p.due);
	}
}

static void totals_are_whole(void **state)
{
	struct npf_rate r = {NPF_RATE_PPS, 1e6};

	(void)state;
	assert_int_equal(npf_txgen_pace_total(&r, 10000000000), 10000000);
	r.value = 3;
	assert_int_equal(npf_txgen_pace_total(&r, 1000000000), 3);
	assert_int_equal(npf_txgen_pace_total(&r, 1100000000), 4); /* due at 0, 1/3, 2/3, 1 s */
	r.value = 0.1;
	assert_int_equal(npf_txgen_pace_total(&r, 10000000000), 1);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void quantiles_are_exact_to_one_percent(void **state)
{
	static const double qs[] = {0, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
	static uint64_t v[50000];
	static struct npf_txgen_hist h, part;
	uint64_t x = 1, sum = 0;

	(void)state;
	npf_txgen_hist_init(&h);
	npf_txgen_hist_init(&part);
	assert_int_equal(npf_txgen_hist_quantile(&h, 0.5), 0);
	for (size_t i = 0; i < NPF_ARRAY_LEN(v); i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		v[i] = (x >> 33) >> (x >> 59); /* many sizes */
		sum += v[i];
		npf_txgen_hist_record(i & 1 ? &h : &part, v[i]);
	}
	npf_txgen_hist_merge(&h, &part);
	qsort(v, NPF_ARRAY_LEN(v), sizeof(v[0]), by_value);
	assert_int_equal(h.n, NPF_ARRAY_LEN(v));
	assert_int_equal(h.sum, sum);
	assert_int_equal(h.min, v[0]);
	assert_int_equal(h.max, v[NPF_ARRAY_LEN(v) - 1]);
	for (size_t i = 0; i < NPF_ARRAY_LEN(qs); i++) {
		size_t at = (size_t)(qs[i] * (double)NPF_ARRAY_LEN(v));
		double want = (double)v[NPF_MIN(at, NPF_ARRAY_LEN(v) - 1)];
		double got = (double)npf_txgen_hist_quantile(&h, qs[i]);

		assert_true(got >= want * 0.99 && got <= want * 1.01);
	}
}

static void every_value_has_a_bucket_of_its_size(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t v = 1ull << bit;

		assert_true(npf_loglinear_class(v, NPF_TXGEN_HIST_BITS) < NPF_TXGEN_HIST_BUCKETS);
		assert_true(npf_loglinear_class(v - 1, NPF_TXGEN_HIST_BITS) <=
			    npf_loglinear_class(v, NPF_TXGEN_HIST_BITS));
		assert_true(bit < 7 || npf_loglinear_class(v - 1, NPF_TXGEN_HIST_BITS) + 1 ==
					       npf_loglinear_class(v, NPF_TXGEN_HIST_BITS));
	}
	assert_int_equal(
		npf_loglinear_class(UINT64_MAX, NPF_TXGEN_HIST_BITS), NPF_TXGEN_HIST_BUCKETS - 1);
}

static void feed(struct npf_txgen_track *t, const uint64_t *seq, size_t n)
{
	for (size_t i = 0; i < n; i++)
		npf_txgen_track_add(t, (uint32_t)seq[i]);
}

static void loss_reordering_and_duplicates_are_told_apart(void **state)
{
	static struct npf_txgen_track t;
	static const uint64_t seq[] = {0, 1, 4, 2, 4, 5, 5, 70, 69, 200, 64, 200, 127, 128, 0};

	(void)state;
	npf_txgen_track_init(&t);
	feed(&t, seq, NPF_ARRAY_LEN(seq));
	assert_int_equal(t.next, 201);
	assert_int_equal(t.unique, 11);
	assert_int_equal(t.reordered, 5);    /* 2, 69, 64, 127, 128 */
	assert_int_equal(t.duplicates, 4);   /* 4, 5, 200, 0 */
	assert_int_equal(t.max_extent, 136); /* 64 after 200 */
	assert_int_equal(t.stale, 0);
}

static void tracking_agrees_with_a_plain_set(void **state)
{
	static struct npf_txgen_track t;
	static uint8_t seen[1000000];
	uint64_t x = 99, high = 0, unique = 0, dup = 0, late = 0;

	(void)state;
	npf_txgen_track_init(&t);
	for (unsigned int i = 0; i < 300000; i++) {
		uint64_t r, seq;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		r = x >> 40;
		if (r % 10 < 7)
			seq = high + (r % 100 == 0 ? r % 300 : 0); /* in order, with gaps */
		else
			seq = high > 50000 ? high - r % 50000 : 0; /* late or again */
		if (seq >= NPF_ARRAY_LEN(seen))
			break;
		npf_txgen_track_add(&t, (uint32_t)seq);
		if (seen[seq]) {
			dup++;
		} else {
			unique++;
			late += seq < high;
		}
		seen[seq] = 1;
		high = NPF_MAX(high, seq + 1);
	}
	assert_true(dup > 100 && late > 100);
	assert_int_equal(t.unique, unique);
	assert_int_equal(t.duplicates, dup);
	assert_int_equal(t.reordered, late);
	assert_int_equal(t.next, high);
}

static void numbers_go_on_beyond_32_bits(void **state)
{
	static struct npf_txgen_track t;
	uint64_t base = 0xffffff00ull;

	(void)state;
	npf_txgen_track_init(&t);
	for (uint64_t n = 0; n < base; n += 0x40000000)
		npf_txgen_track_add(&t, (uint32_t)n);
	for (uint64_t n = base; n < base + 1000; n++)
		npf_txgen_track_add(&t, (uint32_t)n);
	assert_true(t.next == base + 1000);
	assert_int_equal(t.duplicates + t.stale + t.reordered, 0);
	npf_txgen_track_add(&t, (uint32_t)(base + 10));
	assert_int_equal(t.duplicates, 1);
	npf_txgen_track_add(&t, (uint32_t)(base - 70000));
	assert_int_equal(t.stale, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_times_read_as_they_are_written),
		cmocka_unit_test(a_schedule_is_exact_to_one_packet_over_an_hour),
		cmocka_unit_test(queues_of_a_port_interleave),
		cmocka_unit_test(bits_per_second_count_what_the_layer_says),
		cmocka_unit_test(what_was_missed_is_caught_up_with_gently),
		cmocka_unit_test(a_sender_that_gets_slices_of_a_cpu_keeps_to_the_count),
		cmocka_unit_test(trains_leave_with_a_gap),
		cmocka_unit_test(totals_are_whole),
		cmocka_unit_test(quantiles_are_exact_to_one_percent),
		cmocka_unit_test(every_value_has_a_bucket_of_its_size),
		cmocka_unit_test(loss_reordering_and_duplicates_are_told_apart),
		cmocka_unit_test(tracking_agrees_with_a_plain_set),
		cmocka_unit_test(numbers_go_on_beyond_32_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
