/* SPDX-License-Identifier: BSD-3-Clause */
/* test_read.c - reading: counts, waiting, the descriptor, room, forks. */
#include "setup.h"

#include <pthread.h>
#include <sys/resource.h>
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
		TEST(resizing_the_buffer_loses_nothing),
		TEST(drops_are_counted_and_only_those_for_want_of_room),
		TEST(a_forked_child_goes_on_after_its_parent_has_closed),
		TEST(samples_are_every_nth_packet_or_the_first_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
