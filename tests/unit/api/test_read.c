/* SPDX-License-Identifier: BSD-3-Clause */
/* test_read.c - reading: counts, waiting, the descriptor, filters in force, how it ends. */
#include "setup.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

static void packets_arrive_whole_and_in_order(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;

	for (unsigned int i = 0; i < 100; i++)
		arrive(*state, i, (uint16_t)i, 60 + i);
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(hdr->len, 60 + i);
		assert_int_equal(hdr->caplen, 60 + i);
		assert_int_equal(hdr->ts.tv_sec, 1700000000);
		assert_int_equal(hdr->ts.tv_usec, i);
		assert_memory_equal(data, udp_packet((uint16_t)i, 60 + i), 60 + i);
	}
	pcap_close(p);
}

static void stamps_come_in_the_precision_asked_for(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	struct pcap_pkthdr hdr;

	pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	pcap_set_immediate_mode(p, 1);
	assert_int_equal(pcap_activate(p), 0);
	fake_packet(*state, T0 + 123456789, udp_packet(1, 60), 60, 0, true);
	fake_packet(*state, T0 + 3 * NPF_NS_PER_S + 1, udp_packet(1, 60), 60, 0, true);
	assert_non_null(pcap_next(p, &hdr));
	assert_int_equal(hdr.ts.tv_sec, 1700000000);
	assert_int_equal(hdr.ts.tv_usec, 123456789);
	assert_non_null(pcap_next(p, &hdr));
	assert_int_equal(hdr.ts.tv_sec, 1700000003);
	assert_int_equal(hdr.ts.tv_usec, 1);
	pcap_close(p);
}

static void a_program_may_write_into_its_packet(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;

	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	memset(npf_unconst(data), 0, hdr->caplen);
	arrive(*state, 1, 2, 60);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_memory_equal(data, udp_packet(2, 60), 60);
	pcap_close(p);
}

static void dispatch_never_delivers_more_than_asked(void **state)
{
	pcap_t *p = open_npf0(true);
	int n = 0;

	for (unsigned int i = 0; i < 10; i++)
		arrive(*state, i, 1, 60);
	assert_int_equal(pcap_dispatch(p, 3, count, (u_char *)&n), 3);
	assert_int_equal(pcap_dispatch(p, 1, count, (u_char *)&n), 1);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 6);
	assert_int_equal(n, 10);
	pcap_close(p);
}

static void one_read_delivers_at_most_the_user_buffer(void **state)
{
	pcap_t *p = open_npf0(true);
	int n = 0;

	assert_int_equal(pcap_setuserbuffer(p, 1000), 0);
	assert_int_equal(pcap_setuserbuffer(p, 0), PCAP_ERROR);
	for (unsigned int i = 0; i < 10; i++)
		arrive(*state, i, 1, 400); /* 432 bytes of ring each */
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 3);
	/* A packet larger than the whole user buffer is delivered all the same. */
	assert_int_equal(pcap_setuserbuffer(p, 100), 0);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	assert_int_equal(pcap_loop(p, 6, count, (u_char *)&n), 0);
	assert_int_equal(n, 10);
	pcap_close(p);
}

struct later {
	struct fake_daemon *daemon;
	pcap_t *pcap;
	int ms;
};

static void *arrive_later(void *arg)
{
	struct later *l = arg;

	usleep((useconds_t)l->ms * 1000);
	arrive(l->daemon, 0, 1, 60);
	/* The read timeout, whatever it is, is over. */
	fake_tick(l->daemon, T0 + NPF_NS_PER_MS, NPF_NS_PER_S);
	fake_tick(l->daemon, T0 + 2 * NPF_NS_PER_MS, 3600 * NPF_NS_PER_S);
	return NULL;
}

static void *arrive_quietly(void *arg)
{
	struct later *l = arg;

	usleep((useconds_t)l->ms * 1000);
	arrive(l->daemon, 0, 1, 60);
	return NULL;
}

static void a_blocking_read_sleeps_until_a_packet_comes(void **state)
{
	struct later l = {.daemon = *state, .pcap = open_npf0(true), .ms = 50};
	uint64_t start = npf_clock_monotonic();
	pthread_t thread;
	int n = 0;

	pthread_create(&thread, NULL, arrive_later, &l);
	assert_int_equal(pcap_dispatch(l.pcap, -1, count, (u_char *)&n), 1);
	assert_true(npf_clock_monotonic() - start >= 50 * NPF_NS_PER_MS);
	pthread_join(thread, NULL);
	pcap_close(l.pcap);
}

