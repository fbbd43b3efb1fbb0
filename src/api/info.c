/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * info.c - what a handle is and can do, and its error text.
 *
 * None of these talks to the daemon.
 */
#include "api/handle.h"

#include <stdio.h>
#include <string.h>

/* Asks the real library, or, for a handle of ours that is activated, gives a value. */
#define ACTIVE_VALUE(name, value)                                                                  \
	int name(pcap_t *p)                                                                        \
	{                                                                                          \
		struct npf_handle *h = npf_handle_of(p);                                           \
                                                                                                   \
		if (h == NULL)                                                                     \
			return npf_genuine()->name(p);                                             \
		return h->client != NULL ? (int)(value) : PCAP_ERROR_NOT_ACTIVATED;                \
	}

ACTIVE_VALUE(pcap_datalink, npf_client_port(h->client)->linktype)
ACTIVE_VALUE(pcap_datalink_ext, 0)
ACTIVE_VALUE(pcap_snapshot, h->snaplen)
ACTIVE_VALUE(pcap_is_swapped, 0)
ACTIVE_VALUE(pcap_major_version, 0)
ACTIVE_VALUE(pcap_minor_version, 0)
ACTIVE_VALUE(pcap_bufsize, h->snaplen)

int pcap_get_tstamp_precision(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);

	return h == NULL ? npf_genuine()->pcap_get_tstamp_precision(p) : h->precision;
}

int pcap_can_set_rfmon(pcap_t *p)
{
	return npf_handle_of(p) == NULL ? npf_genuine()->pcap_can_set_rfmon(p) : 0;
}

FILE *pcap_file(pcap_t *p)
{
	return npf_handle_of(p) == NULL ? npf_genuine()->pcap_file(p) : NULL;
}

char *pcap_geterr(pcap_t *p)
{
	struct npf_handle *h = npf_handle_of(p);

	return h == NULL ? npf_genuine()->pcap_geterr(p) : h->errbuf;
}

/* The one function whose purpose is to print. */
void pcap_perror(pcap_t *p, const char *prefix)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		npf_genuine()->pcap_perror(p, prefix);
	else
		fprintf(stderr, "%s: %s\n", prefix, h->errbuf);
}

/* A list of one, freed by the real library's free(). */
static int list_of(struct npf_handle *h, int value, int **listp)
{
	int *list = malloc(sizeof(*list));

	if (list == NULL)
		return npf_handle_error(h, "out of memory");
	*list = value;
	*listp = list;
	return 1;
}

int pcap_list_tstamp_types(pcap_t *p, int **listp)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_list_tstamp_types(p, listp);
	return list_of(h, PCAP_TSTAMP_HOST, listp);
}

int pcap_list_datalinks(pcap_t *p, int **listp)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_list_datalinks(p, listp);
	if (h->client == NULL)
		return PCAP_ERROR_NOT_ACTIVATED;
	return list_of(h, (int)npf_client_port(h->client)->linktype, listp);
}

int pcap_set_datalink(pcap_t *p, int dlt)
{
	struct npf_handle *h = npf_handle_of(p);
	const char *name;

	if (h == NULL)
		return npf_genuine()->pcap_set_datalink(p, dlt);
	if (h->client != NULL && dlt == (int)npf_client_port(h->client)->linktype)
		return 0;
	name = pcap_datalink_val_to_name(dlt);
	if (name != NULL)
		return npf_handle_error(
			h, "%s is not one of the DLTs supported by this device", name);
	return npf_handle_error(h, "DLT %d is not one of the DLTs supported by this device", dlt);
}
