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
 * late packet makes no other late. A stamp that goes back is sent at once, and those after it at
 * their own times. The call returns when the last packet has left, or early when one can't be
 * sent or pcap_breakloop() is called meanwhile. One called before is for the next read: a send
 * neither heeds it nor takes it away, and leaves standing the one that ends it, since another
 * thread may be reading.
 */
#include "api/handle.h"

#include "base/clock.h"

#include <limits.h>
#include <string.h>

#define FILE_HEADER 16u  /* of a packet in a savefile */
#define AHEAD       1024 /* of the packet being sent, bytes asked for; may lie behind the queue */

struct queue {
	pcap_send_queue face; /* the program's as much as ours: it empties a queue by len = 0 */
	size_t room;          /* bytes of the buffer */
	u_int counted;        /* the len that n_packets belongs to */
	u_int n_packets;
};

pcap_send_queue *pcap_sendqueue_alloc(u_int memsize)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	/* (24 + n) / (16 + n) is never above 3/2. */
	q->room = (size_t)memsize + memsize / 2 + sizeof(struct pcap_pkthdr);
	q->face.buffer = malloc(q->room);
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

/* Somebody else has set len: how many packets are below it? */
static void count_packets(struct queue *q)
{
	struct pcap_pkthdr hdr;
	u_int size;

	q->n_packets = 0;
	for (u_int at = 0; (size = packet_at(&q->face, at, &hdr)) > 0; at += size)
		q->n_packets++;
	q->counted = q->face.len;
}

int pcap_sendqueue_queue(pcap_send_queue *queue, const struct pcap_pkthdr *hdr, const u_char *data)
{
	struct queue *q = (struct queue *)queue;
	uint64_t size = sizeof(*hdr) + (uint64_t)hdr->caplen, as_file;

	if (queue->len + size > NPF_MIN(q->room, (size_t)UINT_MAX))
		return PCAP_ERROR;
	if (queue->len != q->counted)
		count_packets(q);
	as_file = queue->len + size - (q->n_packets + 1ull) * (sizeof(*hdr) - FILE_HEADER);
	if (as_file > queue->maxlen)
		return PCAP_ERROR;
	memcpy(queue->buffer + queue->len, hdr, sizeof(*hdr));
	memcpy(queue->buffer + queue->len + sizeof(*hdr), data, hdr->caplen);
	queue->len += (u_int)size;
	q->counted = queue->len;
	q->n_packets++;
	return 0;
}

/* The header's stamp; its fraction counts in the unit of the handle's precision. */
static int64_t stamp_ns(const struct npf_handle *h, const struct pcap_pkthdr *hdr)
{
	int64_t unit = h->precision == PCAP_TSTAMP_PRECISION_NANO ? 1 : (int64_t)NPF_NS_PER_US;

	return (int64_t)hdr->ts.tv_sec * (int64_t)NPF_NS_PER_S + (int64_t)hdr->ts.tv_usec * unit;
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
	struct npf_client_stop stop;
	struct npf_client_batch batch;
	struct npf_error err;
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
	stop = npf_client_stop(&h->n_breaks);
	/* A schedule is there to be waited for. */
	if (!sync && h->nonblock)
		flags = NPF_TX_NOWAIT;
	if (npf_client_batch_begin(h->client, &batch, flags, stop, &err) < 0) {
		npf_handle_error(h, "%s", err.text);
		return 0;
	}
	for (; (size = packet_at(queue, at, &hdr)) > 0; at += size) {
		int64_t since = 0;

		__builtin_prefetch(queue->buffer + at + AHEAD);
		if (sync) {
			since = stamp_ns(h, &hdr);
			first = at == 0 ? since : first;
			since = NPF_MAX(since - first, (int64_t)0);
		}
		if (npf_client_batch_put(&batch, queue->buffer + at + sizeof(hdr), hdr.caplen, 1,
			    (uint64_t)since) < 0)
			break;
	}
	rc = npf_client_batch_end(&batch, &sent, &err);
	if (rc < 0) {
		npf_handle_error(h, "%s", err.text);
		return bytes_of(queue, sent);
	}
	if (at < queue->len)
		npf_handle_error(h, "the send queue ends in the middle of a packet");
	return at;
}
