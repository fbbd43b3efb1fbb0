/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read.c - pcap_dispatch() and its family.
 *
 * One read delivers what is there, up to the count asked for and up to the user buffer's size, and
 * sleeps first when nothing is there. Each packet is copied out of the shared ring, which is
 * read-only, into memory of the handle's: programs write into their packets, and pcap promises that
 * the pointers of pcap_next_ex() last until the next read. (npfdp_next_batch() copies nothing.)
 *
 * Like libpcap on Linux, a blocking read with nothing to deliver goes on waiting at the timeout,
 * returns 0 when packets were there and all were rejected, and pcap_breakloop() ends a read after
 * the packet in hand. A read that follows a descriptor found readable does not wait: whatever made
 * it readable, the program trusts that.
 */
#include "api/handle.h"

#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_TURNS 64u /* of npf_client_next(), in a read that finds nothing for its caller */

/* One read: where its packets go, and what it met on the way. */
struct reading {
	int max;
	pcap_handler callback; /* NULL: into pkts, without a copy */
	u_char *user;
	struct npfdp_pkt *pkts;
	bool drained; /* nothing was left */
	bool passed;  /* something was there that is not for the caller */
};

static void stamp(struct npf_handle *h, uint64_t ts_ns)
{
	uint64_t ns = ts_ns - h->second_ns;

	/* Packets of the same second need no division by 10^9. */
	if (NPF_UNLIKELY(ns >= NPF_NS_PER_S)) {
		h->second = (time_t)(ts_ns / NPF_NS_PER_S);
		h->second_ns = (uint64_t)h->second * NPF_NS_PER_S;
		ns = ts_ns - h->second_ns;
	}
	h->hdr.ts.tv_sec = h->second;
	h->hdr.ts.tv_usec = h->precision == PCAP_TSTAMP_PRECISION_NANO
				    ? (suseconds_t)ns
				    : (suseconds_t)((uint32_t)ns / 1000);
}

/* Makes the record the handle's current packet: hdr and data. */
static void take(struct npf_handle *h, const struct npf_view *v)
{
	bool counts = NPF_UNLIKELY((v->flags & NPF_REC_COUNTS) != 0);
	uint32_t caplen = NPF_MIN(v->caplen, counts ? h->data_size : (uint32_t)h->snaplen);

	stamp(h, v->ts_ns);
	h->hdr.caplen = caplen;
	h->hdr.len = v->len;
	memcpy(h->data, v->data, caplen);
	if (NPF_UNLIKELY(h->mode == (MODE_STAT | MODE_DUMP)) &&
		caplen + sizeof(int64_t) <= h->data_size) {
		int64_t offset = npf_handle_dump_offset(h);

		memcpy(h->data + caplen, &offset, sizeof(offset));
		h->hdr.caplen = h->hdr.len = caplen + (uint32_t)sizeof(offset);
	}
	h->delivered++;
}

/* pcap_setsampling(): does this record belong to the sample? Samples are of packets. */
static bool is_sampled(struct npf_handle *h, const struct npf_view *v)
{
	if (NPF_UNLIKELY((v->flags & NPF_REC_COUNTS) != 0))
		return true;
	switch (h->samp.method) {
	case PCAP_SAMP_1_EVERY_N:
		return h->samp_n++ % (uint64_t)h->samp.value == 0;
	case PCAP_SAMP_FIRST_AFTER_N_MS:
		if (v->ts_ns < h->samp_ns)
			return false;
		h->samp_ns = v->ts_ns + (uint64_t)h->samp.value * NPF_NS_PER_MS;
		return true;
	default:
		return true;
	}
}

/* An unknown method, every 0th packet and 0 ms are errors. */
static int check_sampling(struct npf_handle *h)
{
	if (h->samp.method == PCAP_SAMP_NOSAMP)
		return 0;
	if (h->samp.method != PCAP_SAMP_1_EVERY_N && h->samp.method != PCAP_SAMP_FIRST_AFTER_N_MS)
		return npf_handle_error(h, "sampling method %d is not known", h->samp.method);
	if (h->samp.value <= 0)
		return npf_handle_error(
			h, "sampling with a value of %d makes no sense", h->samp.value);
	return 0;
}

