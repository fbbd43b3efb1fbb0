/* SPDX-License-Identifier: BSD-3-Clause */
/* From packets to files: what the producer was given is what libpcap reads back, whatever the
 * format and the way to the disk, cut where the limits say. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static void what_went_in_is_read_back(
	enum npf_writer_format format, bool plain, bool buffered, const char *name)
{
	struct dump d;

	/* 20 times around a ring of 2 MiB. */
	start(&d, &(struct options){.format = format,
			  .ring = 2u << 20,
			  .plain = plain,
			  .buffered = buffered,
			  .name = name});
	give_all(&d, 0, 120000);
	stop(&d);
	assert_int_equal(d.n, 1);
	assert_int_equal(d.packets[0], 120000);
	assert_string_equal(d.paths[0], d.pattern);
	expect_whole(d.paths[0], 0, format, 120000);
	unlink(d.paths[0]);
}

static void every_format_is_read_back_by_every_way_to_the_disk(void **state)
{
	(void)state;
	for (int format = 0; format < NPF_WRITER_N_FORMATS; format++) {
		what_went_in_is_read_back((enum npf_writer_format)format, false, false, "u.pcap");
		what_went_in_is_read_back((enum npf_writer_format)format, true, true, "p.pcap");
	}
	what_went_in_is_read_back(NPF_WRITER_PCAP, true, false, "d.pcap");
	what_went_in_is_read_back(NPF_WRITER_PCAP, false, true, "b.pcap");
}

static void files_are_cut_to_the_byte_and_together_hold_everything(void **state)
{
	struct options o = {.limits = {.file_size = 100000}, .name = "cut-%N.pcap"};
	uint64_t first = 0;
	struct stat st;
	struct dump d;

	(void)state;
	for (int format = 0; format < NPF_WRITER_N_FORMATS; format++) {
		o.format = (enum npf_writer_format)format;
		first = 0;
		start(&d, &o);
		give_all(&d, 0, 20000);
		stop(&d);
		assert_in_range(d.n, 60, 100);
		for (unsigned int i = 0; i < d.n; i++) {
			assert_int_equal(stat(d.paths[i], &st), 0);
			assert_int_equal(st.st_size, d.sizes[i]);
			assert_true(st.st_size <= 100000);
			/* The next record would not have fitted. */
			if (i + 1 < d.n)
				assert_true(st.st_size + 1514 + 32 > 100000);
			expect_whole(d.paths[i], first, o.format, d.packets[i]);
			first += d.packets[i];
			/* Nothing reserved is left behind. */
			assert_true(st.st_blocks * 512 <= NPF_ALIGN_UP(st.st_size, 4096l));
			unlink(d.paths[i]);
		}
		assert_int_equal(first, 20000);
	}
}

static void a_burst_that_goes_into_several_files_is_counted_where_it_went(void **state)
{
	struct options o = {.limits = {.file_packets = 10}, .name = "burst-%N.pcap"};
	static const uint8_t data[2048];
	struct npf_rec hdr = {.ts_ns = START_NS, .caplen = 64, .len = 64};
	struct dump d;

	(void)state;
	start(&d, &o);
	for (unsigned int burst = 0; burst < 10; burst++) {
		npf_writer_burst_begin(&d.p, 32);
		for (unsigned int i = 0; i < 32; i++) {
			/* A filter takes every other. */
			if (i % 2 == 1)
				continue;
			npf_writer_burst_pending(&d.p, 32 - i);
			assert_true(npf_writer_put(&d.p, &hdr, data));
		}
		npf_writer_burst_commit(&d.p);
	}
	stop(&d);
	assert_int_equal(d.n, 16);
	for (unsigned int i = 0; i < d.n; i++) {
		assert_int_equal(d.stats[i].delivered, 10);
		/* From the first in this file to the first in the next, or the last in this one. */
		assert_in_range(d.stats[i].received, 19, 20);
		unlink(d.paths[i]);
	}
}

static void the_limits_of_a_dump_hold_exactly(void **state)
{
	struct options o = {.limits = {.max_packets = 777}, .name = "max.pcap"};
	struct dump d;

	(void)state;
	start(&d, &o);
	for (uint64_t i = 0; i < 777; i++)
		give_all(&d, i, i + 1);
	/* Over with the last one, without another having to come. */
	assert_true(d.p.over);
	give_all(&d, 777, 1000);
	stop(&d);
	expect_whole(d.paths[0], 0, o.format, 777);
	unlink(d.paths[0]);

	for (uint64_t size = 24; size < 4000; size += 111) {
		uint64_t fit = 0, bytes = 24;

		while (bytes + 16 + length_of(fit) <= size)
			bytes += 16 + length_of(fit++);
		o.limits = (struct npf_writer_limits){.max_size = size};
		start(&d, &o);
		give_all(&d, 0, 100);
		stop(&d);
		assert_int_equal(d.sizes[0], bytes);
		expect_whole(d.paths[0], 0, o.format, fit);
		unlink(d.paths[0]);
	}
}

