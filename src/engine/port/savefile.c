/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * savefile.c - the device kind of `net_pcap0,rx_pcap=FILE`: what stands in savefiles is
 * received as it stands there, one file a queue.
 *
 * DPDK's net_pcap would replay every link type as Ethernet, cut stamps to microseconds and packets
 * to 16 bits of length, forget original lengths, and read on behind damage. It stays where it has
 * something that we have not: as the ethdev behind tx_pcap and tx_iface, and for infinite_rx.
 * Without either, what is sent goes nowhere, as with net_pcap.
 */
#include "engine/base/json_text.h"
#include "base/log.h"
#include "engine/port/port.h"
#include "engine/port/replayer.h"

#include <jansson.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <string.h>

#define DATA_ROOM   (2048 + RTE_PKTMBUF_HEADROOM)
#define QUEUE_MBUFS 1024 /* in work, and in the cache of the lcore that polls it */

struct savefile_port {
	struct npf_replayed args;
	unsigned int n_files;
	_Atomic uint64_t sent, sent_bytes; /* into nowhere; written under the port's tx_lock */
	struct npf_replayer *files[NPF_REPLAYED_FILES];
};

static bool is_savefile(const char *device)
{
	struct npf_replayed args;

	npf_replayed_parse(device, &args);
	return args.n_files > 0 && !args.endless;
}

static bool has_ethdev(const struct npf_port *p)
{
	return p->id != RTE_MAX_ETHPORTS;
}

/* Nothing is behind the port but files. */
static int open_alone(struct npf_port *p, struct npf_error *err)
{
	/* As net_pcap has it: locally administered, then "pcap" and a number. */
	const struct rte_ether_addr mac = {{0x02, 'p', 'c', 'a', 'p', (uint8_t)p->index}};

	p->mtu = p->conf->mtu != 0 ? p->conf->mtu : RTE_ETHER_MTU;
	if (npf_port_is_ethernet(p))
		p->mac = mac;
	snprintf(p->driver, sizeof(p->driver), "net_pcap");
	return npf_port_make_pool(p, DATA_ROOM, (int)rte_socket_id(), err);
}

static int open_files(struct npf_port *p, struct savefile_port *s, struct npf_error *err)
{
	int rc = 0;

	for (uint16_t i = 0; rc == 0 && i < p->n_queues; i++) {
		const struct npf_replayer_conf conf = {
			.port = p->conf->name,
			.path = s->args.files[i],
			.linktype = p->linktype,
			.pool = p->pool,
		};

		rc = npf_replayer_new(&conf, &s->files[i], err);
		s->n_files += rc == 0;
	}
	return rc;
}

/* One queue a file, as many as were asked for. */
static uint16_t settle_queues(const struct npf_port *p, const struct savefile_port *s)
{
	uint16_t wanted = p->conf->rx_queues, n = (uint16_t)s->args.n_files;

	if (n < wanted)
		npf_warn("port %s: it has %u savefiles, and so %u rx queues, not %u", p->conf->name,
			n, n, wanted);
	if (n > wanted)
		npf_warn("port %s: of its %u savefiles %u %s replayed: each takes an rx queue; "
			 "`rx_queues: %u` replays all",
			p->conf->name, n, wanted, wanted == 1 ? "is" : "are", n);
	return NPF_MIN(n, wanted);
}

static int savefile_open(struct npf_port *p, struct npf_error *err)
{
	struct savefile_port *s = calloc(1, sizeof(*s));
	uint16_t n_queues;
	int rc;

	if (s == NULL)
		return -ENOMEM;
	p->state = s;
	npf_replayed_parse(p->conf->device, &s->args);
	rc = npf_replayed_probe(p->conf, &p->linktype, err);
	if (rc < 0)
		return rc;
	n_queues = settle_queues(p, s);
	p->n_queues = 1;
	p->n_kept = (n_queues - 1u) * QUEUE_MBUFS;
	rc = s->args.has_tx ? npf_ethdev_open(p, s->args.others, err) : open_alone(p, err);
	p->n_queues = n_queues;
	p->stamp = NPF_STAMP_NS;
	return rc == 0 ? open_files(p, s, err) : rc;
}

