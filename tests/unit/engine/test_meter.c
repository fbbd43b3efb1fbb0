/* SPDX-License-Identifier: BSD-3-Clause */
/* Monitors: whatever the lcores and the worker do when, what is told adds up to what was counted,
 * interval by interval, on the schedule. */
#include "engine/monitor/collector.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define MS NPF_NS_PER_MS

static struct npf_meter *new_meter(unsigned int n_rows, unsigned int n_slots)
{
	struct npf_meter_conf conf = {
		.start_ns = 1000 * MS, .interval_ns = MS, .n_rows = n_rows, .n_slots = n_slots};
	struct npf_meter *m = npf_meter_new(&conf);

	assert_non_null(m);
	return m;
}

static void count_one(struct npf_meter *m, uint64_t mono_ns, uint32_t len)
{
	struct npf_meter_burst b;

	npf_meter_advance(m, mono_ns);
	npf_meter_burst_load(&b, &len, 1);
	assert_int_equal(npf_meter_count(m, 0, &b, NULL, mono_ns), 1);
}

static uint64_t collect_packets(struct npf_meter *m, uint64_t number)
{
	struct npf_wire_tally sum = {0};

	assert_true(npf_meter_is_closed(m, number));
	npf_meter_collect(m, number, &sum);
	return sum.packets;
}

static void a_packet_counts_in_the_interval_of_its_burst(void **state)
{
	struct npf_meter *m = new_meter(1, 8);

	(void)state;
	count_one(m, 1000 * MS, 100);
	count_one(m, 1001 * MS - 1, 100);
	assert_false(npf_meter_is_closed(m, 0));
	count_one(m, 1001 * MS, 100);
	assert_int_equal(collect_packets(m, 0), 2);
	assert_false(npf_meter_is_closed(m, 1));
	npf_meter_advance(m, 1004 * MS + MS / 2);
	assert_int_equal(collect_packets(m, 1), 1);
	assert_int_equal(collect_packets(m, 2), 0);
	assert_int_equal(collect_packets(m, 3), 0);
	assert_false(npf_meter_is_closed(m, 4));
	npf_meter_free(m);
}

static void bytes_are_counted_plainly_and_as_npf_did(void **state)
{
	static const uint32_t lens[] = {14, 60, 64, 65, 127, 128, 1514, 9018, 9019, 65535};
	static const uint64_t sizes[NPF_WIRE_N_SIZES] = {3, 2, 1, 0, 0, 1, 1, 2};
	struct npf_meter *m = new_meter(1, 4);
	struct npf_wire_tally sum = {0};
	uint64_t bytes = 0, npf_bytes = 0;
	struct npf_meter_burst b;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(lens); i++) {
		bytes += lens[i];
		npf_bytes += (lens[i] < 60 ? 60 : lens[i]) + 12;
	}
	npf_meter_burst_load(&b, lens, NPF_ARRAY_LEN(lens));
	assert_int_equal(npf_meter_count(m, 0, &b, NULL, 5), NPF_ARRAY_LEN(lens));
	npf_meter_advance(m, 1001 * MS);
	npf_meter_collect(m, 0, &sum);
	assert_int_equal(sum.packets, NPF_ARRAY_LEN(lens));
	assert_int_equal(sum.bytes, bytes);
	assert_int_equal(sum.npf_bytes, npf_bytes);
	assert_memory_equal(sum.sizes, sizes, sizeof(sizes));
	npf_meter_free(m);
}

static void a_full_burst_of_giants_does_not_overflow(void **state)
{
	struct npf_meter *m = new_meter(1, 4);
	struct npf_wire_tally sum = {0};
	uint32_t lens[NPF_METER_BURST];
	struct npf_meter_burst b;

	(void)state;
	for (unsigned int i = 0; i < NPF_METER_BURST; i++)
		lens[i] = (1u << 24) - 1;
	npf_meter_burst_load(&b, lens, NPF_METER_BURST);
	npf_meter_count(m, 0, &b, NULL, 5);
	npf_meter_advance(m, 1001 * MS);
	npf_meter_collect(m, 0, &sum);
	assert_int_equal(sum.packets, NPF_METER_BURST);
	assert_int_equal(sum.bytes, NPF_METER_BURST * ((1ull << 24) - 1));
	assert_int_equal(sum.npf_bytes, sum.bytes + 12 * NPF_METER_BURST);
	assert_int_equal(sum.sizes[7], NPF_METER_BURST);
	npf_meter_free(m);
}

