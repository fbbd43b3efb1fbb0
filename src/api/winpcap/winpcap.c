/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * winpcap.c - WinPcap's extensions that set something on a handle.
 *
 * They exist on handles of DPDK ports. On others there is nothing to set: PCAP_ERROR, and the
 * handle's error text is left alone, since it is the real library's.
 */
#include "api/handle.h"

#include <limits.h>
#include <stdio.h>

/* The handle if it is ours and activated, else NULL with *rcp set. */
static struct npf_handle *active(pcap_t *p, int *rcp)
{
	struct npf_handle *h = npf_handle_of(p);

	*rcp = PCAP_ERROR;
	if (h != NULL && h->client == NULL) {
		*rcp = npf_handle_inactive(h);
		return NULL;
	}
	return h;
}

int pcap_setbuff(pcap_t *p, int bytes)
{
	struct npf_error err;
	int rc;
	struct npf_handle *h = active(p, &rc);

	if (h == NULL)
		return rc;
	if (bytes <= 0)
		return npf_handle_error(h, "a buffer of %d bytes makes no sense", bytes);
	if (npf_client_set_buffer(h->client, (uint64_t)bytes, &err) < 0)
		return npf_handle_error(h, "%s", err.text);
	npf_handle_settle(h);
	return 0;
}

int pcap_setuserbuffer(pcap_t *p, int bytes)
{
	int rc;
	struct npf_handle *h = active(p, &rc);

	if (h == NULL)
		return rc;
	if (bytes <= 0)
		return npf_handle_error(h, "a user buffer of %d bytes makes no sense", bytes);
	h->userbuffer = (uint32_t)bytes;
	return 0;
}

int pcap_setmintocopy(pcap_t *p, int bytes)
{
	struct npf_error err;
	int rc;
	struct npf_handle *h = active(p, &rc);

	if (h == NULL)
		return rc;
	if (bytes < 0)
		return npf_handle_error(h, "mintocopy can't be %d bytes", bytes);
	if (npf_client_set_wake(h->client, (uint32_t)bytes, npf_handle_timeout(h), &err) < 0)
		return npf_handle_error(h, "%s", err.text);
	h->mintocopy = (uint32_t)bytes;
	return 0;
}

/* The interval of statistics mode is the read timeout; NPF took 0 for ever, its manual 1 s. */
static int switch_mode(struct npf_handle *h, int mode)
{
	struct npf_error err;

	bool stat = (mode & MODE_STAT) != 0;

	if (stat && h->timeout_ms > (int)NPF_WIRE_MAXINTERVAL_MS)
		return npf_handle_error(h,
			"the interval of statistics mode is the read timeout, and %d ms is too "
			"long: open the handle with %u at most",
			h->timeout_ms, NPF_WIRE_MAXINTERVAL_MS);
	if ((mode & MODE_DUMP) == 0)
		npf_handle_end_dump(h);
	if (stat != ((h->mode & MODE_STAT) != 0) &&
		npf_client_set_mode(h->client, stat, (uint32_t)NPF_MAX(h->timeout_ms, 0),
			h->delivered == 0, &err) < 0)
		return npf_handle_error(h, "%s", err.text);
	h->mode = mode;
	npf_handle_settle(h);
	return 0;
}

int pcap_setmode(pcap_t *p, int mode)
{
	int rc;
	struct npf_handle *h = active(p, &rc);

	if (h == NULL)
		return rc;
	switch (mode) {
	case MODE_CAPT:
	case MODE_STAT:
	case MODE_DUMP: /* pcap_live_dump() begins it */
	case MODE_STAT | MODE_DUMP:
		return switch_mode(h, mode);
	case MODE_MON:
		return npf_handle_error(h, "monitoring mode was never part of NPF: use MODE_STAT");
	default:
		return npf_handle_error(h, "working mode not recognized");
	}
}

int pcap_getevent(pcap_t *p)
{
	int rc;
	struct npf_handle *h = active(p, &rc);

	return h != NULL ? pcap_get_selectable_fd(p) : rc;
}

struct pcap_samp *pcap_setsampling(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);

	return h != NULL ? &h->samp : NULL;
}

PAirpcapHandle pcap_get_airpcap_handle(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h != NULL)
		npf_handle_error(h, "This isn't an AirPcap device");
	return NULL;
}

static int no_oid(pcap_t *p)
{
	int rc;
	struct npf_handle *h = active(p, &rc);

	return h != NULL ? npf_handle_error(h, "a DPDK port has no NDIS object identifiers") : rc;
}

int pcap_oid_get_request(pcap_t *p, bpf_u_int32 oid, void *data, size_t *len)
{
	(void)oid;
	(void)data;
	(void)len;
	return no_oid(p);
}

int pcap_oid_set_request(pcap_t *p, bpf_u_int32 oid, const void *data, size_t *len)
{
	(void)oid;
	(void)data;
	(void)len;
	return no_oid(p);
}

int pcap_start_oem(char *errbuf, int flags)
{
	(void)flags;
	snprintf(errbuf, PCAP_ERRBUF_SIZE, "there is no OEM edition to start");
	return PCAP_ERROR;
}

/* ---- Remote capture: declared by libpcap, built into few of its packages ---- */

static int no_remote(char *errbuf)
{
	snprintf(errbuf, PCAP_ERRBUF_SIZE, "remote capture is not built into this library");
	return PCAP_ERROR;
}

SOCKET pcap_remoteact_accept(const char *address, const char *port, const char *hostlist,
	char *connectinghost, struct pcap_rmtauth *auth, char *errbuf)
{
	(void)address;
	(void)port;
	(void)hostlist;
	(void)connectinghost;
	(void)auth;
	return no_remote(errbuf);
}

SOCKET pcap_remoteact_accept_ex(const char *address, const char *port, const char *hostlist,
	char *connectinghost, struct pcap_rmtauth *auth, int uses_ssl, char *errbuf)
{
	(void)uses_ssl;
	return pcap_remoteact_accept(address, port, hostlist, connectinghost, auth, errbuf);
}

int pcap_remoteact_list(char *hostlist, char sep, int size, char *errbuf)
{
	(void)hostlist;
	(void)sep;
	(void)size;
	return no_remote(errbuf);
}

int pcap_remoteact_close(const char *host, char *errbuf)
{
	(void)host;
	return no_remote(errbuf);
}

void pcap_remoteact_cleanup(void)
{
}
