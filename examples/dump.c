/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - let the daemon write a savefile: usage: dump PORT FILTER FILE [MAXBYTES [MAXPACKETS]]
 *
 * The program opens the file and says what belongs into it; the packets go from the port to the
 * disk without passing through here. It only waits for a limit, or for ^C, and closing the handle
 * makes the file whole.
 */
#include <npfdp.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct bpf_program filter;
	struct npfdp_stats stats;
	pcap_t *p;
	int ended = 0;

	if (argc < 4 || argc > 6) {
		fprintf(stderr, "usage: dump PORT FILTER FILE [MAXBYTES [MAXPACKETS]]\n");
		return 2;
	}
	p = pcap_open(argv[1], 65536, PCAP_OPENFLAG_PROMISCUOUS, 1000, NULL, errbuf);
	if (p == NULL) {
		fprintf(stderr, "dump: %s\n", errbuf);
		return 1;
	}
	if (pcap_compile(p, &filter, argv[2], 1, PCAP_NETMASK_UNKNOWN) < 0 ||
		pcap_setfilter(p, &filter) < 0 ||
		pcap_live_dump(p, argv[3], argc > 4 ? atoi(argv[4]) : 0,
			argc > 5 ? atoi(argv[5]) : 0) < 0) {
		fprintf(stderr, "dump: %s\n", pcap_geterr(p));
		return 1;
	}
	pcap_freecode(&filter);
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	while (!stopped && ended == 0) {
		usleep(100000);
		ended = pcap_live_dump_ended(p, 0);
	}
	if (ended < 0)
		fprintf(stderr, "dump: %s\n", pcap_geterr(p));
	else if (npfdp_stats(p, &stats, sizeof(stats)) == 0)
		printf("%s: %" PRIu64 " packets accepted\n",
			ended ? "a limit was reached" : "stopped", stats.accepted);
	pcap_close(p);
	return ended < 0;
}
