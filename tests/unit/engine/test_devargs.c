/* SPDX-License-Identifier: BSD-3-Clause */
/* Device arguments: left alone, except where a PMD's default would cut packets. */
#include "device/devargs.h"
#include "device/kernel_link.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <net/if.h>
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

static void the_interface_behind_a_device_is_known(void **state)
{
	static const struct {
		const char *device, *iface;
	} rows[] = {
		{"iface:eth1", "eth1"},
		{"iface:a23456789012345", "a23456789012345"},
		{"net_af_packet0,iface=eth1", "eth1"},
		{"net_af_xdp0,queue_count=1,iface=eth1,start_queue=0", "eth1"},
		{"net_pcap0,iface=eth1", "eth1"},
		{"net_pcap0,rx_iface=eth1,tx_iface=eth2", "eth1"},
		{"net_pcap0,rx_pcap=iface=lo.pcap", ""},
		{"net_tap0,iface=tap0", "tap0"},
		{"net_null0", ""},
		{"0000:3b:00.0", ""},
		{"net_af_packet0,iface=", ""},
		{"net_af_packet0,iface=a234567890123456", ""},
	};
	char name[16];

	(void)state;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(rows); i++) {
		assert_int_equal(npf_devargs_iface(rows[i].device, name), rows[i].iface[0] != '\0');
		assert_string_equal(name, rows[i].iface);
	}
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

static void what_is_sent_goes_through_the_interface_that_is_named(void **state)
{
	const unsigned int lo = if_nametoindex("lo"), other = 77;

	(void)state;
	assert_int_equal(npf_devargs_tx_ifindex("net_af_packet0,iface=eth1", other), other);
	assert_int_equal(npf_devargs_tx_ifindex("net_tap0,iface=npf0", other), other);
	assert_int_equal(npf_devargs_tx_ifindex("0000:3b:00.0", 0), 0);
	assert_int_equal(npf_devargs_tx_ifindex("net_pcap0,iface=eth1", other), other);
	assert_int_equal(npf_devargs_tx_ifindex("net_pcap0,rx_iface=eth1", other), 0);
	assert_int_equal(npf_devargs_tx_ifindex("net_pcap0,rx_iface=eth1,tx_pcap=f", other), 0);
	assert_int_equal(npf_devargs_tx_ifindex("net_pcap0,rx_pcap=f,tx_iface=lo", 0), lo);
	assert_int_equal(npf_devargs_tx_ifindex("net_pcap0,tx_iface=lo,rx_iface=eth1", other), lo);
	assert_int_equal(npf_devargs_tx_ifindex("net_pcap0,tx_iface=no-such-name-at-all", 0), 0);
}

static void an_interface_is_up_down_or_gone(void **state)
{
	(void)state;
	assert_int_equal(npf_kernel_link_state(0), 0);
	assert_int_equal(npf_kernel_link_state(0x7fffff00), -ENODEV);
	assert_int_equal(npf_kernel_link_mtu(0), 0);
	assert_true(npf_kernel_link_mtu(if_nametoindex("lo")) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_devices_are_left_alone),
		cmocka_unit_test(af_packet_frames_follow_the_interfaces_mtu),
		cmocka_unit_test(a_frame_size_that_is_given_is_kept_and_fits_an_mbuf),
		cmocka_unit_test(the_interface_behind_a_device_is_known),
		cmocka_unit_test(arguments_that_do_not_fit_are_refused),
		cmocka_unit_test(what_is_sent_goes_through_the_interface_that_is_named),
		cmocka_unit_test(an_interface_is_up_down_or_gone),
	};

	return cmocka_run_group_tests_name("devargs", tests, NULL, NULL);
}
