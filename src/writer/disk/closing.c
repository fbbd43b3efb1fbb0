/* SPDX-License-Identifier: BSD-3-Clause */
/* closing.c - see closing.h. The rename itself is an ordinary call: it changes memory only, and the
 * sync of the directory, which waits for the disk, goes on beside the worker. */
#include "writer/disk/closing.h"

#include <assert.h>

/* Kinds of files and directories that can't be synchronised, or need not be. */
static int forgive(int rc)
{
	return rc == -EINVAL || rc == -EROFS ? 0 : NPF_MIN(rc, 0);
}

static uint32_t tag_of(uint64_t n)
{
	return (uint32_t)(n % NPF_DUMP_SYNCS);
}

void npf_dump_closings_add(struct npf_dump_closings *c, struct npf_dump_io *io,
	const struct npf_dump_out *out, const struct npf_dump_summary *summary)
{
	uint32_t tag = tag_of(c->begun++);
	struct npf_dump_closing *f = &c->files[tag];

	f->step = NPF_CLOSING_DATA;
	f->folder_fd = -1;
	f->out = *out;
	f->summary = *summary;
	npf_dump_io_sync(io, f->out.fd, tag);
}

void npf_dump_closings_synced(struct npf_dump_closings *c, const struct npf_dump_done *done)
{
	struct npf_dump_closing *f = &c->files[done->tag];

	assert(f->step == NPF_CLOSING_DATA || f->step == NPF_CLOSING_FOLDER);
	if (f->summary.error == 0)
		f->summary.error = forgive(done->res);
	if (f->step == NPF_CLOSING_DATA) {
		f->step = NPF_CLOSING_NAME;
		return;
	}
	f->folder_fd = npf_close(f->folder_fd);
	f->step = NPF_CLOSING_DONE;
}

static void name(struct npf_dump_closing *f, struct npf_dump_io *io, uint32_t tag)
{
	/* Who sees the name takes the file for whole. */
	if (f->summary.error == 0)
		f->summary.error = npf_dump_out_finish(&f->out, &f->folder_fd);
	else
		npf_dump_out_leave(&f->out);
	f->summary.path = f->out.name;
	f->step = NPF_CLOSING_DONE;
	if (f->folder_fd >= 0) {
		f->step = NPF_CLOSING_FOLDER;
		npf_dump_io_sync(io, f->folder_fd, tag);
	}
}

const struct npf_dump_summary *npf_dump_closings_take(
	struct npf_dump_closings *c, struct npf_dump_io *io)
{
	uint32_t tag = tag_of(c->ended);
	struct npf_dump_closing *f = &c->files[tag];

	if (c->ended == c->begun)
		return NULL;
	if (f->step == NPF_CLOSING_NAME)
		name(f, io, tag);
	if (f->step != NPF_CLOSING_DONE)
		return NULL;
	c->ended++;
	return &f->summary;
}
