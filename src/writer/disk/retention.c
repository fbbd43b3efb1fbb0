/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retention.c - deletes only regular files in the dump's directory whose names the pattern makes.
 * A .part file that a crash left counts as a file, so that it is deleted in its turn.
 */
#include "writer/disk/retention.h"

#include "base/clock.h"
#include "writer/disk/pattern.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static void append(
	struct npf_writer_retention *r, const char *path, uint64_t size, uint64_t mtime_ns)
{
	char *copy;

	if (r->n == r->room) {
		size_t room = r->room != 0 ? r->room * 2 : 64;
		struct npf_writer_retained *files = realloc(r->files, room * sizeof(*files));

		if (files == NULL)
			return; /* a file more than asked for stays */
		r->files = files;
		r->room = room;
	}
	copy = strdup(path);
	if (copy == NULL)
		return;
	r->files[r->n++] = (struct npf_writer_retained){copy, size, mtime_ns};
	r->total += size;
}

static bool is_part(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".part") == 0;
}

/* Is this .part file being written? Then it is locked, see outfile.h. One that we may not open
 * might be. */
static bool is_in_use(const char *path)
{
	npf_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
}

static void delete_oldest(struct npf_writer_retention *r)
{
	if ((!is_part(r->files[0].path) || !is_in_use(r->files[0].path)) &&
		unlink(r->files[0].path) == 0)
		r->deleted++;
	r->total -= r->files[0].size;
	free(r->files[0].path);
	memmove(r->files, r->files + 1, --r->n * sizeof(*r->files));
}

/* The newest always stays. */
static void trim(struct npf_writer_retention *r)
{
	while (r->n > 1 && ((r->keep.files != 0 && r->n > r->keep.files) ||
				   (r->keep.bytes != 0 && r->total > r->keep.bytes)))
		delete_oldest(r);
}

static int by_age(const void *a, const void *b)
{
	const struct npf_writer_retained *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns < y->mtime_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void scan_entry(struct npf_writer_retention *r, const char *pattern, const char *dir,
	const char *entry, uint64_t *numberp)
{
	char name[NAME_MAX + 1], path[PATH_MAX];
	uint64_t number = 0;
	struct stat st;

	snprintf(name, sizeof(name), "%s", entry);
	if (is_part(name))
		name[strlen(name) - 5] = '\0';
	if (!npf_writer_pattern_matches(pattern, name, &number) ||
		snprintf(path, sizeof(path), "%s/%s", dir, entry) >= (int)sizeof(path) ||
		lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	*numberp = NPF_MAX(*numberp, number);
	if (is_part(entry) && is_in_use(path))
		return;
	append(r, path, (uint64_t)st.st_size,
		(uint64_t)st.st_mtim.tv_sec * NPF_NS_PER_S + (uint64_t)st.st_mtim.tv_nsec);
}

int npf_writer_retention_init(struct npf_writer_retention *r, const char *pattern,
	const struct npf_writer_keep *keep, uint64_t *numberp)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	*r = (struct npf_writer_retention){.keep = *keep};
	if (npf_writer_pattern_dir(pattern, path, sizeof(path)) < 0)
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL)
		scan_entry(r, pattern, path, entry->d_name, numberp);
	closedir(dir);
	if (r->n > 0)
		qsort(r->files, r->n, sizeof(*r->files), by_age);
	return 0;
}

void npf_writer_retention_fini(struct npf_writer_retention *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->files[i].path);
	free(r->files);
	*r = (struct npf_writer_retention){0};
}

void npf_writer_retention_add(struct npf_writer_retention *r, const char *path, uint64_t size)
{
	if (r->keep.files == 0 && r->keep.bytes == 0)
		return;
	append(r, path, size, npf_clock_realtime());
	trim(r);
}
