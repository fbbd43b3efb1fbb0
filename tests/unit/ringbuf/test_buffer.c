/* SPDX-License-Identifier: BSD-3-Clause */
/* test_buffer.c - the memory of a buffer: geometry, refusal, what a client can do to it. */
#include "pair.h"
#include "open_fds.h"

#include "ringbuf/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const struct npf_buffer_conf plain = {.size = 1 << 20, .n_lanes = 3};

/* A field of /proc/meminfo, KiB. */
static uint64_t meminfo(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long n = 0;
	char line[128];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), " %llu", &n);
	fclose(f);
	return n;
}

static void sizes_out_of_range_are_refused(void **state)
{
	struct npf_buffer *b = NULL;
	struct npf_buffer_conf conf;

	(void)state;
	conf = plain, conf.size = NPF_BUFFER_MIN - 1;
	assert_int_equal(npf_buffer_new(&conf, &b), -EINVAL);
	conf = plain, conf.size = NPF_BUFFER_MAX + 1;
	assert_int_equal(npf_buffer_new(&conf, &b), -EINVAL);
	conf = plain, conf.n_lanes = 0;
	assert_int_equal(npf_buffer_new(&conf, &b), -EINVAL);
	conf = plain, conf.n_lanes = NPF_LANES_MAX + 1;
	assert_int_equal(npf_buffer_new(&conf, &b), -EINVAL);
	conf = plain, conf.start_pos = 8;
	assert_int_equal(npf_buffer_new(&conf, &b), -EINVAL);
	assert_null(b);
}

static void sizes_are_rounded_up_to_pages_only(void **state)
{
	struct npf_buffer_conf conf = {.size = 100001, .n_lanes = 1};
	struct npf_buffer_info info;
	struct npf_buffer *b;

	(void)state;
	assert_int_equal(npf_buffer_new(&conf, &b), 0);
	npf_buffer_info(b, &info);
	assert_int_equal(info.page_size, sysconf(_SC_PAGESIZE));
	assert_int_equal(info.size, NPF_ALIGN_UP(100001ull, (uint64_t)info.page_size));
	npf_buffer_free(b);
}

static void too_much_memory_is_refused_and_nothing_is_kept(void **state)
{
	uint64_t available = meminfo("MemAvailable:") << 10;
	int n_fds = n_open_fds();
	struct npf_buffer *b = NULL;
	struct npf_buffer_conf conf;

	(void)state;
	/* One lane too large; a sum of lanes too large; far too large. */
	conf = plain, conf.size = available + (1 << 20);
	assert_int_equal(npf_buffer_new(&conf, &b), -ENOMEM);
	conf = plain, conf.n_lanes = 32, conf.size = available / 16;
	assert_int_equal(npf_buffer_new(&conf, &b), -ENOMEM);
	conf = plain, conf.hugepages = true, conf.size = NPF_BUFFER_MAX;
	assert_int_equal(npf_buffer_new(&conf, &b), -ENOMEM);
	assert_null(b);
	assert_int_equal(n_open_fds(), n_fds);
	assert_true(meminfo("MemAvailable:") << 10 > available / 2);
}

static void hugepages_are_used_or_replaced_by_plain_ones(void **state)
{
	struct npf_buffer_conf conf = {.size = 3 << 20, .n_lanes = 2, .hugepages = true};
	bool are_there = meminfo("HugePages_Free:") >= 8 && meminfo("Hugepagesize:") == 2048;
	struct npf_buffer_info info;
	struct pair p;

	(void)state;
	pair_init(&p, &conf);
	npf_buffer_info(p.b, &info);
	if (are_there)
		assert_int_equal(info.page_size, 2 << 20);
	assert_int_equal(info.size, info.page_size == 4096 ? 3 << 20 : 4 << 20);
	assert_int_equal(info.memory / info.size, 2);
	for (uint64_t n = 0; n < 20000; n++) {
		assert_true(put(pair_lane(&p, 1), n, 1000, n));
		npf_lane_commit(pair_lane(&p, 1), n);
		npf_lane_tick(pair_lane(&p, 0), n, n);
		next_is(&p, n, 1000, n);
	}
	pair_fini(&p);

	/* More than there are: plain ones, all of them. Where there are many that takes too long.
	 */
	conf.size = (meminfo("HugePages_Total:") * meminfo("Hugepagesize:") << 10) / 2 + (4 << 20);
	if (conf.size <= 64 << 20) {
		pair_init(&p, &conf);
		npf_buffer_info(p.b, &info);
		assert_int_equal(info.page_size, sysconf(_SC_PAGESIZE));
		pair_fini(&p);
	}
}

static void hugepages_that_are_not_there_are_not_waited_for(void **state)
{
	uint64_t total = meminfo("HugePages_Total:") * NPF_MEM_HUGE_SIZE;
	int n_fds = n_open_fds();
	struct npf_mem m;

	(void)state;
	assert_int_equal(npf_mem_new(&m, "test", total + 1, NPF_MEM_HUGE | NPF_MEM_TWICE), -ENOMEM);
	npf_mem_fini(&m);
	assert_int_equal(n_open_fds(), n_fds);
}

static void small_budgets_do_not_take_hugepages(void **state)
{
	struct npf_buffer_conf conf = {.size = 1000000, .n_lanes = 1, .hugepages = true};
	struct npf_buffer_info info;
	struct npf_buffer *b;

	(void)state;
	assert_int_equal(npf_buffer_new(&conf, &b), 0);
	npf_buffer_info(b, &info);
	assert_int_equal(info.page_size, sysconf(_SC_PAGESIZE));
	npf_buffer_free(b);
}

