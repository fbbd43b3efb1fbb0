/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen.h - the door of the traffic generator: ports of DPDK's and workers that send to them,
 * receive from them, or forward between them.
 *
 * One generator a process, as there is one EAL. Order of calls: npf_gen_eal_init(),
 * npf_gen_open(), then any number of runs (npf_gen_start(), npf_gen_wait() or npf_gen_stop(),
 * npf_gen_result()), npf_gen_close(). All calls come from one thread, the one that initialised the
 * EAL; npf_gen_stop_soon() may also come from a signal handler.
 *
 * No DPDK type appears here; the headers below are DPDK-free as well.
 */
#ifndef NPF_TXGEN_RUN_GEN_H
#define NPF_TXGEN_RUN_GEN_H

#include "txgen/measure/rate.h"
#include "txgen/measure/result.h"
#include "txgen/measure/search.h"
#include "txgen/packet/streamfile.h"
#include "txgen/packet/source.h"
#include "txgen/packet/template.h"

#define NPF_GEN_ERR       512
#define NPF_GEN_BURST_MAX 512

enum npf_gen_mode {
	NPF_GEN_TXONLY,
	NPF_GEN_RXONLY,
	NPF_GEN_IO,      /* each packet goes out of the peer port as it is */
	NPF_GEN_MACSWAP, /* ... with its MAC addresses swapped */
	NPF_GEN_FLOWGEN, /* send 1024 flows (unless templates are given), receive and drop */
	NPF_GEN_N_MODES,
};

/* "txonly" and so on; npf_gen_mode_find() returns -1 for another name. */
const char *npf_gen_mode_name(enum npf_gen_mode mode);
int npf_gen_mode_find(const char *name);

enum npf_gen_csum {
	NPF_CSUM_AUTO, /* by the port when it can, else by us */
	NPF_CSUM_SW,
	NPF_CSUM_HW,
};

/* How ports are set up. */
struct npf_gen_ports {
	unsigned int n_txq; /* a port */
	unsigned int n_rxq;
	unsigned int n_txd; /* descriptors a queue */
	unsigned int n_rxd;
	unsigned int
		n_mbufs; /* of each pool (one a tx queue, one a port for receiving); 0: enough */
	unsigned int max_len; /* longest frame */
	enum npf_gen_csum csum;
	bool forwards; /* packets of one port may leave through another */
	uint64_t link_wait_ns;
};

/* What a run does. */
struct npf_gen_run {
	enum npf_gen_mode mode;
	struct npf_tmpl *const *tmpls; /* n_tmpls; must outlive the run */
	const uint32_t *weights;       /* or NULL */
	unsigned int n_tmpls;
	const struct npf_savefile *savefile; /* in place of templates */
	struct npf_rate rate;                /* of each port */
	uint64_t count;                      /* packets of each port; 0 = no limit */
	uint64_t duration_ns;                /* 0 = no limit */
	uint64_t loop;                       /* rounds of the savefile; 0 = no limit */
	uint64_t train;                      /* packets in a train; 0 = no trains */
	uint64_t gap_ns;                     /* between trains */
	uint64_t seed;
	unsigned int burst;   /* packets handed to a port at once, 1..NPF_BURST_MAX */
	unsigned int n_cores; /* workers; 0 = all lcores there are */
	bool tx_first;        /* forwarding: send one burst first */
	bool check;           /* number what is sent, look for it on all ports */
	uint64_t drain_ns;    /* how long to wait for the last packets */
};

struct npf_gen_port_info {
	char name[NPF_GEN_NAME];
	char driver[NPF_GEN_NAME];
	uint8_t mac[6];
	bool up;
	bool started;
	uint32_t speed; /* Mbit/s; 0 unknown */
	unsigned int n_rxq, n_txq;
	bool hw_csum;
};

/*
 * npf_gen_eal_init - bring up the EAL with our defaults where the user gave none: --in-memory,
 * no PCI scan when a --vdev is named; ordinary pages when no hugepages are free, with a warning on
 * stderr.
 * @argv: the program's; what stands before "--" is the EAL's
 * Return: index in argv of the first argument after "--" (or argc), or -errno with a text in err.
 */
int npf_gen_eal_init(int argc, char **argv, char *err);
void npf_gen_eal_fini(void);

struct npf_gen;

/* Return: 0; -ENODEV: no port; or what setting one up said. Owns: *gp is the caller's. */
int npf_gen_open(const struct npf_gen_ports *conf, struct npf_gen **gp, char *err);
/* Close all ports. The process' EAL is at its end then (eal/interrupts.h). Return: NULL. */
struct npf_gen *npf_gen_close(struct npf_gen *g);

unsigned int npf_gen_n_ports(const struct npf_gen *g);
void npf_gen_port_info(const struct npf_gen *g, unsigned int i, struct npf_gen_port_info *info);
int npf_gen_port_start(struct npf_gen *g, unsigned int i, char *err);
int npf_gen_port_stop(struct npf_gen *g, unsigned int i, char *err);

/* The port's own counters since npf_gen_port_clear(). */
struct npf_gen_port_stats {
	uint64_t rx_packets, rx_bytes, rx_missed, rx_errors, rx_nombuf;
	uint64_t tx_packets, tx_bytes, tx_errors;
};
void npf_gen_port_stats(const struct npf_gen *g, unsigned int i, struct npf_gen_port_stats *s);
void npf_gen_port_clear(struct npf_gen *g, unsigned int i);

/* Begin a run. Return: 0, -EBUSY, -EINVAL, -ENOMEM ... with a text in err (NPF_GEN_ERR bytes). */
int npf_gen_start(struct npf_gen *g, const struct npf_gen_run *run, char *err);

/* Wait for its end, at most so long. Return: true when no run is going on (any more). */
bool npf_gen_wait(struct npf_gen *g, uint64_t timeout_ns);
void npf_gen_stop(struct npf_gen *g);      /* end it now, and wait */
void npf_gen_stop_soon(struct npf_gen *g); /* ask for its end. Context: any, signal handlers too */

/* The last or present run's result; of a present one the counters only. */
void npf_gen_result(struct npf_gen *g, struct npf_result *r);

/*
 * npf_gen_attach - a run through a port of a running npf-dpdk: no EAL, no ports of one's own.
 * @socket: of the daemon, or NULL for the usual one
 * @port:   its name there
 * Only NPF_GEN_TXONLY without check. Returns when all is sent, refused, or npf_gen_attach_stop()
 * was called (context: any, signal handlers too).
 * Return: 0 with the result in *res; -errno with a text in err, *res holding what was sent.
 */
int npf_gen_attach(const char *socket, const char *port, const struct npf_gen_run *run,
	struct npf_result *res, char *err);
void npf_gen_attach_stop(void);

#endif
