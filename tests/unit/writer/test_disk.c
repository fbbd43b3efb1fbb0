/* SPDX-License-Identifier: BSD-3-Clause */
/* What a dump leaves on a disk when everything stops, when the disk is full, in which order it
 * calls, and compressed. */
#include "fixture.h"

#include "writer/feed/backlog.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <zstd.h>

/* The program's own calls, noted down in their order, then made. */
static char calls[16][PATH_MAX + 16];
static _Atomic unsigned int n_calls;

static void note(const char *what, const char *path)
{
	unsigned int n = n_calls++;

	if (n < NPF_ARRAY_LEN(calls))
		snprintf(calls[n], sizeof(calls[n]), "%s %s", what, path);
}

static void note_fd(const char *what, int fd)
{
	char link[64], path[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0)
		note(what, path);
}

static void note_told(const char *path)
{
	note("told of", path);
}

static _Atomic bool no_fsync;

int fsync(int fd)
{
	note_fd("fsync", fd);
	if (no_fsync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned int flags)
{
	note("rename", new);
	return (int)syscall(SYS_renameat2, old_fd, old, new_fd, new, flags);
}

static void a_file_is_synchronised_then_named_then_its_directory_synchronised(void **state)
{
	struct options o = {.name = "order.pcap", .plain = true, .told = note_told};
	char want[4][PATH_MAX + 16];
	struct dump d;

	(void)state;
	n_calls = 0;
	start(&d, &o);
	give_all(&d, 0, 1000);
	stop(&d);
	assert_int_equal(d.n, 1);
	snprintf(want[0], sizeof(want[0]), "fsync %s/order.pcap.part", dir);
	snprintf(want[1], sizeof(want[1]), "rename %s/order.pcap", dir);
	snprintf(want[2], sizeof(want[2]), "fsync %s", dir);
	snprintf(want[3], sizeof(want[3]), "told of %s/order.pcap", dir);
	assert_int_equal(n_calls, 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_string_equal(calls[i], want[i]);
	unlink(d.paths[0]);
}

static _Atomic unsigned int n_searched;

int faccessat(int fd, const char *path, int mode, int flags)
{
	n_searched++;
	return (int)syscall(SYS_faccessat2, fd, path, mode, flags);
}

static _Atomic unsigned int n_sleeps, n_cpu_looks;

int nanosleep(const struct timespec *ts, struct timespec *left)
{
	n_sleeps++;
	return (int)syscall(SYS_nanosleep, ts, left);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id == CLOCK_THREAD_CPUTIME_ID)
		n_cpu_looks++;
	return (int)syscall(SYS_clock_gettime, id, ts);
}

/* An io_uring that takes only every other call. */
static _Atomic bool refuse_some;
static _Atomic unsigned int n_refused;

int io_uring_submit(struct io_uring *ring)
{
	static int (*real)(struct io_uring *);
	static _Atomic unsigned int n;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit");
	if (refuse_some && n++ % 2 == 0) {
		n_refused++;
		return -EAGAIN;
	}
	return real(ring);
}

static void wait_for_told(struct dump *d, unsigned int n)
{
	for (int i = 0; i < 500 && d->n < n; i++)
		usleep(10000);
	assert_int_equal(d->n, n);
}

static void a_file_that_was_not_synchronised_gets_no_name(void **state)
{
	struct options o = {.limits = {.file_packets = 10}, .name = "eio-%N.pcap", .plain = true};
	struct npf_writer_status s;
	char part[PATH_MAX];
	struct dump d;

	(void)state;
	start(&d, &o);
	no_fsync = true;
	give_all(&d, 0, 10);
	wait_for_told(&d, 1);
	no_fsync = false;
	assert_int_equal(d.errors[0], -EIO);
	snprintf(part, sizeof(part), "%s/eio-000001.pcap.part", dir);
	assert_string_equal(d.paths[0], part);
	assert_int_equal(access(part, F_OK), 0);
	/* Shown until a file could be finished, whatever is written meanwhile. */
	give_all(&d, 10, 15);
	usleep(1300000);
	npf_writer_worker_status(d.worker, &s);
	assert_int_equal(s.error, -EIO);
	assert_int_equal(s.errors, 1);
	assert_int_equal(s.files, 0);
	assert_non_null(strstr(s.reason.text, "eio-000001.pcap.part: Input/output error"));
	give_all(&d, 15, 20);
	wait_for_told(&d, 2);
	usleep(50000);
	npf_writer_worker_status(d.worker, &s);
	assert_int_equal(s.error, 0);
	assert_int_equal(s.files, 1);
	stop(&d);
	expect_whole(d.paths[1], 10, o.format, 10);
	unlink(d.paths[0]);
	unlink(d.paths[1]);
}

static void files_of_one_name_are_numbered_without_searching(void **state)
{
	struct options o = {.limits = {.file_packets = 1},
		.name = "same.pcap",
		.plain = true,
		.buffered = true};
	struct dump d;

	(void)state;
	start(&d, &o);
	n_searched = 0;
	give_all(&d, 0, 250);
	stop(&d);
	assert_int_equal(d.n, 250);
	assert_in_range(n_searched, 250, 600);
	for (unsigned int i = 0; i < d.n; i++)
		unlink(d.paths[i]);
}

static void what_io_uring_does_not_take_is_written_all_the_same(void **state)
{
	struct options o = {.limits = {.file_size = 1u << 20}, .name = "again-%N.pcap"};
	uint64_t first = 0;
	struct dump d;

	(void)state;
	refuse_some = true;
	for (unsigned int buffered = 0; buffered < 2; buffered++) {
		o.buffered = buffered == 1;
		first = 0;
		start(&d, &o);
		give_all(&d, 0, 50000);
		stop(&d);
		for (unsigned int i = 0; i < d.n; i++) {
			assert_int_equal(d.errors[i], 0);
			expect_whole(d.paths[i], first, o.format, d.packets[i]);
			first += d.packets[i];
			unlink(d.paths[i]);
		}
		assert_int_equal(first, 50000);
	}
	refuse_some = false;
	if (n_refused == 0)
		print_message("no io_uring here\n");
}

/* Of 200 packets in a ring, those of which a disk that has all before each place lacks a byte. */
static void expect_left(enum npf_writer_format format)
{
	struct options o = {.name = "left.pcap", .format = format, .no_worker = true};
	struct npf_writer_backlog l = {.format = format};
	uint64_t at, i = 0;
	struct dump d;

	start(&d, &o);
	for (uint64_t k = 0; k < 200; k++)
		assert_true(give(&d, k));
	npf_writer_end(&d.p);
	l.ring = d.ring;
	l.head = d.p.rotation.head;
	l.trailer = npf_writer_trailer_size(format);
	assert_int_equal(npf_writer_backlog_count(&l), 200);
	at = l.head;
	for (; i < 200; i++) {
		uint32_t size = npf_writer_record_size(format, length_of(i), false);

		l.at = at;
		assert_int_equal(npf_writer_backlog_count(&l), 200 - i);
		l.at = at + 1 + i % (size - 1); /* within it */
		assert_int_equal(npf_writer_backlog_count(&l), 200 - i);
		at += size;
	}
	l.at = at;
	assert_int_equal(npf_writer_backlog_count(&l), 0);
	npf_writer_ring_free(d.ring);
	free(d.head);
}

static void what_no_disk_took_is_counted_to_the_packet(void **state)
{
	(void)state;
	for (int f = NPF_WRITER_PCAP; f < NPF_WRITER_N_FORMATS; f++)
		expect_left((enum npf_writer_format)f);
}

static void an_idle_dump_sleeps_and_wakes_in_time(void **state)
{
	struct options o = {
		.name = "sleep-%N.pcap", .limits = {.file_packets = 5}, .ring = 64u << 20};
	struct dump d;

	(void)state;
	start(&d, &o);
	usleep(500000);
	n_sleeps = n_cpu_looks = 0;
	usleep(2000000);
	assert_in_range(n_sleeps, 40, 110);
	assert_true(n_cpu_looks <= 3);
	give_all(&d, 0, 5);
	usleep(200000);
	assert_int_equal(d.n, 1);
	stop(&d);
	unlink(d.paths[0]);
}

static void killed_at_any_moment_a_dump_leaves_whole_files_and_one_short_one(void **state)
{
	struct options o = {.limits = {.file_size = 3u << 20}, .name = "kill-%N.pcap"};

	(void)state;
	for (unsigned int round = 0; round < 12; round++) {
		unsigned int n_part = 0;
		uint64_t next = 0;
		char path[512];
		struct stat st;
		bool whole;
		pid_t pid = fork();

		o.format = (enum npf_writer_format)(round % NPF_WRITER_N_FORMATS);
		o.buffered = round % 4 == 3;
		if (pid == 0) {
			struct dump d;

			start(&d, &o);
			give_all(&d, 0, UINT64_MAX);
		}
		assert_true(pid > 0);
		usleep(20000 + round * 17000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		for (unsigned int i = 1;; i++) {
			snprintf(path, sizeof(path), "%s/kill-%06u.pcap", dir, i);
			if (stat(path, &st) == 0) {
				next += read_back(path, next, o.format, &whole);
				assert_true(whole);
				unlink(path);
				continue;
			}
			/* Those whose data were on their way to stable storage are whole as well.
			 */
			strcat(path, ".part");
			if (stat(path, &st) < 0)
				break;
			if (st.st_size > 0)
				next += read_back(path, next, o.format, &whole);
			if (st.st_size == 0 || !whole)
				n_part++;
			unlink(path);
		}
		assert_true(n_part <= 1);
	}
}

static void a_disk_that_was_full_is_used_again(void **state)
{
	struct options o = {
		.name = "full-%N.pcap", .ring = 2u << 20, .plain = true, .buffered = true};
	struct rlimit lim, old;
	struct npf_writer_status s;
	uint64_t i = 0, dropped = 0;
	struct dump d;

	(void)state;
	/* A limit on file sizes stands for a disk that is full: the write fails the same way. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	lim = old;
	start(&d, &o);
	lim.rlim_cur = 1u << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	for (; i < 100000; i++)
		if (!give(&d, i)) {
			npf_writer_drop(&d.p, 1);
			dropped++;
			usleep(10);
			if (dropped > 1000)
				break;
		}
	npf_writer_worker_status(d.worker, &s);
	assert_int_equal(s.error, -EFBIG);
	assert_non_null(strstr(s.reason.text, "full-000001.pcap.part"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	for (int turn = 0; turn < 3000 && s.error != 0; turn++) {
		usleep(10000);
		npf_writer_worker_status(d.worker, &s);
	}
	assert_int_equal(s.error, 0);
	npf_writer_burst_commit(&d.p);
	assert_int_equal(atomic_load(&d.p.counters.drop_disk), dropped);
	assert_true(give(&d, 0) || (usleep(500000), give(&d, 0)));
	stop(&d);
	assert_int_equal(d.n, 1);
	unlink(d.paths[0]);
}

static void compressed_files_are_what_zstd_reads(void **state)
{
	struct options o = {.name = "z.pcap.zst", .zstd = true};
	size_t in_size, out_size = 64u << 20, n;
	char path[256], *in, *out;
	struct stat st;
	struct dump d;
	int fd;

	(void)state;
	start(&d, &o);
	give_all(&d, 0, 50000);
	stop(&d);
	assert_int_equal(stat(d.paths[0], &st), 0);
	in_size = (size_t)st.st_size;
	in = malloc(in_size);
	out = malloc(out_size);
	fd = open(d.paths[0], O_RDONLY);
	assert_int_equal(read(fd, in, in_size), (ssize_t)in_size);
	close(fd);
	n = ZSTD_decompress(out, out_size, in, in_size);
	assert_false(ZSTD_isError(n));
	assert_true(in_size < n / 2);
	snprintf(path, sizeof(path), "%s/unpacked.pcap", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, out, n), (ssize_t)n);
	close(fd);
	expect_whole(path, 0, o.format, 50000);
	unlink(path);
	unlink(d.paths[0]);
	free(in);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_synchronised_then_named_then_its_directory_synchronised),
		cmocka_unit_test(a_file_that_was_not_synchronised_gets_no_name),
		cmocka_unit_test(files_of_one_name_are_numbered_without_searching),
		cmocka_unit_test(what_io_uring_does_not_take_is_written_all_the_same),
		cmocka_unit_test(what_no_disk_took_is_counted_to_the_packet),
		cmocka_unit_test(an_idle_dump_sleeps_and_wakes_in_time),
		cmocka_unit_test(killed_at_any_moment_a_dump_leaves_whole_files_and_one_short_one),
		cmocka_unit_test(a_disk_that_was_full_is_used_again),
		cmocka_unit_test(compressed_files_are_what_zstd_reads),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
