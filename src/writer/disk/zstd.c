/* SPDX-License-Identifier: BSD-3-Clause */
/* zstd.c - level 1: for a disk that is slower than a core, or too small. */
#include "writer/disk/zstd.h"

#include <string.h>
#include <zstd.h>

#define LEVEL    1
#define OUT_SIZE (256u << 10)

struct npf_writer_zstd {
	ZSTD_CCtx *ctx;
	size_t have, written; /* bytes in out, and how many of them the disk has */
	uint8_t out[OUT_SIZE];
};

int npf_writer_zstd_new(struct npf_writer_zstd **zp)
{
	struct npf_writer_zstd *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return -ENOMEM;
	z->ctx = ZSTD_createCCtx();
	if (z->ctx == NULL) {
		free(z);
		return -ENOMEM;
	}
	ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_checksumFlag, 1);
	*zp = z;
	return 0;
}

struct npf_writer_zstd *npf_writer_zstd_free(struct npf_writer_zstd *z)
{
	if (z != NULL)
		ZSTD_freeCCtx(z->ctx);
	free(z);
	return NULL;
}

void npf_writer_zstd_reset(struct npf_writer_zstd *z)
{
	ZSTD_CCtx_reset(z->ctx, ZSTD_reset_session_only);
	z->have = z->written = 0;
}

static int drain(struct npf_writer_zstd *z, struct npf_writer_outfile *o)
{
	while (z->written < z->have) {
		uint64_t before = o->size;
		int rc = npf_writer_outfile_write(
			o, z->out + z->written, z->have - z->written, o->size);

		z->written += (size_t)(o->size - before);
		if (rc < 0)
			return rc;
	}
	z->have = z->written = 0;
	return 0;
}

int npf_writer_zstd_put(struct npf_writer_zstd *z, struct npf_writer_outfile *o, const void *data,
	size_t n, enum npf_writer_zstd_end end, size_t *usedp)
{
	static const ZSTD_EndDirective directives[] = {
		[NPF_ZSTD_MORE] = ZSTD_e_continue,
		[NPF_ZSTD_FLUSH] = ZSTD_e_flush,
		[NPF_ZSTD_END] = ZSTD_e_end,
	};
	ZSTD_inBuffer in = {data, n, 0};
	ZSTD_outBuffer out = {z->out, OUT_SIZE, 0};
	size_t left;
	int rc;

	*usedp = 0;
	rc = drain(z, o);
	if (rc < 0)
		return rc;
	left = ZSTD_compressStream2(z->ctx, &out, &in, directives[end]);
	if (ZSTD_isError(left))
		return -EIO;
	*usedp = in.pos;
	z->have = out.pos;
	rc = drain(z, o);
	if (rc < 0)
		return rc;
	return in.pos == n && (end == NPF_ZSTD_MORE || left == 0);
}
