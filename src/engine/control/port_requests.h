/* SPDX-License-Identifier: BSD-3-Clause */
/* port_requests.h - ports added and removed on request. Each: 0, or -errno with a text in err. */
#ifndef NPF_ENGINE_CONTROL_PORT_REQUESTS_H
#define NPF_ENGINE_CONTROL_PORT_REQUESTS_H

#include "base/error.h"
#include "engine/lifecycle/lifecycle.h"
#include "engine/control/requests.h"

/* -EINPROGRESS: the names of the allow list are being looked up; the request is to be carried out
 * once more when the requester is ready. */
int npf_request_port_add(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_port_add *req, struct npf_engine_port **pp, struct npf_error *err);

int npf_request_port_del(struct npf_engine *e, const struct npf_conn *conn,
	const struct npf_wire_port_name *req, struct npf_ports_ended *ended, struct npf_error *err);

#endif
