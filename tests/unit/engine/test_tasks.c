/* SPDX-License-Identifier: BSD-3-Clause */
/* Errands: what hangs for one user hangs for nobody else, and nobody waits for it. */
#include "engine/base/tasks.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>

#define ALICE 1001
#define BOB   1002
#define LONG  30000 /* ms that nothing here takes, even on a slow machine */

/* A task that ends when it is let go. */
struct work {
	struct npf_task task;
	sem_t *gate; /* NULL: at once */
	unsigned int *n_done;
};

static atomic_uint n_running, most_running;

static void run(struct npf_task *task)
{
	struct work *w = (struct work *)task;
	unsigned int n = atomic_fetch_add(&n_running, 1) + 1;

	for (unsigned int most = atomic_load(&most_running);
		n > most && !atomic_compare_exchange_weak(&most_running, &most, n);)
		;
	while (w->gate != NULL && sem_wait(w->gate) < 0)
		;
	atomic_fetch_sub(&n_running, 1);
}

static void done(struct npf_task *task)
{
	++*((struct work *)task)->n_done;
}

static void send_to(
	struct npf_tasks *p, struct work *w, uid_t uid, sem_t *gate, unsigned int *n_done)
{
	*w = (struct work){
		.task = {.uid = uid, .run = run, .done = done}, .gate = gate, .n_done = n_done};
	npf_tasks_submit(p, &w->task);
}

static void reap_until(struct npf_tasks *p, const unsigned int *n, unsigned int wanted)
{
	struct pollfd pfd = {.fd = npf_tasks_fd(p), .events = POLLIN};

	while (*n < wanted) {
		assert_int_equal(poll(&pfd, 1, LONG), 1);
		npf_tasks_reap(p);
	}
}

static void tasks_are_done_and_come_back(void **state)
{
	struct npf_tasks *p = npf_tasks_new();
	struct work w[200];
	unsigned int n = 0;

	(void)state;
	assert_non_null(p);
	for (unsigned int i = 0; i < 200; i++)
		send_to(p, &w[i], ALICE + i % 7, NULL, &n);
	reap_until(p, &n, 200);
	assert_int_equal(npf_tasks_free(p, 0), 0);
}

static void a_task_that_hangs_holds_up_no_other_user(void **state)
{
	struct npf_tasks *p = npf_tasks_new();
	struct work stuck[20], other[50];
	unsigned int n_stuck = 0, n = 0;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	for (unsigned int i = 0; i < 20; i++)
		send_to(p, &stuck[i], ALICE, &gate, &n_stuck);
	for (unsigned int i = 0; i < 50; i++)
		send_to(p, &other[i], BOB, NULL, &n);
	reap_until(p, &n, 50);
	assert_int_equal(n_stuck, 0);
	for (unsigned int i = 0; i < 20; i++)
		sem_post(&gate);
	reap_until(p, &n_stuck, 20);
	assert_int_equal(npf_tasks_free(p, 0), 0);
	sem_destroy(&gate);
}

static void a_user_has_a_few_threads_at_most(void **state)
{
	struct npf_tasks *p = npf_tasks_new();
	struct work w[50], other;
	unsigned int n = 0, n_other = 0;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	atomic_store(&most_running, 0);
	for (unsigned int i = 0; i < 50; i++)
		send_to(p, &w[i], ALICE, &gate, &n);
	send_to(p, &other, BOB, NULL, &n_other);
	reap_until(p, &n_other, 1);
	for (unsigned int i = 0; i < 50; i++)
		sem_post(&gate);
	reap_until(p, &n, 50);
	assert_in_range(atomic_load(&most_running), 1, NPF_TASKS_PER_USER + 1); /* and Bob */
	assert_int_equal(npf_tasks_free(p, 0), 0);
	sem_destroy(&gate);
}

static void root_has_threads_when_others_have_taken_all(void **state)
{
	enum {
		N_USERS = NPF_TASKS_THREADS / NPF_TASKS_PER_USER + 4
	};
	static struct work stuck[N_USERS * NPF_TASKS_PER_USER];
	struct npf_tasks *p = npf_tasks_new();
	unsigned int n_stuck = 0, n = 0;
	struct work own;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(stuck); i++)
		send_to(p, &stuck[i], ALICE + i / NPF_TASKS_PER_USER, &gate, &n_stuck);
	send_to(p, &own, 0, NULL, &n);
	reap_until(p, &n, 1);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(stuck); i++)
		sem_post(&gate);
	reap_until(p, &n_stuck, NPF_ARRAY_LEN(stuck));
	assert_int_equal(npf_tasks_free(p, 0), 0);
	sem_destroy(&gate);
}

static void what_hangs_at_the_end_is_left_alone(void **state)
{
	static struct npf_tasks *p;
	static struct work stuck;
	static unsigned int n_stuck, n;
	static sem_t gate;
	struct work other;

	(void)state;
	sem_init(&gate, 0, 0);
	p = npf_tasks_new();
	send_to(p, &stuck, ALICE, &gate, &n_stuck);
	send_to(p, &other, BOB, NULL, &n);
	reap_until(p, &n, 1);
	assert_int_equal(npf_tasks_free(p, 20), 1);
	/* Its thread still has it. Let go, it ends with the pool it belongs to. */
	sem_post(&gate);
	reap_until(p, &n_stuck, 1);
	assert_int_equal(npf_tasks_free(p, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_are_done_and_come_back),
		cmocka_unit_test(a_task_that_hangs_holds_up_no_other_user),
		cmocka_unit_test(a_user_has_a_few_threads_at_most),
		cmocka_unit_test(root_has_threads_when_others_have_taken_all),
		cmocka_unit_test(what_hangs_at_the_end_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
