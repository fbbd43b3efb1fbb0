/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passed_file.h - receives and checks a file that a client has opened and passes to the daemon.
 *
 * Anything can be behind a descriptor: a file whose file system never answers, a socket that
 * lingers when it is closed, a file of /proc that takes what root writes. So a task receives a
 * descriptor, checks it and, if no dump can be written into it, closes it.
 *
 * Context: the control thread, but for npf_passed_file_check().
 */
#ifndef NPF_ENGINE_HANDOVER_PASSED_FILE_H
#define NPF_ENGINE_HANDOVER_PASSED_FILE_H

#include "base/error.h"
#include "engine/base/tasks.h"
#include "wire/wire.h"

struct npf_file_transfer;

/* A connection's passed file. */
struct npf_passed_file {
	struct npf_tasks *tasks;
	uid_t uid;
	pid_t pid;
	struct npf_file_transfer *transfer; /* one at a time */
	int fd;                             /* a file that was found good; -1: none */
	uint64_t max_size;                  /* bytes that the client may make of it; 0: no limit */
};

/*
 * npf_passed_file_begin - wait for a file, in a task. It replaces the one that is there.
 * @peerp: the client's end of the socket that it comes over, the caller's to close
 * Return: 0, or -errno with a text in err.
 */
int npf_passed_file_begin(struct npf_passed_file *file, int *peerp, struct npf_error *err);

/* The file has been used, or its connection goes away. A task closes it. */
void npf_passed_file_end(struct npf_passed_file *file);

/*
 * npf_passed_file_check - can a dump be written into this?
 *
 * It must be open for writing, not for appending: that is the client's right to write, which the
 * daemon only makes use of. It must be a regular file on a local file system that keeps what is
 * written, so not on /proc, /sys, FUSE or a network; and not a memfd or in a tmpfs of the client's
 * own, whose memory nobody would be charged for.
 *
 * Context: any thread that may hang.
 * Return:  0, or -EINVAL with a text in err.
 */
int npf_passed_file_check(int fd, struct npf_error *err);

/*
 * npf_passed_file_limit - the size of a file that a process may write: its RLIMIT_FSIZE, which the
 * kernel would hold it to if it wrote the file itself.
 * Context: any thread that may hang.
 * Return:  bytes, at least 1; 0: it has no limit, or has gone.
 */
uint64_t npf_passed_file_limit(pid_t pid);

#endif
