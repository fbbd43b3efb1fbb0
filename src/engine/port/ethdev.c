/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ethdev.c - an ethdev with what its PMD can do: each optional step is checked first, and what
 * the PMD lacks is left out with one warning.
 *
 * A port has n rx queues and one tx queue, all fed from the port's pool.
 */
#include "device/devargs.h"
#include "engine/port/dpdk_log_capture.h"
#include "base/log.h"
#include "engine/port/port.h"
#include "device/kernel_link.h"
#include "engine/config/config.h"
#include "replay/replay.h"

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <stdio.h>
#include <string.h>

#define TX_DESC 512

static int fail(struct npf_error *err, const struct npf_config_port *conf, int rc, const char *what)
{
	return npf_error_set(err, rc, "port %s: %s: %s", conf->name, what, strerror(-rc));
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
 * Limits what was configured to what the device has: most virtual devices have one queue pair only.
 */
static void apply_limits(struct npf_port *p, const struct rte_eth_dev_info *info)
{
	uint16_t wanted = p->n_queues, mtu = RTE_ETHER_MTU;

	p->n_queues = NPF_MIN(wanted, NPF_MAX(info->max_rx_queues, (uint16_t)1));
	if (p->n_queues < wanted)
		npf_warn("port %s: %s has %u rx queues, not %u: using those", p->conf->name,
			info->driver_name, p->n_queues, wanted);
	rte_eth_dev_get_mtu(p->id, &mtu);
	if (p->conf->mtu != 0)
		mtu = p->conf->mtu;
	if (info->max_mtu != 0 && mtu > info->max_mtu) {
		npf_warn("port %s: MTU %u is more than %s can do: using %u", p->conf->name, mtu,
			info->driver_name, info->max_mtu);
		mtu = info->max_mtu;
	}
	p->mtu = mtu;
	snprintf(p->driver, sizeof(p->driver), "%s", info->driver_name);
	p->stamp = strcmp(p->driver, "net_pcap") == 0 ? NPF_STAMP_US : NPF_STAMP_NONE;
}

/* What drivers lose of an interface of the kernel's; see npf-dpdk(8). */
static void warn_of_losses(const struct npf_port *p)
{
	static const struct {
		const char *driver, *losses;
	} rows[] = {
		{"net_af_packet",
			"what the kernel drops is not counted, IP fragments are joined and cut, "
			"frames of TSO and GRO are cut, 802.1ad tags become 802.1Q, what the "
			"kernel sends counts as received, there are no time stamps"},
		{"net_pcap",
			"frames of TSO and GRO are cut near 16 KiB, time stamps have microseconds"},
		{"net_af_xdp",
			"packets go to this port and no longer to the kernel, what the kernel "
			"sends is not seen, tags that the interface took off are lost, there are "
			"no time stamps"},
	};
	char name[16];

	if (!npf_devargs_iface(p->conf->device, name))
		return;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(rows); i++)
		if (strcmp(p->driver, rows[i].driver) == 0)
			npf_warn("port %s: on an interface %s loses: %s; iface:%s does not",
				p->conf->name, p->driver, rows[i].losses, name);
}

/* A file that net_pcap keeps in the pool's packets, each in one mbuf. */
static int keep_file(struct npf_port *p, const char *path, uint32_t *longest, struct npf_error *err)
{
	struct npf_trace_survey s;
	int rc = npf_trace_survey(path, &s, err);

	if (rc < 0)
		return npf_error_set(err, rc, "port %s: %s", p->conf->name, err->text);
	if (s.longest > UINT16_MAX - RTE_PKTMBUF_HEADROOM)
		return npf_error_set(err, -EMSGSIZE,
			"port %s: infinite_rx repeats packets of up to %u bytes, and %.100s has "
			"one of %u: leave infinite_rx out",
			p->conf->name, UINT16_MAX - RTE_PKTMBUF_HEADROOM, path, s.longest);
	if (s.n_cut > 0)
		npf_warn("port %s: %llu packets of %s were cut when they were captured: "
			 "infinite_rx takes what is there of them for all",
			p->conf->name, (unsigned long long)s.n_cut, path);
	p->n_kept += (uint32_t)NPF_MIN(s.n_packets, (uint64_t)(INT32_MAX - p->n_kept));
	*longest = NPF_MAX(*longest, s.longest);
	return 0;
}

/* What net_pcap does not report: the link type of its savefiles, and the memory of their packets,
 * which infinite_rx keeps. Return: 0 or -errno with a text in err. */
static int probe_savefiles(struct npf_port *p, uint32_t *longest, struct npf_error *err)
{
	struct npf_replayed r;
	int rc = npf_replayed_probe(p->conf, &p->linktype, err);

	if (rc < 0)
		return rc;
	npf_replayed_parse(p->conf->device, &r);
	for (unsigned int i = 0; r.endless && rc == 0 && i < r.n_files; i++)
		rc = keep_file(p, r.files[i], longest, err);
	return rc;
}

