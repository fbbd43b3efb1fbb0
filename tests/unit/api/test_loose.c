/* SPDX-License-Identifier: BSD-3-Clause */
/* test_loose.c - filters that libpcap runs itself: run by the reader, on all that comes. */
#include "setup.h"

/* UDP packets whose source port is a multiple of 3; byte `probe` has to be there. */
static void set_multiple_of_3(pcap_t *p, uint32_t probe)
{
	struct bpf_insn insns[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, probe),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 34),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 65532, 3, 0),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 3), BPF_STMT(BPF_JMP | BPF_JA, (bpf_u_int32)-4),
		BPF_STMT(BPF_RET | BPF_K, 20), BPF_STMT(BPF_RET | BPF_K, 0)};
	struct bpf_program prog = {.bf_len = NPF_ARRAY_LEN(insns), .bf_insns = insns};

	assert_int_equal(pcap_setfilter(p, &prog), 0);
}

static void only_what_the_loop_accepts_is_delivered(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int n = 0;

	set_multiple_of_3(p, 0);
	for (unsigned int i = 0; i < 30; i++)
		arrive(*state, i, (uint16_t)i, 60);
	for (unsigned int i = 0; i < 12; i += 3) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(data[35], i);
		assert_int_equal(
			hdr->caplen, 60); /* as in libpcap: what is run there cuts nothing */
	}
	assert_int_equal(pcap_dispatch(p, 2, count, (u_char *)&n), 2);
	assert_int_equal(pcap_loop(p, 3, count, (u_char *)&n), 0);
	assert_int_equal(pcap_setnonblock(p, 1, errbuf), 0);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
	pcap_close(p);
}

static void the_filter_sees_more_than_the_snap_length_keeps(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	struct npfdp_pkt pkts[8];
	struct pcap_pkthdr *hdr;
	const u_char *data;

	pcap_set_snaplen(p, 40);
	pcap_set_immediate_mode(p, 1);
	assert_int_equal(pcap_activate(p), 0);
	set_multiple_of_3(p, 99);
	for (unsigned int i = 0; i < 9; i++)
		arrive(*state, i, (uint16_t)i, i < 6 ? 100 : 99);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	assert_int_equal(hdr->caplen, 40);
	assert_int_equal(hdr->len, 100);
	assert_int_equal(npfdp_next_batch(p, pkts, 8), 1);
	assert_int_equal(pkts[0].caplen, 40);
	assert_int_equal(pkts[0].len, 100);
	assert_int_equal(pkts[0].data[35], 3);
	pcap_close(p);
}

static void counters_tell_what_passed_and_what_libpcap_would_count(void **state)
{
	pcap_t *p = open_npf0(true);
	struct npfdp_stats st;
	struct pcap_stat ps;
	int n = 0;

	set_multiple_of_3(p, 0);
	for (unsigned int i = 0; i < 30; i++)
		arrive(*state, i, (uint16_t)i, 60);
	pcap_setnonblock(p, 1, errbuf);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 10);
	assert_int_equal(pcap_stats(p, &ps), 0);
	assert_int_equal(ps.ps_recv, 30);
	assert_int_equal(ps.ps_drop, 0);
	assert_int_equal(npfdp_stats(p, &st, sizeof(st)), 0);
	assert_int_equal(st.received, 30);
	assert_int_equal(st.accepted, 10);
	assert_int_equal(st.screened, 20);
	assert_int_equal(st.delivered, 10);
	pcap_close(p);
}

static void an_ordinary_filter_takes_over_and_gives_way(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	struct pcap_stat ps;
	const u_char *data;
	int n = 0;

	set_multiple_of_3(p, 0);
	for (unsigned int i = 0; i < 10; i++)
		arrive(*state, i, (uint16_t)i, 60);
	set_filter(p, "udp src port 3 or udp src port 5"); /* both wait, whole */
	arrive(*state, 10, 6, 60);
	arrive(*state, 11, 5, 60);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
		assert_int_equal(data[35], i == 0 ? 3 : 5);
	}
	arrive(*state, 12, 5, 60);
	arrive(*state, 13, 3, 60);
	set_multiple_of_3(p, 0); /* these went through the ordinary one only */
	arrive(*state, 14, 6, 60);
	pcap_setnonblock(p, 1, errbuf);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 2);
	/* Three and two that were delivered, one that the loop rejected; none that an ordinary
	 * filter rejected. */
	assert_int_equal(pcap_stats(p, &ps), 0);
	assert_int_equal(ps.ps_recv, 6);
	pcap_close(p);
}

static void rejected_packets_are_consumed_and_the_descriptor_calms_down(void **state)
{
	pcap_t *p = open_npf0(true);
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	pcap_setnonblock(p, 1, errbuf);
	set_multiple_of_3(p, 0);
	/* More than are rejected at a stretch. */
	for (unsigned int i = 0; i < 3000; i++)
		arrive(*state, i, 1, 60);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 0);
	assert_false(is_readable(fd, 0));
	arrive(*state, 3000, 3, 60);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	assert_false(is_readable(fd, 0));
	pcap_close(p);
}

static void all_that_was_committed_goes_through_the_filter_when_the_daemon_is_gone(void **state)
{
	pcap_t *p = open_npf0(true);
	int n = 0;

	set_multiple_of_3(p, 0);
	for (unsigned int i = 0; i < 3000; i++)
		arrive(*state, i, i == 2999 ? 3 : 1, 60);
	fake_die(*state);
	assert_int_equal(pcap_loop(p, 1, count, (u_char *)&n), 0);
	assert_int_equal(pcap_loop(p, 1, count, (u_char *)&n), PCAP_ERROR);
	assert_int_equal(n, 1);
	pcap_close(p);
}

static void inbound_means_something_here(void **state)
{
	pcap_t *p = open_npf0(true);
	int n = 0;

	set_filter(p, "outbound and not ip6 protochain 17");
	pcap_setnonblock(p, 1, errbuf);
	fake_packet(*state, T0, udp_packet(1, 60), 60, 0, true);
	fake_packet(*state, T0 + 1, udp_packet(1, 60), 60, NPF_REC_OUTBOUND, true);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	pcap_close(p);
}

static void scratch_memory_that_was_not_written_is_no_error(void **state)
{
	struct bpf_insn insns[] = {BPF_STMT(BPF_LD | BPF_MEM, 7),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 60),
		BPF_STMT(BPF_RET | BPF_A, 0)};
	struct bpf_program prog = {.bf_len = NPF_ARRAY_LEN(insns), .bf_insns = insns};
	pcap_t *p = open_npf0(true);
	int n = 0;

	assert_int_equal(pcap_setfilter(p, &prog), 0);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	pcap_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_the_loop_accepts_is_delivered),
		TEST(the_filter_sees_more_than_the_snap_length_keeps),
		TEST(counters_tell_what_passed_and_what_libpcap_would_count),
		TEST(an_ordinary_filter_takes_over_and_gives_way),
		TEST(rejected_packets_are_consumed_and_the_descriptor_calms_down),
		TEST(all_that_was_committed_goes_through_the_filter_when_the_daemon_is_gone),
		TEST(inbound_means_something_here),
		TEST(scratch_memory_that_was_not_written_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
