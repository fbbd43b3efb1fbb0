/* SPDX-License-Identifier: BSD-3-Clause */
/* Tx lanes: what a client puts in comes out as it was, in order and once; a client that lies is
 * caught, and harms nobody else. */
#include "ringbuf/tx/tx.h"

#include "ringbuf/tx/layout.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct pair {
	struct npf_tx_lane *lane;
	struct npf_tx *tx;
	int socks[2];
};

static int make_pair(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fds[NPF_TX_NFDS], copies[NPF_TX_NFDS];

	assert_int_equal(npf_tx_lane_new(NPF_TX_MIN, NULL, &p->lane), 0);
	npf_tx_lane_fds(p->lane, fds);
	for (int i = 0; i < NPF_TX_NFDS; i++)
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
	assert_int_equal(npf_tx_map(copies, &p->tx), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p->socks), 0);
	*state = p;
	return 0;
}

static int free_pair(void **state)
{
	struct pair *p = *state;

	npf_tx_unmap(p->tx);
	npf_tx_lane_free(p->lane);
	npf_close(p->socks[0]);
	npf_close(p->socks[1]);
	free(p);
	return 0;
}

/* The client's memory, as a hostile client has it. */
static struct npf_txc *words_of(const struct pair *p)
{
	int fds[NPF_TX_NFDS];
	void *at;

	npf_tx_lane_fds(p->lane, fds);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static struct npf_tx_rec *data_of(const struct pair *p)
{
	int fds[NPF_TX_NFDS];
	void *at;

	npf_tx_lane_fds(p->lane, fds);
	at = mmap(NULL, NPF_TX_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, fds[2], 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static void frames_come_out_as_they_were_put_in(void **state)
{
	struct pair *p = *state;
	struct npf_tx_item it;
	uint8_t frame[2000];
	uint64_t n = 0;

	/* Many times around the lane, with every length. */
	for (uint32_t round = 0; round < 200; round++) {
		uint32_t put = 0;

		for (;; put++) {
			uint32_t len = 1 + (round * 37 + put * 11) % 2000;

			memset(frame, (int)(put & 0xff), len);
			if (npf_tx_put(p->tx, frame, len, put + 1, put * 5, NPF_TX_TIMED) < 0)
				break;
		}
		npf_tx_flush(p->tx);
		for (uint32_t i = 0; i < put; i++, n++) {
			uint32_t len = 1 + (round * 37 + i * 11) % 2000;

			assert_int_equal(npf_tx_lane_take(p->lane, &it), 1);
			assert_int_equal(it.len, len);
			assert_int_equal(it.repeat, i + 1);
			assert_int_equal(it.at_ns, i * 5);
			assert_int_equal(it.flags, NPF_TX_TIMED);
			memset(frame, (int)(i & 0xff), len);
			assert_memory_equal(it.frame, frame, len);
			npf_tx_lane_settle(p->lane, it.end);
		}
		assert_int_equal(npf_tx_lane_take(p->lane, &it), 0);
	}
	assert_true(n > 5000);
}

static void a_few_frames_wait_to_be_flushed_and_many_do_not(void **state)
{
	struct pair *p = *state;
	struct npf_tx_item it;
	uint8_t frame[64] = {0};
	unsigned int n = 0;

	for (int round = 0; round < 2; round++) {
		assert_int_equal(npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0), 0);
		assert_int_equal(npf_tx_lane_take(p->lane, &it), 0);
		npf_tx_flush(p->tx);
		assert_int_equal(npf_tx_lane_take(p->lane, &it), 1);
	}
	while (npf_tx_lane_take(p->lane, &it) == 0) {
		assert_int_equal(npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0), 0);
		n++;
	}
	assert_in_range(n, 2, 100);
}

static void a_full_lane_takes_no_more_until_something_is_settled(void **state)
{
	struct pair *p = *state;
	struct npf_tx_item it;
	uint8_t frame[1000] = {0};
	uint64_t bytes = 0;

	while (npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0) == 0)
		bytes += npf_tx_space(sizeof(frame));
	assert_true(bytes > NPF_TX_MIN - 2 * npf_tx_space(sizeof(frame)));
	npf_tx_flush(p->tx);
	assert_int_equal(npf_tx_lane_take(p->lane, &it), 1);
	assert_int_equal(npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0), -EAGAIN);
	npf_tx_lane_settle(p->lane, it.end);
	assert_int_equal(npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0), 0);
}

