/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opened.h - a file that a client has opened comes into the daemon.
 *
 * Anything can be behind a descriptor: a file whose file system never answers, a socket that
 * lingers when it is closed, a file of /proc that takes what root writes. So a descriptor is
 * received, looked at and, if it is not what a dump can be written into, closed by an errand.
 *
 * Context: the control thread, but for npf_opened_check().
 */
#ifndef NPF_ENGINE_CONTROL_OPENED_H
#define NPF_ENGINE_CONTROL_OPENED_H

#include "base/error.h"
#include "engine/core/errands.h"
#include "wire/wire.h"

struct npf_opening;

/* Who waits for a file: a connection. */
struct npf_opener {
	struct npf_errands *errands;
	uid_t uid;
	struct npf_opening *opening; /* one at a time */
	int fd;                      /* a file that was found good; -1: none */
};

/*
 * npf_opened_begin - wait for a file, on an errand. It takes the place of the one that is there.
 * @peerp: the client's end of the socket that it comes over, the caller's to close
 * Return: 0, or -errno with a text in err.
 */
int npf_opened_begin(struct npf_opener *o, int *peerp, struct npf_error *err);

/* The file has been used, or its connection goes away. It is closed by an errand. */
void npf_opened_end(struct npf_opener *o);

/*
 * npf_opened_check - can a dump be written into this?
 *
 * It must be open for writing, not for appending: that is the client's right to write, which the
 * daemon only makes use of. It must be a regular file on a local file system that keeps what is
 * written, so not on /proc, /sys, FUSE or a network; and not a memfd or in a tmpfs of the client's
 * own, whose memory nobody would be charged for.
 *
 * Context: any thread that may hang.
 * Return:  0, or -EINVAL with a text in err.
 */
int npf_opened_check(int fd, struct npf_error *err);

#endif
