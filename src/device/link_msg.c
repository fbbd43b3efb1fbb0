/* SPDX-License-Identifier: BSD-3-Clause */
/* link_msg.c - see link_msg.h. No length in a message is believed beyond what holds it. */
#include "device/link_msg.h"

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static void read_attribute(struct npf_link *l, uint16_t type, const uint8_t *value, size_t len)
{
	switch (type) {
	case IFLA_IFNAME:
		len = NPF_MIN(len, sizeof(l->name) - 1);
		memcpy(l->name, value, len);
		l->name[len] = '\0';
		break;
	case IFLA_NEW_NETNSID:
		l->moved = true;
		break;
	case IFLA_MTU:
		if (len == sizeof(l->mtu))
			memcpy(&l->mtu, value, sizeof(l->mtu));
		break;
	case IFLA_ADDRESS:
		l->has_mac = len == sizeof(l->mac);
		if (l->has_mac)
			memcpy(l->mac, value, sizeof(l->mac));
		break;
	}
}

static bool read_link(const uint8_t *body, size_t len, struct npf_link *l)
{
	struct ifinfomsg info;
	struct rtattr attr;

	if (len < sizeof(info))
		return false;
	memcpy(&info, body, sizeof(info));
	/* A bridge says so of a port that leaves it: the interface itself stays. */
	if (info.ifi_family != AF_UNSPEC)
		return false;
	*l = (struct npf_link){
		.index = info.ifi_index,
		.arphrd = info.ifi_type,
		.up = (info.ifi_flags & IFF_UP) != 0,
		.carrier = (info.ifi_flags & IFF_LOWER_UP) != 0,
	};
	for (size_t at = NLMSG_ALIGN(sizeof(info)); at + sizeof(attr) <= len;) {
		memcpy(&attr, body + at, sizeof(attr));
		if (attr.rta_len < sizeof(attr) || attr.rta_len > len - at)
			break;
		read_attribute(
			l, attr.rta_type, body + at + sizeof(attr), attr.rta_len - sizeof(attr));
		at += RTA_ALIGN((size_t)attr.rta_len);
	}
	return true;
}

enum npf_link_event npf_link_next(struct npf_link_reader *r, struct npf_link *l)
{
	struct nlmsghdr h;

	while (r->left >= sizeof(h)) {
		const uint8_t *body = r->at + NLMSG_HDRLEN;
		size_t step;

		memcpy(&h, r->at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > r->left)
			break;
		step = NPF_MIN((size_t)NLMSG_ALIGN(h.nlmsg_len), r->left);
		r->at += step;
		r->left -= step;
		r->interrupted |= (h.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (h.nlmsg_type == NLMSG_DONE)
			return NPF_LINK_ALL_LISTED;
		if (h.nlmsg_type != RTM_NEWLINK && h.nlmsg_type != RTM_DELLINK)
			continue;
		if (read_link(body, h.nlmsg_len - NLMSG_HDRLEN, l))
			return h.nlmsg_type == RTM_NEWLINK ? NPF_LINK_PRESENT : NPF_LINK_ABSENT;
	}
	r->left = 0;
	return NPF_LINK_NONE;
}
