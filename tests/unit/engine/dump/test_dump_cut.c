/* SPDX-License-Identifier: BSD-3-Clause */
/* Where files end: every limit exact, alone and combined. */
#include "engine/dump/cut.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEAD    24u
#define TRAILER 112u
#define SECOND  1000000000ull

/* Files as they would come out, for n records of one size, @step_ns apart from @start_ns. */
struct file {
	uint64_t bytes, packets, first_ns, last_ns;
};

struct outcome {
	struct file files[64];
	unsigned int n_files;
	unsigned int taken, skipped;
	bool over;
};

static void feed(struct npf_dump_cut *c, struct outcome *o, uint64_t size, uint64_t ts_ns)
{
	while (!o->over) {
		switch (npf_dump_cut_next(c, size, ts_ns)) {
		case NPF_CUT_PUT:
			npf_dump_cut_put(c, size);
			o->files[o->n_files].bytes = c->bytes + c->trailer;
			o->files[o->n_files].packets = c->packets;
			o->files[o->n_files].last_ns = ts_ns;
			o->taken++;
			return;
		case NPF_CUT_OPEN:
			npf_dump_cut_open(c, ts_ns);
			o->files[o->n_files].first_ns = ts_ns;
			break;
		case NPF_CUT_CLOSE:
			npf_dump_cut_close(c);
			o->n_files++;
			assert_in_range(o->n_files, 0, 62);
			break;
		case NPF_CUT_SKIP:
			o->skipped++;
			return;
		case NPF_CUT_END:
			o->over = true;
			break;
		}
	}
}

static struct outcome run(const struct npf_dump_limits *limits, uint32_t trailer, unsigned int n,
	uint64_t size, uint64_t start_ns, uint64_t step_ns)
{
	struct npf_dump_cut c;
	struct outcome o = {0};

	assert_int_equal(npf_dump_cut_init(&c, limits, HEAD, trailer, 0), 0);
	for (unsigned int i = 0; i < n; i++)
		feed(&c, &o, size, start_ns + i * step_ns);
	if (c.open)
		o.n_files++;
	return o;
}

static void without_limits_everything_goes_into_one_file(void **state)
{
	struct outcome o = run(&(struct npf_dump_limits){0}, 0, 1000, 76, 5 * SECOND, SECOND);

	(void)state;
	assert_int_equal(o.n_files, 1);
	assert_int_equal(o.files[0].packets, 1000);
	assert_int_equal(o.files[0].bytes, HEAD + 76000);
}

static void a_file_is_never_larger_than_its_limit_and_as_large_as_it_can_be(void **state)
{
	(void)state;
	for (uint64_t limit = HEAD + TRAILER + 76; limit < HEAD + TRAILER + 76 * 5; limit++) {
		uint64_t fit = (limit - HEAD - TRAILER) / 76;
		struct outcome o = run(
			&(struct npf_dump_limits){.file_size = limit}, TRAILER, 40, 76, SECOND, 1);

		assert_int_equal(o.taken, 40);
		assert_int_equal(o.n_files, (40 + fit - 1) / fit);
		for (unsigned int i = 0; i + 1 < o.n_files; i++)
			assert_int_equal(o.files[i].packets, fit);
		for (unsigned int i = 0; i < o.n_files; i++)
			assert_true(o.files[i].bytes <= limit);
	}
}

static void all_files_together_never_exceed_the_size_of_the_dump(void **state)
{
	(void)state;
	for (uint64_t max = HEAD; max < 2000; max++) {
		struct outcome o = run(&(struct npf_dump_limits){.file_size = 300, .max_size = max},
			0, 100, 60, SECOND, 1);
		uint64_t sum = 0;

		for (unsigned int i = 0; i < o.n_files; i++)
			sum += o.files[i].bytes;
		assert_true(sum <= max);
		assert_true(o.over);
		/* 4 records a file: what is left would not hold another record. */
		assert_true(
			max - sum <
			60 + (o.n_files == 0 || o.files[o.n_files - 1].packets == 4 ? HEAD : 0));
	}
}

static void the_dump_ends_with_its_last_packet(void **state)
{
	struct npf_dump_limits limits = {.file_packets = 10, .max_packets = 25};
	struct outcome o = run(&limits, 0, 100, 60, SECOND, 1);

	(void)state;
	assert_int_equal(o.taken, 25);
	assert_int_equal(o.n_files, 3);
	assert_int_equal(o.files[0].packets, 10);
	assert_int_equal(o.files[2].packets, 5);
	assert_true(o.over);
}

static void a_full_file_is_known_to_be_full_without_another_packet(void **state)
{
	struct npf_dump_limits limits = {.file_packets = 2, .max_packets = 3};
	struct npf_dump_cut c;

	(void)state;
	assert_int_equal(npf_dump_cut_init(&c, &limits, HEAD, 0, 0), 0);
	npf_dump_cut_open(&c, SECOND);
	npf_dump_cut_put(&c, 60);
	assert_false(npf_dump_cut_is_full(&c));
	npf_dump_cut_put(&c, 60);
	assert_true(npf_dump_cut_is_full(&c));
	assert_false(npf_dump_cut_is_over(&c));
	npf_dump_cut_close(&c);
	npf_dump_cut_open(&c, SECOND);
	npf_dump_cut_put(&c, 60);
	assert_true(npf_dump_cut_is_full(&c));
	assert_true(npf_dump_cut_is_over(&c));
}

