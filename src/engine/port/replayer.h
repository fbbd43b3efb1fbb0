/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replayer.h - one savefile on its way into an rx queue. It is read ahead (replay/ahead.h), so that
 * no lcore ever waits for a disk, and no file, however long, has more than that in memory.
 *
 * The control thread makes, starts, stops and frees it.
 */
#ifndef NPF_ENGINE_PORT_REPLAYER_H
#define NPF_ENGINE_PORT_REPLAYER_H

#include "base/error.h"
#include "engine/config/config.h"

#include <rte_mbuf.h>

struct npf_replayer;

struct npf_replayer_conf {
	const char *port; /* its name, for the log */
	const char *path; /* Lifetime of both: the replayer's */
	int linktype;
	struct rte_mempool *pool; /* the port's */
};

enum npf_replayer_state {
	NPF_REPLAYER_WAITING, /* never started */
	NPF_REPLAYER_RUNNING,
	NPF_REPLAYER_ENDED,   /* at the end of the file; all packets were taken */
	NPF_REPLAYER_DAMAGED, /* at the damage; all packets before it were taken */
	NPF_REPLAYER_STOPPED, /* before either */
	NPF_REPLAYER_N_STATES,
};

extern const char *const npf_replayer_state_names[NPF_REPLAYER_N_STATES];

/* The replay that runs, or the last one. */
struct npf_replayer_report {
	enum npf_replayer_state state;
	const char *path;
	uint64_t packets;       /* taken by the tap */
	uint64_t too_long;      /* of these: longer than a record can be; cut there */
	struct npf_error error; /* of a damaged file: where and why; else "" */
};

/* Packets taken and errors found since it was made. */
struct npf_replayer_counters {
	uint64_t packets, bytes, errors;
};

/* Opens the file once, and keeps it for the time when the daemon may not open it any more.
 * Return: 0, or -errno with a text in err. */
int npf_replayer_new(
	const struct npf_replayer_conf *conf, struct npf_replayer **rp, struct npf_error *err);
struct npf_replayer *npf_replayer_free(struct npf_replayer *r); /* NULL is fine; returns NULL */

/* From the beginning of the file. Return: 0, or -errno after a line in the log. */
int npf_replayer_start(struct npf_replayer *r);
/* No lcore takes from it any more. Waits for a read of the disk that is under way. */
void npf_replayer_stop(struct npf_replayer *r);

/* As rte_eth_rx_burst(). Context: the lcore that polls the queue; wait-free. */
uint16_t npf_replayer_rx(struct npf_replayer *r, struct rte_mbuf **mbufs, uint16_t n);

/* Context: the control thread, whether or not it runs. */
void npf_replayer_report(const struct npf_replayer *r, struct npf_replayer_report *report);
void npf_replayer_count(const struct npf_replayer *r, struct npf_replayer_counters *c);

#endif
