/* SPDX-License-Identifier: BSD-3-Clause */
/* The playback thread of a configured send, against a lane whose worker is the test: whatever the
 * port takes and when, each packet goes exactly once a round. */
#include "engine/send/playback.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define N   100
#define LEN 60

static uint8_t data[N * LEN];
static struct npf_saved packets[N];
static struct npf_savefile file = {
	.data = data, .packets = packets, .n_packets = N, .max_len = LEN};

struct bench {
	struct npf_tx_lane *lane;
	struct npf_playback *playback;
	uint64_t taken; /* packets, repetitions counted */
	int skipping;
	uint32_t flags; /* of the frame taken last */
};

static int set_up(void **state)
{
	static struct bench b;

	b = (struct bench){.lane = NULL};
	*state = &b;
	for (unsigned int i = 0; i < N; i++) {
		packets[i] = (struct npf_saved){.off = i * LEN, .len = LEN};
		memset(data + i * LEN, (int)i, LEN);
	}
	file.bytes = sizeof(data);
	return npf_tx_lane_new(NPF_TX_MIN, NULL, &b.lane);
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	b->playback = npf_playback_stop(b->playback);
	npf_tx_lane_free(b->lane);
	return 0;
}

static void start(struct bench *b, uint64_t loops, uint32_t repeat)
{
	const struct npf_replay r = {.file = &file, .loops = loops, .repeat = repeat};

	assert_int_equal(npf_playback_start(&r, b->lane, &b->playback), 0);
}

/* As the send worker: takes up to max frames; the last max_sent.. of these fail, as does the rest
 * of their batch. Each that goes must be the next of the replay. */
static unsigned int work(struct bench *b, unsigned int max, unsigned int max_sent, uint32_t repeat)
{
	struct npf_tx_item it;
	unsigned int n = 0;

	while (n < max && npf_tx_lane_take(b->lane, &it) == 1) {
		b->flags = it.flags;
		if ((it.flags & NPF_TX_START) != 0)
			b->skipping = 0;
		if (n++ >= max_sent && b->skipping == 0)
			b->skipping = (it.flags & NPF_TX_NOWAIT) != 0 ? -EAGAIN : -ENOBUFS;
		if (b->skipping == 0) {
			assert_int_equal(((const uint8_t *)it.frame)[0], b->taken / repeat % N);
			assert_int_equal(it.repeat, repeat - b->taken % repeat);
			b->taken += it.repeat;
			npf_tx_lane_count(b->lane, it.repeat, 0, 0);
		} else {
			npf_tx_lane_count(b->lane, 0, it.repeat, b->skipping);
		}
		npf_tx_lane_settle(b->lane, it.end);
	}
	return n;
}

static struct npf_playback_view look(const struct bench *b)
{
	struct npf_playback_view v;

	npf_playback_view(b->playback, &v);
	return v;
}

/* Works until the playback is in that state, for at most five seconds. */
static void work_until(struct bench *b, enum npf_playback_state state, uint32_t repeat)
{
	uint64_t end = npf_clock_monotonic() + 5 * NPF_NS_PER_S;

	while (look(b).state != state && npf_clock_monotonic() < end)
		if (work(b, UINT32_MAX, UINT32_MAX, repeat) == 0)
			usleep(100);
	assert_int_equal(look(b).state, state);
}

static void nothing_is_put_before_the_port_runs(void **state)
{
	struct bench *b = *state;

	start(b, 1, 1);
	usleep(20000);
	assert_int_equal(work(b, UINT32_MAX, UINT32_MAX, 1), 0);
	assert_int_equal(look(b).state, NPF_PLAYBACK_WAITING);
	npf_playback_set_live(b->playback, true);
	work_until(b, NPF_PLAYBACK_DONE, 1);
	assert_int_equal(b->taken, N);
}

static void rounds_and_repetitions_are_put_as_asked_for(void **state)
{
	struct bench *b = *state;

	start(b, 70, 3);
	npf_playback_set_live(b->playback, true);
	work_until(b, NPF_PLAYBACK_DONE, 3);
	assert_int_equal(b->taken, 70 * 3 * N);
	assert_int_equal(look(b).stalls, 0);
}

static void a_stalled_port_gets_one_packet_at_a_time_and_loses_none(void **state)
{
	struct bench *b = *state;
	uint64_t sent;

	start(b, 50, 1);
	npf_playback_set_live(b->playback, true);
	while (work(b, 1, 1, 1) == 0)
		usleep(100);
	/* The first went; now 17 more do, and then none. */
	for (int i = 0; look(b).state != NPF_PLAYBACK_STALLED && i < 50000; i++)
		if (work(b, UINT32_MAX, b->taken < 18 ? 17 : 0, 1) == 0)
			usleep(100);
	assert_int_equal(look(b).state, NPF_PLAYBACK_STALLED);
	assert_int_equal(look(b).error, -ENOBUFS);
	sent = b->taken;
	assert_in_range(sent, 1, 18);
	/* The next try is a single packet, after a second. */
	usleep(1200000);
	assert_int_equal(work(b, UINT32_MAX, 0, 1), 1);
	assert_int_equal(b->flags, NPF_TX_START | NPF_TX_NOWAIT);
	assert_int_equal(b->taken, sent);
	work_until(b, NPF_PLAYBACK_DONE, 1);
	assert_int_equal(b->taken, 50 * N);
	assert_int_equal(look(b).stalls, 1);
	assert_int_equal(look(b).error, -ENOBUFS);
}

static void a_port_that_stops_pauses_it(void **state)
{
	struct bench *b = *state;
	uint64_t sent;

	start(b, 0, 1);
	npf_playback_set_live(b->playback, true);
	while (b->taken < 1000)
		work(b, UINT32_MAX, UINT32_MAX, 1);
	npf_playback_set_live(b->playback, false);
	/* As the worker does on a port that is stopped. */
	for (int i = 0; look(b).state != NPF_PLAYBACK_WAITING && i < 50000; i++)
		if (work(b, UINT32_MAX, 0, 1) == 0)
			usleep(100);
	assert_int_equal(look(b).state, NPF_PLAYBACK_WAITING);
	assert_int_equal(look(b).stalls, 0);
	sent = b->taken;
	usleep(20000);
	assert_int_equal(work(b, UINT32_MAX, UINT32_MAX, 1), 0);
	npf_playback_set_live(b->playback, true);
	while (b->taken < sent + 1000)
		work(b, UINT32_MAX, UINT32_MAX, 1);
}

/* With a full lane that nobody serves; with one that is served; before the port runs. */
static void it_can_be_stopped_at_any_time(void **state)
{
	struct bench *b = *state;
	uint64_t begin = npf_clock_monotonic();

	for (unsigned int i = 0; i < 30; i++) {
		start(b, 0, 1);
		if (i % 3 != 0)
			npf_playback_set_live(b->playback, true);
		for (unsigned int k = 0; i % 3 == 2 && k < 200; k++)
			if (work(b, 50, 50, 1) == 0)
				usleep(10);
		b->playback = npf_playback_stop(b->playback);
		npf_tx_lane_free(b->lane);
		assert_int_equal(npf_tx_lane_new(NPF_TX_MIN, NULL, &b->lane), 0);
		b->taken = 0;
	}
	assert_true(npf_clock_monotonic() - begin < 10 * NPF_NS_PER_S);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_put_before_the_port_runs),
		TEST(rounds_and_repetitions_are_put_as_asked_for),
		TEST(a_stalled_port_gets_one_packet_at_a_time_and_loses_none),
		TEST(a_port_that_stops_pauses_it),
		TEST(it_can_be_stopped_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
