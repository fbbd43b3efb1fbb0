/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.h - a packet as its sender describes it, parsed once, immutable afterwards.
 *
 *     eth(dst=02:00:00:00:00:02)/vlan(id=5)/ip(src=10.0.0.1,dst=10.0.0.2-10.0.0.9)/
 *     udp(sport=random,dport=53)/size=128
 *
 * Headers that are left out but needed are supplied (udp alone gets eth and ip), fields that are
 * not given have sensible values (layers.c), lengths and checksums are right unless given. In
 * place of the first headers `raw(hex=...)` or `raw(file=NAME,n=3)` takes the bytes of a hex
 * text or of the n-th packet of a savefile, and later headers change fields of that.
 *
 * size= and payload= may follow the headers. Sizes are bytes of the frame without FCS, as in
 * testpmd: 64 means 68 on the wire before preamble and gap.
 */
#ifndef NPF_TXGEN_PACKET_TEMPLATE_H
#define NPF_TXGEN_PACKET_TEMPLATE_H

#include "replay/replay.h"
#include "txgen/packet/layers.h"

#define NPF_TXGEN_TMPL_SIZE_MIN     14
#define NPF_TXGEN_TMPL_SIZE_MAX     65000 /* mbuf data rooms are 16 bits, headroom included */
#define NPF_TXGEN_TMPL_SIZE_DEFAULT 64
#define NPF_TXGEN_TMPL_LAYERS       16
#define NPF_TXGEN_TMPL_VARY         32

/* Which checksums a varying field counts in. */
#define NPF_TXGEN_SUM_IP     0x1u
#define NPF_TXGEN_SUM_L4     0x2u
#define NPF_TXGEN_SUM_PSEUDO 0x4u

struct npf_txgen_vary {
	uint16_t off;      /* of the word in the frame */
	uint8_t width;     /* of the word: 1, 2, 4, 6 or 8 bytes */
	uint8_t shift;     /* of the value in the word */
	uint8_t bits;      /* of the value; fewer than the word's: the rest is kept */
	uint8_t sums;      /* NPF_TXGEN_SUM_* */
	uint8_t sum_shift; /* 8 when a single byte is the upper half of a checksum's word */
	struct npf_txgen_values values;
};

enum npf_txgen_payload {
	NPF_TXGEN_PAYLOAD_ZERO,
	NPF_TXGEN_PAYLOAD_COUNT,  /* 0, 1, 2, ... */
	NPF_TXGEN_PAYLOAD_RANDOM, /* noise, the same in every packet */
	NPF_TXGEN_PAYLOAD_BYTES,  /* given bytes, repeated */
};

struct npf_txgen_tmpl_layer {
	uint8_t kind; /* enum npf_txgen_layer */
	uint16_t off;
};

struct npf_txgen_tmpl {
	struct npf_txgen_tmpl_layer layers[NPF_TXGEN_TMPL_LAYERS];
	struct npf_txgen_vary vary[NPF_TXGEN_TMPL_VARY];
	unsigned int n_layers;
	unsigned int n_vary;
	int l3;           /* index of the IPv4 or IPv6 header, or -1 */
	int l4;           /* index of the transport header, or -1 */
	uint16_t hdr_len; /* bytes before the payload */
	uint8_t *base;    /* base_len bytes, varying bits zero; owned */
	size_t base_len;  /* hdr_len, or the raw packet's length */

	bool raw;      /* base came as bytes */
	bool verbatim; /* ... and nothing of it is to change */
	bool has_size; /* the template has size= (or is raw) */
	bool keep_ip_len;
	bool keep_ip_csum;
	bool keep_l4_len;
	bool keep_l4_csum;
	uint16_t tail;       /* raw: bytes after the end of the IP packet (Ethernet padding) */
	uint16_t mac_off[2]; /* where the port's own address goes; n_mac of them */
	unsigned int n_mac;

