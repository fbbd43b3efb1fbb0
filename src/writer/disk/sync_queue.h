/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sync_queue.h - finished files on their way to stable storage, while the next is being written.
 *
 * Of each file: its bytes are synchronised, then it gets its name, then its directory is
 * synchronised. So after a power cut a file that has its name is whole, and one that was told of as
 * finished is there. One whose bytes could not be synchronised keeps its .part name. Syncs go on at
 * once and end in any order; files get their names in theirs.
 */
#ifndef NPF_WRITER_DISK_SYNC_QUEUE_H
#define NPF_WRITER_DISK_SYNC_QUEUE_H

#include "writer/feed/format.h"
#include "writer/disk/io.h"
#include "writer/disk/outfile.h"

/* A file was finished. */
struct npf_writer_summary {
	const char *path; /* as it is, "....part" without a name; "": opened by somebody else */
	uint64_t number;
	uint64_t size; /* bytes on disk */
	struct npf_writer_file_stats stats;
	int error; /* 0, or -errno of what kept it from its name, or its name from the disk */
};

enum npf_writer_sync_step {
	NPF_SYNC_DATA, /* its bytes are being synchronised */
	NPF_SYNC_NAME, /* they are; it waits for its turn to be named */
	NPF_SYNC_DIR,  /* its directory is being synchronised */
	NPF_SYNC_DONE,
};

struct npf_writer_sync {
	enum npf_writer_sync_step step;
	int dir_fd; /* while that is being synchronised; -1 */
	struct npf_writer_outfile out;
	struct npf_writer_summary summary;
};

struct npf_writer_sync_queue {
	struct npf_writer_sync
		files[NPF_WRITER_MAX_SYNCS]; /* number n at [n % NPF_WRITER_MAX_SYNCS] */
	uint64_t begun, ended;
};

/* Are as many on their way as can be? One will be done soon. */
static inline bool npf_writer_sync_queue_is_full(const struct npf_writer_sync_queue *q)
{
	return q->begun - q->ended == NPF_WRITER_MAX_SYNCS;
}

/* Takes over a file that is written. Not when full. */
void npf_writer_sync_queue_add(struct npf_writer_sync_queue *q, struct npf_writer_io *io,
	const struct npf_writer_outfile *out, const struct npf_writer_summary *summary);

/* A sync has ended. */
void npf_writer_sync_queue_complete(
	struct npf_writer_sync_queue *q, const struct npf_writer_completion *done);

/*
 * npf_writer_sync_queue_remove - what goes on now?
 * Return: a file that is through with everything, until the next call; NULL: none is by now.
 */
const struct npf_writer_summary *npf_writer_sync_queue_remove(
	struct npf_writer_sync_queue *q, struct npf_writer_io *io);

#endif
