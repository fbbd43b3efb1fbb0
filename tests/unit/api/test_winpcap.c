/* SPDX-License-Identifier: BSD-3-Clause */
/* test_winpcap.c - WinPcap's extensions: modes, send queues, sources, and how they fail. */
#include "setup.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <Win32-Extensions.h>
#include <sys/stat.h>

/* ---- Modes ---- */

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

/* ---- Send queues ---- */

static void fill(pcap_send_queue *q, unsigned int i, uint32_t len, long usec)
{
	struct pcap_pkthdr hdr = {.caplen = len, .len = len};

	hdr.ts.tv_sec = 1000 + usec / 1000000;
	hdr.ts.tv_usec = usec % 1000000;
	assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet((uint16_t)i, len)), 0);
}

static void a_queue_sized_by_a_savefile_takes_the_whole_file(void **state)
{
	enum {
		N = 1000,
		LEN = 60
	};
	/* As WinPcap's sendcap: the size of the file less its header. */
	pcap_send_queue *q = pcap_sendqueue_alloc(N * (16 + LEN));
	struct pcap_pkthdr hdr = {.caplen = LEN, .len = LEN};

	(void)state;
	assert_non_null(q);
	assert_int_equal(q->maxlen, N * (16 + LEN));
	for (unsigned int i = 0; i < N; i++)
		fill(q, i, LEN, 0);
	assert_int_equal(q->len, N * (sizeof(struct pcap_pkthdr) + LEN));
	assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet(1, LEN)), PCAP_ERROR);
	pcap_sendqueue_destroy(q);
}

static void what_does_not_fit_a_queue_is_refused(void **state)
{
	struct pcap_pkthdr hdr = {.caplen = 60, .len = 60};
	pcap_send_queue *q = pcap_sendqueue_alloc(sizeof(hdr) + 60);

	(void)state;
	fill(q, 0, 60, 0);
	assert_int_equal(q->len, sizeof(hdr) + 60);
	assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet(1, 60)), PCAP_ERROR);
	hdr.caplen = UINT32_MAX;
	assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet(1, 60)), PCAP_ERROR);
	assert_int_equal(q->len, sizeof(hdr) + 60);
	pcap_sendqueue_destroy(q);
}

static void a_queue_is_used_again_after_len_was_set_to_0(void **state)
{
	const u_int size = sizeof(struct pcap_pkthdr) + 100;
	pcap_send_queue *q = pcap_sendqueue_alloc(10 * (16 + 100));
	struct pcap_pkthdr hdr = {.caplen = 100, .len = 100};
	pcap_t *p = open_npf0(true);
	uint8_t last[100];

	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 10; i++)
			fill(q, 10 * round + i, 100, 0);
		assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet(1, 100)), -1);
		assert_int_equal(pcap_sendqueue_transmit(p, q, 0), 10 * size);
		assert_int_equal(fake_sent(*state, last, sizeof(last)), 10 * (round + 1));
		assert_memory_equal(last, udp_packet((uint16_t)(10 * round + 9), 100), 100);
		q->len = 0;
	}
	/* Back by some packets, too. */
	for (unsigned int i = 0; i < 10; i++)
		fill(q, i, 100, 0);
	q->len -= 3 * size;
	for (unsigned int i = 0; i < 3; i++)
		fill(q, i, 100, 0);
	assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet(1, 100)), -1);
	assert_int_equal(q->len, 10 * size);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

