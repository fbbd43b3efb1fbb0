/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans as they are made from the lists of a port's consumers. No tap runs. */
#include "engine/users/account.h"
#include "engine/core/consumer.h"
#include "engine/core/plan.h"
#include "engine/datapath/count.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define N_TAP_COUNTERS 4

static struct fixture {
	struct npf_engine e;
	struct npf_config config;
	struct npf_config_port conf;
	struct npf_engine_port p;
	struct npf_tap_counters tap_counters[N_TAP_COUNTERS];
	struct npf_error err;
} f;

/* A running port of two queues, on taps 3 and 1. */
static int set_up(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.conf = (struct npf_config_port){.overflow = NPF_OVERFLOW_DROP, .start = NPF_START_ALWAYS};
	f.config.npf.limits.tap = 50;
	f.e.conf = &f.config;
	f.p.port.conf = &f.conf;
	f.p.port.running = true;
	f.p.port.n_queues = 2;
	f.p.queue_tap[0] = f.p.taps[0] = 3;
	f.p.queue_tap[1] = f.p.taps[1] = 1;
	f.p.n_taps = 2;
	f.e.ports[f.e.n_ports++] = &f.p;
	return 0;
}

static struct npf_buffer *new_buffer(void)
{
	struct npf_buffer_conf conf = {.size = NPF_BUFFER_MIN, .n_lanes = 2};
	struct npf_buffer *b;

	assert_int_equal(npf_buffer_new(&conf, &b), 0);
	return b;
}

/* One that captures into a buffer, and reads. */
static void add(struct npf_consumer *c, uint64_t id)
{
	*c = (struct npf_consumer){
		.port = &f.p,
		.takes = true,
		.reads = true,
		.uses = true,
		.buffer = new_buffer(),
		.tap_counters = f.tap_counters,
		.form = {.session = id, .owner = id, .want_in = true},
	};
	npf_consumer_add(c);
}

static void drop(struct npf_consumer *c)
{
	npf_consumer_remove(c);
	npf_buffer_free(c->buffer);
}

static unsigned int n_planned(unsigned int tap)
{
	struct npf_plan *plan = npf_plan_make(&f.e, tap);
	unsigned int n;

	assert_non_null(plan);
	n = plan->n_queues > 0 ? plan->queues[0].n_clients : 0;
	free(plan);
	return n;
}

static void a_tap_polls_its_own_queues(void **state)
{
	static const int queue_of[] = {-1, 1, -1, 0};

	(void)state;
	for (unsigned int t = 0; t < NPF_ARRAY_LEN(queue_of); t++) {
		struct npf_plan *plan = npf_plan_make(&f.e, t);

		assert_int_equal(plan->n_queues, queue_of[t] >= 0);
		if (plan->n_queues > 0)
			assert_int_equal(plan->queues[0].queue, queue_of[t]);
		free(plan);
	}
}

static void clients_stand_in_ascending_order(void **state)
{
	static const uint64_t ids[] = {7, 2, 9, 4};
	struct npf_consumer c[NPF_ARRAY_LEN(ids)];
	struct npf_plan *plan;

	(void)state;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(ids); i++)
		add(&c[i], ids[i]);
	plan = npf_plan_make(&f.e, 1);
	assert_int_equal(plan->queues[0].n_clients, NPF_ARRAY_LEN(ids));
	for (unsigned int i = 1; i < plan->queues[0].n_clients; i++)
		assert_true(plan->queues[0].clients[i - 1].session <
			    plan->queues[0].clients[i].session);
	free(plan);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(ids); i++)
		drop(&c[i]);
	assert_null(f.p.consumers);
}

static void each_tap_has_a_lane_of_its_own(void **state)
{
	struct npf_consumer c;

	(void)state;
	add(&c, 1);
	for (unsigned int lane = 0; lane < 2; lane++) {
		struct npf_plan *plan = npf_plan_make(&f.e, f.p.taps[lane]);
		const struct npf_tap_client *client = plan->queues[0].clients;

		assert_ptr_equal(client->lane, npf_buffer_lane(c.buffer, lane));
		assert_ptr_equal(client->counters, &f.tap_counters[lane]);
		assert_true(client->is_merged);
		assert_int_equal(client->lane_size, NPF_BUFFER_MIN);
		free(plan);
	}
	drop(&c);
}

static void who_takes_nothing_is_in_no_plan(void **state)
{
	struct npf_consumer c;

	(void)state;
	add(&c, 1);
	assert_int_equal(n_planned(1), 1);
	c.takes = false;
	assert_int_equal(n_planned(1), 0);
	assert_int_equal(npf_engine_port_n_captures(&f.p), 1);
	drop(&c);
}

