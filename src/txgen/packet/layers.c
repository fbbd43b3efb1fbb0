/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layers.c - tables of headers and fields.
 *
 * Defaults are those that a test bench expects: addresses of the benchmarking ranges (RFC 2544:
 * 198.18.0.0/15, RFC 5180: 2001:2::/48), the discard port 9, TTL 64, a locally administered MAC.
 * `random` stays within unicast addresses and usable ports.
 */
#include "txgen/packet/layers.h"

#include <string.h>
#include <strings.h>

#define UINT_FIELD(n, o, w, s, b)                                                                  \
	{                                                                                          \
		.name = n, .off = o, .width = w, .shift = s, .bits = b,                            \
		.scalar = NPF_TXGEN_SCALAR_UINT, .random_max = (1ull << (b)) - 1                   \
	}
#define AUTO_FIELD(n, o, w, s, b, a)                                                               \
	{                                                                                          \
		.name = n, .off = o, .width = w, .shift = s, .bits = b,                            \
		.scalar = NPF_TXGEN_SCALAR_UINT, .self = a, .random_max = (1ull << (b)) - 1        \
	}
#define MAC_FIELD(n, o, a)                                                                         \
	{                                                                                          \
		.name = n, .off = o, .width = 6, .bits = 48, .scalar = NPF_TXGEN_SCALAR_MAC,       \
		.self = a, .random_min = 0x020000000000, .random_max = 0x02ffffffffff              \
	}
#define IP4_FIELD(n, o, p)                                                                         \
	{                                                                                          \
		.name = n, .off = o, .width = 4, .bits = 32, .scalar = NPF_TXGEN_SCALAR_IP4,       \
		.pseudo = p, .random_min = 0x01000000, .random_max = 0xdfffffff                    \
	}
#define IP6_FIELD(n, o)                                                                            \
	{                                                                                          \
		.name = n, .off = o, .width = 16, .bits = 64, .scalar = NPF_TXGEN_SCALAR_IP6,      \
		.pseudo = true, .random_min = 1, .random_max = UINT64_MAX                          \
	}
#define PORT_FIELD(n, o)                                                                           \
	{                                                                                          \
		.name = n, .off = o, .width = 2, .bits = 16, .scalar = NPF_TXGEN_SCALAR_UINT,      \
		.random_min = 1, .random_max = 65535                                               \
	}

/* clang-format off */
static const struct npf_txgen_field_def eth_fields[] = {
	MAC_FIELD("dst", 0, NPF_TXGEN_AUTO_NONE),
	MAC_FIELD("src", 6, NPF_TXGEN_AUTO_SRC_MAC),
	AUTO_FIELD("type", 12, 2, 0, 16, NPF_TXGEN_AUTO_NEXT),
};

/* The tag's own TPID lies in the type field of the header before it. */
static const struct npf_txgen_field_def vlan_fields[] = {
	{.name = "id", .off = 0, .width = 2, .bits = 12, .random_min = 1, .random_max = 4094},
	UINT_FIELD("pcp", 0, 2, 13, 3),
	UINT_FIELD("dei", 0, 2, 12, 1),
	AUTO_FIELD("type", 2, 2, 0, 16, NPF_TXGEN_AUTO_NEXT),
	AUTO_FIELD("tpid", 0, 2, 0, 16, NPF_TXGEN_AUTO_TPID),
};

static const struct npf_txgen_field_def arp_fields[] = {
	UINT_FIELD("op", 6, 2, 0, 16),
	MAC_FIELD("sha", 8, NPF_TXGEN_AUTO_SRC_MAC),
	IP4_FIELD("spa", 14, false),
	MAC_FIELD("tha", 18, NPF_TXGEN_AUTO_NONE),
	IP4_FIELD("tpa", 24, false),
};

static const struct npf_txgen_field_def ip4_fields[] = {
	IP4_FIELD("src", 12, true),
	IP4_FIELD("dst", 16, true),
	UINT_FIELD("ttl", 8, 1, 0, 8),
	UINT_FIELD("tos", 1, 1, 0, 8),
	UINT_FIELD("dscp", 1, 1, 2, 6),
	UINT_FIELD("ecn", 1, 1, 0, 2),
	UINT_FIELD("id", 4, 2, 0, 16),
	UINT_FIELD("df", 6, 2, 14, 1),
	UINT_FIELD("mf", 6, 2, 13, 1),
	UINT_FIELD("frag", 6, 2, 0, 13),
	AUTO_FIELD("proto", 9, 1, 0, 8, NPF_TXGEN_AUTO_NEXT),
	AUTO_FIELD("len", 2, 2, 0, 16, NPF_TXGEN_AUTO_LEN),
	AUTO_FIELD("csum", 10, 2, 0, 16, NPF_TXGEN_AUTO_CSUM),
};

static const struct npf_txgen_field_def ip6_fields[] = {
	IP6_FIELD("src", 8),
	IP6_FIELD("dst", 24),
	UINT_FIELD("hlim", 7, 1, 0, 8),
	UINT_FIELD("tc", 0, 4, 20, 8),
	UINT_FIELD("flow", 0, 4, 0, 20),
	AUTO_FIELD("next", 6, 1, 0, 8, NPF_TXGEN_AUTO_NEXT),
	AUTO_FIELD("len", 4, 2, 0, 16, NPF_TXGEN_AUTO_LEN),
};

