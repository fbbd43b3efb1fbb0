/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sendqueue.c - WinPcap's send queues: packets collected first, then sent in one call.
 *
 * A queue holds a struct pcap_pkthdr and the packet, again and again, unpadded. That header has 24
 * bytes here and 16 on Windows and in a savefile, by which programs size their queues: what
 * fits is decided as if it had 16, and the memory is there for 24.
 *
 * The packets go through the send lane; the daemon keeps the schedule. sync: packet i leaves at the
 * first one's departure plus the distance of their time stamps: an absolute schedule, so one
 * late packet makes no other late. A stamp that goes back is sent at once. The call returns when
 * the last packet has left, or early when one can't be sent or pcap_breakloop() is called.
 */
#include "api/handle.h"

#include "base/clock.h"

#include <string.h>

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

/* The packet at that place of the queue. Return: its bytes, header included; 0: none is whole
 * there.
 */
static u_int packet_at(const pcap_send_queue *queue, u_int at, struct pcap_pkthdr *hdr)
{
	if (queue->len - at < sizeof(*hdr))
		return 0;
	memcpy(hdr, queue->buffer + at, sizeof(*hdr));
	if (queue->len - at - sizeof(*hdr) < hdr->caplen)
		return 0;
	return (u_int)sizeof(*hdr) + hdr->caplen;
}

/* Bytes of the queue that its first n packets take. */
static u_int bytes_of(const pcap_send_queue *queue, uint64_t n)
{
	struct pcap_pkthdr hdr;
	u_int at = 0;

	while (n-- > 0)
		at += packet_at(queue, at, &hdr);
	return at;
}

u_int pcap_sendqueue_transmit(pcap_t *p, pcap_send_queue *queue, int sync)
{
	struct npf_handle *h = npf_handle_of(p);
	uint32_t flags = sync ? NPF_TX_TIMED : 0;
	struct npf_client_batch batch;
	struct npf_wire_error err;
	struct pcap_pkthdr hdr;
	u_int at = 0, size;
	int64_t first = 0;
	uint64_t sent;
	int rc;

	if (h == NULL)
		return 0;
	if (h->client == NULL) {
		npf_handle_inactive(h);
		return 0;
	}
	/* A schedule is there to be waited for. */
	if (!sync && h->nonblock)
		flags = NPF_TX_NOWAIT;
	if (npf_client_batch_begin(h->client, &batch, flags, &h->break_loop, &err) < 0) {
		npf_handle_error(h, "%s", err.text);
		return 0;
	}
	for (; (size = packet_at(queue, at, &hdr)) > 0; at += size) {
		int64_t since;

		if (at == 0)
			first = stamp_ns(h, &hdr);
		since = stamp_ns(h, &hdr) - first;
		if (npf_client_batch_put(&batch, queue->buffer + at + sizeof(hdr), hdr.caplen, 1,
			    sync && since > 0 ? (uint64_t)since : 0) < 0)
			break;
	}
	rc = npf_client_batch_end(&batch, &sent, &err);
	if (rc < 0) {
		npf_handle_error(h, "%s", err.text);
		if (rc == -ECANCELED)
			atomic_store_explicit(&h->break_loop, false, memory_order_relaxed);
		return bytes_of(queue, sent);
	}
	if (at < queue->len)
		npf_handle_error(h, "the send queue ends in the middle of a packet");
	return at;
}
