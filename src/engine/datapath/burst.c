/* SPDX-License-Identifier: BSD-3-Clause */
/* burst.c - from mbufs to plain packets: segments joined, stripped tags put back, stamps in
 * nanoseconds. */
#include "engine/datapath/burst.h"

#include "base/clock.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf_dyn.h>
#include <rte_prefetch.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS_SIZE ((size_t)NPF_TAP_BURST * NPF_TAP_SLOT)

#define MACS_LEN 12 /* destination and source address; a VLAN tag stands right behind */

int npf_burst_init(struct npf_burst *b)
{
	/* Slots are for the rare packet: address space until one comes. */
	void *at =
		mmap(NULL, SLOTS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	b->slots = at != MAP_FAILED ? at : NULL;
	return b->slots != NULL ? 0 : -ENOMEM;
}

void npf_burst_fini(struct npf_burst *b)
{
	if (b->slots != NULL)
		munmap(b->slots, SLOTS_SIZE);
	b->slots = NULL;
}

static bool is_plain(const struct rte_mbuf *m)
{
	return m->nb_segs == 1 &&
	       (m->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)) == 0;
}

static uint8_t *put_tag(uint8_t *at, uint16_t tpid, uint16_t tci)
{
	uint16_t tag[2] = {rte_cpu_to_be_16(tpid), rte_cpu_to_be_16(tci)};

	memcpy(at, tag, sizeof(tag));
	return at + sizeof(tag);
}

/* Puts packet m together at slot; returns the bytes there, *lenp gets the packet's full length. */
static uint32_t join(const struct rte_mbuf *m, uint8_t *slot, uint32_t *lenp)
{
	uint8_t *at = slot, *end = slot + NPF_TAP_SLOT;
	uint32_t skip = 0;
	uint32_t len = m->pkt_len;

	if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0 && m->data_len >= MACS_LEN) {
		memcpy(at, rte_pktmbuf_mtod(m, void *), MACS_LEN);
		at += MACS_LEN;
		skip = MACS_LEN;
		if ((m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) != 0) {
			at = put_tag(at, RTE_ETHER_TYPE_QINQ, m->vlan_tci_outer);
			len += 4;
		}
		at = put_tag(at, RTE_ETHER_TYPE_VLAN, m->vlan_tci);
		len += 4;
	}
	for (; m != NULL; m = m->next) {
		uint32_t n = NPF_MIN((uint32_t)m->data_len - skip, (uint32_t)(end - at));

		memcpy(at, rte_pktmbuf_mtod_offset(m, uint8_t *, skip), n);
		at += n;
		skip = 0;
	}
	*lenp = len;
	return (uint32_t)(at - slot);
}

void npf_burst_load(struct npf_burst *b, bool sent, struct rte_mbuf *const *mbufs, unsigned int n)
{
	b->n = n;
	b->sent = sent;
	b->mbufs = mbufs;
	b->is_described = false;
	for (unsigned int i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = mbufs[i];

		if (NPF_LIKELY(is_plain(m))) {
			b->data[i] = rte_pktmbuf_mtod(m, uint8_t *);
			b->caplen[i] = m->data_len;
			b->len[i] = m->pkt_len;
		} else {
			b->data[i] = b->slots + (size_t)i * NPF_TAP_SLOT;
			b->caplen[i] = join(m, b->slots + (size_t)i * NPF_TAP_SLOT, &b->len[i]);
		}
	}
	for (unsigned int i = 0; sent && i < n; i++)
		b->sender[i] = ((struct npf_mbuf_priv *)rte_mbuf_to_priv(mbufs[i]))->sender;
}

static uint16_t flags_of(const struct rte_mbuf *m)
{
	uint64_t csum = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint16_t flags = 0;

	if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
		flags |= NPF_REC_VLAN;
	if (csum == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		flags |= NPF_REC_CSUM_GOOD;
	else if (csum == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		flags |= NPF_REC_CSUM_BAD;
	return flags;
}

static bool has_stamp(const struct npf_port *port, const struct rte_mbuf *m)
{
	return port->stamp != NPF_STAMP_NONE && (m->ol_flags & npf_port_stamp_flag) != 0;
}

void npf_burst_fill_headers(struct npf_burst *b)
{
	const struct npf_port *port = b->port;

	b->is_described = true;
	for (unsigned int i = 0; i < b->n; i++) {
		const struct rte_mbuf *m = b->mbufs[i];
		struct npf_rec *hdr = &b->hdr[i];

		*hdr = (struct npf_rec){
			.ts_ns = b->now_ns,
			.len = b->len[i],
			.flags = b->sent ? NPF_REC_OUTBOUND : flags_of(m),
			.port = port->index,
			.queue = b->queue,
		};
		if (has_stamp(port, m)) {
			hdr->ts_ns = *RTE_MBUF_DYNFIELD(
				m, npf_port_stamp_offset, const rte_mbuf_timestamp_t *);
			if (port->stamp == NPF_STAMP_US)
				hdr->ts_ns *= NPF_NS_PER_US;
			hdr->flags |= NPF_REC_HW_STAMP;
		}
	}
}

/* As a driver gives them out, nearly always: of one pool, nobody else's, and nothing to undo. */
static bool are_plain(struct rte_mbuf *const *mbufs, unsigned int n)
{
	const struct rte_mempool *pool = mbufs[0]->pool;
	bool plain = true;

	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = mbufs[i];

		plain &= m->pool == pool && m->nb_segs == 1 && RTE_MBUF_DIRECT(m) &&
			 rte_mbuf_refcnt_read(m) == 1;
	}
	return plain;
}

/*
 * DPDK's own looks at a second line of each mbuf, for the next segment, and gathers those of one
 * pool. A packet of one segment has no next one.
 */
void npf_burst_free(struct rte_mbuf **mbufs, unsigned int n)
{
	void *table = mbufs;

	if (NPF_LIKELY(n > 0 && are_plain(mbufs, n)))
		rte_mempool_put_bulk(mbufs[0]->pool, table, n);
	else
		rte_pktmbuf_free_bulk(mbufs, n);
}
