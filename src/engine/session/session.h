/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.h - one opened handle of a client: its filter, its buffer, its counters.
 *
 * Each call that fails leaves the session as it was and puts a text for the client into err.
 */
#ifndef NPF_ENGINE_SESSION_SESSION_H
#define NPF_ENGINE_SESSION_SESSION_H

#include "base/error.h"
#include "engine/core/core.h"
#include "engine/session/shadow.h"
#include "jit/bpf.h"
#include "ringbuf/tx/tx.h"

#include <sys/types.h>

struct npf_session {
	struct npf_session *next;
	uint64_t id;
	struct npf_engine_port *port;
	struct npf_peer peer; /* groups is NULL: rights are checked when the session is opened */
	uint32_t snaplen;
	uint32_t flags; /* NPF_WIRE_OPEN_* */
	/* What the plans know of it; see npf_session_update(). Its buffer is the session's (NULL:
	 * send only), and so are its counters: one set a tap, and one for a monitor's sent packets.
	 */
	struct npf_consumer consumer;
	struct npf_wire_params params;
	uint32_t n_insns;
	_Atomic uint16_t filter_gen; /* a monitor's worker reads it, too */
	struct npf_filter *filter_in, *filter_out;
	struct npf_memory memory;         /* the buffer, and what is charged for it */
	struct npf_charge charge;         /* for the session */
	uint64_t packet_buffer;           /* bytes asked for, for packets */
	struct npf_monitor *monitor;      /* in MONITOR mode; else NULL */
	struct npf_account *account;      /* its user's */
	struct npf_doorbell bell;         /* the reader's; the client has its wait_fd */
	_Atomic bool owes_ring;           /* the reader is due to be woken, and was not yet */
	struct npf_ring_counters retired; /* of buffers that were replaced */
	struct rte_eth_stats port_base;   /* the port's counters when the session was opened */
	bool told_over_budget;            /* in the log */
	bool ended;                       /* its interface has disappeared: nothing more comes */
	struct npf_dump *dump; /* what it accepts goes there, and what that counts is the session's;
				  NULL: it has none. Owns: a reference */
	struct npf_wire_stats dumped; /* what its dumps before that counted */
	uint64_t sent, send_failed;   /* by requests; a lane has its own counts */
	struct npf_send_lane *tx;     /* NULL: none */
	struct npf_charge tx_charge;
	uint64_t opened_ns; /* CLOCK_REALTIME */
};

/* What a session is opened from. */
struct npf_session_spec {
	struct npf_requester *requester; /* is charged; NULL: the daemon itself */
	const struct npf_peer *peer;
	const struct npf_wire_open *req;
	const struct npf_bpf_insn *insns; /* req->n_insns */
};

/*
 * npf_session_open - a session on a port, in the plans when this returns.
 * Return: 0; -EINPROGRESS: see core/memory.h; -ENODEV: no such port, or its interface has gone;
 *         -EACCES: the peer may not use it; -ENETDOWN; -EDQUOT: a limit of the user; -EINVAL,
 *         -E2BIG: the filter or the size; -ENOMEM. Owns: *sp is the caller's.
 */
int npf_session_open(struct npf_engine *e, const struct npf_session_spec *spec,
	struct npf_session **sp, struct npf_error *err);
/* Its dump and its sends end with it. Returns NULL. */
struct npf_session *npf_session_close(struct npf_engine *e, struct npf_session *s);

/* Its client begins to read: from the next packet on, of the first one when it starts the port.
 * Return: 0, or -errno: the port can't be started. */
int npf_session_read(struct npf_engine *e, struct npf_session *s, struct npf_error *err);

/* Bring the session's consumer in line with the session. The caller makes new plans. */
void npf_session_update(struct npf_session *s);

/* It captures nothing more from the next plans on, if it captures. */
void npf_session_end_capture(struct npf_session *s);
/* No plan has it: the reader drains what is there and then sees the end. The session stays until
 * its client leaves. */
void npf_session_end(struct npf_session *s);

/* To be called some ten times a second: wakes readers that could not be woken when they were due
 * (those that a tap wakes have its own tick for that), and frees sessions that could not be. */
void npf_sessions_tick(struct npf_engine *e);

/*
 * npf_session_set_filter - another filter, from the next packet on; the generation goes up by one.
 * @n_insns: 0: all packets pass
 * Return: 0; -EINPROGRESS: see core/filter_pair.h; -EINVAL, -E2BIG: not a valid program, or too
 *         long a one; -ENOMEM.
 */
int npf_session_set_filter(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, const struct npf_bpf_insn *insns, uint32_t n_insns,
	struct npf_error *err);