/* In a savefile its packets would fit, but their length here is more than len can say. */
static void a_queue_of_4_gib_does_not_wrap(void **state)
{
	struct pcap_pkthdr hdr = {.caplen = 80, .len = 80};
	const char *perturb = getenv("MALLOC_PERTURB_");
	pcap_send_queue *q;

	(void)state;
	/* Address space, not memory: nobody is to fill it. */
	mallopt(M_PERTURB, 0);
	q = pcap_sendqueue_alloc(UINT32_MAX);
	mallopt(M_PERTURB, perturb != NULL ? atoi(perturb) : 0);
	if (q == NULL)
		skip();
	fill(q, 0, 60, 0);
	/* One packet, but for the last 100 bytes. */
	q->len = UINT32_MAX - 100;
	((struct pcap_pkthdr *)q->buffer)->caplen = q->len - (u_int)sizeof(hdr);
	assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet(1, 80)), -1);
	assert_int_equal(q->len, UINT32_MAX - 100);
	hdr.caplen = 76;
	assert_int_equal(pcap_sendqueue_queue(q, &hdr, udp_packet(1, 76)), 0);
	assert_int_equal(q->len, UINT32_MAX);
	pcap_sendqueue_destroy(q);
}

static void a_queue_is_sent_whole_and_in_order(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);
	uint8_t last[100];

	for (unsigned int i = 0; i < 50; i++)
		fill(q, i, 100, 0);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), q->len);
	assert_int_equal(fake_sent(*state, last, sizeof(last)), 50);
	assert_memory_equal(last, udp_packet(49, 100), 100);
	/* It may be sent again. */
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), q->len);
	assert_int_equal(fake_sent(*state, NULL, 0), 100);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void a_synchronised_queue_keeps_its_distances(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);
	uint64_t start, took;

	for (unsigned int i = 0; i < 5; i++)
		fill(q, i, 100, 20000 * (long)i);
	fill(q, 9, 100, 10000); /* a stamp that goes back is sent at once */
	start = npf_clock_monotonic();
	assert_int_equal(pcap_sendqueue_transmit(p, q, 1), q->len);
	took = npf_clock_monotonic() - start;
	assert_true(took >= 80 * NPF_NS_PER_MS);
	assert_int_equal(fake_sent(*state, NULL, 0), 6);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void a_queue_that_fails_says_how_far_it_came(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);

	for (unsigned int i = 0; i < 3; i++)
		fill(q, i, 100, 0);
	q->len -= 1; /* cut in the middle of the last packet */
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), 2 * (sizeof(struct pcap_pkthdr) + 100));
	assert_non_null(strstr(pcap_geterr(p), "middle of a packet"));
	assert_int_equal(fake_sent(*state, NULL, 0), 2);
	fake_die(*state);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), 0);
	assert_non_null(strstr(pcap_geterr(p), "gone away"));
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void a_packet_without_bytes_takes_none_back_that_stands_before_it(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);

	for (unsigned int i = 0; i < 30; i++)
		fill(q, i, i == 20 ? 0 : 100, 0);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), 20 * (sizeof(struct pcap_pkthdr) + 100));
	assert_non_null(strstr(pcap_geterr(p), "a frame of 0 bytes can't be sent"));
	assert_int_equal(fake_sent(*state, NULL, 0), 20);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void a_port_that_stops_taking_is_told_exactly(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);

	for (unsigned int i = 0; i < 20; i++)
		fill(q, i, 100, 0);
	fake_limit_sends(*state, 7);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), 7 * (sizeof(struct pcap_pkthdr) + 100));
	assert_non_null(strstr(pcap_geterr(p), "takes no packets"));
	fake_limit_sends(*state, 100);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), q->len);
	assert_int_equal(fake_sent(*state, NULL, 0), 27);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

/* Many times what a lane holds. */
static void a_long_queue_is_sent_whole(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(4 << 20);
	pcap_t *p = open_npf0(true);
	unsigned int n = 0;
	uint8_t last[1000];

	for (; q->len + 2000 < q->maxlen; n++)
		fill(q, n, 1000, 0);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), q->len);
	assert_int_equal(fake_sent(*state, last, sizeof(last)), n);
	assert_memory_equal(last, udp_packet((uint16_t)(n - 1), 1000), 1000);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void *break_soon(void *arg)
{
	usleep(50000);
	pcap_breakloop(arg);
	return NULL;
}

