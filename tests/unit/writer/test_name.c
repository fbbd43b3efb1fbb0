/* SPDX-License-Identifier: BSD-3-Clause */
/* Names from patterns, and files recognised by them; a ring of files deletes only its own. */
#include "writer/disk/retention.h"
#include "writer/disk/pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AT 1790000000ull * 1000000000ull /* 2026-09-21 14:13:20 UTC */

static const char *make(const char *pattern, uint64_t number, unsigned int try)
{
	static char path[PATH_MAX];

	assert_int_equal(
		npf_writer_pattern_expand(pattern, AT, number, try, path, sizeof(path)), 0);
	return path;
}

static void patterns_expand_as_strftime_does_and_number_files(void **state)
{
	(void)state;
	assert_string_equal(make("/d/all-%Y%m%d-%H%M%S.pcap", 1, 0), "/d/all-20260921-141320.pcap");
	assert_string_equal(make("a-%N.pcap", 7, 0), "a-000007.pcap");
	assert_string_equal(
		make("%F_%T_%s_%j_%y%%", 1, 0), "2026-09-21_14:13:20_1790000000_264_26%");
	assert_string_equal(make("plain", 1, 0), "plain");
}

static void a_taken_name_gets_a_number_before_its_extension(void **state)
{
	(void)state;
	assert_string_equal(make("/d.d/x.pcap", 1, 2), "/d.d/x-2.pcap");
	assert_string_equal(make("/d.d/x", 1, 1), "/d.d/x-1");
	assert_string_equal(make("x.pcap.zst", 1, 1), "x-1.pcap.zst");
	assert_string_equal(make(".hidden", 1, 1), ".hidden-1");
}

static void bad_patterns_are_refused_with_words(void **state)
{
	static const char *const bad[] = {
		"/d/", "", "/%Y/x.pcap", "x%p.pcap", "x%", "x%5N", "%N%N", "%s%d"};
	struct npf_error err;
	char longer[300];

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		err.text[0] = '\0';
		assert_int_equal(npf_writer_pattern_check(bad[i], &err), -EINVAL);
		assert_true(err.text[0] != '\0');
	}
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(npf_writer_pattern_check(longer, &err), -EINVAL);
	assert_int_equal(npf_writer_pattern_check("/var/all-%Y%m%d-%N.pcap", &err), 0);
}

static void only_a_regular_file_may_be_in_the_way(void **state)
{
	static const char *const bad[] = {"/dev/null", "/dev/stdin", "/tmp", "/dev/../tmp"};
	struct npf_error err;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		assert_int_equal(npf_writer_pattern_check_target(bad[i], &err), -EEXIST);
		assert_non_null(strstr(err.text, bad[i]));
		assert_non_null(strstr(err.text, "regular file"));
	}
	assert_int_equal(npf_writer_pattern_check_target("/tmp/there-is-no-such-file", &err), 0);
	assert_int_equal(npf_writer_pattern_check_target("/etc/passwd", &err), 0); /* passwd-1 */
	assert_int_equal(npf_writer_pattern_check_target("/dev/null-%N", &err), 0);
}

static void a_name_that_can_become_too_long_is_refused_at_the_start(void **state)
{
	char pattern[PATH_MAX], path[PATH_MAX];
	struct npf_error err;

	(void)state;
	for (size_t n = 200; n < NAME_MAX; n++) {
		bool good;

		memset(pattern, 'x', n);
		snprintf(pattern + n, sizeof(pattern) - n, "%%N-%%s");
		good = npf_writer_pattern_check(pattern, &err) == 0;
		assert_int_equal(npf_writer_pattern_expand(pattern, UINT64_MAX, UINT64_MAX,
					 UINT_MAX, path, sizeof(path)),
			0);
		strcat(path, ".part");
		assert_int_equal(good, strlen(path) <= NAME_MAX);
	}
}

