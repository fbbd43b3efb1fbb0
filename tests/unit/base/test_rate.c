/* SPDX-License-Identifier: BSD-3-Clause */
/* test_rate.c - rates as users write them. */
#include "base/rate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void rates_are_read_as_written(void **state)
{
	static const struct {
		const char *text;
		enum npf_rate_kind kind;
		double value;
	} good[] = {
		{"asap", NPF_RATE_ASAP, 0},
		{"1000", NPF_RATE_PPS, 1000},
		{"100kpps", NPF_RATE_PPS, 1e5},
		{"1.5Mpps", NPF_RATE_PPS, 1.5e6},
		{"10Gbps", NPF_RATE_BPS_L2, 1e10},
		{"10gbps", NPF_RATE_BPS_L2, 1e10},
		{"10GbpsL1", NPF_RATE_BPS_L1, 1e10},
		{"2.5MbpsL2", NPF_RATE_BPS_L2, 2.5e6},
		{"50%", NPF_RATE_PERCENT, 50},
		{"original", NPF_RATE_ORIGINAL, 1},
		{"original*2.5", NPF_RATE_ORIGINAL, 2.5},
		{"original x2", NPF_RATE_ORIGINAL, 2},
		{"original   x0.25", NPF_RATE_ORIGINAL, 0.25},
		{"x0.5", NPF_RATE_ORIGINAL, 0.5},
		{"10pps", NPF_RATE_PPS, 10},
		{"100", NPF_RATE_PPS, 100},
		{"1Gbps", NPF_RATE_BPS_L2, 1e9},
		{"9600bps", NPF_RATE_BPS_L2, 9600},
		{"9600bpsL1", NPF_RATE_BPS_L1, 9600},
	};
	static const char *const bad[] = {"", "fast", "10Xbps", "-5", "0", "1e3", "1.2.3", "nan",
		"original*", "original*0", "originals", "5%%", "inf", "10 gbps", "x", "x0", "x-1",
		"original2", "originalpps", "100k", "0pps", "-1pps", "1e999pps", "infpps", "1kkpps",
		"1Gbps ", "1 pps", "original 2pps", "original100Mbps", "original 100Mbps",
		"originalx3", "original ", "original asap", "original  2", "original x2 ",
		"0x10pps", "0X10bps", "x0x10", "x2k", "x2 ", "x 2", "original x2k", "xx2",
		"1e300Gpps0", "asap ", "x2pps", "1e308Gbps"};
	struct npf_rate r, again;
	char buf[64];

	(void)state;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(good); i++) {
		assert_int_equal(npf_rate_parse(good[i].text, &r), 0);
		assert_int_equal(r.kind, good[i].kind);
		assert_true(r.value == good[i].value);
		assert_int_equal(npf_rate_parse(npf_rate_format(&r, buf, sizeof(buf)), &again), 0);
		assert_true(again.kind == r.kind && again.value == r.value);
	}
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(bad); i++)
		if (npf_rate_parse(bad[i], &r) != -EINVAL)
			fail_msg("\"%s\" is taken for a rate", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_read_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
