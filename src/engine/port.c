/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c - ethdev by its pleasant side: every step that a PMD may refuse is asked for first, and
 * what is not there is done without, with one warning.
 *
 * A port has n rx queues and one tx queue, all fed from one mempool of its own, kept small so that
 * the mbufs in flight stay in the cache.
 */
#include "engine/port.h"

#include "engine/devargs.h"
#include "engine/dpdk_words.h"
#include "engine/log.h"

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf_dyn.h>
#include <stdio.h>
#include <string.h>

#define TX_DESC    512
#define POOL_CACHE 256
#define POOL_SPARE 2048 /* bursts in work, packets held back by a full ring, sends */
#define SENT_RING  1024 /* copies of sent packets under way to the tap */

int npf_port_stamp_offset = -1;
uint64_t npf_port_stamp_flag;

int npf_port_setup_stamps(void)
{
	return rte_mbuf_dyn_rx_timestamp_register(&npf_port_stamp_offset, &npf_port_stamp_flag) < 0
		       ? -rte_errno
		       : 0;
}

static int fail(
	char *err, size_t err_len, const struct npf_config_port *conf, int rc, const char *what)
{
	snprintf(err, err_len, "port %s: %s: %s", conf->name, what, strerror(-rc));
	return rc;
}

/* Probe the device, unless the EAL did so already (PCI devices given at start). */
static int find_device(struct npf_port *p, const char *devargs)
{
	struct rte_dev_iterator it;
	int found = 0;
	uint16_t id;

	if (npf_config_is_pci(devargs)) {
		RTE_ETH_FOREACH_MATCHING_DEV(id, devargs, &it)
		{
			rte_eth_iterator_cleanup(&it);
			p->id = id;
			return 0;
		}
	}
	if (rte_dev_probe(devargs) < 0)
		return -ENODEV;
	RTE_ETH_FOREACH_MATCHING_DEV(id, devargs, &it)
	{
		p->id = id;
		found = 1;
		rte_eth_iterator_cleanup(&it);
		break;
	}
	return found ? 0 : -ENODEV;
}

static int make_pools(struct npf_port *p, uint16_t data_room)
{
	const struct npf_config_port *conf = p->conf;
	unsigned int n =
		(unsigned int)conf->rx_desc * p->n_queues + TX_DESC + SENT_RING + POOL_SPARE;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "npf_pool_%u", p->index);
	p->pool = rte_pktmbuf_pool_create(name, n, POOL_CACHE,
		RTE_ALIGN(sizeof(struct npf_mbuf_priv), RTE_MBUF_PRIV_ALIGN), data_room,
		rte_eth_dev_socket_id(p->id));
	if (p->pool == NULL)
		return -rte_errno;
	snprintf(name, sizeof(name), "npf_sent_%u", p->index);
	p->sent = rte_ring_create(
		name, SENT_RING, rte_eth_dev_socket_id(p->id), RING_F_SP_ENQ | RING_F_SC_DEQ);
	return p->sent != NULL ? 0 : -rte_errno;
}

static int configure(struct npf_port *p, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {0};
	uint16_t rx_desc = p->conf->rx_desc, tx_desc = TX_DESC;
	int rc;

	conf.rxmode.mtu = p->mtu;
	conf.rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	if (p->n_queues > 1 && info->flow_type_rss_offloads != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info->flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	}
	rc = rte_eth_dev_configure(p->id, p->n_queues, 1, &conf);
	if (rc < 0)
		return rc;
	rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx_desc, &tx_desc);
	for (uint16_t q = 0; rc == 0 && q < p->n_queues; q++)
		rc = rte_eth_rx_queue_setup(
			p->id, q, rx_desc, rte_eth_dev_socket_id(p->id), NULL, p->pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(p->id, 0, tx_desc, rte_eth_dev_socket_id(p->id), NULL);
	return rc;
}

/*
 * Virtual devices tend to support one queue pair only; asked for more than the device
 * has, take what there is.
 */
static void settle(struct npf_port *p, const struct rte_eth_dev_info *info)
{
	uint16_t wanted = p->conf->rx_queues;

	p->n_queues = NPF_MIN(wanted, NPF_MAX(info->max_rx_queues, (uint16_t)1));
	if (p->n_queues < wanted)
		npf_warn("port %s: %s has %u rx queues, not %u: using those", p->conf->name,
			info->driver_name, p->n_queues, wanted);
	p->mtu = RTE_ETHER_MTU;
	rte_eth_dev_get_mtu(p->id, &p->mtu);
	if (p->conf->mtu != 0)
		p->mtu = p->conf->mtu;
	if (info->max_mtu != 0 && p->mtu > info->max_mtu) {
		npf_warn("port %s: MTU %u is more than %s can do: using %u", p->conf->name, p->mtu,
			info->driver_name, info->max_mtu);
		p->mtu = info->max_mtu;
	}
	snprintf(p->driver, sizeof(p->driver), "%s", info->driver_name);
	p->stamp = strcmp(p->driver, "net_pcap") == 0 ? NPF_STAMP_US : NPF_STAMP_NONE;
}

