/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send.c - one packet at a time.
 *
 * The daemon answers each packet: success means that the port took it.
 */
#include "api/handle.h"

#include "npfdp.h"

#include <limits.h>

/* Sends a frame as often as pcap_setnumwrites() says. Return: 0 or a pcap error. */
static int send_frame(struct npf_handle *h, const void *frame, size_t size)
{
	struct npf_wire_error err;

	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (size > NPF_WIRE_MAXFRAME)
		return npf_handle_error(
			h, "a packet of %zu bytes is longer than %u", size, NPF_WIRE_MAXFRAME);
	for (unsigned int i = 0; i < h->n_writes; i++)
		if (npf_client_send(h->client, frame, (uint32_t)size, &err) < 0)
			return npf_handle_error(h, "%s", err.text);
	return 0;
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
