/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.h - the generator's ports: set-up, start and stop, link and MTU.
 */
#ifndef NPF_TXGEN_RUN_PORTS_H
#define NPF_TXGEN_RUN_PORTS_H

#include "txgen/run/txgen.h"

#include <rte_ethdev.h>

#define NPF_TXGEN_MAXQUEUES 32

struct npf_txgen_port {
	uint16_t id;
	uint16_t n_rxq, n_txq;
	int socket;
	bool started;
	bool hw_csum;
	bool has_mtu;         /* the driver has an MTU that can be set */
	unsigned int ifindex; /* the kernel interface that it sends through; 0: none */
	bool promiscuous;     /* set by us, to be reset at the stop */
	char name[RTE_ETH_NAME_MAX_LEN];
	struct rte_ether_addr mac;
	struct rte_mempool *rx_pool;
	struct rte_mempool *tx_pool[NPF_TXGEN_MAXQUEUES];
	struct rte_eth_stats cleared; /* counters at the last clear */
};

/* Configure, make pools and start. Return: 0 or -errno with a text in err. */
int npf_txgen_port_open(struct npf_txgen_port *p, uint16_t id,
	const struct npf_txgen_port_conf *conf, struct npf_error *err);
void npf_txgen_port_close(struct npf_txgen_port *p);

int npf_txgen_port_start(struct npf_txgen_port *p, struct npf_error *err);
int npf_txgen_port_stop(struct npf_txgen_port *p, struct npf_error *err);

/* The MTU of a started port, bytes of a frame's payload; 0: it has none. */
uint32_t npf_txgen_port_mtu(const struct npf_txgen_port *p);

/* Wait for the link of a started port. Return: 0 or -ENOLINK with a text in err. */
int npf_txgen_port_wait_link(
	const struct npf_txgen_port *p, uint64_t timeout_ns, struct npf_error *err);

/* Speed of the link in bits/s; 0 unknown. */
double npf_txgen_port_speed(const struct npf_txgen_port *p);

#endif