static void breakloop_ends_a_transmission(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);
	uint64_t start = npf_clock_monotonic();
	pthread_t thread;

	fill(q, 0, 100, 0);
	fill(q, 1, 100, 900000);
	fill(q, 2, 100, 900001);
	pthread_create(&thread, NULL, break_soon, p);
	assert_in_range(pcap_sendqueue_transmit(p, q, 1), 1 * (sizeof(struct pcap_pkthdr) + 100),
		2 * (sizeof(struct pcap_pkthdr) + 100));
	pthread_join(thread, NULL);
	assert_non_null(strstr(pcap_geterr(p), "interrupted"));
	assert_true(npf_clock_monotonic() - start < 5 * NPF_NS_PER_S);
	assert_true(fake_sent(*state, NULL, 0) < 3);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

/* ... which ends the next read, too, as ever: another thread may be reading. */
static void breakloop_ends_a_packet_that_is_sent_endlessly(void **state)
{
	pcap_t *p = open_npf0(true);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	pthread_t thread;
	char text[64];

	assert_int_equal(pcap_setnumwrites(p, INT32_MAX), 0);
	pthread_create(&thread, NULL, break_soon, p);
	assert_int_equal(pcap_sendpacket(p, udp_packet(1, 60), 60), PCAP_ERROR);
	pthread_join(thread, NULL);
	/* The count is exact. */
	snprintf(text, sizeof(text), "interrupted (%u of %d times sent)",
		fake_sent(*state, NULL, 0), INT32_MAX);
	assert_non_null(strstr(pcap_geterr(p), text));
	assert_int_equal(pcap_next_ex(p, &hdr, &data), PCAP_ERROR_BREAK);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 1);
	pcap_close(p);
}

static void breakloop_ends_a_queue_that_waits_before_a_bad_packet(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);
	uint64_t start = npf_clock_monotonic();
	pthread_t thread;

	fill(q, 0, 100, 0);
	fill(q, 1, 100, 3000000);
	fill(q, 2, 5, 3000001); /* too short to be sent */
	pthread_create(&thread, NULL, break_soon, p);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 1), sizeof(struct pcap_pkthdr) + 100);
	pthread_join(thread, NULL);
	assert_true(npf_clock_monotonic() - start < 2 * NPF_NS_PER_S);
	assert_non_null(strstr(pcap_geterr(p), "interrupted"));
	assert_int_equal(fake_sent(*state, NULL, 0), 1);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void a_queue_ends_before_a_bad_packet(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);

	fill(q, 0, 100, 0);
	fill(q, 1, 100, 150000);
	fill(q, 2, 5, 150001);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 1), 2 * (sizeof(struct pcap_pkthdr) + 100));
	assert_non_null(strstr(pcap_geterr(p), "a frame of 5 bytes can't be sent"));
	assert_int_equal(fake_sent(*state, NULL, 0), 2);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void a_breakloop_before_a_send_is_for_the_next_read(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);
	int n = 0;

	fill(q, 0, 100, 0);
	fill(q, 1, 100, 400000);
	pcap_breakloop(p);
	assert_int_equal(pcap_sendpacket(p, udp_packet(1, 60), 60), 0);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 1), q->len);
	assert_int_equal(fake_sent(*state, NULL, 0), 3);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), PCAP_ERROR_BREAK);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

static void statistics_tell_how_late_a_schedule_was(void **state)
{
	pcap_send_queue *q = pcap_sendqueue_alloc(10000);
	pcap_t *p = open_npf0(true);
	struct npfdp_stats s;

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		fill(q, i, 100, 3000 * (long)i);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 0), q->len);
	assert_int_equal(npfdp_stats(p, &s, sizeof(s)), 0);
	assert_int_equal(s.late_p50_ns | s.late_p99_ns | s.late_max_ns, 0);
	assert_int_equal(pcap_sendqueue_transmit(p, q, 1), q->len);
	assert_int_equal(npfdp_stats(p, &s, sizeof(s)), 0);
	assert_true(s.late_max_ns > 0);
	assert_true(s.late_p50_ns <= s.late_p99_ns && s.late_p99_ns <= s.late_max_ns);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
}