static void only_what_the_filter_keeps_is_counted(void **state)
{
	struct npf_meter *m = new_meter(2, 4);
	/* What stands beyond the burst's end is not looked at. */
	uint32_t lens[] = {100, 200, 300, 400},
		 keep[NPF_METER_BURST] = {0, 96, 0, UINT32_MAX, 1, 1};
	struct npf_wire_tally sum[2] = {{0}};
	struct npf_meter_burst b;

	(void)state;
	npf_meter_burst_load(&b, lens, 4);
	assert_int_equal(npf_meter_count(m, 0, &b, NULL, 7), 4);
	assert_int_equal(npf_meter_count(m, 1, &b, keep, 7), 2);
	assert_int_equal(npf_meter_kept(keep, 4), 2);
	npf_meter_advance(m, 1001 * MS);
	npf_meter_collect(m, 0, sum);
	assert_int_equal(sum[0].bytes, 1000);
	assert_int_equal(sum[1].packets, 2);
	assert_int_equal(sum[1].bytes, 600);
	npf_meter_free(m);
}

static void the_peak_is_that_of_the_busiest_window(void **state)
{
	struct npf_meter *m = new_meter(1, 4);
	struct npf_wire_tally sum = {0};
	uint64_t at = 1000 * MS;

	(void)state;
	count_one(m, at + 10, 100);
	for (int i = 0; i < 5; i++)
		count_one(m, at + 3 * NPF_METER_WINDOW_NS + (uint64_t)i, 200);
	count_one(m, at + 4 * NPF_METER_WINDOW_NS, 900);
	count_one(m, at + 9 * NPF_METER_WINDOW_NS, 300);
	npf_meter_advance(m, at + MS);
	npf_meter_collect(m, 0, &sum);
	assert_int_equal(sum.peak_packets, 5);
	assert_int_equal(sum.peak_bytes, 1000);
	assert_int_equal(sum.first_ns, at + 10);
	assert_int_equal(sum.last_ns, at + 9 * NPF_METER_WINDOW_NS);
	npf_meter_free(m);
}

static void a_worker_that_lags_loses_and_doubles_nothing(void **state)
{
	struct npf_meter *m = new_meter(1, 4);
	uint64_t sum = 0, next = 0, n = 0;
	unsigned int seed = 1;

	(void)state;
	for (uint64_t ms = 0; ms < 5000; ms++) {
		for (unsigned int i = rand_r(&seed) % 4; i > 0; i--, n++)
			count_one(m, (1000 + ms) * MS + rand_r(&seed) % MS, 60);
		/* Mostly too seldom, at times far too seldom. */
		if (rand_r(&seed) % 16 == 0)
			while (npf_meter_is_closed(m, next) && rand_r(&seed) % 8 != 0)
				sum += collect_packets(m, next++);
	}
	for (int i = 0; i < 6000; i++) {
		npf_meter_advance(m, (7000 + (uint64_t)i) * MS);
		while (npf_meter_is_closed(m, next))
			sum += collect_packets(m, next++);
	}
	assert_int_equal(sum, n);
	assert_true(next >= 5000); /* and it has caught up */
	npf_meter_free(m);
}

static void a_clock_that_steps_back_a_little_does_no_harm(void **state)
{
	struct npf_meter *m = new_meter(1, 4);

	(void)state;
	count_one(m, 1001 * MS + 5, 60);
	count_one(m, 1001 * MS - 5, 60);
	npf_meter_advance(m, 1002 * MS);
	assert_int_equal(collect_packets(m, 0), 0);
	assert_int_equal(collect_packets(m, 1), 2);
	npf_meter_free(m);
}

/* ---- The worker, with lcores that are threads ---- */

struct told {
	uint64_t packets, bytes, intervals, last_end, uneven;
	unsigned int refuse; /* one call in so many */
	unsigned int calls;
};

static bool tell(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	struct told *t = arg;

	if (t->refuse > 0 && ++t->calls % t->refuse != 0)
		return false;
	t->packets += iv->rows[0].packets;
	t->bytes += iv->rows[0].npf_bytes;
	if (t->intervals != iv->number || (t->last_end != 0 && t->last_end != iv->start_ns) ||
		end_ns - iv->start_ns != iv->covers * MS)
		t->uneven++;
	t->intervals += iv->covers;
	t->last_end = end_ns;
	return true;
}

struct lcore {
	pthread_t thread;
	struct npf_meter *meter;
	pthread_mutex_t *lock; /* NULL: the meter is its own */
	_Atomic bool stop;
	uint64_t n;
};

