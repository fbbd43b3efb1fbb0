/* SPDX-License-Identifier: BSD-3-Clause */
/* test_burst.c - a burst leaves in a lane what its packets, put one by one, leave in another. */
#include "pair.h"

#include "ringbuf/lane.h"

#define BURST  64
#define ROUNDS 3000

static uint64_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Mostly short, sometimes none, sometimes longer than a lane or than any record may be. */
static uint32_t any_caplen(void)
{
	switch (below(64)) {
	case 0:
		return 0;
	case 1:
		return NPF_BUFFER_MIN - 32 + below(40);
	case 2:
		return NPF_REC_MAXCAP - 1 + below(3);
	case 3:
		return below(9000);
	default:
		return below(300);
	}
}

/* Read some records of both: they are the same. */
static void read_some(struct pair *one, struct pair *burst, unsigned int n)
{
	for (; n > 0; n--) {
		struct npf_view a, b;
		int rc = npf_reader_next(one->r, &a);

		assert_int_equal(npf_reader_next(burst->r, &b), rc);
		if (rc == 0)
			return;
		assert_int_equal(rc, 1);
		assert_int_equal(a.ts_ns, b.ts_ns);
		assert_int_equal(a.caplen, b.caplen);
		assert_int_equal(a.len, b.len);
		assert_int_equal(a.gap, b.gap);
		assert_int_equal(a.flags, b.flags);
		assert_int_equal(a.filter_gen, b.filter_gen);
		assert_int_equal(a.port, b.port);
		assert_int_equal(a.queue, b.queue);
		assert_memory_equal(a.data, b.data, a.caplen);
	}
}

static void lanes_are_equal(struct pair *one, struct pair *burst)
{
	const struct npf_lane *a = pair_lane(one, 0), *b = pair_lane(burst, 0);
	struct npf_ring_counters x, y;

	assert_int_equal(a->head, b->head);
	assert_int_equal(a->head_off, b->head_off);
	assert_int_equal(a->room, b->room);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->gap, b->gap);
	assert_int_equal(a->floor, b->floor);
	npf_buffer_counters(one->b, &x);
	npf_buffer_counters(burst->b, &y);
	assert_memory_equal(&x, &y, sizeof(x));
}

static void compare(bool overwrite, uint64_t start_pos)
{
	static uint8_t data[NPF_REC_MAXCAP + 64];
	const struct npf_buffer_conf conf = {.size = NPF_BUFFER_MIN,
		.n_lanes = 1,
		.overwrite = overwrite,
		.start_pos = start_pos};
	struct pair one, burst;
	uint64_t n_full = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = packet_byte(i, 0);
	pair_init(&one, &conf);
	pair_init(&burst, &conf);
	for (uint64_t n = 0; n < ROUNDS; n++) {
		struct npf_rec hdr[BURST];
		const uint8_t *at[BURST];
		uint32_t caplen[BURST];
		uint64_t mask = 0;
		struct npf_lane_burst b = {hdr, at, caplen, (uint16_t)below(65536)};

		for (unsigned int i = 0; i < BURST; i++) {
			const uint64_t bit = below(4) > 0;

			hdr[i] = (struct npf_rec){.ts_ns = n * 100 + i,
				.len = below(UINT16_MAX) << 8,
				.flags = (uint16_t)below(65536),
				.port = (uint16_t)below(65536),
				.queue = (uint16_t)below(65536)};
			caplen[i] = any_caplen();
			at[i] = data + below(32);
			mask |= bit << i;
			if (bit == 0)
				continue;
			hdr[i].caplen = caplen[i];
			hdr[i].filter_gen = b.filter_gen;
			n_full += !npf_lane_put(pair_lane(&one, 0), &hdr[i], at[i]);
			hdr[i].caplen = below(1000);
			hdr[i].filter_gen = 1;
		}
		npf_lane_put_burst(pair_lane(&burst, 0), &b, mask);
		lanes_are_equal(&one, &burst);
		npf_lane_commit(pair_lane(&one, 0), n * 100 + BURST);
		npf_lane_commit(pair_lane(&burst, 0), n * 100 + BURST);
		read_some(&one, &burst, below(100));
		npf_reader_release(one.r);
		npf_reader_release(burst.r);
	}
	assert_in_range(n_full, 100, (uint64_t)ROUNDS * BURST / 2);
	read_some(&one, &burst, UINT32_MAX);
	pair_fini(&one);
	pair_fini(&burst);
}

static void a_lane_that_drops(void **state)
{
	(void)state;
	compare(false, 0);
	compare(false, UINT64_MAX - 5 * NPF_BUFFER_MIN / 2 + 1);
}

static void a_lane_that_overwrites(void **state)
{
	(void)state;
	compare(true, 0);
}

static void a_closed_lane_takes_nothing(void **state)
{
	const struct npf_rec hdr = {.len = 60};
	const uint8_t *data = (const uint8_t *)&hdr;
	const uint32_t caplen = 20;
	struct npf_ring_counters c;
	struct pair p;

	(void)state;
	pair_init(&p, &(struct npf_buffer_conf){.size = NPF_BUFFER_MIN, .n_lanes = 1});
	npf_lane_close(pair_lane(&p, 0));
	npf_lane_put_burst(pair_lane(&p, 0), &(struct npf_lane_burst){&hdr, &data, &caplen, 0}, 1);
	npf_buffer_counters(p.b, &c);
	assert_int_equal(c.packets, 0);
	assert_int_equal(c.drop[NPF_DROP_FULL], 1);
	pair_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lane_that_drops),
		cmocka_unit_test(a_lane_that_overwrites),
		cmocka_unit_test(a_closed_lane_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