/* ---- Sources ---- */

static void source_strings_are_made(void **state)
{
	char s[PCAP_BUF_SIZE];

	(void)state;
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_FILE, NULL, NULL, "/a/b.pcap", errbuf), 0);
	assert_string_equal(s, "file:///a/b.pcap");
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_IFLOCAL, NULL, NULL, "npf0", errbuf), 0);
	assert_string_equal(s, "rpcap://npf0");
	assert_int_equal(
		pcap_createsrcstr(s, PCAP_SRC_IFREMOTE, "host", "2002", "npf0", errbuf), 0);
	assert_string_equal(s, "rpcap://host:2002/npf0");
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_IFREMOTE, "::1", "", "npf0", errbuf), 0);
	assert_string_equal(s, "rpcap://[::1]/npf0");
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_FILE, NULL, NULL, NULL, errbuf), PCAP_ERROR);
	assert_int_equal(pcap_createsrcstr(s, 99, NULL, NULL, "x", errbuf), PCAP_ERROR);
}

static void assert_parses(
	const char *source, int type, const char *host, const char *port, const char *name)
{
	char h[PCAP_BUF_SIZE], q[PCAP_BUF_SIZE], n[PCAP_BUF_SIZE];
	int t;

	assert_int_equal(pcap_parsesrcstr(source, &t, h, q, n, errbuf), 0);
	assert_int_equal(t, type);
	assert_string_equal(h, host);
	assert_string_equal(q, port);
	assert_string_equal(n, name);
	/* Every output may be left out. */
	assert_int_equal(pcap_parsesrcstr(source, NULL, NULL, NULL, NULL, errbuf), 0);
}

static void source_strings_are_taken_apart(void **state)
{
	char s[2 * PCAP_BUF_SIZE];
	int type;

	(void)state;
	assert_parses("npf0", PCAP_SRC_IFLOCAL, "", "", "npf0");
	assert_parses("rpcap://npf0", PCAP_SRC_IFLOCAL, "", "", "npf0");
	assert_parses("rpcap:///npf0", PCAP_SRC_IFLOCAL, "", "", "npf0");
	assert_parses("file:///a/b.pcap", PCAP_SRC_FILE, "", "", "/a/b.pcap");
	assert_parses("rpcap://host/npf0", PCAP_SRC_IFREMOTE, "host", "", "npf0");
	assert_parses("rpcap://host:2002/npf0", PCAP_SRC_IFREMOTE, "host", "2002", "npf0");
	assert_parses("rpcap://[::1]:2002/npf0", PCAP_SRC_IFREMOTE, "::1", "2002", "npf0");
	assert_parses("rpcap://[fe80::1]/npf0", PCAP_SRC_IFREMOTE, "fe80::1", "", "npf0");
	assert_int_equal(
		pcap_parsesrcstr("rpcap://[::1/npf0", &type, NULL, NULL, NULL, errbuf), PCAP_ERROR);
	memset(s, 'x', sizeof(s) - 1);
	s[sizeof(s) - 1] = '\0';
	assert_int_equal(pcap_parsesrcstr(s, &type, NULL, NULL, NULL, errbuf), PCAP_ERROR);
}

