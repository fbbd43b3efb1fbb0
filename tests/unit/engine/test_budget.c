/* SPDX-License-Identifier: BSD-3-Clause */
/* A user's time on a tap: saved up a little, paid for at his share, and bounded in each burst. */
#include "engine/datapath/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HZ 1000000000ull /* a cycle is a nanosecond */
#define US 1000ull
#define MS 1000000ull

static struct npf_tap_turn turn;

static int make(void **state)
{
	(void)state;
	npf_tap_turn_init(&turn, HZ);
	return 0;
}

/* Takes `cost` at a time for as long as it may, from `now` to `end`. Return: what it took. */
static uint64_t take_all(
	struct npf_tap_budget *b, unsigned int share, uint64_t now, uint64_t end, uint64_t cost)
{
	uint64_t took = 0;

	while (now < end) {
		turn.begun = now;
		if (!npf_tap_budget_allows(b, &turn, now)) {
			now += US;
			continue;
		}
		npf_tap_budget_pay(b, &turn, share, now, now + cost, 1);
		now += cost;
		took += cost;
	}
	return took;
}

static void half_a_share_is_half_the_time(void **state)
{
	struct npf_tap_budget b = {0};
	uint64_t took = take_all(&b, NPF_TAP_WHOLE / 2, HZ, HZ + 100 * MS, 100 * US);

	(void)state;
	assert_in_range(took, 49 * MS, 51 * MS);
}

static void the_whole_is_not_limited(void **state)
{
	struct npf_tap_budget b = {0};

	(void)state;
	assert_int_equal(take_all(&b, NPF_TAP_WHOLE, HZ, HZ + 100 * MS, 100 * US), 100 * MS);
}

static void little_is_saved_however_long_nothing_was_taken(void **state)
{
	struct npf_tap_budget b = {0};
	uint64_t now = 3600 * HZ, n = 0;

	(void)state;
	turn.begun = now;
	while (npf_tap_budget_allows(&b, &turn, now)) {
		npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE / 4, now, now + 10 * US, 1);
		now += 10 * US;
		n++;
	}
	assert_in_range(n, 1, NPF_TAP_SAVED_US / 10);
}

static void who_took_much_waits_until_it_is_paid(void **state)
{
	struct npf_tap_budget b = {0};

	(void)state;
	turn.begun = HZ;
	assert_true(npf_tap_budget_allows(&b, &turn, HZ));
	npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE / 2, HZ, HZ + 3 * MS, 32);
	turn.begun = HZ + 5 * MS;
	assert_false(npf_tap_budget_allows(&b, &turn, HZ + 5 * MS));
	turn.begun = HZ + 6 * MS;
	assert_true(npf_tap_budget_allows(&b, &turn, HZ + 6 * MS));
}

static void a_burst_has_a_bound_for_all_of_them(void **state)
{
	struct npf_tap_budget first = {0}, last = {0};
	uint64_t end = HZ + NPF_TAP_BURST_US * US;

	(void)state;
	turn.begun = HZ;
	assert_true(npf_tap_budget_allows(&first, &turn, HZ));
	npf_tap_budget_pay(&first, &turn, NPF_TAP_WHOLE, HZ, end, 1);
	assert_true(npf_tap_budget_allows(&last, &turn, end));
	assert_false(npf_tap_budget_allows(&last, &turn, end + 1));
}

static void packets_are_cheap_or_dear(void **state)
{
	struct npf_tap_budget b = {0};

	(void)state;
	assert_true(npf_tap_budget_pay(&b, &turn, 1, HZ, HZ + 32 * NPF_TAP_DEAR_US * US, 32));
	assert_false(npf_tap_budget_pay(&b, &turn, 1, HZ, HZ + 32 * NPF_TAP_DEAR_US * US + 1, 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(half_a_share_is_half_the_time, make),
		cmocka_unit_test_setup(the_whole_is_not_limited, make),
		cmocka_unit_test_setup(little_is_saved_however_long_nothing_was_taken, make),
		cmocka_unit_test_setup(who_took_much_waits_until_it_is_paid, make),
		cmocka_unit_test_setup(a_burst_has_a_bound_for_all_of_them, make),
		cmocka_unit_test_setup(packets_are_cheap_or_dear, make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
