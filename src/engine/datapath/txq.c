/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txq.c - puts frames into mbufs, sends these on the port, and mirrors them to captures.
 *
 * Copies are made before the port gets the originals, which may be freed afterwards. Only copies of
 * packets that the port took and did not lose go to the mirror ring. A packet for whose copy there
 * is no mbuf or no room counts as a mirror drop. Monitors need no copy: the originals are kept
 * until they are counted.
 */
#include "engine/datapath/txq.h"

#include "engine/datapath/count.h"

#include <string.h>

struct rte_mbuf *npf_txq_frame(struct npf_port *p, const void *frame, uint32_t len)
{
	struct rte_mbuf *head = NULL;
	const char *from = frame;

	/* A frame longer than one mbuf becomes a chain of them. */
	while (len > 0 || head == NULL) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(p->pool);
		uint16_t n;

		if (m == NULL || (head != NULL && rte_pktmbuf_chain(head, m) < 0)) {
			rte_pktmbuf_free(m);
			rte_pktmbuf_free(head);
			return NULL;
		}
		head = head != NULL ? head : m;
		n = (uint16_t)NPF_MIN(len, (uint32_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_mtod(m, char *), from, n);
		m->data_len = n;
		if (m != head)
			head->pkt_len += n;
		else
			head->pkt_len = n;
		from += n;
		len -= n;
	}
	return head;
}

static struct rte_mbuf *copy_for_mirror(
	struct npf_port *p, const struct rte_mbuf *m, uint64_t sender)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, p->pool, 0, UINT32_MAX);

	if (copy != NULL)
		((struct npf_mbuf_priv *)rte_mbuf_to_priv(copy))->sender = sender;
	return copy;
}

/* Puts the first n_sent of n copies into the mirror ring, and frees the rest. */
static void mirror(
	struct npf_port *p, struct rte_mbuf **copies, unsigned int n, unsigned int n_sent)
{
	uint64_t drops = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (i < n_sent && copies[i] != NULL &&
			rte_ring_enqueue(p->mirror_ring, copies[i]) == 0)
			continue;
		drops += i < n_sent;
		rte_pktmbuf_free(copies[i]);
	}
	if (drops > 0)
		atomic_fetch_add_explicit(&p->mirror_drops, drops, memory_order_relaxed);
}

/* Is what this session sends to be mirrored? */
static bool is_mirrored(const struct npf_port *p, uint64_t sender)
{
	uint64_t policy = atomic_load_explicit(&p->mirror_policy, memory_order_relaxed);

	return policy != NPF_MIRROR_NONE && policy != sender;
}

/* Adds n references to each segment of a packet. */
static void ref_segments(struct rte_mbuf *m, int16_t n)
{
	for (; m != NULL; m = m->next)
		rte_mbuf_refcnt_update(m, n);
}

static uint64_t read_opackets(const struct npf_port *p)
{
	struct rte_eth_stats st;

	return rte_eth_stats_get(p->id, &st) == 0 ? st.opackets : 0;
}

static int tx_device(struct npf_port *p, struct rte_mbuf **mbufs, unsigned int n)
{
	if (NPF_LIKELY(p->device->tx == NULL))
		return rte_eth_tx_burst(p->id, 0, mbufs, (uint16_t)n);
	return p->device->tx(p, mbufs, (uint16_t)n);
}

/*
 * Sends a burst. net_af_packet takes frames into its ring, calls sendto() then, and counts none of
 * them when that fails, so its counter is read before and after. No other thread sends there
 * meanwhile. The other drivers of kernel interfaces leave to us what the kernel does not take;
 * net_pcap, if asked so often, would lose count of what it missed, and a NIC's counters cost more
 * than the burst. Devices of our own take only what goes.
 */
static int tx_burst(
	struct npf_port *p, struct rte_mbuf **mbufs, unsigned int n, unsigned int *lostp)
{
	uint64_t before, went;
	int taken;

	*lostp = 0;
	if (!p->tx_recount)
		return tx_device(p, mbufs, n);
	before = read_opackets(p);
	taken = tx_device(p, mbufs, n);
	went = read_opackets(p) - before;
	*lostp = taken > 0 && went < (unsigned int)taken ? (unsigned int)(taken - (int)went) : 0;
	return taken;
}

/* Sends a burst and counts it for monitors. */
static int tx_counted(struct npf_port *p, struct rte_mbuf **mbufs, unsigned int n, uint64_t sender,
	unsigned int *lostp)
{
	struct rte_mbuf *held[NPF_TXQ_BURST];
	unsigned int taken;
	int rc;

	if (p->sent_meters == NULL)
		return tx_burst(p, mbufs, n, lostp);
	for (unsigned int i = 0; i < n; i++) {
		held[i] = mbufs[i];
		ref_segments(held[i], 1);
	}
	rc = tx_burst(p, mbufs, n, lostp);
	taken = rc > 0 ? (unsigned int)rc : 0;
	npf_count_sent(p->sent_meters, held, taken - *lostp, sender);
	rte_pktmbuf_free_bulk(held, taken);
	for (unsigned int i = taken; i < n; i++)
		ref_segments(held[i], -1);
	return rc;
}

static int tx_locked(struct npf_port *p, struct rte_mbuf **mbufs, unsigned int n, uint64_t sender,
	unsigned int *lostp)
{
	struct rte_mbuf *copies[NPF_TXQ_BURST];
	int taken;

	if (!is_mirrored(p, sender))
		return tx_counted(p, mbufs, n, sender, lostp);
	for (unsigned int i = 0; i < n; i++)
		copies[i] = copy_for_mirror(p, mbufs[i], sender);
	taken = tx_counted(p, mbufs, n, sender, lostp);
	mirror(p, copies, n, taken > 0 ? (unsigned int)taken - *lostp : 0);
	return taken;
}

struct npf_sent_meters *npf_txq_swap_sent_meters(struct npf_port *p, struct npf_sent_meters *fresh)
{
	struct npf_sent_meters *old;

	pthread_mutex_lock(&p->tx_lock);
	old = p->sent_meters;
	p->sent_meters = fresh;
	pthread_mutex_unlock(&p->tx_lock);
	return old;
}

int npf_txq_burst(struct npf_port *p, struct rte_mbuf **mbufs, unsigned int n, uint64_t sender,
	unsigned int *lostp)
{
	int taken = -ENETDOWN;

	*lostp = 0;
	pthread_mutex_lock(&p->tx_lock);
	if (p->tx_open && !npf_txq_is_down(p))
		taken = tx_locked(p, mbufs, NPF_MIN(n, (unsigned int)NPF_TXQ_BURST), sender, lostp);
	pthread_mutex_unlock(&p->tx_lock);
	return taken;
}

bool npf_txq_mirror_has_room(const struct npf_port *p, unsigned int n, uint64_t sender)
{
	return !is_mirrored(p, sender) || rte_ring_free_count(p->mirror_ring) >= n;
}

int npf_txq_send(struct npf_port *p, const void *frame, uint32_t len, uint64_t sender)
{
	unsigned int lost;
	struct rte_mbuf *m;
	int rc;

	if (!npf_txq_can_send(p, frame, len))
		return -EMSGSIZE;
	m = npf_txq_frame(p, frame, len);
	if (m == NULL)
		return -ENOBUFS;
	rc = npf_txq_burst(p, &m, 1, sender, &lost);
	if (rc == 1)
		return lost > 0 ? -EIO : 0;
	rte_pktmbuf_free(m);
	return rc < 0 ? rc : -ENOBUFS;
}
