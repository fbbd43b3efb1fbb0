/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_select.c - programs that wait for the descriptor and read a packet at a time: it is readable
 * while a read would deliver something, and no read that follows waits.
 */
#include "setup.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static pcap_t *guarded;

static void end_it(int sig)
{
	(void)sig;
	pcap_breakloop(guarded);
}

static int by_batch(pcap_t *p)
{
	struct npfdp_pkt pkt;

	return npfdp_next_batch(p, &pkt, 1);
}

typedef int (*way)(pcap_t *p);
static const way ways[] = {by_next_ex, by_next, by_dispatch, by_batch};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

/* A read that would block for ever gives PCAP_ERROR_BREAK, or NULL after a while. */
static int read_one(pcap_t *p, way read)
{
	struct itimerval soon = {.it_value.tv_sec = 5}, off = {{0}};
	struct sigaction act = {.sa_handler = end_it, .sa_flags = SA_RESTART};
	uint64_t start = npf_clock_monotonic();
	int rc;

	guarded = p;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	rc = read(p);
	setitimer(ITIMER_REAL, &off, NULL);
	assert_true(npf_clock_monotonic() - start < 5 * NPF_NS_PER_S);
	return rc;
}

/* Below mintocopy: the daemon lets the read timeout pass. */
static void pass_timeout(struct fake_daemon *d)
{
	static uint64_t hour = 1;

	fake_tick(d, T0 + NPF_NS_PER_S, hour++ * 3600 * NPF_NS_PER_S);
	fake_tick(d, T0 + NPF_NS_PER_S, hour++ * 3600 * NPF_NS_PER_S);
}

static void after_the_last_packet_the_descriptor_is_quiet(void **state)
{
	for (int immediate = 0; immediate < 2; immediate++) {
		for (size_t w = 0; w < N_WAYS; w++) {
			pcap_t *p = open_npf0(immediate);
			int fd = pcap_get_selectable_fd(p);

			for (unsigned int i = 0; i < 6; i++) {
				arrive(*state, 2 * i, 1, 60);
				if (i % 2)
					arrive(*state, 2 * i + 1, 1, 60);
				pass_timeout(*state);
				for (unsigned int n = 0; n < 1 + i % 2; n++) {
					assert_true(is_readable(fd, 0));
					assert_int_equal(read_one(p, ways[w]), 1);
				}
				assert_false(is_readable(fd, 0));
			}
			pcap_close(p);
		}
	}
}

static void what_comes_after_a_wake_up_waits_for_its_own(void **state)
{
	pcap_t *p = open_npf0(false);
	int fd = pcap_get_selectable_fd(p);

	arrive(*state, 0, 1, 60);
	arrive(*state, 1, 1, 60);
	pass_timeout(*state);
	assert_int_equal(read_one(p, by_next_ex), 1);
	arrive(*state, 2, 1, 60);
	assert_true(is_readable(fd, 0)); /* for the second one */
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_false(is_readable(fd, 0)); /* below mintocopy, and not for long */
	pass_timeout(*state);
	assert_true(is_readable(fd, 0));
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_false(is_readable(fd, 0));
	pcap_close(p);
}

static void a_descriptor_asked_for_late_tells_what_is_left(void **state)
{
	pcap_t *p = open_npf0(false);

	for (unsigned int i = 0; i < 3; i++)
		arrive(*state, i, 1, 60);
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_true(is_readable(pcap_get_selectable_fd(p), 0));
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_true(is_readable(pcap_get_selectable_fd(p), 0));
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_false(is_readable(pcap_get_selectable_fd(p), 0));
	pcap_close(p);
}

static void reject_by_filter(pcap_t *p)
{
	set_filter(p, "udp src port 7");
}

static void reject_by_direction(pcap_t *p)
{
	assert_int_equal(pcap_setdirection(p, PCAP_D_OUT), 0);
}

static void reject_by_mode(pcap_t *p)
{
	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
}

static void a_read_of_what_is_rejected_by_now_ends_with_nothing(void **state)
{
	static void (*const rejects[])(pcap_t *) = {
		reject_by_filter, reject_by_direction, reject_by_mode};

	for (size_t r = 0; r < sizeof(rejects) / sizeof(rejects[0]); r++) {
		for (size_t w = 0; w < N_WAYS; w++) {
			pcap_t *p = open_npf0(true);
			int fd = pcap_get_selectable_fd(p);

			arrive(*state, 0, 1, 60);
			arrive(*state, 1, 1, 60);
			assert_true(is_readable(fd, 0));
			rejects[r](p);
			assert_true(is_readable(fd, 0));
			assert_int_equal(read_one(p, ways[w]), 0);
			assert_false(is_readable(fd, 0));
			pcap_close(p);
		}
	}
}

