/* SPDX-License-Identifier: BSD-3-Clause */
/* Device arguments: left alone, except where a PMD's default would cut packets. */
#include "engine/devargs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

static char out[NPF_DEVARGS_MAX];
static uint16_t room;

static void other_devices_are_left_alone(void **state)
{
	(void)state;
	assert_int_equal(
		npf_devargs_complete("net_pcap0,rx_pcap=iface=lo.pcap", out, sizeof(out), &room),
		0);
	assert_string_equal(out, "net_pcap0,rx_pcap=iface=lo.pcap");
	assert_int_equal(room, 2176);
}

static void af_packet_frames_follow_the_interfaces_mtu(void **state)
{
	(void)state;
	/* lo has an MTU of 65536: more than any frame size, so the largest is taken. */
	assert_int_equal(
		npf_devargs_complete("net_af_packet0,iface=lo", out, sizeof(out), &room), 0);
	assert_non_null(strstr(out, ",framesz=32768,"));
	assert_non_null(strstr(out, ",blocksz=65536,"));
	assert_int_equal(room, 32768 + 128);
	assert_int_equal(
		npf_devargs_complete("net_af_packet0,iface=doesnotexist0", out, sizeof(out), &room),
		0);
	assert_non_null(strstr(out, ",framesz=2048,"));
}

static void a_frame_size_that_is_given_is_kept_and_fits_an_mbuf(void **state)
{
	(void)state;
	assert_int_equal(npf_devargs_complete(
				 "net_af_packet0,iface=lo,framesz=16384", out, sizeof(out), &room),
		0);
	assert_string_equal(out, "net_af_packet0,iface=lo,framesz=16384");
	assert_int_equal(room, 16384 + 128);
}

static void arguments_that_do_not_fit_are_refused(void **state)
{
	char small[16];

	(void)state;
	assert_int_equal(
		npf_devargs_complete("net_af_packet0,iface=lo", small, sizeof(small), &room),
		-E2BIG);
	assert_int_equal(
		npf_devargs_complete("net_pcap0,rx_pcap=a-long-name", small, sizeof(small), &room),
		-E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_devices_are_left_alone),
		cmocka_unit_test(af_packet_frames_follow_the_interfaces_mtu),
		cmocka_unit_test(a_frame_size_that_is_given_is_kept_and_fits_an_mbuf),
		cmocka_unit_test(arguments_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests_name("devargs", tests, NULL, NULL);
}
