/* SPDX-License-Identifier: BSD-3-Clause */
/* frame.h - which frames a port can send. */
#ifndef NPF_WIRE_FRAME_H
#define NPF_WIRE_FRAME_H

#include "wire/protocol.h"

/* Bytes of a frame that a port can send: an Ethernet header at least, and at most that and the
 * MTU; each VLAN tag that the frame has, up to two, may be added to that. */
#define NPF_WIRE_FRAME_MIN      14u
#define NPF_WIRE_FRAME_MAX(mtu) ((uint32_t)(mtu) + 14u)
#define NPF_WIRE_TAG_LEN        4u

#define NPF_WIRE_MACS_LEN 12u /* bytes before the type, or the first tag, of a frame */

/* Is the type of a frame at this place that of a VLAN tag: 802.1Q, or 802.1ad in front of one? */
static inline bool npf_wire_is_tag(const uint8_t *at)
{
	return (at[0] == 0x81 && at[1] == 0x00) || (at[0] == 0x88 && at[1] == 0xa8);
}

/* VLAN tags at the beginning of a frame; two are as many as count. */
static inline uint32_t npf_wire_n_tags(const uint8_t *frame, uint32_t len)
{
	uint32_t n = 0;

	while (n < 2 && len >= NPF_WIRE_FRAME_MIN + (n + 1) * NPF_WIRE_TAG_LEN &&
		npf_wire_is_tag(frame + NPF_WIRE_MACS_LEN + n * NPF_WIRE_TAG_LEN))
		n++;
	return n;
}

/* Can a port of that MTU send this frame? */
static inline bool npf_wire_can_send(uint32_t mtu, const void *frame, uint32_t len)
{
	if (len < NPF_WIRE_FRAME_MIN || len > NPF_WIRE_MAXFRAME)
		return false;
	return len <= NPF_WIRE_FRAME_MAX(mtu) ||
	       len <= NPF_WIRE_FRAME_MAX(mtu) + npf_wire_n_tags(frame, len) * NPF_WIRE_TAG_LEN;
}

#endif
