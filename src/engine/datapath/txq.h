/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txq.h - sending on a port, from the control thread and from the send worker.
 *
 * A port has one tx queue and one mirror ring, for copies of sent packets. A lock makes the two
 * threads take turns at both. No tap takes the lock.
 */
#ifndef NPF_ENGINE_DATAPATH_TXQ_H
#define NPF_ENGINE_DATAPATH_TXQ_H

#include "base/copy.h"
#include "device/kernel_link.h"
#include "engine/port/port.h"
#include "wire/wire.h"

#include <string.h>

#define NPF_TXQ_BURST 64 /* most packets sent at once */

#define NPF_TXQ_NOT_ETHERNET                                                                       \
	"port %s replays packets of another link type than Ethernet: nothing can be sent there"

/* The kernel lets a frame be longer than the MTU by one 802.1Q tag alone, and drops others without
 * a word to the driver. */
static inline bool npf_txq_kernel_takes(
	const struct npf_port *p, const uint8_t *frame, uint32_t len)
{
	return len <= NPF_WIRE_FRAME_MAX(p->mtu) + NPF_WIRE_TAG_LEN &&
	       frame[NPF_WIRE_MACS_LEN] == 0x81;
}

/* Can this frame be sent there at all? Frames of shared memory may change meanwhile: that harms
 * nobody but their sender. */
static inline bool npf_txq_can_send(const struct npf_port *p, const void *frame, uint32_t len)
{
	return npf_wire_can_send(p->mtu, frame, len) &&
	       (len <= NPF_WIRE_FRAME_MAX(p->mtu) || !p->tx_socket ||
		       npf_txq_kernel_takes(p, frame, len));
}

/*
 * Can nothing be sent there now, as the kernel's interface behind the port is down or gone?
 * The kernel's messages say so for nothing, but a moment late, and a driver counts what it takes
 * meanwhile as sent: so the interface itself is asked, too. (net_tap's may live in another network
 * namespace.)
 */
static inline bool npf_txq_is_down(const struct npf_port *p)
{
	int rc;

	if (atomic_load_explicit(&p->link_down, memory_order_relaxed))
		return true;
	rc = npf_kernel_link_state(p->tx_ifindex);
	return rc == -ENETDOWN || (rc == -ENODEV && p->tx_socket);
}

/* A frame in an mbuf, or a chain of them, of the port's pool. Each byte is read once. NULL: none is
 * left. */
struct rte_mbuf *npf_txq_frame(struct npf_port *p, const void *frame, uint32_t len);

/* Bytes of a frame that one mbuf of the port holds. */
static inline uint32_t npf_txq_frame_room(const struct npf_port *p)
{
	return rte_pktmbuf_data_room_size(p->pool) - RTE_PKTMBUF_HEADROOM;
}

/* A frame into a fresh mbuf that has room for it; returns that. */
static inline struct rte_mbuf *npf_txq_fill(struct rte_mbuf *m, const void *frame, uint16_t len)
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
 * npf_txq_burst - send a burst.
 * @sender: id of the session that sends; its packets are mirrored by the port's mirror policy
 * @lostp:  how many of those taken the driver then lost, by its own counter (net_af_packet's, see
 *          txq.c). It does not report which: the last ones count as lost.
 * Return:  how many were taken from mbufs[]; -ENETDOWN: the port is stopped, or the interface
 *          behind it down; another -errno: the first one can't be sent there. The rest stays the
 *          caller's.
 */
int npf_txq_burst(struct npf_port *p, struct rte_mbuf **mbufs, unsigned int n, uint64_t sender,
	unsigned int *lostp);

/* Set the meters of what is sent from now on; NULL: none. Return: those before. Owns: the caller
 * frees them. */
struct npf_sent_meters *npf_txq_swap_sent_meters(struct npf_port *p, struct npf_sent_meters *fresh);

/* Has the mirror ring room for n packets of this sender? True when they are not mirrored. */
bool npf_txq_mirror_has_room(const struct npf_port *p, unsigned int n, uint64_t sender);

/*
 * npf_txq_send - send one frame now.
 * Return: 0; -EMSGSIZE: not a length that the port can send; -ENOBUFS: no mbuf or the tx queue is
 * full; -ENETDOWN: stopped, or the interface behind it down; -EIO: the driver took it and lost it.
 */
int npf_txq_send(struct npf_port *p, const void *frame, uint32_t len, uint64_t sender);

#endif
