/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counted.c - a program that changes its mind: opens a port, lets packets pile up, then counts.
 *
 *   counted PORT DELAY_MS INTERVAL_MS N: prints the packets of all intervals, until there are N or
 *   two seconds have brought none.
 */
#include <npfdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	long long sum = 0, n, counters[2];
	int quiet = 0, interval;
	struct pcap_pkthdr *hdr;
	const u_char *data;
	pcap_t *p;

	if (argc != 5)
		return 2;
	interval = atoi(argv[3]);
	n = atoll(argv[4]);
	p = pcap_open_live(argv[1], 65535, 1, interval, errbuf);
	if (p == NULL) {
		fprintf(stderr, "%s\n", errbuf);
		return 1;
	}
	usleep((useconds_t)atoi(argv[2]) * 1000);
	if (pcap_setmode(p, MODE_STAT) < 0)
		goto fail;
	while (sum < n && quiet * interval < 2000) {
		if (pcap_next_ex(p, &hdr, &data) != 1)
			goto fail;
		memcpy(counters, data, sizeof(counters));
		sum += counters[0];
		quiet = counters[0] == 0 ? quiet + 1 : 0;
	}
	printf("%lld\n", sum);
	pcap_close(p);
	return 0;
fail:
	fprintf(stderr, "%s\n", pcap_geterr(p));
	return 1;
}
