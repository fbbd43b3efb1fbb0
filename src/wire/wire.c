/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.c - messages on the control socket: framing, descriptors, one call at a time.
 *
 * A message is one SOCK_SEQPACKET packet, so it arrives whole or not at all. Bodies are not read
 * here: check.c checks those of requests for the daemon, npf_wire_do() the length of a reply for
 * the client.
 */
#include "wire/wire.h"

#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

const char *npf_wire_socket_path(const char *path)
{
	const char *env;

	if (path != NULL)
		return path;
	env = secure_getenv("NPF_SOCKET");
	return env != NULL && env[0] != '\0' ? env : NPF_WIRE_SOCKET;
}

int npf_wire_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	/* Enough for the longest message; the kernel caps it at wmem_max, which by default is. */
	int sndbuf = NPF_WIRE_BUFLEN;
	npf_autofd int fd = -1;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return npf_steal_fd(&fd);
}

int npf_wire_send_msg(int fd, const struct npf_wire_out *out)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * NPF_WIRE_MAXFDS)];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov[3] = {
		{npf_unconst(&out->hdr), sizeof(out->hdr)},
		{npf_unconst(out->body), out->body_len},
		{npf_unconst(out->tail), out->tail_len},
	};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 3};
	ssize_t n;

	if (out->n_fds > NPF_WIRE_MAXFDS || out->body_len + out->tail_len > NPF_WIRE_MAXBODY)
		return -EMSGSIZE;
	if (out->n_fds > 0) {
		struct cmsghdr *cm;

		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * out->n_fds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * out->n_fds);
		memcpy(CMSG_DATA(cm), out->fds, sizeof(int) * out->n_fds);
	}
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

void npf_wire_msg_close(struct npf_wire_msg *msg)
{
	for (unsigned int i = 0; i < msg->n_fds; i++)
		npf_close(msg->fds[i]);
	msg->n_fds = 0;
}

/* There is room for all that the kernel can bring. */
static void take_fds(struct msghdr *mh, struct npf_wire_msg *msg)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = NPF_MIN((cm->cmsg_len - CMSG_LEN(0)) / sizeof(int),
			NPF_ARRAY_LEN(msg->fds) - msg->n_fds);
		memcpy(&msg->fds[msg->n_fds], CMSG_DATA(cm), n * sizeof(int));
		msg->n_fds += (unsigned int)n;
	}
}

int npf_wire_recv_msg(int fd, void *buf, size_t buf_len, struct npf_wire_msg *msg)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * NPF_WIRE_ANYFDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {buf, buf_len};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	msg->n_fds = 0;
	do
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&mh, msg);
	if (n == 0)
		return 0;
	/* There is room for all that a message can bring: it was the kernel that had none. */
	if ((mh.msg_flags & MSG_CTRUNC) != 0)
		return -EMFILE;
	if ((size_t)n < sizeof(msg->hdr) || (mh.msg_flags & MSG_TRUNC) != 0)
		return -EPROTO;
	memcpy(&msg->hdr, buf, sizeof(msg->hdr));
	if (msg->hdr.magic != NPF_WIRE_MAGIC)
		return -EPROTO;
	msg->body = (const char *)buf + sizeof(msg->hdr);
	msg->body_len = (size_t)n - sizeof(msg->hdr);
	return 1;
}

