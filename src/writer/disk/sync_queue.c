/* SPDX-License-Identifier: BSD-3-Clause */
/* sync_queue.c - the rename is an ordinary call, which changes memory only; the sync of the
 * directory, which waits for the disk, runs in the background. */
#include "writer/disk/sync_queue.h"

#include <assert.h>

/* Ignores the errors of files that can't be synchronised, or need not be. */
static int ignore_unsupported(int rc)
{
	return rc == -EINVAL || rc == -EROFS ? 0 : NPF_MIN(rc, 0);
}

static uint32_t tag_of(uint64_t n)
{
	return (uint32_t)(n % NPF_WRITER_MAX_SYNCS);
}

void npf_writer_sync_queue_add(struct npf_writer_sync_queue *q, struct npf_writer_io *io,
	const struct npf_writer_outfile *out, const struct npf_writer_summary *summary)
{
	uint32_t tag = tag_of(q->begun++);
	struct npf_writer_sync *f = &q->files[tag];

	f->step = NPF_SYNC_DATA;
	f->dir_fd = -1;
	f->out = *out;
	f->summary = *summary;
	npf_writer_io_sync(io, f->out.fd, tag);
}

void npf_writer_sync_queue_complete(
	struct npf_writer_sync_queue *q, const struct npf_writer_completion *done)
{
	struct npf_writer_sync *f = &q->files[done->tag];

	assert(f->step == NPF_SYNC_DATA || f->step == NPF_SYNC_DIR);
	if (f->summary.error == 0)
		f->summary.error = ignore_unsupported(done->res);
	if (f->step == NPF_SYNC_DATA) {
		f->step = NPF_SYNC_NAME;
		return;
	}
	f->dir_fd = npf_close(f->dir_fd);
	f->step = NPF_SYNC_DONE;
}

static void rename_file(struct npf_writer_sync *f, struct npf_writer_io *io, uint32_t tag)
{
	/* Readers take a file that has its name for a complete one. */
	if (f->summary.error == 0)
		f->summary.error = npf_writer_outfile_finish(&f->out, &f->dir_fd);
	else
		npf_writer_outfile_abandon(&f->out);
	f->summary.path = f->out.name;
	f->step = NPF_SYNC_DONE;
	if (f->dir_fd >= 0) {
		f->step = NPF_SYNC_DIR;
		npf_writer_io_sync(io, f->dir_fd, tag);
	}
}

const struct npf_writer_summary *npf_writer_sync_queue_remove(
	struct npf_writer_sync_queue *q, struct npf_writer_io *io)
{
	uint32_t tag = tag_of(q->ended);
	struct npf_writer_sync *f = &q->files[tag];

	if (q->ended == q->begun)
		return NULL;
	if (f->step == NPF_SYNC_NAME)
		rename_file(f, io, tag);
	if (f->step != NPF_SYNC_DONE)
		return NULL;
	q->ended++;
	return &f->summary;
}
