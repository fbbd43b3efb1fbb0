/* SPDX-License-Identifier: BSD-3-Clause */
/* One account for each user: what is charged is held until it is discharged, and never above the
 * limit. */
#include "engine/users/account.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define MIB (1ull << 20)

static const struct npf_config_limits limits = {.connections = 3, .sessions = 2, .memory = 10};

static int make(void **state)
{
	*state = npf_accounts_new(&limits);
	return *state == NULL;
}

static int unmake(void **state)
{
	npf_accounts_free(*state);
	return 0;
}

static int take(struct npf_accounts *a, uid_t uid, enum npf_resource what, uint64_t n,
	struct npf_charge *c, const char *text)
{
	struct npf_error err = {""};
	int rc = npf_charge(a, uid, what, n, c, &err);

	if (rc < 0)
		assert_non_null(strstr(err.text, text));
	return rc;
}

static void a_user_holds_up_to_the_limit_and_no_more(void **state)
{
	struct npf_charge c[3] = {{0}};

	assert_int_equal(take(*state, 7, NPF_RES_SESSIONS, 1, &c[0], ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_SESSIONS, 1, &c[1], ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_SESSIONS, 1, &c[2],
				 "user 7 has 2 sessions open, the limit (npf.limits.sessions)"),
		-EDQUOT);
	assert_null(c[2].account);
	npf_discharge(&c[0]);
	assert_int_equal(take(*state, 7, NPF_RES_SESSIONS, 1, &c[2], ""), 0);
	npf_discharge(&c[1]);
	npf_discharge(&c[2]);
	assert_int_equal(npf_accounts_held(*state, 7, NPF_RES_SESSIONS), 0);
}

static void users_and_resources_do_not_share(void **state)
{
	struct npf_charge c[5] = {{0}};

	assert_int_equal(take(*state, 7, NPF_RES_SESSIONS, 2, &c[0], ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_DUMPS, 2, &c[1], ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_CONNECTIONS, 3, &c[2], ""), 0);
	assert_int_equal(take(*state, 8, NPF_RES_SESSIONS, 2, &c[3], ""), 0);
	assert_int_equal(
		take(*state, 7, NPF_RES_CONNECTIONS, 1, &c[4], "has 3 connections"), -EDQUOT);
	for (unsigned int i = 0; i < 4; i++)
		npf_discharge(&c[i]);
}

/* Whatever it is for: a ring, a lane to send through, a dump. */
static void descriptors_on_the_way_are_bounded(void **state)
{
	struct npf_charge c[3] = {{0}};

	assert_int_equal(
		take(*state, 7, NPF_RES_DESCRIPTORS, NPF_DESCRIPTORS_MAX - 1, &c[0], ""), 0);
	assert_int_equal(
		take(*state, 7, NPF_RES_DESCRIPTORS, 2, &c[1], "has not taken 511"), -EDQUOT);
	npf_charge_adjust(&c[0], 9);
	assert_int_equal(take(*state, 7, NPF_RES_DESCRIPTORS, 2, &c[1], ""), 0);
	assert_int_equal(take(*state, 8, NPF_RES_DESCRIPTORS, NPF_DESCRIPTORS_MAX, &c[2], ""), 0);
	for (unsigned int i = 0; i < 3; i++)
		npf_discharge(&c[i]);
}

static void memory_is_one_sum(void **state)
{
	struct npf_charge ring = {0}, dump = {0}, more = {0};

	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 6 * MIB, &ring, ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 4 * MIB, &dump, ""), 0);
	assert_int_equal(
		take(*state, 7, NPF_RES_MEMORY, MIB, &more, "would hold 11 MiB of buffers"),
		-EDQUOT);
	npf_discharge(&ring);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, MIB, &more, ""), 0);
	npf_discharge(&dump);
	npf_discharge(&more);
}

static void sizes_near_the_end_of_64_bits_do_not_wrap(void **state)
{
	struct npf_charge c[2] = {{0}};

	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, UINT64_MAX, &c[0], "would hold"), -EDQUOT);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, MIB, &c[0], ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, UINT64_MAX - MIB + 1, &c[1], "would hold"),
		-EDQUOT);
	npf_discharge(&c[0]);
}

static void a_charge_settles_on_what_was_made(void **state)
{
	struct npf_charge c = {0};

	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 4 * MIB, &c, ""), 0);
	npf_charge_adjust(&c, 3 * MIB);
	assert_int_equal(npf_accounts_held(*state, 7, NPF_RES_MEMORY), 3 * MIB);
	npf_charge_adjust(&c, 11 * MIB); /* it is there already */
	assert_int_equal(npf_accounts_held(*state, 7, NPF_RES_MEMORY), 11 * MIB);
	npf_discharge(&c);
	assert_int_equal(npf_accounts_held(*state, 7, NPF_RES_MEMORY), 0);
}

static void a_charge_moves_with_its_thing_and_is_given_back_once(void **state)
{
	struct npf_charge c = {0}, other;

	assert_int_equal(take(*state, 7, NPF_RES_DUMPS, 1, &c, ""), 0);
	other = npf_charge_steal(&c);
	npf_discharge(&c);
	npf_charge_adjust(&c, 5);
	assert_int_equal(npf_accounts_held(*state, 7, NPF_RES_DUMPS), 1);
	npf_discharge(&other);
	npf_discharge(&other);
	assert_int_equal(npf_accounts_held(*state, 7, NPF_RES_DUMPS), 0);
}

