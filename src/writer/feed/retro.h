/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retro.h - the retrospective dump: the last bytes and seconds of a port stay in memory, and a
 * trigger writes them to disk.
 *
 * The ring holds records only; the worker puts the file's header and trailer around them. Until a
 * trigger comes, new records overwrite the oldest. To evict the oldest records without reading
 * them, the ring is divided into chunks: the producer keeps the position and the stamp of the first
 * record of each chunk. A trigger makes one file of the remembered records and of those that come
 * in the time after it. While the worker writes that file, its position protects the records, and
 * new ones go into the rest of the ring.
 *
 * The counters in a file's trailer and summary cover the file: they begin with its first record, to
 * the accuracy of one chunk, a 1024th of the ring.
 */
#ifndef NPF_WRITER_FEED_RETRO_H
#define NPF_WRITER_FEED_RETRO_H

#include "writer/feed/producer.h"

#define NPF_WRITER_CHUNKS 1024u

struct npf_writer_chunk {
	uint64_t first; /* position of the first record that starts in it */
	uint64_t ts_ns; /* its stamp */
	/* the producer's counters before it */
	uint64_t received, missed, dropped;
};

enum npf_writer_retro_state {
	NPF_RETRO_KEEPING, /* nothing is being written */
	NPF_RETRO_AFTER,   /* triggered; new records still belong to the file */
	NPF_RETRO_WRITING, /* the file is complete in memory; the worker writes it */
};

struct npf_writer_retro {
	uint64_t keep_bytes; /* of memory to remember, at most */
	uint64_t keep_ns;    /* of time to remember; 0: as much as fits */

	/* the producer's own */
	enum npf_writer_retro_state state;
	uint64_t floor;      /* oldest remembered record */
	uint64_t last_chunk; /* number of the chunk that the last record starts in */
	uint64_t packets;    /* ever put */
	uint64_t end_ns;     /* real time when a triggered file ends */
	uint64_t seen;       /* triggers answered */
	struct npf_writer_file_stats base;
	struct npf_writer_chunk chunks[NPF_WRITER_CHUNKS]; /* of chunk n: [n % NPF_WRITER_CHUNKS] */

	/* The control thread's trigger: after_ns first, then triggers with release. */
	_Atomic uint64_t after_ns;
	_Atomic uint64_t triggers;
	_Atomic uint64_t remembered; /* bytes, for the report */
	_Atomic bool busy;           /* a trigger is being answered */
};

/* Bytes of a ring that can remember keep_bytes and take new packets while these are written;
 * UINT64_MAX: more than 64 bits can count. */
uint64_t npf_writer_retro_ring_size(uint64_t keep_bytes);

/* Makes *p retrospective. Return: 0 or -ENOMEM. Owns: p->retro is freed by
 * npf_writer_producer_fini(). */
int npf_writer_retro_init(
	struct npf_writer_producer *p, const struct npf_writer_retro_params *params);

/*
 * npf_writer_retro_trigger - write the remembered records, and those of the next after_ns.
 * Context: control thread.
 * Return:  0, or -EBUSY: the last trigger's file is not finished yet.
 */
int npf_writer_retro_trigger(struct npf_writer_producer *p, uint64_t after_ns);

/* For producer.c. */
void npf_writer_retro_commit(struct npf_writer_producer *p);
void npf_writer_retro_tick(struct npf_writer_producer *p);
void npf_writer_retro_end(struct npf_writer_producer *p);

/* Completes a file's stats, in which only what was received, missed and dropped is counted, by the
 * packets that were found in it. */
void npf_writer_retro_complete_stats(
	struct npf_writer_file_stats *stats, uint64_t packets, uint64_t first_ns);

/* Bytes of the record at @at, and its stamp. */
uint32_t npf_writer_decode_record(
	enum npf_writer_format format, const uint8_t *at, uint64_t *ts_nsp);

#endif
