/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h - the network tap: lcores that poll rx queues and fill the lanes of sessions.
 *
 * What a tap does stands in its *plan*, an immutable snapshot made by the control thread: which
 * queues to poll, and for each queue which clients get what passes which filter. A new plan takes
 * the old one's place between two bursts; npf_tap_publish() returns when the tap runs on the new
 * one, so what only the old plan used may be freed then.
 *
 * The datapath takes no lock, allocates nothing, logs nothing, and makes a system call only to wake
 * a sleeping reader or to sleep itself.
 */
#ifndef NPF_ENGINE_DATAPATH_TAP_H
#define NPF_ENGINE_DATAPATH_TAP_H

#include "base/doorbell.h"
#include "engine/config/config.h"
#include "writer/feed/producer.h"
#include "engine/datapath/meter.h"
#include "engine/port/port.h"
#include "jit/bpf.h"
#include "ringbuf/ring.h"

#define NPF_TAP_BURST 32
#define NPF_TAP_SLOT                                                                               \
	NPF_REC_MAXCAP /* a packet that must be made contiguous goes into a slot of this size */

/* Counters of one session on one tap lcore: written by that lcore only, read by the control thread.
 */
struct npf_feed {
	_Atomic uint64_t received; /* packets handled, whatever the filter said */
	_Atomic uint64_t accepted; /* passed filter and direction, delivered or not */
	_Atomic uint64_t
		screened; /* rejected by what is run here of a filter that the reader runs */
} __attribute__((aligned(NPF_CACHELINE)));

/* Add a feed to sums of what a client was shown. Context: any. */
static inline void npf_feed_add(const struct npf_feed *f, uint64_t *receivedp, uint64_t *acceptedp)
{
	*receivedp += atomic_load_explicit(&f->received, memory_order_relaxed);
	*acceptedp += atomic_load_explicit(&f->accepted, memory_order_relaxed);
}

/* One session as one lcore sees it. Immutable. */
struct npf_tap_client {
	uint64_t session; /* id of session or dump; clients of a queue stand in ascending order */
	uint64_t owner;   /* id of the session whose sends are its own; 0: nobody's are */
	struct npf_lane *lane;
	struct npf_dump_producer *dump; /* in place of a lane: straight into a dump's ring */
	struct npf_feed *feed;
	const struct npf_filter *filter_in;  /* for received packets; NULL: accept all */
	const struct npf_filter *filter_out; /* for sent ones */
	uint64_t lane_size;                  /* bytes that the lane can hold */
	uint32_t snaplen;
	uint16_t filter_gen;
	bool want_in, want_out, want_own; /* received; sent by anybody; sent by the owner */
	bool screens;   /* the filter is loose, and the reader runs it: it gets what may pass, whole
			 */
	bool is_merged; /* the session has more lanes than this one: their records wait for its time
			 */
	struct npf_doorbell *bell; /* of the reader; NULL: it never sleeps */
};

/* One filter of a monitor. NULL: accept all. */
struct npf_tap_row {
	const struct npf_filter *in, *out;
};

/* One monitor as one lcore sees it. Immutable, but for what meter and feed count. */
struct npf_tap_meter {
	uint64_t session; /* id; 0: nobody's */
	struct npf_meter *meter;
	struct npf_feed *feed; /* or NULL */
	unsigned int n_rows;
	const struct npf_tap_row *rows;
	bool want_in, want_out, want_own;
};

/*
 * A burst in work on a port that waits for its readers: which packets are left, and which client is
 * next. Belongs to the tap lcore; the control thread touches it only when the queue is in no plan.
 */
struct npf_tap_stall {
	struct rte_mbuf *mbufs[NPF_TAP_BURST];
	uint16_t n, next;
	uint64_t next_session; /* clients below it have packet [next] already */
	uint64_t ts_ns;
};

/* Free what is left of a burst; the queue is in no plan. */
void npf_tap_stall_drop(struct npf_tap_stall *s);

struct npf_tap_queue {
	struct npf_port *port;
	uint16_t queue;
	bool wait; /* overflow: wait */
	struct npf_tap_stall *stall;
	unsigned int n_clients;
	const struct npf_tap_client *clients;
	unsigned int n_meters;
	const struct npf_tap_meter *meters;
};

struct npf_plan {
	unsigned int n_queues;
	struct npf_tap_queue *queues;
};

struct npf_tap;

/* Load of a tap, for `npfctl status`. */
struct npf_tap_load {
	unsigned int lcore;
	int cpu;
	uint64_t polls, busy_polls, packets, sleeps;
};

/* npf_tap_start - launch a tap on a worker lcore; it idles on an empty plan. Return: 0 or -errno.
 */
int npf_tap_start(unsigned int lcore, enum npf_poll poll, struct npf_tap **tp);

/*
 * npf_tap_publish - hand over a new plan (the tap does not own it) and wait until the tap runs on
 * it. Return: the plan before, which nobody uses any more.
 */
struct npf_plan *npf_tap_publish(struct npf_tap *t, struct npf_plan *plan);

/* End the loop and wait for the lcore. No plan is in use afterwards. */
struct npf_tap *npf_tap_stop(struct npf_tap *t);

void npf_tap_load(const struct npf_tap *t, struct npf_tap_load *load);

#endif
