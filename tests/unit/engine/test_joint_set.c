/* SPDX-License-Identifier: BSD-3-Clause */
/* test_joint_set.c - the filters of a port's clients become one set, whoever comes and goes. */
#include "engine/base/tasks.h"
#include "engine/core/consumer.h"
#include "engine/core/plan.h"
#include "engine/core/joint_set.h"
#include "engine/datapath/plan.h"
#include "engine/users/account.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>

#define N 12

static struct fixture {
	struct npf_engine e;
	struct npf_config config;
	struct npf_config_port conf;
	struct npf_engine_port p;
	struct npf_tap_counters counters;
	struct npf_consumer c[N];
	struct npf_filter *filters[N];
	struct npf_buffer *buffer;
	unsigned int n_made;
} f;

static int set_up(void **state)
{
	const struct npf_buffer_conf one_lane = {.size = NPF_BUFFER_MIN, .n_lanes = 1};

	(void)state;
	memset(&f, 0, sizeof(f));
	assert_int_equal(npf_buffer_new(&one_lane, &f.buffer), 0);
	f.conf = (struct npf_config_port){.overflow = NPF_OVERFLOW_DROP, .start = NPF_START_ALWAYS};
	f.config.npf.limits.tap = 50;
	f.e.conf = &f.config;
	f.e.tasks = npf_tasks_new();
	f.p.port.conf = &f.conf;
	f.p.port.running = true;
	f.p.port.n_queues = 1;
	f.p.n_taps = 1;
	f.e.ports[f.e.n_ports++] = &f.p;
	return f.e.tasks == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(npf_tasks_free(f.e.tasks, 10000), 0);
	while (f.p.consumers != NULL)
		npf_consumer_remove(f.p.consumers);
	for (unsigned int i = 0; i < N; i++)
		f.filters[i] = npf_filter_free(f.filters[i]);
	npf_joint_set_free(f.p.set);
	npf_joint_set_free(f.p.next_set);
	assert_int_equal(f.p.n_refs, 0);
	npf_buffer_free(f.buffer);
	return 0;
}

/* IPv4 from a host; or with @odd, a loop-free program that no set takes: its result is computed. */
static struct npf_filter *filter_of(uint32_t host, bool odd)
{
	const struct npf_bpf_insn from[] = {{OP_LD_H_ABS, 0, 0, 12}, {OP_JEQ_K, 0, 3, 0x800},
		{OP_LD_W_ABS, 0, 0, 26}, {OP_JEQ_K, 0, 1, host}, {OP_RET_K, 0, 0, 96},
		{OP_RET_K, 0, 0, 0}};
	const struct npf_bpf_insn computed[] = {
		{OP_LD_W_ABS, 0, 0, 26}, {OP_ADD_K, 0, 0, host}, {OP_RET_A, 0, 0, 0}};
	struct npf_filter *filter = NULL;

	assert_int_equal(
		npf_filter_compile(odd ? computed : from,
			odd ? NPF_ARRAY_LEN(computed) : NPF_ARRAY_LEN(from), NULL, &filter, NULL),
		0);
	return filter;
}

static void come(unsigned int i, uint32_t host, bool odd)
{
	f.filters[i] = filter_of(host, odd);
	f.c[i] = (struct npf_consumer){
		.port = &f.p,
		.takes = true,
		.reads = true,
		.uses = true,
		.tap_counters = &f.counters,
		.buffer = f.buffer,
		.form = {.session = i + 1, .want_in = true, .filter_in = f.filters[i]},
	};
	npf_consumer_add(&f.c[i]);
}

static void go(unsigned int i)
{
	npf_consumer_remove(&f.c[i]);
	f.filters[i] = npf_filter_free(f.filters[i]);
}

static void made(struct npf_engine *e)
{
	(void)e;
	f.n_made++;
	npf_joint_set_settle(&f.p);
}

/* As after an exchange of plans, and wait for what that has begun. Return: was a set made? */
static bool update(void)
{
	const unsigned int before = f.n_made;

	npf_joint_set_update(&f.e, &f.p, made);
	while (f.p.set_compiles) {
		struct pollfd pfd = {.fd = npf_tasks_fd(f.e.tasks), .events = POLLIN};

		poll(&pfd, 1, 1000);
		npf_tasks_reap(f.e.tasks);
	}
	return f.n_made > before;
}

