/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hostile.c - what a client can do to the engine by the words that it can write.
 *
 * The whole of its power: to end its own lanes, to go without a wake-up, to be woken for nothing.
 */
#include "pair.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "ringbuf/lane.h"

#define SIZE NPF_BUFFER_MIN

/* A two-lane buffer whose state can be put back: the lie of one trial must not outlive it. */
struct bench {
	struct pair p;
	struct npf_cw *cw;
	struct npf_lane lane[2];
	struct npf_pw_lane pw[2];
};

static void bench_init(struct bench *t, uint64_t start_pos)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2, .start_pos = start_pos};
	struct npf_view v;

	pair_init(&t->p, &conf);
	t->cw = (struct npf_cw *)t->p.b->cw_mem.addr;
	/* Lane 0: 20 records read, 40 more there. */
	for (uint64_t n = 0; n < 60; n++)
		put(pair_lane(&t->p, 0), n, 468, n);
	npf_lane_commit(pair_lane(&t->p, 0), 60);
	npf_lane_tick(pair_lane(&t->p, 1), 60, 60);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(npf_reader_next(t->p.r, &v), 1);
	npf_reader_release(t->p.r);
	put(pair_lane(&t->p, 0), 60, 468, 60);
	/* The producer knows the position: it looked when it had to. */
	for (unsigned int i = 0; i < 2; i++) {
		t->lane[i] = t->p.b->lane[i];
		memcpy(&t->pw[i], &t->p.b->pw->lane[i], sizeof(t->pw[i]));
	}
}

static void bench_restore(struct bench *t, const struct npf_cw_lane *cw)
{
	for (unsigned int i = 0; i < 2; i++) {
		t->p.b->lane[i] = t->lane[i];
		memcpy(&t->p.b->pw->lane[i], &t->pw[i], sizeof(t->pw[i]));
	}
	memcpy(&t->cw->lane[0], cw, sizeof(*cw));
}

/* Write as much as there is room for; return how much that was. */
static uint64_t fill_up(struct npf_lane *l)
{
	uint64_t bytes = 0;

	while (npf_lane_reserve(l, 4064))
		bytes += npf_rec_space(4064);
	while (npf_lane_reserve(l, 0))
		bytes += npf_rec_space(0);
	return bytes;
}

static void any_position_but_a_possible_one_ends_the_lane(uint64_t start_pos)
{
	struct npf_cw_lane before;
	struct bench t;
	uint64_t tail, head, believed;

	bench_init(&t, start_pos);
	memcpy(&before, &t.cw->lane[0], sizeof(before));
	believed = t.lane[0].tail;
	tail = atomic_load(&t.cw->lane[0].tail);
	head = t.lane[0].committed;
	assert_int_equal(tail - start_pos, 20 * npf_rec_space(468));
	assert_int_equal(head - tail, 40 * npf_rec_space(468));

	/* Each value within three rings around the truth, then some of every magnitude. */
	for (uint64_t k = 0; k < 6 * SIZE + 4 * 64; k++) {
		uint64_t far = k - 6 * SIZE;
		uint64_t lie = k < 6 * SIZE        ? believed - 3 * SIZE + k
			       : far / 4 % 64 == 0 ? far
						   : (1ull << (far / 4)) - 1 + far % 4;
		bool possible = lie - believed <= head - believed && lie % NPF_REC_ALIGN == 0;
		struct npf_lane *l = pair_lane(&t.p, 0);
		uint64_t room;

		atomic_store(&t.cw->lane[0].tail, lie);
		room = fill_up(l);
		if (possible) {
			uint64_t free = SIZE - (l->head - lie);

			assert_int_equal(npf_lane_fault(l), 0);
			assert_true(free < npf_rec_space(0));
			assert_true(l->head - lie <= SIZE);
			assert_true(room + npf_rec_space(468) <= SIZE - (head - lie));
		} else {
			assert_int_equal(npf_lane_fault(l), -EPROTO);
			assert_true(l->head - believed <= SIZE); /* nothing more was believed */
			assert_null(npf_lane_reserve(l, 0));
			assert_false(npf_lane_put(l, &(struct npf_rec){.caplen = 1}, "x"));
		}
		npf_lane_commit(l, 61);
		npf_lane_tick(l, 61, 61);
		assert_true(npf_buffer_used(t.p.b) <= 2 * SIZE);
		bench_restore(&t, &before);
	}
	/* The other lane has not noticed. */
	assert_int_equal(fill_up(pair_lane(&t.p, 1)), SIZE);
	assert_int_equal(npf_lane_fault(pair_lane(&t.p, 1)), 0);
	pair_fini(&t.p);
}

static void any_position_but_a_possible_one_ends_the_lane_0(void **state)
{
	(void)state;
	any_position_but_a_possible_one_ends_the_lane(0);
}

static void any_position_but_a_possible_one_ends_the_lane_2_to_the_64(void **state)
{
	(void)state;
	any_position_but_a_possible_one_ends_the_lane(-20 * 512ull);
}

