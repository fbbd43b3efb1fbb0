/* SPDX-License-Identifier: BSD-3-Clause */
/* pattern_priv.h - what a pattern is made of, for pattern.c and pattern_intersect.c. */
#ifndef NPF_WRITER_DISK_PATTERN_PRIV_H
#define NPF_WRITER_DISK_PATTERN_PRIV_H

#include "writer/disk/pattern.h"

/* What stands behind the last slash. */
const char *npf_writer_pattern_base(const char *path);

/* Where "-1" goes: before the last extension, or before the last two of "x.pcap.zst". */
const char *npf_writer_pattern_extension(const char *base);

/* Bytes that stand for a conversion, at most. */
size_t npf_writer_pattern_conversion_max(char c);

#endif
