/* SPDX-License-Identifier: BSD-3-Clause */
/* outfile.c - open, reserve, trim, rename. */
#include "writer/disk/outfile.h"

#include "writer/disk/pattern.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#define TRIES       1000000u /* names to try for a file ... */
#define NAMED_TRIES 10000u   /* ... and again when it is renamed, if the name was taken meanwhile */
#define RESERVE_MIN (4ull << 20)

static int open_named(struct npf_writer_outfile *o, const struct npf_writer_target *t,
	struct npf_writer_name_search *names, uint64_t ts_ns, uint64_t number)
{
	unsigned int first;
	int rc = npf_writer_pattern_expand(t->pattern, ts_ns, number, 0, o->name, sizeof(o->name));

	if (rc < 0)
		return rc;
	if (strcmp(names->name, o->name) != 0) {
		snprintf(names->name, sizeof(names->name), "%s", o->name);
		names->suffix = 0;
	}
	first = names->suffix;
	for (unsigned int try = first; try - first < TRIES; try++) {
		rc = npf_writer_pattern_expand(
			t->pattern, ts_ns, number, try, o->name, sizeof(o->name));
		if (rc < 0 || snprintf(o->part, sizeof(o->part), "%s.part", o->name) >=
				      (int)sizeof(o->part))
			return -ENAMETOOLONG;
		/* Links are not followed: in a directory that others can write to they might lead
		 * anywhere. */
		if (faccessat(AT_FDCWD, o->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		o->fd = open(o->part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (o->fd >= 0) {
			names->suffix = try;
			/* The file is new, so nobody else has it locked. A file system without
			 * locks is fine. */
			flock(o->fd, LOCK_EX | LOCK_NB);
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* A tmpfs accepts direct writes and reservations, but only touches its pages once more for each. */
static bool is_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

int npf_writer_outfile_open(struct npf_writer_outfile *o, const struct npf_writer_target *t,
	struct npf_writer_name_search *names, uint64_t ts_ns, uint64_t number)
{
	int rc;

	o->size = o->reserved = 0;
	o->direct = false;
	o->owned = t->pattern != NULL;
	o->name[0] = o->part[0] = '\0';
	o->fd = -1;
	rc = o->owned ? open_named(o, t, names, ts_ns, number) : 0;
	if (rc < 0)
		return rc;
	if (!o->owned) {
		o->fd = t->fd;
		if (ftruncate(o->fd, 0) < 0)
			return -errno;
	} else if (((t->access.uid != (uid_t)-1 || t->access.gid != (gid_t)-1) &&
			   fchown(o->fd, t->access.uid, t->access.gid) < 0) ||
		   fchmod(o->fd, t->access.mode) < 0) {
		rc = -errno;
		unlink(o->part);
		o->fd = npf_close(o->fd);
		return rc;
	}
	o->unprivileged = t->unprivileged;
	/* Disk that is reserved ahead can't be told from disk that others have filled. */
	o->reserve = t->unprivileged ? 0 : t->reserve;
	if (is_memory(o->fd))
		o->reserve = 0;
	else if (t->direct)
		npf_writer_outfile_set_direct(o, true);
	return 0;
}

int npf_writer_outfile_set_direct(struct npf_writer_outfile *o, bool on)
{
	int flags = fcntl(o->fd, F_GETFL);

	o->direct = false;
	if (flags < 0 || fcntl(o->fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) < 0)
		return -errno;
	o->direct = on;
	return 0;
}

void npf_writer_outfile_reserve(struct npf_writer_outfile *o, uint64_t end)
{
	/* As much again as the file has: a slow dump reserves no disk for a far future. */
	uint64_t ahead = NPF_MIN(NPF_MAX(end, RESERVE_MIN), o->reserve);

	if (o->reserve == 0 || end <= o->reserved)
		return;
	/* One try for each piece, successful or not: on a full disk the write fails. */
	if (fallocate(o->fd, FALLOC_FL_KEEP_SIZE, (off_t)o->reserved,
		    (off_t)(end - o->reserved + ahead)) < 0)
		o->reserved = end + ahead / 16;
	else
		o->reserved = end + ahead;
}

int npf_writer_outfile_check_room(const struct npf_writer_outfile *o, uint64_t n)
{
	struct statvfs fs;

	if (!o->unprivileged || fstatvfs(o->fd, &fs) < 0 || fs.f_frsize == 0)
		return 0;
	return n / fs.f_frsize < fs.f_bavail ? 0 : -ENOSPC;
}

int npf_writer_outfile_write(struct npf_writer_outfile *o, const void *data, size_t n, uint64_t at)
{
	bool direct = o->direct;
	int rc = npf_writer_outfile_check_room(o, n);

	if (rc < 0)
		return rc;
	if (direct)
		npf_writer_outfile_set_direct(o, false);
	while (n > 0) {
		ssize_t put = pwrite(o->fd, data, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			rc = put < 0 ? -errno : -EIO;
			break;
		}
		data = (const char *)data + put;
		at += (uint64_t)put;
		n -= (size_t)put;
		o->size = NPF_MAX(o->size, at);
	}
	if (direct)
		npf_writer_outfile_set_direct(o, true);
	return rc;
}

int npf_writer_outfile_trim(struct npf_writer_outfile *o)
{
	return o->reserved > o->size && ftruncate(o->fd, (off_t)o->size) < 0 ? -errno : 0;
}

/* Return: a descriptor or -1. */
static int open_dir(const char *name)
{
	char dir[PATH_MAX];

	if (npf_writer_pattern_dir(name, dir, sizeof(dir)) < 0)
		return -1;
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int npf_writer_outfile_finish(struct npf_writer_outfile *o, int *dir_fdp)
{
	char name[PATH_MAX];
	int rc = 0;

	*dir_fdp = -1;
	if (o->fd < 0)
		return 0;
	if (o->owned) {
		snprintf(name, sizeof(name), "%s", o->name);
		rc = -EEXIST;
		for (unsigned int n = 1; rc == -EEXIST && n < NAMED_TRIES; n++) {
			rc = renameat2(AT_FDCWD, o->part, AT_FDCWD, o->name, RENAME_NOREPLACE) < 0
				     ? -errno
				     : 0;
			if (rc == -EEXIST)
				snprintf(o->name, sizeof(o->name), "%.*s.%u",
					(int)sizeof(o->name) - 8, name, n);
		}
		/* The file system has no RENAME_NOREPLACE: nobody else makes files of this name. */
		if (rc == -EINVAL)
			rc = rename(o->part, o->name) < 0 ? -errno : 0;
		if (rc == 0)
			*dir_fdp = open_dir(o->name);
	}
	if (rc < 0)
		npf_writer_outfile_abandon(o);
	o->fd = npf_close(o->fd);
	return rc;
}

void npf_writer_outfile_abandon(struct npf_writer_outfile *o)
{
	if (o->owned)
		snprintf(o->name, sizeof(o->name), "%s", o->part);
	o->fd = npf_close(o->fd);
}
