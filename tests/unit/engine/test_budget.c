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

/* A lcore that does not keep up takes `cost` at a time for as long as it may, from `now` to `end`.
 * Return: what it took. */
static uint64_t take_all(
	struct npf_tap_budget *b, unsigned int share, uint64_t now, uint64_t end, uint64_t cost)
{
	uint64_t took = 0;

	while (now < end) {
		npf_tap_turn_begin(&turn, true);
		if (!npf_tap_budget_allows(b, &turn, share, now)) {
			now += US;
			continue;
		}
		npf_tap_budget_pay(b, &turn, share, cost, 1);
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

static void who_keeps_up_is_not_limited(void **state)
{
	struct npf_tap_budget b = {0};

	(void)state;
	for (uint64_t now = HZ; now < HZ + 100 * MS; now += 100 * US) {
		npf_tap_turn_begin(&turn, false);
		assert_true(npf_tap_budget_allows(&b, &turn, 1, now));
		npf_tap_budget_pay(&b, &turn, 1, 100 * US, 1);
	}
}

static void little_is_saved_however_long_nothing_was_taken(void **state)
{
	struct npf_tap_budget b = {0};
	uint64_t now = 3600 * HZ, n = 0;

	(void)state;
	npf_tap_turn_begin(&turn, true);
	while (npf_tap_budget_allows(&b, &turn, NPF_TAP_WHOLE / 4, now)) {
		npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE / 4, 10 * US, 1);
		now += 10 * US;
		n++;
	}
	assert_in_range(n, NPF_TAP_SAVED_US / 10, 2 * NPF_TAP_SAVED_US / 10);
}

static void a_lcore_without_its_cpu_costs_no_packet(void **state)
{
	struct npf_tap_budget b = {0};
	uint64_t now = HZ;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		npf_tap_turn_begin(&turn, false);
		/* Again and again in one burst. */
		for (unsigned int piece = 0; piece < 8; piece++, now += 4 * MS) {
			assert_true(npf_tap_budget_allows(&b, &turn, NPF_TAP_WHOLE, now));
			npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE, 4 * MS, 4);
		}
	}
	for (unsigned int i = 0; i < 1000; i++) {
		npf_tap_turn_begin(&turn, true);
		for (unsigned int client = 0; client < 3; client++)
			assert_true(npf_tap_budget_allows(&b, &turn, NPF_TAP_WHOLE / 2, now));
		/* What takes a microsecond has taken 8 ms. */
		npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE / 2, 8 * MS, 32);
		now += 8 * MS;
		assert_true(npf_tap_budget_allows(&b, &turn, NPF_TAP_WHOLE / 2, now));
	}
}

static void a_burst_has_a_bound_for_who_owes_time(void **state)
{
	struct npf_tap_budget greedy = {0}, other = {0};
	unsigned int n = 0;

	(void)state;
	npf_tap_turn_begin(&turn, false);
	while (npf_tap_budget_allows(&greedy, &turn, NPF_TAP_WHOLE / 2, HZ)) {
		npf_tap_budget_pay(&greedy, &turn, NPF_TAP_WHOLE / 2, 100 * US, 1);
		n++;
	}
	assert_in_range(n, 1, (NPF_TAP_BURST_US + NPF_TAP_SAVED_US) / 100 + 1);
	/* Who took nothing is served all the same. */
	assert_true(npf_tap_budget_allows(&other, &turn, NPF_TAP_WHOLE / 2, HZ));
	npf_tap_turn_begin(&turn, false);
	assert_true(npf_tap_budget_allows(&greedy, &turn, NPF_TAP_WHOLE / 2, HZ));
}

static void a_burst_has_a_bound_for_who_owes_nothing(void **state)
{
	struct npf_tap_budget b = {0}, other = {0};
	uint64_t now = HZ;

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		unsigned int n = 0;

		npf_tap_turn_begin(&turn, true);
		while (npf_tap_budget_allows(&b, &turn, NPF_TAP_WHOLE, now)) {
			npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE, 100 * US, 1);
			now += 100 * US;
			n++;
		}
		assert_int_equal(n, NPF_TAP_BURST_US / 100 + 1);
		assert_true(npf_tap_budget_allows(&other, &turn, NPF_TAP_WHOLE, now));
	}
}

