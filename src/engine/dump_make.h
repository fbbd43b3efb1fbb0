/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump_make.h - dumps made and unmade, for dumps.c, which has them live.
 *
 * With several taps on the port, a dump's worker is also its producer: it merges what they put into
 * lanes.
 */
#ifndef NPF_ENGINE_DUMP_MAKE_H
#define NPF_ENGINE_DUMP_MAKE_H

#include "engine/dumps.h"

/*
 * npf_dump_make - everything but its place among the dumps, the start of the port and new plans.
 * @spec: has a name; npf_config_dump_clash() has nothing against it
 * Return: 0; -errno with a text in err. From then on it has a thread, so it is ended like any
 * other before it is freed.
 */
int npf_dump_make(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_wire_error *err);

/*
 * npf_dump_memory_needed - bytes of memory that such a dump will hold: its ring, which is a power
 * of two and for a retrospective dump larger than what it remembers, and with several taps their
 * lanes. Return: UINT64_MAX: more than any dump can have.
 */
uint64_t npf_dump_memory_needed(
	const struct npf_engine *e, const struct npf_dump_spec *spec, unsigned int n_taps);

/* The same of a dump as it is. */
uint64_t npf_dump_memory(const struct npf_dump *d);

/* What can be freed once the worker has been joined: all but what the report shows. */
void npf_dump_free_works(struct npf_dump *d);
void npf_dump_free(struct npf_dump *d); /* NULL is fine */

/* The port's own losses since it was opened, packets. */
uint64_t npf_dump_port_missed(const struct npf_dump *d);

#endif