static void going_back_ends_the_lane(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 1};
	struct pair p;
	struct npf_cw *cw;
	struct npf_view v;

	(void)state;
	pair_init(&p, &conf);
	cw = (struct npf_cw *)p.b->cw_mem.addr;
	while (put(pair_lane(&p, 0), 1, 1000, 1))
		;
	npf_lane_commit(pair_lane(&p, 0), 1);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(npf_reader_next(p.r, &v), 1);
	npf_reader_release(p.r);
	while (put(pair_lane(&p, 0), 1, 1000, 1))
		;
	npf_lane_commit(pair_lane(&p, 0), 1);
	atomic_store(&cw->lane[0].tail, npf_rec_space(1000) * 9);
	assert_null(npf_lane_reserve(pair_lane(&p, 0), 1000));
	assert_int_equal(npf_lane_fault(pair_lane(&p, 0)), -EPROTO);
	pair_fini(&p);
}

static void the_other_words_can_only_spoil_the_clients_own_sleep(void **state)
{
	static const uint64_t values[] = {0, 1, 2, 3, 15, 16, 17, 59, 60, 61, SIZE - 1, SIZE,
		SIZE + 1, 1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};
	struct npf_cw_lane before;
	struct bench t;

	(void)state;
	bench_init(&t, 0);
	memcpy(&before, &t.cw->lane[0], sizeof(before));
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(values); i++) {
		for (unsigned int j = 0; j < NPF_ARRAY_LEN(values); j++) {
			for (unsigned int k = 0; k < NPF_ARRAY_LEN(values); k++) {
				struct npf_lane *l = pair_lane(&t.p, 0);
				unsigned int wakes = 0;

				atomic_store(&t.cw->sleep_seq, values[i]);
				atomic_store(&t.cw->hold_ns, values[j]);
				atomic_store(&t.cw->lane[0].seen, values[k]);
				for (uint64_t now = 61; now < 65; now++) {
					assert_non_null(npf_lane_reserve(l, 100));
					wakes += npf_lane_commit(l, now);
					wakes += npf_lane_tick(l, now, now);
				}
				assert_true(wakes <= 1); /* one sleep, one wake-up */
				assert_int_equal(npf_lane_fault(l), 0);
				bench_restore(&t, &before);
			}
		}
	}
	pair_fini(&t.p);
}

/* A client that writes nonsense into its words as fast as it can, until it is killed. */
static void scribble(int cw_fd, size_t size)
{
	uint64_t seed = (uint64_t)getpid();
	uint64_t *words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cw_fd, 0);

	if (words == MAP_FAILED)
		_exit(1);
	for (uint64_t i = 0;; i++) {
		uint64_t r = random_next(&seed);

		if (i % 1024 == 0)
			fallocate(cw_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size);
		__atomic_store_n(&words[i % (size / 8)], r >> (r % 64), __ATOMIC_RELAXED);
	}
}

static void a_client_that_scribbles_harms_no_other_session(void **state)
{
	struct npf_buffer_conf conf = {.size = SIZE, .n_lanes = 2};
	struct pair victim, attacker;
	uint64_t until, n = 0, got = 0, faults = 0;
	int fds[NPF_BUFFER_NFDS], status;
	pid_t child;

	(void)state;
	pair_init(&victim, &conf);
	pair_init(&attacker, &conf);
	npf_buffer_fds(attacker.b, fds);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		scribble(fds[1], attacker.b->cw_mem.size);

	until = npf_clock_monotonic() + NPF_NS_PER_S / 2;
	while (npf_clock_monotonic() < until) {
		/* A new lane for each one that it spoils: it has every chance. */
		for (unsigned int i = 0; i < 2; i++) {
			struct npf_lane *l = pair_lane(&attacker, i);

			if (npf_lane_fault(l)) {
				npf_buffer_free(attacker.b);
				assert_int_equal(npf_buffer_new(&conf, &attacker.b), 0);
				faults++;
				kill(child, SIGKILL);
				waitpid(child, &status, 0);
				npf_buffer_fds(attacker.b, fds);
				child = fork();
				assert_true(child >= 0);
				if (child == 0)
					scribble(fds[1], attacker.b->cw_mem.size);
				break;
			}
			for (unsigned int k = 0; k < 100; k++)
				put(l, k, k, k);
			npf_lane_commit(l, n);
			npf_lane_tick(l, n, n);
			npf_buffer_used(attacker.b);
		}
		for (unsigned int k = 0; k < 20; k++, n++)
			assert_true(put(pair_lane(&victim, n % 2), n, n % 500, n));
		npf_lane_commit(pair_lane(&victim, 0), n);
		npf_lane_commit(pair_lane(&victim, 1), n);
		for (; got < n; got++)
			next_is(&victim, got, got % 500, got);
	}
	assert_true(faults > 0);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	pair_fini(&victim);
	pair_fini(&attacker);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_position_but_a_possible_one_ends_the_lane_0),
		cmocka_unit_test(any_position_but_a_possible_one_ends_the_lane_2_to_the_64),
		cmocka_unit_test(going_back_ends_the_lane),
		cmocka_unit_test(the_other_words_can_only_spoil_the_clients_own_sleep),
		cmocka_unit_test(a_client_that_scribbles_harms_no_other_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