static void a_dump_of_nothing_is_an_empty_file(void **state)
{
	struct dump d;

	(void)state;
	for (int format = 0; format < NPF_WRITER_N_FORMATS; format++) {
		start(&d, &(struct options){
				  .format = (enum npf_writer_format)format, .name = "empty.pcap"});
		stop(&d);
		assert_int_equal(d.n, 1);
		expect_whole(d.paths[0], 0, (enum npf_writer_format)format, 0);
		unlink(d.paths[0]);
	}
}

static void a_full_ring_refuses_and_never_waits(void **state)
{
	struct options o = {.name = "full.pcap", .ring = 2u << 20, .no_worker = true};
	uint64_t put = 0;
	struct dump d;

	(void)state;
	start(&d, &o);
	for (uint64_t i = 0; i < 100000; i++) {
		if (put == i && give(&d, i))
			put++;
		else
			npf_writer_drop(&d.p, 1);
	}
	assert_true(d.p.pos <= d.ring->size);
	assert_true(d.p.pos + 1514 + 16 > d.ring->size);
	npf_writer_burst_commit(&d.p);
	assert_int_equal(atomic_load(&d.p.counters.drop_disk), 100000 - put);
	stop(&d); /* with a worker, for what is there */
	expect_whole(d.paths[0], 0, o.format, put);
	unlink(d.paths[0]);
}

static void an_idle_file_ends_when_its_time_is_over(void **state)
{
	struct options o = {.limits = {.file_time_ns = NPF_NS_PER_S}, .name = "idle-%s.pcap"};
	struct dump d;

	(void)state;
	start(&d, &o);
	give_all(&d, 0, 1); /* at .123 of a second, which is also the real time it is told */
	npf_writer_tick(&d.p, START_NS + 800 * NPF_NS_PER_MS);
	assert_true(d.p.rotation.open);
	npf_writer_tick(&d.p, START_NS + 880 * NPF_NS_PER_MS);
	assert_false(d.p.rotation.open);
	for (int i = 0; i < 200 && d.n == 0; i++)
		usleep(10000);
	assert_int_equal(d.n, 1);
	stop(&d);
	assert_int_equal(d.n, 1); /* no empty one comes after it */
	unlink(d.paths[0]);
}

static void expect_sums(struct dump *d)
{
	uint64_t received = 0, dropped = 0, missed = 0;

	for (unsigned int i = 0; i < d->n; i++) {
		assert_true(d->stats[i].received >= d->stats[i].accepted);
		assert_int_equal(d->stats[i].accepted, d->stats[i].delivered + d->stats[i].dropped);
		received += d->stats[i].received;
		dropped += d->stats[i].dropped;
		missed += d->stats[i].missed;
		unlink(d->paths[i]);
	}
	assert_int_equal(received, atomic_load(&d->p.counters.received));
	assert_int_equal(dropped, atomic_load(&d->p.counters.drop_disk));
	assert_int_equal(missed, d->p.missed);
}

/* The disk is full; the file's time passes, and none can follow until there is room again. */
static void a_file_that_was_opened_ahead_begins_with_its_first_packet(void **state)
{
	struct options o = {.name = "ahead.pcap"};
	struct dump d;

	(void)state;
	start(&d, &o);
	assert_int_equal(npf_writer_open_file(&d.p, START_NS + 1000 * NPF_NS_PER_S), 0);
	assert_true(npf_writer_has_room(&d.p));
	give_all(&d, 0, 10);
	stop(&d);
	assert_true(d.stats[0].first_ns == START_NS);
	assert_true(d.stats[0].last_ns == START_NS + 9 * STEP_NS);
	unlink(d.paths[0]);
}

