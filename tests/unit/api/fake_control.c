/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_control.c - the fake daemon as tests see it: what they let it do, and what it has seen. */
#include "fake_daemon_priv.h"

#include <string.h>

void fake_hang(struct fake_daemon *d, bool on)
{
	pthread_mutex_lock(&d->lock);
	d->hang = on;
	pthread_mutex_unlock(&d->lock);
}

void fake_ignore_filters(struct fake_daemon *d, bool on)
{
	pthread_mutex_lock(&d->lock);
	d->ignore_filters = on;
	pthread_mutex_unlock(&d->lock);
}

static void signal_reader(struct conn *c)
{
	npf_doorbell_ring(&c->bell);
}

static bool wants(const struct conn *c, uint16_t flags)
{
	bool outbound = (flags & NPF_REC_OUTBOUND) != 0;

	if (c->params.direction == NPF_WIRE_INOUT)
		return true;
	return outbound == (c->params.direction == NPF_WIRE_OUT);
}

static uint32_t keeps(const struct conn *c, const void *data, uint32_t len, uint16_t flags)
{
	struct npf_bpf_aux aux = {.pkttype = (flags & NPF_REC_OUTBOUND) ? 4 : 0};

	if (c->insns == NULL || c->accept_gen != c->gen || c->loose)
		return len;
	return npf_bpf_interpret(c->insns, data, len, len, &aux);
}

void fake_packet(struct fake_daemon *d, uint64_t ts_ns, const void *data, uint32_t len,
	uint16_t flags, bool commit)
{
	pthread_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < MAX_CONNS; i++) {
		struct conn *c = &d->conns[i];
		struct npf_rec hdr = {.ts_ns = ts_ns, .len = len, .flags = flags};
		uint32_t keep;

		if (current(c) == NULL || c->removed || c->monitor)
			continue;
		c->stats.received++;
		keep = wants(c, flags) ? keeps(c, data, len, flags) : 0;
		if (keep > 0) {
			c->stats.accepted++;
			hdr.caplen = c->loose ? keep : NPF_MIN(keep, c->open.snaplen);
			hdr.caplen = NPF_MIN(hdr.caplen, len);
			hdr.filter_gen = c->accept_gen;
			npf_lane_put(npf_buffer_lane(current(c), 0), &hdr, data);
		}
		if (commit && npf_lane_commit(npf_buffer_lane(current(c), 0), ts_ns))
			signal_reader(c);
	}
	pthread_mutex_unlock(&d->lock);
}

void fake_counts(struct fake_daemon *d, uint64_t ts_ns, int64_t packets, int64_t bytes)
{
	struct npf_wire_counters counters = {packets, bytes};
	struct npf_rec hdr = {
		.ts_ns = ts_ns,
		.caplen = sizeof(counters),
		.len = sizeof(counters),
		.flags = NPF_REC_COUNTS,
	};

	pthread_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < MAX_CONNS; i++) {
		struct conn *c = &d->conns[i];

		if (current(c) == NULL || c->removed || !c->monitor)
			continue;
		npf_buffer_set_wake(current(c), 0, 0);
		npf_lane_put(npf_buffer_lane(current(c), 0), &hdr, &counters);
		if (npf_lane_commit(npf_buffer_lane(current(c), 0), ts_ns))
			signal_reader(c);
	}
	pthread_mutex_unlock(&d->lock);
}

void fake_tick(struct fake_daemon *d, uint64_t now_ns, uint64_t mono_ns)
{
	pthread_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < MAX_CONNS; i++) {
		struct conn *c = &d->conns[i];

		if (current(c) == NULL || c->removed)
			continue;
		if (npf_lane_commit(npf_buffer_lane(current(c), 0), now_ns))
			signal_reader(c);
		if (npf_lane_tick(npf_buffer_lane(current(c), 0), now_ns, mono_ns))
			signal_reader(c);
	}
	pthread_mutex_unlock(&d->lock);
}

unsigned int fake_n_reads(struct fake_daemon *d)
{
	unsigned int n;

	pthread_mutex_lock(&d->lock);
	n = d->n_reads;
	pthread_mutex_unlock(&d->lock);
	return n;
}

void fake_refuse_reads(struct fake_daemon *d, bool on)
{
	pthread_mutex_lock(&d->lock);
	d->refuse_reads = on;
	pthread_mutex_unlock(&d->lock);
}

void fake_wake(struct fake_daemon *d)
{
	pthread_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < MAX_CONNS; i++)
		if (current(&d->conns[i]) != NULL)
			signal_reader(&d->conns[i]);
	pthread_mutex_unlock(&d->lock);
}

void fake_remove_port(struct fake_daemon *d)
{
	pthread_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < MAX_CONNS; i++) {
		struct conn *c = &d->conns[i];

		if (current(c) == NULL || c->removed)
			continue;
		npf_lane_close(npf_buffer_lane(current(c), 0));
		c->removed = true;
		signal_reader(c);
	}
	pthread_mutex_unlock(&d->lock);
}

void fake_limit_sends(struct fake_daemon *d, unsigned int n)
{
	pthread_mutex_lock(&d->lock);
	d->tx_limit = n;
	pthread_mutex_unlock(&d->lock);
}

unsigned int fake_sent(struct fake_daemon *d, void *frame, size_t size)
{
	unsigned int n;

	pthread_mutex_lock(&d->lock);
	n = d->n_sent;
	if (frame != NULL)
		memcpy(frame, d->sent, NPF_MIN(size, (size_t)d->sent_len));
	pthread_mutex_unlock(&d->lock);
	return n;
}

struct npf_wire_open fake_last_open(struct fake_daemon *d)
{
	struct npf_wire_open open;

	pthread_mutex_lock(&d->lock);
	open = d->last_open;
	pthread_mutex_unlock(&d->lock);
	return open;
}

struct npf_wire_params fake_last_params(struct fake_daemon *d)
{
	struct npf_wire_params params;

	pthread_mutex_lock(&d->lock);
	params = d->last_params;
	pthread_mutex_unlock(&d->lock);
	return params;
}

struct npf_wire_set_mode fake_last_mode(struct fake_daemon *d)
{
	struct npf_wire_set_mode mode;

	pthread_mutex_lock(&d->lock);
	mode = d->last_mode;
	pthread_mutex_unlock(&d->lock);
	return mode;
}

unsigned int fake_n_sessions(struct fake_daemon *d)
{
	unsigned int n = 0;

	pthread_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < MAX_CONNS; i++)
		n += d->conns[i].n_buffers > 0;
	pthread_mutex_unlock(&d->lock);
	return n;
}
