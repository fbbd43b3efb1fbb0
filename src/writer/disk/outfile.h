/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outfile.h - one file on disk: written as NAME.part, renamed when it is complete.
 *
 * No file is ever overwritten: where a name is taken, the file gets "-1", "-2", ... before its
 * extension. Disk space is reserved ahead without making the file longer, so that the file always
 * ends where its data ends.
 */
#ifndef NPF_WRITER_DISK_OUTFILE_H
#define NPF_WRITER_DISK_OUTFILE_H

#include "writer/feed/feed.h"

#include <limits.h>

/* How files are made. */
struct npf_writer_target {
	const char *pattern; /* see pattern.h; NULL: fd */
	int fd;              /* one file, opened by somebody else, used as it is */
	struct npf_writer_access access;
	uint64_t reserve;  /* most bytes to reserve ahead of the end of a file; 0: none */
	bool direct;       /* write past the page cache where the file system can */
	bool unprivileged; /* leave alone what a file system keeps for root */
};

/* The end of the last search for a free name, where the next search for the same name goes on. */
struct npf_writer_name_search {
	char name[PATH_MAX]; /* without a suffix; "": none was searched for */
	unsigned int suffix; /* n of the "-n" that it got; 0: none */
};

struct npf_writer_outfile {
	int fd; /* -1: none is open */
	bool direct;
	bool unprivileged; /* npf_writer_outfile_check_room() */
	bool owned;        /* made here under a name: to be renamed */
	uint64_t size;     /* bytes in the file */
	uint64_t reserved; /* bytes of disk that it has */
	uint64_t reserve;  /* most bytes to reserve ahead */
	char part[PATH_MAX];
	char name[PATH_MAX]; /* by the pattern; the actual one once finished; "": none */
};

/*
 * npf_writer_outfile_open - make a file. While it is open it is locked (flock), by which others
 * know that it is in use.
 * @names: of the files before this one
 * Return: 0 or -errno (-EEXIST: a million names in a row are taken).
 */
int npf_writer_outfile_open(struct npf_writer_outfile *o, const struct npf_writer_target *t,
	struct npf_writer_name_search *names, uint64_t ts_ns, uint64_t number);

/* Switch between direct and buffered writes. Return: 0, or -errno: buffered. */
int npf_writer_outfile_set_direct(struct npf_writer_outfile *o, bool on);

/* Reserve disk for a write up to @end, and ahead. Failures are ignored: the write fails, too. */
void npf_writer_outfile_reserve(struct npf_writer_outfile *o, uint64_t end);

/*
 * npf_writer_outfile_check_room - may n more bytes be written? By the kernel root may use all
 * blocks. For an unprivileged file those count that everybody may use.
 * Return: 0 or -ENOSPC.
 */
int npf_writer_outfile_check_room(const struct npf_writer_outfile *o, uint64_t n);

/* Write n bytes, buffered, at once. Return: 0 or -errno. */
int npf_writer_outfile_write(struct npf_writer_outfile *o, const void *data, size_t n, uint64_t at);

/* All is written: release the disk that was reserved beyond. Return: 0 or -errno. */
int npf_writer_outfile_trim(struct npf_writer_outfile *o);

/*
 * npf_writer_outfile_finish - all is on disk: rename the file and close it.
 * @dir_fdp: gets its directory, open, if the file was renamed: the caller synchronises and closes
 *           it. -1: the file was not renamed, or we may not read the directory
 * Return: 0, or -errno: the file keeps its .part name.
 */
int npf_writer_outfile_finish(struct npf_writer_outfile *o, int *dir_fdp);

/* Close a file that can't be finished; it keeps its .part name. */
void npf_writer_outfile_abandon(struct npf_writer_outfile *o);

#endif
