/* SPDX-License-Identifier: BSD-3-Clause */
/* io.c - one submission queue for each dump. An operation that the kernel does not take, when it is
 * short of memory for example, is done by a plain call at once. */
#include "writer/disk/io.h"

#include "base/clock.h"

#include <assert.h>
#include <sys/uio.h>

#define ENTRIES   32u
#define FIXED_MAX (1ull << 30) /* the kernel registers no larger piece */

/* Tag of an entry of the queue whose operation was done by a plain call. */
#define CANCELED (UINT32_MAX - 1)

static_assert(NPF_WRITER_MAX_SYNCS + 1 <= ENTRIES, "everything in flight fits into the queue");

/* From now on the ring takes nothing but what this file asks of it. A ring that took all would be
 * a way around the filters for system calls. */
static int restrict_ring(struct io_uring *uring)
{
	static const uint8_t ops[] = {IORING_OP_NOP, IORING_OP_WRITE, IORING_OP_WRITE_FIXED,
		IORING_OP_FSYNC, IORING_OP_TIMEOUT /* liburing, before Linux 5.11 */};
	struct io_uring_restriction only[NPF_ARRAY_LEN(ops)] = {0};
	int rc;

	for (unsigned int i = 0; i < NPF_ARRAY_LEN(ops); i++) {
		only[i].opcode = IORING_RESTRICTION_SQE_OP;
		only[i].sqe_op = ops[i];
	}
	/* liburing 2.3 has functions for it and does not export them. */
	rc = io_uring_register(
		uring->ring_fd, IORING_REGISTER_RESTRICTIONS, only, NPF_ARRAY_LEN(only));
	return rc < 0 ? rc
		      : io_uring_register(uring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

void npf_writer_io_init(struct npf_writer_io *io, void *data, size_t len, bool plain)
{
	struct iovec iov = {data, len};

	*io = (struct npf_writer_io){0};
	/* A ring that can be restricted: Linux 5.10 */
	if (plain || io_uring_queue_init(ENTRIES, &io->uring, IORING_SETUP_R_DISABLED) < 0)
		return;
	/* Saves a look-up of each page in each write; fails where little memory may be locked. */
	io->fixed = len <= FIXED_MAX && io_uring_register_buffers(&io->uring, &iov, 1) == 0;
	io->has_uring = true;
	if (restrict_ring(&io->uring) < 0)
		npf_writer_io_fini(io);
}

void npf_writer_io_fini(struct npf_writer_io *io)
{
	if (io->has_uring)
		io_uring_queue_exit(&io->uring);
	io->has_uring = false;
}

/* Return: false: the kernel did not take the operation; the caller does it. */
static bool submit(struct npf_writer_io *io, struct io_uring_sqe *sqe, uint32_t tag)
{
	int rc;

	io_uring_sqe_set_data64(sqe, tag);
	do
		rc = io_uring_submit(&io->uring);
	while (rc == -EINTR || (rc > 0 && io_uring_sq_ready(&io->uring) > 0));
	if (io_uring_sq_ready(&io->uring) == 0) {
		io->in_flight++;
		return true;
	}
	/* Its entry is still in the queue and goes to the kernel with the next one: as a no-op. */
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, CANCELED);
	return false;
}

static void complete_now(struct npf_writer_io *io, uint32_t tag, int32_t res)
{
	io->done[io->n_done++] = (struct npf_writer_completion){tag, res};
	io->in_flight++;
}

/* A free entry of the queue. NULL: there is none (all are canceled ones), or no io_uring. */
static struct io_uring_sqe *get_sqe(struct npf_writer_io *io)
{
	return io->has_uring ? io_uring_get_sqe(&io->uring) : NULL;
}

void npf_writer_io_write(
	struct npf_writer_io *io, int fd, const void *data, size_t len, uint64_t at)
{
	struct io_uring_sqe *sqe;
	ssize_t n;

	assert(io->in_flight < NPF_ARRAY_LEN(io->done));
	sqe = get_sqe(io);
	if (sqe != NULL && io->fixed)
		io_uring_prep_write_fixed(sqe, fd, data, (unsigned int)len, at, 0);
	else if (sqe != NULL)
		io_uring_prep_write(sqe, fd, data, (unsigned int)len, at);
	if (sqe != NULL && submit(io, sqe, NPF_WRITER_IO_WRITE))
		return;
	do
		n = pwrite(fd, data, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	complete_now(io, NPF_WRITER_IO_WRITE, n < 0 ? -errno : (int32_t)n);
}

void npf_writer_io_sync(struct npf_writer_io *io, int fd, uint32_t tag)
{
	struct io_uring_sqe *sqe;

	assert(io->in_flight < NPF_ARRAY_LEN(io->done));
	sqe = get_sqe(io);
	if (sqe != NULL)
		io_uring_prep_fsync(sqe, fd, 0);
	if (sqe == NULL || !submit(io, sqe, tag))
		complete_now(io, tag, fsync(fd) < 0 ? -errno : 0);
}

bool npf_writer_io_reap(
	struct npf_writer_io *io, uint64_t timeout_ns, struct npf_writer_completion *done)
{
	struct __kernel_timespec ts = {
		.tv_sec = (long long)(timeout_ns / NPF_NS_PER_S),
		.tv_nsec = (long long)(timeout_ns % NPF_NS_PER_S),
	};
	struct io_uring_cqe *cqe;
	int rc;

	if (io->in_flight == 0)
		return false;
	if (io->n_done > 0) {
		*done = io->done[--io->n_done];
		io->in_flight--;
		return true;
	}
	do {
		rc = io_uring_peek_cqe(&io->uring, &cqe);
		if (rc < 0 && timeout_ns > 0)
			rc = io_uring_wait_cqe_timeout(&io->uring, &cqe, &ts);
		if (rc < 0)
			return false;
		*done = (struct npf_writer_completion){
			(uint32_t)io_uring_cqe_get_data64(cqe), cqe->res};
		io_uring_cqe_seen(&io->uring, cqe);
	} while (done->tag == CANCELED);
	io->in_flight--;
	return true;
}
