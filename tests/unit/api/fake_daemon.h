/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_daemon.h - a daemon in the test's own process: real protocol, real ring, no DPDK.
 *
 * A thread serves the control socket; packets come from the test itself, through
 * fake_packet(), so that every test decides exactly what is there when. Time stamps are the
 * test's too. One port, "npf0"; opening "npf7" is refused for want of rights.
 */
#ifndef TESTS_UNIT_API_FAKE_DAEMON_H
#define TESTS_UNIT_API_FAKE_DAEMON_H

#include "jit/bpf.h"
#include "ringbuf/ring.h"
#include "wire/wire.h"

struct fake_daemon;

/* Starts it on a fresh socket and points NPF_SOCKET there. */
struct fake_daemon *fake_start(void);

/* Ends it: every socket is closed, as when a daemon dies. */
void fake_stop(struct fake_daemon *d);

/* Closes the clients' sockets at once, and the listening one; the thread goes on. */
void fake_die(struct fake_daemon *d);

/* Accept connections, answer nothing. */
void fake_hang(struct fake_daemon *d, bool on);

/*
 * A packet arrives at the port: every session whose filter accepts it gets it.
 * @commit: publish at once; else it goes out with the next that is
 */
void fake_packet(struct fake_daemon *d, uint64_t ts_ns, const void *data, uint32_t len,
	uint16_t flags, bool commit);

/* The end of an interval in monitor mode. */
void fake_counts(struct fake_daemon *d, uint64_t ts_ns, int64_t packets, int64_t bytes);

/* Commits what is there and lets time pass: after a tick nothing is held back. */
void fake_tick(struct fake_daemon *d, uint64_t now_ns, uint64_t mono_ns);

/* Requests so far by which a session said that it reads. They can be refused. */
unsigned int fake_n_reads(struct fake_daemon *d);
void fake_refuse_reads(struct fake_daemon *d, bool on);

/* Signals every reader, for nothing: as a tap does that looked before the reader did. */
void fake_wake(struct fake_daemon *d);

/* The port is removed: every session's lanes end. */
void fake_remove_port(struct fake_daemon *d);

/* Filter generation changes, but packets go on being accepted by the old filter, as those do that
 * are already in the ring when a filter changes. */
void fake_ignore_filters(struct fake_daemon *d, bool on);

/* After so many frames the port takes no more from a send lane. */
void fake_limit_sends(struct fake_daemon *d, unsigned int n);

/* Frames received through NPF_WIRE_SEND or a send lane, and the last of them. */
unsigned int fake_sent(struct fake_daemon *d, void *frame, size_t size);

/* What the newest session asked for. */
struct npf_wire_open fake_last_open(struct fake_daemon *d);
struct npf_wire_params fake_last_params(struct fake_daemon *d);
struct npf_wire_set_mode fake_last_mode(struct fake_daemon *d);
unsigned int fake_n_sessions(struct fake_daemon *d);

#endif