static void a_blocking_read_goes_on_waiting_at_the_timeout(void **state)
{
	struct later l = {.daemon = *state, .ms = 100};
	uint64_t start = npf_clock_monotonic();
	pthread_t thread;
	int n = 0;

	l.pcap = pcap_open_live("npf0", 65535, 0, 10, errbuf);
	assert_non_null(l.pcap);
	pthread_create(&thread, NULL, arrive_later, &l);
	/* Ten timeouts pass with nothing there. */
	assert_int_equal(pcap_dispatch(l.pcap, -1, count, (u_char *)&n), 1);
	assert_true(npf_clock_monotonic() - start >= 100 * NPF_NS_PER_MS);
	pthread_join(thread, NULL);
	pcap_close(l.pcap);
}

static void a_read_returns_zero_at_the_timeout_when_asked_to(void **state)
{
	pcap_t *p = pcap_open_live("npf0", 65535, 0, 20, errbuf);
	uint64_t start = npf_clock_monotonic();
	struct pcap_pkthdr *hdr;
	const u_char *data;

	(void)state;
	assert_int_equal(npfdp_set_timeout_returns(p, 1), 0);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 0);
	assert_true(npf_clock_monotonic() - start >= 20 * NPF_NS_PER_MS);
	pcap_close(p);
}

static void a_read_that_ends_at_the_timeout_delivers_what_is_there(void **state)
{
	struct later l = {.daemon = *state, .ms = 20};
	struct pcap_pkthdr *hdr;
	const u_char *data;
	pthread_t thread;

	/* The daemon wakes nobody: one small packet is below mintocopy, and its time stands still.
	 */
	l.pcap = pcap_open_live("npf0", 65535, 0, 100, errbuf);
	npfdp_set_timeout_returns(l.pcap, 1);
	pthread_create(&thread, NULL, arrive_quietly, &l);
	assert_int_equal(pcap_next_ex(l.pcap, &hdr, &data), 1);
	pthread_join(thread, NULL);
	pcap_close(l.pcap);
}

static void a_nonblocking_read_returns_zero_at_once(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	int n = 0;

	assert_int_equal(pcap_setnonblock(p, 1, errbuf), 0);
	pcap_set_immediate_mode(p, 1);
	assert_int_equal(pcap_activate(p), 0);
	assert_int_equal(pcap_getnonblock(p, errbuf), 1);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
	assert_int_equal(pcap_setnonblock(p, 0, errbuf), 0);
	assert_int_equal(pcap_getnonblock(p, errbuf), 0);
	pcap_close(p);
}

static void blocking_again_without_a_descriptor_left_is_an_error(void **state)
{
	struct rlimit none = {.rlim_cur = 0}, old;
	pcap_t *p = open_npf0(true);

	(void)state;
	assert_int_equal(pcap_setnonblock(p, 1, errbuf), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(pcap_setnonblock(p, 0, errbuf), PCAP_ERROR);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_non_null(strstr(errbuf, "Could not open eventfd"));
	assert_int_equal(pcap_getnonblock(p, errbuf), 1);
	assert_int_equal(pcap_setnonblock(p, 0, errbuf), 0);
	pcap_close(p);
}

static void the_descriptor_is_readable_exactly_while_packets_wait(void **state)
{
	pcap_t *p = open_npf0(true);
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	assert_int_equal(fd, pcap_fileno(p));
	assert_null(pcap_get_required_select_timeout(p));
	pcap_setnonblock(p, 1, errbuf);
	assert_false(is_readable(fd, 0));
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 3; i++)
			arrive(*state, 10 * round + i, 1, 60);
		assert_true(is_readable(fd, 0));
		assert_true(is_readable(fd, 0)); /* level, not edge */
		assert_int_equal(pcap_dispatch(p, 1, count, (u_char *)&n), 1);
		assert_true(is_readable(fd, 0)); /* two are left */
		assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 2);
		assert_false(is_readable(fd, 0));
		assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
		assert_false(is_readable(fd, 0));
	}
	pcap_close(p);
}

static void the_descriptor_tells_of_packets_that_came_before_it_was_asked_for(void **state)
{
	pcap_t *p = open_npf0(true);

	arrive(*state, 0, 1, 60);
	assert_true(is_readable(pcap_get_selectable_fd(p), 0));
	pcap_close(p);
}