static const struct npf_txgen_field_def udp_fields[] = {
	PORT_FIELD("sport", 0),
	PORT_FIELD("dport", 2),
	AUTO_FIELD("len", 4, 2, 0, 16, NPF_TXGEN_AUTO_LEN),
	AUTO_FIELD("csum", 6, 2, 0, 16, NPF_TXGEN_AUTO_CSUM),
};

static const struct npf_txgen_field_def tcp_fields[] = {
	PORT_FIELD("sport", 0),
	PORT_FIELD("dport", 2),
	UINT_FIELD("seq", 4, 4, 0, 32),
	UINT_FIELD("ack", 8, 4, 0, 32),
	{.name = "flags", .off = 13, .width = 1, .bits = 8, .scalar = NPF_TXGEN_SCALAR_FLAGS,
		.random_max = 255},
	UINT_FIELD("win", 14, 2, 0, 16),
	UINT_FIELD("urg", 18, 2, 0, 16),
	AUTO_FIELD("csum", 16, 2, 0, 16, NPF_TXGEN_AUTO_CSUM),
};

static const struct npf_txgen_field_def icmp_fields[] = {
	UINT_FIELD("type", 0, 1, 0, 8),
	UINT_FIELD("code", 1, 1, 0, 8),
	UINT_FIELD("id", 4, 2, 0, 16),
	UINT_FIELD("seq", 6, 2, 0, 16),
	AUTO_FIELD("csum", 2, 2, 0, 16, NPF_TXGEN_AUTO_CSUM),
};

static const uint8_t eth_defaults[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
static const uint8_t vlan_defaults[4] = {0, 1};
static const uint8_t arp_defaults[28] = {0, 1, 8, 0, 6, 4, 0, 1,
	2, 0, 0, 0, 0, 1, 198, 18, 0, 1, 0, 0, 0, 0, 0, 0, 198, 18, 0, 2};
static const uint8_t ip4_defaults[20] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0,
	198, 18, 0, 1, 198, 18, 0, 2};
static const uint8_t ip6_defaults[40] = {0x60, 0, 0, 0, 0, 0, 0, 64,
	0x20, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0x20, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
static const uint8_t udp_defaults[8] = {0, 9, 0, 9};
static const uint8_t tcp_defaults[20] = {4, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff};
static const uint8_t icmp_defaults[8] = {8, 0, 0, 0, 0, 1, 0, 1};
static const uint8_t icmp6_defaults[8] = {128, 0, 0, 0, 0, 1, 0, 1};

#define LAYER(n, a, r, f, d) {n, a, sizeof(d), r, NPF_ARRAY_LEN(f), f, d}

const struct npf_txgen_layer_def npf_txgen_layers[NPF_TXGEN_N_LAYERS] = {
	[NPF_TXGEN_LAYER_ETH]   = LAYER("eth", "ether", 2, eth_fields, eth_defaults),
	[NPF_TXGEN_LAYER_VLAN]  = LAYER("vlan", NULL, 2, vlan_fields, vlan_defaults),
	[NPF_TXGEN_LAYER_ARP]   = LAYER("arp", NULL, 3, arp_fields, arp_defaults),
	[NPF_TXGEN_LAYER_IP4]   = LAYER("ip", "ipv4", 3, ip4_fields, ip4_defaults),
	[NPF_TXGEN_LAYER_IP6]   = LAYER("ip6", "ipv6", 3, ip6_fields, ip6_defaults),
	[NPF_TXGEN_LAYER_UDP]   = LAYER("udp", NULL, 4, udp_fields, udp_defaults),
	[NPF_TXGEN_LAYER_TCP]   = LAYER("tcp", NULL, 4, tcp_fields, tcp_defaults),
	[NPF_TXGEN_LAYER_ICMP]  = LAYER("icmp", NULL, 4, icmp_fields, icmp_defaults),
	[NPF_TXGEN_LAYER_ICMP6] = LAYER("icmp6", "icmpv6", 4, icmp_fields, icmp6_defaults),
};
/* clang-format on */

static bool same(const char *known, const char *name, size_t len)
{
	return known != NULL && strlen(known) == len && strncasecmp(known, name, len) == 0;
}

int npf_txgen_layer_find(const char *name, size_t len)
{
	for (int i = 0; i < NPF_TXGEN_N_LAYERS; i++) {
		if (same(npf_txgen_layers[i].name, name, len) ||
			same(npf_txgen_layers[i].alias, name, len))
			return i;
	}
	return -1;
}

const struct npf_txgen_field_def *npf_txgen_field_find(
	enum npf_txgen_layer layer, const char *name, size_t len)
{
	const struct npf_txgen_layer_def *def = &npf_txgen_layers[layer];

	for (unsigned int i = 0; i < def->n_fields; i++) {
		if (same(def->fields[i].name, name, len))
			return &def->fields[i];
	}
	return NULL;
}