static void short_bursts_in_a_row_mean_that_more_waits(void **state)
{
	(void)state;
	npf_tap_turn_receive(&turn, 32, 32, 32);
	assert_true(turn.is_pressed);
	npf_tap_turn_receive(&turn, 31, 32, 32);
	assert_false(turn.is_pressed);
	for (unsigned int i = 0; i < 7; i++) {
		npf_tap_turn_receive(&turn, 4, 4, 32);
		assert_false(turn.is_pressed);
	}
	npf_tap_turn_receive(&turn, 4, 4, 32);
	assert_true(turn.is_pressed);
	npf_tap_turn_receive(&turn, 3, 4, 32);
	assert_false(turn.is_pressed);
}

static void long_bursts_become_short(void **state)
{
	struct npf_tap_budget b = {0};
	unsigned int size = 32;

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		npf_tap_turn_begin(&turn, true);
		for (unsigned int n = 0; n < size; n++)
			npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE, 100 * US, 1);
		size = npf_tap_turn_size(&turn, size, 32);
		assert_in_range(size, NPF_TAP_PIECE, 32);
	}
	assert_int_equal(size, 4);
	for (unsigned int i = 0; i < 10; i++) {
		npf_tap_turn_begin(&turn, true);
		for (unsigned int n = 0; n < size; n++)
			npf_tap_budget_pay(&b, &turn, NPF_TAP_WHOLE, US, 1);
		size = npf_tap_turn_size(&turn, size, 32);
	}
	assert_int_equal(size, 32);
}

static void what_is_done_for_all_is_paid_for_too(void **state)
{
	struct npf_tap_budget b = {0}, modest = {0}, kept_up = {0};
	uint64_t now = HZ;

	(void)state;
	/* Half of each millisecond at a share of a quarter; a tenth; half, where there is time. */
	for (unsigned int ms = 0; ms < 100; ms++, now += MS) {
		npf_tap_turn_begin(&turn, true);
		npf_tap_budget_share(&b, &turn, NPF_TAP_WHOLE / 4, MS / 2, now);
		npf_tap_budget_share(&modest, &turn, NPF_TAP_WHOLE / 4, MS / 10, now);
		npf_tap_turn_begin(&turn, false);
		npf_tap_budget_share(&kept_up, &turn, NPF_TAP_WHOLE / 4, MS / 2, now);
	}
	assert_true(npf_tap_budget_is_overdrawn(&b));
	assert_false(npf_tap_budget_is_overdrawn(&modest));
	assert_false(npf_tap_budget_is_overdrawn(&kept_up));
	assert_int_equal(npf_tap_budget_spent(&b), 50 * MS);
	npf_tap_turn_begin(&turn, true);
	assert_false(npf_tap_budget_allows(&b, &turn, NPF_TAP_WHOLE / 4, now));
	assert_true(npf_tap_budget_allows(&modest, &turn, NPF_TAP_WHOLE / 4, now));
}

static void packets_are_cheap_or_dear(void **state)
{
	struct npf_tap_budget b = {0};

	(void)state;
	assert_true(npf_tap_budget_pay(&b, &turn, 1, 32 * NPF_TAP_DEAR_US * US, 32));
	assert_false(npf_tap_budget_pay(&b, &turn, 1, 32 * NPF_TAP_DEAR_US * US + 1, 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(half_a_share_is_half_the_time, make),
		cmocka_unit_test_setup(the_whole_is_not_limited, make),
		cmocka_unit_test_setup(who_keeps_up_is_not_limited, make),
		cmocka_unit_test_setup(little_is_saved_however_long_nothing_was_taken, make),
		cmocka_unit_test_setup(a_lcore_without_its_cpu_costs_no_packet, make),
		cmocka_unit_test_setup(a_burst_has_a_bound_for_who_owes_time, make),
		cmocka_unit_test_setup(a_burst_has_a_bound_for_who_owes_nothing, make),
		cmocka_unit_test_setup(short_bursts_in_a_row_mean_that_more_waits, make),
		cmocka_unit_test_setup(long_bursts_become_short, make),
		cmocka_unit_test_setup(what_is_done_for_all_is_paid_for_too, make),
		cmocka_unit_test_setup(packets_are_cheap_or_dear, make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
