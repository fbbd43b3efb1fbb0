/* SPDX-License-Identifier: BSD-3-Clause */
/* A savefile that is read ahead comes whole and in order, and its end is told after its last
 * packet was taken. */
#include "replay/ahead.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "savefile.h"

#define N 4000 /* packets of all lengths: several times the ring */

static struct {
	atomic_int rc; /* 1: not yet */
	uint64_t packets;
} told;

static uint32_t length_of(uint32_t i)
{
	return i % 500 == 499 ? 262144 : i * 7919 % 9000;
}

static void over(void *arg, const struct npf_trace *trace, int rc)
{
	(void)arg;
	told.packets = npf_trace_packets(trace);
	atomic_store(&told.rc, rc);
}

static void write_file(uint32_t n)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 262144);
	pcap_dumper_t *d = pcap_dump_open(dead, path);

	assert_non_null(d);
	for (uint32_t i = 0; i < n; i++) {
		struct pcap_pkthdr h = {.caplen = length_of(i), .len = length_of(i) + i % 3};

		h.ts.tv_sec = i;
		pcap_dump((u_char *)d, &h, bytes + i % 256);
	}
	pcap_dump_close(d);
	pcap_close(dead);
}

static struct npf_ahead *start(uint32_t longest)
{
	const struct npf_ahead_conf conf = {.longest = longest, .over = over};
	struct npf_error err;
	struct npf_trace *t;
	struct npf_ahead *a;

	atomic_store(&told.rc, 1);
	assert_int_equal(npf_trace_open(path, -1, &t, &err), 0);
	assert_int_equal(npf_ahead_start(&conf, t, &a), 0);
	return a;
}

static struct npf_trace_packet wait_next(struct npf_ahead *a)
{
	struct npf_trace_packet p;

	while (!npf_ahead_next(a, &p))
		sched_yield();
	return p;
}

static void expect(struct npf_ahead *a, uint32_t i)
{
	struct npf_trace_packet p = wait_next(a);

	assert_int_equal(p.ts_ns, i * 1000000000ull);
	assert_int_equal(p.caplen, length_of(i));
	assert_int_equal(p.len, length_of(i) + i % 3);
	assert_memory_equal(p.data, bytes + i % 256, p.caplen);
}

static void wait_told(void)
{
	while (atomic_load(&told.rc) == 1)
		sched_yield();
}

static void all_packets_come_in_order_and_then_the_end(void **state)
{
	struct npf_trace_packet p;
	struct npf_ahead *a;

	(void)state;
	write_file(N);
	a = start(262144);
	for (uint32_t i = 0; i < N; i++) {
		expect(a, i);
		/* Now and then the ring gets full. */
		if (i % 1000 == 0)
			nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
		assert_int_equal(atomic_load(&told.rc), 1);
		npf_ahead_release(a);
	}
	wait_told();
	assert_int_equal(atomic_load(&told.rc), 0);
	assert_int_equal(told.packets, N);
	assert_false(npf_ahead_next(a, &p));
	assert_int_equal(npf_ahead_too_long(a), 0);
	npf_ahead_stop(a);
}

static void a_packet_that_was_put_back_comes_again(void **state)
{
	struct npf_ahead *a;

	(void)state;
	write_file(N);
	a = start(262144);
	for (uint32_t i = 0; i < N; i++) {
		wait_next(a);
		npf_ahead_put_back(a);
		npf_ahead_release(a);
		expect(a, i);
		npf_ahead_release(a);
	}
	npf_ahead_stop(a);
}

static void damage_is_told_after_the_packets_before_it(void **state)
{
	struct npf_ahead *a;

	(void)state;
	write_file(3);
	assert_int_equal(truncate(path, 24 + 16 + length_of(0) + 16 + length_of(1) + 16 + 5), 0);
	a = start(262144);
	expect(a, 0);
	expect(a, 1);
	assert_int_equal(atomic_load(&told.rc), 1);
	npf_ahead_release(a);
	wait_told();
	assert_int_equal(atomic_load(&told.rc), -EBADMSG);
	assert_int_equal(told.packets, 2);
	npf_ahead_stop(a);
}

static void a_reader_is_stopped_wherever_it_is(void **state)
{
	(void)state;
	write_file(N);
	for (unsigned int i = 0; i < 20; i++) {
		struct npf_ahead *a = start(262144);

		for (unsigned int k = 0; k < i * 20; k++)
			expect(a, k);
		npf_ahead_stop(a); /* its ring is full, or soon will be */
		assert_int_equal(atomic_load(&told.rc), 1);
	}
	assert_null(npf_ahead_stop(NULL));
}

static void packets_beyond_the_longest_are_cut_and_counted(void **state)
{
	struct npf_ahead *a;

	(void)state;
	write_file(2);
	a = start(1000);
	assert_int_equal(wait_next(a).caplen, 0);
	assert_true(length_of(1) > 1000);
	assert_int_equal(wait_next(a).caplen, 1000);
	npf_ahead_release(a);
	wait_told();
	assert_int_equal(npf_ahead_too_long(a), 1);
	npf_ahead_stop(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_packets_come_in_order_and_then_the_end),
		cmocka_unit_test(a_packet_that_was_put_back_comes_again),
		cmocka_unit_test(damage_is_told_after_the_packets_before_it),
		cmocka_unit_test(a_reader_is_stopped_wherever_it_is),
		cmocka_unit_test(packets_beyond_the_longest_are_cut_and_counted),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
