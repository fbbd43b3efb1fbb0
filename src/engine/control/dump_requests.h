/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump_requests.h - the requests about dumps, and who may make them.
 *
 * Each returns 0, or -errno with a text in err.
 */
#ifndef NPF_ENGINE_CONTROL_DUMP_REQUESTS_H
#define NPF_ENGINE_CONTROL_DUMP_REQUESTS_H

#include "base/error.h"
#include "engine/control/requests.h"

struct npf_dump_answer {
	struct npf_wire_dump_reply reply;
	int fd;      /* readable once the dump has ended: the dump's own ... */
	bool is_new; /* ... or the caller's to close */
};

int npf_request_dump(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct npf_dump_answer *answer, struct npf_error *err);

int npf_request_dump_control(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_dump_control *req, struct npf_dump_answer *answer,
	struct npf_error *err);

int npf_request_dump_status(
	const struct npf_conn *conn, struct npf_wire_dump_status *st, struct npf_error *err);

#endif
