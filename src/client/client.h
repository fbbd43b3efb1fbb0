/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h - the client core: one session with the daemon, with no pcap in it.
 *
 * A client is one connection, one reader and the filter in force. Everything that talks to
 * the daemon takes a lock and may be called from any thread; reading belongs to one thread
 * at a time; npf_client_interrupt() may be called from anywhere, also from a signal handler.
 *
 * Daemon gone: what was committed is still delivered, then reads fail with -EPIPE. Port removed:
 * the same with -ENODATA.
 */
#ifndef NPF_CLIENT_CLIENT_H
#define NPF_CLIENT_CLIENT_H

#include "jit/bpf.h"
#include "ringbuf/ring.h"
#include "ringbuf/tx/tx.h"
#include "wire/wire.h"

#include <stdatomic.h>

struct npf_client;

struct npf_client_conf {
	const char *socket;  /* of the daemon; NULL: the usual one */
	const char *program; /* as npfctl sessions shows it; NULL: the process's name */
	const char *port;
	uint32_t snaplen;
	uint32_t mintocopy;   /* bytes that end a wait before the timeout; 0 = at once */
	uint32_t timeout_ms;  /* 0: only mintocopy ends a wait */
	uint64_t buffer_size; /* bytes; 0 = the daemon's default */
	uint32_t flags;       /* NPF_WIRE_OPEN_* */
	uint32_t direction;   /* enum npf_wire_direction */
};

/*
 * npf_client_list - list the daemon's ports.
 * @timeout_ms: of each step, so that a daemon that hangs delays the caller no longer
 * Return: 0, *portsp allocated (free()) with *np entries; or -errno with *err filled.
 */
int npf_client_list(
	int timeout_ms, struct npf_wire_port **portsp, unsigned int *np, struct npf_error *err);

/*
 * npf_client_open - connect, open a session, map its buffer.
 * Return: 0; -errno with *err filled: -ENOENT, -ECONNREFUSED: no daemon; -ENODEV: no such port;
 * -EACCES, -EPERM: not allowed; ...
 * Owns:   *cp is the caller's, ended by npf_client_close().
 */
int npf_client_open(
	const struct npf_client_conf *conf, struct npf_client **cp, struct npf_error *err);

/* Ends the session, unless a forked process still has it. NULL is fine; returns NULL. */
struct npf_client *npf_client_close(struct npf_client *c);

const struct npf_wire_port *npf_client_port(const struct npf_client *c);

/* ---- Reading ---- */

/*
 * npf_client_begin - announce the first read: a port that starts or waits for readers counts this
 * session as one from now on. Later calls do nothing. Context: the reading thread.
 * Return: 0, or -errno with *err filled. It is no error when the daemon or the port has gone:
 * npf_client_next() reports that after the last record.
 */
int npf_client_begin(struct npf_client *c, struct npf_error *err);

/*
 * npf_client_next - release the last record, and return the next one that the filter and direction
 * in force accept.
 * Return: 1: *v is filled; 0: nothing deliverable now; -ENODATA: the daemon ended the session;
 * -EPIPE: the daemon has gone, and everything was read; -EPROTO.
 */
int npf_client_next(struct npf_client *c, struct npf_view *v);

/* Is there a record, deliverable or not? */
bool npf_client_has_next(struct npf_client *c);

/* Did the last npf_client_next() return 0 only to wait for another lane, for a tick at most? */
bool npf_client_is_holding(const struct npf_client *c);

/* While on, all records returned stay valid until npf_client_release(). */
void npf_client_hold(struct npf_client *c, bool on);

/* Release all records that were returned: the daemon may overwrite them. */
void npf_client_release(struct npf_client *c);

/*
 * npf_client_wait - sleep until there is something to read.
 * @timeout_ms: -1: no limit; 0: only check that the daemon is alive
 * Return: 1: call npf_client_next(); 0: the time is over; -EINTR: npf_client_interrupt() was
 * called, or a signal came; -EPIPE: the daemon has gone, and everything was read.
 */
int npf_client_wait(struct npf_client *c, int timeout_ms);

