/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h - writes a file as a stream, where its bytes differ from those in the ring: it is
 * compressed, or header and trailer have to be put around remembered packets.
 *
 * Belongs to the dump's worker, like the file that it writes to.
 */
#ifndef NPF_WRITER_DISK_STREAM_H
#define NPF_WRITER_DISK_STREAM_H

#include "writer/disk/outfile.h"
#include "writer/feed/feed.h"
#include "writer/disk/zstd.h"

/* The part of a file that is being written. */
enum npf_writer_stream_phase {
	NPF_PHASE_HEAD,
	NPF_PHASE_BODY,
	NPF_PHASE_TRAILER,
	NPF_PHASE_END,
};

struct npf_writer_stream {
	/* fixed */
	const struct npf_writer_ring *ring;
	enum npf_writer_format format;
	const void *head;
	uint32_t head_size;
	bool retro;                   /* the ring has records only */
	struct npf_writer_zstd *zstd; /* NULL: bytes go out as they are */

	uint64_t at;      /* taken from the ring up to here */
	uint64_t flushed; /* all up to here can be read from the file */
	enum npf_writer_stream_phase phase;
	const uint8_t *span; /* the rest of the header or trailer */
	size_t span_len;
	uint8_t trailer[NPF_WRITER_TRAILER];
	/* of a retrospective file, whose packets the worker counts */
	uint64_t walked; /* records were counted up to here */
	uint64_t packets, first_ns;
};

/* Begin a file at this position of the ring. */
void npf_writer_stream_begin(struct npf_writer_stream *s, uint64_t start);

enum npf_writer_stream_result {
	NPF_STREAM_IDLE, /* there is too little for a write */
	NPF_STREAM_BUSY, /* call again */
	NPF_STREAM_END,  /* all of the file is written */
};

/*
 * npf_writer_stream_step - write the next piece of the file.
 * @limit: the ring can be read up to here
 * @stats: of the file, if it ends at limit; NULL: more will come
 * @flush: write also when there is little
 * Return: enum npf_writer_stream_result, or -errno of a write, to be tried again.
 */
int npf_writer_stream_step(struct npf_writer_stream *s, struct npf_writer_outfile *out,
	uint64_t limit, const struct npf_writer_file_stats *stats, bool flush);

#endif
