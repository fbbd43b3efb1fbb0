/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.c - counters, with libpcap's meaning and with our own.
 *
 * ps_recv   passed the filter, whether or not there was room for it (as libpcap on Linux); for a
 *           filter that libpcap runs itself, whether it passed or not (as there)
 * ps_drop   passed the filter and found no room in this session's buffer
 * ps_ifdrop dropped by the port itself since activation
 * The 32-bit ones are the low halves of the 64-bit ones of npfdp_stats().
 */
#include "api/handle.h"

#include "npfdp.h"

#include <string.h>

static int fetch(struct npf_handle *h, struct npf_wire_stats *stats)
{
	struct npf_error err;

	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (npf_client_stats(h->client, stats, &err) < 0)
		return npf_handle_error(h, "%s", err.text);
	return 0;
}

static uint64_t no_room(const struct npf_wire_stats *s)
{
	return s->drop_full + s->drop_overwritten + s->drop_other;
}

int pcap_stats(pcap_t *p, struct pcap_stat *ps)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_wire_stats s;
	int rc;

	if (h == NULL)
		return npf_genuine()->pcap_stats(p, ps);
	rc = fetch(h, &s);
	if (rc < 0)
		return rc;
	ps->ps_recv = (u_int)(s.accepted + s.screened);
	ps->ps_drop = (u_int)no_room(&s);
	ps->ps_ifdrop = (u_int)s.port_missed;
	return 0;
}

int npfdp_stats(pcap_t *p, struct npfdp_stats *stats, size_t size)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_client_late late;
	struct npfdp_stats all = {0};
	struct npf_wire_stats s;
	int rc;

	if (h == NULL)
		return PCAP_ERROR;
	rc = fetch(h, &s);
	if (rc < 0)
		return rc;
	all.received = s.received;
	all.accepted = s.accepted;
	all.captured = s.captured;
	all.captured_bytes = s.captured_bytes;
	all.delivered = h->delivered;
	all.drop_full = s.drop_full;
	all.drop_overwritten = s.drop_overwritten;
	all.drop_other = s.drop_other;
	all.port_missed = s.port_missed;
	all.port_errors = s.port_errors;
	all.sent = s.sent;
	all.send_failed = s.send_failed;
	late = npf_client_late(h->client);
	all.late_p50_ns = late.p50;
	all.late_p99_ns = late.p99;
	all.late_max_ns = late.max;
	all.screened = s.screened;
	memset(stats, 0, size);
	memcpy(stats, &all, NPF_MIN(size, sizeof(all)));
	return 0;
}

struct pcap_stat *pcap_stats_ex(pcap_t *p, int *size)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_wire_stats s;
	struct pcap_stat_ex *ex;

	if (h == NULL || fetch(h, &s) < 0)
		return NULL;
	ex = &h->stat_ex;
	ex->ps_recv = (u_int)(s.accepted + s.screened);
	ex->ps_drop = (u_int)no_room(&s);
	ex->ps_ifdrop = (u_int)s.port_missed;
	ex->ps_capt = (u_int)h->delivered;
	ex->ps_sent = (u_int)s.sent;
	ex->ps_netdrop = 0;
	*size = (int)sizeof(*ex);
	return (struct pcap_stat *)ex;
}
