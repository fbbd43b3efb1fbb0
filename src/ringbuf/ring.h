/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h - the door of the sliding-window ring.
 *
 * One session owns one *buffer*; a buffer has one *lane* per tap lcore that feeds it. A lane is a
 * single-producer, single-consumer ring of variable-length records in shared memory, mapped
 * twice back to back so that no record splits or wraps. The engine holds the producer side
 * (struct npf_lane), libnpfdp the consumer side (struct npf_reader), which merges the lanes in
 * time order.
 *
 * The producer never waits, never trusts a word that the client can write, and makes no system
 * call. Its caller decides what to do about a full lane or a sleeping reader.
 */
#ifndef NPF_RINGBUF_RING_H
#define NPF_RINGBUF_RING_H

#include "base/base.h"
#include "ringbuf/memory.h"

#include <assert.h>

#define NPF_REC_ALIGN   16
#define NPF_REC_MAXCAP  (256u << 10) /* largest caplen that a record can have, bytes */
#define NPF_LANES_MAX   32
#define NPF_BUFFER_NFDS (2 + NPF_LANES_MAX) /* producer words, consumer words, one per lane */
#define NPF_BUFFER_MIN  (64u << 10)
#define NPF_BUFFER_MAX  (1ull << 40)

/* Record flags. */
#define NPF_REC_OUTBOUND  0x0001u /* sent through the port, not received on it */
#define NPF_REC_VLAN      0x0002u /* the outer VLAN tag was restored: the port had stripped it */
#define NPF_REC_CSUM_GOOD 0x0004u /* the port checked the L4 checksum: correct */
#define NPF_REC_CSUM_BAD  0x0008u /* the port checked the L4 checksum: wrong */
#define NPF_REC_HW_STAMP  0x0010u /* ts_ns comes from the port, not from the host's clock */
#define NPF_REC_COUNTS    0x0020u /* no packet: the counts of an interval, see the wire protocol */

/*
 * One captured packet: this header, caplen bytes of data, padding to NPF_REC_ALIGN.
 * Written by the producer, read-only to the client.
 */
struct npf_rec {
	uint64_t ts_ns;      /* since the Unix epoch */
	uint32_t caplen;     /* bytes of data that follow */
	uint32_t len;        /* bytes that the packet had on the wire, without FCS */
	uint32_t gap;        /* packets of this lane dropped right before this one; saturates */
	uint16_t flags;      /* NPF_REC_* */
	uint16_t filter_gen; /* generation of the filter that accepted it */
	uint16_t port;       /* index of the port, as in the wire protocol */
	uint16_t queue;      /* rx queue */
	uint32_t seq;        /* number of the record in its lane, mod 2^32; set by the ring */
};
static_assert(sizeof(struct npf_rec) == 32, "records are laid out for 16-byte copies");

/* Bytes of ring that a record with caplen bytes of data takes. */
static inline uint64_t npf_rec_space(uint32_t caplen)
{
	return NPF_ALIGN_UP((uint64_t)sizeof(struct npf_rec) + caplen, NPF_REC_ALIGN);
}

/* Why a packet that the filter accepted was not delivered. */
enum npf_drop {
	NPF_DROP_FULL,        /* no room: the reader is too slow for this buffer */
	NPF_DROP_OVERWRITTEN, /* overwrite mode: replaced by a newer packet. The producer also
				 counts a record that the reader was just reading; the reader's
				 figure is exact */
	NPF_DROP_OVERSIZE,    /* record larger than the whole lane */
	NPF_N_DROP,
};

/* Counters of a lane, a buffer or a session; all since its creation. */
struct npf_ring_counters {
	uint64_t packets;          /* records committed */
	uint64_t bytes;            /* caplen bytes committed */
	uint64_t drop[NPF_N_DROP]; /* packets dropped, by cause */
};

/* ---- Buffer: made and owned by the engine's control thread ---- */

struct npf_buffer;
struct npf_lane;

struct npf_buffer_conf {
	uint64_t size;    /* budget of the session, bytes; rounded up to the page size */
	uint16_t n_lanes; /* 1..NPF_LANES_MAX */
	bool hugepages;   /* try hugepages first, unless size is less than one; else plain pages */
	bool overwrite;   /* full: overwrite the oldest records instead of dropping the newest */
	uint64_t mintocopy;  /* a sleeping reader is woken at this many bytes; 0 = at once. At most
				half of size counts: else a full lane might never wake its reader */
	uint64_t timeout_ns; /* ... or when a record has waited this long; 0 = never by time */
	uint64_t start_pos;  /* first position, a multiple of NPF_REC_ALIGN; tests of wrap-around
				only, else 0 */
};

struct npf_buffer_info {
	uint64_t size;   /* bytes that one lane can hold */
	uint64_t memory; /* bytes of memory that the buffer takes in all: n_lanes * size, since any
			    lane can hold the whole budget, and the words */
	uint32_t page_size; /* of the data: 4096, or that of the hugepages used */
	uint16_t n_lanes;
};