static void below_mintocopy_the_descriptor_waits_for_the_timeout(void **state)
{
	pcap_t *p = open_npf0(false); /* 16000 bytes, 1000 ms */
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	arrive(*state, 0, 1, 60);
	fake_tick(*state, T0 + NPF_NS_PER_MS, NPF_NS_PER_S);
	assert_false(is_readable(fd, 0));
	fake_tick(*state, T0 + 999 * NPF_NS_PER_MS, 1999 * NPF_NS_PER_MS);
	assert_false(is_readable(fd, 0));
	fake_tick(*state, T0 + 1001 * NPF_NS_PER_MS, 2001 * NPF_NS_PER_MS);
	assert_true(is_readable(fd, 0));
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	assert_false(is_readable(fd, 0));
	for (unsigned int i = 0; i < 10; i++)
		arrive(*state, 5000000 + i, 1, 1500);
	assert_false(is_readable(fd, 0)); /* 15320 bytes of records */
	arrive(*state, 5000010, 1, 1500);
	assert_true(is_readable(fd, 0));
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 11);
	pcap_close(p);
}

static void mintocopy_can_be_changed_while_capturing(void **state)
{
	pcap_t *p = open_npf0(false);
	int fd = pcap_get_selectable_fd(p);

	assert_int_equal(pcap_setmintocopy(p, 100), 0);
	assert_int_equal(fake_last_params(*state).mintocopy, 100);
	assert_int_equal(pcap_setmintocopy(p, -1), PCAP_ERROR);
	arrive(*state, 0, 1, 60); /* 96 bytes */
	assert_false(is_readable(fd, 0));
	arrive(*state, 1, 1, 60);
	assert_true(is_readable(fd, 0));
	pcap_close(p);
}

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

static void no_packet_of_the_old_filter_is_delivered_after_setfilter(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	struct pcap_stat ps;
	const u_char *data;

	for (unsigned int i = 0; i < 10; i++)
		arrive(*state, i, i % 2 ? 7 : 8, 60);
	set_filter(p, "udp src port 7");
	for (unsigned int i = 10; i < 20; i++)
		arrive(*state, i, i % 2 ? 7 : 8, 60);
	for (unsigned int i = 1; i < 20; i += 2) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(hdr->ts.tv_usec, i);
		assert_int_equal(data[35], 7);
	}
	/* Those that the new filter refused do not count as received. */
	assert_int_equal(pcap_stats(p, &ps), 0);
	assert_int_equal(ps.ps_recv, 10);
	assert_int_equal(ps.ps_drop, 0);
	pcap_close(p);
}

static void the_new_filter_cuts_what_the_old_one_kept(void **state)
{
	pcap_t *p = open_npf0(true);
	struct bpf_insn keep20 = BPF_STMT(BPF_RET | BPF_K, 20);
	struct bpf_program prog = {.bf_len = 1, .bf_insns = &keep20};
	struct pcap_pkthdr *hdr;
	const u_char *data;

	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_setfilter(p, &prog), 0);
	arrive(*state, 1, 1, 60);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(hdr->caplen, 20);
		assert_int_equal(hdr->len, 60);
	}
	pcap_close(p);
}

static void a_bad_filter_is_refused_and_the_old_one_stays(void **state)
{
	pcap_t *p = open_npf0(true);
	struct bpf_insn bad = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	struct bpf_program prog = {.bf_len = 1, .bf_insns = &bad};
	struct bpf_program text;
	int n = 0;

	set_filter(p, "udp src port 7");
	assert_int_equal(pcap_setfilter(p, &prog), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "instruction"));
	assert_int_equal(pcap_setfilter(p, NULL), PCAP_ERROR);
	assert_int_equal(pcap_compile(p, &text, "no such primitive", 1, 0), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "syntax error"));
	arrive(*state, 0, 8, 60);
	arrive(*state, 1, 7, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	pcap_close(p);
}

static void direction_filters_work_as_on_linux(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int n = 0;

	fake_packet(*state, T0, udp_packet(1, 60), 60, NPF_REC_OUTBOUND, true);
	fake_packet(*state, T0 + 1000, udp_packet(2, 60), 60, 0, true);
	set_filter(p, "inbound");
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(data[35], 2);
	set_filter(p, "outbound");
	fake_packet(*state, T0 + 2000, udp_packet(3, 60), 60, NPF_REC_OUTBOUND, true);
	fake_packet(*state, T0 + 3000, udp_packet(4, 60), 60, 0, true);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(data[35], 3);
	pcap_setnonblock(p, 1, errbuf);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
	pcap_close(p);
}

