/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * burst.h - a burst of mbufs as the filters and lanes want it: pointers, lengths, record headers.
 */
#ifndef NPF_ENGINE_DATAPATH_BURST_H
#define NPF_ENGINE_DATAPATH_BURST_H

#include "engine/datapath/tap.h"

#define NPF_BURST_ROWS 8 /* filters of a monitor that run before their verdicts are counted */

struct npf_burst {
	unsigned int n;
	bool sent;                          /* through the port, not received from it */
	const uint8_t *data[NPF_TAP_BURST]; /* contiguous */
	uint32_t len[NPF_TAP_BURST];        /* on the wire */
	uint32_t caplen[NPF_TAP_BURST]; /* bytes at data; less than len only beyond NPF_TAP_SLOT */
	uint64_t sender[NPF_TAP_BURST]; /* copies of sent packets: session that sent it */
	struct npf_rec hdr[NPF_TAP_BURST]; /* ts_ns, len, flags, port and queue, once described */
	uint32_t keep[NPF_TAP_BURST]; /* scratch: a filter's verdicts, then the bytes to keep */
	uint32_t rows[NPF_BURST_ROWS][NPF_TAP_BURST]; /* scratch: verdicts of a monitor's filters */
	uint8_t *slots; /* NPF_TAP_BURST slots of NPF_TAP_SLOT bytes */
	/* what hdr is made of */
	bool is_described;
	struct rte_mbuf *const *mbufs;
	const struct npf_port *port;
	uint16_t queue;
	uint64_t now_ns;
};

/* Return: 0, or -ENOMEM. fini: NULL slots are fine. */
int npf_burst_init(struct npf_burst *b);
void npf_burst_fini(struct npf_burst *b);

/*
 * npf_burst_load - n received (or sent) mbufs as filters want them: everything but hdr.
 *
 * A packet in one segment is used where it is. One in several, or one whose VLAN tag the port
 * took off, is put together in a slot, tag included.
 */
void npf_burst_load(struct npf_burst *b, bool sent, struct rte_mbuf *const *mbufs, unsigned int n);

/* Where the loaded burst comes from, and when it was taken. */
static inline void npf_burst_set_origin(
	struct npf_burst *b, const struct npf_port *port, uint16_t queue, uint64_t now_ns)
{
	b->port = port;
	b->queue = queue;
	b->now_ns = now_ns;
}

void npf_burst_fill_headers(struct npf_burst *b);

/* Fill in hdr, for those who store packets: most bursts reach nobody who does. */
static inline void npf_burst_describe(struct npf_burst *b)
{
	if (!b->is_described)
		npf_burst_fill_headers(b);
}

/* Give mbufs back to their pool. */
void npf_burst_free(struct rte_mbuf **mbufs, unsigned int n);

#endif
