/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.h - a template compiled for one sender: the changes from one packet to the next.
 *
 * A program has an *image*, the frame with everything that does not vary. A buffer that holds the
 * image is turned into a packet by npf_txgen_prog_run(), field by field over a whole burst, and may
 * be reused for any later packet of the same program without the image being copied again, as long
 * as npf_txgen_prog_reusable(). Checksums come from the image's sum plus the values: no packet byte
 * is read, nothing is divided.
 *
 * A *signed* packet ends in a struct of 16 bytes, with a sequence number and the time it left, by
 * which the receiving side finds loss, reordering, duplicates and latency.
 */
#ifndef NPF_TXGEN_PROGRAM_PROGRAM_H
#define NPF_TXGEN_PROGRAM_PROGRAM_H

#include "txgen/packet/packet.h"

#include <endian.h>
#include <string.h>

#define NPF_TXGEN_BURST_MAX 512

/*
 * The last 16 bytes of a signed packet, big-endian. They need no alignment and lie at the end, so
 * that a device which pushes or pops a tag does not hide them.
 */
#define NPF_TXGEN_SIGN_LEN   16
#define NPF_TXGEN_SIGN_MAGIC 0x4e47u

static inline uint64_t npf_txgen_sign_head(uint8_t run, uint8_t stream, uint32_t seq)
{
	return (uint64_t)NPF_TXGEN_SIGN_MAGIC << 48 | (uint64_t)run << 40 | (uint64_t)stream << 32 |
	       seq;
}

static inline void npf_txgen_sign_write(uint8_t *frame_end, uint64_t head, uint64_t tsc)
{
	uint64_t be[2] = {htobe64(head), htobe64(tsc)};

	memcpy(frame_end - NPF_TXGEN_SIGN_LEN, be, sizeof(be));
}

static inline void npf_txgen_sign_read(const uint8_t *at, uint64_t *head, uint64_t *tsc)
{
	uint64_t be[2];

	memcpy(be, at, sizeof(be));
	*head = be64toh(be[0]);
	*tsc = be64toh(be[1]);
}

struct npf_txgen_prog_conf {
	uint64_t at;        /* index of the first packet: with two queues, 0 and 1 ... */
	uint64_t stride;    /* ... and stride 2 */
	uint64_t seed;      /* of all that is random */
	const uint8_t *mac; /* the port's address, for source addresses not given; or NULL */
	bool sign;
	bool hw_csum; /* leave checksums to the port: write what it needs to complete them */
};

/* The mbuf fields by which the port completes the checksums (hw_csum). */
struct npf_txgen_prog_offload {
	uint8_t l2_len; /* bytes */
	uint8_t l3_len;
	bool ip4; /* with its header checksum to be made */
	bool udp; /* at most one of these: the L4 checksum to be made */
	bool tcp;
};

struct npf_txgen_prog;

/*
 * npf_txgen_prog_new - compile a template. The template must outlive the program.
 * Return: 0; -ERANGE: a signed packet has no room for its signature; -ENOMEM.
 */
int npf_txgen_prog_new(const struct npf_txgen_tmpl *t, const struct npf_txgen_prog_conf *conf,
	struct npf_txgen_prog **pp, struct npf_error *err);
struct npf_txgen_prog *npf_txgen_prog_free(struct npf_txgen_prog *p);

/* The frame that buffers start from, and its length (the longest that the program sends). */
const uint8_t *npf_txgen_prog_image(const struct npf_txgen_prog *p, uint16_t *lenp);

/* May a buffer be run again without the image being copied into it first? */
bool npf_txgen_prog_reusable(const struct npf_txgen_prog *p);

/* Does any byte or length differ from packet to packet (signature not counted)? */
bool npf_txgen_prog_varies(const struct npf_txgen_prog *p);

void npf_txgen_prog_offload(const struct npf_txgen_prog *p, struct npf_txgen_prog_offload *o);

/*
 * npf_txgen_prog_run - make the next n packets.
 * @data: n buffers that hold the image
 * @len:  set to each frame's length
 * @sum:  signed programs only: set to what npf_txgen_prog_sign() needs; else untouched
 * Context: one thread a program.
 */
void npf_txgen_prog_run(struct npf_txgen_prog *p, uint8_t *const *data, uint16_t *len,
	uint64_t *sum, unsigned int n);

/* Complete one packet of a signed program, as late as can be before it leaves. */
void npf_txgen_prog_sign(const struct npf_txgen_prog *p, uint8_t *data, uint16_t len, uint64_t sum,
	uint64_t head, uint64_t tsc);

/* Skip n packets. */
void npf_txgen_prog_skip(struct npf_txgen_prog *p, uint64_t n);

#endif
