/* SPDX-License-Identifier: BSD-3-Clause */
/* Schedules: absolute, without drift, without a burst after an interruption. */
#include "engine/send/pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define US 1000ull

/* Sends frame at_ns as soon as it is due, but not before now; returns when. */
static uint64_t send_at(struct npf_pace *p, uint64_t at_ns, uint64_t now)
{
	uint64_t due = npf_pace_due(p, at_ns, now);

	now = NPF_MAX(now, due);
	npf_pace_sent(p, at_ns, now);
	return now;
}

static void each_frame_is_due_at_the_start_plus_its_own_time(void **state)
{
	struct npf_pace p;
	uint64_t now = 1000000;

	(void)state;
	npf_pace_reset(&p);
	for (uint64_t i = 0; i < 1000; i++) {
		/* Every frame is a little late; none makes the next one later. */
		now = send_at(&p, i * 10 * US, now) + 300;
		assert_int_equal(npf_pace_time(&p, i * 10 * US, now), 1000000 + i * 10 * US);
		assert_true(now - npf_pace_time(&p, i * 10 * US, now) <= 300);
	}
}

static void the_first_frames_own_time_is_the_schedules_zero(void **state)
{
	struct npf_pace p;

	(void)state;
	npf_pace_reset(&p);
	assert_int_equal(send_at(&p, 5000 * US, 77 * US), 77 * US);
	assert_int_equal(send_at(&p, 5010 * US, 78 * US), 87 * US);
}

static void after_an_interruption_frames_are_spread_until_on_time(void **state)
{
	struct npf_pace p;
	uint64_t now = 0, last, i;

	(void)state;
	npf_pace_reset(&p);
	for (i = 0; i < 10; i++)
		now = send_at(&p, i * 10 * US, now);
	now += 1000 * US; /* the worker was not there */
	last = now;
	now = send_at(&p, i++ * 10 * US, now);
	assert_int_equal(now, last);
	while (now > npf_pace_time(&p, (i - 1) * 10 * US, now)) {
		last = now;
		now = send_at(&p, i++ * 10 * US, now);
		assert_true(now - last >= 10 * US / 4);
	}
	assert_true(i < 200);
	assert_int_equal(now, (i - 1) * 10 * US);
}

static void a_time_that_goes_back_is_due_at_once(void **state)
{
	struct npf_pace p;

	(void)state;
	npf_pace_reset(&p);
	send_at(&p, 0, 1000);
	send_at(&p, 100 * US, 1000);
	assert_true(npf_pace_due(&p, 50 * US, 200 * US) <= 200 * US);
}

static void a_time_that_went_back_makes_none_after_it_late(void **state)
{
	static const uint64_t at[] = {0, 4000000, 0, 4001000, 4100000};
	static const uint64_t leaves[] = {0, 4000000, 4000000, 4001000, 4100000};
	uint64_t now = 1000 * US;
	struct npf_pace p;

	(void)state;
	npf_pace_reset(&p);
	for (size_t i = 0; i < NPF_ARRAY_LEN(at); i++) {
		now = send_at(&p, at[i] * US, now);
		assert_int_equal(now, (1000 + leaves[i]) * US);
	}
}

static void a_time_before_the_first_makes_none_after_it_late(void **state)
{
	struct npf_pace p;

	(void)state;
	npf_pace_reset(&p);
	assert_int_equal(send_at(&p, 5000 * US, 1000), 1000);
	assert_int_equal(send_at(&p, 0, 1000), 1000);
	assert_int_equal(send_at(&p, 5100 * US, 1000), 1000 + 100 * US);
}

static void a_time_beyond_all_times_is_never_due(void **state)
{
	struct npf_pace p;

	(void)state;
	npf_pace_reset(&p);
	send_at(&p, 0, 1000);
	assert_int_equal(npf_pace_due(&p, UINT64_MAX, 2000), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_frame_is_due_at_the_start_plus_its_own_time),
		cmocka_unit_test(the_first_frames_own_time_is_the_schedules_zero),
		cmocka_unit_test(after_an_interruption_frames_are_spread_until_on_time),
		cmocka_unit_test(a_time_that_goes_back_is_due_at_once),
		cmocka_unit_test(a_time_that_went_back_makes_none_after_it_late),
		cmocka_unit_test(a_time_before_the_first_makes_none_after_it_late),
		cmocka_unit_test(a_time_beyond_all_times_is_never_due),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