/* What a client that has the descriptors can try. */
static void can_not_be_written(int fd, size_t size)
{
	char path[64];
	int again;

	assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size), -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		assert_ptr_equal(
			mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
		assert_int_equal(pwrite(again, "x", 1, 0), -1);
		close(again);
	}
	/* Mapped read-only, it can not be made writable later. */
	void *ro = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(ro, MAP_FAILED);
	assert_int_equal(mprotect(ro, size, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(madvise(ro, size, MADV_REMOVE), -1);
	munmap(ro, size);
}

static void can_not_change_size(int fd, size_t size)
{
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, (off_t)size * 2), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void a_client_can_write_nothing_but_the_consumer_words(void **state)
{
	struct npf_buffer_conf confs[] = {
		plain, {.size = 4 << 20, .n_lanes = 2, .hugepages = true}};

	(void)state;
	for (unsigned int c = 0; c < NPF_ARRAY_LEN(confs); c++) {
		int fds[NPF_BUFFER_NFDS];
		struct npf_buffer *b;
		unsigned int n;

		assert_int_equal(npf_buffer_new(&confs[c], &b), 0);
		n = npf_buffer_fds(b, fds);
		assert_int_equal(n, 2 + confs[c].n_lanes);
		for (unsigned int i = 0; i < n; i++) {
			struct stat st;

			assert_int_equal(fstat(fds[i], &st), 0);
			can_not_change_size(fds[i], (size_t)st.st_size);
			if (i != 1)
				can_not_be_written(fds[i], (size_t)st.st_size);
		}
		npf_buffer_free(b);
	}
}

static void freeing_gives_everything_back(void **state)
{
	int n_fds = n_open_fds();
	uint64_t huge;
	struct npf_buffer_conf conf = {.size = 4 << 20, .n_lanes = 2, .hugepages = true};

	(void)state;
	huge = meminfo("HugePages_Free:");
	for (unsigned int i = 0; i < 100; i++) {
		struct pair p;

		pair_init(&p, &conf);
		assert_true(put(pair_lane(&p, 0), 1, 10, 1));
		npf_lane_close(pair_lane(&p, 0));
		npf_lane_close(pair_lane(&p, 1));
		next_is(&p, 1, 10, 1);
		pair_fini(&p);
	}
	assert_int_equal(n_open_fds(), n_fds);
	/* 100 x 4 pages would be missed; a few may have gone to somebody else meanwhile. */
	assert_true(meminfo("HugePages_Free:") + 300 > huge);
}

static void objects_that_no_engine_sends_are_refused(void **state)
{
	int fds[NPF_BUFFER_NFDS], bad[NPF_BUFFER_NFDS];
	struct npf_reader *r;
	struct npf_buffer *b;
	unsigned int n;
	int unsealed, pipefd[2];

	(void)state;
	assert_int_equal(npf_buffer_new(&plain, &b), 0);
	assert_int_equal(npf_reader_new(-1, &r), 0);
	n = npf_buffer_fds(b, fds);
	assert_int_equal(npf_reader_add(r, fds, n), 0);

	assert_int_equal(npf_reader_add(r, fds, n - 1), -EPROTO); /* a lane is missing */
	assert_int_equal(npf_reader_add(r, fds, 0), -EPROTO);
	assert_int_equal(npf_reader_add(r, fds, NPF_BUFFER_NFDS + 1), -EPROTO);

	/* An object that can be cut off under the reader's feet. */
	unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(unsealed >= 0);
	assert_int_equal(ftruncate(unsealed, 1 << 20), 0);
	for (unsigned int i = 0; i < n; i++) {
		memcpy(bad, fds, sizeof(bad));
		bad[i] = unsealed;
		assert_int_equal(npf_reader_add(r, bad, n), -EPROTO);
	}
	/* No memory at all. */
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	for (unsigned int i = 0; i < n; i++) {
		memcpy(bad, fds, sizeof(bad));
		bad[i] = pipefd[0];
		assert_int_equal(npf_reader_add(r, bad, n), -EPROTO);
		bad[i] = -1;
		assert_int_equal(npf_reader_add(r, bad, n), -EPROTO);
	}
	/* Words and data swapped. */
	memcpy(bad, fds, sizeof(bad));
	bad[0] = fds[1];
	assert_int_equal(npf_reader_add(r, bad, n), -EPROTO);
	memcpy(bad, fds, sizeof(bad));
	bad[2] = fds[0];
	assert_int_equal(npf_reader_add(r, bad, n), -EPROTO);

	close(unsealed);
	close(pipefd[0]);
	close(pipefd[1]);
	npf_reader_free(r);
	npf_buffer_free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_out_of_range_are_refused),
		cmocka_unit_test(sizes_are_rounded_up_to_pages_only),
		cmocka_unit_test(too_much_memory_is_refused_and_nothing_is_kept),
		cmocka_unit_test(hugepages_are_used_or_replaced_by_plain_ones),
		cmocka_unit_test(hugepages_that_are_not_there_are_not_waited_for),
		cmocka_unit_test(small_budgets_do_not_take_hugepages),
		cmocka_unit_test(a_client_can_write_nothing_but_the_consumer_words),
		cmocka_unit_test(freeing_gives_everything_back),
		cmocka_unit_test(objects_that_no_engine_sends_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
