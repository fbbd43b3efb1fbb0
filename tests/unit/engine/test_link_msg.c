/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says of interfaces, read; and what no kernel says, without harm. */
#include "device/link_msg.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static _Alignas(8) uint8_t buf[1024];
static size_t used;

static int setup(void **state)
{
	(void)state;
	memset(buf, 0, sizeof(buf));
	used = 0;
	return 0;
}

/* A message about interface 7, without attributes. Return: where it starts. */
static struct nlmsghdr *message(uint16_t type, uint8_t family, unsigned int flags)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(buf + used);
	struct ifinfomsg info = {
		.ifi_family = family, .ifi_index = 7, .ifi_type = 1, .ifi_flags = flags};

	*h = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(info)), .nlmsg_type = type};
	memcpy(NLMSG_DATA(h), &info, sizeof(info));
	used += NLMSG_ALIGN(h->nlmsg_len);
	return h;
}

static struct rtattr *attribute(struct nlmsghdr *h, uint16_t type, const void *value, size_t len)
{
	struct rtattr *a = (struct rtattr *)(buf + used);

	*a = (struct rtattr){.rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = type};
	memcpy(RTA_DATA(a), value, len);
	used += RTA_ALIGN(a->rta_len);
	h->nlmsg_len = (uint32_t)(buf + used - (uint8_t *)h);
	return a;
}

static void an_interface_is_read_whole(void **state)
{
	struct npf_link_reader r = {.at = buf};
	struct npf_link l;
	uint32_t mtu = 9000;

	(void)state;
	struct nlmsghdr *h = message(RTM_NEWLINK, AF_UNSPEC, IFF_UP | IFF_LOWER_UP);
	attribute(h, IFLA_IFNAME, "eth1", 5);
	attribute(h, IFLA_MTU, &mtu, sizeof(mtu));
	attribute(h, IFLA_ADDRESS, "\2\0\0\0\0\1", 6);
	r.left = used;
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_PRESENT);
	assert_int_equal(l.index, 7);
	assert_string_equal(l.name, "eth1");
	assert_int_equal(l.arphrd, 1);
	assert_int_equal(l.mtu, 9000);
	assert_true(l.up && l.carrier && l.has_mac);
	assert_memory_equal(l.mac, "\2\0\0\0\0\1", 6);
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_NONE);
}

static void messages_are_read_in_order_and_others_passed_over(void **state)
{
	struct npf_link_reader r = {.at = buf};
	struct npf_link l;

	(void)state;
	message(RTM_NEWADDR, AF_UNSPEC, 0);
	message(RTM_NEWLINK, AF_UNSPEC, IFF_UP);
	message(RTM_DELLINK, AF_BRIDGE, 0); /* a port left its bridge: it is not deleted */
	message(RTM_DELLINK, AF_UNSPEC, 0);
	message(NLMSG_DONE, AF_UNSPEC, 0);
	r.left = used;
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_PRESENT);
	assert_true(l.up && !l.carrier && !l.has_mac);
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_ABSENT);
	assert_int_equal(l.index, 7);
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_ALL_LISTED);
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_NONE);
	assert_false(r.interrupted);
}

static void a_move_is_told_from_a_deletion(void **state)
{
	struct npf_link_reader r = {.at = buf};
	struct npf_link l;
	int32_t ns = 3;

	(void)state;
	attribute(message(RTM_DELLINK, AF_UNSPEC, 0), IFLA_NEW_NETNSID, &ns, sizeof(ns));
	message(RTM_DELLINK, AF_UNSPEC, 0);
	r.left = used;
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_ABSENT);
	assert_true(l.moved);
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_ABSENT);
	assert_false(l.moved);
}

static void an_answer_that_was_overtaken_is_marked(void **state)
{
	struct npf_link_reader r = {.at = buf};
	struct npf_link l;

	(void)state;
	message(RTM_NEWLINK, AF_UNSPEC, 0)->nlmsg_flags = NLM_F_MULTI | NLM_F_DUMP_INTR;
	r.left = used;
	assert_int_equal(npf_link_next(&r, &l), NPF_LINK_PRESENT);
	assert_true(r.interrupted);
}

static void no_length_is_believed(void **state)
{
	struct npf_link l;
	size_t whole;

	(void)state;
	struct nlmsghdr *h = message(RTM_NEWLINK, AF_UNSPEC, IFF_UP);
	struct rtattr *a = attribute(h, IFLA_IFNAME, "a-name-that-is-far-too-long", 28);
	whole = used;
	for (uint32_t len = 0; len < whole + 8; len++) {
		struct npf_link_reader r = {.at = buf, .left = NPF_MIN((size_t)len, whole)};

		h->nlmsg_len = len;
		npf_link_next(&r, &l);
		assert_int_equal(npf_link_next(&r, &l), NPF_LINK_NONE);
		assert_true(r.at + r.left <= buf + whole);
	}
	h->nlmsg_len = (uint32_t)whole;
	for (unsigned int len = 0; len < 64; len++) {
		struct npf_link_reader r = {.at = buf, .left = whole};

		a->rta_len = (uint16_t)len;
		assert_int_equal(npf_link_next(&r, &l), NPF_LINK_PRESENT);
		assert_true(strlen(l.name) < sizeof(l.name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_interface_is_read_whole, setup),
		cmocka_unit_test_setup(messages_are_read_in_order_and_others_passed_over, setup),
		cmocka_unit_test_setup(a_move_is_told_from_a_deletion, setup),
		cmocka_unit_test_setup(an_answer_that_was_overtaken_is_marked, setup),
		cmocka_unit_test_setup(no_length_is_believed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
