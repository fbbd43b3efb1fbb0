/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pair.h - a buffer and its reader in one process, and records whose every byte is known.
 *
 * The fixture of the ring's tests: a struct pair has both sides; put() and next_is() write and
 * demand the packet number n, whose length, stamp and bytes follow from n.
 */
#ifndef NPF_TESTS_PAIR_H
#define NPF_TESTS_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "ringbuf/ring.h"

#include "demand.h"

struct pair {
	struct npf_buffer *b;
	struct npf_reader *r;
	int efd;
};

static inline void pair_attach(struct pair *p)
{
	int fds[NPF_BUFFER_NFDS];

	assert_int_equal(npf_reader_add(p->r, fds, npf_buffer_fds(p->b, fds)), 0);
}

static inline void pair_init(struct pair *p, const struct npf_buffer_conf *conf)
{
	p->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(p->efd >= 0);
	assert_int_equal(npf_buffer_new(conf, &p->b), 0);
	assert_int_equal(npf_reader_new(p->efd, &p->r), 0);
	pair_attach(p);
}

static inline void pair_fini(struct pair *p)
{
	p->r = npf_reader_free(p->r);
	p->b = npf_buffer_free(p->b);
	p->efd = npf_close(p->efd);
}

static inline struct npf_lane *pair_lane(struct pair *p, unsigned int i)
{
	return npf_buffer_lane(p->b, i);
}

/* Byte at of packet n. */
static inline uint8_t packet_byte(uint64_t n, uint32_t at)
{
	return (uint8_t)(n * 131 + at * 7 + (at >> 8));
}

static inline void packet_fill(uint8_t *data, uint64_t n, uint32_t caplen)
{
	for (uint32_t at = 0; at < caplen; at++)
		data[at] = packet_byte(n, at);
}

/* Packet n, of caplen bytes, stamped ts. */
static inline bool put(struct npf_lane *l, uint64_t n, uint32_t caplen, uint64_t ts)
{
	static uint8_t data[NPF_REC_MAXCAP];
	struct npf_rec hdr = {
		.ts_ns = ts,
		.caplen = caplen,
		.len = caplen + 4,
		.flags = (uint16_t)n,
		.filter_gen = (uint16_t)(n >> 16),
		.port = 3,
		.queue = 5,
	};

	packet_fill(data, n, caplen);
	return npf_lane_put(l, &hdr, data);
}

static inline void view_is(const struct npf_view *v, uint64_t n, uint32_t caplen, uint64_t ts)
{
	assert_int_equal(v->ts_ns, ts);
	assert_int_equal(v->caplen, caplen);
	assert_int_equal(v->len, caplen + 4);
	assert_int_equal(v->flags, (uint16_t)n);
	assert_int_equal(v->filter_gen, (uint16_t)(n >> 16));
	assert_int_equal(v->port, 3);
	assert_int_equal(v->queue, 5);
	for (uint32_t at = 0; at < caplen; at++)
		if (v->data[at] != packet_byte(n, at))
			fail_msg("packet %llu: byte %u is wrong", (unsigned long long)n, at);
}

static inline void next_is(struct pair *p, uint64_t n, uint32_t caplen, uint64_t ts)
{
	struct npf_view v;

	assert_int_equal(npf_reader_next(p->r, &v), 1);
	view_is(&v, n, caplen, ts);
}

static inline void next_is_none(struct pair *p)
{
	struct npf_view v;

	assert_int_equal(npf_reader_next(p->r, &v), 0);
}

#endif