static void what_can_never_be_sent_is_not_taken(void **state)
{
	struct pair *p = *state;
	static uint8_t frame[NPF_TX_MAXFRAME + 1];

	assert_int_equal(npf_tx_put(p->tx, frame, 0, 1, 0, 0), -EINVAL);
	assert_int_equal(npf_tx_put(p->tx, frame, 60, 0, 0, 0), -EINVAL);
	assert_int_equal(npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0), -EMSGSIZE);
	assert_int_equal(npf_tx_put(p->tx, frame, NPF_TX_MIN / 2, 1, 0, 0), -EMSGSIZE);
}

/* What a client could write, and the engine must refuse. */
static const struct {
	uint64_t head;
	struct npf_tx_rec rec;
} lies[] = {
	{NPF_TX_MIN + 8, {.len = 60, .repeat = 1}},  /* more than the lane holds */
	{UINT64_MAX - 7, {.len = 60, .repeat = 1}},  /* before the start */
	{88 + 3, {.len = 60, .repeat = 1}},          /* not aligned */
	{16, {.len = 60, .repeat = 1}},              /* half a record */
	{80, {.len = 60, .repeat = 1}},              /* the frame is not all there */
	{88, {.len = UINT32_MAX, .repeat = 1}},      /* a length that wraps */
	{88, {.len = UINT32_MAX - 23, .repeat = 1}}, /* ... to nothing */
	{NPF_TX_MIN, {.len = NPF_TX_MAXFRAME + 1, .repeat = 1}},
	{88, {.len = 0, .repeat = 1}},
	{88, {.len = 60, .repeat = 0}},
	{88, {.len = 60, .repeat = 1, .flags = 0x8}},
};

static void a_lying_client_is_caught_and_stays_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(lies); i++) {
		struct pair *p;
		struct npf_tx_item it;
		struct npf_txc *words;
		struct npf_tx_rec *rec;

		make_pair((void **)&p);
		words = words_of(p);
		rec = data_of(p);
		*rec = lies[i].rec;
		atomic_store(&words->head, lies[i].head);
		if (npf_tx_lane_take(p->lane, &it) != -EPROTO)
			fail_msg("lie %zu is believed", i);
		assert_int_equal(npf_tx_lane_fault(p->lane), -EPROTO);
		atomic_store(&words->head, 0);
		assert_int_equal(npf_tx_lane_take(p->lane, &it), -EPROTO);
		munmap(words, 4096);
		munmap(rec, NPF_TX_MIN);
		free_pair((void **)&p);
	}
}

static void a_head_that_goes_back_is_caught(void **state)
{
	struct pair *p = *state;
	struct npf_txc *words = words_of(p);
	struct npf_tx_item it;
	uint8_t frame[64] = {0};

	for (int i = 0; i < 4; i++)
		assert_int_equal(npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0), 0);
	npf_tx_flush(p->tx);
	for (int i = 0; i < 4; i++)
		assert_int_equal(npf_tx_lane_take(p->lane, &it), 1);
	atomic_store(&words->head, npf_tx_space(sizeof(frame)));
	assert_int_equal(npf_tx_lane_take(p->lane, &it), -EPROTO);
	munmap(words, 4096);
}

static void the_client_cannot_write_the_engines_words_or_change_a_size(void **state)
{
	struct pair *p = *state;
	int fds[NPF_TX_NFDS];

	npf_tx_lane_fds(p->lane, fds);
	assert_ptr_equal(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0), MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		assert_int_not_equal(ftruncate(fds[i], 0), 0);
		assert_int_not_equal(ftruncate(fds[i], 1 << 24), 0);
	}
}

