/* SPDX-License-Identifier: BSD-3-Clause */
/* test_modes.c - WinPcap's modes: statistics, samples, and those that are not there. */
#include "setup.h"

#include <Win32-Extensions.h>

static void statistics_mode_delivers_a_record_an_interval(void **state)
{
	pcap_t *p = pcap_open_live("npf0", 65535, 1, 250, errbuf);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int64_t counters[2];

	assert_non_null(p);
	arrive(*state, 0, 1, 60); /* waits unread when the mode changes: counts, see below */
	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
	assert_int_equal(fake_last_mode(*state).mode, NPF_WIRE_MONITOR);
	assert_int_equal(fake_last_mode(*state).interval_ms, 250);
	fake_counts(*state, T0 + NPF_NS_PER_S, 12, 3456);
	fake_counts(*state, T0 + 2 * NPF_NS_PER_S, 0, 0);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(hdr->caplen, 16);
		assert_int_equal(hdr->len, 16);
		assert_int_equal(hdr->ts.tv_sec, T0 / NPF_NS_PER_S + (unsigned int)i);
		memcpy(counters, data, sizeof(counters));
		assert_int_equal(counters[0], i == 1 ? 1 + 12 : 0);
		assert_int_equal(counters[1], i == 1 ? 72 + 3456 : 0);
	}
	/* And back: packets again. */
	fake_counts(*state, T0 + 3 * NPF_NS_PER_S, 1, 72);
	assert_int_equal(pcap_setmode(p, MODE_CAPT), 0);
	assert_int_equal(fake_last_mode(*state).mode, NPF_WIRE_CAPTURE);
	pcap_setmintocopy(p, 0);
	arrive(*state, 10000000, 1, 60);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(hdr->caplen, 60);
	pcap_close(p);
}

/* Counting begins with the handle only when the mode was chosen right after opening it. */
static void packets_before_statistics_mode_are_no_counts_once_some_were_read(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int64_t counters[2];

	arrive(*state, 0, 3, 60);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
	fake_counts(*state, T0 + NPF_NS_PER_S, 12, 3456);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	memcpy(counters, data, sizeof(counters));
	assert_int_equal(counters[0], 12);
	assert_int_equal(counters[1], 3456);
	pcap_close(p);
}

static void counts_are_no_packets_to_a_filter(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;

	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
	set_filter(p, "udp port 53");
	assert_int_equal(pcap_setdirection(p, PCAP_D_OUT), 0);
	fake_counts(*state, T0, 5, 300);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(hdr->caplen, 16);
	pcap_close(p);
}

/* A program reads 16 bytes, or 24, whatever it wants to see of packets. */
static void a_snap_length_cuts_packets_and_no_counts(void **state)
{
	pcap_t *p = pcap_open_live("npf0", 8, 1, 250, errbuf);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int64_t counters[3];

	assert_non_null(p);
	assert_int_equal(pcap_snapshot(p), 8);
	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
	fake_counts(*state, T0, 12, 3456);
	fake_counts(*state, T0 + 1, 13, 3457);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(hdr->caplen, 16);
	assert_int_equal(hdr->len, 16);
	memcpy(counters, data, 16);
	assert_int_equal(counters[0], 12);
	assert_int_equal(counters[1], 3456);
	assert_int_equal(pcap_setmode(p, MODE_STAT | MODE_DUMP), 0);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(hdr->caplen, 24);
	assert_int_equal(hdr->len, 24);
	memcpy(counters, data, 24);
	assert_int_equal(counters[1], 3457);
	assert_int_equal(counters[2], 0); /* no dump has begun */
	assert_int_equal(pcap_setmode(p, MODE_CAPT), 0);
	pcap_setmintocopy(p, 0);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(hdr->caplen, 8);
	assert_int_equal(hdr->len, 60);
	pcap_close(p);
}

static void samples_are_of_packets_not_of_counts(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_samp *samp = pcap_setsampling(p);
	int n = 0;

	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
	samp->method = PCAP_SAMP_1_EVERY_N;
	samp->value = 3;
	for (unsigned int i = 0; i < 4; i++)
		fake_counts(*state, T0 + i, 1, 72);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 4);
	samp->method = PCAP_SAMP_FIRST_AFTER_N_MS;
	for (unsigned int i = 4; i < 8; i++)
		fake_counts(*state, T0 + i, 1, 72);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 4);
	pcap_close(p);
}

