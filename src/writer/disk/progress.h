/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * progress.h - what a worker has done so far, and what keeps it from going on.
 *
 * The worker writes it, any thread reads a copy. Errors and their ends are also logged here, once
 * each: an error that stays the same while a write is tried again is counted only.
 */
#ifndef NPF_WRITER_DISK_PROGRESS_H
#define NPF_WRITER_DISK_PROGRESS_H

#include "base/error.h"
#include "writer/disk/outfile.h"

#include <pthread.h>

/* A copy. */
struct npf_writer_status {
	bool exited; /* all is written (or given up) and the thread is ending */
	bool direct; /* writes go past the page cache */
	int error;   /* -errno of the last write or open, until one succeeds again; of the last file
			that could not be finished (sync, rename), until one can be; 0: none */
	uint64_t errors;
	struct npf_error reason; /* of error */
	uint64_t files;          /* finished */
	uint64_t bytes;          /* on disk, of all files */
	uint64_t lost;           /* packets in the ring when it was given up (abandoned) */
	uint64_t deleted;        /* files deleted to make room for newer ones */
	uint64_t busy_ns;        /* CPU time of the worker */
	char file[PATH_MAX];     /* being written; "": none */
};

struct npf_writer_progress {
	bool unfinished; /* the error is of a file that could not be finished */
	pthread_mutex_t lock;
	struct npf_writer_status status; /* under the lock; only the worker writes it */
};

void npf_writer_progress_init(struct npf_writer_progress *p);
void npf_writer_progress_fini(struct npf_writer_progress *p);

/* ---- The worker's ---- */

/* A write or an open failed with rc, and will be tried again. @what: "can't write", ... */
void npf_writer_progress_set_error(
	struct npf_writer_progress *p, int rc, const char *what, const char *path);

/* A write or an open of this file succeeded. */
void npf_writer_progress_clear_error(struct npf_writer_progress *p, const char *path);

/* So many bytes are on disk. */
void npf_writer_progress_set_bytes(struct npf_writer_progress *p, uint64_t bytes);

/* The file that is open now, or none. */
void npf_writer_progress_set_file(
	struct npf_writer_progress *p, const struct npf_writer_outfile *out);

/*
 * npf_writer_progress_finish - a file was finished, or can't be and stays as it is.
 * @path:    ""; opened by somebody else
 * @error:   0 or -errno
 * @deleted: older files that were deleted so far
 */
void npf_writer_progress_finish(
	struct npf_writer_progress *p, const char *path, int error, uint64_t deleted);

/* The thread ends. @lost: packets that are on no disk */
void npf_writer_progress_exit(struct npf_writer_progress *p, uint64_t lost);

/* ---- Any thread's ---- */

/* @thread: the worker's, for its CPU time while it runs */
void npf_writer_progress_get(
	struct npf_writer_progress *p, pthread_t thread, struct npf_writer_status *s);

#endif
