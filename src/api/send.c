/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send.c - one packet at a time, or one packet many times.
 *
 * Success means that the port took it, as often as asked for. pcap_breakloop() ends a call that is
 * under way, and only that: see sendqueue.c.
 */
#include "api/handle.h"

#include "npfdp.h"

#include <limits.h>

/*
 * Sends a frame as often as pcap_setnumwrites() says. A blocking handle waits for room in the
 * port's queue, as long as packets leave it; a non-blocking one gets an error at once, and EAGAIN
 * in errno, as from libpcap's socket. Return: 0 or a pcap error.
 */
static int send_frame(struct npf_handle *h, const void *frame, size_t size)
{
	uint32_t flags = h->nonblock ? NPF_TX_NOWAIT : 0;
	struct npf_client_stop stop = npf_client_stop(&h->n_breaks);
	struct npf_client_batch batch;
	struct npf_error err;
	uint64_t sent = 0;
	int rc;

	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (size > NPF_WIRE_MAXFRAME)
		return npf_handle_error(
			h, "a packet of %zu bytes is longer than %u", size, NPF_WIRE_MAXFRAME);
	rc = npf_client_batch_begin(h->client, &batch, flags, stop, &err);
	if (rc == 0) {
		npf_client_batch_put(&batch, frame, (uint32_t)size, h->n_writes, 0);
		rc = npf_client_batch_end(&batch, &sent, &err);
	}
	if (rc == 0)
		return 0;
	if (h->n_writes == 1)
		npf_handle_error(h, "%s", err.text);
	else
		npf_handle_error(h, "%s (%llu of %u times sent)", err.text,
			(unsigned long long)sent, h->n_writes);
	errno = -rc;
	return PCAP_ERROR;
}

int pcap_inject(pcap_t *p, const void *frame, size_t size)
{
	struct npf_handle *h = npf_handle_of(p);
	int rc;

	if (h == NULL)
		return npf_genuine()->pcap_inject(p, frame, size);
	if (size > INT_MAX)
		return npf_handle_error(h, "More than %d bytes cannot be injected", INT_MAX);
	if (size == 0)
		return npf_handle_error(h, "The number of bytes to be injected must not be zero");
	rc = send_frame(h, frame, size);
	return rc < 0 ? rc : (int)size;
}

int pcap_sendpacket(pcap_t *p, const u_char *frame, int size)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_sendpacket(p, frame, size);
	if (size <= 0)
		return npf_handle_error(h, "The number of bytes to be sent must be positive");
	return send_frame(h, frame, (size_t)size);
}

int pcap_setnumwrites(pcap_t *p, int n)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return PCAP_ERROR;
	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (n < 1)
		return npf_handle_error(h, "a packet is sent at least once, not %d times", n);
	h->n_writes = (unsigned int)n;
	return 0;
}
