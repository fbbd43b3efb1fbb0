/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io.h - writes and syncs in the background of the worker, by io_uring; by plain system calls where
 * the kernel has no io_uring for us.
 *
 * Data is written in place, one write at a time. Writes that end in order make a file grow without
 * a hole: at any moment the disk has a beginning of the file. A write has up to 8 MiB, which the
 * kernel splits into requests that the disk works on in parallel: measured on ext4, this is as fast
 * as eight writes of 1 MiB into a file of fixed size.
 */
#ifndef NPF_WRITER_DISK_IO_H
#define NPF_WRITER_DISK_IO_H

#include "base/base.h"

#include <liburing.h>

#define NPF_WRITER_MAX_SYNCS 16u /* most syncs in flight */

#define NPF_WRITER_IO_WRITE UINT32_MAX /* tag of a write; the tag of a sync is its caller's */

struct npf_writer_completion {
	uint32_t tag;
	int32_t res; /* bytes written, 0, or -errno */
};

struct npf_writer_io {
	struct io_uring uring;
	bool has_uring;
	bool fixed;             /* the ring's memory is registered */
	unsigned int in_flight; /* those of done[] counted in */
	/* Of operations that were done by plain calls. */
	struct npf_writer_completion done[NPF_WRITER_MAX_SYNCS + 1];
	unsigned int n_done;
};

/*
 * npf_writer_io_init - set up a ring of io_uring that can write and sync, and nothing else; without
 * one everything is done by plain calls.
 * @data, @len: the memory that data is written from
 * @plain: do without io_uring
 */
void npf_writer_io_init(struct npf_writer_io *io, void *data, size_t len, bool plain);
void npf_writer_io_fini(struct npf_writer_io *io);

/*
 * npf_writer_io_write, npf_writer_io_sync - start an operation; npf_writer_io_reap() has its end.
 *
 * At most one write and NPF_WRITER_MAX_SYNCS syncs are in flight. A sync of a file has its bytes,
 * size, mode and owner; a sync of a directory has its names.
 */
void npf_writer_io_write(
	struct npf_writer_io *io, int fd, const void *data, size_t len, uint64_t at);
void npf_writer_io_sync(struct npf_writer_io *io, int fd, uint32_t tag);

/*
 * npf_writer_io_reap - take the result of an operation that has ended.
 * @timeout_ns: how long to wait for one; 0: not at all
 * Return:      true: *done is filled in.
 */
bool npf_writer_io_reap(
	struct npf_writer_io *io, uint64_t timeout_ns, struct npf_writer_completion *done);

#endif
