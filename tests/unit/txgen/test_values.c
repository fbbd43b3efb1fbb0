/* SPDX-License-Identifier: BSD-3-Clause */
/* test_values.c - the spelling of varying values, and what packet i gets. */
#include "unit/txgen/check.h"

#include "txgen/packet/values.h"

static const struct npf_txgen_values_rule number = {NPF_TXGEN_SCALAR_UINT, 65535, 1, 65535};
static const struct npf_txgen_values_rule ip4 = {NPF_TXGEN_SCALAR_IP4, 0xffffffff, 1, 0xffffffff};
static const struct npf_txgen_values_rule ip6 = {NPF_TXGEN_SCALAR_IP6, UINT64_MAX, 1, UINT64_MAX};
static const struct npf_txgen_values_rule mac = {
	NPF_TXGEN_SCALAR_MAC, 0xffffffffffff, 0, 0xffffffffffff};
static const struct npf_txgen_values_rule flags = {NPF_TXGEN_SCALAR_FLAGS, 255, 0, 255};

static void expect_row(
	const char *text, const struct npf_txgen_values_rule *rule, const uint64_t *row, size_t n)
{
	struct npf_txgen_values v;
	struct npf_error err;

	if (npf_txgen_values_parse(text, rule, &v, NULL, &err))
		fail_msg("%s: %s", text, err.text);
	for (size_t i = 0; i < n; i++) {
		if (npf_txgen_values_at(&v, i) != row[i])
			fail_msg("%s: packet %zu gets %" PRIu64 ", not %" PRIu64, text, i,
				npf_txgen_values_at(&v, i), row[i]);
	}
	npf_txgen_values_fini(&v);
}

#define ROW(text, rule, ...)                                                                       \
	do {                                                                                       \
		static const uint64_t row_[] = {__VA_ARGS__};                                      \
		expect_row(text, rule, row_, NPF_ARRAY_LEN(row_));                                 \
	} while (0)

static void values_step_once_a_packet_and_wrap(void **state)
{
	(void)state;
	ROW("7", &number, 7, 7, 7);
	ROW("0x1f", &number, 31, 31);
	ROW("1-3", &number, 1, 2, 3, 1, 2, 3, 1);
	ROW("3-1", &number, 3, 2, 1, 3);
	ROW("1-9+4", &number, 1, 5, 9, 1);
	ROW("1-8+4", &number, 1, 5, 1);
	ROW("9-1+4", &number, 9, 5, 1, 9);
	ROW("1-4@3", &number, 3, 4, 1, 2, 3);
	ROW("1-9+4@5", &number, 5, 9, 1, 5);
	ROW("5|1|5", &number, 5, 1, 5, 5, 1, 5);
	ROW("64x3|9x1|7", &number, 64, 64, 64, 9, 7, 64);
	ROW("4-4", &number, 4, 4);
	ROW("10.0.0.2-10.0.0.4", &ip4, 0x0a000002, 0x0a000003, 0x0a000004, 0x0a000002);
	ROW("10.0.0.7/30", &ip4, 0x0a000004, 0x0a000005, 0x0a000006, 0x0a000007, 0x0a000004);
	ROW("02:00:00:00:00:fe-02:00:00:00:01:01", &mac, 0x0200000000fe, 0x0200000000ff,
		0x020000000100, 0x020000000101, 0x0200000000fe);
	ROW("2001:db8::1-2001:db8::2", &ip6, 1, 2, 1);
	ROW("S|SA|16|f", &flags, 2, 18, 16, 1);
}

