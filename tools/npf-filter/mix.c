/* SPDX-License-Identifier: BSD-3-Clause */
/* mix.c - the packets; splitmix64 with a fixed seed decides everything. */
#include "npf-filter/mix.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static uint32_t below(uint64_t *state, uint32_t n)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(((z ^ z >> 31) >> 32) * n >> 32);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t port(uint64_t *s)
{
	static const uint16_t common[] = {80, 80, 443, 443, 53, 22, 25, 8080};

	return below(s, 2) ? common[below(s, 8)] : 1024 + below(s, 64512);
}

/* 10.0.x.y for small x: lists of hosts find some of these. */
static uint32_t host(uint64_t *s)
{
	return 0x0a000000u + (below(s, 4) ? below(s, 4096) : below(s, 1 << 24));
}

static void transport(uint64_t *s, uint8_t *p, uint32_t proto)
{
	if (proto == 1 || proto == 58) {
		p[0] = (uint8_t)(proto == 1 ? 8 : 128);
		return;
	}
	put16(p, port(s));
	put16(p + 2, port(s));
	if (proto == 6) {
		static const uint8_t flags[] = {0x10, 0x10, 0x10, 0x18, 0x02, 0x12, 0x11, 0x04};

		p[12] = 0x50;
		p[13] = flags[below(s, 8)];
	}
}

/* Return: bytes on the wire. */
static uint32_t packet(uint64_t *s, uint8_t *p)
{
	const uint32_t kind = below(s, 100);
	const uint32_t which = below(s, 100);
	const bool tagged = kind >= 85 && kind < 95;
	const uint32_t len = below(s, 3) == 0 ? 60 : 60 + below(s, 1455);
	uint8_t *l3 = p + 14;
	uint32_t proto = which < 60 ? 6 : which < 95 ? 17 : 1;

	p[0] = 2;
	p[6] = 2;
	put32(p + 2, below(s, 256));
	put32(p + 8, below(s, 256));
	if (tagged) {
		put16(p + 12, 0x8100);
		put16(p + 14, below(s, 4096));
		l3 += 4;
	}
	if (kind >= 95) { /* ARP */
		static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};

		memcpy(l3 - 2, head, sizeof(head));
		put32(l3 + 14, host(s));
		put32(l3 + 24, host(s));
		return 60;
	}
	if (kind >= 65 && !tagged) { /* IPv6 */
		proto = proto == 1 ? 58 : proto;
		put16(l3 - 2, 0x86dd);
		l3[0] = 0x60;
		l3[6] = (uint8_t)proto;
		put32(l3 + 8, 0x20010db8);
		put32(l3 + 20, below(s, 4096));
		put32(l3 + 24, 0x20010db8);
		put32(l3 + 36, below(s, 4096));
		transport(s, l3 + 40, proto);
		return len < 74 ? 74 : len;
	}
	put16(l3 - 2, 0x800);
	l3[0] = 0x45;
	put16(l3 + 2, len - 14);
	if (below(s, 50) == 0)
		put16(l3 + 6, below(s, 100)); /* a fragment */
	l3[8] = 64;
	l3[9] = (uint8_t)proto;
	put32(l3 + 12, host(s));
	put32(l3 + 16, host(s));
	transport(s, l3 + 20, proto);
	return len;
}

int mix_init(struct mix *m)
{
	uint64_t state = 1;

	*m = (struct mix){
		.n = MIX_PACKETS,
		.bytes = calloc(MIX_KINDS, MIX_KEPT),
		.pkts = malloc(MIX_PACKETS * sizeof(*m->pkts)),
		.lens = malloc(MIX_PACKETS * sizeof(*m->lens)),
		.caplens = malloc(MIX_PACKETS * sizeof(*m->caplens)),
		.results = calloc(MIX_PACKETS, sizeof(*m->results)),
	};
	if (m->bytes == NULL || m->pkts == NULL || m->lens == NULL || m->caplens == NULL ||
		m->results == NULL) {
		mix_fini(m);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < MIX_KINDS; i++)
		m->lens[i] = packet(&state, m->bytes + i * MIX_KEPT);
	/* From the end, so that the lengths kept at the front are read before they are replaced. */
	for (uint32_t i = MIX_PACKETS; i-- > 0;) {
		const uint32_t kind = i < MIX_KINDS ? i : below(&state, MIX_KINDS);

		m->pkts[i] = m->bytes + kind * MIX_KEPT;
		m->lens[i] = m->lens[kind];
		m->caplens[i] = m->lens[i] < MIX_KEPT ? m->lens[i] : MIX_KEPT;
	}
	return 0;
}

void mix_repeat(struct mix *m, uint32_t like)
{
	const uint8_t *pkt = m->pkts[like];
	const uint32_t len = m->lens[like];
	const uint32_t caplen = m->caplens[like];

	for (uint32_t i = 0; i < m->n; i++) {
		m->pkts[i] = pkt;
		m->lens[i] = len;
		m->caplens[i] = caplen;
	}
}

void mix_turn(struct mix *m, uint32_t n)
{
	for (uint32_t i = n; i < m->n; i++) {
		m->pkts[i] = m->pkts[i - n];
		m->lens[i] = m->lens[i - n];
		m->caplens[i] = m->caplens[i - n];
	}
}

uint32_t mix_find_tcp(const struct mix *m, uint32_t from)
{
	while (from < m->n &&
		(m->pkts[from][12] != 8 || m->pkts[from][13] != 0 || m->pkts[from][23] != 6))
		from++;
	return from < m->n ? from : 0;
}

void mix_fini(struct mix *m)
{
	free(m->bytes);
	free(m->pkts);
	free(m->lens);
	free(m->caplens);
	free(m->results);
	*m = (struct mix){0};
}
