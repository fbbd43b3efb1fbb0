/* SPDX-License-Identifier: BSD-3-Clause */
/* test_wire.c - messages, and how a call behaves when the other end misbehaves. */
#include "wire/wire.h"
#include "open_fds.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct pair {
	int fd[2];
};

static int make_pair(void **state)
{
	static struct pair p;
	int size = 1 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p.fd), 0);
	setsockopt(p.fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*state = &p;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *p = *state;

	npf_close(p->fd[0]);
	npf_close(p->fd[1]);
	return 0;
}

static void a_message_arrives_with_body_tail_and_descriptors(void **state)
{
	struct pair *p = *state;
	npf_autofree char *buf = malloc(NPF_WIRE_BUFLEN);
	npf_autofd int fd = memfd_create("x", MFD_CLOEXEC);
	const int fds[2] = {fd, fd};
	const struct npf_wire_out out = {
		.hdr = {.magic = NPF_WIRE_MAGIC, .version = NPF_WIRE_VERSION, .type = 3, .seq = 77},
		.body = "body",
		.body_len = 4,
		.tail = "tail",
		.tail_len = 4,
		.fds = fds,
		.n_fds = 2,
	};
	struct npf_wire_msg msg;

	assert_int_equal(npf_wire_send_msg(p->fd[0], &out), 0);
	assert_int_equal(npf_wire_recv_msg(p->fd[1], buf, NPF_WIRE_BUFLEN, &msg), 1);
	assert_int_equal(msg.hdr.seq, 77);
	assert_int_equal(msg.body_len, 8);
	assert_memory_equal(msg.body, "bodytail", 8);
	assert_int_equal(msg.n_fds, 2);
	assert_true((fcntl(msg.fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	npf_wire_msg_close(&msg);
}

static void the_longest_body_passes_and_one_byte_more_does_not(void **state)
{
	struct pair *p = *state;
	npf_autofree char *buf = malloc(NPF_WIRE_BUFLEN), *body = calloc(1, NPF_WIRE_MAXBODY + 1);
	struct npf_wire_out out = {
		.hdr = {.magic = NPF_WIRE_MAGIC, .version = NPF_WIRE_VERSION, .type = 3},
		.body = body,
		.body_len = NPF_WIRE_MAXBODY,
	};
	struct npf_wire_msg msg;

	assert_int_equal(npf_wire_send_msg(p->fd[0], &out), 0);
	assert_int_equal(npf_wire_recv_msg(p->fd[1], buf, NPF_WIRE_BUFLEN, &msg), 1);
	assert_int_equal(msg.body_len, NPF_WIRE_MAXBODY);
	out.body_len++;
	assert_int_equal(npf_wire_send_msg(p->fd[0], &out), -EMSGSIZE);
}

static void garbage_is_refused_and_its_descriptors_are_the_callers(void **state)
{
	struct pair *p = *state;
	npf_autofree char *buf = malloc(NPF_WIRE_BUFLEN);
	npf_autofd int fd = memfd_create("x", MFD_CLOEXEC);
	const struct npf_wire_out out = {
		.hdr = {.magic = 0xdeadbeef, .version = NPF_WIRE_VERSION, .type = 3},
		.fds = &fd,
		.n_fds = 1,
	};
	struct npf_wire_msg msg;
	int before = n_open_fds();

	assert_int_equal(npf_wire_send_msg(p->fd[0], &out), 0);
	assert_int_equal(npf_wire_recv_msg(p->fd[1], buf, NPF_WIRE_BUFLEN, &msg), -EPROTO);
	assert_int_equal(msg.n_fds, 1);
	npf_wire_msg_close(&msg);
	assert_int_equal(n_open_fds(), before);
	assert_int_equal(write(p->fd[0], "short", 5), 5);
	assert_int_equal(npf_wire_recv_msg(p->fd[1], buf, NPF_WIRE_BUFLEN, &msg), -EPROTO);
	assert_int_equal(msg.n_fds, 0);
}

static void send_many(int sock, int fd, int n)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * NPF_WIRE_ANYFDS)];
		struct cmsghdr align;
	} control = {{0}};
	struct msghdr mh = {
		.msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	for (int i = 0; i < n; i++)
		memcpy(CMSG_DATA(cm) + (size_t)i * sizeof(int), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &mh, 0), 0);
}