static void what_was_taken_back_is_cut_and_nothing_else(void **state)
{
	struct pair *p = *state;
	struct npf_tx_item first, second;
	uint8_t frame[64] = {0};

	npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, NPF_TX_START);
	npf_tx_flush(p->tx);
	npf_tx_cancel(p->tx);
	npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, NPF_TX_START);
	npf_tx_flush(p->tx);
	assert_int_equal(npf_tx_lane_take(p->lane, &first), 1);
	assert_int_equal(npf_tx_lane_take(p->lane, &second), 1);
	assert_true(npf_tx_lane_is_canceled(p->lane, first.end));
	assert_false(npf_tx_lane_is_canceled(p->lane, second.end));
	npf_tx_lane_settle(p->lane, first.end);
	assert_false(npf_tx_lane_is_canceled(p->lane, second.end));
}

static void counts_and_errors_reach_the_client(void **state)
{
	struct pair *p = *state;
	struct npf_tx_state st;

	npf_tx_lane_count(p->lane, 10, 0, 0);
	npf_tx_lane_count(p->lane, 3, 2, -ENOBUFS);
	npf_tx_state(p->tx, &st);
	assert_int_equal(st.sent, 13);
	assert_int_equal(st.failed, 2);
	assert_int_equal(st.error, -ENOBUFS);
}

static void classes_of_lateness_are_close_and_in_order(void **state)
{
	unsigned int last = 0;

	(void)state;
	for (uint64_t ns = 0; ns < 10000000; ns = ns < 100 ? ns + 1 : ns + ns / 50) {
		unsigned int class = npf_tx_class(ns);

		assert_true(class >= last && class < NPF_TX_CLASSES);
		assert_true(npf_tx_class_end(class) >= ns);
		assert_true(npf_tx_class_end(class) <= ns + ns / 4 + 1);
		assert_int_equal(npf_tx_class(npf_tx_class_end(class)), class);
		last = class;
	}
	assert_int_equal(npf_tx_class(UINT64_MAX), NPF_TX_CLASSES - 1);
}

static void lateness_is_told_by_fraction(void **state)
{
	struct pair *p = *state;
	struct npf_tx_state st;

	npf_tx_lane_state(p->lane, &st);
	assert_int_equal(npf_tx_late(&st, 0.5), 0);
	for (int i = 0; i < 98; i++)
		npf_tx_lane_late(p->lane, 100);
	npf_tx_lane_late(p->lane, 5000);
	npf_tx_lane_late(p->lane, 70000);
	npf_tx_lane_state(p->lane, &st);
	assert_in_range(npf_tx_late(&st, 0.5), 100, 125);
	assert_in_range(npf_tx_late(&st, 0.99), 5000, 6250);
	assert_int_equal(npf_tx_late(&st, 1.0), 70000);
	assert_int_equal(st.late_max_ns, 70000);
}

static void waiting_ends_when_the_engine_is_gone(void **state)
{
	struct pair *p = *state;
	uint8_t frame[64] = {0};

	npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0);
	assert_int_equal(npf_tx_wait(p->tx, 0, p->socks[0], 20), -ETIMEDOUT);
	p->socks[1] = npf_close(p->socks[1]);
	assert_int_equal(npf_tx_wait(p->tx, 0, p->socks[0], -1), -EPIPE);
}

/* An engine that sleeps whenever there is nothing to do, and a client that waits whenever it
 * likes: nobody oversleeps. */
struct engine {
	struct npf_tx_lane *lane;
	uint64_t n;
	uint64_t sum;
};

/* Each descriptor that both sides have, with the flags and the contents that hurt most. */
static void what_a_client_does_to_descriptors_keeps_the_engine_from_nothing(void **state)
{
	struct pair *p = *state;
	struct npf_txc *words = words_of(p);
	struct npf_tx_item it;
	uint8_t frame[100] = {0};
	int fds[NPF_TX_NFDS];

	alarm(60);
	signal(SIGPIPE, SIG_IGN);
	npf_tx_lane_fds(p->lane, fds);
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t value = UINT64_MAX - 1;

		/* Empty and blocking, so that a read waits; or full and blocking. */
		for (int k = 3; k < NPF_TX_NFDS; k++) {
			fcntl(fds[k], F_SETFL, O_NONBLOCK);
			npf_doorbell_drain(fds[k]);
			if (i % 2 != 0 && write(fds[k], &value, sizeof(value)) < 0)
				assert_true(errno == EPIPE);
			fcntl(fds[k], F_SETFL, 0);
		}
		assert_int_equal(npf_tx_put(p->tx, frame, sizeof(frame), 1, 0, 0), 0);
		npf_tx_lane_sleep(p->lane);
		npf_tx_lane_awake(p->lane);
		words->head += npf_tx_space(sizeof(frame));
		words->wake_at = words->head;
		assert_int_equal(npf_tx_lane_take(p->lane, &it), 1);
		npf_tx_lane_count(p->lane, 1, 0, 0);
		npf_tx_lane_settle(p->lane, it.end);
		npf_tx_lane_wake_due(p->lane);
	}
	alarm(0);
	munmap(words, 4096);
}