static int broken(struct npf_handle *h)
{
	atomic_store_explicit(&h->break_loop, false, memory_order_relaxed);
	return PCAP_ERROR_BREAK;
}

static int lost(struct npf_handle *h, int rc)
{
	struct npf_error err;

	npf_client_reason(h->client, rc, &err);
	return npf_handle_error(h, "%s", err.text);
}

/*
 * Waits for something to read. Return: 1: look again; 0: nothing, return to the caller; or a pcap
 * error.
 */
static int await(struct npf_handle *h)
{
	int timeout_ms = h->nonblock || h->timeout_ms < 0 ? 0 : -1;
	int rc;

	/* In statistics mode the timeout is the interval, and each interval has its record. */
	if (h->timeout_returns && timeout_ms < 0 && h->timeout_ms > 0 && (h->mode & MODE_STAT) == 0)
		timeout_ms = h->timeout_ms;
	do {
		rc = npf_client_wait(h->client, timeout_ms);
		if (atomic_load_explicit(&h->break_loop, memory_order_relaxed) && !h->nonblock)
			return broken(h);
	} while (rc == -EINTR && timeout_ms != 0);
	if (rc == -EINTR)
		return 0;
	/* The timeout is over: too little to wake us may be there all the same. */
	if (rc == 0 && timeout_ms > 0)
		return npf_client_has_next(h->client);
	return rc < 0 ? lost(h, rc) : rc;
}

/*
 * The next record of the sample, within what one read may deliver; *bytes adds up what was read.
 * Return: 1; 0: no more in this read; or as npf_client_next(); rd->drained is set when nothing was
 * left.
 */
static inline int next_of_sample(
	struct npf_handle *h, struct reading *rd, struct npf_view *v, uint64_t *bytes)
{
	while (*bytes < h->userbuffer) {
		int rc = npf_client_next(h->client, v);

		if (rc != 1) {
			rd->drained = true;
			return rc;
		}
		*bytes += npf_rec_space(v->caplen);
		if (is_sampled(h, v))
			return 1;
		rd->passed = true;
	}
	return 0;
}

/* What a read that got n packets returns. An end is reported by the next read. */
static int result(struct npf_handle *h, int n, int rc)
{
	return rc < 0 && n == 0 ? lost(h, rc) : n;
}

/* The bounded loop over records. Return: packets delivered, or a pcap error. */
static int deliver(struct npf_handle *h, struct reading *rd)
{
	uint64_t bytes = 0;
	struct npf_view v;
	int n = 0;
	int rc = 0;

	while (n < rd->max && (rc = next_of_sample(h, rd, &v, &bytes)) == 1) {
		take(h, &v);
		n++;
		rd->callback(rd->user, &h->hdr, h->data);
		if (NPF_UNLIKELY(atomic_load_explicit(&h->break_loop, memory_order_relaxed)))
			return broken(h);
	}
	return result(h, n, rc);
}

/* The bounded loop over records without a copy; as deliver(). */
static int collect(struct npf_handle *h, struct reading *rd)
{
	uint64_t bytes = 0;
	struct npf_view v;
	int n = 0;
	int rc = 0;

	while (n < rd->max && (rc = next_of_sample(h, rd, &v, &bytes)) == 1) {
		rd->pkts[n++] = (struct npfdp_pkt){
			.ts_ns = v.ts_ns,
			.data = v.data,
			.caplen = v.caplen,
			.len = v.len,
			.gap = v.gap,
			.flags = v.flags,
			.port = v.port,
			.queue = v.queue,
		};
	}
	return result(h, n, rc);
}

