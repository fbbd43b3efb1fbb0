/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opened.c - descriptors of clients: received, looked at, closed, all of it by errands.
 *
 * An opening is an errand twice: to receive and look, and, after the client has its answer, to
 * close what is left. It outlives its connection when that goes first.
 */
#include "engine/control/opened.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>

struct npf_opening {
	struct npf_errand errand;
	struct npf_opener *opener; /* NULL: it is gone */
	struct npf_errands *errands;
	bool is_answered; /* the reply is to be sent, by who closes */
	int sock;
	int fd;
	struct npf_wire_file_reply reply;
};

/* ---- is it a file that a dump can be written into? ---- */

/* File systems that <linux/magic.h> of Debian 12 does not name. */
#define BCACHEFS_MAGIC 0xca451a4eu
#define EXFAT_MAGIC    0x2011bab0u
#define NTFS3_MAGIC    0x7366746eu
#define JFS_MAGIC      0x3153464au
#define ZFS_MAGIC      0x2fc12fc1u

static bool is_local(uint32_t type)
{
	static const uint32_t known[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
		F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, MSDOS_SUPER_MAGIC,
		NILFS_SUPER_MAGIC, REISERFS_SUPER_MAGIC, BCACHEFS_MAGIC, EXFAT_MAGIC, NTFS3_MAGIC,
		JFS_MAGIC, ZFS_MAGIC};

	for (size_t i = 0; i < NPF_ARRAY_LEN(known); i++)
		if (type == known[i])
			return true;
	return false;
}

/* Is the file system one that is mounted where the daemon runs? A memfd's is not, nor what a user
 * has mounted in a namespace of his own. */
static bool is_mounted(dev_t dev)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	npf_autofree char *line = NULL;
	bool found = false;
	size_t room = 0;

	while (f != NULL && !found && getline(&line, &room, f) > 0) {
		unsigned int major_nr, minor_nr;

		found = sscanf(line, "%*d %*d %u:%u", &major_nr, &minor_nr) == 2 &&
			makedev(major_nr, minor_nr) == dev;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

int npf_opened_check(int fd, struct npf_error *err)
{
	int flags = fcntl(fd, F_GETFL), access = flags & O_ACCMODE;
	struct statfs fs;
	struct stat st;

	if (flags < 0 || (flags & O_PATH) != 0 || (access != O_WRONLY && access != O_RDWR))
		return npf_error_set(err, -EINVAL, "the dump's file is not open for writing");
	if ((flags & O_APPEND) != 0)
		return npf_error_set(err, -EINVAL,
			"the dump's file is open for appending (O_APPEND): a dump is a whole file");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return npf_error_set(err, -EINVAL, "a dump goes into a regular file only");
	if (fstatfs(fd, &fs) < 0 || !is_local((uint32_t)fs.f_type))
		return npf_error_set(err, -EINVAL,
			"a dump into an opened file needs a local file system (ext4, xfs, btrfs, "
			"tmpfs, ...), and this is one of type %#lx: dump to a local disk, or let "
			"root give the daemon the file's name",
			(unsigned long)fs.f_type);
	if ((uint32_t)fs.f_type == TMPFS_MAGIC && !is_mounted(st.st_dev))
		return npf_error_set(err, -EINVAL,
			"a dump does not go into a memfd, nor into a tmpfs that is not mounted "
			"where the daemon runs: use a file on a disk");
	return 0;
}

/* ---- what the errand does ---- */

/* Keeps the first of what comes. */
static void keep_one(struct npf_opening *o, struct msghdr *mh)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (o->fd < 0)
				o->fd = fd;
			else
				npf_close(fd);
		}
	}
}

static void receive(struct npf_opening *o)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * NPF_WIRE_ANYFDS)];
		struct cmsghdr align;
	} control;
	struct pollfd pfd = {.fd = o->sock, .events = POLLIN};
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};

	if (poll(&pfd, 1, NPF_WIRE_TIMEOUT_MS) <= 0)
		return;
	if (recvmsg(o->sock, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) > 0)
		keep_one(o, &mh);
}

static void run_receive(struct npf_errand *errand)
{
	struct npf_opening *o = (struct npf_opening *)errand;

	receive(o);
	if (o->fd < 0)
		o->reply.status = npf_error_set(&o->reply.error, -EINVAL, "no file came");
	else
		o->reply.status = npf_opened_check(o->fd, &o->reply.error);
	if (o->reply.status < 0)
		o->fd = npf_close(o->fd);
}

static void run_close(struct npf_errand *errand)
{
	struct npf_opening *o = (struct npf_opening *)errand;

	/* Whoever does not take it goes without. */
	if (o->is_answered)
		send(o->sock, &o->reply, sizeof(o->reply), MSG_DONTWAIT | MSG_NOSIGNAL);
	npf_close(o->fd);
	npf_close(o->sock);
}

/* ---- the control thread's part ---- */

static void forget(struct npf_errand *errand)
{
	free(errand);
}

static void close_on_errand(struct npf_opening *o)
{
	o->errand.run = run_close;
	o->errand.done = forget;
	npf_errands_send(o->errands, &o->errand);
}

static struct npf_opening *new_opening(struct npf_opener *opener, int sock, int fd)
{
	struct npf_opening *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->errand.uid = opener->uid;
	o->errands = opener->errands;
	o->sock = sock;
	o->fd = fd;
	return o;
}

/* What was received is the opener's now, or nobody's. */
static void received(struct npf_errand *errand)
{
	struct npf_opening *o = (struct npf_opening *)errand;
	struct npf_opener *opener = o->opener;

	if (opener != NULL) {
		opener->opening = NULL;
		if (o->fd >= 0) {
			int old = opener->fd;

			opener->fd = o->fd;
			o->fd = old;
		}
		o->is_answered = true;
	}
	close_on_errand(o);
}

int npf_opened_begin(struct npf_opener *opener, int *peerp, struct npf_error *err)
{
	struct npf_opening *o;
	int pair[2];

	if (opener->opening != NULL)
		return npf_error_set(err, -EBUSY, "a file is awaited already");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return npf_error_set(err, -errno, "the daemon is out of descriptors");
	o = new_opening(opener, pair[0], -1);
	if (o == NULL) {
		npf_close(pair[0]);
		npf_close(pair[1]);
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	}
	o->opener = opener;
	o->errand.run = run_receive;
	o->errand.done = received;
	opener->opening = o;
	npf_errands_send(o->errands, &o->errand);
	*peerp = pair[1];
	return 0;
}

void npf_opened_end(struct npf_opener *opener)
{
	struct npf_opening *o = NULL;

	if (opener->opening != NULL)
		opener->opening->opener = NULL;
	opener->opening = NULL;
	if (opener->fd >= 0)
		o = new_opening(opener, -1, opener->fd);
	/* Without memory it stays open: to close it here might hang. */
	opener->fd = -1;
	if (o != NULL)
		close_on_errand(o);
}
