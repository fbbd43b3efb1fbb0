/* SPDX-License-Identifier: BSD-3-Clause */
/* Savefiles read one packet after the other: whole, to the nanosecond, up to the damage. */
#include "replay/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "savefile.h"

#define NS_PER_S 1000000000ull

static struct npf_error err;

/* Header of a savefile in either byte order, micro- or nanoseconds. */
struct form {
	uint32_t magic;
	bool swapped;
};

static uint32_t put(const struct form *f, uint32_t v)
{
	return f->swapped ? __builtin_bswap32(v) : v;
}

static void write_bytes(const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

static void begin_file(const struct form *f, uint32_t linktype)
{
	uint32_t head[6] = {put(f, f->magic),
		f->swapped ? __builtin_bswap16(2) | (uint32_t)__builtin_bswap16(4) << 16
			   : 2u | 4u << 16,
		0, 0, put(f, 262144), put(f, linktype)};

	assert_int_equal(truncate(path, 0), 0);
	write_bytes(head, sizeof(head));
}

static void add_packet(
	const struct form *f, uint32_t s, uint32_t frac, uint32_t caplen, uint32_t len)
{
	uint32_t head[4] = {put(f, s), put(f, frac), put(f, caplen), put(f, len)};

	write_bytes(head, sizeof(head));
	if (caplen <= sizeof(bytes))
		write_bytes(bytes, caplen);
}

static const struct form us = {0xa1b2c3d4, false}, ns = {0xa1b23c4d, false},
			 us_swapped = {0xa1b2c3d4, true}, ns_swapped = {0xa1b23c4d, true};

static struct npf_trace *open_file(void)
{
	struct npf_trace *t;

	assert_int_equal(npf_trace_open(path, -1, &t, &err), 0);
	return t;
}

static void expect(struct npf_trace *t, uint64_t ts_ns, uint32_t caplen, uint32_t len)
{
	struct npf_trace_packet p;

	assert_int_equal(npf_trace_next(t, &p), 1);
	assert_int_equal(p.ts_ns, ts_ns);
	assert_int_equal(p.caplen, caplen);
	assert_int_equal(p.len, len);
	assert_memory_equal(p.data, bytes, caplen);
}

static void every_form_is_read_to_the_nanosecond(void **state)
{
	const struct form *forms[] = {&us, &ns, &us_swapped, &ns_swapped};

	(void)state;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(forms); i++) {
		bool nano = forms[i]->magic == ns.magic;
		struct npf_trace_packet p;
		struct npf_trace *t;

		begin_file(forms[i], 1);
		add_packet(forms[i], 7, nano ? 123456789 : 123456, 60, 60);
		add_packet(forms[i], 8, 1, 64, 64);
		t = open_file();
		expect(t, 7 * NS_PER_S + (nano ? 123456789 : 123456000), 60, 60);
		expect(t, 8 * NS_PER_S + (nano ? 1 : 1000), 64, 64);
		assert_int_equal(npf_trace_next(t, &p), 0);
		assert_int_equal(npf_trace_next(t, &p), 0);
		assert_int_equal(npf_trace_packets(t), 2);
		assert_string_equal(npf_trace_error(t), "");
		npf_trace_close(t);
	}
}

static void a_packet_keeps_its_lengths_also_none_and_beyond_64_kib(void **state)
{
	struct npf_trace *t;

	(void)state;
	begin_file(&us, 1);
	add_packet(&us, 1, 0, 0, 0);
	add_packet(&us, 2, 0, 0, 1514);
	add_packet(&us, 3, 0, 60, 9000);
	add_packet(&us, 4, 0, 262144, 262144);
	t = open_file();
	expect(t, 1 * NS_PER_S, 0, 0);
	expect(t, 2 * NS_PER_S, 0, 1514);
	expect(t, 3 * NS_PER_S, 60, 9000);
	expect(t, 4 * NS_PER_S, 262144, 262144);
	npf_trace_close(t);
}

static void damage_ends_the_file_and_says_where(void **state)
{
	struct npf_trace_survey s;
	struct npf_trace_packet p;
	struct npf_trace *t;

	(void)state;
	begin_file(&us, 1);
	add_packet(&us, 1, 0, 60, 60);
	add_packet(&us, 2, 0, 1u << 30, 60);
	add_packet(&us, 3, 0, 60, 60);
	t = open_file();
	expect(t, NS_PER_S, 60, 60);
	assert_int_equal(npf_trace_next(t, &p), -EBADMSG);
	assert_int_equal(npf_trace_packets(t), 1);
	assert_int_equal(npf_trace_offset(t), 24 + 16 + 60);
	assert_non_null(strstr(npf_trace_error(t), "1073741824"));
	/* What stands behind it may look like packets. */
	assert_int_equal(npf_trace_next(t, &p), -EBADMSG);
	npf_trace_close(t);
	assert_int_equal(npf_trace_survey(path, &s, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "damaged at packet 2, byte 100: "));
}