static void a_read_of_what_is_not_in_the_sample_ends_with_nothing(void **state)
{
	for (int selected = 0; selected < 2; selected++) {
		pcap_t *p = open_npf0(true);
		struct pcap_samp *samp = pcap_setsampling(p);

		if (selected)
			pcap_get_selectable_fd(p);
		samp->method = PCAP_SAMP_1_EVERY_N;
		samp->value = 3;
		for (unsigned int i = 0; i < 6; i++) {
			arrive(*state, i, 1, 60);
			assert_int_equal(read_one(p, by_next_ex), i % 3 == 0);
		}
		pcap_close(p);
	}
}

/* As libpcap: a handle without a timeout waits on for a packet that passes. */
static void without_a_timeout_a_read_waits_on_past_what_is_rejected(void **state)
{
	pcap_t *p = pcap_open_live("npf0", 65535, 0, 0, errbuf);
	struct itimerval soon = {.it_value.tv_usec = 50000};
	struct sigaction act = {.sa_handler = end_it, .sa_flags = SA_RESTART};

	assert_non_null(p);
	arrive(*state, 0, 1, 60);
	set_filter(p, "udp src port 7");
	guarded = p;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(by_next_ex(p), PCAP_ERROR_BREAK);
	pcap_close(p);
}

static void a_wake_up_for_nothing_does_not_make_a_read_wait(void **state)
{
	for (size_t w = 0; w < N_WAYS; w++) {
		pcap_t *p = open_npf0(true);
		int fd = pcap_get_selectable_fd(p);

		fake_wake(*state);
		assert_true(is_readable(fd, 0));
		assert_int_equal(read_one(p, ways[w]), 0);
		assert_false(is_readable(fd, 0));
		pcap_close(p);
	}
}

static void a_new_buffer_leaves_the_descriptor_truthful(void **state)
{
	pcap_t *p = open_npf0(true);
	int fd = pcap_get_selectable_fd(p);

	assert_int_equal(pcap_setbuff(p, 1 << 20), 0);
	assert_false(is_readable(fd, 0));
	arrive(*state, 0, 1, 60);
	arrive(*state, 1, 1, 60);
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_int_equal(pcap_setbuff(p, 1 << 21), 0);
	assert_true(is_readable(fd, 0));
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_false(is_readable(fd, 0));
	arrive(*state, 2, 1, 60);
	assert_true(is_readable(fd, 0));
	assert_int_equal(read_one(p, by_next_ex), 1);
	assert_false(is_readable(fd, 0));
	pcap_close(p);
}

static void in_statistics_mode_each_read_has_its_record(void **state)
{
	pcap_t *p = open_npf0(true);
	int fd = pcap_get_selectable_fd(p);

	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
	assert_false(is_readable(fd, 0));
	for (unsigned int i = 0; i < 3; i++) {
		fake_counts(*state, T0 + i, 1, 72);
		assert_true(is_readable(fd, 0));
		assert_int_equal(read_one(p, by_next_ex), 1);
		assert_false(is_readable(fd, 0));
	}
	pcap_close(p);
}

static void a_broken_read_leaves_the_descriptor_readable_while_packets_wait(void **state)
{
	pcap_t *p = open_npf0(true);
	int fd = pcap_get_selectable_fd(p);

	arrive(*state, 0, 1, 60);
	pcap_breakloop(p);
	assert_int_equal(read_one(p, by_dispatch), PCAP_ERROR_BREAK);
	assert_true(is_readable(fd, 0));
	assert_int_equal(read_one(p, by_dispatch), 1);
	assert_false(is_readable(fd, 0));
	pcap_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(after_the_last_packet_the_descriptor_is_quiet),
		TEST(what_comes_after_a_wake_up_waits_for_its_own),
		TEST(a_descriptor_asked_for_late_tells_what_is_left),
		TEST(a_read_of_what_is_rejected_by_now_ends_with_nothing),
		TEST(a_read_of_what_is_not_in_the_sample_ends_with_nothing),
		TEST(without_a_timeout_a_read_waits_on_past_what_is_rejected),
		TEST(a_wake_up_for_nothing_does_not_make_a_read_wait),
		TEST(a_new_buffer_leaves_the_descriptor_truthful),
		TEST(in_statistics_mode_each_read_has_its_record),
		TEST(a_broken_read_leaves_the_descriptor_readable_while_packets_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
