/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.h - a ring of files: of the finished files of a dump only the newest stay, by number and
 * by total size, those of earlier runs counted in.
 *
 * Two dumps at once must not have patterns that meet (npf_dump_name_collide()): of finished files
 * nobody can tell whose they are. A file that is being written is never taken, not even another
 * daemon's.
 */
#ifndef NPF_WRITER_DISK_KEEPER_H
#define NPF_WRITER_DISK_KEEPER_H

#include "base/base.h"

struct npf_dump_kept {
	char *path;
	uint64_t size;
	uint64_t mtime_ns;
};

struct npf_dump_keeper {
	uint64_t keep;               /* files; 0: all */
	uint64_t keep_size;          /* bytes; 0: any */
	struct npf_dump_kept *files; /* oldest first */
	size_t n, room;
	uint64_t total;   /* bytes */
	uint64_t deleted; /* files */
};

/*
 * npf_dump_keeper_init - look for files that earlier runs left.
 * @numberp: gets the highest %N among them; untouched when there is none
 * Return: 0 or -errno (then nothing was found, and what comes is kept track of all the same).
 */
int npf_dump_keeper_init(struct npf_dump_keeper *k, const char *pattern, uint64_t keep,
	uint64_t keep_size, uint64_t *numberp);
void npf_dump_keeper_fini(struct npf_dump_keeper *k);

/* A file is finished: delete what has become too much. */
void npf_dump_keeper_add(struct npf_dump_keeper *k, const char *path, uint64_t size);

#endif
