/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - the life of a handle: create, set, activate, close.
 *
 * pcap_create() decides once whose handle it is. The session is opened by
 * pcap_activate(), so that is where its errors appear, as with the real library.
 */
#include "api/handle.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define ETH_P_ALL_ 0x0003

static int already_active(struct npf_handle *h)
{
	npf_handle_error(h, "can't perform operation on activated capture");
	return PCAP_ERROR_ACTIVATED;
}

/* npf0, npf1, ...: the names that --vdev gives. */
static bool looks_like_port(const char *name)
{
	return strncmp(name, "npf", 3) == 0 && name[3] != '\0' &&
	       name[3 + strspn(name + 3, "0123456789")] == '\0';
}

bool npf_handle_is_port(const char *name)
{
	npf_autofree struct npf_wire_port *ports = NULL;
	struct npf_error err;
	unsigned int n = 0;

	if (name == NULL || name[0] == '\0' || strcmp(name, "any") == 0)
		return false;
	/* A name like ours that the kernel does not know can be nobody else's: even without a
	 * daemon, so that the error says what is missing. */
	if (looks_like_port(name) && if_nametoindex(name) == 0)
		return true;
	if (npf_client_list(500, &ports, &n, &err) < 0)
		return false;
	for (unsigned int i = 0; i < n; i++)
		if (strcmp(ports[i].name, name) == 0)
			return true;
	return false;
}

pcap_t *pcap_create(const char *device, char *errbuf)
{
	const struct npf_genuine *g = npf_genuine();

	if (npf_handle_is_port(device))
		return (pcap_t *)npf_handle_new(device, errbuf);
	if (g->pcap_create == NULL) {
		npf_genuine_text(errbuf);
		return NULL;
	}
	return g->pcap_create(device, errbuf);
}

/* The setters that only remember their argument. */
#define SETTER(name, field, value)                                                                 \
	int name(pcap_t *p, int arg)                                                               \
	{                                                                                          \
		struct npf_handle *h = npf_handle_of(p);                                           \
                                                                                                   \
		if (h == NULL)                                                                     \
			return npf_genuine()->name(p, arg);                                        \
		if (h->client != NULL)                                                             \
			return already_active(h);                                                  \
		h->field = (value);                                                                \
		return 0;                                                                          \
	}

SETTER(pcap_set_snaplen, snaplen, arg)
SETTER(pcap_set_promisc, promisc, arg != 0)
SETTER(pcap_set_rfmon, rfmon, arg != 0)
SETTER(pcap_set_timeout, timeout_ms, arg)
SETTER(pcap_set_immediate_mode, immediate, arg != 0)
SETTER(pcap_set_protocol_linux, protocol, arg)
/* Values that make no sense are ignored, as in libpcap. */
SETTER(pcap_set_buffer_size, buffer_size, arg > 0 ? arg : h->buffer_size)

int pcap_set_tstamp_type(pcap_t *p, int type)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_set_tstamp_type(p, type);
	if (h->client != NULL)
		return already_active(h);
	return type == PCAP_TSTAMP_HOST ? 0 : PCAP_WARNING_TSTAMP_TYPE_NOTSUP;
}

int pcap_set_tstamp_precision(pcap_t *p, int precision)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_set_tstamp_precision(p, precision);
	if (h->client != NULL)
		return already_active(h);
	if (precision != PCAP_TSTAMP_PRECISION_MICRO && precision != PCAP_TSTAMP_PRECISION_NANO)
		return PCAP_ERROR_TSTAMP_PRECISION_NOTSUP;
	h->precision = precision;
	return 0;
}

/* The companion shares link type, snap length and precision, which is all that compiling and
 * dumping look at. */
static int make_companion(struct npf_handle *h)
{
	const struct npf_genuine *g = npf_genuine();

	if (g->pcap_open_dead_with_tstamp_precision == NULL)
		return npf_genuine_text(h->errbuf);
	h->dead = g->pcap_open_dead_with_tstamp_precision(
		(int)npf_client_port(h->client)->linktype, h->snaplen, (u_int)h->precision);
	return h->dead != NULL ? 0 : npf_handle_error(h, "out of memory");
}

