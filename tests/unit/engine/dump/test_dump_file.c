/* SPDX-License-Identifier: BSD-3-Clause */
/* From packets to files: what the producer was given is what libpcap reads back, whatever the
 * format, the way to the disk and the moment at which everything stops. */
#include "engine/dump/producer.h"
#include "engine/dump/retro.h"
#include "engine/dump/worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zstd.h>

#define START_NS 1790000000123456789ull
#define STEP_NS  1000001ull

static char dir[] = "/tmp/npf-dump-XXXXXX";

struct dump {
	struct npf_dump_ring *ring;
	struct npf_dump_producer p;
	struct npf_dump_worker *worker;
	void *head;
	struct npf_dump_worker_conf conf;
	char pattern[PATH_MAX];
	/* of the finished files, in their order */
	uint64_t sizes[256], packets[256];
	char paths[256][128];
	unsigned int n;
};

static void finished(void *ctx, const struct npf_dump_summary *s)
{
	struct dump *d = ctx;

	if (d->n == NPF_ARRAY_LEN(d->sizes))
		return;
	d->sizes[d->n] = s->size;
	d->packets[d->n] = s->sums.delivered;
	snprintf(d->paths[d->n++], sizeof(d->paths[0]), "%s", s->path);
}

struct options {
	enum npf_dump_format format;
	struct npf_dump_limits limits;
	uint64_t ring;
	const char *name;
	bool plain, buffered, zstd;
	uint64_t keep_bytes, keep_ns; /* retrospective */
	bool no_worker;
};

static void start(struct dump *d, const struct options *o)
{
	struct npf_dump_head head = {
		.format = o->format,
		.snaplen = 262144,
		.if_name = "npf0",
		.if_description = "net_null0",
		.filter = "tcp port 80",
		.comment = "a comment",
	};
	struct npf_dump_producer_conf conf = {.format = o->format, .limits = o->limits};
	int n;

	memset(d, 0, sizeof(*d));
	n = npf_dump_format_head(&head, &d->head);
	assert_true(n > 0);
	assert_int_equal(npf_dump_ring_new(o->ring != 0 ? o->ring : 4u << 20, false, &d->ring), 0);
	conf.ring = d->ring;
	conf.head = d->head;
	conf.head_size = (uint32_t)n;
	assert_int_equal(npf_dump_producer_init(&d->p, &conf), 0);
	if (o->keep_bytes != 0)
		assert_int_equal(npf_dump_retro_init(&d->p, o->keep_bytes, o->keep_ns), 0);
	snprintf(d->pattern, sizeof(d->pattern), "%s/%s", dir, o->name);
	d->conf = (struct npf_dump_worker_conf){
		.ring = d->ring,
		.format = o->format,
		.head = d->head,
		.head_size = (uint32_t)n,
		.retro = o->keep_bytes != 0,
		.zstd = o->zstd,
		.plain_io = o->plain,
		.target = {.pattern = d->pattern,
			.fd = -1,
			.mode = 0640,
			.uid = (uid_t)-1,
			.gid = (gid_t)-1,
			.reserve = 4u << 20,
			.direct = !o->buffered},
		.cpu = -1,
		.finished = finished,
		.ctx = d,
	};
	if (!o->no_worker)
		assert_int_equal(npf_dump_worker_start(&d->conf, &d->worker), 0);
}

static void stop(struct dump *d)
{
	npf_dump_end(&d->p);
	if (d->worker == NULL)
		assert_int_equal(npf_dump_worker_start(&d->conf, &d->worker), 0);
	d->worker = npf_dump_worker_join(d->worker);
	npf_dump_ring_free(d->ring);
	free(d->p.retro);
	free(d->head);
}

/* Packet i: its length and bytes follow from its number. */
static uint32_t length_of(uint64_t i)
{
	return (uint32_t)(i % 7 == 0 ? 1514 : 14 + i * 2654435761u % 300);
}

static void fill(uint64_t i, uint8_t *data, uint32_t len)
{
	for (uint32_t b = 0; b < len; b++)
		data[b] = (uint8_t)(i * 31 + b * 7);
	memcpy(data, &i, sizeof(i));
}

static bool give(struct dump *d, uint64_t i)
{
	static _Thread_local uint8_t data[2048];
	struct npf_rec hdr = {
		.ts_ns = START_NS + i * STEP_NS, .caplen = length_of(i), .len = length_of(i) + 4};
	bool put;

	fill(i, data, hdr.caplen);
	d->p.now_ns = hdr.ts_ns;
	npf_dump_begin(&d->p, 1);
	put = npf_dump_put(&d->p, &hdr, data);
	npf_dump_commit(&d->p);
	return put;
}

