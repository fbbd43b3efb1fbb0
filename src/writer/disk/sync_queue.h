/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sync_queue.h - finished files on their way to stable storage, while the next one is written.
 *
 * Each file takes three steps: its bytes are synchronised, it is renamed, its directory is
 * synchronised. So after a power cut a file that has its name is complete, and a file that was
 * reported as finished is there. A file whose bytes can't be synchronised keeps its .part name.
 * Syncs run at once and end in any order; files are renamed in the order in which they were
 * written.
 */
#ifndef NPF_WRITER_DISK_SYNC_QUEUE_H
#define NPF_WRITER_DISK_SYNC_QUEUE_H

#include "writer/disk/io.h"
#include "writer/disk/outfile.h"

/* A file was finished. */
struct npf_writer_summary {
	const char *path; /* its present one, with ".part" if it was not renamed; "": opened by
			     somebody else */
	uint64_t number;
	uint64_t size; /* bytes on disk */
	struct npf_writer_file_stats stats;
	int error; /* 0, or -errno of the sync or rename that failed */
};

enum npf_writer_sync_step {
	NPF_SYNC_DATA, /* its bytes are being synchronised */
	NPF_SYNC_NAME, /* they are; it waits for its turn to be renamed */
	NPF_SYNC_DIR,  /* its directory is being synchronised */
	NPF_SYNC_DONE,
};

struct npf_writer_sync {
	enum npf_writer_sync_step step;
	int dir_fd; /* of its directory, while that is being synchronised; else -1 */
	struct npf_writer_outfile out;
	struct npf_writer_summary summary;
};

struct npf_writer_sync_queue {
	struct npf_writer_sync
		files[NPF_WRITER_MAX_SYNCS]; /* number n at [n % NPF_WRITER_MAX_SYNCS] */
	uint64_t begun, ended;
};

/* Can no file be added? */
static inline bool npf_writer_sync_queue_is_full(const struct npf_writer_sync_queue *q)
{
	return q->begun - q->ended == NPF_WRITER_MAX_SYNCS;
}

/* Add a file that is written, with its descriptor. Not when the queue is full. */
void npf_writer_sync_queue_add(struct npf_writer_sync_queue *q, struct npf_writer_io *io,
	const struct npf_writer_outfile *out, const struct npf_writer_summary *summary);

/* A sync of the queue has ended. */
void npf_writer_sync_queue_complete(
	struct npf_writer_sync_queue *q, const struct npf_writer_completion *done);

/*
 * npf_writer_sync_queue_remove - rename the files whose turn it is, and take out one that is done.
 * Return: its summary, valid until the next call; NULL: no file is done yet.
 */
const struct npf_writer_summary *npf_writer_sync_queue_remove(
	struct npf_writer_sync_queue *q, struct npf_writer_io *io);

#endif
