/* SPDX-License-Identifier: BSD-3-Clause */
/* control_priv.h - private: the control thread's state, for its loop and for its connections. */
#ifndef NPF_ENGINE_CONTROL_CONTROL_PRIV_H
#define NPF_ENGINE_CONTROL_CONTROL_PRIV_H

#include "engine/control/control.h"
#include "engine/control/listen.h"
#include "engine/control/requests.h"

struct npf_control {
	struct npf_listen listen;
	int epoll_fd, signal_fd, timer_fd;
	struct npf_engine *engine;
	struct npf_tasks *tasks;
	char *path;
	struct npf_conn *conns;
	struct npf_conn *leaving; /* ended, but they have not taken their descriptors */
	unsigned int n_conns;     /* whose sockets are not closed yet */
	unsigned int n_resting;   /* of conns */
	bool accepting;           /* false: no descriptors left, until a client goes */
	void *buf;                /* NPF_WIRE_BUFLEN */
	void (*ready)(struct npf_requester *); /* carries a request out that was put aside */
};

/* Accept some of those who wait: others are served in between. */
void npf_conns_accept(struct npf_control *c);

/* End a connection and all that it holds. Its socket is closed later, by a task. */
void npf_conn_close(struct npf_control *c, struct npf_engine *e, struct npf_conn *conn);

/* Close all, whatever they have not taken. */
void npf_conns_close(struct npf_control *c, struct npf_engine *e);

/* Free those that have ended and have taken their descriptors since. */
void npf_conns_free_landed(struct npf_control *c);

/*
 * npf_conn_has_turn - may the connection be served, or has its user had his part of the thread's
 * time? Then it rests: none of its events comes before npf_conns_wake().
 */
bool npf_conn_has_turn(struct npf_control *c, struct npf_conn *conn);

/* Those whose users may be served again. To be called every NPF_CONN_REST_MS while any rests. */
void npf_conns_wake(struct npf_control *c);

#define NPF_CONN_REST_MS 10

#endif
