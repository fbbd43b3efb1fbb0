/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * closing.h - finished files on their way to stable storage, while the next is being written.
 *
 * Of each file: its bytes are synchronised, then it gets its name, then its directory is
 * synchronised. So after a power cut a file that has its name is whole, and one that was told of as
 * finished is there. One whose bytes could not be synchronised keeps its .part name. Syncs go on at
 * once and end in any order; files get their names in theirs.
 */
#ifndef NPF_WRITER_DISK_CLOSING_H
#define NPF_WRITER_DISK_CLOSING_H

#include "writer/feed/format.h"
#include "writer/disk/io.h"
#include "writer/disk/out.h"

/* A file was finished. */
struct npf_dump_summary {
	const char *path; /* as it is, "....part" without a name; "": opened by somebody else */
	uint64_t number;
	uint64_t size; /* bytes on disk */
	struct npf_dump_sums sums;
	int error; /* 0, or -errno of what kept it from its name, or its name from the disk */
};

enum npf_dump_closing_step {
	NPF_CLOSING_DATA,   /* its bytes are being synchronised */
	NPF_CLOSING_NAME,   /* they are; it waits for its turn to be named */
	NPF_CLOSING_FOLDER, /* its directory is being synchronised */
	NPF_CLOSING_DONE,
};

struct npf_dump_closing {
	enum npf_dump_closing_step step;
	int folder_fd; /* while that is being synchronised; -1 */
	struct npf_dump_out out;
	struct npf_dump_summary summary;
};

struct npf_dump_closings {
	struct npf_dump_closing files[NPF_DUMP_SYNCS]; /* number n at [n % NPF_DUMP_SYNCS] */
	uint64_t begun, ended;
};

/* Are as many on their way as can be? One will be done soon. */
static inline bool npf_dump_closings_full(const struct npf_dump_closings *c)
{
	return c->begun - c->ended == NPF_DUMP_SYNCS;
}

/* Takes over a file that is written. Not when full. */
void npf_dump_closings_add(struct npf_dump_closings *c, struct npf_dump_io *io,
	const struct npf_dump_out *out, const struct npf_dump_summary *summary);

/* A sync has ended. */
void npf_dump_closings_synced(struct npf_dump_closings *c, const struct npf_dump_done *done);

/*
 * npf_dump_closings_take - what goes on now?
 * Return: a file that is through with everything, until the next call; NULL: none is by now.
 */
const struct npf_dump_summary *npf_dump_closings_take(
	struct npf_dump_closings *c, struct npf_dump_io *io);

#endif
