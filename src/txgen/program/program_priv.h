/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program_priv.h - the inside of a program: made by program.c, run by program_run.c.
 *
 * Invariant: in the image all varying bits, varying lengths and checksums are zero, and ip_base
 * and l4_base are the sums of exactly that.
 */
#ifndef NPF_TXGEN_PROGRAM_PROGRAM_PRIV_H
#define NPF_TXGEN_PROGRAM_PROGRAM_PRIV_H

#include "txgen/packet/packet.h"
#include "txgen/program/program.h"

struct npf_txgen_prog_op {
	uint16_t off;
	uint8_t width;
	uint8_t shift;
	uint8_t sum_shift;
	bool in_ip;    /* counts in the IP header's checksum */
	bool in_l4;    /* counts in the transport's */
	uint64_t keep; /* bits of the word that are not ours; 0: store it whole */
	struct npf_txgen_cursor at;
};

struct npf_txgen_prog {
	struct npf_txgen_prog_op ops[NPF_TXGEN_TMPL_VARY];
	unsigned int n_ops;
	uint8_t *image;
	uint16_t image_len;
	uint16_t *payload_sums; /* folded sum of the first i payload bytes; NULL: of one size */
	struct npf_txgen_cursor size;
	bool size_varies;
	bool sign;
	bool hw_csum;
	bool ip_csum;   /* there is an IPv4 header checksum to write */
	bool l4_csum;   /* there is a transport checksum to write */
	bool l4_in_sum; /* the payload's bytes count in it */
	bool pseudo;    /* ... and the pseudo header's length */
	bool udp_zero;  /* a sum of 0 is written as ffff (RFC 768) */
	bool ip_len;    /* lengths to write when the size varies */
	bool udp_len;
	bool ip6;
	uint16_t l3_off, l4_off, csum_off;
	uint16_t hdr_len, tail;
	uint16_t ip_base; /* folded */
	uint16_t l4_base;
	struct npf_txgen_prog_offload offload;
	struct npf_txgen_values
		values[NPF_TXGEN_TMPL_VARY + 1]; /* seeded; lists belong to the template */
};

#endif