int npf_ethdev_open(struct npf_port *p, const char *device, struct npf_error *err)
{
	const struct npf_config_port *conf = p->conf;
	char devargs[NPF_DEVARGS_MAX];
	uint32_t longest = 0;
	struct rte_eth_dev_info info;
	uint16_t data_room;
	const char *words;
	int rc;

	rc = npf_devargs_complete(device, devargs, sizeof(devargs), &data_room);
	if (rc < 0)
		return fail(err, conf, rc, "the device's arguments are too long");
	rc = probe_savefiles(p, &longest, err);
	if (rc < 0)
		return rc;
	data_room = (uint16_t)NPF_MAX((uint32_t)data_room, longest + RTE_PKTMBUF_HEADROOM);
	if (npf_config_is_pci(devargs) && !rte_eal_has_pci())
		return npf_error_set(err, -ENODEV,
			"port %s: the daemon was started without PCI devices, as its configuration "
			"had none or eal.args says --no-pci: restart it with this one",
			conf->name);
	npf_dpdk_log_capture_begin();
	rc = find_device(p, devargs);
	words = npf_dpdk_log_capture_end();
	if (rc < 0)
		return npf_error_set(err, rc,
			"port %s: no such device: \"%.80s\" (does what it names exist, and may "
			"user %u open it?)%s%s",
			conf->name, devargs, (unsigned int)geteuid(), words[0] != '\0' ? ": " : "",
			words);
	rc = rte_eth_dev_info_get(p->id, &info);
	if (rc < 0)
		return fail(err, conf, rc, "can't read the device's properties");
	apply_limits(p, &info);
	p->tx_ifindex = npf_devargs_tx_ifindex(devargs, info.if_index);
	p->tx_recount = strcmp(p->driver, "net_af_packet") == 0;
	/* net_tap hands frames to the kernel as received ones. */
	p->tx_socket = p->tx_ifindex != 0 && strcmp(p->driver, "net_tap") != 0;
	warn_of_losses(p);
	rc = npf_port_make_pool(p, data_room, rte_eth_dev_socket_id(p->id), err);
	if (rc < 0)
		return rc;
	rc = configure(p, &info);
	if (rc < 0)
		return fail(err, conf, rc, "the device refused its configuration");
	rte_eth_macaddr_get(p->id, &p->mac);
	return 0;
}

static int ethdev_open(struct npf_port *p, struct npf_error *err)
{
	p->n_queues = p->conf->rx_queues;
	return npf_ethdev_open(p, p->conf->device, err);
}

static void ethdev_close(struct npf_port *p)
{
	struct rte_eth_dev_info info;

	if (p->id == RTE_MAX_ETHPORTS)
		return;
	if (rte_eth_dev_info_get(p->id, &info) == 0) {
		rte_eth_dev_close(p->id);
		if (rte_dev_remove(info.device) < 0)
			npf_warn("port %s: its device can't be detached and can't be added again: "
				 "%s",
				p->conf->name, p->conf->device);
	}
	p->id = RTE_MAX_ETHPORTS;
}

static int ethdev_start(struct npf_port *p)
{
	struct rte_eth_dev_info info;
	int rc;

	/* Before the start, which clears the flag of an interface. */
	p->was_promiscuous = rte_eth_dev_info_get(p->id, &info) == 0 &&
			     npf_kernel_link_is_promiscuous(info.if_index);
	rc = rte_eth_dev_start(p->id);
	if (rc < 0)
		return rc;
	if (p->conf->promiscuous == NPF_SWITCH_ON || p->was_promiscuous) {
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

static void ethdev_stats(const struct npf_port *p, struct rte_eth_stats *st)
{
	struct rte_eth_stats now;

	*st = p->base;
	if (p->id != RTE_MAX_ETHPORTS && rte_eth_stats_get(p->id, &now) == 0)
		add_stats(st, &now);
}

static void ethdev_stop(struct npf_port *p)
{
	/* Some PMDs keep their counters over a restart, some zero them: settle it here. */
	ethdev_stats(p, &p->base);
	if (rte_eth_stats_reset(p->id) < 0)
		memset(&p->base, 0, sizeof(p->base));
	if (p->promiscuous && !p->was_promiscuous)
		rte_eth_promiscuous_disable(p->id);
	p->promiscuous = false;
	rte_eth_dev_stop(p->id);
}

static bool ethdev_link(const struct npf_port *p, uint32_t *mbps)
{
	struct rte_eth_link link = {0};

	if (rte_eth_link_get_nowait(p->id, &link) < 0)
		return p->running;
	if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		*mbps = link.link_speed;
	return link.link_status == RTE_ETH_LINK_UP;
}

static bool is_ethdev(const char *device)
{
	(void)device;
	return true;
}

const struct npf_port_device npf_port_ethdev = {
	.is_mine = is_ethdev,
	.open = ethdev_open,
	.close = ethdev_close,
	.start = ethdev_start,
	.stop = ethdev_stop,
	.stats = ethdev_stats,
	.link = ethdev_link,
};
