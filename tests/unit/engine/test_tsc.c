/* SPDX-License-Identifier: BSD-3-Clause */
/* The disciplined TSC: near the wall clock, even from a wrong start, and never going back. */
#include "engine/datapath/tsc.h"

#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t measure_hz(void)
{
	uint64_t a, b, na, nb;

	npf_tsc_pair(&a, &na);
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	npf_tsc_pair(&b, &nb);
	return (b - a) * NPF_NS_PER_S / (nb - na);
}

static int64_t error_of(struct npf_tsc *c)
{
	uint64_t tsc, ns;

	npf_tsc_pair(&tsc, &ns);
	return (int64_t)(npf_tsc_scale(c, tsc) - ns);
}

static void run(struct npf_tsc *c, int n_syncs)
{
	for (int i = 0; i < n_syncs; i++) {
		nanosleep(&(struct timespec){.tv_nsec = (long)NPF_TSC_SYNC_NS}, NULL);
		npf_tsc_sync(c);
	}
}

static void it_stays_near_the_wall_clock(void **state)
{
	struct npf_tsc c;

	(void)state;
	npf_tsc_init(&c, measure_hz());
	run(&c, 20);
	assert_true(
		llabs(error_of(&c)) <
		(long long)(500 * NPF_NS_PER_US)); /* a busy machine, not the clock, is the limit */
}

static void a_wrong_frequency_is_steered_out(void **state)
{
	struct npf_tsc c;

	(void)state;
	npf_tsc_init(&c, measure_hz() / 1000 * 1001); /* 1000 ppm off */
	run(&c, 130); /* long enough for the slope to be measured anew */
	assert_true(llabs(error_of(&c)) < (long long)(500 * NPF_NS_PER_US));
}

static void time_never_goes_back(void **state)
{
	struct npf_tsc c;
	uint64_t last = 0;

	(void)state;
	npf_tsc_init(&c, measure_hz() / 1000 * 999);
	for (int i = 0; i < 200000; i++) {
		uint64_t now = npf_tsc_now(&c);

		assert_true(now >= last);
		last = now;
		if (i % 5000 == 0)
			npf_tsc_sync(&c);
	}
}

static void a_clock_set_far_away_is_followed_at_once(void **state)
{
	struct npf_tsc c;
	uint64_t to_mono;
	int64_t step;

	(void)state;
	npf_tsc_init(&c, measure_hz());
	c.base_ns += 3600 * NPF_NS_PER_S;
	c.last_ns = c.base_ns;
	to_mono = npf_tsc_now(&c) - npf_clock_monotonic();
	step = npf_tsc_sync(&c);
	assert_true(
		llabs((int64_t)(npf_tsc_now(&c) - npf_clock_realtime())) < (long long)NPF_NS_PER_S);
	/* Who knows the step still knows the monotonic clock. */
	to_mono += (uint64_t)step;
	assert_true(llabs((int64_t)(npf_tsc_now(&c) - to_mono - npf_clock_monotonic())) <
		    (long long)NPF_NS_PER_S);
	assert_int_equal(npf_tsc_sync(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stays_near_the_wall_clock),
		cmocka_unit_test(a_wrong_frequency_is_steered_out),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(a_clock_set_far_away_is_followed_at_once),
	};

	return cmocka_run_group_tests_name("tsc", tests, NULL, NULL);
}