/* All packets, waiting for the disk where need be. */
static void give_all(struct dump *d, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		while (!give(d, i))
			usleep(1000);
}

/* Reads a file; packets must be @first, @first + 1, ... Return: how many; *wholep: no error at the
 * end. */
static uint64_t read_back(
	const char *path, uint64_t first, enum npf_dump_format format, bool *wholep)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p =
		pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	uint64_t i = first;
	int rc;

	*wholep = false;
	if (p == NULL)
		return 0;
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	while ((rc = pcap_next_ex(p, &hdr, &data)) == 1) {
		uint8_t want[2048];
		uint64_t ts_ns = START_NS + i * STEP_NS;

		if (format == NPF_DUMP_PCAP)
			ts_ns -= ts_ns % 1000;
		assert_int_equal(hdr->caplen, length_of(i));
		assert_int_equal(hdr->len, length_of(i) + 4);
		assert_true((uint64_t)hdr->ts.tv_sec * NPF_NS_PER_S + (uint64_t)hdr->ts.tv_usec ==
			    ts_ns);
		fill(i, want, hdr->caplen);
		assert_memory_equal(data, want, hdr->caplen);
		i++;
	}
	*wholep = rc == PCAP_ERROR_BREAK;
	pcap_close(p);
	return i - first;
}

static void expect_whole(const char *path, uint64_t first, enum npf_dump_format format, uint64_t n)
{
	bool whole;

	assert_int_equal(read_back(path, first, format, &whole), n);
	assert_true(whole);
}

static void what_went_in_is_read_back(
	enum npf_dump_format format, bool plain, bool buffered, const char *name)
{
	struct dump d;

	/* 20 times around a ring of 2 MiB. */
	start(&d, &(struct options){.format = format,
			  .ring = 2u << 20,
			  .plain = plain,
			  .buffered = buffered,
			  .name = name});
	give_all(&d, 0, 120000);
	stop(&d);
	assert_int_equal(d.n, 1);
	assert_int_equal(d.packets[0], 120000);
	assert_string_equal(d.paths[0], d.pattern);
	expect_whole(d.paths[0], 0, format, 120000);
	unlink(d.paths[0]);
}

static void every_format_is_read_back_by_every_way_to_the_disk(void **state)
{
	(void)state;
	for (int format = 0; format < NPF_DUMP_N_FORMATS; format++) {
		what_went_in_is_read_back((enum npf_dump_format)format, false, false, "u.pcap");
		what_went_in_is_read_back((enum npf_dump_format)format, true, true, "p.pcap");
	}
	what_went_in_is_read_back(NPF_DUMP_PCAP, true, false, "d.pcap");
	what_went_in_is_read_back(NPF_DUMP_PCAP, false, true, "b.pcap");
}

static void files_are_cut_to_the_byte_and_together_hold_everything(void **state)
{
	struct options o = {.limits = {.file_size = 100000}, .name = "cut-%N.pcap"};
	uint64_t first = 0;
	struct stat st;
	struct dump d;

	(void)state;
	for (int format = 0; format < NPF_DUMP_N_FORMATS; format++) {
		o.format = (enum npf_dump_format)format;
		first = 0;
		start(&d, &o);
		give_all(&d, 0, 20000);
		stop(&d);
		assert_in_range(d.n, 60, 100);
		for (unsigned int i = 0; i < d.n; i++) {
			assert_int_equal(stat(d.paths[i], &st), 0);
			assert_int_equal(st.st_size, d.sizes[i]);
			assert_true(st.st_size <= 100000);
			/* The next record would not have fitted. */
			if (i + 1 < d.n)
				assert_true(st.st_size + 1514 + 32 > 100000);
			expect_whole(d.paths[i], first, o.format, d.packets[i]);
			first += d.packets[i];
			/* Nothing reserved is left behind. */
			assert_true(st.st_blocks * 512 <= NPF_ALIGN_UP(st.st_size, 4096l));
			unlink(d.paths[i]);
		}
		assert_int_equal(first, 20000);
	}
}

