/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c - print the packets that arrive on a device: usage: capture DEVICE [FILTER [COUNT]]
 *
 * Plain libpcap, nothing else: the same source captures from npf0, from eth0 and, built with
 * -lpcap, without npf-dpdk. What it shows: create, set, activate; a filter; a loop that
 * ends at a signal; counters at the end.
 */
#include <pcap/pcap.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pcap_t *handle;

static void stop(int sig)
{
	(void)sig;
	pcap_breakloop(handle);
}

static void print(unsigned char *user, const struct pcap_pkthdr *hdr, const unsigned char *data)
{
	(void)user;
	printf("%lld.%06ld %5u bytes", (long long)hdr->ts.tv_sec, (long)hdr->ts.tv_usec, hdr->len);
	for (unsigned int i = 0; i < 14 && i < hdr->caplen; i++)
		printf("%s%02x", i % 6 == 0 ? "  " : ":", data[i]);
	putchar('\n');
}

static int fail(const char *what)
{
	fprintf(stderr, "capture: %s: %s\n", what, pcap_geterr(handle));
	return 1;
}

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct bpf_program filter;
	struct pcap_stat stats;
	int status;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: capture DEVICE [FILTER [COUNT]]\n");
		return 2;
	}
	handle = pcap_create(argv[1], errbuf);
	if (handle == NULL) {
		fprintf(stderr, "capture: %s\n", errbuf);
		return 1;
	}
	pcap_set_snaplen(handle, 256);
	pcap_set_promisc(handle, 1);
	pcap_set_timeout(handle, 200);
	status = pcap_activate(handle);
	if (status < 0)
		return fail(pcap_statustostr(status));
	if (argc > 2) {
		if (pcap_compile(handle, &filter, argv[2], 1, PCAP_NETMASK_UNKNOWN) < 0 ||
			pcap_setfilter(handle, &filter) < 0)
			return fail(argv[2]);
		pcap_freecode(&filter);
	}
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	status = pcap_loop(handle, argc > 3 ? atoi(argv[3]) : -1, print, NULL);
	if (status == PCAP_ERROR)
		fail(argv[1]);
	if (pcap_stats(handle, &stats) == 0)
		fprintf(stderr,
			"%u passed the filter, %u of them found no room, the port lost %u\n",
			stats.ps_recv, stats.ps_drop, stats.ps_ifdrop);
	pcap_close(handle);
	return status == PCAP_ERROR;
}