static void *engine_main(void *arg)
{
	struct engine *e = arg;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int set = epoll_create1(EPOLL_CLOEXEC);
	uint64_t seen = 0;

	if (epoll_ctl(set, EPOLL_CTL_ADD, npf_tx_lane_kick(e->lane), &ev) < 0)
		return NULL;
	while (seen < e->n) {
		struct npf_tx_item it;
		uint64_t value;

		if (npf_tx_lane_take(e->lane, &it) == 1) {
			memcpy(&value, it.frame, sizeof(value));
			e->sum += value;
			seen++;
			npf_tx_lane_count(e->lane, 1, 0, 0);
			npf_tx_lane_settle(e->lane, it.end);
			continue;
		}
		if (npf_tx_lane_sleep(e->lane)) {
			/* An edge, for ever: a lost kick makes a test that hangs, not one that
			 * spins. */
			if (epoll_wait(set, &ev, 1, -1) != 1)
				break;
		}
		npf_tx_lane_awake(e->lane);
	}
	npf_close(set);
	return NULL;
}

static void nobody_oversleeps(void **state)
{
	struct pair *p = *state;
	struct engine e = {.lane = p->lane, .n = 100000};
	struct npf_tx_state st;
	unsigned int seed = 5;
	uint64_t sum = 0;
	pthread_t thread;
	uint8_t frame[200] = {0};

	pthread_create(&thread, NULL, engine_main, &e);
	for (uint64_t i = 0; i < e.n; i++) {
		sum += i;
		memcpy(frame, &i, sizeof(i));
		while (npf_tx_put(p->tx, frame, 8 + (uint32_t)(rand_r(&seed) % 190), 1, 0, 0) ==
			-EAGAIN)
			assert_int_equal(npf_tx_wait(p->tx, NPF_TX_MIN / 2, p->socks[0], 20000), 0);
		if (rand_r(&seed) % 64 == 0)
			npf_tx_flush(p->tx);
		if (rand_r(&seed) % 512 == 0)
			assert_int_equal(npf_tx_wait(p->tx, 0, p->socks[0], 20000), 0);
	}
	assert_int_equal(npf_tx_wait(p->tx, 0, p->socks[0], 20000), 0);
	npf_tx_state(p->tx, &st);
	assert_int_equal(st.sent, e.n);
	assert_int_equal(st.pending, 0);
	pthread_join(thread, NULL);
	assert_int_equal(e.sum, sum);
}

#define WITH_PAIR(t) cmocka_unit_test_setup_teardown(t, make_pair, free_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(frames_come_out_as_they_were_put_in),
		WITH_PAIR(a_few_frames_wait_to_be_flushed_and_many_do_not),
		WITH_PAIR(a_full_lane_takes_no_more_until_something_is_settled),
		WITH_PAIR(what_can_never_be_sent_is_not_taken),
		cmocka_unit_test(a_lying_client_is_caught_and_stays_so),
		WITH_PAIR(a_head_that_goes_back_is_caught),
		WITH_PAIR(the_client_cannot_write_the_engines_words_or_change_a_size),
		WITH_PAIR(what_was_taken_back_is_cut_and_nothing_else),
		WITH_PAIR(counts_and_errors_reach_the_client),
		cmocka_unit_test(classes_of_lateness_are_close_and_in_order),
		WITH_PAIR(lateness_is_told_by_fraction),
		WITH_PAIR(waiting_ends_when_the_engine_is_gone),
		WITH_PAIR(what_a_client_does_to_descriptors_keeps_the_engine_from_nothing),
		WITH_PAIR(nobody_oversleeps),
	};

	return cmocka_run_group_tests_name("tx", tests, NULL, NULL);
}
