/* SPDX-License-Identifier: BSD-3-Clause */
/* Where files end: every limit exact, alone and combined, and days as the packets' dates had them.
 */
#include "writer/feed/rotation.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

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

static void feed(struct npf_writer_rotation *c, struct outcome *o, uint64_t size, uint64_t ts_ns)
{
	while (!o->over) {
		switch (npf_writer_rotation_next(c, size, ts_ns)) {
		case NPF_ROTATION_PUT:
			npf_writer_rotation_put(c, size);
			o->files[o->n_files].bytes = c->bytes + c->trailer;
			o->files[o->n_files].packets = c->packets;
			o->files[o->n_files].last_ns = ts_ns;
			o->taken++;
			return;
		case NPF_ROTATION_OPEN:
			npf_writer_rotation_open(c, ts_ns);
			o->files[o->n_files].first_ns = ts_ns;
			break;
		case NPF_ROTATION_CLOSE:
			npf_writer_rotation_close(c);
			o->n_files++;
			assert_in_range(o->n_files, 0, 62);
			break;
		case NPF_ROTATION_SKIP:
			o->skipped++;
			return;
		case NPF_ROTATION_END:
			o->over = true;
			break;
		}
	}
}

static struct outcome run(const struct npf_writer_limits *limits, uint32_t trailer, unsigned int n,
	uint64_t size, uint64_t start_ns, uint64_t step_ns)
{
	struct npf_writer_rotation c;
	struct outcome o = {0};

	assert_int_equal(npf_writer_rotation_init(&c, limits, HEAD, trailer, NULL), 0);
	for (unsigned int i = 0; i < n; i++)
		feed(&c, &o, size, start_ns + i * step_ns);
	if (c.open)
		o.n_files++;
	return o;
}

static void without_limits_everything_goes_into_one_file(void **state)
{
	struct outcome o = run(&(struct npf_writer_limits){0}, 0, 1000, 76, 5 * SECOND, SECOND);

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
		struct outcome o = run(&(struct npf_writer_limits){.file_size = limit}, TRAILER, 40,
			76, SECOND, 1);

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
		struct outcome o =
			run(&(struct npf_writer_limits){.file_size = 300, .max_size = max}, 0, 100,
				60, SECOND, 1);
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
	struct npf_writer_limits limits = {.file_packets = 10, .max_packets = 25};
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
	struct npf_writer_limits limits = {.file_packets = 2, .max_packets = 3};
	struct npf_writer_rotation c;

	(void)state;
	assert_int_equal(npf_writer_rotation_init(&c, &limits, HEAD, 0, NULL), 0);
	npf_writer_rotation_open(&c, SECOND);
	npf_writer_rotation_put(&c, 60);
	assert_false(npf_writer_rotation_is_full(&c));
	npf_writer_rotation_put(&c, 60);
	assert_true(npf_writer_rotation_is_full(&c));
	assert_false(npf_writer_rotation_is_over(&c));
	npf_writer_rotation_close(&c);
	npf_writer_rotation_open(&c, SECOND);
	npf_writer_rotation_put(&c, 60);
	assert_true(npf_writer_rotation_is_full(&c));
	assert_true(npf_writer_rotation_is_over(&c));
}

static void files_are_cut_at_multiples_of_the_interval(void **state)
{
	struct npf_writer_limits limits = {.file_time_ns = 60 * SECOND};
	/* One a second from 10:00:17 on. */
	struct outcome o = run(&limits, 0, 150, 60, (36000 + 17) * SECOND, SECOND);

	(void)state;
	assert_int_equal(o.n_files, 3);
	assert_int_equal(o.files[0].packets, 43);
	assert_int_equal(o.files[1].packets, 60);
	assert_true(o.files[1].first_ns == (36000 + 60) * SECOND);
	assert_true(o.files[2].first_ns == (36000 + 120) * SECOND);
}

/* The time zone of a name, until the next. NULL: UTC */
static const struct npf_writer_timezone *zone(const char *name)
{
	static struct npf_writer_timezone *z;

	npf_writer_timezone_free(z);
	z = NULL;
	setenv("TZ", name != NULL ? name : "UTC", 1);
	if (name != NULL)
		assert_int_equal(npf_writer_timezone_new(&z), 0);
	return z;
}

static void start(struct npf_writer_rotation *c, const struct npf_writer_limits *limits,
	const struct npf_writer_timezone *z)
{
	assert_int_equal(npf_writer_rotation_init(c, limits, HEAD, 0, z), 0);
}

