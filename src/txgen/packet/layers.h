/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layers.h - the protocol headers that a template can name: their fields, defaults and order.
 */
#ifndef NPF_TXGEN_PACKET_LAYERS_H
#define NPF_TXGEN_PACKET_LAYERS_H

#include "txgen/packet/values.h"

enum npf_txgen_layer {
	NPF_TXGEN_LAYER_ETH,
	NPF_TXGEN_LAYER_VLAN,
	NPF_TXGEN_LAYER_ARP,
	NPF_TXGEN_LAYER_IP4,
	NPF_TXGEN_LAYER_IP6,
	NPF_TXGEN_LAYER_UDP,
	NPF_TXGEN_LAYER_TCP,
	NPF_TXGEN_LAYER_ICMP,
	NPF_TXGEN_LAYER_ICMP6,
	NPF_TXGEN_N_LAYERS,
};

/* Fields that are computed unless the template sets them. */
enum npf_txgen_auto {
	NPF_TXGEN_AUTO_NONE,
	NPF_TXGEN_AUTO_SRC_MAC,
	NPF_TXGEN_AUTO_NEXT, /* which protocol follows */
	NPF_TXGEN_AUTO_TPID, /* the EtherType that announces this tag */
	NPF_TXGEN_AUTO_LEN,
	NPF_TXGEN_AUTO_CSUM,
};

/*
 * A field lives in a word of 1, 2, 4, 6 or 16 bytes at off; 16 is an IPv6 address. Its bits are
 * (value << shift) within the word; value has bits bits.
 */
struct npf_txgen_field_def {
	const char *name;
	uint8_t off;
	uint8_t width;
	uint8_t shift;
	uint8_t bits;
	enum npf_txgen_scalar scalar;
	enum npf_txgen_auto self; /* computed unless given */
	bool pseudo;              /* also counts in the pseudo header of the L4 checksum */
	uint64_t random_min;
	uint64_t random_max;
};

struct npf_txgen_layer_def {
	const char *name;
	const char *alias; /* or NULL */
	uint8_t size;
	uint8_t rank; /* 2: link, 3: network, 4: transport; headers come in this order */
	uint8_t n_fields;
	const struct npf_txgen_field_def *fields;
	const uint8_t *defaults; /* size bytes */
};

extern const struct npf_txgen_layer_def npf_txgen_layers[NPF_TXGEN_N_LAYERS];

/* Return: the layer of that name or alias, or -1. */
int npf_txgen_layer_find(const char *name, size_t len);
const struct npf_txgen_field_def *npf_txgen_field_find(
	enum npf_txgen_layer layer, const char *name, size_t len);

static inline bool npf_txgen_layer_is_l4(int layer)
{
	return layer >= NPF_TXGEN_LAYER_UDP && layer < NPF_TXGEN_N_LAYERS;
}

#endif
