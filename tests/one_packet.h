/* SPDX-License-Identifier: BSD-3-Clause */
/* one_packet.h - the ways to read a packet at a time. Each returns what pcap_next_ex() does. */
#ifndef TESTS_ONE_PACKET_H
#define TESTS_ONE_PACKET_H

#include <pcap/pcap.h>

/* A callback that counts in *(int *)user. */
static inline void count(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	(void)hdr;
	(void)data;
	++*(int *)user;
}

static inline int by_next_ex(pcap_t *p)
{
	struct pcap_pkthdr *hdr;
	const u_char *data;

	return pcap_next_ex(p, &hdr, &data);
}

static inline int by_next(pcap_t *p)
{
	struct pcap_pkthdr hdr;

	return pcap_next(p, &hdr) != NULL;
}

static inline int by_dispatch(pcap_t *p)
{
	int n = 0;

	return pcap_dispatch(p, 1, count, (u_char *)&n);
}

#endif
