/* SPDX-License-Identifier: BSD-3-Clause */
/* dump.c - the session's dump: a file of ours that the daemon fills. */
#include "client/client_priv.h"

#include "base/doorbell.h"

#include <poll.h>
#include <stdio.h>

int npf_client_dump(
	struct npf_client *c, const struct npf_client_dump *conf, int *donep, struct npf_error *err)
{
	struct npf_wire_dump req = {
		.flags = NPF_WIRE_DUMP_SESSION,
		.format = conf->nanoseconds ? NPF_WIRE_DUMP_PCAP_NS : NPF_WIRE_DUMP_PCAP,
		.max_size = conf->max_size,
		.max_packets = conf->max_packets,
	};
	struct npf_wire_dump_reply reply;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_DUMP, req),
		NPF_WIRE_GETS(reply),
		.fds = donep,
		.n_fds = 1,
		.min_fds = 1,
	};
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = npf_wire_hand_over(c->sock, conf->fd, err);
	pthread_mutex_unlock(&c->lock);
	if (rc == 0)
		rc = npf_client_call(c, &call, err);
	if (rc == 0 && call.n_fds != 1) {
		return npf_error_set(err, -EPROTO, "the daemon sent no descriptor");
	}
	return rc;
}

int npf_client_dump_status(
	struct npf_client *c, struct npf_wire_dump_status *st, struct npf_error *err)
{
	struct npf_wire_call call = {
		.type = NPF_WIRE_DUMP_STATUS,
		NPF_WIRE_GETS(*st),
	};

	return npf_client_call(c, &call, err);
}

int npf_client_dump_wait(struct npf_client *c, int done_fd, int timeout_ms)
{
	struct pollfd pfds[2] = {
		{.fd = done_fd, .events = POLLIN},
		{.fd = c->sock, .events = POLLRDHUP},
	};
	int n = poll(pfds, 2, timeout_ms);

	if (n < 0)
		return -errno;
	if ((pfds[0].revents & POLLIN) != 0)
		return npf_doorbell_is_rung(done_fd) ? 1 : -EPIPE;
	return n > 0 ? -EPIPE : 0;
}

int npf_client_dump_stop(struct npf_client *c, struct npf_error *err)
{
	struct npf_wire_dump_control req = {.op = NPF_WIRE_DUMP_STOP};
	struct npf_wire_dump_reply reply;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_DUMP_CONTROL, req),
		NPF_WIRE_GETS(reply),
	};

	return npf_client_call(c, &call, err);
}