static void pcap_open_has_winpcaps_defaults(void **state)
{
	pcap_t *p = pcap_open("rpcap://npf0", 100, PCAP_OPENFLAG_PROMISCUOUS, 30, NULL, errbuf);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	struct npf_wire_open open;

	assert_non_null(p);
	open = fake_last_open(*state);
	/* Own sends are seen. */
	assert_int_equal(open.flags, NPF_WIRE_OPEN_PROMISC | NPF_WIRE_OPEN_LOOK);
	assert_int_equal(open.params.timeout_ms, 30);
	/* A read returns 0 at the timeout. */
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 0);
	pcap_close(p);
	p = pcap_open("npf0", 100, PCAP_OPENFLAG_NOCAPTURE_LOCAL | PCAP_OPENFLAG_MAX_RESPONSIVENESS,
		0, NULL, errbuf);
	assert_non_null(p);
	open = fake_last_open(*state);
	assert_int_equal(
		open.flags, NPF_WIRE_OPEN_LOOK | NPF_WIRE_OPEN_NO_OWN | NPF_WIRE_OPEN_IMMEDIATE);
	assert_int_equal(open.params.timeout_ms, 0);
	pcap_close(p);
	assert_null(pcap_open("rpcap://host/npf0", 100, 0, 0, NULL, errbuf));
	assert_non_null(strstr(errbuf, "remote capture"));
	assert_null(pcap_open("file:///nonexistent/x.pcap", 100, 0, 0, NULL, errbuf));
	assert_null(pcap_open("npf9", 100, 0, 0, NULL, errbuf));
	assert_non_null(strstr(errbuf, "npf9"));
}

static void findalldevs_ex_lists_interfaces_and_savefiles(void **state)
{
	char dir[] = "/tmp/npf-api-XXXXXX", path[64], source[PCAP_BUF_SIZE];
	pcap_if_t *list, *last;
	pcap_t *p;

	(void)state;
	assert_int_equal(pcap_findalldevs_ex("rpcap://", NULL, &list, errbuf), 0);
	for (last = list; last->next != NULL; last = last->next)
		;
	assert_string_equal(last->name, "rpcap://npf0");
	assert_non_null(strstr(last->description, "Network adapter 'DPDK port"));
	assert_non_null(strstr(last->description, "on local host"));
	pcap_freealldevs(list);

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.pcap", dir);
	p = pcap_open_dead(DLT_EN10MB, 100);
	pcap_dump_close(pcap_dump_open(p, path));
	pcap_close(p);
	pcap_createsrcstr(source, PCAP_SRC_FILE, NULL, NULL, dir, errbuf);
	assert_int_equal(pcap_findalldevs_ex(source, NULL, &list, errbuf), 0);
	assert_non_null(list);
	assert_null(list->next);
	snprintf(source, sizeof(source), "file://%s", path);
	assert_string_equal(list->name, source);
	p = pcap_open(list->name, 100, 0, 0, NULL, errbuf);
	assert_non_null(p);
	pcap_close(p);
	pcap_freealldevs(list);
	unlink(path);
	rmdir(dir);
	assert_int_equal(
		pcap_findalldevs_ex("file:///nonexistent/", NULL, &list, errbuf), PCAP_ERROR);
	assert_int_equal(pcap_findalldevs_ex("rpcap://host/", NULL, &list, errbuf), PCAP_ERROR);
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
		TEST(a_queue_sized_by_a_savefile_takes_the_whole_file),
		TEST(what_does_not_fit_a_queue_is_refused),
		TEST(a_queue_is_used_again_after_len_was_set_to_0),
		TEST(a_queue_of_4_gib_does_not_wrap),
		TEST(a_queue_is_sent_whole_and_in_order),
		TEST(a_synchronised_queue_keeps_its_distances),
		TEST(a_queue_that_fails_says_how_far_it_came),
		TEST(a_packet_without_bytes_takes_none_back_that_stands_before_it),
		TEST(a_port_that_stops_taking_is_told_exactly),
		TEST(a_long_queue_is_sent_whole),
		TEST(breakloop_ends_a_transmission),
		TEST(breakloop_ends_a_packet_that_is_sent_endlessly),
		TEST(breakloop_ends_a_queue_that_waits_before_a_bad_packet),
		TEST(a_queue_ends_before_a_bad_packet),
		TEST(a_breakloop_before_a_send_is_for_the_next_read),
		TEST(statistics_tell_how_late_a_schedule_was),
		TEST(source_strings_are_made),
		TEST(source_strings_are_taken_apart),
		TEST(pcap_open_has_winpcaps_defaults),
		TEST(findalldevs_ex_lists_interfaces_and_savefiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
