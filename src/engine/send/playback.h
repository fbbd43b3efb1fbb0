/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * playback.h - a thread that plays a replay's packets into a tx lane, as a client would. No DPDK
 * here.
 *
 * When the port does not take a packet, nothing is lost. The thread goes back to the first packet
 * that was not sent, and tries it alone and without waiting, once a second and when the port starts
 * to run. Once it is sent the rest follows, by a schedule that starts anew.
 */
#ifndef NPF_ENGINE_SEND_PLAYBACK_H
#define NPF_ENGINE_SEND_PLAYBACK_H

#include "replay/replay.h"
#include "ringbuf/tx/tx.h"

enum npf_playback_state {
	NPF_PLAYBACK_WAITING, /* the port does not run */
	NPF_PLAYBACK_SENDING,
	NPF_PLAYBACK_STALLED, /* the port runs, and does not take the next packet */
	NPF_PLAYBACK_DONE,    /* all was sent */
};

struct npf_playback_view {
	enum npf_playback_state state;
	uint64_t stalls; /* times that the port took nothing */
	int error;       /* why, the last time: -ENOBUFS, -ENETDOWN, ...; 0: never */
};

struct npf_playback;

/*
 * npf_playback_start - start the thread; it begins with the replay's first packet once the port
 * runs.
 * @replay: Lifetime of its file: until npf_playback_stop()
 * @lane:   whose descriptors are copied; a worker must serve it
 * Return:  0, or -errno.
 */
int npf_playback_start(
	const struct npf_replay *replay, const struct npf_tx_lane *lane, struct npf_playback **fp);

/* End the thread at once; what is in the lane stays there. NULL is fine; returns NULL. */
struct npf_playback *npf_playback_stop(struct npf_playback *f);

/* Set whether the port runs. At the start it does not. */
void npf_playback_set_live(struct npf_playback *f, bool live);

void npf_playback_view(const struct npf_playback *f, struct npf_playback_view *v);

#endif