static void the_limits_of_a_dump_hold_exactly(void **state)
{
	struct options o = {.limits = {.max_packets = 777}, .name = "max.pcap"};
	struct dump d;

	(void)state;
	start(&d, &o);
	for (uint64_t i = 0; i < 777; i++)
		give_all(&d, i, i + 1);
	/* Over with the last one, without another having to come. */
	assert_true(d.p.over);
	give_all(&d, 777, 1000);
	stop(&d);
	expect_whole(d.paths[0], 0, o.format, 777);
	unlink(d.paths[0]);

	for (uint64_t size = 24; size < 4000; size += 111) {
		uint64_t fit = 0, bytes = 24;

		while (bytes + 16 + length_of(fit) <= size)
			bytes += 16 + length_of(fit++);
		o.limits = (struct npf_dump_limits){.max_size = size};
		start(&d, &o);
		give_all(&d, 0, 100);
		stop(&d);
		assert_int_equal(d.sizes[0], bytes);
		expect_whole(d.paths[0], 0, o.format, fit);
		unlink(d.paths[0]);
	}
}

static void a_dump_of_nothing_is_an_empty_file(void **state)
{
	struct dump d;

	(void)state;
	for (int format = 0; format < NPF_DUMP_N_FORMATS; format++) {
		start(&d, &(struct options){
				  .format = (enum npf_dump_format)format, .name = "empty.pcap"});
		stop(&d);
		assert_int_equal(d.n, 1);
		expect_whole(d.paths[0], 0, (enum npf_dump_format)format, 0);
		unlink(d.paths[0]);
	}
}

static void a_full_ring_refuses_and_never_waits(void **state)
{
	struct options o = {.name = "full.pcap", .ring = 2u << 20, .no_worker = true};
	uint64_t put = 0;
	struct dump d;

	(void)state;
	start(&d, &o);
	for (uint64_t i = 0; i < 100000; i++) {
		if (put == i && give(&d, i))
			put++;
		else
			npf_dump_drop(&d.p, 1);
	}
	assert_true(d.p.pos <= d.ring->size);
	assert_true(d.p.pos + 1514 + 16 > d.ring->size);
	npf_dump_commit(&d.p);
	assert_int_equal(atomic_load(&d.p.counters.drop_disk), 100000 - put);
	stop(&d); /* with a worker, for what is there */
	expect_whole(d.paths[0], 0, o.format, put);
	unlink(d.paths[0]);
}

static void an_idle_file_ends_when_its_time_is_over(void **state)
{
	struct options o = {.limits = {.file_time_ns = NPF_NS_PER_S}, .name = "idle-%s.pcap"};
	struct dump d;

	(void)state;
	start(&d, &o);
	give_all(&d, 0, 1); /* at .123 of a second, which is also the real time it is told */
	npf_dump_tick(&d.p, START_NS + 800 * NPF_NS_PER_MS);
	assert_true(d.p.cut.open);
	npf_dump_tick(&d.p, START_NS + 880 * NPF_NS_PER_MS);
	assert_false(d.p.cut.open);
	for (int i = 0; i < 200 && d.n == 0; i++)
		usleep(10000);
	assert_int_equal(d.n, 1);
	stop(&d);
	assert_int_equal(d.n, 1); /* no empty one comes after it */
	unlink(d.paths[0]);
}

