/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iface.c - a port on an interface of the kernel's, "iface:NAME": frames from the ring of a
 * packet socket into mbufs, tags back in their place, the kernel's own sends told from what came.
 *
 * One queue. A burst ends where the direction changes. A frame for which there is no mbuf stays in
 * the ring, which has room for what comes meanwhile.
 */
#include "device/devargs.h"
#include "device/iface_ring.h"
#include "base/log.h"
#include "engine/port/port.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf_dyn.h>
#include <stdio.h>
#include <string.h>

#define SLOTS_PER_DESC 8  /* frames in the kernel's ring for each of rx_desc */
#define MACS_LEN       12 /* a VLAN tag stands right behind */
#define TAG_LEN        4
#define DATA_ROOM      (2048 + RTE_PKTMBUF_HEADROOM)
#define TX_FRAMES      64
#define TX_PARTS       256
#define NOBODY         UINT64_MAX /* as the sender of a frame: no session */

struct iface {
	struct npf_iface_ring ring;
	/* Written by the polling lcore: */
	_Atomic uint64_t rx_packets, rx_bytes;
	/* Written under the port's tx_lock: */
	_Atomic uint64_t tx_packets, tx_bytes, tx_errors;
};

/* A counter with one writer. */
static inline void count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static int fail(const struct npf_port *p, struct npf_error *err, int rc, const char *what)
{
	return npf_error_set(err, rc, "port %s: %s: %s: %s", p->conf->name, p->conf->device, what,
		strerror(-rc));
}

static bool is_iface(const char *device)
{
	return strncmp(device, NPF_DEVARGS_IFACE, strlen(NPF_DEVARGS_IFACE)) == 0;
}

/* Takes over the properties of an interface that has just appeared. */
static void apply_info(struct npf_port *p, const struct npf_iface_info *info)
{
	p->linktype = npf_iface_linktype(info->arphrd);
	p->mtu = (uint16_t)NPF_MIN(info->mtu, (uint32_t)UINT16_MAX);
	memcpy(&p->mac, info->mac, sizeof(p->mac));
}

static int iface_open(struct npf_port *p, struct npf_error *err)
{
	const char *name = p->conf->device + strlen(NPF_DEVARGS_IFACE);
	struct npf_iface_info info;
	struct iface *i;
	int rc = npf_iface_get_info(name, &info);

	if (rc < 0)
		return npf_error_set(err, rc,
			"port %s: there is no interface \"%s\"; `ip link` lists them",
			p->conf->name, name);
	if (npf_iface_linktype(info.arphrd) < 0)
		return npf_error_set(err, -ENOTSUP,
			"port %s: interface %s is of a kind (ARPHRD %u) whose frames a port can't "
			"have; Ethernet, loopback, tun and IP tunnels can be used",
			p->conf->name, name, info.arphrd);
	i = calloc(1, sizeof(*i));
	if (i == NULL)
		return -ENOMEM;
	i->ring.fd = -1;
	p->state = i;
	if (p->conf->rx_queues > 1)
		npf_warn("port %s: an interface has 1 rx queue, not %u: using that", p->conf->name,
			p->conf->rx_queues);
	p->n_queues = 1;
	p->stamp = NPF_STAMP_NS;
	p->tx_socket = true;
	snprintf(p->driver, sizeof(p->driver), "iface");
	apply_info(p, &info);
	rc = npf_port_make_pool(p, DATA_ROOM, (int)rte_socket_id(), err);
	if (rc < 0)
		return rc;
	rc = npf_iface_ring_open(&i->ring, p->conf->rx_desc * SLOTS_PER_DESC, &info);
	if (rc == -EPERM)
		return npf_error_set(err, rc,
			"port %s: %s: user %u may not open packet sockets: start as root, or give "
			"npf-dpdk the capability CAP_NET_RAW",
			p->conf->name, p->conf->device, (unsigned int)geteuid());
	return rc < 0 ? fail(p, err, rc, "no packet socket with a ring") : 0;
}

static void iface_close(struct npf_port *p)
{
	struct iface *i = p->state;

	if (i == NULL)
		return;
	p->device->stats(p, &p->base);
	npf_iface_ring_close(&i->ring);
	free(i);
	p->state = NULL;
}

/* Frames of the interface that bears the name now. */
static int attach(struct npf_port *p)
{
	struct iface *i = p->state;
	struct npf_iface_info info;
	int rc = npf_iface_get_info(p->conf->device + strlen(NPF_DEVARGS_IFACE), &info);

	if (rc < 0)
		return rc;
	if (npf_iface_linktype(info.arphrd) != p->linktype)
		return -EPROTOTYPE;
	apply_info(p, &info);
	rc = npf_iface_ring_bind(&i->ring, &info, p->conf->promiscuous == NPF_SWITCH_ON);
	p->promiscuous = rc == 0 && p->conf->promiscuous == NPF_SWITCH_ON;
	if (rc == 1)
		npf_warn("port %s: no promiscuous mode: %s", p->conf->name, strerror(errno));
	return rc < 0 ? rc : 0;
}

static void discard(struct npf_iface_ring *r)
{
	struct npf_iface_frame f;

	while (npf_iface_ring_peek(r, &f))
		npf_iface_ring_release(r);
}

static void iface_stop(struct npf_port *p)
{
	struct iface *i = p->state;

	npf_iface_ring_pause(&i->ring);
	discard(&i->ring);
	p->promiscuous = false;
}

