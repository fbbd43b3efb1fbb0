/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.h - what a tap lcore does, as data: which queues it polls and who gets what of each.
 *
 * A plan is an immutable snapshot, made by the control thread (core/plan.h) and handed to a tap
 * between two bursts (tap.h). What it points to lives at least as long as the plan.
 */
#ifndef NPF_ENGINE_DATAPATH_PLAN_H
#define NPF_ENGINE_DATAPATH_PLAN_H

#include "engine/datapath/budget.h"

#include <stdatomic.h>

#define NPF_TAP_BURST 32

struct npf_doorbell;
struct npf_writer_producer;
struct npf_filter;
struct npf_filter_set;
struct npf_filter_set_scratch;
struct npf_lane;
struct npf_meter;
struct npf_port;
struct rte_mbuf;

/* Counters of one client on one tap lcore: written by that lcore only, read by the control thread.
 */
struct npf_tap_counters {
	_Atomic uint64_t received;    /* packets handled, whatever the filter said */
	_Atomic uint64_t accepted;    /* passed filter and direction, delivered or not */
	_Atomic uint64_t screened;    /* rejected by the half of a filter that is run here, when the
					 reader runs the other */
	_Atomic uint64_t over_budget; /* of received: its user had no time left on this lcore */
	bool is_cheap;                /* the lcore's: it takes little time a packet */
} __attribute__((aligned(NPF_CACHELINE)));

/* A counter with one writer: no locked instruction is needed, only that readers see no torn value.
 */
static inline void npf_tap_count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Add the counters of one tap to sums. Context: any. */
static inline void npf_tap_counters_add(
	const struct npf_tap_counters *c, uint64_t *receivedp, uint64_t *acceptedp)
{
	*receivedp += atomic_load_explicit(&c->received, memory_order_relaxed);
	*acceptedp += atomic_load_explicit(&c->accepted, memory_order_relaxed);
}

/* A session or a dump, as one lcore sees it. Immutable. */
struct npf_tap_client {
	uint64_t session; /* id of session or dump; clients of a queue are in ascending order */
	uint64_t owner;   /* id of the session whose sends are its own; 0: nobody's are */
	struct npf_lane *lane;
	struct npf_writer_producer *dump; /* in place of a lane: straight into a dump's ring */
	struct npf_tap_counters *counters;
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
	struct npf_doorbell *bell;     /* of the reader; NULL: it never sleeps */
	struct npf_tap_budget *budget; /* of its user on this lcore; NULL: it has no limit */
	unsigned int share;            /* of NPF_TAP_WHOLE, that the budget is filled at */
};

/* One filter of a monitor. NULL: accept all. */
struct npf_tap_row {
	const struct npf_filter *in, *out;
};

/* One monitor as one lcore sees it. Immutable, but for what meter and counters count. */
struct npf_tap_meter {
	uint64_t session; /* id; 0: nobody's */
	struct npf_meter *meter;
	struct npf_tap_counters *counters; /* or NULL */
	unsigned int n_rows;
	const struct npf_tap_row *rows;
	bool want_in, want_out, want_own;
	struct npf_tap_budget *budget; /* as a client's */
	unsigned int share;
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

/* A client whose filter is a member of the queue's set. */
struct npf_tap_member {
	uint32_t number; /* in the set */
	uint32_t keep;   /* its result for what it accepts */
	const struct npf_tap_client *client;
};

struct npf_tap_unsettled {
	uint64_t packets; /* received, of every member */
	uint64_t cycles;  /* TSC: that the set took, where members have budgets */
};

struct npf_tap_queue {
	struct npf_port *port;
	uint16_t queue;
	bool wait; /* overflow: wait */
	struct npf_tap_stall *stall;
	unsigned int n_clients;
	const struct npf_tap_client *clients;
	unsigned int n_meters;
	const struct npf_tap_meter *meters;
	bool has_budgets; /* of any client or meter */
	/*
	 * The filters of several clients in one, for received packets; or NULL. Where it has
	 * answered, members are looked at only when they accept something: all that is counted for
	 * every one of them waits in `unsettled`.
	 */
	const struct npf_filter_set *set;
	struct npf_filter_set_scratch *scratch;
	unsigned int n_members;
	const struct npf_tap_member *members;
	unsigned int n_others; /* clients that it does not answer for */
	const struct npf_tap_client *const *others;
	struct npf_tap_unsettled *unsettled; /* the lcore's */
};

struct npf_plan {
	unsigned int n_queues;
	struct npf_tap_queue *queues;
};

#endif