/* Each row: two patterns; do they meet, and do they as names that were taken? */
static void patterns_that_make_the_same_name_are_known(void **state)
{
	static const struct {
		const char *a, *b;
		bool meet, meet_taken;
	} rows[] = {
		{"x.pcap", "x.pcap", true, true},
		{"/d/x.pcap", "/d//x.pcap", true, true},
		{"x.pcap", "y.pcap", false, false},
		{"x-%s.pcap", "x-%N.pcap", true, true},
		{"x-%Y%m%d.pcap", "x-%N.pcap", true, true},
		{"x-%Y.pcap", "x-%N.pcap", false, false},
		{"x-%F.pcap", "x-%Y-%m-%d.pcap", true, true},
		{"x-%F.pcap", "x-%s.pcap", false, false},
		{"x-%T.pcap", "x-%H:%M:%S.pcap", true, true},
		{"x-1.pcap", "x.pcap", false, true},
		{"x-12-%N.pcap", "x-%s-000001.pcap", true, true},
		{"x-%N.pcap", "x-%N.pcap.part", false, true},
		{"a-%N.pcap", "a-%N.pcap.zst", false, false},
		{"a-%N.pcap.zst", "a-%N-7.pcap.zst", false, true},
		{"%s", "%N", true, true},
		{"%s", "%Y%m%d%H%M%S", true, true},
		{"x%%", "x%%", true, true},
		{"x%%", "x5", false, false},
		{"x%j", "x%y5", true, true},
		{"web-%N.pcap", "web-%N-%s.pcap", false, true},
		{"%N%%%Y%y%m%d%H%M%S%j%F%T%s", "%N%%%Y%y%m%d%H%M%S%j%F%T%s", true, true},
	};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(rows); i++)
		for (unsigned int swap = 0; swap < 2; swap++) {
			const char *a = swap ? rows[i].b : rows[i].a;
			const char *b = swap ? rows[i].a : rows[i].b;

			assert_int_equal(npf_writer_pattern_intersects(a, b, false), rows[i].meet);
			assert_int_equal(
				npf_writer_pattern_intersects(a, b, true), rows[i].meet_taken);
		}
}

static void a_dump_knows_its_own_files(void **state)
{
	static const char *const own[] = {"all-20260921-141320.pcap", "all-20260921-141320-1.pcap",
		"all-19991231-000000-99.pcap"};
	static const char *const foreign[] = {"all-20260921-14132.pcap",
		"all-20260921-141320.pcapx", "xall-20260921-141320.pcap",
		"all-2026092a-141320.pcap", "all-20260921-141320-.pcap", "all-.pcap", "",
		"all-20260921-141320.pcap.gz"};
	uint64_t number = 5;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(own); i++)
		assert_true(
			npf_writer_pattern_matches("/d/all-%Y%m%d-%H%M%S.pcap", own[i], &number));
	for (size_t i = 0; i < NPF_ARRAY_LEN(foreign); i++)
		assert_false(npf_writer_pattern_matches(
			"/d/all-%Y%m%d-%H%M%S.pcap", foreign[i], &number));
	assert_int_equal(number, 5);
	assert_true(npf_writer_pattern_matches("a-%N.pcap", "a-001234.pcap", &number));
	assert_int_equal(number, 1234);
	assert_false(npf_writer_pattern_matches("a-%N.pcap", "a-1234.pcap", &number));
}

static void whatever_a_pattern_makes_it_matches(void **state)
{
	static const char *const patterns[] = {
		"%Y%y%m%d%H%M%S%j%F%T%N%%%s", "x", "x.pcap.zst", "%s-%N", "a.b-%j.c"};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(patterns); i++)
		for (unsigned int try = 0; try < 3; try++) {
			uint64_t number = 0;

			assert_true(npf_writer_pattern_matches(
				patterns[i], make(patterns[i], 123456, try), &number));
		}
}

static char dir[] = "/tmp/npf-keeper-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned int next;
	char *s = path[next++ % 4];

	snprintf(s, PATH_MAX, "%s/%s", dir, name);
	return s;
}