static void what_is_lost_between_two_files_is_told_by_the_next(void **state)
{
	struct options o = {.format = NPF_WRITER_PCAPNG,
		.limits = {.file_time_ns = NPF_NS_PER_S},
		.name = "between-%N.pcapng",
		.ring = 2u << 20,
		.no_worker = true};
	uint64_t i = 0;
	struct dump d;

	(void)state;
	start(&d, &o);
	while (give(&d, i))
		i++;
	npf_writer_drop(&d.p, 1);
	npf_writer_tick(&d.p, START_NS + 1000 * NPF_NS_PER_S);
	assert_false(d.p.rotation.open);
	for (unsigned int n = 0; n < 100; n++)
		if (!give(&d, 10000 + n))
			npf_writer_drop(&d.p, 1);
	d.p.missed = 7;
	assert_int_equal(npf_writer_worker_start(&d.conf, &d.worker), 0);
	give_all(&d, 20000, 20001);
	stop(&d);
	assert_true(d.n >= 2);
	assert_int_equal(d.stats[d.n - 1].dropped, 100);
	assert_int_equal(d.stats[d.n - 1].missed, 7);
	/* Those that found no room at first came again. */
	assert_int_equal(d.stats[d.n - 1].delivered, 1);
	expect_sums(&d);
}

static void what_is_lost_after_the_last_file_is_told_by_an_empty_one(void **state)
{
	struct options o = {.limits = {.file_packets = 10}, .name = "after-%N.pcap"};
	struct dump d;

	(void)state;
	start(&d, &o);
	give_all(&d, 0, 10);
	assert_false(d.p.rotation.open);
	npf_writer_burst_begin(&d.p, 5);
	npf_writer_drop(&d.p, 5);
	d.p.missed = 3;
	npf_writer_burst_commit(&d.p);
	stop(&d);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.stats[1].delivered, 0);
	expect_sums(&d);
}

/* Two taps have counted far more than was merged by now, and let a part of it through. */
static void of_several_taps_a_file_has_received_what_it_took_and_more(void **state)
{
	struct options o = {.limits = {.file_packets = 100}, .name = "taps-%N.pcap"};
	uint64_t received = 0, accepted = 0, merged = 0;
	struct dump d;

	(void)state;
	start(&d, &o);
	for (unsigned int turn = 0; turn < 40; turn++) {
		if (turn < 10) {
			received += 300;
			accepted += 100;
		}
		/* Seen between the two counts of a burst. */
		npf_writer_merge_counts(
			&d.p, received + (turn % 3 == 0 && turn < 39 ? 32 : 0), accepted);
		for (unsigned int i = 0; i < 30 && merged < 990; i++)
			give_all(&d, merged, merged + 1), merged++;
		npf_writer_burst_commit(&d.p);
	}
	npf_writer_merge_counts(&d.p, received, accepted);
	assert_true(d.p.received < received);
	npf_writer_burst_commit(&d.p);
	assert_int_equal(atomic_load(&d.p.counters.received), received); /* what waits is seen */
	npf_writer_merge_end(&d.p); /* a lane had no room for ten */
	stop(&d);
	assert_int_equal(atomic_load(&d.p.counters.received), received);
	assert_int_equal(atomic_load(&d.p.counters.drop_disk), 10);
	assert_int_equal(d.n, 10);
	for (unsigned int i = 0; i < 9; i++)
		assert_int_equal(d.stats[i].delivered, 100);
	expect_sums(&d);
}

static void no_file_is_ever_overwritten(void **state)
{
	struct options o = {.name = "twice.pcap"};
	char expected[PATH_MAX];
	struct dump d;

	(void)state;
	start(&d, &o);
	give_all(&d, 0, 10);
	stop(&d);
	start(&d, &o);
	give_all(&d, 0, 20);
	stop(&d);
	snprintf(expected, sizeof(expected), "%s/twice-1.pcap", dir);
	assert_string_equal(d.paths[0], expected);
	expect_whole(expected, 0, o.format, 20);
	expect_whole(d.pattern, 0, o.format, 10);
	unlink(expected);
	unlink(d.pattern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_read_back_by_every_way_to_the_disk),
		cmocka_unit_test(files_are_cut_to_the_byte_and_together_hold_everything),
		cmocka_unit_test(a_burst_that_goes_into_several_files_is_counted_where_it_went),
		cmocka_unit_test(the_limits_of_a_dump_hold_exactly),
		cmocka_unit_test(a_dump_of_nothing_is_an_empty_file),
		cmocka_unit_test(a_full_ring_refuses_and_never_waits),
		cmocka_unit_test(an_idle_file_ends_when_its_time_is_over),
		cmocka_unit_test(a_file_that_was_opened_ahead_begins_with_its_first_packet),
		cmocka_unit_test(what_is_lost_between_two_files_is_told_by_the_next),
		cmocka_unit_test(what_is_lost_after_the_last_file_is_told_by_an_empty_one),
		cmocka_unit_test(of_several_taps_a_file_has_received_what_it_took_and_more),
		cmocka_unit_test(no_file_is_ever_overwritten),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
