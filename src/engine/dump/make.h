/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * make.h - allocates and frees dumps, for dump.c, which runs them.
 *
 * With several taps on the port, a dump's worker is also its producer: it merges what they put into
 * lanes.
 */
#ifndef NPF_ENGINE_DUMP_MAKE_H
#define NPF_ENGINE_DUMP_MAKE_H

#include "base/error.h"
#include "engine/dump/dump.h"

/*
 * npf_dump_make - everything but its place among the dumps, the start of the port and new plans.
 * @spec: has a name; its params are complete and without a conflict
 * Return: 0; -EINPROGRESS: see core/memory.h; -errno with a text in err. From then on it has a
 * thread, so it is ended like any other before it is freed.
 */
int npf_dump_make(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_error *err);

/* What can be freed once the worker has been joined: all but what the report shows. */
void npf_dump_release_resources(struct npf_dump *d);
void npf_dump_free(struct npf_dump *d); /* NULL is fine */

/* The port's own losses since it was opened, packets. */
uint64_t npf_dump_port_missed(const struct npf_dump *d);

#endif
