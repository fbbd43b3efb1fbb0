/* SPDX-License-Identifier: BSD-3-Clause */
/* test_batch.c - many packets at a time. */
#include "setup.h"

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
		TEST(a_batch_is_whole_until_the_next_read),
		TEST(batches_and_single_reads_mix),
		TEST(a_batch_in_overwrite_mode_is_one_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
