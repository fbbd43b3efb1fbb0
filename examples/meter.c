/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * meter.c - a traffic meter in statistics mode: usage: meter PORT FILTER [INTERVAL_MS [COUNT]]
 *
 * The daemon counts what passes the filter and sends one small record an interval: no packet is
 * copied to this program, whatever the port carries.
 */
#include <npfdp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int interval_ms = 1000;

static void show(unsigned char *user, const struct pcap_pkthdr *hdr, const unsigned char *data)
{
	int64_t counters[2]; /* packets, bytes */

	(void)user;
	memcpy(counters, data, sizeof(counters));
	printf("%lld.%06ld  %10" PRId64 " packets  %12.0f packets/s  %12.3f Mbit/s\n",
		(long long)hdr->ts.tv_sec, (long)hdr->ts.tv_usec, counters[0],
		(double)counters[0] * 1000 / interval_ms,
		(double)counters[1] * 8 / 1000 / interval_ms);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct bpf_program filter;
	pcap_t *p;
	int status;

	if (argc < 3 || argc > 5) {
		fprintf(stderr, "usage: meter PORT FILTER [INTERVAL_MS [COUNT]]\n");
		return 2;
	}
	if (argc > 3)
		interval_ms = (unsigned int)atoi(argv[3]);
	if (interval_ms == 0)
		interval_ms = 1000;
	p = pcap_open(argv[1], 65536, PCAP_OPENFLAG_PROMISCUOUS, (int)interval_ms, NULL, errbuf);
	if (p == NULL) {
		fprintf(stderr, "meter: %s\n", errbuf);
		return 1;
	}
	if (pcap_compile(p, &filter, argv[2], 1, PCAP_NETMASK_UNKNOWN) < 0 ||
		pcap_setfilter(p, &filter) < 0 || pcap_setmode(p, MODE_STAT) < 0) {
		fprintf(stderr, "meter: %s\n", pcap_geterr(p));
		return 1;
	}
	pcap_freecode(&filter);
	status = pcap_loop(p, argc > 4 ? atoi(argv[4]) : -1, show, NULL);
	if (status == PCAP_ERROR)
		fprintf(stderr, "meter: %s\n", pcap_geterr(p));
	pcap_close(p);
	return status == PCAP_ERROR;
}
