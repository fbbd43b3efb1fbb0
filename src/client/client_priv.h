/* SPDX-License-Identifier: BSD-3-Clause */
/* client_priv.h - the inside of a client. */
#ifndef NPF_CLIENT_CLIENT_PRIV_H
#define NPF_CLIENT_CLIENT_PRIV_H

#include "client/client.h"

#include "ringbuf/tx/tx.h"

#include <pthread.h>
#include <stdatomic.h>

struct npf_client {
	/* Fixed at open. */
	int sock;
	int bell_fd; /* the session's: the daemon rings; -1: no capture */
	int brkfd;   /* npf_client_interrupt() signals it */
	int epfd;    /* watches bell_fd and the end of sock: what a program selects on */
	unsigned int n_buffer_fds; /* that a buffer for packets comes with */
	struct npf_reader *reader; /* NULL: no capture */
	uint32_t snaplen;
	struct npf_wire_port port;

	/* The reading thread's. */
	bool looks;      /* the port waits until npf_client_begin() */
	bool armed;      /* the daemon will ring when there is enough */
	bool signalled;  /* we have made epfd readable */
	uint64_t passed; /* records taken from the ring and not handed out */
	bool hangup;     /* the daemon's end of the socket is closed */
	bool paused;     /* npf_client_next() has paused after many rejected records */
	bool monitor;    /* the ring brings counts, not packets */
	bool carrying;   /* ... and what is left of packets belongs to the first of them */
	struct npf_wire_counters carried;
	uint64_t opened_ns; /* CLOCK_MONOTONIC */

	/* Written under the lock; in_force, direction and mintocopy are also read without it. */
	pthread_mutex_t lock;
	_Atomic uint32_t in_force; /* generation of the filter; more with NPF_RUN_HERE */
	_Atomic uint32_t direction;
	_Atomic uint32_t mintocopy; /* 0 when immediate */
	struct npf_bpf_insn *insns; /* NULL: accept all */
	uint32_t n_insns;
	struct npf_wire_params params;
	struct npf_wire_stats last_stats;

	/* Under its own lock. */
	pthread_mutex_t tx_lock;
	struct npf_tx *tx; /* NULL: nothing was sent by it yet */

	/* Written by the thread that sends, read by any. */
	_Atomic uint64_t late_p50, late_p99, late_max; /* ns */

	/* Written by the reading thread, read by any. */
	_Atomic uint64_t skipped;  /* records that a filter or direction rejected here */
	_Atomic uint64_t screened; /* ... of these, by one that libpcap would run itself */
};

/* In in_force, so that no record's generation equals it: the daemon runs a part of the filter at
 * most, and each record has to go through it here. */
#define NPF_RUN_HERE 0x10000u

/* One call on an open session. Return: 0 or -errno with *err filled. */
int npf_client_call(struct npf_client *c, struct npf_wire_call *call, struct npf_error *err);

/* Is the session still there? 0 or -errno with *err filled. */
int npf_client_ping(struct npf_client *c, struct npf_error *err);

/*
 * npf_client_find_port - the session's port as the daemon describes it now. One that is removed and
 * added again has another index, and is not it.
 * @now: filled in; or NULL
 * Return: false: it is not there any more, or the daemon does not answer.
 */
bool npf_client_find_port(struct npf_client *c, struct npf_wire_port *now);

#endif
