/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.c - compile a template and run it over bursts.
 *
 * The run goes field by field over the whole burst, not packet by packet: what kind of field it is
 * gets decided once a burst, and the inner loops are short. Every field adds its value to
 * the packet's two running sums (IP header, transport); at the end these are folded with the
 * image's own sums. Invariant: in the image all varying bits, varying lengths and checksums are
 * zero, and ip_base and l4_base are the sums of exactly that.
 */
#include "engine/gen/program.h"

#include "engine/gen/csum.h"

#include <stdio.h>

#define CHUNK 64 /* packets at a time: their pointers and sums stay in the L1 cache */

struct op {
	uint16_t off;
	uint8_t width;
	uint8_t shift;
	uint8_t sum_shift;
	bool in_ip;    /* counts in the IP header's checksum */
	bool in_l4;    /* counts in the transport's */
	uint64_t keep; /* bits of the word that are not ours; 0: store it whole */
	struct npf_cursor at;
};

struct npf_prog {
	struct op ops[NPF_TMPL_VARY];
	unsigned int n_ops;
	uint8_t *image;
	uint16_t image_len;
	uint16_t *payload_sums; /* folded sum of the first i payload bytes; NULL: of one size */
	struct npf_cursor size;
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
	uint64_t ip_base;
	uint64_t l4_base;
	struct npf_prog_offload offload;
	struct npf_values values[NPF_TMPL_VARY + 1]; /* seeded; lists belong to the template */
};