static void iface_stats(const struct npf_port *p, struct rte_eth_stats *st)
{
	struct iface *i = p->state;

	*st = p->base;
	if (i == NULL)
		return;
	st->ipackets = atomic_load_explicit(&i->rx_packets, memory_order_relaxed);
	st->ibytes = atomic_load_explicit(&i->rx_bytes, memory_order_relaxed);
	st->imissed = npf_iface_ring_missed(&i->ring);
	st->opackets = atomic_load_explicit(&i->tx_packets, memory_order_relaxed);
	st->obytes = atomic_load_explicit(&i->tx_bytes, memory_order_relaxed);
	st->oerrors = atomic_load_explicit(&i->tx_errors, memory_order_relaxed);
}

static bool iface_link(const struct npf_port *p, uint32_t *mbps)
{
	const char *name = p->conf->device + strlen(NPF_DEVARGS_IFACE);
	struct npf_iface_info info;

	*mbps = npf_iface_speed(name);
	return npf_iface_get_info(name, &info) == 0 && info.up;
}

/* ---- frames that came ---- */

/* len bytes more at the end of a packet. Return: its last segment; NULL: no mbuf is left. */
static struct rte_mbuf *append(struct npf_port *p, struct rte_mbuf *head, struct rte_mbuf *last,
	const uint8_t *from, uint32_t len)
{
	while (len > 0) {
		uint16_t n = (uint16_t)NPF_MIN(len, (uint32_t)rte_pktmbuf_tailroom(last));

		if (n == 0) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(p->pool);

			if (m == NULL)
				return NULL;
			last->next = m;
			head->nb_segs++;
			last = m;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), from, n);
		last->data_len += n;
		head->pkt_len += n;
		from += n;
		len -= n;
	}
	return last;
}

static bool fill(struct npf_port *p, struct rte_mbuf *m, const struct npf_iface_frame *f)
{
	uint16_t tag[2] = {rte_cpu_to_be_16(f->tpid), rte_cpu_to_be_16(f->tci)};
	uint32_t before = f->has_tag ? MACS_LEN : 0;
	struct rte_mbuf *last = append(p, m, m, f->data, before);

	if (f->has_tag)
		last = append(p, m, last, (const uint8_t *)tag, TAG_LEN);
	last = append(p, m, last, f->data + before, f->caplen - before);
	if (last == NULL)
		return false;
	/* Its end is not there: see struct npf_port_device. */
	if (f->len > f->caplen)
		m->pkt_len += f->len - f->caplen;
	*RTE_MBUF_DYNFIELD(m, npf_port_stamp_offset, rte_mbuf_timestamp_t *) = f->ts_ns;
	m->ol_flags |= npf_port_stamp_flag;
	((struct npf_mbuf_priv *)rte_mbuf_to_priv(m))->sender = NOBODY;
	return true;
}

static uint16_t iface_rx(struct npf_port *p, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct iface *i = p->state;
	struct npf_iface_frame f;
	uint64_t bytes = 0;
	uint16_t got = 0;

	(void)queue;
	while (got < n && npf_iface_ring_peek(&i->ring, &f)) {
		struct rte_mbuf *m;

		if (got == 0)
			p->rx_sent = f.sent;
		else if (f.sent != p->rx_sent)
			break;
		m = rte_pktmbuf_alloc(p->pool);
		if (m == NULL || !fill(p, m, &f)) {
			rte_pktmbuf_free(m);
			break;
		}
		npf_iface_ring_release(&i->ring);
		bytes += m->pkt_len;
		mbufs[got++] = m;
	}
	if (got > 0 && !p->rx_sent) {
		count(&i->rx_packets, got);
		count(&i->rx_bytes, bytes);
	}
	return got;
}

/* ---- frames that go ---- */

/* Parts of a packet. Return: how many; 0: more than there is room for. */
static uint8_t parts_of(const struct rte_mbuf *m, struct iovec *parts, unsigned int room)
{
	uint8_t n = 0;

	if (m->nb_segs > room || m->nb_segs > UINT8_MAX)
		return 0;
	for (; m != NULL; m = m->next)
		parts[n++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
	return n;
}

static int iface_tx(struct npf_port *p, struct rte_mbuf **mbufs, uint16_t n)
{
	struct iovec parts[TX_PARTS];
	struct iface *i = p->state;
	uint8_t n_parts[TX_FRAMES];
	unsigned int n_used = 0, k = 0;
	uint64_t bytes = 0;
	int sent;

	for (; k < n && k < TX_FRAMES; k++) {
		n_parts[k] = parts_of(mbufs[k], parts + n_used, TX_PARTS - n_used);
		if (n_parts[k] == 0)
			break;
		n_used += n_parts[k];
	}
	sent = k > 0 ? npf_iface_ring_send(&i->ring, parts, n_parts, k) : -EMSGSIZE;
	for (int s = 0; s < sent; s++)
		bytes += mbufs[s]->pkt_len;
	if (sent > 0) {
		count(&i->tx_packets, (uint64_t)sent);
		count(&i->tx_bytes, bytes);
		rte_pktmbuf_free_bulk(mbufs, (unsigned int)sent);
	} else if (sent < 0) {
		count(&i->tx_errors, 1);
	}
	return sent;
}

const struct npf_port_device npf_port_iface = {
	.is_mine = is_iface,
	.open = iface_open,
	.close = iface_close,
	.start = attach,
	.stop = iface_stop,
	.stats = iface_stats,
	.link = iface_link,
	.reattach = attach,
	.rx = iface_rx,
	.tx = iface_tx,
};