static void files_are_cut_at_multiples_of_the_interval(void **state)
{
	struct npf_dump_limits limits = {.file_time_ns = 60 * SECOND};
	/* One a second from 10:00:17 on. */
	struct outcome o = run(&limits, 0, 150, 60, (36000 + 17) * SECOND, SECOND);

	(void)state;
	assert_int_equal(o.n_files, 3);
	assert_int_equal(o.files[0].packets, 43);
	assert_int_equal(o.files[1].packets, 60);
	assert_true(o.files[1].first_ns == (36000 + 60) * SECOND);
	assert_true(o.files[2].first_ns == (36000 + 120) * SECOND);
}

static void days_begin_at_local_midnight(void **state)
{
	struct npf_dump_limits limits = {.file_time_ns = 86400 * SECOND};
	struct npf_dump_cut c;

	(void)state;
	/* An hour east of Greenwich, and five and a half west. */
	assert_int_equal(npf_dump_cut_init(&c, &limits, HEAD, 0, 3600ll * (int64_t)SECOND), 0);
	npf_dump_cut_open(&c, 10 * 86400 * SECOND);
	assert_true(c.end_ns == (10 * 86400 + 82800) * SECOND);
	assert_int_equal(npf_dump_cut_init(&c, &limits, HEAD, 0, -19800ll * (int64_t)SECOND), 0);
	npf_dump_cut_open(&c, 10 * 86400 * SECOND);
	assert_true(c.end_ns == (10 * 86400 + 19800) * SECOND);
}

static void a_stamp_that_is_a_little_late_stays_in_the_open_file(void **state)
{
	struct npf_dump_limits limits = {.file_time_ns = 60 * SECOND};
	struct npf_dump_cut c;

	(void)state;
	assert_int_equal(npf_dump_cut_init(&c, &limits, HEAD, 0, 0), 0);
	npf_dump_cut_open(&c, 120 * SECOND);
	assert_int_equal(npf_dump_cut_next(&c, 60, 119 * SECOND), NPF_CUT_PUT);
	/* The clock was set back by an hour. */
	npf_dump_cut_open(&c, 7200 * SECOND);
	assert_int_equal(npf_dump_cut_next(&c, 60, 3600 * SECOND), NPF_CUT_CLOSE);
}

static void size_packets_and_time_combine(void **state)
{
	struct npf_dump_limits limits = {
		.file_size = HEAD + 60 * 20, .file_packets = 15, .file_time_ns = 10 * SECOND};
	struct outcome o;

	(void)state;
	o = run(&limits, 0, 30, 60, 0, 1); /* packets come first */
	assert_int_equal(o.files[0].packets, 15);
	o = run(&limits, 0, 30, 600, 0, 1); /* then bytes */
	assert_int_equal(o.files[0].packets, 2);
	o = run(&limits, 0, 30, 60, 0, SECOND); /* then time */
	assert_int_equal(o.files[0].packets, 10);
}

static void a_record_larger_than_any_file_is_skipped_and_closes_none(void **state)
{
	struct npf_dump_limits limits = {.file_size = 1000};
	struct npf_dump_cut c;

	(void)state;
	assert_int_equal(npf_dump_cut_init(&c, &limits, HEAD, 0, 0), 0);
	assert_int_equal(npf_dump_cut_next(&c, 977, 0), NPF_CUT_SKIP);
	assert_int_equal(npf_dump_cut_next(&c, 976, 0), NPF_CUT_OPEN);
	npf_dump_cut_open(&c, 0);
	npf_dump_cut_put(&c, 60);
	assert_int_equal(npf_dump_cut_next(&c, 977, 0), NPF_CUT_SKIP);
	assert_int_equal(npf_dump_cut_next(&c, 976, 0), NPF_CUT_CLOSE);
}

static void limits_that_hold_not_even_a_header_are_refused(void **state)
{
	struct npf_dump_limits small_file = {.file_size = HEAD + TRAILER - 1};
	struct npf_dump_limits small_dump = {.max_size = HEAD + TRAILER - 1};
	struct npf_dump_limits just = {.file_size = HEAD + TRAILER, .max_size = HEAD + TRAILER};
	struct npf_dump_cut c;

	(void)state;
	assert_int_equal(npf_dump_cut_init(&c, &small_file, HEAD, TRAILER, 0), -EINVAL);
	assert_int_equal(npf_dump_cut_init(&c, &small_dump, HEAD, TRAILER, 0), -EINVAL);
	assert_int_equal(npf_dump_cut_init(&c, &just, HEAD, TRAILER, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limits_everything_goes_into_one_file),
		cmocka_unit_test(a_file_is_never_larger_than_its_limit_and_as_large_as_it_can_be),
		cmocka_unit_test(all_files_together_never_exceed_the_size_of_the_dump),
		cmocka_unit_test(the_dump_ends_with_its_last_packet),
		cmocka_unit_test(a_full_file_is_known_to_be_full_without_another_packet),
		cmocka_unit_test(files_are_cut_at_multiples_of_the_interval),
		cmocka_unit_test(days_begin_at_local_midnight),
		cmocka_unit_test(a_stamp_that_is_a_little_late_stays_in_the_open_file),
		cmocka_unit_test(size_packets_and_time_combine),
		cmocka_unit_test(a_record_larger_than_any_file_is_skipped_and_closes_none),
		cmocka_unit_test(limits_that_hold_not_even_a_header_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
