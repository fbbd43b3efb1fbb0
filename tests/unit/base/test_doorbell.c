/* SPDX-License-Identifier: BSD-3-Clause */
/* Doorbells: whatever is done to the end that is given away, the end that rings never waits. */
#include "base/doorbell.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define N_SETS   30
#define N_COPIES 200 /* each in each set: 6 000 watches */

static int setup(void **state)
{
	struct npf_doorbell *b = malloc(sizeof(*b));

	*state = b;
	alarm(60); /* a ring that waits ends the test */
	return npf_doorbell_init(b, NULL);
}

static int teardown(void **state)
{
	alarm(0);
	npf_doorbell_fini(*state);
	free(*state);
	return 0;
}

/* Whatever rings have cost before. */
static void ring(struct npf_doorbell *b)
{
	b->budget->used_until_ns = 0;
	assert_int_equal(npf_doorbell_ring(b), 0);
}

static short readable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, 0) == 1 ? pfd.revents : 0;
}

static void a_ring_is_seen_until_it_is_drained(void **state)
{
	struct npf_doorbell *b = *state;

	assert_int_equal(readable(b->wait_fd), 0);
	assert_false(npf_doorbell_is_rung(b->wait_fd));
	for (unsigned int n = 1; n < 20; n++) {
		for (unsigned int i = 0; i < n; i++)
			ring(b);
		assert_int_equal(readable(b->wait_fd), POLLIN);
		assert_true(npf_doorbell_is_rung(b->wait_fd));
		npf_doorbell_drain(b->wait_fd); /* once, however many they were */
		assert_int_equal(readable(b->wait_fd), 0);
	}
}

static void an_eventfd_is_drained_as_well(void **state)
{
	int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	npf_doorbell_drain(fd);
	assert_int_equal(readable(fd), 0);
	npf_doorbell_drain(fd);
	close(fd);
}

static void a_bell_that_nobody_answers_is_rung_for_ever(void **state)
{
	struct npf_doorbell *b = *state;
	int queued;

	for (unsigned int i = 0; i < 100000; i++)
		ring(b);
	queued = 0;
	while (read(b->wait_fd, &(char){0}, 1) == 1)
		queued++;
	assert_in_range(queued, 1, 32);
}

static void flags_of_one_end_are_not_the_others(void **state)
{
	struct npf_doorbell *b = *state;

	assert_int_equal(fcntl(b->wait_fd, F_SETFL, 0), 0);
	assert_true((fcntl(b->ring_fd, F_GETFL) & O_NONBLOCK) != 0);
	for (unsigned int i = 0; i < 1000; i++)
		ring(b);
}

