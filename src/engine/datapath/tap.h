/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h - the network tap: lcores that poll rx queues and fill the lanes of sessions.
 *
 * What a tap does stands in its plan (plan.h). A new plan takes the old one's place between two
 * bursts; npf_tap_publish() returns when the tap runs on the new one, so what only the old plan
 * used may be freed then.
 *
 * The datapath takes no lock, allocates nothing, logs nothing, and makes a system call only to wake
 * a sleeping reader or to sleep itself.
 */
#ifndef NPF_ENGINE_DATAPATH_TAP_H
#define NPF_ENGINE_DATAPATH_TAP_H

#include "base/doorbell.h"
#include "engine/config/config.h"
#include "writer/feed/feed.h"
#include "engine/datapath/meter.h"
#include "engine/datapath/plan.h"
#include "engine/port/port.h"
#include "jit/bpf.h"
#include "ringbuf/ring.h"

#define NPF_TAP_SLOT                                                                               \
	NPF_REC_MAXCAP /* a packet that must be made contiguous goes into a slot of this size */

/* Free what is left of a burst; the queue is in no plan. */
void npf_tap_stall_drop(struct npf_tap_stall *s);

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
