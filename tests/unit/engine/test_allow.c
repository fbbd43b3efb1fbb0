/* SPDX-License-Identifier: BSD-3-Clause */
/* Allow lists: checks compare numbers, whatever the directory of users does. */
#include "engine/users/access.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#define ALICE 1001
#define BOB   1002
#define STAFF 2001
#define LONG  30000 /* ms that nothing here takes, even on a slow machine */

/* ---- the directory ---- */

static struct {
	atomic_uint bob;     /* his uid; 0: there is no such user */
	atomic_int error;    /* of every look-up */
	atomic_bool is_away; /* look-ups hang until `back` is posted */
	atomic_uint n_lookups;
	sem_t back;
} directory;

static int enter(void)
{
	atomic_fetch_add(&directory.n_lookups, 1);
	while (atomic_load(&directory.is_away) && sem_wait(&directory.back) < 0)
		;
	return atomic_load(&directory.error);
}

int __wrap_getpwnam_r(
	const char *name, struct passwd *pw, char *buf, size_t room, struct passwd **found);
int __wrap_getgrnam_r(
	const char *name, struct group *gr, char *buf, size_t room, struct group **found);

int __wrap_getpwnam_r(
	const char *name, struct passwd *pw, char *buf, size_t room, struct passwd **found)
{
	int error = enter();

	(void)buf;
	(void)room;
	*pw = (struct passwd){.pw_uid = 0};
	*found = NULL;
	if (error != 0)
		return error;
	if (strcmp(name, "alice") == 0)
		pw->pw_uid = ALICE;
	else if (strcmp(name, "bob") == 0)
		pw->pw_uid = atomic_load(&directory.bob);
	*found = pw->pw_uid != 0 ? pw : NULL;
	return 0;
}

/* The group has many members. */
int __wrap_getgrnam_r(
	const char *name, struct group *gr, char *buf, size_t room, struct group **found)
{
	int error = enter();

	(void)buf;
	*gr = (struct group){.gr_gid = STAFF};
	*found = NULL;
	if (error != 0)
		return error;
	if (room < 100000)
		return ERANGE;
	*found = strcmp(name, "staff") == 0 ? gr : NULL;
	return 0;
}

/* ---- helpers ---- */

static struct npf_allow *new_list(const char *first, const char *second)
{
	char *rules[] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second};
	const struct npf_config_port conf = {
		.name = (char[]){"npf0"},
		.allow = rules,
		.n_allow = (first != NULL) + (second != NULL),
	};
	struct npf_allow *a = npf_allow_new(&conf);

	assert_non_null(a);
	return a;
}

static bool admits(const struct npf_allow *a, uid_t uid, gid_t gid)
{
	const struct npf_peer peer = {.uid = uid, .gid = gid};

	return npf_access_port(a, &peer);
}

static void set_ready(void *ctx)
{
	*(bool *)ctx = true;
}

static void reap(struct npf_tasks *p)
{
	struct pollfd pfd = {.fd = npf_tasks_fd(p), .events = POLLIN};

	assert_int_equal(poll(&pfd, 1, LONG), 1);
	npf_tasks_reap(p);
}

static uint64_t now_due(void)
{
	return npf_clock_monotonic() + NPF_ALLOW_REFRESH_NS;
}

static int set_up(void **state)
{
	(void)state;
	atomic_store(&directory.bob, 0);
	atomic_store(&directory.error, 0);
	atomic_store(&directory.is_away, false);
	atomic_store(&directory.n_lookups, 0);
	return sem_init(&directory.back, 0, 0);
}

/* ---- tests ---- */

static void an_empty_list_admits_all(void **state)
{
	struct npf_allow *a = new_list(NULL, NULL);

	(void)state;
	assert_false(npf_allow_has_names(a));
	assert_true(admits(a, BOB, BOB));
	npf_allow_free(a);
}

static void any_admits_all_and_needs_no_directory(void **state)
{
	struct npf_allow *a = new_list("any", NULL);

	(void)state;
	assert_false(npf_allow_has_names(a));
	assert_true(admits(a, BOB, BOB));
	npf_allow_free(a);
}

static void users_and_groups_are_admitted_by_their_numbers(void **state)
{
	struct npf_allow *a = new_list("user:alice", "group:staff");
	gid_t groups[] = {7, STAFF};
	const struct npf_peer member = {.uid = BOB, .gid = BOB, .groups = groups, .n_groups = 2};

	(void)state;
	npf_allow_resolve(a);
	assert_true(admits(a, ALICE, ALICE));
	assert_true(admits(a, BOB, STAFF));
	assert_true(npf_access_port(a, &member));
	assert_false(admits(a, BOB, BOB));
	assert_false(admits(a, STAFF, ALICE));
	npf_allow_free(a);
}

