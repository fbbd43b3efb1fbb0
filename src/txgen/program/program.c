/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.c - compile a template into a program: its image, its fields, and the sums of what does
 * not vary.
 */
#include "txgen/program/program_priv.h"

#include <stdio.h>

static void put16(uint8_t *at, uint16_t v)
{
	v = htobe16(v);
	memcpy(at, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void fill_payload(const struct npf_txgen_tmpl *t, uint8_t *at, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		switch (t->payload) {
		case NPF_TXGEN_PAYLOAD_COUNT:
			at[i] = (uint8_t)i;
			break;
		case NPF_TXGEN_PAYLOAD_RANDOM:
			at[i] = (uint8_t)npf_txgen_mix64(seed + i * NPF_TXGEN_MIX_STEP);
			break;
		case NPF_TXGEN_PAYLOAD_BYTES:
			at[i] = t->payload_bytes[i % t->payload_len];
			break;
		default:
			at[i] = 0;
		}
	}
}

static int make_image(struct npf_txgen_prog *p, const struct npf_txgen_tmpl *t,
	const struct npf_txgen_prog_conf *c)
{
	size_t have = NPF_MIN(t->base_len, (size_t)p->image_len);

	p->image = malloc(p->image_len);
	if (p->image == NULL)
		return -ENOMEM;
	memcpy(p->image, t->base, have);
	if (!t->raw || t->payload != NPF_TXGEN_PAYLOAD_ZERO)
		fill_payload(t, p->image + t->hdr_len, p->image_len - t->hdr_len, c->seed);
	else
		memset(p->image + have, 0, p->image_len - have);
	for (unsigned int i = 0; c->mac != NULL && i < t->n_mac; i++)
		memcpy(p->image + t->mac_off[i], c->mac, 6);
	return 0;
}

/* Everything about lengths that does not depend on the packet. */
static void set_lengths(struct npf_txgen_prog *p, const struct npf_txgen_tmpl *t)
{
	uint8_t *l3 = p->image + p->l3_off;
	bool udp = t->l4 >= 0 && t->layers[t->l4].kind == NPF_TXGEN_LAYER_UDP;

	p->ip_len = t->l3 >= 0 && !t->keep_ip_len;
	p->udp_len = udp && !t->keep_l4_len;
	if (p->ip_len)
		put16(l3 + (p->ip6 ? 4 : 2), p->size_varies
						     ? 0
						     : (uint16_t)(p->image_len - p->l3_off -
								  p->tail - (p->ip6 ? 40 : 0)));
	if (p->udp_len)
		put16(p->image + p->l4_off + 4,
			p->size_varies ? 0 : (uint16_t)(p->image_len - p->l4_off - p->tail));
}

static uint64_t pseudo_sum(const struct npf_txgen_prog *p, int l4_kind)
{
	static const uint8_t proto[NPF_TXGEN_N_LAYERS] = {
		[NPF_TXGEN_LAYER_UDP] = 17,
		[NPF_TXGEN_LAYER_TCP] = 6,
		[NPF_TXGEN_LAYER_ICMP6] = 58,
	};
	const uint8_t *l3 = p->image + p->l3_off;

	if (l4_kind == NPF_TXGEN_LAYER_ICMP)
		return 0;
	return npf_txgen_csum_add(proto[l4_kind], p->ip6 ? l3 + 8 : l3 + 12, p->ip6 ? 32 : 8);
}

static void prepare_l4(struct npf_txgen_prog *p, const struct npf_txgen_tmpl *t, int kind)
{
	static const uint8_t csum_at[NPF_TXGEN_N_LAYERS] = {
		[NPF_TXGEN_LAYER_UDP] = 6,
		[NPF_TXGEN_LAYER_TCP] = 16,
		[NPF_TXGEN_LAYER_ICMP] = 2,
		[NPF_TXGEN_LAYER_ICMP6] = 2,
	};
	uint64_t sum;

	p->l4_csum = !t->keep_l4_csum;
	p->csum_off = p->l4_off + csum_at[kind];
	p->udp_zero = kind == NPF_TXGEN_LAYER_UDP;
	p->pseudo = kind != NPF_TXGEN_LAYER_ICMP;
	if (!p->l4_csum)
		return;
	p->offload.udp = p->hw_csum && kind == NPF_TXGEN_LAYER_UDP;
	p->offload.tcp = p->hw_csum && kind == NPF_TXGEN_LAYER_TCP;
	p->l4_in_sum = !p->offload.udp && !p->offload.tcp;
	put16(p->image + p->csum_off, 0);
	sum = pseudo_sum(p, kind);
	if (p->l4_in_sum)
		sum = npf_txgen_csum_add(sum, p->image + p->l4_off, p->hdr_len - p->l4_off);
	p->l4_base = npf_txgen_csum_fold(sum);
}

/* Sums of the first i payload bytes, so that any size's sum is at hand. */
static int sum_payload(struct npf_txgen_prog *p)
{
	size_t len = p->image_len - p->hdr_len;
	const uint8_t *at = p->image + p->hdr_len;
	uint64_t sum = 0;

	p->payload_sums = malloc((len + 1) * sizeof(*p->payload_sums));
	if (p->payload_sums == NULL)
		return -ENOMEM;
	p->payload_sums[0] = 0;
	for (size_t i = 0; i < len; i++) {
		sum += (uint64_t)at[i] << ((i & 1) != 0 ? 0 : 8);
		p->payload_sums[i + 1] = npf_txgen_csum_fold(sum);
	}
	return 0;
}

static void add_ops(struct npf_txgen_prog *p, const struct npf_txgen_tmpl *t,
	const struct npf_txgen_prog_conf *c)
{
	for (unsigned int i = 0; i < t->n_vary; i++) {
		const struct npf_txgen_vary *v = &t->vary[i];
		struct npf_txgen_prog_op *op = &p->ops[p->n_ops++];
		bool pseudo_only = p->offload.udp || p->offload.tcp;
		uint64_t whole = v->width == 8 ? UINT64_MAX : (1ull << 8 * v->width) - 1;
		uint64_t mask = (v->bits == 64 ? UINT64_MAX : (1ull << v->bits) - 1) << v->shift;

		*op = (struct npf_txgen_prog_op){
			.off = v->off,
			.width = v->width,
			.shift = v->shift,
			.sum_shift = v->sum_shift,
			.keep = whole & ~mask,
			.in_ip = (v->sums & NPF_TXGEN_SUM_IP) != 0 && p->ip_csum && !p->offload.ip4,
			.in_l4 = (v->sums & (pseudo_only ? NPF_TXGEN_SUM_PSEUDO
							 : NPF_TXGEN_SUM_L4)) != 0 &&
				 p->l4_csum,
		};
		p->values[i] = v->values;
		p->values[i].seed = npf_txgen_mix64(c->seed ^ v->values.seed) +
				    ((uint64_t)v->off << 8 | v->shift);
		npf_txgen_cursor_init(&op->at, &p->values[i], c->at, c->stride);
	}
}

static int compile(struct npf_txgen_prog *p, const struct npf_txgen_tmpl *t,
	const struct npf_txgen_prog_conf *c)
{
	uint16_t csum;
	int rc;

	/* Padding would make the signature straddle the end of the packet: it becomes payload. */
	p->tail = c->sign ? 0 : t->tail;
	p->l3_off = t->l3 >= 0 ? t->layers[t->l3].off : 0;
	p->l4_off = t->l4 >= 0 ? t->layers[t->l4].off : t->hdr_len;
	p->ip6 = t->l3 >= 0 && t->layers[t->l3].kind == NPF_TXGEN_LAYER_IP6;
	p->hdr_len = t->hdr_len;
	p->offload.l2_len = (uint8_t)p->l3_off;
	p->offload.l3_len = (uint8_t)(p->l4_off - p->l3_off);
	rc = make_image(p, t, c);
	if (rc < 0 || (t->verbatim && !c->sign))
		return rc;
	set_lengths(p, t);
	p->ip_csum = t->l3 >= 0 && !p->ip6 && !t->keep_ip_csum;
	p->offload.ip4 = p->ip_csum && p->hw_csum;
	if (p->ip_csum) {
		size_t ihl = (size_t)(p->image[p->l3_off] & 15) * 4;

		put16(p->image + p->l3_off + 10, 0);
		p->ip_base = npf_txgen_csum_fold(npf_txgen_csum_add(0, p->image + p->l3_off, ihl));
	}
	if (t->l4 >= 0)
		prepare_l4(p, t, t->layers[t->l4].kind);
	/* A UDP packet of a file that bears no checksum is left without one. */
	csum = t->l4 >= 0 ? get16(t->base + p->csum_off) : 0;
	if (t->raw && p->udp_zero && csum == 0)
		p->l4_csum = p->offload.udp = false;
	add_ops(p, t, c);
	return sum_payload(p);
}

int npf_txgen_prog_new(const struct npf_txgen_tmpl *t, const struct npf_txgen_prog_conf *conf,
	struct npf_txgen_prog **pp, struct npf_error *err)
{
	struct npf_txgen_prog *p = calloc(1, sizeof(*p));
	struct npf_txgen_values *size;
	int rc;

	if (p == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	size = &p->values[NPF_TXGEN_TMPL_VARY];
	*size = t->size;
	size->seed = npf_txgen_mix64(conf->seed ^ 0x73697a65);
	p->size_varies = npf_txgen_values_vary(size);
	p->image_len = (uint16_t)npf_txgen_values_max(size);
	p->sign = conf->sign;
	p->hw_csum = conf->hw_csum;
	npf_txgen_cursor_init(&p->size, size, conf->at, conf->stride);
	if (p->sign && npf_txgen_values_min(size) < (uint64_t)t->hdr_len + NPF_TXGEN_SIGN_LEN) {
		npf_txgen_prog_free(p);
		return npf_error_set(err, -ERANGE,
			"size %llu has no room for the %d bytes of sequence number and time stamp "
			"that checking needs after %u bytes of headers: use size %u or more",
			(unsigned long long)npf_txgen_values_min(&t->size), NPF_TXGEN_SIGN_LEN,
			t->hdr_len, t->hdr_len + NPF_TXGEN_SIGN_LEN);
	}
	rc = compile(p, t, conf);
	if (rc < 0) {
		npf_txgen_prog_free(p);
		return npf_error_set(err, rc, "out of memory");
	}
	if (p->n_ops == 0 && !p->size_varies && !p->sign) {
		/* Nothing will change: one run on the image itself, and later ones are free. */
		uint16_t len;

		npf_txgen_prog_run(p, &p->image, &len, NULL, 1);
		p->ip_csum = p->l4_csum = false;
	}
	*pp = p;
	return 0;
}

struct npf_txgen_prog *npf_txgen_prog_free(struct npf_txgen_prog *p)
{
	if (p != NULL) {
		free(p->image);
		free(p->payload_sums);
		free(p);
	}
	return NULL;
}

const uint8_t *npf_txgen_prog_image(const struct npf_txgen_prog *p, uint16_t *lenp)
{
	*lenp = p->image_len;
	return p->image;
}

bool npf_txgen_prog_reusable(const struct npf_txgen_prog *p)
{
	/* Signatures at changing places would be left behind in the payload. */
	return !(p->sign && p->size_varies);
}

bool npf_txgen_prog_varies(const struct npf_txgen_prog *p)
{
	return p->n_ops > 0 || p->size_varies;
}

void npf_txgen_prog_offload(const struct npf_txgen_prog *p, struct npf_txgen_prog_offload *o)
{
	*o = p->offload;
}

void npf_txgen_prog_skip(struct npf_txgen_prog *p, uint64_t n)
{
	for (unsigned int i = 0; i < p->n_ops; i++)
		npf_txgen_cursor_skip(&p->ops[i].at, n);
	npf_txgen_cursor_skip(&p->size, n);
}