/*
 * npf_buffer_new - allocate, prefault and seal the memory of a session's buffer.
 *
 * Return: 0; -EINVAL: conf out of range; -ENOMEM: the machine, or the control group, does not have
 *         that much left; or the error of memfd_create() or mmap(). A failure leaves nothing
 * behind. Owns:   *bp is the caller's, freed by npf_buffer_free() once no producer uses its lanes.
 */
int npf_buffer_new(const struct npf_buffer_conf *conf, struct npf_buffer **bp);
struct npf_buffer *npf_buffer_free(struct npf_buffer *b); /* NULL is fine; returns NULL */

void npf_buffer_info(const struct npf_buffer *b, struct npf_buffer_info *info);

/*
 * npf_buffer_fds - the descriptors to pass to the client: producer words, consumer words, data of
 * lane 0, 1, ... Return: how many. They stay the buffer's. With them a client can write the
 * consumer words and nothing else, and cannot change a size.
 */
unsigned int npf_buffer_fds(const struct npf_buffer *b, int fds[NPF_BUFFER_NFDS]);

/* Change when a sleeping reader is woken; effective from the producers' next commit or tick.
 * Context: any thread. */
void npf_buffer_set_wake(struct npf_buffer *b, uint64_t mintocopy, uint64_t timeout_ns);

/* Sum over the lanes. Context: any thread; exact while no producer writes. */
void npf_buffer_counters(const struct npf_buffer *b, struct npf_ring_counters *c);

/* Bytes committed and not yet freed by the reader, all lanes. Context: any thread; a momentary
 * value. */
uint64_t npf_buffer_used(const struct npf_buffer *b);

/* Lane i, i < n_lanes. Lifetime: the buffer's. */
struct npf_lane *npf_buffer_lane(struct npf_buffer *b, unsigned int i);

/* ---- Lane: the producer side, owned by one tap lcore ---- */

/*
 * npf_lane_reserve - claim room for one record.
 * @caplen: bytes of packet data, <= NPF_REC_MAXCAP
 *
 * The room is contiguous. The caller fills in the header, but for caplen, gap and seq, which are
 * set here and must stay, and caplen bytes of data; the consumer sees nothing before
 * npf_lane_commit(). Several records can be reserved before one commit, which must come before
 * waiting for room. In overwrite mode old records make room.
 *
 * Context: producer thread only; wait-free, no system call.
 * Return:  the record, or NULL when there is no room: count it with npf_lane_drop(), or, on a
 *          port that waits, commit and try again later.
 */
struct npf_rec *npf_lane_reserve(struct npf_lane *l, uint32_t caplen);

/*
 * npf_lane_try - reserve, fill and copy in one step, or change nothing.
 * @hdr:  ts_ns, caplen, len, flags, filter_gen, port and queue are taken from here
 * @data: caplen contiguous bytes
 * Return: true when the record was written, false when there was no room: try again later.
 */
bool npf_lane_try(struct npf_lane *l, const struct npf_rec *hdr, const void *data);

/*
 * npf_lane_put - reserve, fill and copy in one step; drops and counts when there is no room.
 * @hdr:  ts_ns, caplen, len, flags, filter_gen, port and queue are taken from here
 * @data: caplen contiguous bytes
 * Return: true when the record was written, false when it was dropped (and counted).
 */
bool npf_lane_put(struct npf_lane *l, const struct npf_rec *hdr, const void *data);

/* A burst's packets, for npf_lane_put_burst(): arrays by the packet's place in the burst. */
struct npf_lane_burst {
	const struct npf_rec *hdr;  /* ts_ns, len, flags, port and queue are taken from here */
	const uint8_t *const *data; /* contiguous bytes */
	const uint32_t *caplen;     /* bytes to copy */
	uint16_t filter_gen;
};

/*
 * npf_lane_put_burst - as npf_lane_put() for each packet of a burst whose bit is set, in order.
 * @mask: bit i: packet i, of at most 64
 */
void npf_lane_put_burst(struct npf_lane *l, const struct npf_lane_burst *b, uint64_t mask);

/* memcpy() into a reserved record, with stores that npf_lane_commit() orders. For a packet in
 * pieces: one call a piece. */
void npf_lane_copy(void *dst, const void *src, size_t n);

/* Count packets that were accepted but not written, and mark the gap in the next record. */
void npf_lane_drop(struct npf_lane *l, enum npf_drop cause, uint64_t n);

/*
 * npf_lane_commit - publish everything reserved so far, once per burst.
 * @now_ns: time of the burst, by the clock of the records' stamps. It becomes the lane's watermark:
 *          every later record of this lane bears this stamp or a later one. While the clock is
 *          behind an earlier watermark the lane promises nothing, and records of other lanes do not
 *          wait for it
 * Return:  true when the reader sleeps and is due to be woken: ring its doorbell. At most once
 *          per sleep and lane.
 */
bool npf_lane_commit(struct npf_lane *l, uint64_t now_ns);

/*
 * npf_lane_tick - advance the watermark, and check a sleeping reader's timeout. To be called at
 * least every millisecond, also when nothing arrives. A record has waited since the first tick that
 * found it.
 * @mono_ns: CLOCK_MONOTONIC, for the timeout
 * Return: true when the reader is due to be woken.
 */
