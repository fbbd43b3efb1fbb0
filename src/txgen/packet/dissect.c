/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dissect.c - which header follows which: found in a raw packet, as far as a template can name
 * them, and written into laid-out headers.
 *
 * Bytes from a file are never trusted: a header counts only when it lies wholly within the
 * packet and its own lengths agree with that; what does not is payload. Fragments have no
 * transport header here, since its checksum could not be mended.
 */
#include "txgen/packet/template.h"

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool push(struct npf_txgen_tmpl *t, enum npf_txgen_layer kind, size_t off, size_t len)
{
	if (off + len > t->base_len || t->n_layers == NPF_TXGEN_TMPL_LAYERS)
		return false;
	t->layers[t->n_layers++] =
		(struct npf_txgen_tmpl_layer){.kind = (uint8_t)kind, .off = (uint16_t)off};
	t->hdr_len = (uint16_t)(off + len);
	return true;
}

static void push_l4(struct npf_txgen_tmpl *t, unsigned int proto, size_t off, size_t end)
{
	enum npf_txgen_layer kind;
	size_t len;

	switch (proto) {
	case 17:
		kind = NPF_TXGEN_LAYER_UDP;
		break;
	case 6:
		kind = NPF_TXGEN_LAYER_TCP;
		break;
	case 1:
		kind = NPF_TXGEN_LAYER_ICMP;
		break;
	case 58:
		kind = NPF_TXGEN_LAYER_ICMP6;
		break;
	default:
		return;
	}
	len = npf_txgen_layers[kind].size;
	if (off + len > end)
		return;
	if (kind == NPF_TXGEN_LAYER_TCP) {
		len = (size_t)(t->base[off + 12] >> 4) * 4;
		if (len < npf_txgen_layers[kind].size || off + len > end)
			return;
	}
	if (push(t, kind, off, len))
		t->l4 = (int)t->n_layers - 1;
}

static void push_ip4(struct npf_txgen_tmpl *t, size_t off)
{
	const uint8_t *p = t->base + off;
	size_t ihl, total;

	if (off + 20 > t->base_len || p[0] >> 4 != 4)
		return;
	ihl = (size_t)(p[0] & 15) * 4;
	total = be16(p + 2);
	if (ihl < 20 || total < ihl || off + total > t->base_len)
		return;
	if (!push(t, NPF_TXGEN_LAYER_IP4, off, ihl))
		return;
	t->l3 = (int)t->n_layers - 1;
	t->tail = (uint16_t)(t->base_len - off - total);
	if ((be16(p + 6) & 0x3fff) == 0) /* neither MF nor an offset */
		push_l4(t, p[9], off + ihl, off + total);
}

static void push_ip6(struct npf_txgen_tmpl *t, size_t off)
{
	const uint8_t *p = t->base + off;
	size_t end, at = off + 40;
	unsigned int next;

	if (at > t->base_len || p[0] >> 4 != 6)
		return;
	end = at + be16(p + 4);
	if (end > t->base_len || !push(t, NPF_TXGEN_LAYER_IP6, off, 40))
		return;
	t->l3 = (int)t->n_layers - 1;
	t->tail = (uint16_t)(t->base_len - end);
	next = p[6];
	/* Hop-by-hop, routing and destination options; after a fragment header (44) we stop. */
	while ((next == 0 || next == 43 || next == 60) && at + 8 <= end) {
		size_t len = 8 + (size_t)t->base[at + 1] * 8;

		next = t->base[at];
		if (at + len > end)
			return;
		at += len;
		t->hdr_len = (uint16_t)at;
	}
	push_l4(t, next, at, end);
}

void npf_txgen_tmpl_dissect(struct npf_txgen_tmpl *t)
{
	size_t off = 14;
	uint16_t type;

	t->n_layers = 0;
	t->l3 = t->l4 = -1;
	t->tail = 0;
	push(t, NPF_TXGEN_LAYER_ETH, 0, 14);
	type = be16(t->base + 12);
	while ((type == 0x8100 || type == 0x88a8 || type == 0x9100) &&
		push(t, NPF_TXGEN_LAYER_VLAN, off, 4)) {
		type = be16(t->base + off + 2);
		off += 4;
	}
	if (type == 0x0806)
		push(t, NPF_TXGEN_LAYER_ARP, off, 28);
	else if (type == 0x0800)
		push_ip4(t, off);
	else if (type == 0x86dd)
		push_ip6(t, off);
}

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static const uint16_t next_of[NPF_TXGEN_N_LAYERS] = {
	[NPF_TXGEN_LAYER_VLAN] = 0x8100,
	[NPF_TXGEN_LAYER_ARP] = 0x0806,
	[NPF_TXGEN_LAYER_IP4] = 0x0800,
	[NPF_TXGEN_LAYER_IP6] = 0x86dd,
	[NPF_TXGEN_LAYER_UDP] = 17,
	[NPF_TXGEN_LAYER_TCP] = 6,
	[NPF_TXGEN_LAYER_ICMP] = 1,
	[NPF_TXGEN_LAYER_ICMP6] = 58,
};

void npf_txgen_tmpl_chain(struct npf_txgen_tmpl *t)
{
	for (unsigned int i = 0; i < t->n_layers; i++) {
		bool last = i + 1 == t->n_layers;
		int next = last ? -1 : t->layers[i + 1].kind;
		uint8_t *at = t->base + t->layers[i].off;
		uint16_t value = last ? 0 : next_of[next];

		/* A tag outside another is the service provider's (802.1ad). */
		if (next == NPF_TXGEN_LAYER_VLAN && i + 2 < t->n_layers &&
			t->layers[i + 2].kind == NPF_TXGEN_LAYER_VLAN)
			value = 0x88a8;
		switch (t->layers[i].kind) {
		case NPF_TXGEN_LAYER_ETH: /* 0x88b5: local experimental EtherType */
			put16(at + 12, last ? 0x88b5 : value);
			break;
		case NPF_TXGEN_LAYER_VLAN:
			put16(at + 2, last ? 0x88b5 : value);
			break;
		case NPF_TXGEN_LAYER_IP4: /* 253: RFC 3692's, for experiments */
			at[9] = last ? 253 : (uint8_t)value;
			break;
		case NPF_TXGEN_LAYER_IP6:
			at[6] = last ? 253 : (uint8_t)value;
			break;
		default:
			break;
		}
	}
}
