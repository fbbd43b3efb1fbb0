/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sender.h - the send worker: one thread that moves frames from tx lanes to ports.
 *
 * It runs on the main lcore's CPU, or on one of its own (npf.send_cpu). Its plan has the lanes that
 * it serves, as with the taps: npf_sender_publish() returns when the old plan is not in use any
 * more.
 */
#ifndef NPF_ENGINE_SEND_SENDER_H
#define NPF_ENGINE_SEND_SENDER_H

#include "engine/send/pace.h"
#include "engine/datapath/datapath.h"
#include "ringbuf/tx/tx.h"

#define NPF_SEND_BURST  NPF_TXQ_BURST
#define NPF_SEND_COPIES 1024 /* most mbufs that one repeated frame is spread over */

/* One session's lane and what the worker has in work of it. The control thread writes the constant
 * part, the worker the rest. */
struct npf_send_lane {
	/* Constant. */
	struct npf_tx_lane *lane;
	struct npf_port *port; /* NULL: removed, all fails */
	uint64_t session;
	uint32_t room; /* bytes of a frame that one mbuf holds */

	/* A burst in work: mbufs[next..n) are to be sent; end[i] is settled once i was; 0: nothing.
	 */
	struct rte_mbuf *mbufs[NPF_SEND_BURST];
	uint64_t end[NPF_SEND_BURST];
	unsigned int n, next;
	unsigned int n_lost; /* of the last burst, by the driver; they fail */
	bool timed;          /* it is one frame with a schedule: */
	uint64_t at_ns;      /* its time in the schedule */
	uint64_t due_ns;     /* when it may leave */
	uint64_t time_ns;    /* when it should */
	bool nowait;         /* what the port has no room for fails */
	uint64_t active_ns;  /* since when the port has taken nothing; 0: nothing is in work */

	/* Sent, but not published to the client yet: so many packets, up to done_end (0: in the
	 * middle of a repeated frame). */
	unsigned int done;
	uint64_t done_end, published_end;

	/* mbufs at hand, while there is something to send. */
	struct rte_mbuf *spare[NPF_SEND_BURST];
	unsigned int n_spare;

	/* Taken from the lane, but not in the burst yet, or not wholly. */
	bool has_item;
	struct npf_tx_item item;
	uint32_t left;            /* its repetitions still to come; 0: it was not begun */
	struct rte_mbuf **copies; /* of a repeated frame; NPF_SEND_COPIES pointers */
	unsigned int n_copies, copy;

	int skipping; /* < 0: a frame of the batch failed: so do all up to the next batch */
	struct npf_pace pace;
};

/* @lane: stays the caller's, also when this fails, and must outlive s. */
int npf_send_lane_init(
	struct npf_send_lane *s, struct npf_port *port, uint64_t session, struct npf_tx_lane *lane);
/* The port is removed. The worker does not serve the lane now. What is in work fails, and so does
 * all that comes once the lane is served again. Frees the port's mbufs and drops the pointer to the
 * port. */
void npf_send_lane_detach_port(struct npf_send_lane *s);
/* The worker does not serve it. What was not sent counts as failed. */
void npf_send_lane_fini(struct npf_send_lane *s);

/*
 * npf_send_lane_serve - send a burst, if there is one and its time has come.
 * @now_ns: CLOCK_MONOTONIC
 * @againp: 0: the lane has nothing to send; else when to serve it again
 * Context: the worker.
 * Return:  packets that were sent or failed.
 */
unsigned int npf_send_lane_serve(struct npf_send_lane *s, uint64_t now_ns, uint64_t *againp);

struct npf_send_plan {
	unsigned int n_lanes;
	struct npf_send_lane *lanes[];
};

struct npf_sender;

/* @cpu: -1: where the caller runs. Return: 0 or -errno. */
int npf_sender_start(int cpu, struct npf_sender **sp);
/* Its plan is empty or absent. NULL is fine; returns NULL. */
struct npf_sender *npf_sender_stop(struct npf_sender *s);

/* The plan that was published last; NULL: it is empty. */
struct npf_send_plan *npf_sender_plan(const struct npf_sender *s);

/* Return: the plan before, which nobody uses any more. NULL plans are empty. */
struct npf_send_plan *npf_sender_publish(struct npf_sender *s, struct npf_send_plan *plan);

#endif
