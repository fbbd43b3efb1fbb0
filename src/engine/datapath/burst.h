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
	struct npf_rec hdr[NPF_TAP_BURST]; /* ts_ns, len, flags, port and queue are filled in */
	uint32_t keep[NPF_TAP_BURST];      /* scratch: a filter's verdicts */
	uint32_t rows[NPF_BURST_ROWS][NPF_TAP_BURST]; /* scratch: verdicts of a monitor's filters */
	uint8_t *slots; /* NPF_TAP_BURST slots of NPF_TAP_SLOT bytes */
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

/* The same mbufs' record headers, for those who store packets. now_ns: when the burst was taken. */
void npf_burst_describe(struct npf_burst *b, const struct npf_port *port, uint16_t queue,
	struct rte_mbuf *const *mbufs, uint64_t now_ns);

#endif