static void no_file_is_ever_overwritten(void **state)
{
	struct options o = {.name = "twice.pcap"};
	char expected[PATH_MAX];
	struct dump d;

	(void)state;
	start(&d, &o);
	give_all(&d, 0, 10);
	stop(&d);
	start(&d, &o);
	give_all(&d, 0, 20);
	stop(&d);
	snprintf(expected, sizeof(expected), "%s/twice-1.pcap", dir);
	assert_string_equal(d.paths[0], expected);
	expect_whole(expected, 0, o.format, 20);
	expect_whole(d.pattern, 0, o.format, 10);
	unlink(expected);
	unlink(d.pattern);
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

		o.format = (enum npf_dump_format)(round % NPF_DUMP_N_FORMATS);
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
	struct npf_dump_state s;
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
			npf_dump_drop(&d.p, 1);
			dropped++;
			usleep(10);
			if (dropped > 1000)
				break;
		}
	npf_dump_worker_state(d.worker, &s);
	assert_int_equal(s.error, -EFBIG);
	assert_non_null(strstr(s.error_text, "full-000001.pcap.part"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	for (int turn = 0; turn < 500 && s.error != 0; turn++) {
		usleep(10000);
		npf_dump_worker_state(d.worker, &s);
	}
	assert_int_equal(s.error, 0);
	npf_dump_commit(&d.p);
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

static uint64_t bytes_of(uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (uint64_t i = from; i < to; i++)
		n += 16 + length_of(i);
	return n;
}

static void wait_for_files(struct dump *d, unsigned int n)
{
	for (int i = 0; i < 500 && d->n < n; i++)
		usleep(10000);
	assert_int_equal(d->n, n);
	usleep(20000);
}

static void a_trigger_writes_what_came_before_it_and_after(void **state)
{
	struct options o = {.name = "retro-%N.pcap", .ring = 16u << 20, .keep_bytes = 4u << 20};
	uint64_t now = START_NS + 100000 * STEP_NS, first, n;
	struct dump d;
	bool whole;

	(void)state;
	for (int format = 0; format < NPF_DUMP_N_FORMATS; format++) {
		o.format = (enum npf_dump_format)format;
		o.keep_ns = 0;
		start(&d, &o);
		give_all(&d, 0, 100000);
		assert_int_equal(npf_dump_retro_trigger(&d.p, NPF_NS_PER_S), 0);
		assert_int_equal(npf_dump_retro_trigger(&d.p, NPF_NS_PER_S), -EBUSY);
		npf_dump_tick(&d.p, now);
		give_all(&d, 100000, 100100);
		npf_dump_tick(&d.p, now + NPF_NS_PER_S);
		give_all(&d, 100100, 101000); /* too late */
		wait_for_files(&d, 1);
		first = 100100 - d.packets[0];
		expect_whole(d.paths[0], first, o.format, d.packets[0]);
		/* As much as was asked for, but for one chunk and the parts of records. */
		assert_in_range(bytes_of(first, 100000), (4u << 20) * 9 / 10, 4u << 20);
		unlink(d.paths[0]);
		npf_dump_tick(&d.p, now + 2 * NPF_NS_PER_S); /* done: ready for another */

		/* Once more, after the ring has gone round. */
		give_all(&d, 101000, 200000);
		assert_int_equal(npf_dump_retro_trigger(&d.p, 0), 0);
		npf_dump_tick(&d.p, now + 3 * NPF_NS_PER_S);
		wait_for_files(&d, 2);
		expect_whole(d.paths[1], 200000 - d.packets[1], o.format, d.packets[1]);
		unlink(d.paths[1]);
		stop(&d);
		assert_int_equal(d.n, 2); /* the end of the dump writes nothing */

		/* By time: of 1000 packets a second, the last two seconds. */
		o.keep_ns = 2000 * STEP_NS;
		start(&d, &o);
		give_all(&d, 0, 5000);
		assert_int_equal(npf_dump_retro_trigger(&d.p, 0), 0);
		npf_dump_tick(&d.p, now);
		wait_for_files(&d, 1);
		n = read_back(d.paths[0], 2999, o.format, &whole);
		assert_true(whole);
		assert_int_equal(n, 2001);
		unlink(d.paths[0]);
		stop(&d);
	}
}

static void packets_in_many_places_of_memory_are_forgotten_in_order(void **state)
{
	struct options o = {.name = "forget.pcap", .ring = 2u << 20, .keep_bytes = 1u << 20};
	struct npf_rec hdr = {.caplen = 200000, .len = 200000};
	static uint8_t large[200000];
	struct dump d;

	(void)state;
	/* Records longer than a chunk, between short ones. */
	start(&d, &o);
	for (uint64_t i = 0; i < 20000; i++) {
		give_all(&d, i, i + 1);
		if (i % 1000 == 500)
			assert_true(npf_dump_put(&d.p, &hdr, large));
		assert_true(d.p.pos - d.p.retro->floor <= 1u << 20);
	}
	stop(&d);
	assert_int_equal(d.n, 0);
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_read_back_by_every_way_to_the_disk),
		cmocka_unit_test(files_are_cut_to_the_byte_and_together_hold_everything),
		cmocka_unit_test(the_limits_of_a_dump_hold_exactly),
		cmocka_unit_test(a_dump_of_nothing_is_an_empty_file),
		cmocka_unit_test(a_full_ring_refuses_and_never_waits),
		cmocka_unit_test(an_idle_file_ends_when_its_time_is_over),
		cmocka_unit_test(no_file_is_ever_overwritten),
		cmocka_unit_test(killed_at_any_moment_a_dump_leaves_whole_files_and_one_short_one),
		cmocka_unit_test(a_disk_that_was_full_is_used_again),
		cmocka_unit_test(compressed_files_are_what_zstd_reads),
		cmocka_unit_test(a_trigger_writes_what_came_before_it_and_after),
		cmocka_unit_test(packets_in_many_places_of_memory_are_forgotten_in_order),
	};

	if (mkdtemp(dir) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
