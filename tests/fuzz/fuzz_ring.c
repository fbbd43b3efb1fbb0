/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reader of a ring, against a producer that lies.
 *
 * The input is a program for both sides: what the producer's words and data are made to hold, and
 * what the reader is asked to do in between. Whatever that is, the reader hands out only bytes
 * that lie in its mapping (they are all read), frees only what it was given, returns, and calls
 * nonsense -EPROTO for ever after.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "ringbuf/lane.h"
#include "ringbuf/reader.h"
#include "unit/ringbuf/demand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct program {
	const uint8_t *at, *end;
	struct npf_buffer *b[2];
	struct npf_reader *r;
	unsigned int n_buffers;
	bool failed;
};

static uint64_t sum;

static uint64_t take(struct program *p, unsigned int n_bytes)
{
	uint64_t v = 0;

	for (; n_bytes && p->at < p->end; n_bytes--)
		v = v << 8 | *p->at++;
	return v;
}

/* A position: small steps from what is there, or any 64 bits. */
static uint64_t take_position(struct program *p, uint64_t from)
{
	uint64_t how = take(p, 1);

	switch (how % 4) {
	case 0:
		return from + 16 * take(p, 1);
	case 1:
		return from - 16 * take(p, 1);
	case 2:
		return from + 16 * take(p, 2);
	default:
		return take(p, 8);
	}
}

/* Is [data, data + n) something that may be read? */
static bool is_mapped(const struct npf_reader *r, const uint8_t *data, uint64_t n)
{
	if (data == r->copy)
		return n <= NPF_REC_MAXCAP;
	for (const struct npf_reader_buffer *b = r->first; b; b = b->next)
		for (unsigned int i = 0; i < b->n_lanes; i++)
			if (data >= b->lane[i].data && data + n <= b->lane[i].data + 2 * b->size)
				return true;
	return false;
}

/* Nothing was handed out beyond a head that was believed, and no head that a lane can not have. */
static bool is_in_bounds(const struct npf_reader *r)
{
	for (const struct npf_reader_buffer *b = r->first; b; b = b->next)
		for (unsigned int i = 0; i < b->n_lanes; i++)
			if (b->lane[i].off >= b->size ||
				(!b->lane[i].overwrite &&
					b->lane[i].head - b->lane[i].pos > b->size))
				return false;
	return true;
}

static void next(struct program *p)
{
	struct npf_view v;
	int ret = npf_reader_next(p->r, &v);

	DEMAND(is_in_bounds(p->r));
	if (ret == 1) {
		DEMAND(!p->failed);
		DEMAND(v.caplen <= NPF_REC_MAXCAP && is_mapped(p->r, v.data, v.caplen));
		for (uint32_t i = 0; i < v.caplen; i += 61)
			sum += v.data[i];
		if (v.caplen)
			sum += v.data[v.caplen - 1];
	} else {
		DEMAND(ret == 0 || ret == -ENODATA || ret == -EPROTO);
		DEMAND(!p->failed || ret == -EPROTO);
		p->failed = ret == -EPROTO;
	}
}

static void add(struct program *p)
{
	int fds[NPF_BUFFER_NFDS];
	unsigned int n = npf_buffer_fds(p->b[p->n_buffers], fds);
	int ret = npf_reader_add(p->r, fds, n);

	DEMAND(ret == 0 || ret == -EPROTO);
	p->n_buffers++;
}

static void write_word(struct program *p, struct npf_buffer *b)
{
	uint64_t which = take(p, 1);
	struct npf_pw_lane *pw = &b->pw->lane[which / 16 % b->n_lanes];

	switch (which % 16) {
	case 0:
	case 1:
	case 2:
		atomic_store(&pw->head, take_position(p, atomic_load(&pw->head)));
		break;
	case 3:
	case 4:
		atomic_store(&pw->floor, take_position(p, atomic_load(&pw->floor)));
		break;
	case 5:
		atomic_store(&pw->watermark, take(p, 2));
		break;
	case 6:
		atomic_store(&pw->watermark, UINT64_MAX);
		break;
	case 7:
		atomic_store(&pw->closed, (uint32_t)take(p, 1) % 2);
		break;
	case 8:
		atomic_store(&pw->unmarked, (uint32_t)take(p, 4));
		break;
	case 9:
		atomic_store(&pw->packets, take(p, 8));
		break;
	case 10: /* what was checked once must not matter afterwards */
		b->pw->h.size = take(p, 8);
		break;
	case 11:
		b->pw->h.n_lanes = (uint32_t)take(p, 4);
		break;
	case 12:
		b->pw->h.flags = (uint32_t)take(p, 1);
		break;
	case 13:
		b->pw->h.start_pos = take_position(p, b->pw->h.start_pos);
		break;
	case 14: { /* a hostile predecessor of this reader */
		struct npf_cw *cw = (struct npf_cw *)b->cw_mem.addr;

		atomic_store(&cw->lane[0].tail, take_position(p, atomic_load(&cw->lane[0].tail)));
		break;
	}
	default:
		b->pw->h.magic ^= take(p, 1) == 0;
		break;
	}
}

