/* SPDX-License-Identifier: BSD-3-Clause */
/* test_looking.c - a port is told when a handle begins to read, and not before. */
#include "setup.h"

/* What Wireshark's start screen does, and programs that open a device to ask for its link type. */
static void looking_at_a_port_is_not_reading(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_stat ps;
	int *dlts;

	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	assert_int_equal(pcap_list_datalinks(p, &dlts), 1);
	pcap_free_datalinks(dlts);
	assert_int_equal(pcap_setnonblock(p, 1, errbuf), 0);
	set_filter(p, "udp");
	assert_int_equal(pcap_setdirection(p, PCAP_D_IN), 0);
	assert_int_equal(pcap_setbuff(p, 1 << 20), 0);
	assert_int_equal(pcap_stats(p, &ps), 0);
	assert_int_equal(pcap_inject(p, udp_packet(1, 60), 60), 60);
	pcap_close(p);
	assert_int_equal(fake_n_reads(*state), 0);
}

static void the_first_read_or_look_at_the_descriptor_is_told_once(void **state)
{
	struct npfdp_pkt pkt;
	pcap_t *p = open_npf0(true);
	int n = 0;

	assert_int_equal(pcap_setnonblock(p, 1, errbuf), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
	assert_int_equal(fake_n_reads(*state), 1);
	assert_true(pcap_get_selectable_fd(p) >= 0);
	assert_int_equal(fake_n_reads(*state), 1);
	pcap_close(p);
	p = open_npf0(true);
	assert_true(pcap_fileno(p) >= 0);
	assert_int_equal(fake_n_reads(*state), 2);
	pcap_close(p);
	p = open_npf0(true);
	assert_int_equal(pcap_setnonblock(p, 1, errbuf), 0);
	assert_int_equal(npfdp_next_batch(p, &pkt, 1), 0);
	assert_int_equal(fake_n_reads(*state), 3);
	pcap_close(p);
}

static void a_port_that_does_not_start_fails_the_read(void **state)
{
	pcap_t *p = open_npf0(true);
	int n = 0;

	fake_refuse_reads(*state, true);
	assert_int_equal(pcap_get_selectable_fd(p), PCAP_ERROR);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "can't be started"));
	fake_refuse_reads(*state, false);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	pcap_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(looking_at_a_port_is_not_reading),
		TEST(the_first_read_or_look_at_the_descriptor_is_told_once),
		TEST(a_port_that_does_not_start_fails_the_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
