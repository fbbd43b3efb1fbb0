/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.h - the door of what is read from savefiles: packet by packet (trace.h), by a thread that
 * reads ahead (ahead.h), or whole, as a replay: the packets of a savefile in memory, and the time
 * at which each is due at a given rate, round after round.
 *
 * Nothing is sent here, and no file is read after loading: the sender takes one packet after the
 * other. A position is a number of packets, so that an interrupted replay goes on behind the last
 * packet sent.
 */
#ifndef NPF_REPLAY_REPLAY_H
#define NPF_REPLAY_REPLAY_H

#include "base/error.h"
#include "base/rate.h"
#include "replay/ahead.h"
#include "replay/trace.h"

/* ---- Savefiles ---- */

struct npf_saved {
	uint64_t off;   /* of its bytes in data: the sum of the lengths before it */
	uint64_t at_ns; /* since the first packet; a packet whose stamp goes back is due at once */
	uint32_t len;   /* bytes that the file holds of it */
};

struct npf_savefile {
	uint8_t *data;
	struct npf_saved *packets;
	size_t n_packets;
	uint64_t bytes;   /* of all packets */
	uint32_t max_len; /* longest packet */
	uint64_t span_ns; /* of a round: up to the last packet, and one mean distance */
	size_t n_cut;     /* packets that the file holds only in part: that part is sent */
	size_t n_skipped; /* packets too short or too long: left out */
};

struct npf_savefile_want {
	size_t limit;              /* stop after so many packets; 0 = all */
	uint32_t min_len, max_len; /* leave out packets that are shorter or longer */
};

/*
 * npf_savefile_load - read a pcap or pcapng file of Ethernet packets.
 * @want: NULL: all packets
 * Return: 0; -EINVAL: it cannot be opened, has another link type, or is damaged (the text says
 *         where); -ENODATA: it has no packet; -ENOMEM; with a text in err.
 * Owns:   *sp is the caller's, freed by npf_savefile_free().
 */
int npf_savefile_load(const char *path, const struct npf_savefile_want *want,
	struct npf_savefile **sp, struct npf_error *err);
struct npf_savefile *npf_savefile_free(struct npf_savefile *s); /* NULL is fine; returns NULL */

/* Remove the packets that do not fit, and count them in n_skipped; the others keep their times.
 * Return: how many were removed, which may be all. */
size_t npf_savefile_keep(struct npf_savefile *s,
	bool (*fits)(const void *arg, const void *frame, uint32_t len), const void *arg);

/* Does the file begin like a pcap or pcapng savefile? */
bool npf_savefile_is(const char *path);

/* ---- The replay ---- */

struct npf_replay {
	/* Set by the user before the first packet. */
	const struct npf_savefile *file;
	struct npf_rate rate; /* not PERCENT */
	uint64_t loops;       /* rounds; 0: without end */
	uint32_t repeat;      /* each packet so many times in a row; at least 1 */

	/* The position: npf_replay_seek() and npf_replay_advance() change it. */
	uint64_t n; /* packets before this position, repetitions counted */
	uint64_t loop;
	size_t packet;
	uint32_t repeated; /* times that this packet was already sent */
};

/* The packet to be sent next. */
struct npf_replay_item {
	const void *frame; /* Lifetime: the file's */
	uint32_t len;
	uint32_t repeat; /* how often; at least 1 */
	bool timed;
	uint64_t at_ns; /* timed: when the first of these is due, since the replay's beginning */
};

/* When the packet at the position is due, ns since the replay's beginning; not for asap. */
uint64_t npf_replay_due(const struct npf_replay *r);

/* Return: false: the replay has ended. */
static inline bool npf_replay_next(const struct npf_replay *r, struct npf_replay_item *it)
{
	const struct npf_saved *p = &r->file->packets[r->packet];

	if (r->loops > 0 && r->loop >= r->loops)
		return false;
	it->frame = r->file->data + p->off;
	it->len = p->len;
	it->repeat = r->repeat - r->repeated;
	it->timed = r->rate.kind != NPF_RATE_ASAP;
	it->at_ns = it->timed ? npf_replay_due(r) : 0;
	return true;
}

/* The item was sent, or will be: go on to the next. */
static inline void npf_replay_advance(struct npf_replay *r)
{
	r->n += r->repeat - r->repeated;
	r->repeated = 0;
	if (++r->packet == r->file->n_packets) {
		r->packet = 0;
		r->loop++;
	}
}

/* Set the position behind the first n packets, repetitions counted. */
void npf_replay_seek(struct npf_replay *r, uint64_t n);

/* Packets of one round, and bytes of the first n packets; repetitions counted. */
uint64_t npf_replay_round(const struct npf_replay *r);
uint64_t npf_replay_bytes(const struct npf_replay *r, uint64_t n);

#endif