bool npf_lane_tick(struct npf_lane *l, uint64_t now_ns, uint64_t mono_ns);

/* The doorbell could not be rung: commit and tick return true again. Context: producer thread. */
void npf_lane_wake_later(struct npf_lane *l);

/*
 * npf_lane_close - end the lane behind the last reserved record.
 *
 * The reader drains the lane, then goes on to the lane of the same number in the next buffer, or
 * sees the end. Every lane of a buffer that is replaced must be closed, also one without a record.
 * Ring the reader's doorbell afterwards, whether it sleeps or not. No record can be reserved any
 * more. Drops behind the last record are marked by the reader, in the first record that it hands
 * out after the switch.
 *
 * Context: producer thread; another thread once that has stopped using the lane.
 */
void npf_lane_close(struct npf_lane *l);

/* Return: 0, or -EPROTO once the reader's position was out of range or went back: end the session.
 * Such a lane takes no further record. Context: any thread. */
int npf_lane_fault(const struct npf_lane *l);

/* The same for all lanes of a buffer. */
void npf_buffer_close(struct npf_buffer *b);
int npf_buffer_fault(const struct npf_buffer *b);

/* ---- Reader: the consumer side, in the client ---- */

struct npf_reader;

/* A record as handed out. Its lengths are checked copies: shared memory is not read again. */
struct npf_view {
	uint64_t ts_ns;
	uint32_t caplen;
	uint32_t len;
	uint32_t gap;
	uint16_t flags;
	uint16_t filter_gen;
	uint16_t port;
	uint16_t queue;
	const uint8_t *data; /* caplen bytes, read-only; valid until released */
};

/*
 * npf_reader_new - a reader with no buffer yet.
 * @wake_fd: readable once the engine has rung: the session's doorbell, or an eventfd. It does not
 *           block, stays the caller's and must outlive the reader; -1: the reader never sleeps
 * Return:   0 or -ENOMEM.
 */
int npf_reader_new(int wake_fd, struct npf_reader **rp);
struct npf_reader *npf_reader_free(struct npf_reader *r);

/*
 * npf_reader_add - map a buffer (npf_buffer_fds() of the other side) that replaces the one before.
 *
 * The reader reads each lane of the old buffer to its end, then the new one's lane of the same
 * number. Add a buffer before the first npf_reader_next() after an old lane was closed: then the
 * records of all lanes stay in time order. The descriptors stay the caller's, who may close them on
 * return. An armed reader is no longer armed.
 *
 * Return: 0; -EPROTO: sizes, seals or words are not as the engine makes them; -ENOMEM, or the error
 *         of mmap().
 */
int npf_reader_add(struct npf_reader *r, const int *fds, unsigned int n_fds);

/*
 * npf_reader_next - release the record handed out before, hand out the next in time order.
 * Space is freed on the way (the sliding window): less than 1 % of a lane is read and not yet free.
 *
 * Return: 1: *v is filled; 0: no record is deliverable now; -ENODATA: every lane was closed and is
 *         drained (a buffer may still be added); -EPROTO: the producer's words are inconsistent;
 *         every later call returns the same.
 */
int npf_reader_next(struct npf_reader *r, struct npf_view *v);

/* Release the record handed out last, and free all that was read for the producer. */
void npf_reader_release(struct npf_reader *r);

/*
 * npf_reader_has_more - would npf_reader_next() hand out a record that it has already seen?
 * Records committed since the lane's head was last loaded do not count; npf_reader_arm() finds
 * those.
 */
bool npf_reader_has_more(struct npf_reader *r);

/* Did the last npf_reader_next() return 0 although a record is there, because another lane may
 * still bring an older one? A tick of that lane ends this state. */
bool npf_reader_is_holding(const struct npf_reader *r);

/* Bytes committed and not yet handed out. */
uint64_t npf_reader_pending(struct npf_reader *r);

/*
 * npf_reader_arm - before sleeping on wake_fd: drain it, request a wake-up, check once more.
 * @mintocopy: the value that the engine has
 *
 * The record handed out last stays valid, and does not count as waiting.
 *
 * Return: true: armed, fewer bytes than @mintocopy wait, and the end is not reached: sleep. false:
 *         not armed: call npf_reader_next().
 */
bool npf_reader_arm(struct npf_reader *r, uint64_t mintocopy);

/* Withdraw the request for a wake-up: the reader is awake. */
void npf_reader_disarm(struct npf_reader *r);

/*
 * npf_reader_finish - the producer has died: its lanes will neither grow nor be closed.
 * From now on npf_reader_next() hands out all that was committed without waiting for the watermark
 * of an idle lane, and then returns -ENODATA.
 */
void npf_reader_finish(struct npf_reader *r);

/*
 * npf_reader_hold - while on, npf_reader_next() frees no space: every record handed out stays valid
 * until npf_reader_release(). Not in overwrite mode, where a record is handed out as a copy.
 */
void npf_reader_hold(struct npf_reader *r, bool on);

/* Counters as the producer published them, over all buffers of the reader so far. Overwritten
 * records are those that the reader itself missed. */
void npf_reader_counters(struct npf_reader *r, struct npf_ring_counters *c);

#endif
