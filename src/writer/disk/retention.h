/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retention.h - a ring of files: of the finished files of a dump only the newest stay, by number
 * and by total size, those of earlier runs counted in.
 *
 * Two dumps at once must not have patterns that meet (npf_writer_pattern_intersects()): of finished
 * files nobody can tell whose they are. A file that is being written is never taken, not even
 * another daemon's.
 */
#ifndef NPF_WRITER_DISK_RETENTION_H
#define NPF_WRITER_DISK_RETENTION_H

#include "writer/feed/params.h"

struct npf_writer_retained {
	char *path;
	uint64_t size;
	uint64_t mtime_ns;
};

struct npf_writer_retention {
	struct npf_writer_keep keep;
	struct npf_writer_retained *files; /* oldest first */
	size_t n, room;
	uint64_t total;   /* bytes */
	uint64_t deleted; /* files */
};

/*
 * npf_writer_retention_init - look for files that earlier runs left.
 * @numberp: gets the highest %N among them; untouched when there is none
 * Return: 0 or -errno (then nothing was found, and what comes is kept track of all the same).
 */
int npf_writer_retention_init(struct npf_writer_retention *r, const char *pattern,
	const struct npf_writer_keep *keep, uint64_t *numberp);
void npf_writer_retention_fini(struct npf_writer_retention *r);

/* A file is finished: delete what has become too much. */
void npf_writer_retention_add(struct npf_writer_retention *r, const char *path, uint64_t size);

#endif