int npf_port_open(struct npf_port *p, const struct npf_config_port *conf, uint16_t index, char *err,
	size_t err_len)
{
	char devargs[NPF_DEVARGS_MAX];
	struct rte_eth_dev_info info;
	uint16_t data_room;
	const char *words;
	int rc;

	*p = (struct npf_port){.conf = conf, .index = index, .id = RTE_MAX_ETHPORTS};
	pthread_mutex_init(&p->tx_lock, NULL);
	rc = npf_devargs_complete(conf->device, devargs, sizeof(devargs), &data_room);
	if (rc < 0)
		return fail(err, err_len, conf, rc, "the device's arguments are too long");
	if (npf_config_is_pci(devargs) && !rte_eal_has_pci()) {
		snprintf(err, err_len,
			"port %s: the daemon was started without PCI devices, as its configuration "
			"had none or eal.args says --no-pci: restart it with this one",
			conf->name);
		return -ENODEV;
	}
	npf_dpdk_words_begin();
	rc = find_device(p, devargs);
	words = npf_dpdk_words_end();
	if (rc < 0) {
		snprintf(err, err_len,
			"port %s: no such device: \"%s\" (does what it names exist, and may user "
			"%u "
			"open it?)%s%s",
			conf->name, devargs, (unsigned int)geteuid(), words[0] != '\0' ? ": " : "",
			words);
		return rc;
	}
	rc = rte_eth_dev_info_get(p->id, &info);
	if (rc < 0)
		return fail(err, err_len, conf, rc, "can't read the device's properties");
	settle(p, &info);
	rc = make_pools(p, data_room);
	if (rc < 0)
		return fail(err, err_len, conf, rc,
			"no memory for packets; raise eal.memory or lower rx_desc");
	rc = configure(p, &info);
	if (rc < 0)
		return fail(err, err_len, conf, rc, "the device refused its configuration");
	rte_eth_macaddr_get(p->id, &p->mac);
	return 0;
}

void npf_port_close(struct npf_port *p)
{
	struct rte_eth_dev_info info;

	if (p->id == RTE_MAX_ETHPORTS)
		return;
	npf_port_stop(p);
	if (rte_eth_dev_info_get(p->id, &info) == 0) {
		rte_eth_dev_close(p->id);
		if (rte_dev_remove(info.device) < 0)
			npf_warn("port %s: its device can't be detached and can't be added again: "
				 "%s",
				p->conf->name, p->conf->device);
	}
	p->id = RTE_MAX_ETHPORTS;
	rte_ring_free(p->sent);
	rte_mempool_free(p->pool);
	p->sent = NULL;
	p->pool = NULL;
}

/* On return nobody is sending. */
static void set_tx_open(struct npf_port *p, bool open)
{
	pthread_mutex_lock(&p->tx_lock);
	p->tx_open = open;
	pthread_mutex_unlock(&p->tx_lock);
}

int npf_port_start(struct npf_port *p)
{
	int rc;

	if (p->running)
		return 0;
	rc = rte_eth_dev_start(p->id);
	if (rc < 0)
		return rc;
	p->running = true;
	set_tx_open(p, true);
	if (p->conf->promiscuous == NPF_SWITCH_ON) {
		rc = rte_eth_promiscuous_enable(p->id);
		p->promiscuous = rc == 0;
		if (rc < 0 && rc != -ENOTSUP)
			npf_warn("port %s: no promiscuous mode: %s", p->conf->name, strerror(-rc));
	}
	return 0;
}

static void add_stats(struct rte_eth_stats *sum, const struct rte_eth_stats *st)
{
	sum->ipackets += st->ipackets;
	sum->opackets += st->opackets;
	sum->ibytes += st->ibytes;
	sum->obytes += st->obytes;
	sum->imissed += st->imissed;
	sum->ierrors += st->ierrors;
	sum->oerrors += st->oerrors;
	sum->rx_nombuf += st->rx_nombuf;
}

void npf_port_stats(const struct npf_port *p, struct rte_eth_stats *st)
{
	struct rte_eth_stats now;

	*st = p->base;
	if (p->id != RTE_MAX_ETHPORTS && rte_eth_stats_get(p->id, &now) == 0)
		add_stats(st, &now);
}

void npf_port_stop(struct npf_port *p)
{
	struct rte_mbuf *m;

	if (!p->running)
		return;
	p->running = false;
	set_tx_open(p, false);
	/* Some PMDs keep their counters over a restart, some zero them: settle it here. */
	npf_port_stats(p, &p->base);
	if (rte_eth_stats_reset(p->id) < 0)
		memset(&p->base, 0, sizeof(p->base));
	rte_eth_dev_stop(p->id);
	while (rte_ring_dequeue(p->sent, (void **)&m) == 0)
		rte_pktmbuf_free(m);
}

bool npf_port_link(const struct npf_port *p, uint32_t *mbps)
{
	struct rte_eth_link link = {0};

	*mbps = 0;
	if (rte_eth_link_get_nowait(p->id, &link) < 0)
		return p->running;
	if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		*mbps = link.link_speed;
	return link.link_status == RTE_ETH_LINK_UP;
}