/*
 * npf_client_set_interruptible - keep a descriptor for npf_client_interrupt(), or close it.
 * A client that never waits needs none. On after open; to switch it on again may fail for want of
 * descriptors.
 */
int npf_client_set_interruptible(struct npf_client *c, bool on, struct npf_error *err);

/* Ends a wait, now or the next. Async-signal-safe. */
void npf_client_interrupt(struct npf_client *c);

/* Readable (level-triggered) while a read would not wait, once npf_client_settle() has been called.
 * Owns: stays the client's. */
int npf_client_fd(const struct npf_client *c);

/*
 * npf_client_settle - set the state of the descriptor, after reading and after a new buffer.
 * It is readable from then on while npf_client_next() has a record at once, and as soon as the
 * daemon signals that enough records are there.
 */
void npf_client_settle(struct npf_client *c);

/* Is the descriptor readable only after a signal of the daemon? False: we have signalled it, or
 * npf_client_settle() was not called since. */
bool npf_client_is_armed(const struct npf_client *c);

/* Did npf_client_next() pause after many rejected records, with more to read? */
bool npf_client_is_paused(const struct npf_client *c);

/* Records so far that npf_client_next() has passed over: another filter or direction, or another
 * mode, had let them in. Context: the reading thread. */
uint64_t npf_client_passed(const struct npf_client *c);

/* The text for an -ENODATA, -EPIPE or -EPROTO of npf_client_next() or npf_client_wait(). */
void npf_client_reason(struct npf_client *c, int rc, struct npf_error *err);

/* ---- Control: each takes a round trip to the daemon; 0 or -errno with *err filled ---- */

/*
 * npf_client_set_filter - replace the filter. From the return on no packet that it rejects is
 * delivered, and no packet that both filters accept is lost. A filter that libpcap runs itself
 * (enum npf_bpf_loose) is run by the reader where the daemon can't decide.
 * @n_insns: 0 = accept all
 */
int npf_client_set_filter(struct npf_client *c, const struct npf_bpf_insn *insns, uint32_t n_insns,
	struct npf_error *err);

int npf_client_set_direction(
	struct npf_client *c, enum npf_wire_direction direction, struct npf_error *err);
int npf_client_set_wake(
	struct npf_client *c, uint32_t mintocopy, uint32_t timeout_ms, struct npf_error *err);

/* Replace the buffer; the old one is drained first. Context: the reading thread. */
int npf_client_set_buffer(struct npf_client *c, uint64_t size, struct npf_error *err);

/*
 * npf_client_set_mode - from packets to counts, or back.
 * @monitor:     records are struct npf_wire_counters, one an interval
 * @interval_ms: 0 = 1 s
 * @nothing_read: no packet has been returned yet
 * Records of the other mode that are left in the ring are skipped. But a session that begins to
 * count before its first read, and within a second of its start, counts from its start: the packets
 * in the ring are added to the first record. So no packet is missing only because opening and
 * choosing the mode are two steps. Context: the reading thread.
 */
int npf_client_set_mode(struct npf_client *c, bool monitor, uint32_t interval_ms, bool nothing_read,
	struct npf_error *err);

/* What a monitor counts. */
struct npf_client_monitor {
	uint32_t interval_ms;
	const struct npf_wire_row *rows;  /* n_rows, each with the length of its filter */
	uint32_t n_rows;                  /* 0: all packets are one row */
	const struct npf_bpf_insn *insns; /* the rows' filters, one after the other */
	uint32_t n_insns;
};

/*
 * npf_client_set_monitor - count packets by filters, in detail: records are struct
 * npf_wire_interval, one an interval. Of a session that was opened with NPF_WIRE_OPEN_IDLE.
 */
int npf_client_set_monitor(
	struct npf_client *c, const struct npf_client_monitor *m, struct npf_error *err);

/* accepted: the packets that passed the filter, wherever it was run; those that the reader has yet
 * to filter are counted until they are read. After the daemon has gone: from the ring's counters.
 */
int npf_client_stats(struct npf_client *c, struct npf_wire_stats *stats, struct npf_error *err);

struct npf_client_dump {
	int fd; /* of the file; stays the caller's */
	bool nanoseconds;
	uint64_t max_size, max_packets; /* 0: none */
};

