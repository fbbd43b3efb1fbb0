/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session's state, and that each change of it is whole or not at all. No lcore and no device:
 * the port's are faked, and plans are exchanged with no tap. The exchange fails when a test says
 * so (the linker puts __wrap_ in its place).
 */
#include "engine/users/access.h"
#include "engine/users/account.h"
#include "engine/core/engine.h"
#include "engine/dump/dump.h"
#include "engine/monitor/monitor.h"
#include "engine/session/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define UID 1001

static struct fixture {
	struct npf_config conf;
	struct npf_config_port port_conf;
	struct npf_engine e;
	struct npf_engine_port p;
	struct npf_requester requester;
	struct npf_error err;
	bool port_starts;       /* its device does */
	unsigned int n_good;    /* exchanges of plans that succeed before one fails; ~0: all do */
	unsigned int n_planned; /* consumers that took packets at the last exchange */
} f;

int __real_npf_engine_replan(struct npf_engine *e);
int __wrap_npf_engine_replan(struct npf_engine *e);
int __wrap_npf_engine_release_port(struct npf_engine *e, struct npf_engine_port *p);

int __wrap_npf_engine_replan(struct npf_engine *e)
{
	if (f.n_good == 0)
		return -ENOMEM;
	f.n_good--;
	f.n_planned = 0;
	for (const struct npf_consumer *c = f.p.consumers; c != NULL; c = c->next)
		f.n_planned += c->takes && npf_consumer_is_served(c);
	return __real_npf_engine_replan(e);
}

int __wrap_npf_engine_release_port(struct npf_engine *e, struct npf_engine_port *p)
{
	(void)p;
	return __wrap_npf_engine_replan(e);
}

static int start_device(struct npf_port *p)
{
	(void)p;
	return f.port_starts ? 0 : -EIO;
}

static void stop_device(struct npf_port *p)
{
	(void)p;
}

static void no_stats(const struct npf_port *p, struct rte_eth_stats *st)
{
	(void)p;
	*st = (struct rte_eth_stats){0};
}

static const struct npf_port_device device = {
	.start = start_device, .stop = stop_device, .stats = no_stats};

static int set_up(void **state)
{
	static char name[] = "npf0";

	(void)state;
	memset(&f, 0, sizeof(f));
	f.n_good = ~0u;
	f.port_starts = true;
	f.conf.npf.limits = (struct npf_config_limits){
		.buffer = 16, .memory = 64, .sessions = 8, .filter = 4096};
	f.port_conf = (struct npf_config_port){.name = name, .device = name};
	f.p.port.conf = &f.port_conf;
	f.p.allow = npf_allow_new(&f.port_conf);
	f.p.port.device = &device;
	f.p.port.running = true;
	f.p.port.n_queues = 1;
	f.p.n_taps = 1;
	pthread_mutex_init(&f.p.port.tx_lock, NULL);
	f.e.conf = &f.conf;
	f.e.ports[f.e.n_ports++] = &f.p;
	f.e.next_session = 1;
	f.e.accounts = npf_accounts_new(&f.conf.npf.limits);
	f.e.collector_worker = npf_collector_worker_new();
	f.requester = (struct npf_requester){.accounts = f.e.accounts, .uid = UID};
	return f.p.allow == NULL || f.e.accounts == NULL || f.e.collector_worker == NULL;
}

/* Nobody holds anything any more. */
static int tear_down(void **state)
{
	(void)state;
	assert_null(f.e.sessions);
	assert_null(f.e.leaving);
	assert_null(f.p.consumers);
	assert_null(f.p.meters);
	assert_null(f.p.hooks);
	for (int r = 0; r < NPF_N_RESOURCES; r++)
		assert_int_equal(npf_accounts_held(f.e.accounts, UID, (enum npf_resource)r), 0);
	npf_dumps_end_all(&f.e);
	assert_int_equal(f.p.n_refs, 0);
	npf_collector_worker_free(f.e.collector_worker);
	npf_accounts_free(f.e.accounts);
	npf_allow_free(f.p.allow);
	return 0;
}

static int try_open(uint32_t flags, struct npf_session **sp)
{
	const struct npf_peer peer = {.uid = UID};
	struct npf_wire_open req = {
		.port = "npf0", .buffer_size = NPF_BUFFER_MIN, .snaplen = 96, .flags = flags};

	f.err.text[0] = '\0';
	return npf_session_open(&f.e,
		&(struct npf_session_spec){.requester = &f.requester, .peer = &peer, .req = &req},
		sp, &f.err);
}

static struct npf_session *open_session(uint32_t flags)
{
	struct npf_session *s = NULL;

	assert_int_equal(try_open(flags, &s), 0);
	assert_non_null(s);
	return s;
}

static void close_session(struct npf_session *s)
{
	f.n_good = ~0u;
	npf_session_close(&f.e, s);
}

static int set_mode(struct npf_session *s, enum npf_wire_mode mode)
{
	const struct npf_wire_set_mode req = {.mode = mode, .interval_ms = 1000};

	return npf_session_set_mode(&f.e, &f.requester, s, &req, NULL, &f.err);
}

