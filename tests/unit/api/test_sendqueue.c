/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sendqueue.c - WinPcap's send queues: made of packets, sent on time, ended early. */
#include "setup.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <Win32-Extensions.h>

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