static void *lcore_main(void *arg)
{
	struct lcore *l = arg;
	uint32_t lens[NPF_METER_BURST];
	struct npf_meter_burst b;
	unsigned int seed = 3;

	for (unsigned int i = 0; i < NPF_METER_BURST; i++)
		lens[i] = 60;
	while (!atomic_load(&l->stop)) {
		unsigned int n = 1 + rand_r(&seed) % NPF_METER_BURST;

		npf_meter_burst_load(&b, lens, n);
		if (l->lock != NULL)
			pthread_mutex_lock(l->lock);
		npf_meter_advance(l->meter, npf_clock_monotonic());
		l->n += npf_meter_count(l->meter, 0, &b, NULL, 1);
		if (l->lock != NULL)
			pthread_mutex_unlock(l->lock);
		if (rand_r(&seed) % 64 == 0)
			nanosleep(&(struct timespec){.tv_nsec = rand_r(&seed) % 300000}, NULL);
	}
	return NULL;
}

/* @finish: the end comes while an interval lasts. */
static void run_monitor(unsigned int refuse, bool finish, struct told *t)
{
	struct npf_collector_worker *ms = npf_collector_worker_new();
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct npf_collector_conf conf = {.interval_ns = MS,
		.n_rows = 1,
		.n_lcores = 2,
		.sent_lock = &lock,
		.sink = tell,
		.arg = t};
	struct npf_collector *m = npf_collector_new(&conf);
	struct lcore lcores[3] = {{0}}; /* and one that sends */
	uint64_t n = 0, seen = 0;
	struct npf_collector_view v;

	*t = (struct told){.refuse = refuse};
	assert_non_null(m);
	npf_collector_set_live(ms, m, true);
	assert_int_equal(npf_collector_start(ms, m), 0);
	for (int i = 0; i < 3; i++) {
		lcores[i].meter = npf_collector_meters(m)[i];
		lcores[i].lock = i == 2 ? &lock : NULL;
		pthread_create(&lcores[i].thread, NULL, lcore_main, &lcores[i]);
	}
	nanosleep(&(struct timespec){.tv_nsec = 300 * MS}, NULL);
	for (int i = 0; i < 3; i++) {
		atomic_store(&lcores[i].stop, true);
		pthread_join(lcores[i].thread, NULL);
		n += lcores[i].n;
	}
	if (finish) {
		npf_collector_stop(ms, m);
		npf_collector_finish(m);
		seen = n;
	}
	/* Nobody looks after the meters any more: the worker does. */
	npf_collector_set_live(ms, m, false);
	for (int i = 0; i < 500 && seen < n; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 10 * MS}, NULL);
		assert_int_equal(npf_collector_view(ms, m, &v), 0);
		seen = v.total[0].packets;
		free(v.last);
		free(v.total);
	}
	nanosleep(&(struct timespec){.tv_nsec = 50 * MS}, NULL);
	if (!finish)
		npf_collector_stop(ms, m);
	assert_true(n > 0);
	assert_int_equal(t->packets, n);
	assert_int_equal(t->bytes, n * 72);
	/* The last interval is cut short. */
	assert_true(t->uneven <= finish);
	npf_collector_free(m);
	npf_collector_worker_free(ms);
}

static void the_sum_over_all_intervals_is_what_all_lcores_counted(void **state)
{
	struct told t;

	(void)state;
	run_monitor(0, false, &t);
	assert_true(t.intervals >= 300);
}

static void a_sink_that_is_full_is_told_later_and_everything(void **state)
{
	struct told t;

	(void)state;
	run_monitor(5, false, &t);
}

static void a_monitor_that_is_finished_has_told_of_the_last_packet(void **state)
{
	struct told t;

	(void)state;
	run_monitor(0, true, &t);
	assert_true(t.intervals >= 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_counts_in_the_interval_of_its_burst),
		cmocka_unit_test(bytes_are_counted_plainly_and_as_npf_did),
		cmocka_unit_test(a_full_burst_of_giants_does_not_overflow),
		cmocka_unit_test(only_what_the_filter_keeps_is_counted),
		cmocka_unit_test(the_peak_is_that_of_the_busiest_window),
		cmocka_unit_test(a_worker_that_lags_loses_and_doubles_nothing),
		cmocka_unit_test(a_clock_that_steps_back_a_little_does_no_harm),
		cmocka_unit_test(the_sum_over_all_intervals_is_what_all_lcores_counted),
		cmocka_unit_test(a_sink_that_is_full_is_told_later_and_everything),
		cmocka_unit_test(a_monitor_that_is_finished_has_told_of_the_last_packet),
	};

	return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
