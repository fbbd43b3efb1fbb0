/* SPDX-License-Identifier: BSD-3-Clause */
/* zip.h - a file's bytes through zstd, what comes out held until the disk has taken it. */
#ifndef NPF_WRITER_DISK_ZIP_H
#define NPF_WRITER_DISK_ZIP_H

#include "writer/disk/out.h"

struct npf_dump_zip;

/* Return: 0 or -ENOMEM. */
int npf_dump_zip_new(struct npf_dump_zip **zp);
struct npf_dump_zip *npf_dump_zip_free(struct npf_dump_zip *z); /* NULL is fine */

enum npf_dump_zip_end {
	NPF_ZIP_MORE,  /* more will come */
	NPF_ZIP_FLUSH, /* whoever reads the file now should find all of this */
	NPF_ZIP_END,   /* the file ends here */
};

/*
 * npf_dump_zip_put - compress some bytes and write what comes out.
 * @usedp: how many bytes were taken; these must not come again
 * Return: 1: all was taken, and *end is done; 0: call again with the rest; -errno: the disk
 * refused, call again later with the rest.
 */
int npf_dump_zip_put(struct npf_dump_zip *z, struct npf_dump_out *o, const void *data, size_t n,
	enum npf_dump_zip_end end, size_t *usedp);

/* A new file begins. */
void npf_dump_zip_reset(struct npf_dump_zip *z);

#endif
