/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link_msg.h - the kernel's messages about interfaces (rtnetlink), read. No DPDK in here.
 */
#ifndef NPF_DEVICE_LINK_MSG_H
#define NPF_DEVICE_LINK_MSG_H

#include "base/base.h"

/* What a message says of an interface. */
struct npf_link {
	int index;
	char name[16];
	uint16_t arphrd;
	bool up;      /* IFF_UP: somebody wants it up */
	bool carrier; /* IFF_LOWER_UP: a frame that is sent has a way to go */
	bool moved;   /* gone: into another network namespace */
	uint32_t mtu; /* 0: not said */
	bool has_mac;
	uint8_t mac[6];
};

enum npf_link_event {
	NPF_LINK_NONE,       /* the datagram is at its end, or makes no sense from here on */
	NPF_LINK_PRESENT,    /* an interface is there, with this state */
	NPF_LINK_ABSENT,     /* an interface has disappeared */
	NPF_LINK_ALL_LISTED, /* the list of all interfaces has ended */
};

/* The datagram that is read; begin with {data, len}. */
struct npf_link_reader {
	const uint8_t *at; /* aligned as malloc() does */
	size_t left;
	bool interrupted; /* what was asked for changed meanwhile: ask again */
};

/* The next message that says something of interfaces. Others are passed over, as are those of
 * bridges about their ports. */
enum npf_link_event npf_link_next(struct npf_link_reader *r, struct npf_link *l);

#endif