static void setdirection_applies_to_packets_that_already_wait(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;

	fake_packet(*state, T0, udp_packet(1, 60), 60, NPF_REC_OUTBOUND, true);
	fake_packet(*state, T0 + 1000, udp_packet(2, 60), 60, 0, true);
	assert_int_equal(pcap_setdirection(p, PCAP_D_IN), 0);
	assert_int_equal(fake_last_params(*state).direction, NPF_WIRE_IN);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(data[35], 2);
	assert_int_equal(pcap_setdirection(p, (pcap_direction_t)9), PCAP_ERROR);
	assert_string_equal(pcap_geterr(p), "Invalid direction");
	pcap_close(p);
}

static void resizing_the_buffer_loses_nothing(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	struct pcap_stat ps;

	for (unsigned int i = 0; i < 30; i++) {
		arrive(*state, i, 1, 60);
		if (i % 10 == 9)
			assert_int_equal(pcap_setbuff(p, (1 + (int)i) << 17), 0);
	}
	for (unsigned int i = 0; i < 30; i++) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(hdr->ts.tv_usec, i);
	}
	assert_int_equal(pcap_stats(p, &ps), 0);
	assert_int_equal(ps.ps_recv, 30);
	assert_int_equal(pcap_setbuff(p, 0), PCAP_ERROR);
	pcap_close(p);
}

static void drops_are_counted_and_only_those_for_want_of_room(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	struct npfdp_stats all;
	struct pcap_stat ps;
	int n = 0, size;

	pcap_set_immediate_mode(p, 1);
	pcap_set_buffer_size(p, 65536);
	assert_int_equal(pcap_activate(p), 0);
	for (unsigned int i = 0; i < 100; i++)
		arrive(*state, i, 1, 1500); /* 42 of them fit */
	assert_int_equal(pcap_stats(p, &ps), 0);
	assert_int_equal(ps.ps_recv, 100);
	pcap_setnonblock(p, 1, errbuf);
	while (pcap_dispatch(p, 10, count, (u_char *)&n) > 0)
		;
	assert_int_equal(ps.ps_drop, 100 - n);
	assert_true(n > 40 && n < 45);
	assert_int_equal(ps.ps_ifdrop, 0);
	assert_int_equal(npfdp_stats(p, &all, sizeof(all)), 0);
	assert_int_equal(all.received, 100);
	assert_int_equal(all.accepted, 100);
	assert_int_equal(all.captured, n);
	assert_int_equal(all.delivered, n);
	assert_int_equal(all.drop_full, 100 - n);
	assert_non_null(pcap_stats_ex(p, &size));
	assert_int_equal(size, sizeof(struct pcap_stat_ex));
	assert_int_equal(((struct pcap_stat_ex *)pcap_stats_ex(p, &size))->ps_capt, n);
	pcap_close(p);
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

static void a_forked_child_goes_on_after_its_parent_has_closed(void **state)
{
	pcap_t *p = open_npf0(true);
	int go[2], status, n = 0;
	pid_t pid;
	char c;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Wait until the parent has closed its handle and a packet has come. */
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(pcap_dispatch(p, -1, count, (u_char *)&n) == 1 ? 0 : 2);
	}
	pcap_close(p);
	arrive(*state, 0, 1, 60);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(go[0]);
	close(go[1]);
}

static void samples_are_every_nth_packet_or_the_first_after_a_while(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_samp *samp = pcap_setsampling(p);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int n = 0;

	samp->method = PCAP_SAMP_1_EVERY_N;
	samp->value = 3;
	for (unsigned int i = 0; i < 10; i++)
		arrive(*state, i, 1, 60);
	for (unsigned int i = 0; i < 10; i += 3) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(hdr->ts.tv_usec, i);
	}
	samp->method = PCAP_SAMP_FIRST_AFTER_N_MS;
	samp->value = 10;
	for (unsigned int i = 0; i < 30; i++)
		arrive(*state, 1000 * (i + 1), 1, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 3);
	samp->value = 0;
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), PCAP_ERROR);
	pcap_close(p);
}

static void a_batch_is_whole_until_the_next_read(void **state)
{
	struct npfdp_pkt pkts[64], more[4];
	pcap_t *p = open_npf0(true);

	for (unsigned int i = 0; i < 50; i++)
		fake_packet(*state, T0 + i, udp_packet((uint16_t)i, 60 + i), 60 + i,
			i == 7 ? NPF_REC_OUTBOUND : 0, true);
	set_filter(p, "udp and greater 70"); /* the first ten are refused now */
	assert_int_equal(npfdp_next_batch(p, pkts, 64), 40);
	/* Room is not given back meanwhile, whatever arrives. */
	for (unsigned int i = 0; i < 1000; i++)
		arrive(*state, 1000 + i, 9999, 1500);
	for (unsigned int i = 0; i < 40; i++) {
		assert_int_equal(pkts[i].ts_ns, T0 + 10 + i);
		assert_int_equal(pkts[i].caplen, 70 + i);
		assert_int_equal(pkts[i].gap, 0);
		assert_memory_equal(pkts[i].data, udp_packet((uint16_t)(10 + i), 70 + i), 70 + i);
	}
	assert_int_equal(npfdp_next_batch(p, more, 4), 4);
	assert_int_equal(more[0].len, 1500);
	assert_int_equal(npfdp_next_batch(p, more, 0), PCAP_ERROR);
	pcap_close(p);
}

