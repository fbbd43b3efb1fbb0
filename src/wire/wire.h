/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h - the door of the control protocol: messages sent, received and checked.
 * What they mean stands in protocol.h.
 */
#ifndef NPF_WIRE_WIRE_H
#define NPF_WIRE_WIRE_H

#include "wire/frame.h"
#include "wire/protocol.h"

/* A received message; body points into the buffer given to npf_wire_recv(). */
struct npf_wire_msg {
	struct npf_wire_hdr hdr;
	const void *body;
	size_t body_len;
	int fds[NPF_WIRE_ANYFDS]; /* the receiver's to close: npf_wire_msg_close() */
	unsigned int n_fds;
};

/* Text for a user whose program has no descriptors left. */
#define NPF_WIRE_OUT_OF_FDS                                                                        \
	"this program is out of file descriptors: raise its limit (ulimit -n), or close some"

/* Path of the daemon's socket: @path if not NULL, else NPF_SOCKET, else the default. */
const char *npf_wire_socket_path(const char *path);

/*
 * npf_wire_connect - connect to the daemon; no message is sent yet.
 * Return: the descriptor (CLOEXEC), or -errno: -ENOENT, -ECONNREFUSED (no daemon), -EACCES,
 * -ENAMETOOLONG ...
 */
int npf_wire_connect(const char *path);

/* A message to be sent. Its body is in two parts; either may be empty. */
struct npf_wire_out {
	struct npf_wire_hdr hdr;
	const void *body;
	size_t body_len;
	const void *tail;
	size_t tail_len;
	const int *fds; /* stay the sender's */
	unsigned int n_fds;
};

/*
 * npf_wire_send_msg - send one message.
 * Context: any; a blocking socket may block, with MSG_NOSIGNAL.
 * Return: 0; -EMSGSIZE: more than NPF_WIRE_MAXBODY bytes or NPF_WIRE_MAXFDS descriptors; or -errno.
 */
int npf_wire_send_msg(int fd, const struct npf_wire_out *out);

/*
 * npf_wire_recv_msg - receive one message into buf (NPF_WIRE_BUFLEN bytes are always enough).
 * Return: 1; 0: the peer has closed; -EAGAIN on a non-blocking socket; -EPROTO: no header, wrong
 *         magic, or cut off; -EMFILE: not all descriptors that came along could be had; or -errno.
 * Owns:   whatever it returns, every descriptor that came along is in msg->fds and the caller's to
 *         close: none is closed here, since that may block.
 */
#define NPF_WIRE_BUFLEN (sizeof(struct npf_wire_hdr) + NPF_WIRE_MAXBODY)
int npf_wire_recv_msg(int fd, void *buf, size_t buf_len, struct npf_wire_msg *msg);
void npf_wire_msg_close(struct npf_wire_msg *msg);

/*
 * npf_wire_check_request - the daemon's side of trust: is this a request whose body can be read?
 *
 * Lengths agree with type and counts, strings end, reserved fields and unknown flags are zero.
 * What they mean is not checked: whether the port exists, whether the filter is valid.
 *
 * Return: 0, or -EPROTO (-EPROTONOSUPPORT for another version) with a text for the reply in *err.
 */
int npf_wire_check_request(const struct npf_wire_msg *msg, struct npf_error *err);

/* What follows the fixed part of an OPEN, SET_FILTER, SET_MODE (instructions) or SEND (frame) body.
 */
const void *npf_wire_tail(const struct npf_wire_msg *msg);

/*
 * One request of a client and its reply. Not thread-safe: a connection's calls come one at a time.
 */
struct npf_wire_call {
	uint16_t type;
	const void *body;
	size_t body_len;
	const void *tail; /* insns or frame */
	size_t tail_len;
	void *reply;          /* where the reply's body goes */
	size_t reply_len;     /* most that fits there (in), bytes received (out) */
	size_t reply_min;     /* least that a good reply has; less is -EPROTO */
	int *fds;             /* where the reply's descriptors go: the caller's to close */
	unsigned int n_fds;   /* most that fit there (in), received (out); excess ones are closed */
	unsigned int min_fds; /* least that a good reply has: without room for so many descriptors
				 the request is not sent, so that nothing changes */
	int timeout_ms;       /* for the reply; 0 = NPF_WIRE_TIMEOUT_MS */
	struct npf_error err; /* filled whenever the call fails */
};

/* What most calls have: a structure that is sent, and one that a good reply has. */
#define NPF_WIRE_ASKS(t, req) .type = (t), .body = &(req), .body_len = sizeof(req)
#define NPF_WIRE_GETS(rep)    .reply = &(rep), .reply_len = sizeof(rep), .reply_min = sizeof(rep)

/* Return: 0; -errno as the daemon said; -ETIMEDOUT; -EPIPE (daemon gone); -EPROTO (not our daemon);
 * -EMFILE (this process has no descriptors left). */
int npf_wire_do(int fd, struct npf_wire_call *call);

/*
 * npf_wire_hand_over - give the daemon a file that is open for writing, for the next DUMP.
 * @sock: of npf_wire_open_daemon()
 * @fd:   stays the caller's
 * Return: 0, or -errno with err filled: the daemon's refusal, or as npf_wire_do().
 */
int npf_wire_hand_over(int sock, int fd, struct npf_error *err);

/*
 * npf_wire_open_daemon - connect and send HELLO.
 * @program: name of this program, or NULL
 * Return: the descriptor, or -errno with err filled: a text that says what to do.
 */
int npf_wire_open_daemon(const char *path, const char *program, struct npf_wire_hello_reply *hello,
	struct npf_error *err);

#endif
