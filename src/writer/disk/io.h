/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io.h - writes and syncs that go on while the worker does something else: io_uring, or plain
 * system calls where the kernel has none for us.
 *
 * Data is written in place, one write at a time: a file grows by its writes, and only in order is
 * what stands on the disk at any moment the beginning of the file, without a hole. One write is up
 * to 8 MiB, which the kernel splits into requests that the disk works on at once: measured on ext4,
 * that is as fast as eight writes of 1 MiB into a file of fixed size.
 */
#ifndef NPF_WRITER_DISK_IO_H
#define NPF_WRITER_DISK_IO_H

#include "base/base.h"

#include <liburing.h>

#define NPF_WRITER_MAX_SYNCS 16u /* files that can be on their way to stable storage at once */

#define NPF_WRITER_IO_WRITE UINT32_MAX /* tag of a write; syncs have those of their caller */

struct npf_writer_completion {
	uint32_t tag;
	int32_t res; /* bytes written, 0, or -errno */
};

struct npf_writer_io {
	struct io_uring uring;
	bool has_uring;
	bool fixed;             /* the ring's memory is registered */
	unsigned int in_flight; /* those of done[] counted in */
	/* What was done by plain calls, without io_uring or where that did not take it. */
	struct npf_writer_completion done[NPF_WRITER_MAX_SYNCS + 1];
	unsigned int n_done;
};

/*
 * npf_writer_io_init
 * @data, @len: memory that is written from
 * @plain: do without io_uring
 */
void npf_writer_io_init(struct npf_writer_io *io, void *data, size_t len, bool plain);
void npf_writer_io_fini(struct npf_writer_io *io);

/* Start one; a file's bytes, size, mode and owner are synchronised, of a directory its names. At
 * most one write and NPF_WRITER_MAX_SYNCS syncs are in flight. */
void npf_writer_io_write(
	struct npf_writer_io *io, int fd, const void *data, size_t len, uint64_t at);
void npf_writer_io_sync(struct npf_writer_io *io, int fd, uint32_t tag);

/*
 * npf_writer_io_reap - what is done?
 * @timeout_ns: how long to wait for the first; 0: only look
 * Return: true: *done is filled.
 */
bool npf_writer_io_reap(
	struct npf_writer_io *io, uint64_t timeout_ns, struct npf_writer_completion *done);

#endif
