/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outfile.h - one file on its way to disk: made as NAME.part, given its name when it is whole.
 *
 * No file is ever overwritten: a name that is taken gets "-1", "-2", ... before its extension. Room
 * is reserved ahead without making the file longer, so that at any moment it ends where its
 * data ends.
 */
#ifndef NPF_WRITER_DISK_OUTFILE_H
#define NPF_WRITER_DISK_OUTFILE_H

#include "writer/feed/params.h"

#include <limits.h>

/* How files are made. */
struct npf_writer_target {
	const char *pattern; /* see pattern.h; NULL: fd */
	int fd;              /* one file, opened by somebody else, as it is */
	struct npf_writer_access access;
	uint64_t reserve; /* most bytes to reserve ahead of a file's end; 0: none */
	bool direct;      /* write past the page cache where the file system can */
};

/* Where the last search for a free name ended, so that the next of the same name goes on there. */
struct npf_writer_name_search {
	char name[PATH_MAX]; /* without a suffix; "": none was searched for */
	unsigned int suffix; /* n of the "-n" that it got; 0: none */
};

struct npf_writer_outfile {
	int fd; /* -1: none is open */
	bool direct;
	bool owned;        /* made by us under a name: renamed and closed when done */
	uint64_t size;     /* bytes in the file */
	uint64_t reserved; /* bytes that have room on the disk */
	uint64_t reserve;  /* most bytes to reserve ahead */
	char part[PATH_MAX];
	char name[PATH_MAX]; /* as wished for; as it is, once finished. "": it has none */
};

/*
 * npf_writer_outfile_open - make a file. While it is open it is locked (flock), by which others
 * know that it is in use.
 * @names: of the files before it
 * Return: 0 or -errno (-EEXIST: a million names in a row are taken).
 */
int npf_writer_outfile_open(struct npf_writer_outfile *o, const struct npf_writer_target *t,
	struct npf_writer_name_search *names, uint64_t ts_ns, uint64_t number);

/* Switch between direct and buffered writes. Return: 0, or -errno: buffered. */
int npf_writer_outfile_set_direct(struct npf_writer_outfile *o, bool on);

/* Reserve so that a write up to @end finds room; what can't be reserved is not. */
void npf_writer_outfile_reserve(struct npf_writer_outfile *o, uint64_t end);

/* Write n bytes, buffered, at once. Return: 0 or -errno. */
int npf_writer_outfile_write(struct npf_writer_outfile *o, const void *data, size_t n, uint64_t at);

/* All is written: give back what was reserved too much. Return: 0 or -errno. */
int npf_writer_outfile_trim(struct npf_writer_outfile *o);

/*
 * npf_writer_outfile_finish - all is on the disk: give it its name, and close it.
 * @dir_fdp: gets its directory, opened, if a name was given there: to be synchronised and closed by
 *   the caller. -1: none was, or we may not read it.
 * Return: 0 or -errno: it keeps its .part name.
 */
int npf_writer_outfile_finish(struct npf_writer_outfile *o, int *dir_fdp);

/* It can't be finished: close it as it is, under its .part name. */
void npf_writer_outfile_abandon(struct npf_writer_outfile *o);

#endif
