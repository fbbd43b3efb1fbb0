/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rate.h - rates as people write them, the same for all that sends.
 *
 * Layer 2 bits are those of the frame without FCS, as ports count bytes. Layer 1 bits are those
 * for which the wire is busy: each packet takes 24 bytes more, so a 64-byte frame takes 88. A rate
 * in bits means layer 2, as with tcpreplay and TRex, unless it says L1. A percentage of the link's
 * speed means layer 1, of which the link has so much.
 */
#ifndef NPF_BASE_RATE_H
#define NPF_BASE_RATE_H

#include "base/base.h"

#define NPF_RATE_L1_OVERHEAD 24 /* bytes a packet: FCS 4, preamble 8, gap 12 */

enum npf_rate_kind {
	NPF_RATE_ASAP,
	NPF_RATE_PPS,
	NPF_RATE_BPS_L1,
	NPF_RATE_BPS_L2,
	NPF_RATE_PERCENT,  /* of the link's speed, layer 1 */
	NPF_RATE_ORIGINAL, /* a savefile's own timing, so many times as fast */
};

struct npf_rate {
	enum npf_rate_kind kind;
	double value; /* packets/s, bits/s, percent, or factor */
};

/*
 * npf_rate_parse - read a rate.
 *
 *     asap                           as fast as it goes; also max
 *     1000, 1000pps, 100kpps         packets a second
 *     1Gbps, 1GbpsL2                 bits a second of layer 2
 *     1GbpsL1                        bits a second of layer 1
 *     50%                            of the link's speed
 *     original                       the distances of a savefile's time stamps
 *     original*2, original x2, x2    so many times as fast as that
 *
 * Numbers are plain decimals ("1.5"), prefixes are k, M and G, in any case.
 * Return: 0 or -EINVAL.
 */
int npf_rate_parse(const char *text, struct npf_rate *r);

/* The same spelling back; returns buf. */
const char *npf_rate_format(const struct npf_rate *r, char *buf, size_t len);

#endif
