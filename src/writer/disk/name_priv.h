/* SPDX-License-Identifier: BSD-3-Clause */
/* name_priv.h - what a pattern is made of, for name.c and name_meet.c. */
#ifndef NPF_WRITER_DISK_NAME_PRIV_H
#define NPF_WRITER_DISK_NAME_PRIV_H

#include "writer/disk/name.h"

/* What stands behind the last slash. */
const char *npf_dump_name_base(const char *path);

/* Where "-1" goes: before the last extension, or before the last two of "x.pcap.zst". */
const char *npf_dump_name_extension(const char *base);

/* Bytes that stand for a conversion, at most. */
size_t npf_dump_name_longest(char c);

#endif