static void make_file(const char *name, size_t size, time_t mtime)
{
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static bool exists(const char *name)
{
	return access(in_dir(name), F_OK) == 0;
}

static void a_ring_of_files_deletes_the_oldest_of_its_own(void **state)
{
	struct npf_writer_retention k;
	uint64_t number = 0;

	(void)state;
	make_file("a-000001.pcap", 10, 1000);
	make_file("a-000002.pcap.part", 10, 2000); /* of a crash */
	make_file("a-000003.pcap", 10, 3000);
	make_file("b-000001.pcap", 10, 500);
	make_file("a-x.pcap", 10, 500);
	assert_int_equal(npf_writer_retention_init(
				 &k, in_dir("a-%N.pcap"), &(struct npf_writer_keep){2, 0}, &number),
		0);
	assert_int_equal(number, 3);
	make_file("a-000004.pcap", 10, 4000);
	npf_writer_retention_add(&k, in_dir("a-000004.pcap"), 10);
	assert_int_equal(k.deleted, 2);
	assert_false(exists("a-000001.pcap"));
	assert_false(exists("a-000002.pcap.part"));
	assert_true(exists("a-000003.pcap"));
	assert_true(exists("a-000004.pcap"));
	assert_true(exists("b-000001.pcap"));
	assert_true(exists("a-x.pcap"));
	npf_writer_retention_fini(&k);
}

static void a_ring_of_files_keeps_to_its_total_size(void **state)
{
	struct npf_writer_retention k;
	uint64_t number = 0;

	(void)state;
	assert_int_equal(npf_writer_retention_init(&k, in_dir("s-%N.pcap"),
				 &(struct npf_writer_keep){0, 100}, &number),
		0);
	make_file("s-000001.pcap", 60, 1000);
	npf_writer_retention_add(&k, in_dir("s-000001.pcap"), 60);
	make_file("s-000002.pcap", 40, 1001);
	npf_writer_retention_add(&k, in_dir("s-000002.pcap"), 40);
	assert_true(exists("s-000001.pcap"));
	make_file("s-000003.pcap", 1, 1002);
	npf_writer_retention_add(&k, in_dir("s-000003.pcap"), 1);
	assert_false(exists("s-000001.pcap"));
	assert_true(exists("s-000002.pcap"));
	/* The newest stays though it alone is too large. */
	make_file("s-000004.pcap", 1000, 1003);
	npf_writer_retention_add(&k, in_dir("s-000004.pcap"), 1000);
	assert_true(exists("s-000004.pcap"));
	assert_false(exists("s-000003.pcap"));
	npf_writer_retention_fini(&k);
}

/* What another daemon writes is locked; what a crash left is not. */
static void a_file_that_is_being_written_is_nobodys_to_take(void **state)
{
	struct npf_writer_retention k;
	uint64_t number = 0;
	int fd;

	(void)state;
	make_file("l-000001.pcap.part", 10, 1000);
	make_file("l-000002.pcap.part", 10, 2000);
	fd = open(in_dir("l-000001.pcap.part"), O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(npf_writer_retention_init(
				 &k, in_dir("l-%N.pcap"), &(struct npf_writer_keep){1, 0}, &number),
		0);
	assert_int_equal(number, 2);
	make_file("l-000003.pcap", 10, 3000);
	npf_writer_retention_add(&k, in_dir("l-000003.pcap"), 10);
	assert_true(exists("l-000001.pcap.part"));
	assert_false(exists("l-000002.pcap.part"));
	assert_true(exists("l-000003.pcap"));
	close(fd);
	npf_writer_retention_fini(&k);
}

static void a_directory_is_the_same_however_it_is_written(void **state)
{
	char a[PATH_MAX], b[PATH_MAX];

	(void)state;
	snprintf(a, sizeof(a), "%s/x", dir);
	snprintf(b, sizeof(b), "%s//../%s/./y", dir, strrchr(dir, '/') + 1);
	assert_true(npf_writer_pattern_shares_dir(a, b));
	assert_false(npf_writer_pattern_shares_dir(a, "/y"));
	assert_false(npf_writer_pattern_shares_dir(a, "/no/such/dir/y"));
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
		cmocka_unit_test(patterns_expand_as_strftime_does_and_number_files),
		cmocka_unit_test(a_taken_name_gets_a_number_before_its_extension),
		cmocka_unit_test(bad_patterns_are_refused_with_words),
		cmocka_unit_test(only_a_regular_file_may_be_in_the_way),
		cmocka_unit_test(a_name_that_can_become_too_long_is_refused_at_the_start),
		cmocka_unit_test(patterns_that_make_the_same_name_are_known),
		cmocka_unit_test(a_dump_knows_its_own_files),
		cmocka_unit_test(whatever_a_pattern_makes_it_matches),
		cmocka_unit_test(a_ring_of_files_deletes_the_oldest_of_its_own),
		cmocka_unit_test(a_ring_of_files_keeps_to_its_total_size),
		cmocka_unit_test(a_file_that_is_being_written_is_nobodys_to_take),
		cmocka_unit_test(a_directory_is_the_same_however_it_is_written),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	if (mkdtemp(dir) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