/* UTC. */
static uint64_t at(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return (uint64_t)timegm(&tm) * SECOND;
}

static void days_begin_at_local_midnight(void **state)
{
	struct npf_writer_limits limits = {.file_time_ns = 86400 * SECOND};
	struct npf_writer_rotation c;

	(void)state;
	/* An hour east of Greenwich, and five and a half west. */
	start(&c, &limits, zone("XXX-1"));
	npf_writer_rotation_open(&c, 10 * 86400 * SECOND);
	assert_true(c.last_ns == (10 * 86400 + 82800) * SECOND - 1);
	start(&c, &limits, zone("XXX5:30"));
	npf_writer_rotation_open(&c, 10 * 86400 * SECOND);
	assert_true(c.last_ns == (10 * 86400 + 19800) * SECOND - 1);
	zone(NULL);
}

/* A file is opened at a moment of UTC: when does it end, and is all in between its? */
static void expect_end(struct npf_writer_rotation *c, const char *opened, const char *end)
{
	npf_writer_rotation_open(c, at(opened));
	assert_true(c->last_ns == at(end) - 1);
	assert_int_equal(npf_writer_rotation_next(c, 60, at(opened)), NPF_ROTATION_PUT);
	assert_int_equal(npf_writer_rotation_next(c, 60, at(end) - 1), NPF_ROTATION_PUT);
	assert_int_equal(npf_writer_rotation_next(c, 60, at(end)), NPF_ROTATION_CLOSE);
}

static void days_begin_at_midnight_of_their_own_dates(void **state)
{
	struct npf_writer_limits limits = {.file_time_ns = 86400 * SECOND};
	struct npf_writer_rotation c;

	(void)state;
	start(&c, &limits, zone("CET-1CEST,M3.5.0,M10.5.0/3"));
	/* Winter, the day of 23 hours, summer, the day of 25 hours; today is one of them. */
	expect_end(&c, "2020-01-15 12:00:00", "2020-01-15 23:00:00");
	expect_end(&c, "2024-03-30 23:00:00", "2024-03-31 22:00:00");
	expect_end(&c, "2024-03-31 12:00:00", "2024-03-31 22:00:00");
	expect_end(&c, "2030-07-01 12:00:00", "2030-07-01 22:00:00");
	expect_end(&c, "2024-10-26 22:00:00", "2024-10-27 23:00:00");
	expect_end(&c, "2024-10-27 12:00:00", "2024-10-27 23:00:00");
	expect_end(&c, "2105-07-01 12:00:00", "2105-07-01 22:00:00");
	/* A week over the change. */
	limits.file_time_ns = 7 * 86400 * SECOND;
	c.limits = limits;
	expect_end(&c, "2024-03-28 12:00:00", "2024-04-03 22:00:00");
	zone(NULL);
}

static void hours_go_on_when_the_clock_is_changed(void **state)
{
	struct npf_writer_limits limits = {.file_time_ns = 3600 * SECOND};
	struct npf_writer_rotation c;

	(void)state;
	start(&c, &limits, zone("CET-1CEST,M3.5.0,M10.5.0/3"));
	expect_end(&c, "2024-10-27 00:30:00", "2024-10-27 01:00:00"); /* the first 2:30 */
	expect_end(&c, "2024-10-27 01:30:00", "2024-10-27 02:00:00"); /* the second */
	expect_end(&c, "2024-03-31 00:59:59", "2024-03-31 01:00:00");
	expect_end(&c, "2024-03-31 01:00:00", "2024-03-31 02:00:00");
	/* Half an hour of summer, as on Lord Howe Island. */
	start(&c, &limits, zone("AAA-10:30BBB-11,M10.1.0/2,M4.1.0/2"));
	expect_end(&c, "2024-04-06 14:15:00", "2024-04-06 15:00:00");
	expect_end(&c, "2024-04-06 15:00:00", "2024-04-06 15:30:00");
	expect_end(&c, "2024-10-05 15:15:00", "2024-10-05 15:30:00");
	expect_end(&c, "2024-10-05 15:30:00", "2024-10-05 16:00:00");
	zone(NULL);
}