static void values_refuse_what_does_not_fit_and_say_why(void **state)
{
	static const struct {
		const char *text;
		const struct npf_txgen_values_rule *rule;
		const char *word; /* must be in the error */
	} bad[] = {
		{"", &number, "not a number"},
		{"x", &number, "not a number"},
		{"-1", &number, "not a number"},
		{"65536", &number, "above 65535"},
		{"1-65536", &number, "above 65535"},
		{"1-", &number, "not a number"},
		{"1-9+0", &number, "step"},
		{"1-9+x", &number, "step"},
		{"1-9@10", &number, "not one of"},
		{"1-9+2@4", &number, "not one of"},
		{"1|", &number, "not a number"},
		{"5x0|1", &number, "weight"},
		{"5x5000|1", &number, "at most"},
		{"random:5", &number, "range must follow"},
		{"randomly", &number, "random:MIN-MAX"},
		{"10.0.0", &ip4, "IPv4"},
		{"10.0.0.0/33", &ip4, "prefix"},
		{"10.0.0.0/8-11.0.0.0", &ip4, "prefixes"},
		{"::1-1::2", &ip6, "low 64 bits"},
		{"::/1", &ip6, "2^62"},
		{"02:00", &mac, "MAC"},
		{"02:00:00:00:00:00:00", &mac, "MAC"},
		{"SX", &flags, "flags"},
	};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		struct npf_txgen_values v;
		struct npf_error err;
		int rc = npf_txgen_values_parse(bad[i].text, bad[i].rule, &v, NULL, &err);

		if (rc >= 0 || !strstr(err.text, bad[i].word))
			fail_msg("'%s': rc %d, text '%s'", bad[i].text, rc, err.text);
	}
}

static void random_values_stay_in_range_and_reach_all_of_it(void **state)
{
	struct npf_txgen_values v;
	struct npf_error err;
	unsigned int seen[10] = {0};

	(void)state;
	assert_int_equal(npf_txgen_values_parse("random:20-29", &number, &v, NULL, &err), 0);
	for (unsigned int i = 0; i < 10000; i++) {
		uint64_t x = npf_txgen_values_at(&v, i);

		assert_in_range(x, 20, 29);
		seen[x - 20]++;
	}
	for (unsigned int i = 0; i < 10; i++)
		assert_in_range(seen[i], 850, 1150); /* 5 sigma around 1000 */
}

static void queues_share_a_row_without_gap_or_repeat(void **state)
{
	static const char *const texts[] = {"10-25+3@13", "random", "3|1|4|1|5", "200-100"};

	(void)state;
	for (size_t k = 0; k < NPF_ARRAY_LEN(texts); k++) {
		struct npf_txgen_cursor c[3];
		struct npf_txgen_values v;
		struct npf_error err;

		assert_int_equal(npf_txgen_values_parse(texts[k], &number, &v, NULL, &err), 0);
		for (unsigned int q = 0; q < 3; q++)
			npf_txgen_cursor_init(&c[q], &v, q, 3);
		for (unsigned int i = 0; i < 1000; i++)
			assert_int_equal(
				npf_txgen_cursor_next(&c[i % 3]), npf_txgen_values_at(&v, i));
		npf_txgen_values_fini(&v);
	}
}

static void skipping_is_the_same_as_stepping(void **state)
{
	static const char *const texts[] = {"10-25+3", "random", "3|1|4", "9"};

	(void)state;
	for (size_t k = 0; k < NPF_ARRAY_LEN(texts); k++) {
		struct npf_txgen_cursor c;
		struct npf_txgen_values v;
		struct npf_error err;

		assert_int_equal(npf_txgen_values_parse(texts[k], &number, &v, NULL, &err), 0);
		npf_txgen_cursor_init(&c, &v, 0, 1);
		npf_txgen_cursor_skip(&c, 1234567);
		assert_int_equal(npf_txgen_cursor_next(&c), npf_txgen_values_at(&v, 1234567));
		assert_int_equal(npf_txgen_cursor_next(&c), npf_txgen_values_at(&v, 1234568));
		npf_txgen_values_fini(&v);
	}
}

static void least_and_greatest_value_are_known(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
	} t[] = {
		{"5", 5, 5}, {"9-2", 2, 9}, {"1-8+4", 1, 5}, {"7|3|9", 3, 9}, {"random:4-6", 4, 6}};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(t); i++) {
		struct npf_txgen_values v;
		struct npf_error err;

		assert_int_equal(npf_txgen_values_parse(t[i].text, &number, &v, NULL, &err), 0);
		assert_int_equal(npf_txgen_values_min(&v), t[i].min);
		assert_int_equal(npf_txgen_values_max(&v), t[i].max);
		npf_txgen_values_fini(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_step_once_a_packet_and_wrap),
		cmocka_unit_test(values_refuse_what_does_not_fit_and_say_why),
		cmocka_unit_test(random_values_stay_in_range_and_reach_all_of_it),
		cmocka_unit_test(queues_share_a_row_without_gap_or_repeat),
		cmocka_unit_test(skipping_is_the_same_as_stepping),
		cmocka_unit_test(least_and_greatest_value_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