/* Direction, timeout and the like, from the next packet on. Return: 0 or -ENOMEM. */
int npf_session_set_params(
	struct npf_engine *e, struct npf_session *s, const struct npf_wire_params *params);
/*
 * npf_session_set_buffer - another buffer, from the next packet on; the old one is closed after its
 * last record.
 * @size: bytes; NPF_BUFFER_MIN at least are made
 * Return: 0; -EINVAL: it captures nothing; -EBUSY: it counts now; -E2BIG; else as npf_memory_get().
 */
int npf_session_set_buffer(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, uint64_t size, struct npf_error *err);

/*
 * npf_session_set_mode - what the ring brings from now on: packets, or counts.
 * On success the session has a new buffer, and the old one is closed after its last record.
 * @tail: the rows, and the instructions of their filters
 * Return: 0; -EINPROGRESS: see core/memory.h; or -errno with a text in err: all is as it was.
 */
int npf_session_set_mode(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, const struct npf_wire_set_mode *req, const void *tail,
	struct npf_error *err);

/* What a buffer of a session is made from. @size: bytes */
struct npf_memory_conf npf_session_buffer_conf(const struct npf_engine *e,
	const struct npf_session *s, uint64_t size, unsigned int n_lanes);
/* Make a buffer, within the limits. Return: as npf_memory_get(). */
int npf_session_make_buffer(const struct npf_engine *e, struct npf_requester *requester,
	const struct npf_memory_conf *conf, struct npf_memory *mem, struct npf_error *err);
/*
 * npf_session_switch - replace the session's buffer and monitor (NULL: it captures packets); the
 * old ones are freed.
 * Return: 0; or -errno with a text in err: all is as it was, and the new ones stay the caller's.
 */
int npf_session_switch(struct npf_engine *e, struct npf_session *s, struct npf_memory *memory,
	struct npf_monitor *monitor, struct npf_error *err);

struct npf_dump_spec;

/*
 * npf_session_start_dump - what the session accepts goes into a dump from now on.
 * @spec: port, snaplen and model are filled in from the session
 * Return: as npf_dump_start(); -EBUSY: it has a dump that is not over.
 */
int npf_session_start_dump(struct npf_engine *e, struct npf_session *s, struct npf_dump_spec *spec,
	struct npf_dump **dp, struct npf_error *err);
/* Its dump has been stopped: it captures again. What the dump counted stays the session's. */
void npf_session_detach_dump(struct npf_session *s);

/*
 * npf_session_send - send one frame now.
 * Return: 0; -EPERM: the port may not be sent on; -EOPNOTSUPP: it has no Ethernet; -ENODEV: it was
 *         removed; else as npf_txq_send().
 */
int npf_session_send(struct npf_engine *e, struct npf_session *s, const void *frame, uint32_t len,
	struct npf_error *err);

/*
 * npf_session_send_lane - make the session's send lane.
 * @sizep: bytes; 0: the default. Filled in with those it has
 * @fds:   the last one is the caller's to close, the others stay the lane's
 * Return: 0; -EINPROGRESS: see core/memory.h; or -errno with a text in err.
 */
int npf_session_send_lane(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, uint64_t *sizep, int fds[NPF_TX_NFDS], struct npf_error *err);
/* The session sends nothing more. */
void npf_session_end_send(struct npf_engine *e, struct npf_session *s);
/* The port is being removed: its sessions send nothing more there. What is in their lanes, now or
 * later, fails. */
void npf_sessions_cancel_sends(struct npf_engine *e, const struct npf_engine_port *p);
/* What it has sent, by requests and by its lane. */
void npf_session_send_state(const struct npf_session *s, struct npf_tx_state *st);
uint64_t npf_session_send_memory(const struct npf_session *s);
int npf_session_send_fault(const struct npf_session *s);

/* Is its filter one that its reader runs? Of a monitor and a dump it is run here all the same. */
bool npf_session_screens(const struct npf_session *s);

/* One set of counters a tap, and one for a monitor's sent packets. */
static inline unsigned int npf_session_n_counters(const struct npf_engine_port *p)
{
	return p->n_taps + 1u;
}

/* Add the counters of one of its buffers. */
void npf_session_count_buffer(const struct npf_buffer *b, struct npf_ring_counters *sum);
/* Packets that it did not get since its user had no time left on a tap; among drop_other. */
uint64_t npf_session_over_budget(const struct npf_session *s);
/* Log that, once a session. */
void npf_session_tell_over_budget(struct npf_session *s);
void npf_session_stats(const struct npf_session *s, struct npf_wire_stats *st);

/* Return: 0, or -EPROTO once its client has put values into shared memory that can't be. */
int npf_session_fault(const struct npf_session *s);

#endif