static void what_is_leaving_counts_but_is_worth_waiting_for(void **state)
{
	struct npf_charge stays = {0}, leaves = {0}, c = {0};

	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 4 * MIB, &stays, ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 6 * MIB, &leaves, ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 6 * MIB, &c, "would hold 16"), -EDQUOT);
	npf_charge_begin_release(&leaves);
	npf_charge_begin_release(&leaves);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 6 * MIB, &c, "would hold 16"), -EAGAIN);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 7 * MIB, &c, "would hold 17"), -EDQUOT);
	npf_discharge(&leaves);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, 6 * MIB, &c, ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, MIB, &leaves, "would hold 11"), -EDQUOT);
	npf_discharge(&c);
	npf_discharge(&stays);
}

static void every_user_is_reported_with_what_he_holds(void **state)
{
	struct npf_charge c[3] = {{0}};
	const struct npf_account *of;
	struct npf_account_info info;

	assert_null(npf_accounts_next(*state, NULL));
	assert_int_equal(take(*state, 9, NPF_RES_SESSIONS, 1, &c[0], ""), 0);
	assert_int_equal(take(*state, 7, NPF_RES_MEMORY, MIB, &c[1], ""), 0);
	assert_int_equal(take(*state, 8, NPF_RES_DUMPS, 2, &c[2], ""), 0);
	npf_charge_begin_release(&c[1]);
	of = npf_accounts_next(*state, NULL);
	npf_account_info(of, &info);
	assert_int_equal(info.uid, 7);
	assert_int_equal(info.held[NPF_RES_MEMORY], MIB);
	assert_int_equal(info.releasing[NPF_RES_MEMORY], MIB);
	assert_int_equal(info.limit[NPF_RES_MEMORY], 10 * MIB);
	assert_int_equal(info.limit[NPF_RES_CONNECTIONS], 3);
	assert_int_equal(info.wakes_ns, 0);
	of = npf_accounts_next(*state, of);
	npf_account_info(of, &info);
	assert_int_equal(info.uid, 8);
	assert_int_equal(info.held[NPF_RES_DUMPS], 2);
	of = npf_accounts_next(*state, of);
	npf_account_info(of, &info);
	assert_int_equal(info.uid, 9);
	assert_int_equal(info.held[NPF_RES_SESSIONS], 1);
	assert_int_equal(info.held[NPF_RES_MEMORY], 0);
	assert_null(npf_accounts_next(*state, of));
	for (unsigned int i = 0; i < 3; i++)
		npf_discharge(&c[i]);
}

/* Keeps the thread busy for user 7, whenever he may, for @ns from @now; each request takes @cost.
 * Return: how long that was in all. */
static uint64_t ask(struct npf_account *of, uint64_t now, uint64_t ns, uint64_t cost)
{
	uint64_t took = 0;

	for (uint64_t end = now + ns; now < end; now += cost) {
		if (!npf_account_has_turn(of, now))
			continue;
		npf_account_take_turn(of, now, now + cost);
		took += cost;
	}
	return took;
}

static void requests_take_a_part_of_the_time(void **state)
{
	const uint64_t now = npf_clock_monotonic(), cost = NPF_NS_PER_MS / 20;
	struct npf_account *of = npf_account_get(*state, 7);
	struct npf_account *root = npf_account_get(*state, 0);
	struct npf_account_info info;
	uint64_t took = ask(of, now, NPF_NS_PER_S, cost);

	assert_in_range(took, NPF_NS_PER_S / NPF_TURN_SHARE,
		NPF_NS_PER_S / NPF_TURN_SHARE + NPF_TURN_SAVED_NS + cost);
	npf_account_info(of, &info);
	assert_int_equal(info.turns_ns, took);
	assert_int_equal(ask(root, now, NPF_NS_PER_S, cost), NPF_NS_PER_S);
	/* Who leaves and comes back owes what he owed. */
	npf_account_put(of);
	of = npf_account_get(*state, 7);
	assert_false(npf_account_has_turn(of, now + NPF_NS_PER_S - NPF_NS_PER_MS));
	/* A while later he has no more than that saved. */
	took = ask(of, now + 60 * NPF_NS_PER_S, NPF_NS_PER_MS * 10, cost);
	assert_in_range(took, NPF_TURN_SAVED_NS,
		NPF_TURN_SAVED_NS + 10 * NPF_NS_PER_MS / NPF_TURN_SHARE + cost);
	npf_account_put(of);
	npf_account_put(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_user_holds_up_to_the_limit_and_no_more, make, unmake),
		cmocka_unit_test_setup_teardown(users_and_resources_do_not_share, make, unmake),
		cmocka_unit_test_setup_teardown(descriptors_on_the_way_are_bounded, make, unmake),
		cmocka_unit_test_setup_teardown(memory_is_one_sum, make, unmake),
		cmocka_unit_test_setup_teardown(
			sizes_near_the_end_of_64_bits_do_not_wrap, make, unmake),
		cmocka_unit_test_setup_teardown(a_charge_settles_on_what_was_made, make, unmake),
		cmocka_unit_test_setup_teardown(
			a_charge_moves_with_its_thing_and_is_given_back_once, make, unmake),
		cmocka_unit_test_setup_teardown(
			what_is_leaving_counts_but_is_worth_waiting_for, make, unmake),
		cmocka_unit_test_setup_teardown(
			every_user_is_reported_with_what_he_holds, make, unmake),
		cmocka_unit_test_setup_teardown(requests_take_a_part_of_the_time, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