static void an_interval_above_an_hour_is_refused_by_name(void **state)
{
	pcap_t *p = pcap_open_live("npf0", 65535, 1, 3600001, errbuf);

	assert_non_null(p);
	assert_int_equal(pcap_setmode(p, MODE_STAT), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "3600000"));
	assert_int_equal(pcap_setmode(p, MODE_CAPT), 0);
	pcap_close(p);
	p = pcap_open_live("npf0", 65535, 1, 3600000, errbuf);
	assert_int_equal(pcap_setmode(p, MODE_STAT), 0);
	assert_int_equal(fake_last_mode(*state).interval_ms, 3600000);
	pcap_close(p);
}

static void modes_that_are_not_there_are_refused_by_name(void **state)
{
	pcap_t *p = open_npf0(true);

	(void)state;
	assert_int_equal(pcap_setmode(p, MODE_CAPT), 0);
	assert_int_equal(pcap_setmode(p, MODE_MON), PCAP_ERROR);
	assert_int_equal(pcap_setmode(p, 77), PCAP_ERROR);
	assert_string_equal(pcap_geterr(p), "working mode not recognized");
	pcap_close(p);
}

static void the_read_event_is_the_descriptor(void **state)
{
	pcap_t *p = open_npf0(true);
	HANDLE event = pcap_getevent(p);

	assert_int_equal(event, pcap_fileno(p));
	assert_false(is_readable(event, 0));
	arrive(*state, 0, 1, 60);
	assert_true(is_readable(event, 0));
	pcap_close(p);
}

static void what_is_not_here_says_so(void **state)
{
	pcap_t *p = open_npf0(true);
	size_t len = 4;
	char host[64];

	(void)state;
	assert_null(pcap_get_airpcap_handle(p));
	assert_string_equal(pcap_geterr(p), "This isn't an AirPcap device");
	assert_int_equal(pcap_oid_get_request(p, 0x00010101, host, &len), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "NDIS"));
	assert_int_equal(pcap_oid_set_request(p, 0x00010101, host, &len), PCAP_ERROR);
	assert_int_equal(pcap_start_oem(errbuf, 0), PCAP_ERROR);
	assert_int_equal(pcap_remoteact_list(host, ',', sizeof(host), errbuf), PCAP_ERROR);
	assert_non_null(strstr(errbuf, "remote"));
	pcap_close(p);
}

static void extensions_refuse_handles_of_other_devices(void **state)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 100);
	struct npfdp_stats stats;
	struct npfdp_pkt pkt;
	int size;

	(void)state;
	assert_int_equal(pcap_setbuff(p, 1 << 20), PCAP_ERROR);
	assert_int_equal(pcap_setmode(p, MODE_STAT), PCAP_ERROR);
	assert_int_equal(pcap_setmintocopy(p, 0), PCAP_ERROR);
	assert_int_equal(pcap_setuserbuffer(p, 100), PCAP_ERROR);
	assert_int_equal(pcap_getevent(p), PCAP_ERROR);
	assert_int_equal(pcap_setnumwrites(p, 1), PCAP_ERROR);
	assert_null(pcap_stats_ex(p, &size));
	assert_null(pcap_setsampling(p));
	assert_int_equal(npfdp_stats(p, &stats, sizeof(stats)), PCAP_ERROR);
	assert_int_equal(npfdp_next_batch(p, &pkt, 1), PCAP_ERROR);
	pcap_close(p);
}

static void longer_statistics_than_we_know_are_zero(void **state)
{
	pcap_t *p = open_npf0(true);
	uint64_t raw[sizeof(struct npfdp_stats) / 8 + 4];

	arrive(*state, 0, 1, 60);
	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(npfdp_stats(p, (struct npfdp_stats *)raw, sizeof(raw)), 0);
	assert_int_equal(raw[0], 1);
	assert_int_equal(raw[sizeof(struct npfdp_stats) / 8], 0);
	/* And a program that knows only the first two fields gets no more. */
	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(npfdp_stats(p, (struct npfdp_stats *)raw, 16), 0);
	assert_int_equal(raw[1], 1);
	assert_true(raw[2] == UINT64_MAX);
	pcap_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(statistics_mode_delivers_a_record_an_interval),
		TEST(packets_before_statistics_mode_are_no_counts_once_some_were_read),
		TEST(counts_are_no_packets_to_a_filter),
		TEST(a_snap_length_cuts_packets_and_no_counts),
		TEST(samples_are_of_packets_not_of_counts),
		TEST(an_interval_above_an_hour_is_refused_by_name),
		TEST(modes_that_are_not_there_are_refused_by_name),
		TEST(the_read_event_is_the_descriptor),
		TEST(what_is_not_here_says_so),
		TEST(extensions_refuse_handles_of_other_devices),
		TEST(longer_statistics_than_we_know_are_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