static void put16(uint8_t *at, uint16_t v)
{
	v = htobe16(v);
	memcpy(at, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void fill_payload(const struct npf_tmpl *t, uint8_t *at, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		switch (t->payload) {
		case NPF_PAYLOAD_COUNT:
			at[i] = (uint8_t)i;
			break;
		case NPF_PAYLOAD_RANDOM:
			at[i] = (uint8_t)npf_mix64(seed + i * NPF_MIX_STEP);
			break;
		case NPF_PAYLOAD_BYTES:
			at[i] = t->payload_bytes[i % t->payload_len];
			break;
		default:
			at[i] = 0;
		}
	}
}

static int make_image(struct npf_prog *p, const struct npf_tmpl *t, const struct npf_prog_conf *c)
{
	size_t have = NPF_MIN(t->base_len, (size_t)p->image_len);

	p->image = malloc(p->image_len);
	if (!p->image)
		return -ENOMEM;
	memcpy(p->image, t->base, have);
	if (!t->raw || t->payload != NPF_PAYLOAD_ZERO)
		fill_payload(t, p->image + t->hdr_len, p->image_len - t->hdr_len, c->seed);
	else
		memset(p->image + have, 0, p->image_len - have);
	for (unsigned int i = 0; c->mac && i < t->n_mac; i++)
		memcpy(p->image + t->mac_off[i], c->mac, 6);
	return 0;
}

/* Everything about lengths that does not depend on the packet. */
static void set_lengths(struct npf_prog *p, const struct npf_tmpl *t)
{
	uint8_t *l3 = p->image + p->l3_off;
	bool udp = t->l4 >= 0 && t->layers[t->l4].kind == NPF_LAYER_UDP;

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

static uint64_t pseudo_sum(const struct npf_prog *p, int l4_kind)
{
	static const uint8_t proto[NPF_N_LAYERS] = {
		[NPF_LAYER_UDP] = 17,
		[NPF_LAYER_TCP] = 6,
		[NPF_LAYER_ICMP6] = 58,
	};
	const uint8_t *l3 = p->image + p->l3_off;

	if (l4_kind == NPF_LAYER_ICMP)
		return 0;
	return npf_csum_add(proto[l4_kind], p->ip6 ? l3 + 8 : l3 + 12, p->ip6 ? 32 : 8);
}

static void prepare_l4(struct npf_prog *p, const struct npf_tmpl *t, int kind)
{
	static const uint8_t csum_at[NPF_N_LAYERS] = {
		[NPF_LAYER_UDP] = 6,
		[NPF_LAYER_TCP] = 16,
		[NPF_LAYER_ICMP] = 2,
		[NPF_LAYER_ICMP6] = 2,
	};

	p->l4_csum = !t->keep_l4_csum;
	p->csum_off = p->l4_off + csum_at[kind];
	p->udp_zero = kind == NPF_LAYER_UDP;
	p->pseudo = kind != NPF_LAYER_ICMP;
	if (!p->l4_csum)
		return;
	p->offload.udp = p->hw_csum && kind == NPF_LAYER_UDP;
	p->offload.tcp = p->hw_csum && kind == NPF_LAYER_TCP;
	p->l4_in_sum = !p->offload.udp && !p->offload.tcp;
	put16(p->image + p->csum_off, 0);
	p->l4_base = pseudo_sum(p, kind);
	if (p->l4_in_sum)
		p->l4_base = npf_csum_add(p->l4_base, p->image + p->l4_off, p->hdr_len - p->l4_off);
}

/* Sums of the first i payload bytes, so that any size's sum is at hand. */
static int sum_payload(struct npf_prog *p)
{
	size_t len = p->image_len - p->hdr_len;
	const uint8_t *at = p->image + p->hdr_len;
	uint64_t sum = 0;

	p->payload_sums = malloc((len + 1) * sizeof(*p->payload_sums));
	if (!p->payload_sums)
		return -ENOMEM;
	p->payload_sums[0] = 0;
	for (size_t i = 0; i < len; i++) {
		sum += (uint64_t)at[i] << (i & 1 ? 0 : 8);
		p->payload_sums[i + 1] = npf_csum_fold(sum);
	}
	return 0;
}

static void add_ops(struct npf_prog *p, const struct npf_tmpl *t, const struct npf_prog_conf *c)
{
	for (unsigned int i = 0; i < t->n_vary; i++) {
		const struct npf_vary *v = &t->vary[i];
		struct op *op = &p->ops[p->n_ops++];
		bool pseudo_only = p->offload.udp || p->offload.tcp;
		uint64_t whole = v->width == 8 ? UINT64_MAX : (1ull << 8 * v->width) - 1;
		uint64_t mask = (v->bits == 64 ? UINT64_MAX : (1ull << v->bits) - 1) << v->shift;

		*op = (struct op){
			.off = v->off,
			.width = v->width,
			.shift = v->shift,
			.sum_shift = v->sum_shift,
			.keep = whole & ~mask,
			.in_ip = v->sums & NPF_SUM_IP && p->ip_csum && !p->offload.ip4,
			.in_l4 =
				v->sums & (pseudo_only ? NPF_SUM_PSEUDO : NPF_SUM_L4) && p->l4_csum,
		};
		p->values[i] = v->values;
		p->values[i].seed =
			npf_mix64(c->seed ^ v->values.seed) + ((uint64_t)v->off << 8 | v->shift);
		npf_cursor_init(&op->at, &p->values[i], c->at, c->stride);
	}
}

static int compile(struct npf_prog *p, const struct npf_tmpl *t, const struct npf_prog_conf *c)
{
	uint16_t csum;
	int rc;

	/* Padding would make the signature straddle the end of the packet: it becomes payload. */
	p->tail = c->sign ? 0 : t->tail;
	p->l3_off = t->l3 >= 0 ? t->layers[t->l3].off : 0;
	p->l4_off = t->l4 >= 0 ? t->layers[t->l4].off : t->hdr_len;
	p->ip6 = t->l3 >= 0 && t->layers[t->l3].kind == NPF_LAYER_IP6;
	p->hdr_len = t->hdr_len;
	p->offload.l2_len = (uint8_t)p->l3_off;
	p->offload.l3_len = (uint8_t)(p->l4_off - p->l3_off);
	rc = make_image(p, t, c);
	if (rc || (t->verbatim && !c->sign))
		return rc;
	set_lengths(p, t);
	p->ip_csum = t->l3 >= 0 && !p->ip6 && !t->keep_ip_csum;
	p->offload.ip4 = p->ip_csum && p->hw_csum;
	if (p->ip_csum) {
		size_t ihl = (size_t)(p->image[p->l3_off] & 15) * 4;

		put16(p->image + p->l3_off + 10, 0);
		p->ip_base = npf_csum_add(0, p->image + p->l3_off, ihl);
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

int npf_prog_new(
	const struct npf_tmpl *t, const struct npf_prog_conf *conf, struct npf_prog **pp, char *err)
{
	struct npf_prog *p = calloc(1, sizeof(*p));
	struct npf_values *size;
	int rc;

	if (!p) {
		snprintf(err, NPF_TMPL_ERR, "out of memory");
		return -ENOMEM;
	}
	size = &p->values[NPF_TMPL_VARY];
	*size = t->size;
	size->seed = npf_mix64(conf->seed ^ 0x73697a65);
	p->size_varies = npf_values_vary(size);
	p->image_len = (uint16_t)npf_values_max(size);
	p->sign = conf->sign;
	p->hw_csum = conf->hw_csum;
	npf_cursor_init(&p->size, size, conf->at, conf->stride);
	if (p->sign && npf_values_min(size) < (uint64_t)t->hdr_len + NPF_SIGN_LEN) {
		snprintf(err, NPF_TMPL_ERR,
			"size %llu has no room for the %d bytes of sequence number and time stamp "
			"that checking needs after %u bytes of headers: use size %u or more",
			(unsigned long long)npf_values_min(size), NPF_SIGN_LEN, t->hdr_len,
			t->hdr_len + NPF_SIGN_LEN);
		npf_prog_free(p);
		return -ERANGE;
	}
	rc = compile(p, t, conf);
	if (rc) {
		snprintf(err, NPF_TMPL_ERR, "out of memory");
		npf_prog_free(p);
		return rc;
	}
	if (!p->n_ops && !p->size_varies && !p->sign) {
		/* Nothing will change: one run on the image itself, and later ones are free. */
		uint16_t len;

		npf_prog_run(p, &p->image, &len, NULL, 1);
		p->ip_csum = p->l4_csum = false;
	}
	*pp = p;
	return 0;
}

struct npf_prog *npf_prog_free(struct npf_prog *p)
{
	if (p) {
		free(p->image);
		free(p->payload_sums);
		free(p);
	}
	return NULL;
}

const uint8_t *npf_prog_image(const struct npf_prog *p, uint16_t *lenp)
{
	*lenp = p->image_len;
	return p->image;
}

bool npf_prog_reusable(const struct npf_prog *p)
{
	/* Signatures at changing places would be left behind in the payload. */
	return !(p->sign && p->size_varies);
}

bool npf_prog_varies(const struct npf_prog *p)
{
	return p->n_ops || p->size_varies;
}

void npf_prog_offload(const struct npf_prog *p, struct npf_prog_offload *o)
{
	*o = p->offload;
}

/* ---- The run ---- */

struct sums {
	uint64_t ip[CHUNK];
	uint64_t l4[CHUNK];
};

static inline __attribute__((always_inline)) void store(
	uint8_t *at, uint64_t v, unsigned int width, uint64_t keep)
{
	uint64_t be;

	if (NPF_UNLIKELY(keep)) {
		be = 0;
		memcpy((uint8_t *)&be + 8 - width, at, width);
		v |= be64toh(be) & keep;
	}
	be = htobe64(v);
	memcpy(at, (uint8_t *)&be + 8 - width, width);
}

/* One field over the burst; every argument but op is a constant where it is called. */
static inline __attribute__((always_inline)) void run_field(struct op *op, uint8_t *const *data,
	struct sums *s, unsigned int n, enum npf_values_kind kind, unsigned int width, bool plain)
{
	struct npf_cursor at = op->at;
	unsigned int off = op->off, shift = plain ? 0 : op->shift;
	unsigned int sum_shift = plain ? 0 : op->sum_shift;
	uint64_t keep = plain ? 0 : op->keep;
	uint64_t in_ip = op->in_ip ? UINT64_MAX : 0, in_l4 = op->in_l4 ? UINT64_MAX : 0;

	at.kind = kind;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t v = npf_cursor_next(&at) << shift, part = v << sum_shift;

		store(data[i] + off, v, width, keep);
		if (width == 8)
			part = (part >> 32) + (part & 0xffffffff);
		s->ip[i] += part & in_ip;
		s->l4[i] += part & in_l4;
	}
	op->at.index = at.index;
}

#define RUN_KIND(width, plain)                                                                     \
	do {                                                                                       \
		if (op->at.kind == NPF_VALUES_RANGE)                                               \
			run_field(op, data, s, n, NPF_VALUES_RANGE, width, plain);                 \
		else if (op->at.kind == NPF_VALUES_RANDOM)                                         \
			run_field(op, data, s, n, NPF_VALUES_RANDOM, width, plain);                \
		else                                                                               \
			run_field(op, data, s, n, NPF_VALUES_LIST, width, plain);                  \
	} while (0)

static void run_op(struct op *op, uint8_t *const *data, struct sums *s, unsigned int n)
{
	bool plain = !op->keep && !op->sum_shift;

	if (op->width == 4 && plain)
		RUN_KIND(4, true);
	else if (op->width == 2 && plain)
		RUN_KIND(2, true);
	else if (op->width == 8)
		RUN_KIND(8, true);
	else if (op->width == 6)
		RUN_KIND(6, true);
	else if (op->width == 1)
		RUN_KIND(1, false);
	else if (op->width == 2)
		RUN_KIND(2, false);
	else
		RUN_KIND(4, false);
}

static void run_sizes(
	struct npf_prog *p, uint8_t *const *data, uint16_t *len, struct sums *s, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint16_t size = (uint16_t)npf_cursor_next(&p->size);
		uint16_t l3_len = size - p->l3_off, l4_len = size - p->l4_off;

		len[i] = size;
		if (p->ip_len) {
			put16(data[i] + p->l3_off + (p->ip6 ? 4 : 2),
				p->ip6 ? l3_len - 40 : l3_len);
			s->ip[i] += l3_len;
		}
		if (p->udp_len)
			put16(data[i] + p->l4_off + 4, l4_len);
		if (p->l4_in_sum && p->udp_len)
			s->l4[i] += l4_len;
	}
}

/* Fold the sums into the checksums; a signed packet's transport sum waits for its signature. */
static void finish(struct npf_prog *p, uint8_t *const *data, const uint16_t *len, struct sums *s,
	uint64_t *sum, unsigned int n)
{
	unsigned int cut = p->tail + (p->sign ? NPF_SIGN_LEN : 0);

	if (p->ip_csum) {
		for (unsigned int i = 0; i < n; i++)
			put16(data[i] + p->l3_off + 10,
				p->offload.ip4 ? 0
					       : (uint16_t)~npf_csum_fold(p->ip_base + s->ip[i]));
	}
	if (!p->l4_csum)
		return;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t l4 = p->l4_base + s->l4[i];

		if (p->pseudo)
			l4 += (uint16_t)(len[i] - p->l4_off - p->tail);
		if (p->l4_in_sum)
			l4 += p->payload_sums[len[i] - p->hdr_len - cut];
		if (p->sign) {
			sum[i] = l4;
			continue;
		}
		l4 = npf_csum_fold(l4);
		if (p->l4_in_sum)
			l4 = (uint16_t)~l4;
		if (p->udp_zero && p->l4_in_sum && !l4)
			l4 = 0xffff;
		put16(data[i] + p->csum_off, (uint16_t)l4);
	}
}

void npf_prog_run(
	struct npf_prog *p, uint8_t *const *data, uint16_t *len, uint64_t *sum, unsigned int n)
{
	while (n) {
		unsigned int chunk = NPF_MIN(n, (unsigned int)CHUNK);
		struct sums s;

		if (p->size_varies || p->n_ops || p->ip_csum || p->l4_csum) {
			memset(s.ip, 0, chunk * sizeof(s.ip[0]));
			memset(s.l4, 0, chunk * sizeof(s.l4[0]));
		}
		if (p->size_varies) {
			run_sizes(p, data, len, &s, chunk);
		} else {
			for (unsigned int i = 0; i < chunk; i++)
				len[i] = p->image_len;
		}
		for (unsigned int i = 0; i < p->n_ops; i++)
			run_op(&p->ops[i], data, &s, chunk);
		finish(p, data, len, &s, sum, chunk);
		data += chunk;
		len += chunk;
		if (sum)
			sum += chunk;
		n -= chunk;
	}
}

void npf_prog_sign(const struct npf_prog *p, uint8_t *data, uint16_t len, uint64_t sum,
	uint64_t head, uint64_t tsc)
{
	uint16_t csum;

	npf_sign_write(data + len, head, tsc);
	if (!p->l4_csum)
		return;
	if (p->l4_in_sum) {
		uint64_t sign = npf_csum_add64(npf_csum_add64(0, head), tsc);

		if ((len - p->l4_off) & 1) /* an odd place: each byte counts in the other half */
			sign = (uint64_t)__builtin_bswap16(npf_csum_fold(sign));
		csum = (uint16_t)~npf_csum_fold(sum + sign);
		if (p->udp_zero && !csum)
			csum = 0xffff;
	} else {
		csum = npf_csum_fold(sum);
	}
	put16(data + p->csum_off, csum);
}

void npf_prog_skip(struct npf_prog *p, uint64_t n)
{
	for (unsigned int i = 0; i < p->n_ops; i++)
		npf_cursor_skip(&p->ops[i].at, n);
	npf_cursor_skip(&p->size, n);
}
