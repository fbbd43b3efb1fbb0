/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.h - one DPDK port under its configured name: found, configured, started, sent on, stopped.
 *
 * A port belongs to the control thread; the tap lcores only call rx_burst on its queues,
 * by the numbers that stand in their plan; sending is port_tx.h's business. What a PMD lacks
 * degrades with one warning.
 */
#ifndef NPF_ENGINE_PORT_H
#define NPF_ENGINE_PORT_H

#include "engine/config.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <pthread.h>
#include <rte_ring.h>
#include <stdatomic.h>

/* In each mbuf's private area. */
struct npf_mbuf_priv {
	uint64_t sender; /* of a copy of a sent packet: id of the session that sent it */
};

/* How to read the rx time stamp that a PMD left in an mbuf. */
enum npf_stamp {
	NPF_STAMP_NONE, /* the host's clock is used */
	NPF_STAMP_US,   /* microseconds since the epoch (net_pcap) */
};

/* Whose packets somebody wants to see when they are sent; else the id of the only session whose own
 * ones nobody wants to see. */
#define NPF_SHOWN_NONE 0
#define NPF_SHOWN_ALL  UINT64_MAX

struct npf_sent_meters;

struct npf_port {
	const struct npf_config_port *conf; /* Lifetime: the configuration's */
	uint16_t index;    /* position in the configuration; in records and on the wire */
	uint16_t id;       /* of DPDK */
	uint16_t n_queues; /* rx queues configured */
	uint16_t mtu;
	bool running;
	bool promiscuous;
	enum npf_stamp stamp;
	char driver[64];
	struct rte_ether_addr mac;
	struct rte_mempool *pool;
	/* The control thread and the send worker take turns at the tx queue and at putting into
	 * sent. */
	pthread_mutex_t tx_lock;
	bool tx_open;                        /* under the lock: the port is started */
	struct npf_sent_meters *sent_meters; /* under the lock: they count what is sent; or NULL */
	_Atomic uint64_t shown;              /* whose sent packets are to be shown: NPF_SHOWN_* */
	_Atomic uint64_t unseen;             /* sent packets for whose copy there was no room */
	/* Copies of what was sent, for sessions that want to see it; the lcore that polls queue 0
	 * takes them out. */
	struct rte_ring *sent;
	struct rte_eth_stats base; /* counters carried over restarts */
};

/* Once after rte_eal_init(): finds the place of rx time stamps in mbufs. Return: 0 or -errno. */
int npf_port_setup_stamps(void);

/* Offset and flag of the rx time stamp in an mbuf; valid after npf_port_setup_stamps(). */
extern int npf_port_stamp_offset;
extern uint64_t npf_port_stamp_flag;

/*
 * npf_port_open - probe the device and configure it; it is not started yet.
 * @n_lcores: tap lcores; more rx queues than these make no sense
 * Return: 0, or -errno with a text in err.
 */
int npf_port_open(struct npf_port *p, const struct npf_config_port *conf, uint16_t index, char *err,
	size_t err_len);
void npf_port_close(struct npf_port *p);

int npf_port_start(struct npf_port *p);
void npf_port_stop(struct npf_port *p); /* no lcore may poll it any more */

/* Counters since open, also across stops. */
void npf_port_stats(const struct npf_port *p, struct rte_eth_stats *st);
bool npf_port_link(const struct npf_port *p, uint32_t *mbps);

#endif