static void savefile_stats(const struct npf_port *p, struct rte_eth_stats *st)
{
	const struct savefile_port *s = p->state;
	struct npf_replayer_counters c;

	npf_port_ethdev.stats(p, st);
	if (s == NULL)
		return;
	st->opackets += atomic_load_explicit(&s->sent, memory_order_relaxed);
	st->obytes += atomic_load_explicit(&s->sent_bytes, memory_order_relaxed);
	for (unsigned int i = 0; i < s->n_files; i++) {
		npf_replayer_count(s->files[i], &c);
		st->ipackets += c.packets;
		st->ibytes += c.bytes;
		st->ierrors += c.errors;
	}
}

static void savefile_close(struct npf_port *p)
{
	struct savefile_port *s = p->state;

	savefile_stats(p, &p->base);
	npf_port_ethdev.close(p);
	for (unsigned int i = 0; s != NULL && i < s->n_files; i++)
		npf_replayer_free(s->files[i]);
	free(s);
	p->state = NULL;
}

static void stop_files(struct savefile_port *s)
{
	for (unsigned int i = 0; i < s->n_files; i++)
		npf_replayer_stop(s->files[i]);
}

static int savefile_start(struct npf_port *p)
{
	struct savefile_port *s = p->state;
	int rc = has_ethdev(p) ? npf_port_ethdev.start(p) : 0;

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; rc == 0 && i < s->n_files; i++)
		rc = npf_replayer_start(s->files[i]);
	if (rc == 0)
		return 0;
	stop_files(s);
	if (has_ethdev(p))
		npf_port_ethdev.stop(p);
	return rc;
}

static void savefile_stop(struct npf_port *p)
{
	stop_files(p->state);
	if (has_ethdev(p))
		npf_port_ethdev.stop(p);
}

static bool savefile_link(const struct npf_port *p, uint32_t *mbps)
{
	*mbps = 0;
	return p->running;
}

static uint16_t savefile_rx(struct npf_port *p, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct savefile_port *s = p->state;

	return npf_replayer_rx(s->files[queue], mbufs, n);
}

static void send_nowhere(struct savefile_port *s, struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	rte_pktmbuf_free_bulk(mbufs, n);
	atomic_fetch_add_explicit(&s->sent, n, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->sent_bytes, bytes, memory_order_relaxed);
}

static int savefile_tx(struct npf_port *p, struct rte_mbuf **mbufs, uint16_t n)
{
	if (has_ethdev(p))
		return rte_eth_tx_burst(p->id, 0, mbufs, n);
	send_nowhere(p->state, mbufs, n);
	return n;
}

static void savefile_describe(const struct npf_port *p, json_t *j)
{
	const struct savefile_port *s = p->state;
	json_t *list = json_array();

	for (unsigned int i = 0; i < s->n_files; i++) {
		struct npf_replayer_report r;

		npf_replayer_report(s->files[i], &r);
		json_array_append_new(list,
			json_pack("{s:o, s:s, s:I, s:I, s:o}", "file", npf_json_text(r.path),
				"state", npf_replayer_state_names[r.state], "packets",
				(json_int_t)r.packets, "too_long", (json_int_t)r.too_long, "error",
				npf_json_text(r.error.text[0] != '\0' ? r.error.text : NULL)));
	}
	json_object_set_new(j, "replay", list);
}

const struct npf_port_device npf_port_savefile = {
	.is_mine = is_savefile,
	.open = savefile_open,
	.close = savefile_close,
	.start = savefile_start,
	.stop = savefile_stop,
	.stats = savefile_stats,
	.link = savefile_link,
	.rx = savefile_rx,
	.tx = savefile_tx,
	.describe = savefile_describe,
};
