/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sendqueue.c - WinPcap's send queues: packets collected first, then sent in one call.
 *
 * A queue holds a struct pcap_pkthdr and the packet, again and again, unpadded. That header has 24
 * bytes here and 16 on Windows and in a savefile, by which programs size their queues: what
 * fits is decided as if it had 16, and the memory is there for 24.
 *
 * sync: packet i leaves at the start of the call plus the distance of its time stamp from the
 * first one's: an absolute schedule, so one late packet makes no other late. A stamp that
 * goes back is sent at once.
 */
#include "api/handle.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

#define FILE_HEADER 16u /* of a packet in a savefile */

struct queue {
	pcap_send_queue face;
	u_int n_packets;
};

pcap_send_queue *pcap_sendqueue_alloc(u_int memsize)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	/* (24 + n) / (16 + n) is never above 3/2. */
	q->face.buffer = malloc((size_t)memsize + memsize / 2 + sizeof(struct pcap_pkthdr));
	if (q->face.buffer == NULL) {
		free(q);
		return NULL;
	}
	q->face.maxlen = memsize;
	return &q->face;
}

void pcap_sendqueue_destroy(pcap_send_queue *queue)
{
	if (queue == NULL)
		return;
	free(queue->buffer);
	free(queue);
}

int pcap_sendqueue_queue(pcap_send_queue *queue, const struct pcap_pkthdr *hdr, const u_char *data)
{
	struct queue *q = (struct queue *)queue;
	uint64_t as_file =
		(uint64_t)queue->len - (uint64_t)q->n_packets * (sizeof(*hdr) - FILE_HEADER);

	if (as_file + FILE_HEADER + hdr->caplen > queue->maxlen)
		return PCAP_ERROR;
	memcpy(queue->buffer + queue->len, hdr, sizeof(*hdr));
	memcpy(queue->buffer + queue->len + sizeof(*hdr), data, hdr->caplen);
	queue->len += (u_int)sizeof(*hdr) + hdr->caplen;
	q->n_packets++;
	return 0;
}

/* The header's stamp; its fraction counts in the unit of the handle's precision. */
static int64_t stamp_ns(const struct npf_handle *h, const struct pcap_pkthdr *hdr)
{
	int64_t unit = h->precision == PCAP_TSTAMP_PRECISION_NANO ? 1 : (int64_t)NPF_NS_PER_US;

	return (int64_t)hdr->ts.tv_sec * (int64_t)NPF_NS_PER_S + (int64_t)hdr->ts.tv_usec * unit;
}

static void sleep_until(uint64_t mono_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(mono_ns / NPF_NS_PER_S),
		.tv_nsec = (long)(mono_ns % NPF_NS_PER_S),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

u_int pcap_sendqueue_transmit(pcap_t *p, pcap_send_queue *queue, int sync)
{
	struct npf_handle *h = npf_handle_of(p);
	uint64_t start = npf_clock_monotonic();
	int64_t first = 0;
	u_int at = 0;

	if (h == NULL)
		return 0;
	if (h->client == NULL) {
		npf_handle_inactive(h);
		return 0;
	}
	while (at < queue->len) {
		struct pcap_pkthdr hdr;
		int64_t since;

		if (queue->len - at < sizeof(hdr))
			break;
		memcpy(&hdr, queue->buffer + at, sizeof(hdr));
		if (queue->len - at - sizeof(hdr) < hdr.caplen)
			break;
		if (at == 0)
			first = stamp_ns(h, &hdr);
		since = stamp_ns(h, &hdr) - first;
		if (sync && since > 0)
			sleep_until(start + (uint64_t)since);
		if (pcap_sendpacket(p, (const u_char *)queue->buffer + at + sizeof(hdr),
			    (int)hdr.caplen) < 0)
			return at;
		at += (u_int)sizeof(hdr) + hdr.caplen;
	}
	if (at < queue->len)
		npf_handle_error(h, "the send queue ends in the middle of a packet");
	return at;
}
