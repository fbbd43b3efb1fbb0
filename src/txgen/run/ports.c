/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - the set-up of ports.
 *
 * Every tx queue has a pool of its own, so that the content of its mbufs stays known (tx.c). A pool
 * is just large enough for the descriptors and the caches of two lcores. A port may lack
 * promiscuous mode, an MTU or an offload.
 */
#include "txgen/run/ports.h"

#include "base/clock.h"
#include "device/devargs.h"
#include "device/kernel_link.h"

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define POOL_CACHE 128

static NPF_PRINTF(4, 5) int fail(
	const struct npf_txgen_port *p, struct npf_error *err, int rc, const char *fmt, ...)
{
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return npf_error_set(
		err, rc, "port %u (%s): %s: %s", p->id, p->name, what, rte_strerror(-rc));
}

static struct rte_mempool *new_pool(const struct npf_txgen_port *p, const char *kind,
	unsigned int q, unsigned int n, uint16_t room)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "gen-%s-%u-%u", kind, p->id, q);
	return rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0, room, p->socket);
}

static int make_pools(
	struct npf_txgen_port *p, const struct npf_txgen_port_conf *conf, struct npf_error *err)
{
	unsigned int want = RTE_PKTMBUF_HEADROOM + NPF_MAX(conf->max_len, 2048u);
	uint16_t room = (uint16_t)NPF_MIN(NPF_ALIGN_UP(want, 64u), 65472u);
	unsigned int n_rx = conf->n_mbufs, n_tx = conf->n_mbufs;

	if (n_tx == 0)
		n_tx = conf->n_txd > 512 ? 2 * conf->n_txd + 1023 : 2047;
	if (n_rx == 0)
		n_rx = p->n_rxq * conf->n_rxd + 1023 + (conf->forwards ? conf->n_txd : 0);
	p->rx_pool = new_pool(p, "rx", 0, n_rx, room);
	if (p->rx_pool == NULL)
		return fail(p, err, -rte_errno, "no memory for %u mbufs", n_rx);
	for (unsigned int q = 0; q < p->n_txq; q++) {
		p->tx_pool[q] = new_pool(p, "tx", q, n_tx, room);
		if (p->tx_pool[q] == NULL)
			return fail(p, err, -rte_errno, "no memory for %u mbufs", n_tx);
	}
	return 0;
}

static void choose_offloads(struct npf_txgen_port *p, const struct npf_txgen_port_conf *conf,
	const struct rte_eth_dev_info *info, struct rte_eth_conf *eth)
{
	const uint64_t csum = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
			      RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

	p->hw_csum = conf->csum != NPF_TXGEN_CSUM_SW && (info->tx_offload_capa & csum) == csum;
	if (p->hw_csum)
		eth->txmode.offloads |= csum;
	/* Allowed when all of a queue's mbufs are of one pool and referred to once: not when
	 * packets of a receiving pool go out, too. */
	if (!conf->forwards)
		eth->txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	if (conf->max_len > RTE_ETHER_MTU + RTE_ETHER_HDR_LEN + 4)
		eth->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	if (p->n_rxq > 1 && info->flow_type_rss_offloads != 0) {
		eth->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		eth->rx_adv_conf.rss_conf.rss_hf =
			info->flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	}
}

/* The interface of the kernel that the port sends through; 0: none. */
static unsigned int ifindex_of(const struct rte_eth_dev_info *info)
{
	const struct rte_devargs *args = rte_dev_devargs(info->device);
	npf_autofree char *text = NULL;

	if (args == NULL ||
		asprintf(&text, "%s,%s", args->name, args->args != NULL ? args->args : "") < 0)
		return info->if_index;
	return npf_devargs_tx_ifindex(text, info->if_index);
}

/*
 * Raise the MTU for the longest frame. That of a kernel interface is only changed for frames that
 * are longer than a tagged one of the usual MTU; that of another port is always set.
 */
static void set_mtu(struct npf_txgen_port *p, unsigned int max_len)
{
	const unsigned int frame = RTE_ETHER_MTU + RTE_ETHER_HDR_LEN + (p->ifindex > 0 ? 4 : 0);
	uint16_t mtu = RTE_ETHER_MTU;
	int rc;

	rte_eth_dev_get_mtu(p->id, &mtu);
	if (max_len > frame)
		mtu = NPF_MAX(mtu, (uint16_t)(max_len - RTE_ETHER_HDR_LEN));
	if (max_len <= frame && p->ifindex > 0)
		return;
	rc = rte_eth_dev_set_mtu(p->id, mtu);
	p->has_mtu = rc != -ENOTSUP;
}

uint32_t npf_txgen_port_mtu(const struct npf_txgen_port *p)
{
	uint16_t mtu = 0;

	if (p->ifindex > 0)
		return npf_kernel_link_mtu(p->ifindex);
	if (!p->has_mtu || rte_eth_dev_get_mtu(p->id, &mtu) != 0)
		return 0;
	return mtu;
}

