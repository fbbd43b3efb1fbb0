/* SPDX-License-Identifier: BSD-3-Clause */
/* pattern_priv.h - the parts of a pattern, for pattern.c and pattern_intersect.c. */
#ifndef NPF_WRITER_DISK_PATTERN_PRIV_H
#define NPF_WRITER_DISK_PATTERN_PRIV_H

#include "writer/disk/pattern.h"

/* The part of a path behind the last slash. */
const char *npf_writer_pattern_base(const char *path);

/* The place for "-1": before the last extension, or before the last two of "x.pcap.zst". */
const char *npf_writer_pattern_extension(const char *base);

/* The most bytes that a conversion expands to. */
size_t npf_writer_pattern_conversion_max(char c);

#endif
