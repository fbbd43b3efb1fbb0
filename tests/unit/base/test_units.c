/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and durations: what people write is taken, what could be misread is not. */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void sizes_take_binary_and_decimal_units(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(npf_parse_size("1500", &v), 0);
	assert_int_equal(v, 1500);
	assert_int_equal(npf_parse_size("64KiB", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(npf_parse_size("3m", &v), 0);
	assert_int_equal(v, 3u << 20);
	assert_int_equal(npf_parse_size("2GB", &v), 0);
	assert_int_equal(v, 2000000000);
	assert_int_equal(npf_parse_size("1TiB", &v), 0);
	assert_int_equal(v, 1ull << 40);
}

static void durations_take_units_and_count_seconds_without_one(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(npf_parse_duration("60", &v), 0);
	assert_int_equal(v, 60 * NPF_NS_PER_S);
	assert_int_equal(npf_parse_duration("1ms", &v), 0);
	assert_int_equal(v, NPF_NS_PER_MS);
	assert_int_equal(npf_parse_duration("5min", &v), 0);
	assert_int_equal(v, 300 * NPF_NS_PER_S);
	assert_int_equal(npf_parse_duration("7d", &v), 0);
	assert_int_equal(v, 604800 * NPF_NS_PER_S);
}

static void what_is_no_number_with_one_unit_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "s", "-1s", "+1", " 1", "1 s", "1.5G", "1sec", "1GiBx", "0x10", "1G1", "GiB"};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		assert_int_equal(npf_parse_size(bad[i], &v), -EINVAL);
		assert_int_equal(npf_parse_duration(bad[i], &v), -EINVAL);
	}
}

static void what_does_not_fit_64_bits_is_refused(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(npf_parse_size("99999999999999999999", &v), -ERANGE);
	assert_int_equal(npf_parse_size("16777216TiB", &v), -ERANGE);
	assert_int_equal(npf_parse_duration("1000000000d", &v), -ERANGE);
	assert_int_equal(npf_parse_size("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_take_binary_and_decimal_units),
		cmocka_unit_test(durations_take_units_and_count_seconds_without_one),
		cmocka_unit_test(what_is_no_number_with_one_unit_is_refused),
		cmocka_unit_test(what_does_not_fit_64_bits_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
