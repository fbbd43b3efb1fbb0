/* SPDX-License-Identifier: BSD-3-Clause */
/* requests.h - what each request of the control protocol does. */
#ifndef NPF_ENGINE_REQUESTS_H
#define NPF_ENGINE_REQUESTS_H

#include "engine/session.h"

struct npf_conn {
	struct npf_conn *next;
	int fd;
	bool greeted; /* HELLO has come */
	struct npf_peer peer;
	struct npf_session *session; /* or NULL */
};

/*
 * npf_request - carry one request out and reply.
 * Return: 0; anything else: hang up.
 */
int npf_request(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg);

#endif
