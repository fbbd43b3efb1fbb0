/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_daemon_priv.h - the fake daemon's state. One lock covers everything; a lane's producer is
 * whoever holds it. */
#ifndef TESTS_FAKE_DAEMON_PRIV_H
#define TESTS_FAKE_DAEMON_PRIV_H

#include "fake_daemon.h"

#include "base/doorbell.h"
#include "ringbuf/tx/tx.h"

#include <pthread.h>

#define MAX_CONNS   16
#define MAX_BUFFERS 8

struct conn {
	int fd;
	struct npf_doorbell bell;
	struct npf_buffer *buffers[MAX_BUFFERS];
	unsigned int n_buffers;
	struct npf_wire_open open;
	struct npf_wire_params params;
	struct npf_bpf_insn *insns;
	uint32_t n_insns;
	bool loose;          /* the program is the reader's to run; all is delivered whole */
	uint16_t gen;        /* of the filter that the client was told of */
	uint16_t accept_gen; /* of the filter that packets are accepted with */
	bool removed;
	bool monitor;
	struct npf_wire_stats stats;
	struct npf_tx_lane *tx;
	uint64_t tx_start;
};

struct fake_daemon {
	pthread_t thread;
	pthread_mutex_t lock;
	int listen_fd;
	int stop_fd;
	char dir[64];
	char path[128];
	struct conn conns[MAX_CONNS];
	unsigned int n_conns;
	bool hang;
	bool ignore_filters;
	struct npf_wire_open last_open;
	struct npf_wire_params last_params;
	struct npf_wire_set_mode last_mode;
	unsigned int n_sent, tx_limit;
	unsigned int n_reads;
	bool refuse_reads;
	uint8_t sent[NPF_WIRE_MAXFRAME];
	uint32_t sent_len;
	char *msg_buf;
};

static inline struct npf_buffer *current(struct conn *c)
{
	return c->n_buffers > 0 ? c->buffers[c->n_buffers - 1] : NULL;
}

#endif
