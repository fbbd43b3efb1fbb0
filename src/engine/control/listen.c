/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listen.c - two daemons that start at once must not each take the other's socket for a dead one's,
 * so each holds a lock while it looks and binds.
 *
 * The lock is on a file of our own with mode 0600. A lock on the directory would be simpler, but
 * whoever can open a file or a directory, if only to read it, can lock it.
 */
#include "engine/control/listen.h"

#include "base/log.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define BACKLOG       64
#define LOCK_TRIES    60
#define LOCK_EVERY_NS 50000000l /* so a daemon that starts gets 3 s to have bound its socket */

/* The value since Linux 6.16; Debian 12's headers do not know it. */
#ifndef SO_PASSRIGHTS
#	define SO_PASSRIGHTS 83
#endif

static int make_dir(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *dir;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Is what is open still what the path names? The last who held the lock removes the file. */
static bool is_current(int fd, const char *path)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Return: a descriptor that holds the lock; -EWOULDBLOCK: another has it; or -errno. */
static int try_lock(const char *path)
{
	npf_autofd int fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Somebody else's file, or one that others can open, is somebody else's lock. */
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return is_current(fd, path) ? npf_steal_fd(&fd) : -EWOULDBLOCK;
}

static int take_lock(const char *path, struct npf_error *err)
{
	const struct timespec a_while = {.tv_nsec = LOCK_EVERY_NS};
	int rc = -EWOULDBLOCK;

	for (unsigned int i = 0; i < LOCK_TRIES && rc == -EWOULDBLOCK; i++) {
		if (i > 0)
			nanosleep(&a_while, NULL);
		rc = try_lock(path);
	}
	if (rc >= 0)
		return rc;
	if (rc == -EWOULDBLOCK)
		npf_error_set(err, rc,
			"%s: another npf-dpdk that is starting holds this lock; stop it, or choose "
			"another socket with --socket",
			path);
	else if (rc == -EPERM || rc == -ELOOP)
		npf_error_set(err, rc,
			"%s: it is not a lock that user %u made (a regular file of his with mode "
			"0600); remove it",
			path, (unsigned int)geteuid());
	else
		npf_error_set(err, rc, "%s: can't be made or opened: %s", path, strerror(-rc));
	return rc;
}

/* Of the socket that was bound, not of what others may have put in its place, or where that leads.
 * fchmod() would act on the socket, which is not the file, and takes no O_PATH. */
static int change_access(const struct npf_listen *l, mode_t mode, gid_t gid)
{
	npf_autofd int fd = open(l->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char name[64];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() || st.st_dev != l->dev ||
		st.st_ino != l->ino)
		return -ESTALE;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (chmod(name, mode) < 0 ||
		(gid != (gid_t)-1 && fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) < 0))
		return -errno;
	return 0;
}

/* Who may connect: the owner, a group, or everybody. */
static int set_access(const struct npf_listen *l, const char *group, struct npf_error *err)
{
	const struct group *gr;
	mode_t mode = 0660;
	gid_t gid = (gid_t)-1;
	int rc;

	if (group != NULL && strcmp(group, "any") == 0) {
		mode = 0666;
	} else {
		gr = getgrnam(group != NULL ? group : "npf");
		if (gr != NULL) {
			gid = gr->gr_gid;
		} else if (group != NULL) {
			return npf_error_set(err, -EINVAL,
				"npf.group: there is no group \"%s\"; make it with groupadd, or "
				"write \"any\"",
				group);
		} else {
			mode = 0600;
			npf_info("there is no group npf: only user %u may use %s; `group:` in the "
				 "configuration says otherwise",
				(unsigned int)geteuid(), l->path);
		}
	}
	rc = change_access(l, mode, gid);
	return rc < 0 ? npf_error_set(err, rc, "%s: can't set its group and mode: %s", l->path,
				strerror(-rc))
		      : 0;
}

/* Nothing that lives is at the path. */
static int make_way(const char *path, struct npf_error *err)
{
	npf_autofd int probe = npf_wire_connect(path);
	struct stat st;

	if (probe >= 0 || probe == -EAGAIN)
		return npf_error_set(err, -EADDRINUSE,
			"%s: another npf-dpdk serves this socket; stop it, or choose another with "
			"--socket",
			path);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return npf_error_set(err, -EEXIST,
			"%s: there is something that is not a socket; remove it, or choose another "
			"path",
			path);
	if (probe == -ECONNREFUSED)
		unlink(path);
	return 0;
}

static int bind_socket(struct npf_listen *l, const struct sockaddr_un *addr)
{
	const int no = 0;
	struct stat st;
	mode_t mask;
	int rc;

	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	/* Connections inherit it. An older kernel does not have it: control.c then gets rid of what
	 * comes. */
	l->takes_fds = setsockopt(l->fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no)) < 0;
	/* Nobody but the owner until set_access() has opened it up. */
	mask = umask(0177);
	rc = bind(l->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
	umask(mask);
	if (rc == 0 && (lstat(l->path, &st) < 0 || listen(l->fd, BACKLOG) < 0))
		rc = -errno;
	if (rc < 0)
		return rc;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

int npf_listen_open(
	struct npf_listen *l, const char *path, const char *group, struct npf_error *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char lock_path[sizeof(addr.sun_path) + sizeof(".lock")];
	npf_autofd int lock = -1;
	int rc;

	*l = (struct npf_listen){.fd = -1, .path = path};
	if (strlen(path) >= sizeof(addr.sun_path))
		return npf_error_set(err, -ENAMETOOLONG,
			"%.150s: longer than a socket's path can be (%zu)", path,
			sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	rc = make_dir(path);
	if (rc < 0)
		return npf_error_set(
			err, rc, "%s: its directory can't be made: %s", path, strerror(-rc));
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	lock = take_lock(lock_path, err);
	if (lock < 0)
		return lock;
	rc = make_way(path, err);
	if (rc == 0) {
		rc = bind_socket(l, &addr);
		if (rc < 0)
			npf_error_set(err, rc, "%s: can't listen there: %s", path, strerror(-rc));
	}
	unlink(lock_path);
	return rc == 0 ? set_access(l, group, err) : rc;
}

void npf_listen_close(struct npf_listen *l)
{
	struct stat st;

	if (l->fd >= 0 && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	l->fd = npf_close(l->fd);
}
