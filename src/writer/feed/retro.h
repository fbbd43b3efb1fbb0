/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retro.h - the retrospective dump: the last bytes and seconds of a port stay in memory, and go to
 * disk when somebody says so.
 *
 * The ring holds records only; the writer puts the file's header and trailer around them. Until a
 * trigger comes, new records overwrite the oldest. To forget the oldest without reading them, the
 * ring is divided into chunks, and of each chunk is kept where its first record starts, and when
 * that came. A trigger makes what is remembered, and what comes in the time after it, one file;
 * while that is being written, the writer's position protects it and new packets go into the
 * room that is left.
 *
 * The counters in a file's trailer and summary cover what is in the file: they begin where its
 * first record came, known to one chunk, a 1024th of the ring.
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
	NPF_RETRO_AFTER,   /* triggered; what comes still belongs to the file */
	NPF_RETRO_WRITING, /* the file is complete in memory; the writer is at it */
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

	/* The control thread's wish: after_ns first, then triggers with release. */
	_Atomic uint64_t after_ns;
	_Atomic uint64_t triggers;
	_Atomic uint64_t remembered; /* bytes, for the report */
	_Atomic bool busy;           /* a trigger is being answered */
};

/* Memory that a ring needs so that keep_bytes can be remembered and written out at once;
 * UINT64_MAX: more than can be said. */
uint64_t npf_writer_retro_ring_size(uint64_t keep_bytes);

/* Makes *p retrospective. Return: 0 or -ENOMEM. Owns: p->retro is freed by free(). */
int npf_writer_retro_init(
	struct npf_writer_producer *p, const struct npf_writer_retro_params *params);

/*
 * npf_writer_retro_trigger - write out what is remembered, and what comes in the next after_ns.
 * Context: control thread. Return: 0, or -EBUSY: the last trigger's file is not finished yet.
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
