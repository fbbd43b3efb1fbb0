/* SPDX-License-Identifier: BSD-3-Clause */
/* stream.c - header, body, trailer, end: one piece a step, so that the worker can do its other work
 * in between. A write that fails in part has consumed that part; the rest is tried again. */
#include "writer/disk/stream.h"

#include "writer/feed/feed.h"

#define PIECE_MAX (1u << 20)
#define PIECE_MIN (256u << 10) /* collected before it is written */

void npf_writer_stream_begin(struct npf_writer_stream *s, uint64_t start)
{
	s->at = s->flushed = s->walked = start;
	s->packets = s->first_ns = 0;
	s->phase = s->retro ? NPF_PHASE_HEAD : NPF_PHASE_BODY;
	s->span = s->head;
	s->span_len = s->head_size;
	if (s->zstd != NULL)
		npf_writer_zstd_reset(s->zstd);
}

/*
 * Write a piece behind what is there.
 * Return: 1: all of it, and what it was compressed to, is written; 0; -errno. *usedp: bytes taken.
 */
static int put(struct npf_writer_stream *s, struct npf_writer_outfile *out, const void *data,
	size_t n, enum npf_writer_zstd_end end, size_t *usedp)
{
	uint64_t before = out->size;
	int rc;

	if (s->zstd != NULL)
		return npf_writer_zstd_put(s->zstd, out, data, n, end, usedp);
	rc = npf_writer_outfile_write(out, data, n, before);
	*usedp = (size_t)(out->size - before);
	return rc < 0 ? rc : 1;
}

/* Counts the records of a retrospective file. */
static void walk(struct npf_writer_stream *s, uint64_t limit)
{
	while (s->walked < limit) {
		uint64_t ts_ns;

		s->walked += npf_writer_decode_record(
			s->format, npf_writer_ring_at(s->ring, s->walked), &ts_ns);
		if (s->packets++ == 0)
			s->first_ns = ts_ns;
	}
}

static void make_trailer(struct npf_writer_stream *s, struct npf_writer_file_stats stats)
{
	npf_writer_retro_complete_stats(&stats, s->packets, s->first_ns);
	s->span = s->trailer;
	s->span_len = npf_writer_encode_trailer(s->format, s->trailer, &stats);
}

static int step_span(struct npf_writer_stream *s, struct npf_writer_outfile *out,
	enum npf_writer_stream_phase next)
{
	size_t used;
	int rc = put(s, out, s->span, s->span_len, NPF_ZSTD_MORE, &used);

	s->span += used;
	s->span_len -= used;
	if (s->span_len == 0)
		s->phase = next;
	return rc < 0 ? rc : NPF_STREAM_BUSY;
}

static int step_body(struct npf_writer_stream *s, struct npf_writer_outfile *out, uint64_t limit,
	const struct npf_writer_file_stats *stats, bool flush)
{
	size_t n = (size_t)NPF_MIN(limit - s->at, (uint64_t)PIECE_MAX), used;
	int rc;

	if (s->retro)
		walk(s, limit);
	if (n == 0 && stats != NULL) {
		s->phase = s->retro ? NPF_PHASE_TRAILER : NPF_PHASE_END;
		if (s->retro)
			make_trailer(s, *stats);
		return NPF_STREAM_BUSY;
	}
	if (n < PIECE_MIN && stats == NULL && !(flush && s->flushed < limit))
		return NPF_STREAM_IDLE;
	rc = put(s, out, npf_writer_ring_at(s->ring, s->at), n,
		flush ? NPF_ZSTD_FLUSH : NPF_ZSTD_MORE, &used);
	s->at += used;
	if (s->at == limit && rc == 1)
		s->flushed = limit;
	return rc < 0 ? rc : NPF_STREAM_BUSY;
}

int npf_writer_stream_step(struct npf_writer_stream *s, struct npf_writer_outfile *out,
	uint64_t limit, const struct npf_writer_file_stats *stats, bool flush)
{
	size_t used;
	int rc = 1;

	switch (s->phase) {
	case NPF_PHASE_HEAD:
		return step_span(s, out, NPF_PHASE_BODY);
	case NPF_PHASE_BODY:
		return step_body(s, out, limit, stats, flush);
	case NPF_PHASE_TRAILER:
		return step_span(s, out, NPF_PHASE_END);
	case NPF_PHASE_END:
		if (s->zstd != NULL)
			rc = put(s, out, NULL, 0, NPF_ZSTD_END, &used);
		return rc < 0 ? rc : rc == 1 ? NPF_STREAM_END : NPF_STREAM_BUSY;
	}
	return NPF_STREAM_IDLE;
}
