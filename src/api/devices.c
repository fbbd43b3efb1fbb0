/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.c - the list of devices: the kernel's, then ours.
 *
 * The daemon has half a second to answer, and its absence is no error: the list is then the
 * kernel's alone. A port that also exists as a kernel interface (a shadow) is listed once, as
 * the kernel has it, with the port's description.
 *
 * Entries are allocated as libpcap allocates them, piece by piece, because the real library frees
 * lists of ours when it calls itself.
 */
#include "api/handle.h"

#include <net/if_arp.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LIST_TIMEOUT_MS 500

void pcap_freealldevs(pcap_if_t *list)
{
	while (list != NULL) {
		pcap_if_t *next = list->next;

		while (list->addresses != NULL) {
			pcap_addr_t *addr = list->addresses;

			list->addresses = addr->next;
			free(addr->addr);
			free(addr->netmask);
			free(addr->broadaddr);
			free(addr->dstaddr);
			free(addr);
		}
		free(list->name);
		free(list->description);
		free(list);
		list = next;
	}
}

static char *describe(const struct npf_wire_port *port)
{
	char *text;

	if (asprintf(&text, "DPDK port %.64s, %.32s", port->device, port->driver) < 0)
		return NULL;
	return text;
}

static struct sockaddr *link_address(const uint8_t mac[6])
{
	struct sockaddr_ll *ll = calloc(1, sizeof(*ll));

	if (ll == NULL)
		return NULL;
	ll->sll_family = AF_PACKET;
	ll->sll_hatype = ARPHRD_ETHER;
	ll->sll_halen = 6;
	memcpy(ll->sll_addr, mac, 6);
	return (struct sockaddr *)ll;
}

/* The MAC address, in the form that libpcap gives it for a kernel interface, but for the netmask:
 * programs for WinPcap, which lists only IP addresses, read it unasked. It has no family. */
static bool add_address(pcap_if_t *dev, const struct npf_wire_port *port)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	pcap_addr_t *addr = dev->addresses = calloc(1, sizeof(*addr));

	if (addr == NULL)
		return false;
	addr->addr = link_address(port->mac);
	addr->netmask = calloc(1, sizeof(struct sockaddr_storage));
	addr->broadaddr = link_address(broadcast);
	return addr->addr != NULL && addr->netmask != NULL && addr->broadaddr != NULL;
}

static pcap_if_t *new_entry(const struct npf_wire_port *port)
{
	pcap_if_t *dev = calloc(1, sizeof(*dev));

	if (dev == NULL)
		return NULL;
	dev->name = strdup(port->name);
	dev->description = describe(port);
	/* A port with start: attach has no link before its first reader: it is usable all the same,
	 * and programs pass over what is not up. */
	dev->flags = PCAP_IF_UP | PCAP_IF_RUNNING;
	if ((port->flags & NPF_WIRE_PORT_UP) != 0)
		dev->flags |= PCAP_IF_CONNECTION_STATUS_CONNECTED;
	if (dev->name == NULL || (port->linktype == DLT_EN10MB && !add_address(dev, port))) {
		pcap_freealldevs(dev);
		return NULL;
	}
	return dev;
}

static pcap_if_t *find(pcap_if_t *list, const char *name)
{
	while (list != NULL && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

static void add_ports(pcap_if_t **listp, const struct npf_wire_port *ports, unsigned int n)
{
	pcap_if_t *kernels = *listp;
	pcap_if_t **endp = listp;

	while (*endp != NULL)
		endp = &(*endp)->next;
	for (unsigned int i = 0; i < n; i++) {
		pcap_if_t *shadow = find(kernels, ports[i].name);

		if ((ports[i].flags & (NPF_WIRE_PORT_CAPTURE | NPF_WIRE_PORT_SEND)) == 0)
			continue;
		if (shadow != NULL) {
			free(shadow->description);
			shadow->description = describe(&ports[i]);
			continue;
		}
		*endp = new_entry(&ports[i]);
		if (*endp == NULL)
			return;
		endp = &(*endp)->next;
	}
}

int pcap_findalldevs(pcap_if_t **listp, char *errbuf)
{
	const struct npf_genuine *g = npf_genuine();
	npf_autofree struct npf_wire_port *ports = NULL;
	struct npf_error err;
	unsigned int n = 0;
	int rc = PCAP_ERROR;

	*listp = NULL;
	if (g->pcap_findalldevs != NULL)
		rc = g->pcap_findalldevs(listp, errbuf);
	else
		npf_genuine_text(errbuf);
	if (npf_client_list(LIST_TIMEOUT_MS, &ports, &n, &err) < 0)
		return rc;
	add_ports(listp, ports, n);
	/* A list of ours is better than the real library's failure. */
	return *listp != NULL ? 0 : rc;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

char *pcap_lookupdev(char *errbuf)
{
	const struct npf_genuine *g = npf_genuine();
	static char name[NPF_WIRE_NAMELEN];
	npf_autofree struct npf_wire_port *ports = NULL;
	struct npf_error err;
	char *kernels = NULL;
	unsigned int n = 0;

	if (g->pcap_lookupdev != NULL)
		kernels = g->pcap_lookupdev(errbuf);
	if (kernels != NULL)
		return kernels;
	if (npf_client_list(LIST_TIMEOUT_MS, &ports, &n, &err) < 0 || n == 0)
		return NULL;
	snprintf(name, sizeof(name), "%s", ports[0].name);
	return name;
}

#pragma GCC diagnostic pop

int pcap_lookupnet(const char *device, bpf_u_int32 *net, bpf_u_int32 *mask, char *errbuf)
{
	const struct npf_genuine *g = npf_genuine();

	/* A port has no address of its own, unless a kernel interface shadows it. */
	if (npf_handle_is_port(device) && if_nametoindex(device) == 0) {
		*net = 0;
		*mask = 0;
		return 0;
	}
	if (g->pcap_lookupnet == NULL)
		return npf_genuine_text(errbuf);
	return g->pcap_lookupnet(device, net, mask, errbuf);
}
