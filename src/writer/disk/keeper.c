/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.c - what is deleted is only ever a regular file whose name the dump's pattern makes, in
 * the dump's directory; leftover .part files of a crash count as files, so that they go in their
 * turn.
 */
#include "writer/disk/keeper.h"

#include "base/clock.h"
#include "writer/disk/name.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static void append(struct npf_dump_keeper *k, const char *path, uint64_t size, uint64_t mtime_ns)
{
	char *copy;

	if (k->n == k->room) {
		size_t room = k->room != 0 ? k->room * 2 : 64;
		struct npf_dump_kept *files = realloc(k->files, room * sizeof(*files));

		if (files == NULL)
			return; /* one file more than wanted stays */
		k->files = files;
		k->room = room;
	}
	copy = strdup(path);
	if (copy == NULL)
		return;
	k->files[k->n++] = (struct npf_dump_kept){copy, size, mtime_ns};
	k->total += size;
}

static bool is_part(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".part") == 0;
}

/* Does somebody write this .part file? Then it is locked, see out.h. What we may not look at might
 * be. */
static bool is_in_use(const char *path)
{
	npf_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
}

static void drop_oldest(struct npf_dump_keeper *k)
{
	if ((!is_part(k->files[0].path) || !is_in_use(k->files[0].path)) &&
		unlink(k->files[0].path) == 0)
		k->deleted++;
	k->total -= k->files[0].size;
	free(k->files[0].path);
	memmove(k->files, k->files + 1, --k->n * sizeof(*k->files));
}

/* The newest always stays. */
static void trim(struct npf_dump_keeper *k)
{
	while (k->n > 1 && ((k->keep != 0 && k->n > k->keep) ||
				   (k->keep_size != 0 && k->total > k->keep_size)))
		drop_oldest(k);
}

static int by_age(const void *a, const void *b)
{
	const struct npf_dump_kept *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns < y->mtime_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void look_at(struct npf_dump_keeper *k, const char *pattern, const char *dir,
	const char *entry, uint64_t *numberp)
{
	char name[NAME_MAX + 1], path[PATH_MAX];
	uint64_t number = 0;
	struct stat st;

	snprintf(name, sizeof(name), "%s", entry);
	if (is_part(name))
		name[strlen(name) - 5] = '\0';
	if (!npf_dump_name_matches(pattern, name, &number) ||
		snprintf(path, sizeof(path), "%s/%s", dir, entry) >= (int)sizeof(path) ||
		lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	*numberp = NPF_MAX(*numberp, number);
	if (is_part(entry) && is_in_use(path))
		return;
	append(k, path, (uint64_t)st.st_size,
		(uint64_t)st.st_mtim.tv_sec * NPF_NS_PER_S + (uint64_t)st.st_mtim.tv_nsec);
}

int npf_dump_keeper_init(struct npf_dump_keeper *k, const char *pattern, uint64_t keep,
	uint64_t keep_size, uint64_t *numberp)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	*k = (struct npf_dump_keeper){.keep = keep, .keep_size = keep_size};
	if (npf_dump_name_dir(pattern, path, sizeof(path)) < 0)
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL)
		look_at(k, pattern, path, entry->d_name, numberp);
	closedir(dir);
	if (k->n > 0)
		qsort(k->files, k->n, sizeof(*k->files), by_age);
	return 0;
}

void npf_dump_keeper_fini(struct npf_dump_keeper *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->files[i].path);
	free(k->files);
	*k = (struct npf_dump_keeper){0};
}

void npf_dump_keeper_add(struct npf_dump_keeper *k, const char *path, uint64_t size)
{
	if (k->keep == 0 && k->keep_size == 0)
		return;
	append(k, path, size, npf_clock_realtime());
	trim(k);
}
