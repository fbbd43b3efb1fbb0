/* SPDX-License-Identifier: BSD-3-Clause */
/* test_filter.c - filters and directions in force: on what comes, and on what waits already. */
#include "setup.h"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_packet_of_the_old_filter_is_delivered_after_setfilter),
		TEST(the_new_filter_cuts_what_the_old_one_kept),
		TEST(a_bad_filter_is_refused_and_the_old_one_stays),
		TEST(direction_filters_work_as_on_linux),
		TEST(setdirection_applies_to_packets_that_already_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