/* Every read starts here. Return: 0 or a pcap error. */
static int begin(struct npf_handle *h)
{
	struct npf_error err;

	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (check_sampling(h) < 0)
		return PCAP_ERROR;
	if (NPF_UNLIKELY(npf_client_begin(h->client, &err) < 0))
		return npf_handle_error(h, "%s", err.text);
	if (NPF_UNLIKELY(h->holding)) {
		npf_client_release(h->client);
		npf_client_hold(h->client, false);
		h->holding = false;
	}
	return 0;
}

/*
 * Was pcap_breakloop() called? As in libpcap, a non-blocking read with nothing to deliver says 0
 * all the same, and the request stands until there is something.
 */
static bool is_broken(struct npf_handle *h)
{
	return atomic_load_explicit(&h->break_loop, memory_order_relaxed) &&
	       (!h->nonblock || npf_client_has_next(h->client));
}

/*
 * A read has found nothing for the caller: does it end there, with 0?
 * @told: the descriptor was readable, or a wait has ended
 *
 * Yes when packets were there and none was for the caller, as in libpcap; but there, too, not on a
 * handle without a timeout, and in statistics mode each read has its record. A program that watches
 * the descriptor must not be kept from its timers: there a wake-up ends the read whatever it was
 * for. What other lanes hold back comes within a tick, and is waited for.
 */
static bool ends_empty(const struct npf_handle *h, const struct reading *rd, bool told)
{
	if (h->selected)
		return rd->passed || (told && !npf_client_is_holding(h->client));
	return rd->passed && (h->mode & MODE_STAT) == 0 && (h->immediate || h->timeout_ms != 0);
}

static int take_all(struct npf_handle *h, struct reading *rd)
{
	uint64_t passed = npf_client_passed(h->client);
	int n;

	rd->drained = false;
	n = rd->callback != NULL ? deliver(h, rd) : collect(h, rd);
	rd->passed = rd->passed || npf_client_passed(h->client) != passed;
	return n;
}

void npf_handle_settle(struct npf_handle *h)
{
	if (h->selected || h->nonblock)
		npf_client_settle(h->client);
}

/* As take_all(), and on after many records in a row that a filter rejects here: a read that
 * returned in their midst would say that nothing is there. But not for ever. */
static int take_on(struct npf_handle *h, struct reading *rd)
{
	int n;

	for (unsigned int turn = 0; turn < MAX_TURNS; turn++) {
		n = take_all(h, rd);
		if (n != 0 || !npf_client_is_paused(h->client))
			break;
		if (NPF_UNLIKELY(atomic_load_explicit(&h->break_loop, memory_order_relaxed)))
			return broken(h);
	}
	return n;
}

/* What is there, or what a wait brings. Return: packets, or a pcap error. */
static int read_out(struct npf_handle *h, struct reading *rd)
{
	bool told = !npf_client_is_armed(h->client);
	int n;

	for (;;) {
		n = take_on(h, rd);
		if (n != 0 || !rd->drained || ends_empty(h, rd, told))
			break;
		n = await(h);
		if (n <= 0)
			break;
		told = true;
	}
	npf_handle_settle(h);
	return n;
}

static int read_some(struct npf_handle *h, int cnt, pcap_handler callback, u_char *user)
{
	struct reading rd = {
		.max = cnt > 0 ? cnt : INT_MAX,
		.callback = callback,
		.user = user,
	};
	int rc = begin(h);

	if (rc < 0)
		return rc;
	return is_broken(h) ? broken(h) : read_out(h, &rd);
}

int pcap_dispatch(pcap_t *p, int cnt, pcap_handler callback, u_char *user)
{
	struct npf_handle *h = npf_handle_of(p);
	int n;

	if (h == NULL)
		return npf_genuine()->pcap_dispatch(p, cnt, callback, user);
	n = read_some(h, cnt, callback, user);
	if (h->client != NULL)
		npf_client_release(h->client);
	return n;
}

