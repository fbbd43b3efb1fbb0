/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retention.h - deletes the oldest finished files of a dump, so that only the newest stay: a number
 * of files, or a total size. Files of earlier runs count.
 *
 * A file is the dump's if the pattern can have made its name. So dumps that run at the same time
 * must have patterns without a common name (npf_writer_pattern_intersects()). A file that is being
 * written is never deleted, not even another daemon's.
 */
#ifndef NPF_WRITER_DISK_RETENTION_H
#define NPF_WRITER_DISK_RETENTION_H

#include "writer/feed/feed.h"

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
 * npf_writer_retention_init - find the files of earlier runs.
 * @numberp: gets the highest %N among them; untouched when there is none
 * Return:   0, or -errno: no files were found, and those that are added are kept track of all the
 *           same.
 */
int npf_writer_retention_init(struct npf_writer_retention *r, const char *pattern,
	const struct npf_writer_keep *keep, uint64_t *numberp);
void npf_writer_retention_fini(struct npf_writer_retention *r);

/* Add a finished file, and delete the oldest beyond the limits. */
void npf_writer_retention_add(struct npf_writer_retention *r, const char *path, uint64_t size);

#endif
