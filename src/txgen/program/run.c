/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - run a program over a burst.
 *
 * It goes field by field over the whole burst, not packet by packet, and each field in three
 * passes: the values (an array, which the compiler makes vector code of), their part in the
 * checksums (likewise), the stores into the packets. What kind of field it is gets decided once
 * a burst. Sums are kept in 32 bits: a value counts folded to 17 bits, and there are at most
 * NPF_TXGEN_TMPL_VARY of them.
 */
#include "txgen/program/program_priv.h"

#include <assert.h>

#define CHUNK     64 /* packets at a time: their pointers, values and sums stay in the L1 cache */
#define SHORT_RUN 8  /* a range of fewer values is stepped through one by one */

static_assert(NPF_TXGEN_TMPL_VARY * 0x1ffffull + 4 * 0xffff < UINT32_MAX, "sums fit 32 bits");

struct sums {
	uint32_t ip[CHUNK];
	uint32_t l4[CHUNK];
};

/* The next n values of a field of at most 32 bits. */
static void fill(struct npf_txgen_cursor *at, uint32_t *restrict v, unsigned int n)
{
	struct npf_txgen_cursor c = *at;

	if (c.kind == NPF_TXGEN_VALUES_RANGE && c.stride == 1 && c.count >= SHORT_RUN) {
		uint32_t step = (uint32_t)c.step;

		for (unsigned int i = 0; i < n;) {
			uint64_t to_end = c.count - c.index;
			unsigned int run = (unsigned int)NPF_MIN(to_end, (uint64_t)(n - i));
			uint32_t first = (uint32_t)(c.first + c.index * c.step);

			for (unsigned int k = 0; k < run; k++)
				v[i + k] = first + k * step;
			i += run;
			c.index += run;
			if (c.index == c.count)
				c.index = 0;
		}
	} else if (c.kind == NPF_TXGEN_VALUES_RANGE) {
		c.kind = NPF_TXGEN_VALUES_RANGE;
		for (unsigned int i = 0; i < n; i++)
			v[i] = (uint32_t)npf_txgen_cursor_next(&c);
	} else if (c.kind == NPF_TXGEN_VALUES_RANDOM) {
		c.kind = NPF_TXGEN_VALUES_RANDOM;
		for (unsigned int i = 0; i < n; i++)
			v[i] = (uint32_t)npf_txgen_cursor_next(&c);
	} else {
		c.kind = NPF_TXGEN_VALUES_LIST;
		for (unsigned int i = 0; i < n; i++)
			v[i] = (uint32_t)npf_txgen_cursor_next(&c);
	}
	at->index = c.index;
}

static void add_to(uint32_t *restrict sum, const uint32_t *restrict v, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		sum[i] += (v[i] >> 16) + (v[i] & 0xffff);
}

static void put16(uint8_t *at, uint16_t v)
{
	v = htobe16(v);
	memcpy(at, &v, sizeof(v));
}

static void put32(uint8_t *at, uint32_t v)
{
	v = htobe32(v);
	memcpy(at, &v, sizeof(v));
}

/* Part of a word: the rest of it is kept as it is in the packet. */
static void store_part(
	const struct npf_txgen_prog_op *op, uint8_t *const *data, const uint32_t *v, unsigned int n)
{
	unsigned int off = op->off, width = op->width;
	uint32_t keep = (uint32_t)op->keep;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t be = 0, word;

		memcpy((uint8_t *)&be + 4 - width, data[i] + off, width);
		word = htobe32((be32toh(be) & keep) | v[i]);
		memcpy(data[i] + off, (uint8_t *)&word + 4 - width, width);
	}
}

static void run_narrow(
	struct npf_txgen_prog_op *op, uint8_t *const *restrict data, struct sums *s, unsigned int n)
{
	unsigned int off = op->off;
	uint32_t v[CHUNK];

	fill(&op->at, v, n);
	if (op->shift > 0) {
		for (unsigned int i = 0; i < n; i++)
			v[i] <<= op->shift;
	}
	if (op->keep != 0) {
		store_part(op, data, v, n);
	} else if (op->width == 4) {
		for (unsigned int i = 0; i < n; i++)
			put32(data[i] + off, v[i]);
	} else if (op->width == 2) {
		for (unsigned int i = 0; i < n; i++)
			put16(data[i] + off, (uint16_t)v[i]);
	} else {
		for (unsigned int i = 0; i < n; i++)
			data[i][off] = (uint8_t)v[i];
	}
	if (op->sum_shift > 0) {
		for (unsigned int i = 0; i < n; i++)
			v[i] <<= op->sum_shift;
	}
	if (op->in_ip)
		add_to(s->ip, v, n);
	if (op->in_l4)
		add_to(s->l4, v, n);
}

/* MAC addresses (6 bytes, in no checksum) and the lower half of IPv6 addresses (8 bytes). */
static void run_wide(
	struct npf_txgen_prog_op *op, uint8_t *const *data, struct sums *s, unsigned int n)
{
	unsigned int off = op->off, width = op->width;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t v = npf_txgen_cursor_next(&op->at), be = htobe64(v);

		if (width == 8)
			memcpy(data[i] + off, &be, 8);
		else
			memcpy(data[i] + off, (uint8_t *)&be + 2, 6);
		if (op->in_l4)
			s->l4[i] += npf_txgen_csum_fold(v);
	}
}