	struct npf_txgen_values size;
	enum npf_txgen_payload payload;
	uint8_t *payload_bytes; /* BYTES; owned */
	size_t payload_len;
};

/*
 * npf_txgen_tmpl_parse - read one template.
 * @err: on failure what is wrong and what would be right
 * Owns:   *tp is the caller's.
 * Return: 0, -EINVAL, -ERANGE, -ENOMEM, or what opening a file said.
 */
int npf_txgen_tmpl_parse(const char *text, struct npf_txgen_tmpl **tp, struct npf_error *err);
struct npf_txgen_tmpl *npf_txgen_tmpl_free(struct npf_txgen_tmpl *t);

/* A template that is just these bytes. Return: 0, -ERANGE (too short or long), -ENOMEM. */
int npf_txgen_tmpl_from_bytes(
	const void *data, size_t len, struct npf_txgen_tmpl **tp, struct npf_error *err);

/*
 * npf_txgen_tmpl_load - templates from what a command line gives: the text of a template, a packet
 * in hex digits, or the name of a file of hex digits or of a savefile, of which all packets (FILE),
 * the third (FILE#3) or some (FILE#3-7) are taken. Owns: *tsp is an array of *np templates, both
 * the caller's: npf_txgen_tmpl_list_free().
 */
int npf_txgen_tmpl_load(
	const char *arg, struct npf_txgen_tmpl ***tsp, unsigned int *np, struct npf_error *err);
void npf_txgen_tmpl_list_free(struct npf_txgen_tmpl **ts, unsigned int n);

/*
 * npf_txgen_tmpl_set_size - sizes for a template that names none.
 * Return: 0, -ERANGE when the headers need more or a frame cannot be so long, -ENOMEM.
 */
int npf_txgen_tmpl_set_size(
	struct npf_txgen_tmpl *t, const struct npf_txgen_values *sizes, struct npf_error *err);

/* Sizes as in --size: a number, a list (commas or bars), MIN-MAX, random:MIN-MAX, or imix. */
int npf_txgen_sizes_parse(const char *text, struct npf_txgen_values *v, struct npf_error *err);

/* Find the headers in raw bytes and fill in layers, l3, l4, hdr_len and tail (dissect.c). */
void npf_txgen_tmpl_dissect(struct npf_txgen_tmpl *t);

/* Write into each laid-out header which protocol follows. */
void npf_txgen_tmpl_chain(struct npf_txgen_tmpl *t);

/* Digits in pairs, white space, ':' and '-' between; '#' begins a comment (bytes.c).
 * Return: 0 (*lenp may be 0) or -EINVAL, -ENOMEM; *datap is the caller's. */
int npf_txgen_hex_parse(const char *text, size_t text_len, uint8_t **datap, size_t *lenp);

/*
 * npf_txgen_tmpl_load_file - templates from packets @first to @last (from 1; ~0: to the end) of a
 * savefile or a hex file (bytes.c). Owns: as npf_txgen_tmpl_load(). Return: 0, -ENODATA (there are
 * no such packets), -ERANGE (too many, or of a length that cannot be sent), -EINVAL, -ENOMEM, or
 * the error of opening the file.
 */
int npf_txgen_tmpl_load_file(const char *path, unsigned long first, unsigned long last,
	struct npf_txgen_tmpl ***tsp, unsigned int *np, struct npf_error *err);

/* The bytes of `raw(file=...)`: of packet n (from 1) of a savefile, or of a hex file. */
int npf_txgen_tmpl_read_file(
	const char *path, unsigned long n, uint8_t **datap, size_t *lenp, struct npf_error *err);

/* Load a savefile of which all can be sent: packets too short or too long are left out and counted,
 * and a file cut off in a packet counts up to there. As npf_savefile_load(). */
int npf_txgen_savefile_load(
	const char *path, size_t limit, struct npf_savefile **sp, struct npf_error *err);

#endif