static void a_port_that_waits_serves_who_reads(void **state)
{
	struct npf_consumer c;

	(void)state;
	f.conf.overflow = NPF_OVERFLOW_WAIT;
	add(&c, 1);
	assert_int_equal(n_planned(1), 1);
	npf_consumer_release(&c);
	c.looks = true;
	assert_int_equal(n_planned(1), 0);
	assert_int_equal(npf_consumer_read(&c, &f.err), 0);
	assert_false(c.reads); /* it only looks */
	c.looks = false;
	assert_int_equal(npf_consumer_read(&c, &f.err), 0);
	assert_int_equal(n_planned(1), 1);
	drop(&c);
}

static void a_port_is_polled_while_it_runs_for_somebody(void **state)
{
	struct npf_consumer c;

	(void)state;
	assert_true(npf_engine_port_is_polled(&f.p));
	assert_false(npf_engine_port_has_demand(&f.p));
	f.conf.start = NPF_START_ATTACH;
	assert_true(npf_engine_port_has_demand(&f.p));
	assert_true(npf_engine_port_is_polled(&f.p)); /* it runs, and drops */
	f.conf.overflow = NPF_OVERFLOW_WAIT;
	assert_false(npf_engine_port_is_polled(&f.p));
	add(&c, 1);
	assert_true(npf_engine_port_is_polled(&f.p));
	f.p.port.running = false;
	assert_false(npf_engine_port_is_polled(&f.p));
	f.p.port.running = true;
	f.p.removed = true;
	assert_false(npf_engine_port_is_polled(&f.p));
	assert_int_equal(n_planned(1), 0);
	drop(&c);
}

static void a_dump_takes_what_its_session_accepts(void **state)
{
	static int filter_in, filter_out, ring; /* never looked into */
	struct npf_consumer s, d;
	struct npf_plan *plan;
	const struct npf_tap_client *client;

	(void)state;
	add(&s, 5);
	s.takes = false;
	s.form.filter_in = (const struct npf_filter *)&filter_in;
	s.form.filter_out = (const struct npf_filter *)&filter_out;
	s.form.want_out = true;
	s.form.snaplen = 96;
	d = (struct npf_consumer){
		.port = &f.p,
		.takes = true,
		.reads = true,
		.tap_counters = f.tap_counters,
		.model = &s,
		.form = {.session = 6,
			.snaplen = 1500,
			.want_in = true,
			.want_own = true,
			.dump = (struct npf_writer_producer *)&ring},
	};
	npf_consumer_add(&d);
	plan = npf_plan_make(&f.e, 1);
	assert_int_equal(plan->queues[0].n_clients, 1);
	client = plan->queues[0].clients;
	assert_int_equal(client->session, 6);
	assert_int_equal(client->owner, 5);
	assert_int_equal(client->snaplen, 1500);
	assert_ptr_equal(client->filter_in, &filter_in);
	assert_ptr_equal(client->filter_out, &filter_out);
	assert_true(client->want_in && client->want_out && !client->want_own);
	assert_null(client->lane);
	assert_ptr_equal(client->dump, &ring);
	free(plan);
	npf_consumer_remove(&d);
	drop(&s);
}

static void counters_have_rows_of_their_own_or_the_sessions_filter(void **state)
{
	static int filters[3]; /* never looked into */
	const struct npf_tap_row rows[] = {{(const struct npf_filter *)&filters[0], NULL},
		{(const struct npf_filter *)&filters[1], NULL}};
	struct npf_meter *const meters[] = {
		(struct npf_meter *)0x10, (struct npf_meter *)0x20, (struct npf_meter *)0x30};
	struct npf_meter_consumer own = {.meters = meters, .n_rows = 2, .rows = rows};
	struct npf_meter_consumer follows = {
		.session = 5, .meters = meters, .tap_counters = f.tap_counters};
	struct npf_sent_meters *sent;
	struct npf_consumer s;
	struct npf_plan *plan;

	(void)state;
	add(&s, 5);
	s.form.filter_in = (const struct npf_filter *)&filters[2];
	s.form.want_out = true;
	follows.model = &s;
	npf_meter_consumer_add(&f.p, &own);
	npf_meter_consumer_add(&f.p, &follows);
	plan = npf_plan_make(&f.e, 1); /* lane 1 */
	assert_int_equal(plan->queues[0].n_meters, 2);
	for (unsigned int i = 0; i < 2; i++) {
		const struct npf_tap_meter *m = &plan->queues[0].meters[i];

		assert_ptr_equal(m->meter, meters[1]);
		assert_true(m->want_in);
		if (m->session == 5) {
			assert_int_equal(m->n_rows, 1);
			assert_ptr_equal(m->rows[0].in, &filters[2]);
			assert_ptr_equal(m->counters, &f.tap_counters[1]);
			assert_true(m->want_out);
		} else {
			assert_int_equal(m->n_rows, 2);
			assert_ptr_equal(m->rows[1].in, &filters[1]);
			assert_null(m->counters);
			assert_false(m->want_out);
		}
	}
	free(plan);
	/* What is sent is counted behind all lanes. */
	assert_int_equal(npf_plan_sent_meters(&f.p, &sent), 0);
	assert_int_equal(sent->n_meters, 2);
	assert_ptr_equal(sent->meters[0].meter, meters[2]);
	npf_sent_meters_free(sent);
	npf_meter_consumer_remove(&f.p, &own);
	npf_meter_consumer_remove(&f.p, &follows);
	assert_int_equal(npf_plan_sent_meters(&f.p, &sent), 0);
	assert_null(sent);
	drop(&s);
}