static void run_sizes(struct npf_txgen_prog *p, uint8_t *const *data, uint16_t *len, struct sums *s,
	unsigned int n)
{
	unsigned int l3_off = p->l3_off, l4_off = p->l4_off;
	unsigned int ip_at = l3_off + (p->ip6 ? 4 : 2), ip_less = l3_off + (p->ip6 ? 40 : 0);
	uint32_t size[CHUNK];

	fill(&p->size, size, n);
	for (unsigned int i = 0; i < n; i++)
		len[i] = (uint16_t)size[i];
	if (p->ip_len) {
		for (unsigned int i = 0; i < n; i++)
			put16(data[i] + ip_at, (uint16_t)(size[i] - ip_less));
		for (unsigned int i = 0; i < n; i++)
			s->ip[i] += size[i] - l3_off;
	}
	if (p->udp_len) {
		for (unsigned int i = 0; i < n; i++)
			put16(data[i] + l4_off + 4, (uint16_t)(size[i] - l4_off));
	}
	if (p->udp_len && p->l4_in_sum) {
		for (unsigned int i = 0; i < n; i++)
			s->l4[i] += size[i] - l4_off;
	}
}

/* What does not vary, and what comes of the length: base, pseudo header, payload. */
static void add_fixed(struct npf_txgen_prog *p, const uint16_t *len, struct sums *s, unsigned int n)
{
	unsigned int cut = p->hdr_len + p->tail + (p->sign ? NPF_TXGEN_SIGN_LEN : 0);
	unsigned int l4_less = p->l4_off + p->tail;

	if (!p->size_varies) {
		uint32_t fixed = p->l4_base;

		fixed += p->pseudo ? (uint16_t)(p->image_len - l4_less) : 0;
		fixed += p->l4_in_sum ? p->payload_sums[p->image_len - cut] : 0;
		for (unsigned int i = 0; i < n; i++)
			s->l4[i] += fixed;
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		s->l4[i] += p->l4_base + (p->pseudo ? len[i] - l4_less : 0) +
			    (p->l4_in_sum ? p->payload_sums[len[i] - cut] : 0);
}

/* Folded sums; flip: complemented, as a checksum is written. */
static void fold(
	const uint32_t *restrict sum, uint16_t *restrict out, uint16_t flip, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint32_t x = (sum[i] >> 16) + (sum[i] & 0xffff);

		out[i] = (uint16_t)(x + (x >> 16)) ^ flip;
	}
}

static void finish_ip(
	struct npf_txgen_prog *p, uint8_t *const *data, struct sums *s, unsigned int n)
{
	unsigned int off = p->l3_off + 10;
	uint16_t csum[CHUNK];

	for (unsigned int i = 0; i < n; i++)
		s->ip[i] += p->ip_base;
	fold(s->ip, csum, 0xffff, n);
	if (p->offload.ip4)
		memset(csum, 0, sizeof(csum));
	for (unsigned int i = 0; i < n; i++)
		put16(data[i] + off, csum[i]);
}

static void finish_l4(
	struct npf_txgen_prog *p, uint8_t *const *data, struct sums *s, unsigned int n)
{
	unsigned int off = p->csum_off;
	uint16_t csum[CHUNK];

	fold(s->l4, csum, p->l4_in_sum ? 0xffff : 0, n);
	if (p->udp_zero && p->l4_in_sum) {
		for (unsigned int i = 0; i < n; i++)
			csum[i] = csum[i] > 0 ? csum[i] : 0xffff;
	}
	for (unsigned int i = 0; i < n; i++)
		put16(data[i] + off, csum[i]);
}

static void run_chunk(struct npf_txgen_prog *p, uint8_t *const *data, uint16_t *len, uint64_t *sum,
	unsigned int n)
{
	struct sums s;

	memset(s.ip, 0, n * sizeof(s.ip[0]));
	memset(s.l4, 0, n * sizeof(s.l4[0]));
	if (p->size_varies)
		run_sizes(p, data, len, &s, n);
	for (unsigned int i = 0; i < p->n_ops; i++) {
		if (p->ops[i].width > 4)
			run_wide(&p->ops[i], data, &s, n);
		else
			run_narrow(&p->ops[i], data, &s, n);
	}
	if (p->ip_csum)
		finish_ip(p, data, &s, n);
	if (!p->l4_csum)
		return;
	add_fixed(p, len, &s, n);
	if (!p->sign) {
		finish_l4(p, data, &s, n);
		return;
	}
	for (unsigned int i = 0; i < n; i++) /* the sums wait for the signatures */
		sum[i] = s.l4[i];
}

void npf_txgen_prog_run(struct npf_txgen_prog *p, uint8_t *const *data, uint16_t *len,
	uint64_t *sum, unsigned int n)
{
	bool fixed = !p->size_varies && p->n_ops == 0 && !p->ip_csum && !p->l4_csum;

	if (!p->size_varies) {
		for (unsigned int i = 0; i < n; i++)
			len[i] = p->image_len;
	}
	for (unsigned int at = 0; at < n && !fixed; at += CHUNK)
		run_chunk(p, data + at, len + at, sum != NULL ? sum + at : NULL,
			NPF_MIN(n - at, (unsigned int)CHUNK));
}

void npf_txgen_prog_sign(const struct npf_txgen_prog *p, uint8_t *data, uint16_t len, uint64_t sum,
	uint64_t head, uint64_t tsc)
{
	uint16_t csum;

	npf_txgen_sign_write(data + len, head, tsc);
	if (!p->l4_csum)
		return;
	if (p->l4_in_sum) {
		uint64_t sign = npf_txgen_csum_add64(npf_txgen_csum_add64(0, head), tsc);

		if (((len - p->l4_off) & 1) !=
			0) /* an odd place: each byte counts in the other half */
			sign = (uint64_t)__builtin_bswap16(npf_txgen_csum_fold(sign));
		csum = (uint16_t)~npf_txgen_csum_fold(sum + sign);
		if (p->udp_zero && csum == 0)
			csum = 0xffff;
	} else {
		csum = npf_txgen_csum_fold(sum);
	}
	put16(data + p->csum_off, csum);
}