/* How many of the plan's clients the set answers for; each of those as its filter would. */
static unsigned int n_answered(void)
{
	struct npf_plan *plan = npf_plan_make(&f.e, 0);
	const struct npf_tap_queue *q = &plan->queues[0];
	unsigned int n = q->n_members;

	assert_true((q->set != NULL) == (n > 0));
	for (unsigned int i = 0; i < n; i++) {
		const struct npf_tap_member *m = &q->members[i];

		for (uint32_t host = 0; host < 20; host++) {
			uint8_t packet[60] = {[12] = 8, [29] = (uint8_t)host};
			const uint8_t *data = packet;
			const uint32_t len = sizeof(packet);
			const uint32_t *planes =
				npf_filter_set_run(q->set, q->scratch, &data, &len, &len, 1);
			uint32_t keep = npf_filter_run(m->client->filter_in, packet, len, len);

			assert_int_equal(planes[m->number], keep != 0);
			if (keep != 0)
				assert_int_equal(m->keep, keep);
		}
	}
	if (n > 0)
		assert_int_equal(n + q->n_others, q->n_clients);
	free(plan);
	return n;
}

static void few_filters_run_alone(void **state)
{
	(void)state;
	come(0, 1, false);
	come(1, 2, false);
	assert_false(update());
	assert_int_equal(n_answered(), 0);
}

static void who_comes_runs_alone_until_there_is_a_new_set(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		come(i, i, false);
	assert_int_equal(n_answered(), 0);
	assert_true(update());
	assert_int_equal(n_answered(), 6);
	assert_false(update());
	come(6, 6, false);
	assert_int_equal(n_answered(), 6);
	assert_true(update());
	assert_int_equal(n_answered(), 7);
}

static void who_has_gone_is_not_asked_for(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		come(i, i, false);
	assert_true(update());
	for (unsigned int i = 0; i < 3; i++)
		go(i);
	assert_false(update());
	assert_int_equal(n_answered(), 5);
	/* The same memory perhaps, another filter. */
	come(0, 17, false);
	assert_int_equal(n_answered(), 5);
	for (unsigned int i = 3; i < 8; i++)
		go(i);
	assert_true(update());
	assert_int_equal(n_answered(), 0);
}

static void what_does_not_fit_runs_alone(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		come(i, i, false);
	come(5, 5, true);
	come(6, 6, true);
	assert_true(update());
	assert_int_equal(n_answered(), 5);
	assert_false(update());
}

static void a_set_that_is_made_too_late_is_dropped(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		come(i, i, false);
	npf_joint_set_update(&f.e, &f.p, made);
	assert_true(f.p.set_compiles);
	for (unsigned int i = 0; i < 5; i++)
		go(i);
	f.p.removed = true;
	update();
	assert_int_equal(f.n_made, 0);
	assert_null(f.p.next_set);
}

static void who_takes_too_much_of_it_is_left_out(void **state)
{
	struct npf_accounts *accounts = npf_accounts_new(&f.config.npf.limits);
	struct npf_account *greedy = npf_account_get(accounts, 1000);

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		come(i, i, false);
	f.c[2].payer = f.c[5].payer = greedy;
	assert_true(update());
	assert_int_equal(n_answered(), 8);
	assert_false(npf_joint_set_is_abused(&f.p));
	atomic_store(&npf_account_tap(greedy, 0)->is_overdrawn, true);
	assert_true(npf_joint_set_is_abused(&f.p));
	assert_true(update());
	assert_int_equal(n_answered(), 6);
	assert_false(npf_joint_set_is_abused(&f.p));
	assert_false(update());
	f.c[2].payer = f.c[5].payer = NULL;
	npf_account_put(greedy);
	npf_accounts_free(accounts);
}

static void dumps_run_their_filters_alone(void **state)
{
	struct npf_writer_producer *dump = (void *)&f; /* never looked at */

	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		come(i, i, false);
	f.c[0].form.dump = dump;
	assert_true(update());
	assert_int_equal(n_answered(), 5);
}

static void a_port_that_waits_has_none(void **state)
{
	(void)state;
	f.conf.overflow = NPF_OVERFLOW_WAIT;
	for (unsigned int i = 0; i < 5; i++)
		come(i, i, false);
	assert_false(update());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(few_filters_run_alone),
		TEST(who_comes_runs_alone_until_there_is_a_new_set),
		TEST(who_has_gone_is_not_asked_for),
		TEST(what_does_not_fit_runs_alone),
		TEST(a_set_that_is_made_too_late_is_dropped),
		TEST(who_takes_too_much_of_it_is_left_out),
		TEST(dumps_run_their_filters_alone),
		TEST(a_port_that_waits_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
