/* SPDX-License-Identifier: BSD-3-Clause */
/* reader.h - private: a reader and its buffers in the client's process. */
#ifndef NPF_RINGBUF_READER_H
#define NPF_RINGBUF_READER_H

#include "ringbuf/layout.h"
#include "ringbuf/memory.h"

/* Copies of the geometry, checked once, and positions. */
struct npf_reader_lane {
	struct npf_reader_buffer *b;  /* that it belongs to */
	struct npf_reader_lane *next; /* follows when this lane is closed and drained, or NULL */
	const uint8_t *data;          /* 2 * size bytes of addresses */
	uint64_t size;
	uint64_t pos;     /* next record to be handed out */
	uint64_t off;     /* its place in data, < size */
	uint64_t head;    /* end of the records seen so far */
	uint64_t freed;   /* tail as published */
	uint64_t step;    /* publish tail at least this often, bytes */
	uint64_t next_ts; /* stamp of the record at pos; only while pos != head */
	const struct npf_pw_lane *pw;
	struct npf_cw_lane *cw;
	uint64_t watermark; /* when last loaded */
	uint64_t lost;      /* overwrite mode: records overwritten before they were read */
	uint32_t next_seq;  /* overwrite mode: number of the record expected next ... */
	bool knows_seq;     /* ... false: this reader began in the middle */
	bool closed;
	bool overwrite;
	struct npf_mem mem;
};

struct npf_reader_buffer {
	struct npf_reader_buffer *next; /* the one that replaced it */
	struct npf_mem pw_mem;
	struct npf_mem cw_mem;
	const struct npf_pw *pw;
	struct npf_cw *cw;
	uint64_t sleep_seq; /* as stored */
	uint64_t size;
	unsigned int n_lanes;
	struct npf_reader_lane lane[];
};

struct npf_reader {
	struct npf_reader_lane *held; /* lane of the record in use, or NULL */
	uint64_t held_space;          /* bytes that it takes */
	struct npf_reader_lane *run;  /* lane to go on with; NULL: choose one */
	uint64_t run_until; /* its records up to this stamp come before those of other lanes */
	int fault;          /* 0 or -EPROTO: sticky */
	bool hold;          /* free no space: npf_reader_hold() */
	bool orphan;        /* the producer has died: npf_reader_finish() */
	int wake_fd;        /* the caller's */
	uint64_t hold_ns;   /* see struct npf_cw */
	uint64_t gap;       /* drops at the end of drained lanes, to be marked next */
	struct npf_reader_buffer *first; /* oldest that is still mapped */
	struct npf_reader_buffer *last;  /* newest */
	/* Per lane number, the lane that is being read; the merge is between these. NULL: closed,
	 * drained, and the newest buffer has no such lane. */
	struct npf_reader_lane *slot[NPF_LANES_MAX];
	unsigned int n_slots;
	struct npf_ring_counters past; /* of buffers no longer mapped */
	uint8_t *copy; /* overwrite mode: the record handed out, NPF_REC_MAXCAP bytes */
};

/* ---- reader_map.c ---- */

/* Map a buffer; it is not part of the reader yet. Return: 0, -EPROTO, -ENOMEM or the error
 * of mmap().
 */
int npf_reader_map(
	struct npf_reader *r, const int *fds, unsigned int n_fds, struct npf_reader_buffer **bp);

/* Put the lanes of a new buffer behind those of the same number. The reader owns it then. */
void npf_reader_chain(struct npf_reader *r, struct npf_reader_buffer *b);

/* Unmap the buffers that every slot has left; no record of them may be in use. */
void npf_reader_unmap_drained(struct npf_reader *r);

/* ---- walk.c ---- */

/* Load a lane's words again: closed, watermark, head. False: r->fault is set. */
bool npf_reader_refresh(struct npf_reader *r, struct npf_reader_lane *l);

/* Free all of the lane before the record in use. */
void npf_reader_publish(const struct npf_reader *r, struct npf_reader_lane *l);

/* Choose the slot's lane that has the next record in time order.
 * Return: 1; 0: nothing deliverable now; -ENODATA; -EPROTO. */
int npf_reader_choose(struct npf_reader *r, struct npf_reader_lane **lp);

#endif