/* What the receiver does not take, the kernel closes on the spot, in the receiving thread. */
static void as_many_descriptors_as_the_kernel_lets_through_are_taken(void **state)
{
	struct pair *p = *state;
	npf_autofree char *buf = malloc(NPF_WIRE_BUFLEN);
	npf_autofd int fd = memfd_create("x", MFD_CLOEXEC);
	struct npf_wire_msg msg;

	send_many(p->fd[0], fd, NPF_WIRE_ANYFDS);
	assert_int_equal(npf_wire_recv_msg(p->fd[1], buf, NPF_WIRE_BUFLEN, &msg), 0);
	assert_int_equal(msg.n_fds, NPF_WIRE_ANYFDS);
	npf_wire_msg_close(&msg);
}

static void a_closed_peer_reads_as_zero(void **state)
{
	struct pair *p = *state;
	npf_autofree char *buf = malloc(NPF_WIRE_BUFLEN);
	struct npf_wire_msg msg;

	p->fd[0] = npf_close(p->fd[0]);
	assert_int_equal(npf_wire_recv_msg(p->fd[1], buf, NPF_WIRE_BUFLEN, &msg), 0);
}

/* ---- calls ---- */

enum answer {
	ANSWER_GOOD,
	ANSWER_STALE_THEN_GOOD,
	ANSWER_ERROR,
	ANSWER_SHORT,
	ANSWER_OTHER_TYPE,
	ANSWER_HANG_UP
};

struct server {
	int fd;
	enum answer answer;
};

static void *serve_one(void *arg)
{
	struct server *s = arg;
	npf_autofree char *buf = malloc(NPF_WIRE_BUFLEN);
	struct npf_wire_stats stats = {.received = 42};
	struct npf_error err = {"the reason"};
	struct npf_wire_out out = {.body = &stats, .body_len = sizeof(stats)}, stale;
	struct npf_wire_msg msg;

	assert_int_equal(npf_wire_recv_msg(s->fd, buf, NPF_WIRE_BUFLEN, &msg), 1);
	out.hdr = msg.hdr;
	out.hdr.type |= NPF_WIRE_REPLY;
	switch (s->answer) {
	case ANSWER_STALE_THEN_GOOD:
		stale = (struct npf_wire_out){.hdr = out.hdr};
		stale.hdr.seq--;
		npf_wire_send_msg(s->fd, &stale);
		/* fall through */
	case ANSWER_GOOD:
		npf_wire_send_msg(s->fd, &out);
		break;
	case ANSWER_ERROR:
		out.hdr.status = -EDQUOT;
		out.body = &err;
		out.body_len = sizeof(err);
		npf_wire_send_msg(s->fd, &out);
		break;
	case ANSWER_SHORT:
		out.body_len--;
		npf_wire_send_msg(s->fd, &out);
		break;
	case ANSWER_OTHER_TYPE:
		out.hdr.type++;
		npf_wire_send_msg(s->fd, &out);
		break;
	case ANSWER_HANG_UP:
		shutdown(s->fd, SHUT_RDWR);
		break;
	}
	return NULL;
}

static int call_answered_by(struct pair *p, enum answer answer, struct npf_wire_call *call)
{
	static struct npf_wire_stats stats;
	struct server s = {p->fd[1], answer};
	pthread_t t;
	int rc;

	*call = (struct npf_wire_call){
		.type = NPF_WIRE_STATS,
		NPF_WIRE_GETS(stats),
	};
	stats.received = 0;
	pthread_create(&t, NULL, serve_one, &s);
	rc = npf_wire_do(p->fd[0], call);
	pthread_join(t, NULL);
	if (rc == 0)
		assert_int_equal(stats.received, 42);
	else
		assert_int_not_equal(call->err.text[0], '\0');
	return rc;
}

