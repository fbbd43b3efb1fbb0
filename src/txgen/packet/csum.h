/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * csum.h - the Internet checksum (RFC 1071) kept as a sum that parts can be added to.
 *
 * Sums are of big-endian 16-bit words in a 64-bit accumulator. As 2^16 = 1 modulo 65535, a 32-bit
 * word (or a 64-bit one in halves) may be added whole; it is folded once, at the end.
 */
#ifndef NPF_TXGEN_PACKET_CSUM_H
#define NPF_TXGEN_PACKET_CSUM_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t npf_txgen_csum_add64(uint64_t sum, uint64_t be_value)
{
	return sum + (be_value >> 32) + (be_value & 0xffffffff);
}

/* Add bytes that start at an even offset; an odd last byte counts as padded with zero. */
static inline uint64_t npf_txgen_csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len >= 2; p += 2, len -= 2)
		sum += (uint64_t)p[0] << 8 | p[1];
	return len > 0 ? sum + ((uint64_t)*p << 8) : sum;
}

static inline uint16_t npf_txgen_csum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + sum);
}

#endif
