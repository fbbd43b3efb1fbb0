/* SPDX-License-Identifier: BSD-3-Clause */
/* lane.h - private: a buffer and its lanes in the engine's process. None of this memory is shared
 * with the client. */
#ifndef NPF_RINGBUF_LANE_H
#define NPF_RINGBUF_LANE_H

#include "ringbuf/layout.h"
#include "ringbuf/memory.h"

struct npf_lane {
	/* Used by the lane's lcore alone. */
	_Alignas(NPF_APART) uint8_t *data; /* 2 * size bytes of addresses, size of memory */
	uint64_t size;
	uint64_t room;     /* bytes that can be written before tail must be reloaded */
	uint64_t head;     /* end of the reserved records */
	uint64_t head_off; /* its place in data, < size */
	uint32_t gap;      /* drops since the last record; saturates */
	uint32_t seq;      /* of the next record */
	uint64_t packets;
	uint64_t bytes;
	struct npf_pw_lane *pw;

	uint64_t tail;       /* the reader's position when last loaded, checked */
	uint64_t committed;  /* head as published */
	uint64_t floor;      /* overwrite mode: position of the oldest record that is still there */
	uint64_t floor_off;  /* its place in data */
	uint64_t last_stamp; /* greatest time passed to commit or tick */
	uint64_t mark;       /* head when the wait for the reader's timeout began */
	uint64_t mark_ns;    /* that time, CLOCK_MONOTONIC; 0: no record waits */
	uint64_t drop[NPF_N_DROP];
	uint64_t woken;       /* number of the reader's sleep that was ended last */
	bool overwrite;       /* constant */
	bool closed;          /* no more records */
	bool wants_room;      /* the last record had no room */
	_Atomic int fault;    /* 0 or -EPROTO; the lcore stores, any thread loads */
	struct npf_buffer *b; /* constant */
	const struct npf_cw_lane *cw;
};

struct npf_buffer {
	struct npf_buffer_conf conf; /* constant but for the two fields below */
	_Atomic uint64_t
		wake_bytes; /* the control thread stores, lanes load when the reader sleeps */
	_Atomic uint64_t timeout_ns;
	unsigned int n_lanes;
	struct npf_mem pw_mem;
	struct npf_mem cw_mem;
	struct npf_mem data_mem[NPF_LANES_MAX];
	struct npf_pw *pw;
	const struct npf_cw *cw; /* the engine never writes it after the client has it */
	struct npf_lane lane[];
};

#endif
