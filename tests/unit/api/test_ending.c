/* SPDX-License-Identifier: BSD-3-Clause */
/* test_ending.c - how reading ends: pcap_breakloop(), a daemon that dies, a port that goes. */
#include "setup.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static pcap_t *to_break;

static void break_it(int sig)
{
	(void)sig;
	pcap_breakloop(to_break);
}

static void breakloop_in_a_signal_handler_ends_a_blocked_read(void **state)
{
	struct sigaction act = {.sa_handler = break_it, .sa_flags = SA_RESTART}, old;
	struct itimerval soon = {.it_value = {.tv_usec = 30000}};
	int n = 0;

	(void)state;
	to_break = open_npf0(true);
	sigaction(SIGALRM, &act, &old);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(pcap_loop(to_break, -1, count, (u_char *)&n), PCAP_ERROR_BREAK);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(n, 0);
	pcap_close(to_break);
}

static void *break_later(void *arg)
{
	struct later *l = arg;

	usleep((useconds_t)l->ms * 1000);
	pcap_breakloop(l->pcap);
	return NULL;
}

static void breakloop_in_another_thread_ends_a_blocked_read_once(void **state)
{
	struct later l = {.daemon = *state, .pcap = open_npf0(true), .ms = 30};
	pthread_t thread;
	int n = 0;

	pthread_create(&thread, NULL, break_later, &l);
	assert_int_equal(pcap_dispatch(l.pcap, -1, count, (u_char *)&n), PCAP_ERROR_BREAK);
	pthread_join(thread, NULL);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_dispatch(l.pcap, -1, count, (u_char *)&n), 1);
	pcap_close(l.pcap);
}

static void break_at_first(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	count((u_char *)&((struct later *)user)->ms, hdr, data);
	pcap_breakloop(((struct later *)user)->pcap);
}

static void breakloop_in_a_callback_ends_the_loop_after_that_packet(void **state)
{
	struct later l = {.pcap = open_npf0(true)};
	int n = 0;

	for (unsigned int i = 0; i < 3; i++)
		arrive(*state, i, 1, 60);
	assert_int_equal(pcap_loop(l.pcap, -1, break_at_first, (u_char *)&l), PCAP_ERROR_BREAK);
	assert_int_equal(l.ms, 1);
	assert_int_equal(pcap_dispatch(l.pcap, -1, count, (u_char *)&n), 2);
	pcap_close(l.pcap);
}

static void what_was_committed_is_read_before_the_daemons_death_is_told(void **state)
{
	pcap_t *p = open_npf0(true);
	uint64_t start;
	struct pcap_stat ps;
	int n = 0;

	for (unsigned int i = 0; i < 5; i++)
		arrive(*state, i, 1, 60);
	fake_die(*state);
	start = npf_clock_monotonic();
	assert_int_equal(pcap_loop(p, -1, count, (u_char *)&n), PCAP_ERROR);
	assert_true(npf_clock_monotonic() - start < NPF_NS_PER_S);
	assert_int_equal(n, 5);
	assert_non_null(strstr(pcap_geterr(p), "npf-dpdk daemon has gone"));
	assert_int_equal(pcap_loop(p, -1, count, (u_char *)&n), PCAP_ERROR);
	/* The counters are still true. */
	assert_int_equal(pcap_stats(p, &ps), 0);
	assert_int_equal(ps.ps_recv, 5);
	assert_int_equal(pcap_inject(p, "x", 1), PCAP_ERROR);
	pcap_close(p);
}

static void *die_later(void *arg)
{
	struct later *l = arg;

	usleep((useconds_t)l->ms * 1000);
	fake_die(l->daemon);
	return NULL;
}

static void the_daemons_death_ends_a_blocked_read(void **state)
{
	struct later l = {.daemon = *state, .pcap = open_npf0(false), .ms = 30};
	pthread_t thread;
	int n = 0;

	pthread_create(&thread, NULL, die_later, &l);
	assert_int_equal(pcap_dispatch(l.pcap, -1, count, (u_char *)&n), PCAP_ERROR);
	pthread_join(thread, NULL);
	pcap_close(l.pcap);
}

static void the_daemons_death_makes_the_descriptor_readable(void **state)
{
	pcap_t *p = open_npf0(true);
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	pcap_setnonblock(p, 1, errbuf);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
	fake_die(*state);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), PCAP_ERROR);
	pcap_close(p);
}

static void a_removed_port_is_told_after_its_last_packet(void **state)
{
	pcap_t *p = open_npf0(false);
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	arrive(*state, 0, 1, 60);
	fake_remove_port(*state);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), PCAP_ERROR);
	assert_string_equal(pcap_geterr(p), "port npf0 was removed");
	pcap_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(breakloop_in_a_signal_handler_ends_a_blocked_read),
		TEST(breakloop_in_another_thread_ends_a_blocked_read_once),
		TEST(breakloop_in_a_callback_ends_the_loop_after_that_packet),
		TEST(what_was_committed_is_read_before_the_daemons_death_is_told),
		TEST(the_daemons_death_ends_a_blocked_read),
		TEST(the_daemons_death_makes_the_descriptor_readable),
		TEST(a_removed_port_is_told_after_its_last_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
