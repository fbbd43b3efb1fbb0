/* SPDX-License-Identifier: BSD-3-Clause */
/* zstd.h - compresses the bytes of a file, and keeps the result until the disk has taken it. */
#ifndef NPF_WRITER_DISK_ZSTD_H
#define NPF_WRITER_DISK_ZSTD_H

#include "writer/disk/outfile.h"

struct npf_writer_zstd;

/* Return: 0 or -ENOMEM. */
int npf_writer_zstd_new(struct npf_writer_zstd **zp);
struct npf_writer_zstd *npf_writer_zstd_free(struct npf_writer_zstd *z); /* NULL is fine */

enum npf_writer_zstd_end {
	NPF_ZSTD_MORE,  /* more will come */
	NPF_ZSTD_FLUSH, /* a reader of the file can decompress all up to here */
	NPF_ZSTD_END,   /* the file ends here */
};

/*
 * npf_writer_zstd_put - compress bytes and write the result.
 * @usedp: gets how many of the bytes were consumed; the caller goes on behind these
 * Return: 1: all were consumed, and *end is done; 0: call again with the rest; -errno of a write:
 *         call again later with the rest.
 */
int npf_writer_zstd_put(struct npf_writer_zstd *z, struct npf_writer_outfile *o, const void *data,
	size_t n, enum npf_writer_zstd_end end, size_t *usedp);

/* A new file begins. */
void npf_writer_zstd_reset(struct npf_writer_zstd *z);

#endif