static void the_ringing_end_takes_nothing_in(void **state)
{
	struct npf_doorbell *b = *state;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

	assert_int_equal(send(b->wait_fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)CMSG_DATA(cm) = STDIN_FILENO;
	assert_int_equal(sendmsg(b->wait_fd, &mh, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	ring(b);
	assert_int_equal(readable(b->wait_fd), POLLIN);
}

static void a_filter_at_the_other_end_is_not_run(void **state)
{
	struct npf_doorbell *b = *state;
	struct sock_filter reject = {BPF_RET | BPF_K, 0, 0, 0};
	struct sock_fprog prog = {1, &reject};

	assert_int_equal(
		setsockopt(b->wait_fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	ring(b);
	assert_int_equal(readable(b->wait_fd), POLLIN);
}

static void an_end_that_was_shut_or_closed_is_rung_in_vain(void **state)
{
	struct npf_doorbell *b = *state;

	assert_int_equal(shutdown(b->wait_fd, SHUT_RDWR), 0);
	ring(b);
	b->wait_fd = npf_close(b->wait_fd);
	for (unsigned int i = 0; i < 1000; i++)
		ring(b);
}

static void who_waits_sees_that_the_other_side_has_ended(void **state)
{
	struct npf_doorbell *b = *state;

	b->ring_fd = npf_close(b->ring_fd);
	assert_true((readable(b->wait_fd) & POLLHUP) != 0);
	assert_false(npf_doorbell_is_rung(b->wait_fd));
}

static void who_waits_sees_that_it_was_rung_before_the_end(void **state)
{
	struct npf_doorbell *b = *state;

	ring(b);
	b->ring_fd = npf_close(b->ring_fd);
	assert_true((readable(b->wait_fd) & POLLIN) != 0);
	assert_true(npf_doorbell_is_rung(b->wait_fd));
}

struct watches {
	int sets[N_SETS], copies[N_COPIES];
};

static void watch(struct watches *w, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	for (unsigned int i = 0; i < N_COPIES; i++)
		w->copies[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	for (unsigned int s = 0; s < N_SETS; s++) {
		w->sets[s] = epoll_create1(EPOLL_CLOEXEC);
		for (unsigned int i = 0; i < N_COPIES; i++)
			assert_int_equal(
				epoll_ctl(w->sets[s], EPOLL_CTL_ADD, w->copies[i], &ev), 0);
	}
}

static void unwatch(const struct watches *w)
{
	for (unsigned int s = 0; s < N_SETS; s++)
		close(w->sets[s]);
	for (unsigned int i = 0; i < N_COPIES; i++)
		close(w->copies[i]);
}

/* Ring, with the list of waiters woken each time. */
static void ring_afresh(struct npf_doorbell *b)
{
	npf_doorbell_drain(b->wait_fd);
	ring(b);
}

static void rings_that_are_expensive_use_up_the_budget_of_all(void **state)
{
	struct npf_doorbell *b = *state, other;
	struct npf_doorbell_budget *budget = &b->own;
	uint64_t start = npf_clock_monotonic();
	struct watches w;

	assert_int_equal(npf_doorbell_init(&other, budget), 0);
	watch(&w, b->wait_fd);
	ring_afresh(b);
	assert_true(budget->suspect);
	ring_afresh(b);
	assert_true(budget->used_until_ns > start + 100 * 50 * NPF_NS_PER_US);

	npf_doorbell_drain(b->wait_fd);
	budget->used_until_ns = UINT64_MAX; /* this moment does not pass */
	assert_true(npf_doorbell_ring(b) > 0);
	assert_int_equal(readable(b->wait_fd), 0);
	assert_true(npf_doorbell_ring(&other) > 0);
	assert_int_equal(readable(other.wait_fd), 0);

	unwatch(&w);
	for (unsigned int i = 0; i < 10000 && budget->suspect; i++)
		ring_afresh(b); /* not each need be cheap on a busy machine */
	assert_false(budget->suspect);
	ring(&other);
	npf_doorbell_fini(&other);
}

static void many_rings_use_up_the_budget_and_time_brings_it_back(void **state)
{
	struct npf_doorbell *b = *state;
	uint64_t start = npf_clock_monotonic(), later = 0;
	unsigned int n = 0;

	while (n < 1000000 && (later = npf_doorbell_ring(b)) == 0)
		n++;
	/* A machine that is interrupted again and again may never get there. */
	if (later == 0)
		return;
	assert_true(n > 0);
	assert_true(b->own.used_until_ns >= start + 5 * NPF_NS_PER_MS);
	usleep((useconds_t)(later / 1000 + 1));
	assert_int_equal(npf_doorbell_ring(b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_ring_is_seen_until_it_is_drained, setup, teardown),
		cmocka_unit_test(an_eventfd_is_drained_as_well),
		cmocka_unit_test_setup_teardown(
			a_bell_that_nobody_answers_is_rung_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(
			flags_of_one_end_are_not_the_others, setup, teardown),
		cmocka_unit_test_setup_teardown(the_ringing_end_takes_nothing_in, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_filter_at_the_other_end_is_not_run, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_end_that_was_shut_or_closed_is_rung_in_vain, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_waits_sees_that_the_other_side_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_waits_sees_that_it_was_rung_before_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(
			rings_that_are_expensive_use_up_the_budget_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(
			many_rings_use_up_the_budget_and_time_brings_it_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