static void an_open_session_takes_packets(void **state)
{
	struct npf_session *s = open_session(0);

	(void)state;
	assert_int_equal(f.n_planned, 1);
	assert_true(s->consumer.reads && s->consumer.uses);
	assert_int_equal(f.p.n_refs, 1);
	assert_int_equal(npf_accounts_held(f.e.accounts, UID, NPF_RES_SESSIONS), 1);
	close_session(s);
	assert_int_equal(f.n_planned, 0);
}

static void one_that_can_not_be_planned_is_not_there(void **state)
{
	struct npf_session *s = NULL;

	(void)state;
	f.n_good = 0;
	assert_int_equal(try_open(0, &s), -ENOMEM);
	assert_null(s);
	assert_null(f.e.sessions);
	f.n_good = ~0u;
	npf_sessions_tick(&f.e);
}

static void one_that_can_not_be_taken_out_is_freed_later(void **state)
{
	struct npf_session *s = open_session(0);

	(void)state;
	assert_int_equal(set_mode(s, NPF_WIRE_MONITOR), 0);
	f.n_good = 0;
	npf_session_close(&f.e, s);
	npf_sessions_tick(&f.e);
	/* Plans may point to it: it is whole, and its user pays for it. */
	assert_ptr_equal(f.e.leaving, s);
	assert_non_null(s->monitor);
	assert_int_equal(npf_accounts_held(f.e.accounts, UID, NPF_RES_SESSIONS), 1);
	f.n_good = ~0u;
	npf_sessions_tick(&f.e);
}

static void a_port_that_does_not_start_is_an_error(void **state)
{
	struct npf_session *s = NULL;

	(void)state;
	f.p.port.running = false;
	f.port_conf.start = NPF_START_ATTACH;
	f.port_starts = false;
	assert_int_equal(try_open(0, &s), -EIO);
	assert_non_null(strstr(f.err.text, "can't be started"));
	/* Who only looks starts nothing, until it reads. */
	s = open_session(NPF_WIRE_OPEN_LOOK);
	assert_false(s->consumer.uses);
	assert_int_equal(npf_session_read(&f.e, s, &f.err), -EIO);
	assert_true(s->consumer.looks);
	f.port_starts = true;
	assert_int_equal(npf_session_read(&f.e, s, &f.err), 0);
	assert_true(s->consumer.reads && f.p.port.running);
	close_session(s);
}

static void a_filter_that_can_not_be_planned_changes_nothing(void **state)
{
	const struct npf_bpf_insn none[] = {{0x06, 0, 0, 0}};
	struct npf_session *s = open_session(0);
	const struct npf_filter *old;

	(void)state;
	assert_int_equal(npf_session_set_filter(&f.e, &f.requester, s, none, 1, &f.err), 0);
	old = s->filter_in;
	assert_non_null(old);
	assert_ptr_equal(s->consumer.form.filter_in, old);
	assert_int_equal(s->filter_gen, 1);
	f.n_good = 0;
	assert_int_equal(npf_session_set_filter(&f.e, &f.requester, s, none, 1, &f.err), -ENOMEM);
	assert_ptr_equal(s->filter_in, old);
	assert_ptr_equal(s->consumer.form.filter_in, old);
	assert_int_equal(s->filter_gen, 1);
	assert_int_equal(s->consumer.form.filter_gen, 1);
	close_session(s);
}

static void so_do_parameters(void **state)
{
	const struct npf_wire_params out = {.direction = NPF_WIRE_OUT, .timeout_ms = 100};
	struct npf_session *s = open_session(0);

	(void)state;
	f.n_good = 0;
	assert_int_equal(npf_session_set_params(&f.e, s, &out), -ENOMEM);
	assert_int_equal(s->params.direction, NPF_WIRE_INOUT);
	assert_true(s->consumer.form.want_in);
	f.n_good = ~0u;
	assert_int_equal(npf_session_set_params(&f.e, s, &out), 0);
	assert_false(s->consumer.form.want_in);
	close_session(s);
}

static uint64_t memory_held(void)
{
	return npf_accounts_held(f.e.accounts, UID, NPF_RES_MEMORY);
}

static void so_does_a_buffer(void **state)
{
	struct npf_session *s = open_session(0);
	struct npf_buffer *old = s->consumer.buffer;
	uint64_t held = memory_held();

	(void)state;
	f.n_good = 0;
	assert_int_equal(npf_session_set_buffer(&f.e, &f.requester, s, 100 << 10, &f.err), -ENOMEM);
	assert_ptr_equal(s->consumer.buffer, old);
	assert_int_equal(memory_held(), held);
	assert_int_equal(npf_session_set_buffer(&f.e, &f.requester, s, 17 << 20, &f.err), -E2BIG);
	f.n_good = ~0u;
	assert_int_equal(npf_session_set_buffer(&f.e, &f.requester, s, 100 << 10, &f.err), 0);
	assert_ptr_equal(s->consumer.buffer, s->memory.buffer);
	assert_true(memory_held() >= 100 << 10);
	close_session(s);
}

