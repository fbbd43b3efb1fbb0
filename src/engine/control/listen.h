/* SPDX-License-Identifier: BSD-3-Clause */
/* listen.h - the control socket in the file system: made, guarded, opened to those who may connect,
 * removed. */
#ifndef NPF_ENGINE_CONTROL_LISTEN_H
#define NPF_ENGINE_CONTROL_LISTEN_H

#include "base/error.h"

#include <sys/types.h>

struct npf_listen {
	int fd;         /* listening, not blocking */
	bool takes_fds; /* descriptors can come over its connections: the kernel is before 6.16 */
	const char *path;
	dev_t dev; /* of the socket that we made: only that one is removed */
	ino_t ino;
};

/*
 * npf_listen_open - bind the socket and set who may connect.
 * @path:  stays the caller's and must outlive the socket. Its directory is made if it is missing
 *         (one level).
 * @group: that may connect; "any": everybody; NULL: npf if there is one, else the owner only
 *
 * A socket left behind by a daemon that died is replaced; one that a living daemon serves is not.
 * Two daemons that start at once are kept apart by a file beside the socket, PATH.lock, which only
 * the daemon's user can open and which is gone again on return.
 *
 * Return: 0, or -errno with a text in err (-EADDRINUSE: another daemon).
 */
int npf_listen_open(
	struct npf_listen *l, const char *path, const char *group, struct npf_error *err);

/* Closes and removes it. */
void npf_listen_close(struct npf_listen *l);

#endif
