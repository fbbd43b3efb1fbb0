/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - the door of the way onto the disk: names of files (pattern.h), and the thread that
 * writes a dump's ring to disk. One for each dump, so that a slow disk delays no other dump.
 *
 * Errors of the disk never end a dump: a write is tried again until it succeeds. Meanwhile the ring
 * fills, and the producer counts the packets that find no room. struct npf_writer_status shows the
 * error.
 */
#ifndef NPF_WRITER_DISK_WORKER_H
#define NPF_WRITER_DISK_WORKER_H

#include "writer/disk/pattern.h"
#include "writer/disk/sync_queue.h"
#include "writer/disk/progress.h"
#include "writer/feed/feed.h"

struct npf_writer_worker;

struct npf_writer_worker_conf {
	struct npf_writer_ring *ring;
	const struct npf_writer_params *params; /* complete. Lifetime: the worker's */
	const void *head;                       /* bytes that each file starts with. Lifetime: the
						   worker's */
	uint32_t head_size;
	const char *pattern; /* of the files' names, pattern.h; NULL: fd */
	int fd;              /* one file, opened by somebody else */
	uint64_t reserve;    /* most bytes of disk to reserve ahead of a file's end; 0: none */
	bool unprivileged;   /* leave alone what a file system keeps for root */
	bool buffered;       /* do without direct writes */
	bool plain_io;       /* do without io_uring */
	int cpu;             /* to run on; -1: anywhere */
	/*
	 * Called in each turn of the worker, where no tap fills the ring itself: merges what the
	 * taps have. Returns whether there was anything. May be NULL.
	 */
	bool (*merge)(void *ctx);
	/* A file is on stable storage under its name, or can't be. May be NULL. */
	void (*finished)(void *ctx, const struct npf_writer_summary *s);
	/* Called by the worker once it has its io_uring, before all else, to give up what it does
	 * not need. May be NULL. */
	void (*begun)(void *ctx);
	void *ctx;
};

/* Return: 0 or -errno. Takes over fd. */
int npf_writer_worker_start(
	const struct npf_writer_worker_conf *conf, struct npf_writer_worker **wp);

void npf_writer_worker_status(struct npf_writer_worker *w, struct npf_writer_status *s);

/* Stop writing. A file that is not finished keeps its .part name, and may end within a record. */
void npf_writer_worker_abandon(struct npf_writer_worker *w);

/* An eventfd, readable once the worker has exited. Lifetime: the worker's. */
int npf_writer_worker_fd(const struct npf_writer_worker *w);

/* Waits for the thread, which ends when the ring is over and everything is written, or was
 * abandoned. NULL is fine; returns NULL. */
struct npf_writer_worker *npf_writer_worker_join(struct npf_writer_worker *w);

#endif
