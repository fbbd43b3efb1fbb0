/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_tx.h - sending on a port, from the control thread and from the send worker.
 *
 * A port has one tx queue and one ring of copies for those who watch what is sent; a lock makes the
 * two threads take turns at both. No tap ever takes it.
 */
#ifndef NPF_ENGINE_PORT_TX_H
#define NPF_ENGINE_PORT_TX_H

#include "base/copy.h"
#include "engine/port.h"
#include "wire/wire.h"

#include <string.h>

#define NPF_PORT_TX_BURST 64 /* most packets sent at once */

#define NPF_PORT_NOT_ETHERNET                                                                      \
	"port %s replays packets of another link type than Ethernet: nothing can be sent there"

/* Bytes of the longest frame that can be sent there: two VLAN tags may come on top of a full one.
 */
static inline uint32_t npf_port_longest(const struct npf_port *p)
{
	return (uint32_t)p->mtu + RTE_ETHER_HDR_LEN + 8;
}

/* Can a frame of so many bytes be sent there at all? */
static inline bool npf_port_can_send(const struct npf_port *p, uint32_t len)
{
	return len >= NPF_WIRE_FRAME_MIN && len <= NPF_WIRE_FRAME_MAX(p->mtu);
}

/* A frame in an mbuf, or a chain of them, of the port's pool. Each byte is read once. NULL: none is
 * left. */
struct rte_mbuf *npf_port_frame(struct npf_port *p, const void *frame, uint32_t len);

/* Bytes of a frame that one mbuf of the port holds. */
static inline uint32_t npf_port_frame_room(const struct npf_port *p)
{
	return rte_pktmbuf_data_room_size(p->pool) - RTE_PKTMBUF_HEADROOM;
}

/* A frame into a fresh mbuf that has room for it; returns that. */
static inline struct rte_mbuf *npf_port_fill(struct rte_mbuf *m, const void *frame, uint16_t len)
{
	if (len <= NPF_COPY_CACHED_MAX)
		npf_copy_cached(rte_pktmbuf_mtod(m, uint8_t *), frame, len);
	else
		memcpy(rte_pktmbuf_mtod(m, void *), frame, len);
	m->data_len = len;
	m->pkt_len = len;
	return m;
}

/*
 * npf_port_tx - send a burst.
 * @sender: id of the session; sessions that watch what is sent get copies
 * Return:  how many were taken from mbufs[]; -ENETDOWN: the port is stopped. The rest stays the
 *          caller's.
 */
int npf_port_tx(struct npf_port *p, struct rte_mbuf **mbufs, unsigned int n, uint64_t sender);

/* Who counts what is sent from now on; NULL: nobody. Return: who did, to be freed by the caller. */
struct npf_sent_meters *npf_port_swap_sent_meters(
	struct npf_port *p, struct npf_sent_meters *fresh);

/* Would copies of n packets of this sender for those who watch find room? True when nobody does. */
bool npf_port_has_viewers_room(const struct npf_port *p, unsigned int n, uint64_t sender);

/*
 * npf_port_send - send one frame now.
 * Return: 0; -EMSGSIZE: not a length that the port can send; -ENOBUFS: no mbuf or the tx queue is
 * full; -ENETDOWN: stopped.
 */
int npf_port_send(struct npf_port *p, const void *frame, uint32_t len, uint64_t sender);

#endif
