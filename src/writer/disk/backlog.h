/* SPDX-License-Identifier: BSD-3-Clause */
/* backlog.h - packets that are in a dump's ring and will reach no disk: counted when it is given
 * up.
 */
#ifndef NPF_WRITER_DISK_BACKLOG_H
#define NPF_WRITER_DISK_BACKLOG_H

#include "writer/feed/ring.h"

/* What stands in the ring. */
struct npf_writer_backlog {
	const struct npf_writer_ring *ring;
	enum npf_writer_format format;
	uint32_t head, trailer; /* bytes around the records of each file; 0: not in the ring */
	uint64_t at; /* the disk has all before this place, which may lie within a record */
};

/*
 * npf_writer_backlog_count - packets of which the disk has nothing, or not all.
 *
 * A disk takes blocks, not records, and the beginning of the record that a block has cut may be
 * overwritten: the next one is looked for as the first place from which records follow each other
 * exactly to the end of the file.
 *
 * Context: the producer has ended, and nobody writes from the ring.
 */
uint64_t npf_writer_backlog_count(const struct npf_writer_backlog *l);

#endif
