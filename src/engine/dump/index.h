/* SPDX-License-Identifier: BSD-3-Clause */
/* index.h - the index of a dump: a file that gets a line of JSON for each finished file. */
#ifndef NPF_ENGINE_DUMP_INDEX_H
#define NPF_ENGINE_DUMP_INDEX_H

#include "base/error.h"
#include "engine/dump/dump.h"

/*
 * npf_dump_index_check - can the daemon append to this file? Makes it where it is missing.
 * Return: 0, or -errno with a text in err.
 */
int npf_dump_index_check(const char *path, struct npf_error *err);

/*
 * npf_dump_index_append - the line of a finished file; without an index the log gets it.
 *
 * A line that can't be appended goes to the log, and d->index_error has the reason.
 *
 * Context: the dump's worker.
 */
void npf_dump_index_append(struct npf_dump *d, const struct npf_writer_summary *s);

#endif
