/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h - from ring to disk as a stream, for files whose bytes are not those of the ring: when
 * they are compressed, and when header and trailer are put around remembered packets.
 *
 * Belongs to the dump's worker, like the file that it writes to.
 */
#ifndef NPF_WRITER_DISK_STREAM_H
#define NPF_WRITER_DISK_STREAM_H

#include "writer/disk/outfile.h"
#include "writer/feed/ring.h"
#include "writer/disk/zstd.h"

/* Where the stream is in a file. */
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
	const uint8_t *span; /* header or trailer, what is left of it */
	size_t span_len;
	uint8_t trailer[NPF_WRITER_TRAILER];
	/* of a retrospective file, which nobody counted when it was remembered */
	uint64_t walked; /* records were counted up to here */
	uint64_t packets, first_ns;
};

/* A file begins at this position of the ring. */
void npf_writer_stream_begin(struct npf_writer_stream *s, uint64_t start);

enum npf_writer_stream_result {
	NPF_STREAM_IDLE, /* there is too little to be worth a write */
	NPF_STREAM_BUSY, /* go on */
	NPF_STREAM_END,  /* all of the file is written */
};

/*
 * npf_writer_stream_step - write a piece.
 * @limit: the ring can be read up to here
 * @stats:  the file ends at limit, and counted this; NULL: more will come
 * @flush: however little there is
 * Return: enum npf_writer_stream_result, or -errno of a write, to be tried again.
 */
int npf_writer_stream_step(struct npf_writer_stream *s, struct npf_writer_outfile *out,
	uint64_t limit, const struct npf_writer_file_stats *stats, bool flush);

#endif
