/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * producer.h - packets into a dump ring, as the bytes of files.
 *
 * Each packet that is received, missed or dropped is counted in one file: the one that is open,
 * else the next that is opened, so that all files together tell what the dump's counters do. What
 * is lost after the last file was closed is told by one more with no packet in it. Only where that
 * finds no room (in the ring, or in the limit of the dump) the dump's own counters alone have it,
 * as they have packets that come after the last file and that no filter takes.
 *
 * Belongs to one thread at a time: the tap lcore that feeds the dump, the thread that merges
 * several, and after these the control thread, which ends it. Never waits, makes no system call.
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
	uint64_t limit; /* pos may grow to here: where the tail was when last looked at, and the
			   size of the ring */
	enum npf_writer_format format;
	uint32_t trailer;
	uint64_t last_ns;
	uint64_t now_ns;      /* real time, as of the last tick */
	uint64_t idle_end_ns; /* real time at which the open file ends though no packet comes */
	const void *head;     /* bytes that each file starts with */
	uint64_t received, drop_disk, drop_oversize;
	uint64_t pending; /* packets of a burst in received that come after all that was put: they
			    may belong to the next file */
	/* Several taps: packets that no filter took, which are part of received, and packets that a
	 * filter took, which are when they have been merged. */
	uint64_t rejected, accepted;
	uint64_t rejected_last;            /* rejected, too, as of the last look alone */
	struct npf_writer_file_stats base; /* what the files before this one have told of */
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

/* Begin a file now, not with the first packet. Return: 0, or -ENOBUFS. */
int npf_writer_open_file(struct npf_writer_producer *p, uint64_t now_ns);

/* A burst of n packets was received; those that pass the filter follow. */
static inline void npf_writer_burst_begin(struct npf_writer_producer *p, unsigned int n)
{
	p->received += n;
	p->pending = n;
}

/* Of a burst, so many packets have not been looked at yet, the next to be put among them. */
static inline void npf_writer_burst_pending(struct npf_writer_producer *p, unsigned int n)
{
	p->pending = n;
}

/*
 * npf_writer_merge_counts - where several taps are merged: what they have counted so far, in all.
 *
 * Packets that passed a filter are given to npf_writer_burst_begin() as they are merged, which may
 * be much later; those that did not are known from here only. So a file's received is never less
 * than what it took. A tap counts a burst as received first, so one look may find too many that did
 * not pass: of two looks the lesser is believed.
 */
void npf_writer_merge_counts(struct npf_writer_producer *p, uint64_t received, uint64_t accepted);

/* All that the taps let through was merged: what is missing of it they had no room for. */
void npf_writer_merge_end(struct npf_writer_producer *p);

/* One packet of these will come again: there was no room for it. */
static inline void npf_writer_burst_uncount(struct npf_writer_producer *p)
{
	p->received--;
}

/* The rare half of npf_writer_put(): 1: put it; 0: dealt with; -1: no room. */
int npf_writer_make_room(struct npf_writer_producer *p, uint32_t size, uint64_t ts_ns);

/* A file has taken its last packet. */
void npf_writer_file_full(struct npf_writer_producer *p);

bool npf_writer_retro_put(
	struct npf_writer_producer *p, const struct npf_rec *hdr, const void *data);

/*
 * npf_writer_put - one packet.
 * @hdr: ts_ns, caplen, len and flags count
 * Return: true: written, or not wanted any more; false: no room: count it with npf_writer_drop(),
 * or come again.
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

/* Packets that were accepted and found no room. */
static inline void npf_writer_drop(struct npf_writer_producer *p, uint64_t n)
{
	p->drop_disk += n;
}

/* Is there room for any record, whatever it takes to put it? */
bool npf_writer_has_room(struct npf_writer_producer *p);

/* Publish what was put, once a burst. */
void npf_writer_burst_commit(struct npf_writer_producer *p);

/* What time brings; to be called every millisecond or so, also when nothing arrives. */
void npf_writer_tick(struct npf_writer_producer *p, uint64_t now_ns);

/* The dump is over: closes the open file. An empty dump makes an empty file, and so do losses that
 * no file has told of. */
void npf_writer_end(struct npf_writer_producer *p);

#endif
