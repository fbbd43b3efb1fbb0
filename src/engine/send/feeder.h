/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feeder.h - a thread that puts a replay's packets into a tx lane, as a client would, for as long
 * as there are any. No DPDK in here.
 *
 * When the port does not take a packet, nothing is lost: the feeder goes back to the first that was
 * not sent, and tries that one alone and without waiting, once a second or when it is told that the
 * port runs again; once it has gone the rest follows, by a schedule that starts anew.
 */
#ifndef NPF_ENGINE_SEND_FEEDER_H
#define NPF_ENGINE_SEND_FEEDER_H

#include "replay/replay.h"
#include "ringbuf/tx/tx.h"

enum npf_feeder_state {
	NPF_FEEDER_WAITING, /* the port does not run */
	NPF_FEEDER_SENDING,
	NPF_FEEDER_STALLED, /* the port runs, and does not take the next packet */
	NPF_FEEDER_DONE,    /* all was sent */
};

struct npf_feeder_view {
	enum npf_feeder_state state;
	uint64_t stalls; /* times that the port took nothing */
	int error;       /* why, the last time: -ENOBUFS, -ENETDOWN, ...; 0: never */
};

struct npf_feeder;

/*
 * npf_feeder_start - begin with the replay's first packet, once the port runs.
 * @replay: Lifetime of its file: until npf_feeder_stop()
 * @lane:   whose descriptors are copied; a worker must serve it
 * Return:  0, or -errno.
 */
int npf_feeder_start(
	const struct npf_replay *replay, const struct npf_tx_lane *lane, struct npf_feeder **fp);

/* Ends it at once, wherever it is; what is in the lane stays there. NULL is fine; returns NULL. */
struct npf_feeder *npf_feeder_stop(struct npf_feeder *f);

/* Does the port run? Not, to begin with. */
void npf_feeder_set_live(struct npf_feeder *f, bool live);

void npf_feeder_view(const struct npf_feeder *f, struct npf_feeder_view *v);

#endif
