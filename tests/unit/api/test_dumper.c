/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dumper.c - pcap_dump() leaves the bytes that the real one leaves, whatever the stream. */
#include "setup.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/stat.h>

#define N_PACKETS 3000
#define LONGEST   70000 /* longer than the buffer of a dumper */

static void (*real_dump)(u_char *, const struct pcap_pkthdr *, const u_char *);
static u_char packet[LONGEST];

static int find_real(void **state)
{
	void *lib = dlopen(npfdp_libpcap(), RTLD_NOW | RTLD_LOCAL);

	(void)state;
	real_dump = dlsym(lib, "pcap_dump");
	for (unsigned int i = 0; i < LONGEST; i++)
		packet[i] = (u_char)(i * 2654435761u >> 24);
	return real_dump == NULL || real_dump == pcap_dump;
}

/* Packet number i: most are short, one in a hundred has any length, also none. */
static void put(void (*dump)(u_char *, const struct pcap_pkthdr *, const u_char *),
	pcap_dumper_t *d, unsigned int i)
{
	const unsigned int random = i * 2246822519u >> 8;
	const struct pcap_pkthdr hdr = {
		.ts = {.tv_sec = 1700000000 + i, .tv_usec = random % 1000000},
		.caplen = i % 100 == 99 ? random % LONGEST : 14 + random % 100,
		.len = 100000 + i,
	};

	dump((u_char *)d, &hdr, packet + i % 7);
}

static char *read_all(const char *path, size_t *np)
{
	FILE *f = fopen(path, "r");
	struct stat st;
	char *bytes;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	*np = fread(bytes, 1, (size_t)st.st_size + 1, f);
	assert_int_equal(*np, st.st_size);
	fclose(f);
	return bytes;
}

/* What is done to a stream before packet i. */
typedef void prepare_fn(FILE *f, unsigned int i);

static void leave(FILE *f, unsigned int i)
{
	(void)f;
	(void)i;
}

static void unbuffer(FILE *f, unsigned int i)
{
	if (i == 0)
		assert_int_equal(setvbuf(f, NULL, _IONBF, 0), 0);
}

static void buffer_lines(FILE *f, unsigned int i)
{
	static char small[100];

	if (i == 0)
		assert_int_equal(setvbuf(f, small, _IOLBF, sizeof(small)), 0);
}

static void flush(FILE *f, unsigned int i)
{
	if (i % 10 == 3)
		assert_int_equal(fflush(f), 0);
}

/* As who corrects a header when he knows more. */
static void write_back(FILE *f, unsigned int i)
{
	if (i % 50 != 7)
		return;
	assert_int_equal(fseek(f, 8, SEEK_SET), 0);
	assert_int_equal(fwrite("zone", 1, 4, f), 4);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
}

static void write_between(FILE *f, unsigned int i)
{
	if (i % 20 == 0)
		assert_true(fputs("between", f) >= 0);
}

static void dump_all(const char *path, bool appends, bool is_real, prepare_fn *prepare)
{
	void (*dump)(u_char *, const struct pcap_pkthdr *, const u_char *) =
		is_real ? real_dump : pcap_dump;
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	pcap_dumper_t *d;

	for (int part = 0; part < 2; part++) {
		d = part == 1 && appends ? pcap_dump_open_append(p, path) : pcap_dump_open(p, path);
		assert_non_null(d);
		for (unsigned int i = 0; i < N_PACKETS; i++) {
			prepare(pcap_dump_file(d), i);
			put(dump, d, i);
		}
		assert_true(pcap_dump_ftell64(d) > 0);
		pcap_dump_close(d);
	}
	pcap_close(p);
}

static void the_bytes_are_those_of_the_real_one(void **state)
{
	static prepare_fn *const prepares[] = {
		leave, unbuffer, buffer_lines, flush, write_back, write_between};
	char ours[] = "/tmp/npf-ours-XXXXXX", theirs[] = "/tmp/npf-theirs-XXXXXX";

	(void)state;
	close(mkstemp(ours));
	close(mkstemp(theirs));
	for (unsigned int i = 0; i < 2 * sizeof(prepares) / sizeof(*prepares); i++) {
		size_t n_ours, n_theirs;
		char *a, *b;

		dump_all(ours, i % 2 == 1, false, prepares[i / 2]);
		dump_all(theirs, i % 2 == 1, true, prepares[i / 2]);
		a = read_all(ours, &n_ours);
		b = read_all(theirs, &n_theirs);
		assert_int_equal(n_ours, n_theirs);
		assert_memory_equal(a, b, n_ours);
		free(a);
		free(b);
	}
	unlink(ours);
	unlink(theirs);
}

static void a_full_disk_shows_in_the_stream(void **state)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	FILE *f = fopen("/dev/full", "w");
	pcap_dumper_t *d = pcap_dump_fopen(p, f);

	(void)state;
	assert_non_null(d);
	for (unsigned int i = 0; i < N_PACKETS; i++)
		put(pcap_dump, d, i);
	assert_true(ferror(f) != 0);
	pcap_dump_close(d);
	pcap_close(p);
}

#define N_THREADS 4

static void *put_many(void *d)
{
	for (unsigned int i = 0; i < N_PACKETS; i++)
		put(pcap_dump, d, i);
	return NULL;
}

static void threads_may_share_a_dumper(void **state)
{
	char path[] = "/tmp/npf-ours-XXXXXX", errors[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	pthread_t threads[N_THREADS];
	struct pcap_pkthdr *hdr;
	unsigned int n = 0;
	const u_char *data;
	pcap_dumper_t *d;
	int rc;

	(void)state;
	close(mkstemp(path));
	d = pcap_dump_open(p, path);
	for (int t = 0; t < N_THREADS; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, put_many, d), 0);
	for (int t = 0; t < N_THREADS; t++)
		pthread_join(threads[t], NULL);
	pcap_dump_close(d);
	pcap_close(p);
	p = pcap_open_offline(path, errors);
	assert_non_null(p);
	while ((rc = pcap_next_ex(p, &hdr, &data)) == 1) {
		assert_in_range(hdr->len, 100000, 100000 + N_PACKETS - 1);
		n++;
	}
	assert_int_equal(rc, PCAP_ERROR_BREAK);
	assert_int_equal(n, N_THREADS * N_PACKETS);
	pcap_close(p);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_those_of_the_real_one),
		cmocka_unit_test(a_full_disk_shows_in_the_stream),
		cmocka_unit_test(threads_may_share_a_dumper),
	};

	return cmocka_run_group_tests(tests, find_real, NULL);
}