static void an_unknown_name_admits_nobody(void **state)
{
	struct npf_allow *a = new_list("user:bob", "group:nosuch");

	(void)state;
	assert_false(admits(a, ALICE, ALICE));
	npf_allow_resolve(a);
	assert_false(admits(a, ALICE, ALICE));
	assert_false(admits(a, BOB, STAFF));
	npf_allow_free(a);
}

static void root_and_the_daemons_user_need_no_name(void **state)
{
	struct npf_allow *a = new_list("user:bob", NULL);

	(void)state;
	assert_true(admits(a, 0, 0));
	assert_true(admits(a, geteuid(), 0));
	npf_allow_free(a);
}

static void checks_return_at_once_while_a_look_up_hangs(void **state)
{
	struct npf_allow *a = new_list("user:alice", "user:bob");
	struct npf_tasks *p = npf_tasks_new();
	bool ready = false;

	(void)state;
	npf_allow_resolve(a);
	atomic_store(&directory.bob, BOB);
	atomic_store(&directory.is_away, true);
	npf_allow_submit(a, p, ALICE, set_ready, &ready);
	while (atomic_load(&directory.n_lookups) < 3)
		usleep(1000);
	/* They would never return if they waited for the directory. */
	assert_true(admits(a, ALICE, ALICE));
	assert_false(admits(a, BOB, BOB));
	assert_int_equal(atomic_load(&directory.n_lookups), 3);
	npf_tasks_reap(p);
	assert_false(ready);
	atomic_store(&directory.is_away, false);
	sem_post(&directory.back);
	reap(p);
	assert_true(ready);
	assert_true(admits(a, BOB, BOB));
	assert_int_equal(npf_tasks_free(p, LONG), 0);
	npf_allow_free(a);
}

static void a_user_made_later_is_known_after_the_refresh(void **state)
{
	struct npf_allow *a = new_list("user:bob", NULL);
	struct npf_tasks *p = npf_tasks_new();

	(void)state;
	npf_allow_resolve(a);
	atomic_store(&directory.bob, BOB);
	npf_allow_tick(a, p, npf_clock_monotonic());
	assert_int_equal(npf_tasks_free(p, 0), 0); /* it was not due */
	assert_false(admits(a, BOB, BOB));
	p = npf_tasks_new();
	npf_allow_tick(a, p, now_due());
	npf_allow_tick(a, p, now_due()); /* one at a time */
	reap(p);
	assert_true(admits(a, BOB, BOB));
	assert_int_equal(atomic_load(&directory.n_lookups), 2);

	/* And is not when the user was removed. */
	atomic_store(&directory.bob, 0);
	npf_allow_tick(a, p, now_due());
	reap(p);
	assert_false(admits(a, BOB, BOB));
	assert_int_equal(npf_tasks_free(p, LONG), 0);
	npf_allow_free(a);
}

static void a_look_up_that_fails_changes_nothing(void **state)
{
	struct npf_allow *a = new_list("user:alice", NULL);

	(void)state;
	npf_allow_resolve(a);
	atomic_store(&directory.error, EIO);
	npf_allow_resolve(a);
	assert_true(admits(a, ALICE, ALICE));
	npf_allow_free(a);
	a = new_list("user:alice", NULL);
	npf_allow_resolve(a);
	assert_false(admits(a, ALICE, ALICE));
	atomic_store(&directory.error, 0);
	npf_allow_resolve(a);
	assert_true(admits(a, ALICE, ALICE));
	npf_allow_free(a);
}

static void a_list_can_be_freed_while_a_look_up_hangs(void **state)
{
	struct npf_allow *a = new_list("user:alice", NULL);
	struct npf_tasks *p = npf_tasks_new();
	bool ready = false;

	(void)state;
	atomic_store(&directory.is_away, true);
	npf_allow_submit(a, p, ALICE, set_ready, &ready);
	while (atomic_load(&directory.n_lookups) == 0)
		usleep(1000);
	npf_allow_free(a);
	atomic_store(&directory.is_away, false);
	sem_post(&directory.back);
	reap(p);
	assert_false(ready);
	assert_int_equal(npf_tasks_free(p, LONG), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_list_admits_all, set_up),
		cmocka_unit_test_setup(any_admits_all_and_needs_no_directory, set_up),
		cmocka_unit_test_setup(users_and_groups_are_admitted_by_their_numbers, set_up),
		cmocka_unit_test_setup(an_unknown_name_admits_nobody, set_up),
		cmocka_unit_test_setup(root_and_the_daemons_user_need_no_name, set_up),
		cmocka_unit_test_setup(checks_return_at_once_while_a_look_up_hangs, set_up),
		cmocka_unit_test_setup(a_user_made_later_is_known_after_the_refresh, set_up),
		cmocka_unit_test_setup(a_look_up_that_fails_changes_nothing, set_up),
		cmocka_unit_test_setup(a_list_can_be_freed_while_a_look_up_hangs, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
