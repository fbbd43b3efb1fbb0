/* SPDX-License-Identifier: BSD-3-Clause */
/* requests.h - what each request of the control protocol does. */
#ifndef NPF_ENGINE_CONTROL_REQUESTS_H
#define NPF_ENGINE_CONTROL_REQUESTS_H

#include "base/error.h"
#include "engine/control/flight.h"
#include "engine/handover/passed_file.h"
#include "engine/session/session.h"

struct npf_control;

struct npf_conn {
	struct npf_task task; /* closes its descriptors at the end */
	struct npf_conn *next;
	struct npf_control *control;
	int fd;
	bool greeted;              /* HELLO has come */
	bool rests;                /* its user has had his part of the control thread's time */
	struct npf_error *refusal; /* the only reply it gets; or NULL */
	uint64_t since_ns;         /* CLOCK_MONOTONIC */
	struct npf_peer peer;
	struct npf_session *session; /* or NULL */
	struct npf_charge charge;    /* until its socket has been closed */
	struct npf_requester requester;
	struct npf_flight flight;
	struct npf_passed_file passed_file;
	struct npf_allow *allow; /* of a port that it adds, while the names are looked up */
	struct npf_wire_msg msg; /* the last that was received, with its descriptors */
	void *held;              /* its body, while the request is put aside; else NULL */
};

#define NPF_REQUEST_LATER 1

/*
 * npf_request - carry one request out and reply.
 * Return: 0; NPF_REQUEST_LATER: there is no reply yet, call again with the same message once the
 *         requester is ready, or, if the connection's flight waits, later; anything else: hang up.
 */
int npf_request(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg);

#endif
