/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txgen.h - the door of the traffic generator: DPDK ports, and workers that send to them, receive
 * from them, or forward between them.
 *
 * A process has one EAL, so it has one generator. Order of calls: npf_txgen_eal_init(),
 * npf_txgen_open(), then any number of runs (npf_txgen_start(), npf_txgen_wait() or
 * npf_txgen_stop(), npf_txgen_result()), npf_txgen_close(). All calls come from one thread, the one
 * that initialised the EAL; npf_txgen_request_stop() may also come from a signal handler.
 *
 * No DPDK type appears here; the headers below are DPDK-free as well.
 */
#ifndef NPF_TXGEN_RUN_TXGEN_H
#define NPF_TXGEN_RUN_TXGEN_H

#include "txgen/measure/pace.h"
#include "txgen/measure/result.h"
#include "txgen/measure/search.h"
#include "txgen/packet/packet.h"
#include "txgen/program/source.h"

enum npf_txgen_mode {
	NPF_TXGEN_TXONLY,
	NPF_TXGEN_RXONLY,
	NPF_TXGEN_IO,      /* each packet goes out of the peer port as it is */
	NPF_TXGEN_MACSWAP, /* ... with its MAC addresses swapped */
	NPF_TXGEN_FLOWGEN, /* send 1024 flows (unless templates are given), receive and drop */
	NPF_TXGEN_N_MODES,
};

/* "txonly" and so on; npf_txgen_mode_find() returns -1 for another name. */
const char *npf_txgen_mode_name(enum npf_txgen_mode mode);
int npf_txgen_mode_find(const char *name);

enum npf_txgen_csum {
	NPF_TXGEN_CSUM_AUTO, /* by the port where it can, else in software */
	NPF_TXGEN_CSUM_SW,
	NPF_TXGEN_CSUM_HW,
};

/* How ports are set up. */
struct npf_txgen_port_conf {
	unsigned int n_txq; /* a port */
	unsigned int n_rxq;
	unsigned int n_txd; /* descriptors a queue */
	unsigned int n_rxd;
	unsigned int
		n_mbufs; /* of each pool (one a tx queue, one a port for receiving); 0: enough */
	unsigned int max_len; /* longest frame */
	enum npf_txgen_csum csum;
	bool forwards; /* packets received by one port may leave through another */
	uint64_t link_wait_ns;
};

/* What a run does. */
struct npf_txgen_run_conf {
	enum npf_txgen_mode mode;
	struct npf_txgen_tmpl *const *tmpls; /* n_tmpls; must outlive the run */
	const uint32_t *weights;             /* or NULL */
	unsigned int n_tmpls;
	const struct npf_savefile *savefile; /* in place of templates */
	struct npf_rate rate;                /* of each port */
	uint64_t count;                      /* packets of each port; 0 = no limit */
	uint64_t duration_ns;                /* 0 = no limit */
	uint64_t loop;                       /* rounds of the savefile; 0 = no limit */
	uint64_t train;                      /* packets in a train; 0 = no trains */
	uint64_t gap_ns;                     /* between trains */
	uint64_t seed;
	unsigned int burst;   /* packets handed to a port at once, 1..NPF_TXGEN_BURST_MAX */
	unsigned int n_cores; /* workers; 0 = all lcores there are */
	bool tx_first;        /* forwarding: send one burst first */
	bool check;           /* number the packets sent, and expect them on all ports */
	uint64_t drain_ns;    /* how long to wait for the last packets */
};

struct npf_txgen_port_info {
	char name[NPF_TXGEN_NAMELEN];
	char driver[NPF_TXGEN_NAMELEN];
	uint8_t mac[6];
	bool up;
	bool started;
	uint32_t speed; /* Mbit/s; 0 unknown */
	unsigned int n_rxq, n_txq;
	bool hw_csum;
};

/*
 * npf_txgen_eal_init - bring up the EAL with our defaults where the user gave none: --in-memory,
 * no PCI scan when a --vdev is named; ordinary pages when no hugepages are free, with a warning on
 * stderr.
 * @argv: the program's; what stands before "--" is the EAL's
 * Return: index in argv of the first argument after "--" (or argc), or -errno with a text in err.
 */
int npf_txgen_eal_init(int argc, char **argv, struct npf_error *err);
void npf_txgen_eal_fini(void);

struct npf_txgen;

/* Return: 0; -ENODEV: no port; or what setting one up said. Owns: *gp is the caller's. */
int npf_txgen_open(
	const struct npf_txgen_port_conf *conf, struct npf_txgen **gp, struct npf_error *err);
/* Close all ports. The process' EAL is at its end then (eal/eal.h). Return: NULL. */
struct npf_txgen *npf_txgen_close(struct npf_txgen *g);

unsigned int npf_txgen_n_ports(const struct npf_txgen *g);
void npf_txgen_port_info(
	const struct npf_txgen *g, unsigned int i, struct npf_txgen_port_info *info);
int npf_txgen_start_port(struct npf_txgen *g, unsigned int i, struct npf_error *err);
int npf_txgen_stop_port(struct npf_txgen *g, unsigned int i, struct npf_error *err);

/* The port's own counters since npf_txgen_clear_port_stats(). */
struct npf_txgen_port_stats {
	uint64_t rx_packets, rx_bytes, rx_missed, rx_errors, rx_nombuf;
	uint64_t tx_packets, tx_bytes, tx_errors;
};
void npf_txgen_port_stats(
	const struct npf_txgen *g, unsigned int i, struct npf_txgen_port_stats *s);
void npf_txgen_clear_port_stats(struct npf_txgen *g, unsigned int i);

/* Begin a run. Return: 0, -EBUSY, -EINVAL, -ENOMEM ... with a text in err. */
int npf_txgen_start(
	struct npf_txgen *g, const struct npf_txgen_run_conf *run, struct npf_error *err);

/* Wait for its end, at most so long. Return: true when no run is going on (any more). */
bool npf_txgen_wait(struct npf_txgen *g, uint64_t timeout_ns);
void npf_txgen_stop(struct npf_txgen *g); /* end it now, and wait */
void npf_txgen_request_stop(
	struct npf_txgen *g); /* end it soon. Context: any, signal handlers too */

/* The last or present run's result; of a present one the counters only. */
void npf_txgen_result(struct npf_txgen *g, struct npf_txgen_result *r);

/*
 * npf_txgen_attach - a run through a port of a running npf-dpdk, without an EAL and own ports.
 * @socket: of the daemon, or NULL for the usual one
 * @port:   its name there
 * Only NPF_TXGEN_TXONLY without check. Returns when all is sent, when a packet can't be sent, or
 * when npf_txgen_request_attach_stop() was called (context: any, signal handlers too). Return: 0
 * with the result in *res; -errno with a text in err, *res holding what was sent.
 */
int npf_txgen_attach(const char *socket, const char *port, const struct npf_txgen_run_conf *run,
	struct npf_txgen_result *res, struct npf_error *err);
void npf_txgen_request_attach_stop(void);

#endif
