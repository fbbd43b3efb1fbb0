/* SPDX-License-Identifier: BSD-3-Clause */
/* What a dump's ring of io_uring does, and what it refuses. */
#include "writer/disk/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define WAIT_NS 10000000000ull

static char data[8192];

static void init(struct npf_writer_io *io)
{
	npf_writer_io_init(io, data, sizeof(data), false);
	if (!io->has_uring) {
		print_message("no io_uring here that can be restricted\n");
		skip();
	}
}

static int32_t wait_for(struct npf_writer_io *io, uint32_t tag)
{
	struct npf_writer_completion done;

	assert_true(npf_writer_io_reap(io, WAIT_NS, &done));
	assert_int_equal(done.tag, tag);
	return done.res;
}

static void a_ring_writes_and_syncs(void **state)
{
	FILE *f = tmpfile();
	struct npf_writer_io io;
	char back[5] = "";

	(void)state;
	init(&io);
	memcpy(data, "bytes", 5);
	for (unsigned int fixed = 0; fixed < 2; fixed++) {
		io.fixed = io.fixed && fixed == 1;
		npf_writer_io_write(&io, fileno(f), data, 5, 100);
		assert_int_equal(wait_for(&io, NPF_WRITER_IO_WRITE), 5);
		npf_writer_io_sync(&io, fileno(f), 7);
		assert_int_equal(wait_for(&io, 7), 0);
		assert_int_equal(pread(fileno(f), back, 5, 100), 5);
		assert_memory_equal(back, "bytes", 5);
		assert_int_equal(ftruncate(fileno(f), 0), 0);
	}
	npf_writer_io_fini(&io);
	fclose(f);
}

static int32_t result_of(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int32_t res;

	assert_int_equal(io_uring_submit(ring), 1);
	assert_int_equal(io_uring_wait_cqe(ring, &cqe), 0);
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

static void a_ring_does_nothing_else(void **state)
{
	struct npf_writer_io io;
	struct io_uring_sqe *sqe;

	(void)state;
	init(&io);
	sqe = io_uring_get_sqe(&io.uring);
	io_uring_prep_nop(sqe);
	assert_int_equal(result_of(&io.uring), 0);

	sqe = io_uring_get_sqe(&io.uring);
	io_uring_prep_socket(sqe, AF_UNIX, SOCK_STREAM, 0, 0);
	assert_int_equal(result_of(&io.uring), -EACCES);

	sqe = io_uring_get_sqe(&io.uring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
	assert_int_equal(result_of(&io.uring), -EACCES);

	/* In the background, or with another user's rights. */
	sqe = io_uring_get_sqe(&io.uring);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	assert_int_equal(result_of(&io.uring), -EACCES);

	assert_int_equal(io_uring_register_personality(&io.uring), -EACCES);
	npf_writer_io_fini(&io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_writes_and_syncs),
		cmocka_unit_test(a_ring_does_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