static int open_client(struct npf_handle *h)
{
	struct npf_client_conf conf = {
		.port = h->device,
		.snaplen = (uint32_t)h->snaplen,
		.mintocopy = h->mintocopy,
		.timeout_ms = npf_handle_timeout(h),
		.buffer_size = (uint64_t)h->buffer_size,
		.flags = h->open_flags | (h->promisc ? NPF_WIRE_OPEN_PROMISC : 0) |
			 (h->immediate ? NPF_WIRE_OPEN_IMMEDIATE : 0),
		.direction = NPF_WIRE_INOUT,
	};
	struct npf_error err;
	int rc = npf_client_open(&conf, &h->client, &err);

	return rc < 0 ? npf_handle_fail(h, rc, &err) : 0;
}

static void deactivate(struct npf_handle *h)
{
	if (h->dead != NULL)
		npf_genuine()->pcap_close(h->dead);
	h->dead = NULL;
	npf_handle_end_dump(h);
	h->client = npf_client_close(h->client);
	free(h->data);
	h->data = NULL;
}

int pcap_activate(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);
	int rc;

	if (h == NULL)
		return npf_genuine()->pcap_activate(p);
	if (h->client != NULL)
		return already_active(h);
	if (h->rfmon) {
		npf_handle_error(h, "%s is not a wireless interface", h->device);
		return PCAP_ERROR_RFMON_NOTSUP;
	}
	if (h->protocol != 0 && h->protocol != ETH_P_ALL_)
		return npf_handle_error(
			h, "%s: a DPDK port has no protocol to bind to: use a filter", h->device);
	if (h->snaplen <= 0 || h->snaplen > NPF_SNAPLEN_MAX)
		h->snaplen = NPF_SNAPLEN_MAX;

	h->errbuf[0] = '\0';
	rc = open_client(h);
	if (rc == 0)
		rc = make_companion(h);
	if (rc == 0) {
		h->data_size = NPF_MAX((uint32_t)h->snaplen, NPF_COUNTS_SIZE);
		h->data = malloc(h->data_size);
		if (h->data == NULL)
			rc = npf_handle_error(h, "out of memory");
	}
	if (rc == 0)
		rc = pcap_setnonblock(p, h->nonblock, h->errbuf);
	if (rc < 0)
		deactivate(h);
	return rc;
}

void npf_handle_explain(const char *device, int status, const char *text, char *errbuf)
{
	const struct npf_genuine *g = npf_genuine();
	const char *name = g->pcap_statustostr != NULL ? g->pcap_statustostr(status) : "error";

	if (status == PCAP_ERROR)
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%.60s: %.190s", device, text);
	else if (text[0] != '\0')
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%.60s: %.60s (%.120s)", device, name, text);
	else
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%.60s: %s", device, name);
}

pcap_t *pcap_open_live(const char *device, int snaplen, int promisc, int to_ms, char *errbuf)
{
	const struct npf_genuine *g = npf_genuine();
	struct npf_handle *h;
	int rc;

	if (!npf_handle_is_port(device)) {
		if (g->pcap_open_live == NULL) {
			npf_genuine_text(errbuf);
			return NULL;
		}
		return g->pcap_open_live(device, snaplen, promisc, to_ms, errbuf);
	}
	h = npf_handle_new(device, errbuf);
	if (h == NULL)
		return NULL;
	h->snaplen = snaplen;
	h->promisc = promisc != 0;
	h->timeout_ms = to_ms;
	rc = pcap_activate((pcap_t *)h);
	if (rc < 0) {
		npf_handle_explain(device, rc, h->errbuf, errbuf);
		pcap_close((pcap_t *)h);
		return NULL;
	}
	return (pcap_t *)h;
}

void pcap_close(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL) {
		npf_genuine()->pcap_close(p);
		return;
	}
	deactivate(h);
	free(h->device);
	free(h);
}
