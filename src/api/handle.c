/* SPDX-License-Identifier: BSD-3-Clause */
/* handle.c - what all calls share: which handles are ours, and how a handle gets its error. */
#include "api/handle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char npf_handle_tag = 0;

int npf_handle_error(struct npf_handle *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->errbuf, sizeof(h->errbuf), fmt, ap);
	va_end(ap);
	return PCAP_ERROR;
}

int npf_handle_inactive(struct npf_handle *h)
{
	npf_handle_error(h, "This handle hasn't been activated yet");
	return PCAP_ERROR_NOT_ACTIVATED;
}

int npf_handle_fail(struct npf_handle *h, int rc, const struct npf_error *err)
{
	npf_handle_error(h, "%.*s", (int)sizeof(err->text) - 1, err->text);
	switch (rc) {
	case -ENODEV:
	case -ENXIO:
	case -ENOENT:
	case -ECONNREFUSED:
		return PCAP_ERROR_NO_SUCH_DEVICE;
	case -EACCES:
	case -EPERM:
		return PCAP_ERROR_PERM_DENIED;
	case -ENETDOWN:
		return PCAP_ERROR_IFACE_NOT_UP;
	default:
		return PCAP_ERROR;
	}
}

struct npf_handle *npf_handle_new(const char *device, char *errbuf)
{
	struct npf_handle *h = calloc(1, sizeof(*h));

	if (h != NULL)
		h->device = strdup(device);
	if (h == NULL || h->device == NULL) {
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "out of memory");
		free(h);
		return NULL;
	}
	h->tag = &npf_handle_tag;
	h->dump_fd = -1;
	h->userbuffer = NPF_USERBUFFER;
	h->mintocopy = NPF_MINTOCOPY;
	h->n_writes = 1;
	/* On Linux a packet socket does not see what it sends itself; pcap_open() says otherwise.
	 */
	h->open_flags = NPF_WIRE_OPEN_NO_OWN | NPF_WIRE_OPEN_LOOK;
	return h;
}

uint32_t npf_handle_timeout(const struct npf_handle *h)
{
	if (h->timeout_ms > 0)
		return (uint32_t)h->timeout_ms;
	return h->winpcap ? 0 : NPF_TIMEOUT_UNSET;
}
