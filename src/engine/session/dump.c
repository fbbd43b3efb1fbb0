/* SPDX-License-Identifier: BSD-3-Clause */
/* dump.c - a session's packets go into a dump for a while. */
#include "engine/session/session.h"

#include "engine/dump/dump.h"

int npf_session_start_dump(struct npf_engine *e, struct npf_session *s, struct npf_dump_spec *spec,
	struct npf_dump **dp, struct npf_error *err)
{
	struct npf_dump *last = s->dump, *d;
	int rc;

	/* One that has reached its limit makes room for the next. */
	if (last != NULL && !npf_dump_is_over(last))
		return npf_error_set(err, -EBUSY, "this session has a dump already");
	rc = last != NULL ? npf_dump_stop(e, last) : 0;
	if (rc < 0)
		return npf_error_set(err, rc, "the daemon is out of memory");
	/* Its port goes on when the dump has ended and the session captures again. */
	rc = npf_engine_use(e, &s->consumer, err);
	if (rc < 0)
		return rc;
	spec->port = s->port->port.conf->name;
	spec->params.snaplen = s->snaplen;
	spec->model = &s->consumer;
	rc = npf_dump_new(e, spec, &d, err);
	if (rc < 0)
		return rc;
	/* One exchange of plans takes the packets from here to there. */
	s->dump = npf_dump_get(d);
	npf_session_update(s);
	rc = npf_dump_run(e, d, err);
	if (rc < 0) {
		s->dump = last;
		npf_dump_put(d);
		npf_session_update(s);
		return rc;
	}
	npf_dump_add_stats(last, &s->dumped);
	npf_dump_put(last);
	*dp = d;
	return 0;
}

void npf_session_detach_dump(struct npf_session *s)
{
	npf_dump_add_stats(s->dump, &s->dumped);
	s->dump = npf_dump_put(s->dump);
	npf_session_update(s);
}