static void batches_and_single_reads_mix(void **state)
{
	struct npfdp_pkt pkts[4];
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	for (unsigned int i = 0; i < 12; i++)
		arrive(*state, i, 1, 60);
	assert_int_equal(npfdp_next_batch(p, pkts, 4), 4);
	assert_true(is_readable(fd, 0));
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(hdr->ts.tv_usec, 4);
	assert_int_equal(npfdp_next_batch(p, pkts, 4), 4);
	assert_int_equal(pkts[0].ts_ns, T0 + 5000);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 3);
	assert_false(is_readable(fd, 0));
	pcap_setnonblock(p, 1, errbuf);
	assert_int_equal(npfdp_next_batch(p, pkts, 4), 0);
	pcap_breakloop(p);
	arrive(*state, 100, 1, 60);
	assert_int_equal(npfdp_next_batch(p, pkts, 4), PCAP_ERROR_BREAK);
	assert_int_equal(npfdp_next_batch(p, pkts, 4), 1);
	pcap_close(p);
}

static void a_batch_in_overwrite_mode_is_one_packet(void **state)
{
	struct npfdp_pkt pkts[4];
	pcap_t *p = pcap_create("npf0", errbuf);

	npfdp_set_overwrite(p, 1);
	pcap_set_immediate_mode(p, 1);
	pcap_set_buffer_size(p, 65536);
	assert_int_equal(pcap_activate(p), 0);
	for (unsigned int i = 0; i < 100; i++)
		arrive(*state, i, 1, 1500);
	assert_int_equal(npfdp_next_batch(p, pkts, 4), 1);
	assert_true(pkts[0].ts_ns > T0); /* the oldest are gone */
	pcap_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_arrive_whole_and_in_order),
		TEST(stamps_come_in_the_precision_asked_for),
		TEST(a_program_may_write_into_its_packet),
		TEST(dispatch_never_delivers_more_than_asked),
		TEST(one_read_delivers_at_most_the_user_buffer),
		TEST(a_blocking_read_sleeps_until_a_packet_comes),
		TEST(a_blocking_read_goes_on_waiting_at_the_timeout),
		TEST(a_read_returns_zero_at_the_timeout_when_asked_to),
		TEST(a_read_that_ends_at_the_timeout_delivers_what_is_there),
		TEST(a_nonblocking_read_returns_zero_at_once),
		TEST(blocking_again_without_a_descriptor_left_is_an_error),
		TEST(the_descriptor_is_readable_exactly_while_packets_wait),
		TEST(the_descriptor_tells_of_packets_that_came_before_it_was_asked_for),
		TEST(below_mintocopy_the_descriptor_waits_for_the_timeout),
		TEST(mintocopy_can_be_changed_while_capturing),
		TEST(breakloop_in_a_signal_handler_ends_a_blocked_read),
		TEST(breakloop_in_another_thread_ends_a_blocked_read_once),
		TEST(breakloop_in_a_callback_ends_the_loop_after_that_packet),
		TEST(no_packet_of_the_old_filter_is_delivered_after_setfilter),
		TEST(the_new_filter_cuts_what_the_old_one_kept),
		TEST(a_bad_filter_is_refused_and_the_old_one_stays),
		TEST(direction_filters_work_as_on_linux),
		TEST(setdirection_applies_to_packets_that_already_wait),
		TEST(resizing_the_buffer_loses_nothing),
		TEST(drops_are_counted_and_only_those_for_want_of_room),
		TEST(what_was_committed_is_read_before_the_daemons_death_is_told),
		TEST(the_daemons_death_ends_a_blocked_read),
		TEST(the_daemons_death_makes_the_descriptor_readable),
		TEST(a_removed_port_is_told_after_its_last_packet),
		TEST(a_forked_child_goes_on_after_its_parent_has_closed),
		TEST(a_batch_is_whole_until_the_next_read),
		TEST(batches_and_single_reads_mix),
		TEST(a_batch_in_overwrite_mode_is_one_packet),
		TEST(samples_are_every_nth_packet_or_the_first_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