int pcap_loop(pcap_t *p, int cnt, pcap_handler callback, u_char *user)
{
	struct npf_handle *h = npf_handle_of(p);
	int n;

	if (h == NULL)
		return npf_genuine()->pcap_loop(p, cnt, callback, user);
	for (;;) {
		n = read_some(h, cnt, callback, user);
		if (n < 0)
			return n;
		if (cnt > 0) {
			cnt -= n;
			if (cnt <= 0)
				return 0;
		}
	}
}

static void keep_nothing(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	/* read_some() has put the packet where pcap_next_ex() says it is. */
	(void)user;
	(void)hdr;
	(void)data;
}

int pcap_next_ex(pcap_t *p, struct pcap_pkthdr **hdr, const u_char **data)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_next_ex(p, hdr, data);
	*hdr = &h->hdr;
	*data = h->data;
	return read_some(h, 1, keep_nothing, NULL);
}

const u_char *pcap_next(pcap_t *p, struct pcap_pkthdr *hdr)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_next(p, hdr);
	if (read_some(h, 1, keep_nothing, NULL) != 1)
		return NULL;
	*hdr = h->hdr;
	return h->data;
}

int npfdp_next_batch(pcap_t *p, struct npfdp_pkt *pkts, int max)
{
	struct npf_handle *h = npf_handle_of(p);
	struct reading rd = {.max = max, .pkts = pkts};
	int n;

	if (h == NULL)
		return PCAP_ERROR;
	n = begin(h);
	if (n < 0)
		return n;
	if (is_broken(h))
		return broken(h);
	if (max <= 0)
		return npf_handle_error(h, "a batch of %d packets makes no sense", max);
	/* What can be overwritten at any time is handed out as a copy, of which there is one. */
	if ((h->open_flags & NPF_WIRE_OPEN_OVERWRITE) != 0)
		rd.max = 1;
	else
		npf_client_hold(h->client, h->holding = true);
	n = read_out(h, &rd);
	h->delivered += n > 0 ? (uint64_t)n : 0;
	return n;
}

void pcap_breakloop(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL) {
		npf_genuine()->pcap_breakloop(p);
		return;
	}
	atomic_store_explicit(&h->break_loop, true, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->n_breaks, 1, memory_order_relaxed);
	if (h->client != NULL)
		npf_client_interrupt(h->client);
}

int pcap_setnonblock(pcap_t *p, int nonblock, char *errbuf)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_error err;

	if (h == NULL)
		return npf_genuine()->pcap_setnonblock(p, nonblock, errbuf);
	if (h->client != NULL && npf_client_set_interruptible(h->client, nonblock == 0, &err) < 0) {
		npf_handle_error(h, "%s", err.text);
		memmove(errbuf, h->errbuf, sizeof(h->errbuf));
		return PCAP_ERROR;
	}
	h->nonblock = nonblock != 0;
	return 0;
}

int pcap_getnonblock(pcap_t *p, char *errbuf)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_getnonblock(p, errbuf);
	return h->client != NULL ? h->nonblock : npf_handle_inactive(h);
}

int pcap_fileno(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_fileno(p);
	return pcap_get_selectable_fd(p);
}

int pcap_get_selectable_fd(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_error err;

	if (h == NULL)
		return npf_genuine()->pcap_get_selectable_fd(p);
	if (h->client == NULL)
		return PCAP_ERROR;
	/* A program that takes the descriptor waits for packets before it reads. */
	if (npf_client_begin(h->client, &err) < 0)
		return npf_handle_error(h, "%s", err.text);
	if (!h->selected) {
		/* From now on the descriptor is watched. What is there may be below mintocopy: the
		 * daemon says when its time is over. */
		h->selected = true;
		npf_client_settle(h->client);
	}
	return npf_client_fd(h->client);
}

const struct timeval *pcap_get_required_select_timeout(pcap_t *p)
{
	if (npf_handle_of(p) == NULL)
		return npf_genuine()->pcap_get_required_select_timeout(p);
	return NULL;
}