/* Stamps at both ends of time, everywhere: a file that was opened for a record takes it. */
static void a_file_takes_the_record_it_was_opened_for(void **state)
{
	static const char *const zones[] = {
		NULL, "XXX-14", "XXX12", "CET-1CEST,M3.5.0,M10.5.0/3", "XXX5YYY,M3.2.0,M11.1.0"};
	static const uint64_t every[] = {1, SECOND, 3600 * SECOND, 86400 * SECOND,
		1000 * 86400 * SECOND, UINT64_MAX / 2, UINT64_MAX};
	uint64_t ts[] = {0, 1, SECOND, 43200 * SECOND, at("2024-03-31 00:59:59"),
		at("2024-11-03 06:00:00"), INT64_MAX, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};

	(void)state;
	for (size_t z = 0; z < NPF_ARRAY_LEN(zones); z++)
		for (size_t e = 0; e < NPF_ARRAY_LEN(every); e++)
			for (size_t i = 0; i < NPF_ARRAY_LEN(ts); i++) {
				struct npf_writer_limits limits = {.file_time_ns = every[e]};
				struct npf_writer_rotation c;

				start(&c, &limits, zone(zones[z]));
				assert_int_equal(
					npf_writer_rotation_next(&c, 60, ts[i]), NPF_ROTATION_OPEN);
				npf_writer_rotation_open(&c, ts[i]);
				assert_int_equal(
					npf_writer_rotation_next(&c, 60, ts[i]), NPF_ROTATION_PUT);
			}
	zone(NULL);
}

static void a_stamp_that_is_a_little_late_stays_in_the_open_file(void **state)
{
	struct npf_writer_limits limits = {.file_time_ns = 60 * SECOND};
	struct npf_writer_rotation c;

	(void)state;
	assert_int_equal(npf_writer_rotation_init(&c, &limits, HEAD, 0, NULL), 0);
	npf_writer_rotation_open(&c, 120 * SECOND);
	assert_int_equal(npf_writer_rotation_next(&c, 60, 119 * SECOND), NPF_ROTATION_PUT);
	/* The clock was set back by an hour. */
	npf_writer_rotation_open(&c, 7200 * SECOND);
	assert_int_equal(npf_writer_rotation_next(&c, 60, 3600 * SECOND), NPF_ROTATION_CLOSE);
}

static void size_packets_and_time_combine(void **state)
{
	struct npf_writer_limits limits = {
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
	struct npf_writer_limits limits = {.file_size = 1000};
	struct npf_writer_rotation c;

	(void)state;
	assert_int_equal(npf_writer_rotation_init(&c, &limits, HEAD, 0, NULL), 0);
	assert_int_equal(npf_writer_rotation_next(&c, 977, 0), NPF_ROTATION_SKIP);
	assert_int_equal(npf_writer_rotation_next(&c, 976, 0), NPF_ROTATION_OPEN);
	npf_writer_rotation_open(&c, 0);
	npf_writer_rotation_put(&c, 60);
	assert_int_equal(npf_writer_rotation_next(&c, 977, 0), NPF_ROTATION_SKIP);
	assert_int_equal(npf_writer_rotation_next(&c, 976, 0), NPF_ROTATION_CLOSE);
}

static void limits_that_hold_not_even_a_header_are_refused(void **state)
{
	struct npf_writer_limits small_file = {.file_size = HEAD + TRAILER - 1};
	struct npf_writer_limits small_dump = {.max_size = HEAD + TRAILER - 1};
	struct npf_writer_limits just = {.file_size = HEAD + TRAILER, .max_size = HEAD + TRAILER};
	struct npf_writer_rotation c;

	(void)state;
	assert_int_equal(npf_writer_rotation_init(&c, &small_file, HEAD, TRAILER, NULL), -EINVAL);
	assert_int_equal(npf_writer_rotation_init(&c, &small_dump, HEAD, TRAILER, NULL), -EINVAL);
	assert_int_equal(npf_writer_rotation_init(&c, &just, HEAD, TRAILER, NULL), 0);
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
		cmocka_unit_test(days_begin_at_midnight_of_their_own_dates),
		cmocka_unit_test(hours_go_on_when_the_clock_is_changed),
		cmocka_unit_test(a_file_takes_the_record_it_was_opened_for),
		cmocka_unit_test(a_stamp_that_is_a_little_late_stays_in_the_open_file),
		cmocka_unit_test(size_packets_and_time_combine),
		cmocka_unit_test(a_record_larger_than_any_file_is_skipped_and_closes_none),
		cmocka_unit_test(limits_that_hold_not_even_a_header_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