static void sent_packets_are_shown_to_who_wants_them(void **state)
{
	struct npf_consumer a, b;

	(void)state;
	assert_int_equal(npf_plan_mirror_policy(&f.p), NPF_MIRROR_NONE);
	add(&a, 5); /* received ones only */
	assert_int_equal(npf_plan_mirror_policy(&f.p), NPF_MIRROR_NONE);
	a.form.want_out = true; /* others' */
	assert_int_equal(npf_plan_mirror_policy(&f.p), 5);
	a.form.want_own = true;
	assert_int_equal(npf_plan_mirror_policy(&f.p), NPF_MIRROR_ALL);
	a.form.want_own = false;
	add(&b, 6);
	b.form.want_out = true; /* each wants what the other sends */
	assert_int_equal(npf_plan_mirror_policy(&f.p), NPF_MIRROR_ALL);
	b.takes = false;
	assert_int_equal(npf_plan_mirror_policy(&f.p), 5);
	drop(&b);
	drop(&a);
	assert_int_equal(npf_plan_mirror_policy(&f.p), NPF_MIRROR_NONE);
}

static void who_leaves_neither_reads_nor_uses(void **state)
{
	struct npf_consumer a, b;

	(void)state;
	add(&a, 1);
	add(&b, 2);
	assert_int_equal(npf_engine_port_n_readers(&f.p), 2);
	npf_consumer_remove(&a);
	npf_consumer_remove(&a); /* a second time is fine */
	assert_int_equal(npf_engine_port_n_readers(&f.p), 1);
	assert_int_equal(npf_engine_port_n_users(&f.p), 1);
	assert_false(a.reads || a.uses);
	drop(&a);
	drop(&b);
	assert_int_equal(npf_engine_port_n_users(&f.p), 0);
}

/* Of a tap, in 256ths. */
static unsigned int share(void)
{
	struct npf_plan *plan = npf_plan_make(&f.e, 1);
	unsigned int n = plan->queues[0].clients[0].share;

	free(plan);
	return n;
}

static void users_have_equal_parts_of_a_tap(void **state)
{
	static const unsigned int shares[] = {
		NPF_TAP_WHOLE, NPF_TAP_WHOLE / 3, NPF_TAP_WHOLE / 4, NPF_TAP_WHOLE / 5};
	struct npf_accounts *accounts = npf_accounts_new(&f.config.npf.limits);
	struct npf_account *users[NPF_ARRAY_LEN(shares)];
	struct npf_consumer c[NPF_ARRAY_LEN(shares) + 2];

	(void)state;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(shares); i++) {
		users[i] = npf_account_get(accounts, 1000 + i);
		add(&c[i], 10 + i);
		c[i].payer = users[i];
		assert_int_equal(share(), shares[i]);
	}
	/* One more session of a user, and one of the daemon itself, take nobody's part. */
	add(&c[4], 20);
	c[4].payer = users[0];
	add(&c[5], 21);
	assert_int_equal(share(), shares[3]);
	for (unsigned int i = 1; i < NPF_ARRAY_LEN(shares); i++)
		drop(&c[i]);
	assert_int_equal(share(), NPF_TAP_WHOLE / 2); /* with the daemon */
	f.config.npf.limits.tap = 20;
	assert_int_equal(share(), NPF_TAP_WHOLE / 5);
	f.config.npf.limits.tap = 100;
	assert_int_equal(share(), NPF_TAP_WHOLE);
	drop(&c[0]);
	drop(&c[4]);
	drop(&c[5]);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(shares); i++)
		npf_account_put(users[i]);
	npf_accounts_free(accounts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_tap_polls_its_own_queues, set_up),
		cmocka_unit_test_setup(clients_stand_in_ascending_order, set_up),
		cmocka_unit_test_setup(each_tap_has_a_lane_of_its_own, set_up),
		cmocka_unit_test_setup(who_takes_nothing_is_in_no_plan, set_up),
		cmocka_unit_test_setup(a_port_that_waits_serves_who_reads, set_up),
		cmocka_unit_test_setup(a_port_is_polled_while_it_runs_for_somebody, set_up),
		cmocka_unit_test_setup(a_dump_takes_what_its_session_accepts, set_up),
		cmocka_unit_test_setup(
			counters_have_rows_of_their_own_or_the_sessions_filter, set_up),
		cmocka_unit_test_setup(sent_packets_are_shown_to_who_wants_them, set_up),
		cmocka_unit_test_setup(who_leaves_neither_reads_nor_uses, set_up),
		cmocka_unit_test_setup(users_have_equal_parts_of_a_tap, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
