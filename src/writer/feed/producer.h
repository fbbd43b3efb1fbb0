/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * producer.h - writes packets into a dump's ring, as the bytes of files.
 *
 * Each packet that is received, missed or dropped is counted in one file: the open file, else the
 * next one. So the statistics of all files add up to the dump's counters. Losses after the last
 * file are counted in one more file, which has no packets. Two things are in the dump's counters
 * alone: losses for which that file found no room (in the ring, or within the dump's limits), and
 * packets after the last file that the filter rejected.
 *
 * A burst of packets goes between npf_writer_burst_begin() and npf_writer_burst_commit().
 *
 * Context: one thread at a time: the tap lcore that feeds the dump, or the thread that merges
 * several taps; after these the control thread, which ends the dump. Wait-free, no system call.
 */
#ifndef NPF_WRITER_FEED_PRODUCER_H
#define NPF_WRITER_FEED_PRODUCER_H

#include "base/copy.h"
#include "writer/feed/rotation.h"
#include "writer/feed/ring.h"
#include "ringbuf/ring.h"

struct npf_writer_retro;

/* Written by the producer with each commit, read by any thread. */
struct npf_writer_counters {
	_Atomic uint64_t received;      /* packets that the tap handled, whatever the filter said */
	_Atomic uint64_t written;       /* packets put into the ring, on their way into a file */
	_Atomic uint64_t bytes;         /* bytes of files put into the ring */
	_Atomic uint64_t drop_disk;     /* no room in the ring: the disk is full or too slow */
	_Atomic uint64_t drop_oversize; /* larger than any file may be */
};

struct npf_writer_producer {
	struct npf_writer_ring *ring;
	struct npf_writer_rotation rotation;
	uint64_t pos;   /* next byte of the ring to write */
	uint64_t limit; /* pos may grow to here: the tail as last read, plus the ring's size */
	enum npf_writer_format format;
	uint32_t trailer;
	uint64_t last_ns;
	uint64_t now_ns;      /* real time, as of the last tick */
	uint64_t idle_end_ns; /* real time at which the open file ends though no packet comes */
	const void *head;     /* bytes that each file starts with */
	uint64_t received, drop_disk, drop_oversize;
	uint64_t pending; /* packets of the burst, counted in received, that come after the last
			     one put: they may belong to the next file */
	/* Several taps only: what the taps have counted so far. */
	uint64_t rejected;                 /* packets that the filter rejected; part of received */
	uint64_t accepted;                 /* packets that it accepted, merged or not */
	uint64_t rejected_last;            /* rejected, as the last update had it */
	struct npf_writer_file_stats base; /* the sum of the files before the open one */
	uint64_t first_ns;                 /* of the open file */
	uint64_t no_room_ns;            /* stamp of the last record that found no room; 0: none */
	struct npf_writer_retro *retro; /* NULL: every packet is on its way to disk */
	bool over;
	struct npf_writer_counters counters;
	_Atomic uint64_t missed; /* the port's own losses, as the control thread last saw them */
};

struct npf_writer_producer_conf {
	struct npf_writer_ring *ring;
	const struct npf_writer_params *params; /* complete. Lifetime: the call */
	const void *head;                       /* Lifetime: the producer's */
	uint32_t head_size;
	const struct npf_writer_timezone *timezone; /* NULL: UTC. Lifetime: the producer's */
};

/*
 * npf_writer_producer_init - nothing is in the ring yet, and no file is open.
 * Return: 0; -EINVAL: not even an empty file fits the limits; -ENOMEM.
 * Owns:   npf_writer_producer_fini() frees what the producer allocates.
 */
int npf_writer_producer_init(
	struct npf_writer_producer *p, const struct npf_writer_producer_conf *conf);
void npf_writer_producer_fini(struct npf_writer_producer *p);

/*
 * npf_writer_open_file - begin the first file before the first packet.
 * @now_ns: its time, CLOCK_REALTIME
 * Return:  0; -ENOBUFS: no room in the ring.
 */
int npf_writer_open_file(struct npf_writer_producer *p, uint64_t now_ns);

/* A burst of n packets was received. Those that the filter accepts are put next. */
static inline void npf_writer_burst_begin(struct npf_writer_producer *p, unsigned int n)
{
	p->received += n;
	p->pending = n;
}

/* The last n packets of the burst have not been counted for a file yet; the next one to be put is
 * the first of them. They count for the file that is open when the burst is committed. */
static inline void npf_writer_burst_pending(struct npf_writer_producer *p, unsigned int n)
{
	p->pending = n;
}

/*
 * npf_writer_merge_counts - several taps: what they have counted so far, in all.
 * @received: packets
 * @accepted: of these, packets that the filter accepted
 *
 * A burst that is merged has accepted packets only, and may come much later. The rejected ones are
 * known from here alone. So a file's received is never less than the packets in it.
 *
 * A tap counts a burst as received before it counts what was accepted, so one reading may find too
 * many rejected packets. Of two readings the lesser is taken.
 */
void npf_writer_merge_counts(struct npf_writer_producer *p, uint64_t received, uint64_t accepted);

/* The taps have stopped, and all that they put was merged. What they accepted beyond that was
 * dropped for want of room, and is counted so. */
void npf_writer_merge_end(struct npf_writer_producer *p);

/* One packet of the burst found no room and will come again with another burst. */
static inline void npf_writer_burst_uncount(struct npf_writer_producer *p)
{
	p->received--;
}

/* The slow path of npf_writer_put(). Return: 1: there is room; 0: the packet is not written, since
 * it is too large (counted) or the dump is over; -1: no room. */
int npf_writer_make_room(struct npf_writer_producer *p, uint32_t size, uint64_t ts_ns);

/* The open file has taken its last packet. */
void npf_writer_file_full(struct npf_writer_producer *p);

bool npf_writer_retro_put(
	struct npf_writer_producer *p, const struct npf_rec *hdr, const void *data);

/*
 * npf_writer_put - write one packet of the burst.
 * @hdr: ts_ns, caplen, len and flags are read
 * Return: true: written, or the dump is over; false: no room: count the packet with
 *         npf_writer_drop(), or put it again later.
 */
static inline bool npf_writer_put(
	struct npf_writer_producer *p, const struct npf_rec *hdr, const void *data)
{
	bool outbound = (hdr->flags & NPF_REC_OUTBOUND) != 0;
	uint32_t size = npf_writer_record_size(p->format, hdr->caplen, outbound);
	uint8_t *at;

	if (p->retro != NULL)
		return npf_writer_retro_put(p, hdr, data);
	if (NPF_UNLIKELY(!npf_writer_rotation_fits(&p->rotation, size, hdr->ts_ns) ||
			 p->pos + size + p->trailer > p->limit)) {
		int rc = npf_writer_make_room(p, size, hdr->ts_ns);

		if (rc <= 0)
			return rc == 0;
	}
	at = npf_writer_encode_record(p->format, npf_writer_ring_at(p->ring, p->pos), hdr->ts_ns,
		hdr->caplen, hdr->len, outbound);
	npf_copy(at, data, hdr->caplen);
	p->pos += size;
	p->last_ns = hdr->ts_ns;
	npf_writer_rotation_put(&p->rotation, size);
	if (NPF_UNLIKELY(npf_writer_rotation_is_full(&p->rotation)))
		npf_writer_file_full(p);
	return true;
}

/* Count n packets that were accepted and found no room. */
static inline void npf_writer_drop(struct npf_writer_producer *p, uint64_t n)
{
	p->drop_disk += n;
}

/* Is there room for the longest record, even if a file has to be closed and one opened for it? */
bool npf_writer_has_room(struct npf_writer_producer *p);

/* Publish what was put, to the worker and in the counters. */
void npf_writer_burst_commit(struct npf_writer_producer *p);

/* Close a file whose time is over, answer triggers. To be called about once a millisecond, also
 * when no packet arrives. */
void npf_writer_tick(struct npf_writer_producer *p, uint64_t now_ns);

/* End the dump: close the open file. A dump without packets makes an empty file, and so do losses
 * that no file has counted yet. */
void npf_writer_end(struct npf_writer_producer *p);

#endif