static void write_data(struct program *p, struct npf_buffer *b)
{
	uint64_t which = take(p, 1);
	struct npf_mem *m = &b->data_mem[which % b->n_lanes];
	uint8_t *rec = m->addr + take(p, 2) % (m->size / 16) * 16;

	if (which & 128) {
		uint32_t caplen = (uint32_t)take(p, which & 64 ? 4 : 2);

		memcpy(rec + offsetof(struct npf_rec, caplen), &caplen, 4);
	} else if (which & 64) {
		uint64_t ts = take(p, 2);

		memcpy(rec + offsetof(struct npf_rec, ts_ns), &ts, 8);
	} else {
		for (unsigned int i = 0; i < 32; i++)
			rec[i] = (uint8_t)take(p, 1);
	}
}

static void ask(struct program *p, uint64_t what)
{
	struct npf_ring_counters c;

	switch (what % 8) {
	case 0:
		npf_reader_release(p->r);
		break;
	case 1:
		npf_reader_pending(p->r);
		break;
	case 2:
		npf_reader_arm(p->r, take(p, 2));
		break;
	case 3:
		npf_reader_disarm(p->r);
		break;
	case 4:
		npf_reader_counters(p->r, &c);
		sum += c.packets;
		break;
	case 5:
		npf_reader_hold(p->r, what & 8);
		break;
	case 6:
		if (what & 8 && what & 16)
			npf_reader_finish(p->r);
		break;
	default:
		if (p->n_buffers < 2)
			add(p);
		break;
	}
}

/* Honest records to begin with: from then on the producer's own side is not used any more. */
static void prepare(struct program *p, unsigned int i)
{
	uint64_t how = take(p, 1), n = take(p, 1);
	struct npf_buffer_conf conf = {
		.size = how & 16 ? 3 * NPF_REC_MAXCAP : NPF_BUFFER_MIN,
		.n_lanes = (uint16_t)(1 + how % 2),
		.overwrite = how & 2,
		.start_pos = how & 4 ? -1024ull : 0,
	};
	static const uint8_t zeroes[4096];

	DEMAND(npf_buffer_new(&conf, &p->b[i]) == 0);
	for (uint64_t k = 0; k < 2 * n; k++) {
		struct npf_rec hdr = {.ts_ns = k, .caplen = (uint32_t)(k * 37 % 2048)};

		npf_lane_put(npf_buffer_lane(p->b[i], k % conf.n_lanes), &hdr, zeroes);
	}
	for (unsigned int k = 0; k < conf.n_lanes; k++)
		npf_lane_commit(npf_buffer_lane(p->b[i], k), how & 8 ? n / 2 : n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program p = {.at = data, .end = data + size};
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	DEMAND(efd >= 0 && npf_reader_new(efd, &p.r) == 0);
	prepare(&p, 0);
	prepare(&p, 1);
	if (take(&p, 1) % 8)
		add(&p);
	while (p.at < p.end) {
		uint64_t op = take(&p, 1);
		struct npf_buffer *b = p.b[op & 128 ? 1 : 0];

		switch (op % 8) {
		case 0:
		case 1:
			write_word(&p, b);
			break;
		case 2:
		case 3:
			write_data(&p, b);
			break;
		case 4:
			ask(&p, op >> 3);
			break;
		default:
			for (uint64_t n = op >> 3 & 15; n + 1; n--)
				next(&p);
			break;
		}
	}
	npf_reader_free(p.r);
	npf_buffer_free(p.b[0]);
	npf_buffer_free(p.b[1]);
	npf_close(efd);
	return 0;
}
