/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mix.h - made-up traffic to time filters on, the same each time.
 *
 * 65 536 packets in random order, so that no branch predictor learns them, drawn from 2 048
 * different ones of which the first 128 bytes are kept: 256 KiB, which a level-2 cache holds.
 * IPv4 (65 %), IPv6 (20 %), VLAN-tagged IPv4 (10 %), ARP (5 %); TCP, UDP and ICMP; mostly few ports
 * and addresses of 10.0.0.0/8; sizes from 60 bytes up.
 */
#ifndef NPF_NPF_FILTER_MIX_H
#define NPF_NPF_FILTER_MIX_H

#include <stdint.h>

#define MIX_PACKETS 65536u
#define MIX_KINDS   2048u
#define MIX_KEPT    128u

struct mix {
	uint32_t n;
	uint8_t *bytes;
	const uint8_t **pkts;
	uint32_t *lens;
	uint32_t *caplens;
	uint32_t *results;
};

int mix_init(struct mix *m);
/* Every packet the same one: the best case for branches. `like` is the place in the mix. */
void mix_repeat(struct mix *m, uint32_t like);
/* The first n packets of the mix in turn, as a replay has them: a predictor learns these. */
void mix_turn(struct mix *m, uint32_t n);
/* The first packet, from `from` on, that is TCP over IPv4 without a tag. */
uint32_t mix_find_tcp(const struct mix *m, uint32_t from);
void mix_fini(struct mix *m);

#endif