int npf_txgen_port_open(struct npf_txgen_port *p, uint16_t id,
	const struct npf_txgen_port_conf *conf, struct npf_error *err)
{
	struct rte_eth_conf eth = {0};
	struct rte_eth_dev_info info;
	uint16_t n_rxd = (uint16_t)conf->n_rxd, n_txd = (uint16_t)conf->n_txd;
	int rc;

	*p = (struct npf_txgen_port){.id = id};
	rte_eth_dev_get_name_by_port(id, p->name);
	rc = rte_eth_dev_info_get(id, &info);
	if (rc < 0)
		return fail(p, err, rc, "its abilities cannot be read");
	p->socket = rte_eth_dev_socket_id(id);
	p->n_rxq = (uint16_t)NPF_MIN(conf->n_rxq, (unsigned int)info.max_rx_queues);
	p->n_txq = (uint16_t)NPF_MIN(conf->n_txq, (unsigned int)info.max_tx_queues);
	if (p->n_txq < conf->n_txq || p->n_rxq < conf->n_rxq)
		return fail(p, err, -EINVAL, "it has %u rx and %u tx queues at most",
			info.max_rx_queues, info.max_tx_queues);
	rte_eth_macaddr_get(id, &p->mac);
	p->ifindex = ifindex_of(&info);
	choose_offloads(p, conf, &info, &eth);
	if (conf->csum == NPF_TXGEN_CSUM_HW && !p->hw_csum)
		return fail(p, err, -ENOTSUP, "it cannot make checksums (--csum=hw)");
	rc = rte_eth_dev_configure(id, p->n_rxq, p->n_txq, &eth);
	if (rc < 0)
		return fail(p, err, rc, "configuring it failed");
	rte_eth_dev_adjust_nb_rx_tx_desc(id, &n_rxd, &n_txd);
	rc = make_pools(p, conf, err);
	if (rc < 0)
		return rc;
	for (uint16_t q = 0; q < p->n_rxq; q++) {
		rc = rte_eth_rx_queue_setup(
			id, q, n_rxd, (unsigned int)p->socket, NULL, p->rx_pool);
		if (rc < 0)
			return fail(p, err, rc, "rx queue %u", q);
	}
	for (uint16_t q = 0; q < p->n_txq; q++) {
		rc = rte_eth_tx_queue_setup(id, q, n_txd, (unsigned int)p->socket, NULL);
		if (rc < 0)
			return fail(p, err, rc, "tx queue %u", q);
	}
	set_mtu(p, conf->max_len);
	return npf_txgen_port_start(p, err);
}

void npf_txgen_port_close(struct npf_txgen_port *p)
{
	struct npf_error err;

	npf_txgen_port_stop(p, &err);
	rte_eth_dev_close(p->id);
	/* The pools stay: another port of a ring may still hold mbufs of them. They end with
	 * the process. */
}

int npf_txgen_port_start(struct npf_txgen_port *p, struct npf_error *err)
{
	struct rte_eth_dev_info info;
	bool was_promiscuous;
	int rc;

	if (p->started)
		return 0;
	/* Before the start, which clears the flag of an interface. */
	was_promiscuous = rte_eth_dev_info_get(p->id, &info) == 0 &&
			  npf_kernel_link_is_promiscuous(info.if_index);
	rc = rte_eth_dev_start(p->id);
	if (rc < 0)
		return fail(p, err, rc, "it does not start");
	p->started = true;
	p->promiscuous = rte_eth_promiscuous_enable(p->id) == 0 && !was_promiscuous;
	return 0;
}

int npf_txgen_port_stop(struct npf_txgen_port *p, struct npf_error *err)
{
	int rc;

	if (p->promiscuous)
		rte_eth_promiscuous_disable(p->id);
	p->promiscuous = false;
	rc = p->started ? rte_eth_dev_stop(p->id) : 0;
	if (rc < 0)
		return fail(p, err, rc, "it does not stop");
	p->started = false;
	return 0;
}

int npf_txgen_port_wait_link(
	const struct npf_txgen_port *p, uint64_t timeout_ns, struct npf_error *err)
{
	uint64_t end = npf_clock_monotonic() + timeout_ns;
	struct rte_eth_link link;

	/* Some drivers of kernel interfaces always report the link as up. */
	do {
		if (npf_kernel_link_state(p->ifindex) != -ENETDOWN &&
			(rte_eth_link_get_nowait(p->id, &link) != 0 || link.link_status != 0))
			return 0;
		usleep(1000);
	} while (npf_clock_monotonic() < end);
	return fail(p, err, -ENOLINK, "no link after %.1f s (--link-wait, --disable-link-check)",
		(double)timeout_ns / 1e9);
}

double npf_txgen_port_speed(const struct npf_txgen_port *p)
{
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(p->id, &link) != 0 ||
		link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN)
		return 0;
	return link.link_speed * 1e6;
}
