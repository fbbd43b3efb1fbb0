/* SPDX-License-Identifier: BSD-3-Clause */
/* The retrospective dump: remembered, forgotten, written out on a trigger, and counted. */
#include "fixture.h"

#include <stdio.h>

static uint64_t bytes_of(uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (uint64_t i = from; i < to; i++)
		n += 16 + length_of(i);
	return n;
}

static void wait_for_files(struct dump *d, unsigned int n)
{
	for (int i = 0; i < 500 && d->n < n; i++)
		usleep(10000);
	assert_int_equal(d->n, n);
	usleep(20000);
}

static void a_trigger_writes_what_came_before_it_and_after(void **state)
{
	struct options o = {.name = "retro-%N.pcap", .ring = 16u << 20, .keep_bytes = 4u << 20};
	uint64_t now = START_NS + 100000 * STEP_NS, first, n;
	struct dump d;
	bool whole;

	(void)state;
	for (int format = 0; format < NPF_WRITER_N_FORMATS; format++) {
		o.format = (enum npf_writer_format)format;
		o.keep_ns = 0;
		start(&d, &o);
		give_all(&d, 0, 100000);
		assert_int_equal(npf_writer_retro_trigger(&d.p, NPF_NS_PER_S), 0);
		assert_int_equal(npf_writer_retro_trigger(&d.p, NPF_NS_PER_S), -EBUSY);
		npf_writer_tick(&d.p, now);
		give_all(&d, 100000, 100100);
		npf_writer_tick(&d.p, now + NPF_NS_PER_S);
		give_all(&d, 100100, 101000); /* too late */
		wait_for_files(&d, 1);
		first = 100100 - d.packets[0];
		expect_whole(d.paths[0], first, o.format, d.packets[0]);
		/* As much as was asked for, but for one chunk and the parts of records. */
		assert_in_range(bytes_of(first, 100000), (4u << 20) * 9 / 10, 4u << 20);
		unlink(d.paths[0]);
		npf_writer_tick(&d.p, now + 2 * NPF_NS_PER_S); /* done: ready for another */

		/* Once more, after the ring has gone round. */
		give_all(&d, 101000, 200000);
		assert_int_equal(npf_writer_retro_trigger(&d.p, 0), 0);
		npf_writer_tick(&d.p, now + 3 * NPF_NS_PER_S);
		wait_for_files(&d, 2);
		expect_whole(d.paths[1], 200000 - d.packets[1], o.format, d.packets[1]);
		unlink(d.paths[1]);
		stop(&d);
		assert_int_equal(d.n, 2); /* the end of the dump writes nothing */

		/* By time: of 1000 packets a second, the last two seconds. */
		o.keep_ns = 2000 * STEP_NS;
		start(&d, &o);
		give_all(&d, 0, 5000);
		assert_int_equal(npf_writer_retro_trigger(&d.p, 0), 0);
		npf_writer_tick(&d.p, now);
		wait_for_files(&d, 1);
		n = read_back(d.paths[0], 2999, o.format, &whole);
		assert_true(whole);
		assert_int_equal(n, 2001);
		unlink(d.paths[0]);
		stop(&d);
	}
}

static void packets_in_many_places_of_memory_are_forgotten_in_order(void **state)
{
	struct options o = {.name = "forget.pcap", .ring = 2u << 20, .keep_bytes = 1u << 20};
	struct npf_rec hdr = {.caplen = 200000, .len = 200000};
	static uint8_t large[200000];
	struct dump d;

	(void)state;
	/* Records longer than a chunk, between short ones. */
	start(&d, &o);
	for (uint64_t i = 0; i < 20000; i++) {
		give_all(&d, i, i + 1);
		if (i % 1000 == 500)
			assert_true(npf_writer_put(&d.p, &hdr, large));
		assert_true(d.p.pos - d.p.retro->floor <= 1u << 20);
	}
	stop(&d);
	assert_int_equal(d.n, 0);
}

static void a_triggered_file_counts_what_is_in_it(void **state)
{
	struct options o = {.name = "sums-%N.pcapng",
		.format = NPF_WRITER_PCAPNG,
		.ring = 16u << 20,
		.keep_bytes = 4u << 20,
		.keep_ns = 2000 * STEP_NS};
	uint64_t now = START_NS + 100000 * STEP_NS;
	const struct npf_writer_file_stats *s;
	struct dump d;

	(void)state;
	start(&d, &o);
	/* Of each two packets the filter takes one; 7 of the port's are lost before what is
	 * written, 5 within. */
	for (uint64_t i = 0; i < 10000; i++) {
		npf_writer_burst_begin(&d.p, 1);
		give_all(&d, i, i + 1);
		if (i == 1000)
			d.p.missed = 7;
		if (i == 9000)
			d.p.missed = 12;
	}
	assert_int_equal(npf_writer_retro_trigger(&d.p, 0), 0);
	npf_writer_tick(&d.p, now);
	wait_for_files(&d, 1);
	s = &d.stats[0];
	assert_int_equal(s->delivered, 2001);
	assert_int_equal(s->accepted, 2001);
	assert_int_equal(s->missed, 5);
	assert_int_equal(s->dropped, 0);
	/* Known to one chunk, 16 KiB: some 80 packets that passed, and as many that did not. */
	assert_in_range(s->received, 4002 - 1, 4002 + 100);
	assert_true(s->first_ns == START_NS + 7999 * STEP_NS);
	unlink(d.paths[0]);
	npf_writer_tick(&d.p, now + NPF_NS_PER_S);

	/* Of nothing, nothing is counted. */
	assert_int_equal(npf_writer_retro_trigger(&d.p, 0), 0);
	d.p.last_ns += 10 * o.keep_ns;
	npf_writer_tick(&d.p, now + 2 * NPF_NS_PER_S);
	wait_for_files(&d, 2);
	assert_int_equal(d.stats[1].delivered, 0);
	assert_int_equal(d.stats[1].received, 0);
	unlink(d.paths[1]);
	stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trigger_writes_what_came_before_it_and_after),
		cmocka_unit_test(packets_in_many_places_of_memory_are_forgotten_in_order),
		cmocka_unit_test(a_triggered_file_counts_what_is_in_it),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
