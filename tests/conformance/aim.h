/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aim.h - packets that lie on the edges of a program.
 *
 * A program is run on a packet and what it compares is noted: which bytes the value came from, what
 * was done to it, and the constant. Then these bytes are set so that the value becomes the
 * constant, or one more or less, or something beyond 16 bits; or the packet is cut at the end of a
 * load, or one byte beside. Step by step packets find their way deep into a program.
 */
#ifndef NPF_TESTS_AIM_H
#define NPF_TESTS_AIM_H

#include "conformance/gen.h"

struct aim_packet {
	uint8_t bytes[GEN_MAX_LEN];
	uint32_t caplen, len;
};

/* A packet to begin with: zeros, ones, noise or a real one. */
void aim_begin(struct gen *g, struct aim_packet *p);
/* Change the packet with regard to what the program does with it. */
void aim_step(struct gen *g, const struct npf_bpf_insn *insns, struct aim_packet *p);

#endif
