/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c - what every kind of device needs for its packets: the place of time stamps in them, a
 * mempool, a mirror ring.
 *
 * The mempool is a port's own, kept small so that the mbufs in flight stay in the cache.
 */
#include "engine/port/port.h"

#include <rte_errno.h>
#include <rte_mbuf_dyn.h>
#include <stdio.h>
#include <string.h>

#define POOL_CACHE 256
#define POOL_SPARE                                                                                 \
	2560 /* tx descriptors, bursts in work, packets held back by a full ring, sends */
#define MIRROR_RING 1024 /* copies of sent packets that the tap has not taken yet */

int npf_port_stamp_offset = -1;
uint64_t npf_port_stamp_flag;

int npf_port_setup_stamps(void)
{
	return rte_mbuf_dyn_rx_timestamp_register(&npf_port_stamp_offset, &npf_port_stamp_flag) < 0
		       ? -rte_errno
		       : 0;
}

static unsigned int pool_size(const struct npf_port *p)
{
	return (unsigned int)p->conf->rx_desc * p->n_queues + p->n_kept + MIRROR_RING + POOL_SPARE;
}

static int make_pool(struct npf_port *p, uint16_t data_room, int socket_id)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "npf_pool_%u", p->index);
	p->pool = rte_pktmbuf_pool_create(name, pool_size(p), POOL_CACHE,
		RTE_ALIGN(sizeof(struct npf_mbuf_priv), RTE_MBUF_PRIV_ALIGN), data_room, socket_id);
	if (p->pool == NULL)
		return -rte_errno;
	snprintf(name, sizeof(name), "npf_sent_%u", p->index);
	p->mirror_ring =
		rte_ring_create(name, MIRROR_RING, socket_id, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return p->mirror_ring != NULL ? 0 : -rte_errno;
}

int npf_port_make_pool(struct npf_port *p, uint16_t data_room, int socket_id, struct npf_error *err)
{
	/* A device that is opened again keeps its pool: its packets may still be in use. */
	int rc = p->pool != NULL ? 0 : make_pool(p, data_room, socket_id);

	if (rc < 0)
		npf_error_set(err, rc,
			"port %s: no memory for %u packets, %u MiB; raise eal.memory or lower "
			"rx_desc: %s",
			p->conf->name, pool_size(p),
			(unsigned int)((uint64_t)pool_size(p) * data_room >> 20), strerror(-rc));
	return rc;
}
