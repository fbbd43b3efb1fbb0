/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.h - one port under its configured name: found, configured, started, sent on, stopped.
 *
 * What stands behind a port is a kind of device: an ethdev of DPDK (ethdev.c), or one of our own
 * where no PMD delivers packets unchanged. A port belongs to the control thread; the tap lcores
 * only call npf_port_rx() on its queues, by the numbers in their plan; datapath/txq.h sends. What a
 * PMD lacks degrades with one warning.
 */
#ifndef NPF_ENGINE_PORT_PORT_H
#define NPF_ENGINE_PORT_PORT_H

#include "base/error.h"
#include "engine/config/config.h"
#include "device/link_msg.h"

#include <pcap/dlt.h>
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
	NPF_STAMP_NS,   /* nanoseconds since the epoch (devices of our own) */
};

/* Of the kernel's interface that a port stands on. */
enum npf_iface_state {
	NPF_IFACE_NONE, /* it stands on none */
	NPF_IFACE_UP,
	NPF_IFACE_NO_CARRIER,
	NPF_IFACE_DOWN,
	NPF_IFACE_ABSENT, /* deleted, or in another network namespace */
};

struct npf_iface_of {
	char name[16];
	int index;
	enum npf_iface_state state;
	bool is_held;   /* by the device (net_tap), in whichever namespace it is */
	bool is_ending; /* it has disappeared; captures have not ended yet */
	bool is_listed; /* by the kernel, since the last request for all interfaces */
};

/* Mirror policy: whose sent packets are copied for captures. Any other value is the id of the only
 * session whose packets are not. */
#define NPF_MIRROR_NONE 0
#define NPF_MIRROR_ALL  UINT64_MAX

struct json_t;
struct npf_sent_meters;
struct npf_port;

/*
 * A kind of device. The control thread calls all but rx and tx.
 *
 * Packets are mbufs of the port's pool. A packet whose end is not there (the device cut it) has its
 * original length in pkt_len, and the bytes that are there in its segments.
 */
