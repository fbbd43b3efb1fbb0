/* SPDX-License-Identifier: BSD-3-Clause */
/* backlog.h - packets in a dump's ring that will reach no disk; counted when the dump is given up.
 */
#ifndef NPF_WRITER_FEED_BACKLOG_H
#define NPF_WRITER_FEED_BACKLOG_H

#include "writer/feed/ring.h"

struct npf_writer_backlog {
	const struct npf_writer_ring *ring;
	enum npf_writer_format format;
	uint32_t head, trailer; /* bytes around the records of each file; 0: the ring has none */
	uint64_t at; /* the disk has all before this place, which may lie within a record */
};

/*
 * npf_writer_backlog_count - packets that are not on disk, or only in part.
 *
 * A disk takes blocks, not records: the last block can end within a record, and the beginning of
 * that record may be overwritten by now. The next record is found by search: it is at the first
 * place from which records follow each other exactly to the end of the file.
 *
 * Context: the producer has ended, and nothing is being written from the ring.
 */
uint64_t npf_writer_backlog_count(const struct npf_writer_backlog *l);

#endif