static void a_call_gets_its_reply_or_the_right_error(void **state)
{
	struct pair *p = *state;
	struct npf_wire_call call;

	assert_int_equal(call_answered_by(p, ANSWER_GOOD, &call), 0);
	assert_int_equal(call_answered_by(p, ANSWER_STALE_THEN_GOOD, &call), 0);
	assert_int_equal(call_answered_by(p, ANSWER_ERROR, &call), -EDQUOT);
	assert_string_equal(call.err.text, "the reason");
	assert_int_equal(call_answered_by(p, ANSWER_SHORT, &call), -EPROTO);
	assert_int_equal(call_answered_by(p, ANSWER_OTHER_TYPE, &call), -EPROTO);
	assert_int_equal(call_answered_by(p, ANSWER_HANG_UP, &call), -EPIPE);
}

static void a_silent_daemon_times_out(void **state)
{
	struct pair *p = *state;
	struct npf_wire_call call = {.type = NPF_WIRE_STATS, .timeout_ms = 20};

	assert_int_equal(npf_wire_do(p->fd[0], &call), -ETIMEDOUT);
	assert_non_null(strstr(call.err.text, "does not answer"));
}

static void no_daemon_is_an_error_that_says_what_to_do(void **state)
{
	struct npf_wire_hello_reply hello;
	struct npf_error err;

	(void)state;
	assert_int_equal(npf_wire_open_daemon("/nonexistent/npf.sock", "t", &hello, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/npf.sock"));
	assert_non_null(strstr(err.text, "start npf-dpdk"));
}

static void a_frame_may_be_longer_than_the_mtu_by_its_tags_alone(void **state)
{
	static uint8_t frame[NPF_WIRE_MAXFRAME + 1];
	uint8_t *type = frame + NPF_WIRE_MACS_LEN;

	(void)state;
	assert_false(npf_wire_can_send(1500, frame, 0));
	assert_false(npf_wire_can_send(1500, frame, 13));
	assert_true(npf_wire_can_send(1500, frame, 14));
	assert_true(npf_wire_can_send(1500, frame, 1514));
	assert_false(npf_wire_can_send(1500, frame, 1515));
	memcpy(type, "\x81\x00\x00\x01\x08\x00", 6);
	assert_true(npf_wire_can_send(1500, frame, 1518));
	assert_false(npf_wire_can_send(1500, frame, 1519));
	memcpy(type, "\x88\xa8\x00\x01\x81\x00\x00\x02\x08\x00", 10);
	assert_true(npf_wire_can_send(1500, frame, 1522));
	assert_false(npf_wire_can_send(1500, frame, 1523));
	memcpy(type, "\x81\x00\x00\x01\x81\x00\x00\x02\x81\x00", 10); /* three */
	assert_false(npf_wire_can_send(1500, frame, 1526));
	/* A frame that ends in its tags has none. */
	assert_false(npf_wire_can_send(1, frame, 17));
	assert_true(npf_wire_can_send(1, frame, 19));
	assert_true(npf_wire_can_send(65535, frame, NPF_WIRE_MAXFRAME));
	assert_false(npf_wire_can_send(65535, frame, NPF_WIRE_MAXFRAME + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_message_arrives_with_body_tail_and_descriptors, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			the_longest_body_passes_and_one_byte_more_does_not, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			garbage_is_refused_and_its_descriptors_are_the_callers, make_pair,
			close_pair),
		cmocka_unit_test_setup_teardown(
			as_many_descriptors_as_the_kernel_lets_through_are_taken, make_pair,
			close_pair),
		cmocka_unit_test_setup_teardown(a_closed_peer_reads_as_zero, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			a_call_gets_its_reply_or_the_right_error, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(a_silent_daemon_times_out, make_pair, close_pair),
		cmocka_unit_test(no_daemon_is_an_error_that_says_what_to_do),
		cmocka_unit_test(a_frame_may_be_longer_than_the_mtu_by_its_tags_alone),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