struct npf_port_device {
	/* Is this device, as the configuration names it, of this kind? */
	bool (*is_mine)(const char *device);
	/* Find and configure the device: sets n_queues, mtu, stamp, driver, mac and what the kind
	 * needs, and makes the pool by npf_port_make_pool(). After a failure close() follows.
	 * Return: 0, or -errno with a text in err. */
	int (*open)(struct npf_port *p, struct npf_error *err);
	void (*close)(struct npf_port *p); /* also what is half open; it is stopped */
	int (*start)(struct npf_port *p);  /* Return: 0 or -errno */
	void (*stop)(struct npf_port *p);  /* no lcore polls it, nobody sends */
	/* Since open; of a closed port, what it was at the end (keep it in base). */
	void (*stats)(const struct npf_port *p, struct rte_eth_stats *st);
	bool (*link)(const struct npf_port *p, uint32_t *mbps);
	/* The interface that the device stands on is there anew: go on with that. The port runs; it
	 * may be polled and sent on meanwhile. NULL: the device must be closed and opened again.
	 * Return: 0 or -errno. */
	int (*reattach)(struct npf_port *p);
	/* As rte_eth_rx_burst() and rte_eth_tx_burst(); NULL: those themselves, with the port's id.
	 * rx: the lcore that polls the queue; tx: under the port's tx_lock.
	 * rx sets the port's rx_sent for a burst that is of packets that went out.
	 * tx may also return -errno: the first packet can't be sent there. */
	uint16_t (*rx)(struct npf_port *p, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
	int (*tx)(struct npf_port *p, struct rte_mbuf **mbufs, uint16_t n);
	/* Adds to the port's report what only this kind has; NULL: nothing. */
	void (*describe)(const struct npf_port *p, struct json_t *report);
};

extern const struct npf_port_device npf_port_ethdev;
extern const struct npf_port_device npf_port_iface; /* a kernel interface: "iface:eth1" */
extern const struct npf_port_device npf_port_savefile;

/* An ethdev for a port whose configured device is another, or not quite it; n_queues rx queues are
 * wanted. The rest is npf_port_ethdev's. Return: as npf_port_device's open(). */
int npf_ethdev_open(struct npf_port *p, const char *device, struct npf_error *err);

struct npf_port {
	const struct npf_port_device *device;
	void *state;                        /* the device's own; NULL: it has none */
	const struct npf_config_port *conf; /* Lifetime: the configuration's */
	uint16_t index;    /* position in the configuration; in records and on the wire */
	uint16_t id;       /* of DPDK; RTE_MAX_ETHPORTS: it has no ethdev */
	uint16_t n_queues; /* rx queues configured */
	int linktype;      /* DLT_* of libpcap: what its packets begin with; Ethernet unless the
			      device's open() says another */
	_Atomic uint16_t mtu;
	/* What the last burst of rx holds went out through the device, by others than this daemon.
	 * Belongs to the lcore that polls its only queue. */
	bool rx_sent;
	unsigned int tx_ifindex; /* of the kernel's interface that it sends through; 0: none */
	bool tx_recount; /* its driver counts only the frames that are sent, and may take others
			  */
	bool tx_socket;  /* it sends by a socket bound to that interface: all but net_tap */
	_Atomic bool link_down; /* nothing can be sent */
	struct npf_iface_of iface;
	bool running;
	bool promiscuous;
	bool was_promiscuous; /* before the port was started, the interface it stands on */
	enum npf_stamp stamp;
	char driver[64];
	struct rte_ether_addr mac;
	uint32_t n_kept; /* mbufs that the device keeps, beside those on their way */
	struct rte_mempool *pool;
	/* The control thread and the send worker take turns at the tx queue and at the mirror
	 * ring. */
	pthread_mutex_t tx_lock;
	bool tx_open;                        /* under the lock: the port is started */
	struct npf_sent_meters *sent_meters; /* under the lock: they count what is sent; or NULL */
	_Atomic uint64_t mirror_policy;      /* NPF_MIRROR_* or a session's id */
	_Atomic uint64_t mirror_drops; /* sent packets that were not copied: no mbuf or no room */
	/* The tx mirror: copies of sent packets for captures. The lcore that polls queue 0 takes
	 * them out. */
	struct rte_ring *mirror_ring;
	struct rte_eth_stats base; /* counters carried over stops and the close */
};

/* Up to n packets that have arrived at a queue. Context: the lcore that polls it. */
static inline uint16_t npf_port_rx(
	struct npf_port *p, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	if (NPF_LIKELY(p->device->rx == NULL))
		return rte_eth_rx_burst(p->id, queue, mbufs, n);
	return p->device->rx(p, queue, mbufs, n);
}

/* Once after rte_eal_init(): finds the place of rx time stamps in mbufs. Return: 0 or -errno. */
int npf_port_setup_stamps(void);

/* Offset and flag of the rx time stamp in an mbuf; valid after npf_port_setup_stamps(). */
extern int npf_port_stamp_offset;
extern uint64_t npf_port_stamp_flag;

/*
 * npf_port_make_pool - make the port's mempool and its mirror ring.
 * @data_room: bytes of one mbuf, headroom included
 * Return: 0, or -errno with a text in err.
 */
int npf_port_make_pool(
	struct npf_port *p, uint16_t data_room, int socket_id, struct npf_error *err);

/*
 * npf_port_open - probe the device and configure it; it is not started yet.
 * Return: 0, or -errno with a text in err.
 */
int npf_port_open(struct npf_port *p, const struct npf_config_port *conf, uint16_t index,
	struct npf_error *err);
void npf_port_close(struct npf_port *p);

int npf_port_start(struct npf_port *p);
void npf_port_stop(struct npf_port *p); /* no lcore may poll it any more */

/* Are its packets Ethernet frames? Only those can be sent, and shown to the kernel. */
static inline bool npf_port_is_ethernet(const struct npf_port *p)
{
	return p->linktype == DLT_EN10MB;
}

/* Counters since open, also across stops. */
void npf_port_stats(const struct npf_port *p, struct rte_eth_stats *st);
bool npf_port_link(const struct npf_port *p, uint32_t *mbps);

/* The state of the kernel's interface below the port: read at the open, updated by the kernel's
 * messages. */
void npf_port_iface_init(struct npf_port *p);
void npf_port_iface_update(struct npf_port *p, const struct npf_link *l);
void npf_port_iface_set_absent(struct npf_port *p);
void npf_port_iface_untrack(struct npf_port *p); /* its state can't be read from here any more */

/*
 * npf_port_reopen - close the device and open it again; the packets, counters and whoever uses the
 * port stay. No lcore may poll it. Return: 0, or -errno with a text in err: it has no device.
 */
int npf_port_reopen(struct npf_port *p, struct npf_error *err);

/* ---- DPDK's environment, set up as the configuration asks and the machine allows ---- */

/*
 * npf_dpdk_init - start the EAL; the calling thread becomes its main lcore.
 * @hugepagesp: whether it runs on hugepages
 * Return: 0, or -errno with a text in err. The EAL can't be tried twice in one process.
 */
int npf_dpdk_init(const struct npf_config *conf, bool *hugepagesp, struct npf_error *err);
void npf_dpdk_cleanup(void);

#endif
