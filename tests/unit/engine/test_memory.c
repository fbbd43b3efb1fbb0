/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory for clients: ordered, taken in a second go, and charged until it is free. */
#include "engine/core/memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>

#define MIB  (1ull << 20)
#define LONG 30000 /* ms */
#define UID  1001

static const struct npf_config_limits limits = {.memory = 64};

static struct fixture {
	struct npf_requester requester;
	unsigned int n_ready;
} f;

static void ready(struct npf_requester *requester)
{
	(void)requester;
	f.n_ready++;
}

static int make(void **state)
{
	(void)state;
	f.n_ready = 0;
	f.requester = (struct npf_requester){.accounts = npf_accounts_new(&limits),
		.tasks = npf_tasks_new(),
		.uid = UID,
		.ready = ready};
	return f.requester.accounts == NULL || f.requester.tasks == NULL;
}

static int unmake(void **state)
{
	(void)state;
	assert_int_equal(npf_tasks_free(f.requester.tasks, LONG), 0);
	assert_int_equal(npf_accounts_held(f.requester.accounts, UID, NPF_RES_MEMORY), 0);
	npf_accounts_free(f.requester.accounts);
	return 0;
}

static void reap_until_ready(unsigned int n)
{
	struct pollfd pfd = {.fd = npf_tasks_fd(f.requester.tasks), .events = POLLIN};

	while (f.n_ready < n) {
		assert_int_equal(poll(&pfd, 1, LONG), 1);
		npf_tasks_reap(f.requester.tasks);
	}
}

static int get(uint64_t size, struct npf_memory *mem)
{
	struct npf_memory_conf conf = {.buffer = {.size = size, .n_lanes = 1}};
	struct npf_error err = {""};
	int rc = npf_memory_get(&f.requester, &conf, mem, &err);

	if (rc < 0 && rc != -EINPROGRESS)
		assert_int_not_equal(err.text[0], '\0');
	return rc;
}

static void little_is_there_at_once(void **state)
{
	struct npf_memory mem;

	(void)state;
	assert_int_equal(get(64 << 10, &mem), 0);
	assert_non_null(mem.buffer);
	npf_memory_free(f.requester.tasks, &mem);
	assert_null(mem.buffer);
	assert_int_equal(npf_accounts_held(f.requester.accounts, UID, NPF_RES_MEMORY), 0);
}

static void much_is_there_in_the_second_go(void **state)
{
	struct npf_memory mem;

	(void)state;
	assert_int_equal(get(8 * MIB, &mem), -EINPROGRESS);
	assert_true(npf_accounts_held(f.requester.accounts, UID, NPF_RES_MEMORY) >= 8 * MIB);
	reap_until_ready(1);
	assert_int_equal(get(8 * MIB, &mem), 0);
	assert_non_null(mem.buffer);
	npf_memory_free(f.requester.tasks, &mem);
}

static void a_request_that_wants_something_else_by_then_orders_anew(void **state)
{
	struct npf_memory mem;

	(void)state;
	assert_int_equal(get(8 * MIB, &mem), -EINPROGRESS);
	reap_until_ready(1);
	assert_int_equal(get(16 * MIB, &mem), -EINPROGRESS);
	reap_until_ready(2);
	assert_int_equal(get(16 * MIB, &mem), 0);
	npf_memory_free(f.requester.tasks, &mem);
}

static void memory_for_a_request_that_failed_is_given_back(void **state)
{
	struct npf_memory mem;

	(void)state;
	assert_int_equal(get(8 * MIB, &mem), -EINPROGRESS);
	reap_until_ready(1);
	npf_requester_discard(&f.requester);
	assert_null(f.requester.allocation);
}

static void memory_for_a_client_that_left_is_given_back(void **state)
{
	struct npf_memory mem;

	(void)state;
	assert_int_equal(get(8 * MIB, &mem), -EINPROGRESS);
	npf_requester_detach(&f.requester);
	assert_null(f.requester.allocation);
}

static void what_is_being_freed_is_waited_for_and_more_is_refused(void **state)
{
	struct npf_memory mem, other;
	unsigned int n = 0;
	int rc;

	(void)state;
	assert_int_equal(get(40 * MIB, &mem), -EINPROGRESS);
	reap_until_ready(++n);
	assert_int_equal(get(40 * MIB, &mem), 0);
	assert_int_equal(get(40 * MIB, &other), -EDQUOT);
	npf_memory_free(f.requester.tasks, &mem);
	while ((rc = get(40 * MIB, &other)) == -EINPROGRESS)
		reap_until_ready(++n);
	assert_int_equal(rc, 0);
	npf_memory_free(f.requester.tasks, &other);
	assert_int_equal(get(65 * MIB, &other), -EDQUOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(little_is_there_at_once, make, unmake),
		cmocka_unit_test_setup_teardown(much_is_there_in_the_second_go, make, unmake),
		cmocka_unit_test_setup_teardown(
			a_request_that_wants_something_else_by_then_orders_anew, make, unmake),
		cmocka_unit_test_setup_teardown(
			memory_for_a_request_that_failed_is_given_back, make, unmake),
		cmocka_unit_test_setup_teardown(
			memory_for_a_client_that_left_is_given_back, make, unmake),
		cmocka_unit_test_setup_teardown(
			what_is_being_freed_is_waited_for_and_more_is_refused, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
