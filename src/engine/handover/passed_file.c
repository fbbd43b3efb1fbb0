/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passed_file.c - tasks receive, check and close the descriptors of clients.
 *
 * A transfer is a task twice: to receive and check, and, after the client has its answer, to close
 * what is left. It may outlive its connection.
 */
#include "engine/handover/passed_file.h"

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

struct npf_file_transfer {
	struct npf_task task;
	struct npf_passed_file *file; /* NULL: the connection is closed */
	struct npf_tasks *tasks;
	bool is_answered; /* run_close() sends the reply */
	int sock;
	int fd;
	pid_t pid;
	uint64_t max_size;
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

int npf_passed_file_check(int fd, struct npf_error *err)
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

uint64_t npf_passed_file_limit(pid_t pid)
{
	npf_autofree char *line = NULL;
	unsigned long long limit = 0;
	char path[64];
	size_t room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	f = fopen(path, "re");
	while (f != NULL && getline(&line, &room, f) > 0)
		if (sscanf(line, "Max file size %llu", &limit) == 1)
			limit = NPF_MAX(limit, 1ull);
	if (f != NULL)
		fclose(f);
	return limit;
}

/* ---- what the task does ---- */

/* Keeps the first of what comes. */
static void keep_first(struct npf_file_transfer *o, struct msghdr *mh)
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

static void receive(struct npf_file_transfer *o)
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
		keep_first(o, &mh);
}

static void run_receive(struct npf_task *task)
{
	struct npf_file_transfer *o = NPF_CONTAINER_OF(task, struct npf_file_transfer, task);

	receive(o);
	if (o->fd < 0)
		o->reply.status = npf_error_set(&o->reply.error, -EINVAL, "no file came");
	else
		o->reply.status = npf_passed_file_check(o->fd, &o->reply.error);
	o->max_size = npf_passed_file_limit(o->pid);
	if (o->reply.status < 0)
		o->fd = npf_close(o->fd);
}

static void run_close(struct npf_task *task)
{
	struct npf_file_transfer *o = NPF_CONTAINER_OF(task, struct npf_file_transfer, task);

	/* A client that does not take it gets none. */
	if (o->is_answered)
		send(o->sock, &o->reply, sizeof(o->reply), MSG_DONTWAIT | MSG_NOSIGNAL);
	npf_close(o->fd);
	npf_close(o->sock);
}

/* ---- the control thread's part ---- */

static void free_transfer(struct npf_task *task)
{
	free(NPF_CONTAINER_OF(task, struct npf_file_transfer, task));
}

static void close_on_task(struct npf_file_transfer *o)
{
	o->task.run = run_close;
	o->task.done = free_transfer;
	npf_tasks_submit(o->tasks, &o->task);
}

static struct npf_file_transfer *new_transfer(struct npf_passed_file *file, int sock, int fd)
{
	struct npf_file_transfer *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->task.uid = file->uid;
	o->pid = file->pid;
	o->tasks = file->tasks;
	o->sock = sock;
	o->fd = fd;
	return o;
}

/* The connection gets the descriptor; without a connection it is closed. */
static void file_received(struct npf_task *task)
{
	struct npf_file_transfer *o = NPF_CONTAINER_OF(task, struct npf_file_transfer, task);
	struct npf_passed_file *file = o->file;

	if (file != NULL) {
		file->transfer = NULL;
		if (o->fd >= 0) {
			int old = file->fd;

			file->fd = o->fd;
			file->max_size = o->max_size;
			o->fd = old;
		}
		o->is_answered = true;
	}
	close_on_task(o);
}

int npf_passed_file_begin(struct npf_passed_file *file, int *peerp, struct npf_error *err)
{
	struct npf_file_transfer *o;
	int pair[2];

	if (file->transfer != NULL)
		return npf_error_set(err, -EBUSY, "a file is awaited already");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return npf_error_set(err, -errno, "the daemon is out of descriptors");
	o = new_transfer(file, pair[0], -1);
	if (o == NULL) {
		npf_close(pair[0]);
		npf_close(pair[1]);
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	}
	o->file = file;
	o->task.run = run_receive;
	o->task.done = file_received;
	file->transfer = o;
	npf_tasks_submit(o->tasks, &o->task);
	*peerp = pair[1];
	return 0;
}

void npf_passed_file_end(struct npf_passed_file *file)
{
	struct npf_file_transfer *o = NULL;

	if (file->transfer != NULL)
		file->transfer->file = NULL;
	file->transfer = NULL;
	if (file->fd >= 0)
		o = new_transfer(file, -1, file->fd);
	/* Without memory it stays open: to close it here might hang. */
	file->fd = -1;
	if (o != NULL)
		close_on_task(o);
}
