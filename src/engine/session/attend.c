/* SPDX-License-Identifier: BSD-3-Clause */
/* attend.c - see attend.h. Invariant: n_readers and n_users of a port count its sessions that have
 * `reads` and `uses` set, and its running dumps; who reads also uses. */
#include "engine/session/attend.h"

#include "engine/base/refuse.h"

#include <string.h>

static bool waits(const struct npf_engine_port *p)
{
	return p->port.conf->overflow == NPF_OVERFLOW_WAIT;
}

static bool attaches(const struct npf_engine_port *p)
{
	return p->port.conf->start == NPF_START_ATTACH;
}

bool npf_attend_matters(const struct npf_engine_port *p)
{
	return attaches(p) || waits(p);
}

bool npf_attend_is_polled(const struct npf_engine_port *p)
{
	return p->port.running && !(attaches(p) && waits(p) && p->n_readers == 0);
}

bool npf_attend_is_served(const struct npf_session *s)
{
	return s->reads || !waits(s->port);
}

static int use(struct npf_session *s, struct npf_wire_error *err)
{
	int rc = s->uses ? 0 : npf_port_start(&s->port->port);

	if (rc < 0)
		return npf_refuse(err, rc,
			"port %s can't be started: %s; the daemon's log says more",
			s->port->port.conf->name, strerror(-rc));
	s->port->n_users += !s->uses;
	s->uses = true;
	return 0;
}

int npf_attend_read(struct npf_session *s, struct npf_wire_error *err)
{
	int rc;

	if (s->reads || s->buffer == NULL || (s->flags & NPF_WIRE_OPEN_LOOK) != 0)
		return 0;
	rc = use(s, err);
	if (rc < 0)
		return rc;
	s->reads = true;
	s->port->n_readers++;
	return 0;
}

int npf_attend_use(struct npf_engine *e, struct npf_session *s, struct npf_wire_error *err)
{
	bool was_running = s->port->port.running;
	int rc;

	if (s->uses || s->port->gone || (s->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0)
		return 0;
	rc = use(s, err);
	if (rc < 0 || was_running)
		return rc;
	rc = npf_engine_replan(e);
	return rc < 0 ? npf_refuse(err, rc, "the daemon is out of memory") : 0;
}

void npf_attend_leave(struct npf_session *s)
{
	s->port->n_readers -= s->reads;
	s->port->n_users -= s->uses;
	s->reads = s->uses = false;
}

void npf_attend_dump(struct npf_engine_port *p, int n)
{
	p->n_captures += (unsigned int)n;
	p->n_readers += (unsigned int)n;
	p->n_users += (unsigned int)n;
}