static void a_session_counts_or_captures(void **state)
{
	struct npf_session *s = open_session(0);

	(void)state;
	f.n_good = 0;
	assert_int_equal(set_mode(s, NPF_WIRE_MONITOR), -ENOMEM);
	assert_null(s->monitor);
	assert_null(f.p.meters);
	f.n_good = ~0u;
	assert_int_equal(set_mode(s, NPF_WIRE_MONITOR), 0);
	assert_int_equal(f.n_planned, 0);
	assert_ptr_equal(f.p.meters, &s->monitor->meter);
	assert_int_equal(f.p.meters->session, s->id);
	/* It still reads from its port. */
	assert_int_equal(npf_engine_port_n_readers(&f.p), 1);
	f.n_good = 0;
	assert_int_equal(set_mode(s, NPF_WIRE_CAPTURE), -ENOMEM);
	assert_ptr_equal(f.p.meters, &s->monitor->meter);
	f.n_good = ~0u;
	assert_int_equal(set_mode(s, NPF_WIRE_CAPTURE), 0);
	assert_null(f.p.meters);
	assert_int_equal(f.n_planned, 1);
	close_session(s);
}

static int start_dump(struct npf_session *s, int fd, struct npf_dump **dp)
{
	struct npf_dump_spec spec = {.fd = fd,
		.uid = UID,
		.params = {.ring = 256 << 10, .access = {.uid = (uid_t)-1, .gid = (gid_t)-1}}};

	return npf_session_start_dump(&f.e, s, &spec, dp, &f.err);
}

/* Wait until all is on disk. */
static void reap_dumps(void)
{
	for (const struct npf_dump *d = f.e.dumps; d != NULL; d = d->next)
		while (d->life != NPF_DUMP_DONE) {
			npf_dumps_tick(&f.e);
			usleep(1000);
		}
}

static void one_exchange_of_plans_makes_a_dump_of_a_capture(void **state)
{
	npf_autofd int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	struct npf_session *s = open_session(0);
	struct npf_dump *d = NULL, *second = NULL;

	(void)state;
	assert_true(fd >= 0);
	/* It fails: the session captures as before, and the dump is over. */
	f.n_good = 0;
	assert_int_equal(start_dump(s, fd, &d), -ENOMEM);
	assert_null(s->dump);
	assert_true(s->consumer.takes);
	assert_ptr_equal(f.p.consumers, &s->consumer);
	assert_null(s->consumer.next);
	f.n_good = ~0u;
	reap_dumps();
	/* It succeeds: one of the two takes packets, in the first plans that have either. */
	assert_int_equal(start_dump(s, fd, &d), 0);
	assert_int_equal(f.n_planned, 1);
	assert_ptr_equal(s->dump, d);
	assert_true(d->consumer.takes && !s->consumer.takes);
	assert_ptr_equal(d->consumer.model, &s->consumer);
	assert_int_equal(start_dump(s, fd, &second), -EBUSY);
	assert_int_equal(npf_dump_stop(&f.e, d), 0);
	npf_session_detach_dump(s);
	assert_int_equal(npf_engine_replan(&f.e), 0);
	assert_int_equal(f.n_planned, 1);
	assert_true(s->consumer.takes);
	reap_dumps();
	close_session(s);
}

static void a_dump_ends_with_its_session(void **state)
{
	npf_autofd int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	struct npf_session *s = open_session(0);
	struct npf_dump *d;

	(void)state;
	assert_int_equal(start_dump(s, fd, &d), 0);
	close_session(s);
	assert_null(d->consumer.model);
	assert_true(npf_dump_is_over(d));
	assert_int_equal(f.n_planned, 0);
	reap_dumps();
}

static void a_capture_whose_interface_has_gone_ends(void **state)
{
	struct npf_session *s = open_session(0), *counts = open_session(0);

	(void)state;
	assert_int_equal(set_mode(counts, NPF_WIRE_MONITOR), 0);
	npf_session_end_capture(s);
	npf_session_end_capture(counts); /* counts go on */
	assert_int_equal(npf_engine_replan(&f.e), 0);
	assert_int_equal(f.n_planned, 0);
	assert_true(s->ended && !counts->ended);
	close_session(s);
	close_session(counts);
}

static void a_gone_port_stays_while_somebody_holds_it(void **state)
{
	struct npf_session *s = open_session(0);

	(void)state;
	f.p.removed = true;
	f.e.n_ports = 0;
	assert_int_equal(f.p.n_refs, 1);
	close_session(s);
	assert_int_equal(f.p.n_refs, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_open_session_takes_packets),
		TEST(one_that_can_not_be_planned_is_not_there),
		TEST(one_that_can_not_be_taken_out_is_freed_later),
		TEST(a_port_that_does_not_start_is_an_error),
		TEST(a_filter_that_can_not_be_planned_changes_nothing),
		TEST(so_do_parameters),
		TEST(so_does_a_buffer),
		TEST(a_session_counts_or_captures),
		TEST(one_exchange_of_plans_makes_a_dump_of_a_capture),
		TEST(a_dump_ends_with_its_session),
		TEST(a_capture_whose_interface_has_gone_ends),
		TEST(a_gone_port_stays_while_somebody_holds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