static void a_file_that_becomes_shorter_is_damaged_there(void **state)
{
	struct npf_trace_packet p;
	struct npf_trace *t;
	int rc;

	(void)state;
	begin_file(&us, 1);
	for (uint32_t i = 0; i < 40; i++)
		add_packet(&us, i, 0, 60000, 60000);
	t = open_file();
	expect(t, 0, 60000, 60000);
	assert_int_equal(truncate(path, 24 + 20 * 60016 + 100), 0);
	while ((rc = npf_trace_next(t, &p)) == 1)
		;
	assert_int_equal(rc, -EBADMSG);
	assert_int_equal(npf_trace_packets(t), 20);
	assert_int_equal(npf_trace_offset(t), 24 + 20 * 60016);
	npf_trace_close(t);
}

static void a_block_format_is_read_like_the_other(void **state)
{
	const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX, 28};
	/* of Linux cooked packets, stamps in nanoseconds */
	const uint32_t interface[] = {1, 32, 113, 0, 9 | 1 << 16, 9, 0, 32};
	const uint32_t packet[] = {6, 48, 0, 1, 5, 16, 100, 1, 2, 3, 4, 48};
	struct npf_trace_packet p;
	struct npf_trace *t;

	(void)state;
	assert_int_equal(truncate(path, 0), 0);
	write_bytes(section, sizeof(section));
	write_bytes(interface, sizeof(interface));
	write_bytes(packet, sizeof(packet));
	t = open_file();
	assert_int_equal(npf_trace_linktype(t), DLT_LINUX_SLL);
	assert_int_equal(npf_trace_next(t, &p), 1);
	assert_int_equal(p.ts_ns, (1ull << 32) + 5);
	assert_int_equal(p.caplen, 16);
	assert_int_equal(p.len, 100);
	assert_int_equal(npf_trace_next(t, &p), 0);
	npf_trace_close(t);
}

static void a_file_is_surveyed(void **state)
{
	struct npf_trace_survey s;

	(void)state;
	begin_file(&ns, 276);
	add_packet(&ns, 1, 0, 60, 60);
	add_packet(&ns, 1, 1, 60, 1514);
	add_packet(&ns, 1, 2, 70000, 70000);
	assert_int_equal(npf_trace_survey(path, &s, &err), 0);
	assert_int_equal(s.linktype, DLT_LINUX_SLL2);
	assert_int_equal(s.n_packets, 3);
	assert_int_equal(s.n_cut, 1);
	assert_int_equal(s.longest, 70000);
}

static void refused(const char *name, int rc, const char *why)
{
	struct npf_trace *t;

	err.text[0] = '\0';
	assert_int_equal(npf_trace_open(name, -1, &t, &err), rc);
	assert_non_null(strstr(err.text, name));
	assert_non_null(strstr(err.text, why));
}

static void what_is_no_savefile_is_refused_by_name(void **state)
{
	char fifo[sizeof(path) + 5];

	(void)state;
	refused("/nonexistent.pcap", -ENOENT, "No such file");
	refused("/tmp", -EISDIR, "directory");
	refused("/dev/null", -ENOTSUP, "no regular file");
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refused(fifo, -ENOTSUP, "no regular file");
	unlink(fifo);
	assert_int_equal(truncate(path, 0), 0);
	refused(path, -EINVAL, "empty");
	write_bytes("This is no savefile of any kind.", 32);
	refused(path, -EINVAL, "unknown file format");
}

static void a_file_has_the_number_that_the_formats_have_for_a_link_type(void **state)
{
	(void)state;
	assert_int_equal(npf_trace_file_linktype(DLT_EN10MB), 1);
	assert_int_equal(npf_trace_file_linktype(DLT_RAW), 101);
	assert_int_equal(npf_trace_file_linktype(DLT_LINUX_SLL2), 276);
	assert_int_equal(npf_trace_file_linktype(DLT_NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read_to_the_nanosecond),
		cmocka_unit_test(a_packet_keeps_its_lengths_also_none_and_beyond_64_kib),
		cmocka_unit_test(damage_ends_the_file_and_says_where),
		cmocka_unit_test(a_file_that_becomes_shorter_is_damaged_there),
		cmocka_unit_test(a_block_format_is_read_like_the_other),
		cmocka_unit_test(a_file_is_surveyed),
		cmocka_unit_test(what_is_no_savefile_is_refused_by_name),
		cmocka_unit_test(a_file_has_the_number_that_the_formats_have_for_a_link_type),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
