/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attend.h - for whom a port runs: for those who read or send, not for those who only look.
 *
 * Programs open a port more often than they read from it: to learn its link type, to watch its
 * counters, or once too often. A session opened with NPF_WIRE_OPEN_LOOK reads from NPF_WIRE_READ
 * on. Until then it does not start a port with `start: attach`, and a port with `overflow: wait`
 * neither gives it packets nor waits for it.
 *
 * A port with `start: attach` runs as long as somebody uses it: a session that has read, sent or
 * dumped, or a dump. With `overflow: wait` it is polled only while somebody reads.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_SESSION_ATTEND_H
#define NPF_ENGINE_SESSION_ATTEND_H

#include "engine/session/session.h"

/* Does it take note of who reads? Other ports run and deliver in any case. */
bool npf_attend_matters(const struct npf_engine_port *p);

/* Is the running port's queue polled now? */
bool npf_attend_is_polled(const struct npf_engine_port *p);

/* Does the session get packets of its port? */
bool npf_attend_is_served(const struct npf_session *s);

/*
 * npf_attend_read - the session reads, unless it only looks or has no buffer yet: then nothing
 * happens. A new plan is the caller's to make.
 * Return: 0, or -errno with a text in err: the port can't be started.
 */
int npf_attend_read(struct npf_session *s, struct npf_wire_error *err);

/*
 * npf_attend_use - the session is about to send or to dump: its port runs for it, and is in the
 * plans. A session that only sends starts no port.
 * Return: 0, or -errno with a text in err.
 */
int npf_attend_use(struct npf_engine *e, struct npf_session *s, struct npf_wire_error *err);

/* The session neither reads nor uses its port any more. */
void npf_attend_leave(struct npf_session *s);

/* A dump comes to the port (n is 1) or goes (-1). */
void npf_attend_dump(struct npf_engine_port *p, int n);

#endif