static int wait_readable(int fd, int timeout_ms)
{
	uint64_t end = npf_clock_monotonic() + (uint64_t)timeout_ms * NPF_NS_PER_MS;

	for (;;) {
		uint64_t now = npf_clock_monotonic();
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int n = poll(&pfd, 1, now < end ? (int)((end - now) / NPF_NS_PER_MS) + 1 : 0);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Moves a good reply into the caller's places. */
static int take_reply(struct npf_wire_call *call, struct npf_wire_msg *msg)
{
	unsigned int n = NPF_MIN(msg->n_fds, call->n_fds);

	if (msg->body_len < call->reply_min || msg->body_len > call->reply_len)
		return npf_error_set(&call->err, -EPROTO,
			"the daemon sent a reply of the wrong size: is it of the same version?");
	if (msg->body_len > 0)
		memcpy(call->reply, msg->body, msg->body_len);
	call->reply_len = msg->body_len;
	for (unsigned int i = 0; i < n; i++) {
		call->fds[i] = msg->fds[i];
		msg->fds[i] = -1;
	}
	call->n_fds = n;
	return 0;
}

/* Waits for a message and receives it, whatever its length. Owns: *bufp is the caller's to free().
 * Return: as npf_wire_recv_msg(), or -ETIMEDOUT. */
static int receive(int fd, int timeout_ms, char **bufp, struct npf_wire_msg *msg)
{
	int rc = wait_readable(fd, timeout_ms);
	struct msghdr peek = {0};
	ssize_t len;

	msg->n_fds = 0;
	if (rc < 0)
		return rc;
	/* Only a list of ports is long: room for the longest message would cost each call more
	 * than all else that is done for it. */
	len = recvmsg(fd, &peek, MSG_PEEK | MSG_TRUNC);
	if (len < 0)
		return -errno;
	len = NPF_MIN(len, (ssize_t)NPF_WIRE_BUFLEN);
	free(*bufp);
	*bufp = malloc((size_t)len + 1);
	if (*bufp == NULL)
		return -ENOMEM;
	return npf_wire_recv_msg(fd, *bufp, (size_t)len, msg);
}

/* Could n descriptors more be opened? What the daemon has given away can't be asked for again. */
static bool has_room_for(int fd, unsigned int n)
{
	int fds[NPF_WIRE_MAXFDS];
	unsigned int i = 0;

	while (i < n && i < NPF_WIRE_MAXFDS && (fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		i++;
	for (unsigned int k = 0; k < i; k++)
		npf_close(fds[k]);
	return i == n;
}

int npf_wire_do(int fd, struct npf_wire_call *call)
{
	static _Thread_local uint32_t seq;
	const struct npf_wire_out out = {
		.hdr = {.magic = NPF_WIRE_MAGIC,
			.version = NPF_WIRE_VERSION,
			.type = call->type,
			.seq = ++seq},
		.body = call->body,
		.body_len = call->body_len,
		.tail = call->tail,
		.tail_len = call->tail_len,
	};
	npf_autofree char *buf = NULL;
	struct npf_wire_msg msg;
	int rc;

	if (!has_room_for(fd, call->min_fds))
		return npf_error_set(&call->err, -EMFILE, NPF_WIRE_OUT_OF_FDS);
	rc = npf_wire_send_msg(fd, &out);
	if (rc == -EMSGSIZE)
		return npf_error_set(&call->err, rc, "the request is too long for one message");
	if (rc < 0)
		return npf_error_set(&call->err, -EPIPE, "the npf-dpdk daemon has gone away");

	/* A late reply to an earlier call that timed out is passed over. */
	do {
		rc = receive(fd, call->timeout_ms > 0 ? call->timeout_ms : NPF_WIRE_TIMEOUT_MS,
			&buf, &msg);
		if (rc <= 0)
			npf_wire_msg_close(&msg);
		if (rc == -ETIMEDOUT)
			return npf_error_set(&call->err, rc, "the npf-dpdk daemon does not answer");
		if (rc == -ENOMEM)
			return npf_error_set(&call->err, rc, "out of memory");
		if (rc == -EMFILE)
			return npf_error_set(&call->err, rc, NPF_WIRE_OUT_OF_FDS);
		if (rc == -EPROTO)
			return npf_error_set(
				&call->err, rc, "what answers on the socket is not npf-dpdk");
		if (rc <= 0)
			return npf_error_set(
				&call->err, -EPIPE, "the npf-dpdk daemon has gone away");
		if (msg.hdr.seq != out.hdr.seq)
			npf_wire_msg_close(&msg);
	} while (msg.hdr.seq != out.hdr.seq);

	if (msg.hdr.status < 0) {
		const struct npf_error *e = msg.body;

		rc = msg.hdr.status;
		if (msg.body_len == sizeof(*e))
			npf_error_set(&call->err, rc, "%.*s", (int)sizeof(e->text) - 1, e->text);
		else
			npf_error_set(&call->err, rc, "%s", strerror(-rc));
	} else if (msg.hdr.type != (call->type | NPF_WIRE_REPLY)) {
		rc = npf_error_set(&call->err, -EPROTO, "the daemon answered another question");
	} else {
		rc = take_reply(call, &msg);
	}
	npf_wire_msg_close(&msg);
	return rc;
}

static int send_fd(int channel, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	char byte = 'F';
	struct iovec iov = {&byte, 1};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	ssize_t n;

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	do
		n = sendmsg(channel, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int npf_wire_hand_over(int sock, int fd, struct npf_error *err)
{
	npf_autofd int channel = -1;
	struct npf_wire_file_reply reply = {0};
	struct npf_wire_call call = {.type = NPF_WIRE_FILE, .fds = &channel, .n_fds = 1};
	int rc = npf_wire_do(sock, &call);

	if (rc == 0 && call.n_fds != 1)
		rc = npf_error_set(&call.err, -EPROTO, "the daemon sent no descriptor");
	if (rc < 0) {
		*err = call.err;
		return rc;
	}
	rc = send_fd(channel, fd);
	if (rc == 0)
		rc = wait_readable(channel, 2 * NPF_WIRE_TIMEOUT_MS);
	if (rc == 0 && recv(channel, &reply, sizeof(reply), 0) != sizeof(reply))
		rc = -EPIPE;
	if (rc < 0)
		return npf_error_set(
			err, rc, "the daemon did not take the file: %s", strerror(-rc));
	*err = reply.error;
	err->text[sizeof(err->text) - 1] = '\0';
	return reply.status;
}

int npf_wire_open_daemon(const char *path, const char *program, struct npf_wire_hello_reply *hello,
	struct npf_error *err)
{
	struct npf_wire_hello req = {0};
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_HELLO, req),
		NPF_WIRE_GETS(*hello),
	};
	npf_autofd int fd = -1;
	int rc;

	path = npf_wire_socket_path(path);
	fd = npf_wire_connect(path);
	if (fd < 0) {
		const char *hint = fd == -EACCES ? "join the daemon's group, or ask its owner"
				   : fd == -ENOENT || fd == -ECONNREFUSED
					   ? "start npf-dpdk, or set NPF_SOCKET to its socket"
				   : fd == -EMFILE ? NPF_WIRE_OUT_OF_FDS
						   : "see NPF_SOCKET";

		rc = fd;
		return npf_error_set(err, rc, "can't reach npf-dpdk at %.100s: %s; %s", path,
			strerror(-rc), hint);
	}
	if (program != NULL)
		snprintf(req.program, sizeof(req.program), "%s", program);
	rc = npf_wire_do(fd, &call);
	if (rc < 0) {
		*err = call.err;
		return rc;
	}
	hello->version[sizeof(hello->version) - 1] = '\0';
	return npf_steal_fd(&fd);
}