/*
 * npf_client_dump - let the daemon write what the session's filter accepts to a file; the session
 * gets no packets any more.
 * Owns: *donep is the caller's to close; see npf_client_dump_wait().
 */
int npf_client_dump(struct npf_client *c, const struct npf_client_dump *conf, int *donep,
	struct npf_error *err);
int npf_client_dump_status(
	struct npf_client *c, struct npf_wire_dump_status *st, struct npf_error *err);

/* Return: 1: the dump has ended and all is on disk; 0: the time is over; -EPIPE: the daemon has
 * gone; -EINTR. */
int npf_client_dump_wait(struct npf_client *c, int done_fd, int timeout_ms);

/* End it before its limits do; packets come to the session again. */
int npf_client_dump_stop(struct npf_client *c, struct npf_error *err);

/* ---- Frames, by the session's send lane ---- */

/* A batch ends early when the number at this place has changed. */
struct npf_client_stop {
	const _Atomic uint32_t *at;
	uint32_t was;
};

static inline struct npf_client_stop npf_client_stop(const _Atomic uint32_t *at)
{
	return (struct npf_client_stop){at, atomic_load_explicit(at, memory_order_relaxed)};
}

/* A batch under way; on its user's stack. */
struct npf_client_batch {
	struct npf_client *c;
	struct npf_tx *tx;
	struct npf_client_stop stop;
	uint64_t sent, failed; /* of the lane, when the batch began */
	uint64_t n_put;        /* frames, the last one included if it was refused */
	uint32_t len;          /* of the last frame */
	uint32_t flags;        /* of the next frame */
	int error;
};

/*
 * npf_client_batch_begin - from a return of 0 until npf_client_batch_end() the lane is locked.
 * @flags: of all its frames: 0, NPF_TX_TIMED or NPF_TX_NOWAIT
 * @stop:  what ends the batch early
 * Return: 0, or -errno with *err filled; -EAGAIN with NPF_TX_NOWAIT: another thread's batch is
 *         under way.
 */
int npf_client_batch_begin(struct npf_client *c, struct npf_client_batch *b, uint32_t flags,
	struct npf_client_stop stop, struct npf_error *err);

/*
 * npf_client_batch_put - one frame more; waits for room in the lane.
 * @repeat: times that it is sent
 * @at_ns:  with NPF_TX_TIMED: when, since the first frame's
 * Return:  0; -errno: a frame has failed or the batch is to stop: end it.
 */
int npf_client_batch_put(struct npf_client_batch *b, const void *frame, uint32_t len,
	uint32_t repeat, uint64_t at_ns);

/*
 * npf_client_batch_end - wait until all of it is settled, also after an error.
 * @sentp: how many packets were sent, repetitions counted: the first ones
 * Return: 0: all; or -errno with *err filled: why the first that was not sent was not.
 */
int npf_client_batch_end(struct npf_client_batch *b, uint64_t *sentp, struct npf_error *err);

/*
 * npf_client_lane - the session's send lane, made at first need, for a caller that fills it by the
 * producer's calls of ringbuf/tx.h. Not beside batches. The lane stays the client's.
 * Return: 0, or -errno with *err filled.
 */
int npf_client_lane(struct npf_client *c, struct npf_tx **txp, struct npf_error *err);

/* The connection to the daemon, for npf_tx_wait(); its end is the daemon's. */
int npf_client_socket(const struct npf_client *c);

/*
 * npf_client_send_error - say why a frame was not sent.
 * @rc:    the error in struct npf_tx_state, or of the lane's calls
 * @which: the frame, as the text names it
 * Return: rc, with *err filled.
 */
int npf_client_send_error(
	const struct npf_client *c, int rc, const char *which, struct npf_error *err);

/* How late frames with a schedule left, ns; 0 when there were none. */
struct npf_client_late {
	uint64_t p50, p99, max;
};

/*
 * npf_client_late - of all batches so far. The values of a batch under way in another thread are at
 * most a tenth of a second old.
 */
struct npf_client_late npf_client_late(const struct npf_client *c);

#endif
