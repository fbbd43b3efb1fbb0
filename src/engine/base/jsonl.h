/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jsonl.h - JSON Lines files: a line is appended now and then.
 *
 * Regular files only: whoever writes to a pipe waits for its reader, and here that would be a
 * thread on which others depend. A reader never sees half a line, unless the disk was full and the
 * half could not be taken back.
 */
#ifndef NPF_ENGINE_BASE_JSONL_H
#define NPF_ENGINE_BASE_JSONL_H

#include "base/base.h"

/* Return: a descriptor; -ENOTSUP: it is no regular file; -errno. */
int npf_jsonl_open(const char *path, int mode);

/*
 * npf_jsonl_append - a line, to which the end of the line is added.
 * Return: 0; -errno: nothing was appended, -ENOSPC when there was room for a part only.
 */
int npf_jsonl_append(int fd, const char *line);

#endif
