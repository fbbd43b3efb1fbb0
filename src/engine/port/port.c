/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c - a port's life, whatever device stands behind it: opened, started, stopped, closed, and
 * opened again.
 */
#include "engine/port/port.h"

#include <pcap/dlt.h>
#include <string.h>

/* The first that knows the device has it; an ethdev is what nobody else knows. */
static const struct npf_port_device *const devices[] = {
	&npf_port_iface,
	&npf_port_savefile,
	&npf_port_ethdev,
};

int npf_port_open(struct npf_port *p, const struct npf_config_port *conf, uint16_t index,
	struct npf_error *err)
{
	unsigned int kind = 0;
	int rc;

	while (!devices[kind]->is_mine(conf->device))
		kind++;
	*p = (struct npf_port){
		.device = devices[kind],
		.conf = conf,
		.index = index,
		.id = RTE_MAX_ETHPORTS,
		.linktype = DLT_EN10MB,
	};
	pthread_mutex_init(&p->tx_lock, NULL);
	rc = p->device->open(p, err);
	if (rc == 0)
		npf_port_iface_init(p);
	return rc;
}

int npf_port_reopen(struct npf_port *p, struct npf_error *err)
{
	uint16_t n_queues = p->n_queues;
	bool was_running = p->running;
	int rc;

	npf_port_stop(p);
	p->device->close(p);
	rc = p->device->open(p, err);
	if (rc == 0 && p->n_queues != n_queues)
		rc = npf_error_set(err, -ENOTSUP, "port %s: it has %u rx queues now, not %u",
			p->conf->name, p->n_queues, n_queues);
	if (rc == 0 && was_running) {
		rc = npf_port_start(p);
		if (rc < 0)
			npf_error_set(
				err, rc, "port %s: can't start: %s", p->conf->name, strerror(-rc));
	}
	if (rc < 0) {
		p->device->close(p);
		p->n_queues = n_queues;
	}
	return rc;
}

void npf_port_close(struct npf_port *p)
{
	if (p->device == NULL)
		return;
	npf_port_stop(p);
	p->device->close(p);
	rte_ring_free(p->mirror_ring);
	rte_mempool_free(p->pool);
	p->mirror_ring = NULL;
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
	rc = p->device->start(p);
	if (rc < 0)
		return rc;
	p->running = true;
	set_tx_open(p, true);
	return 0;
}

void npf_port_stop(struct npf_port *p)
{
	struct rte_mbuf *m;

	if (!p->running)
		return;
	p->running = false;
	set_tx_open(p, false);
	p->device->stop(p);
	while (rte_ring_dequeue(p->mirror_ring, (void **)&m) == 0)
		rte_pktmbuf_free(m);
}

void npf_port_stats(const struct npf_port *p, struct rte_eth_stats *st)
{
	p->device->stats(p, st);
}

bool npf_port_link(const struct npf_port *p, uint32_t *mbps)
{
	bool up;

	*mbps = 0;
	if (p->iface.state == NPF_IFACE_ABSENT)
		return false;
	up = p->device->link(p, mbps);
	return p->iface.state == NPF_IFACE_NONE ? up : p->iface.state == NPF_IFACE_UP;
}
