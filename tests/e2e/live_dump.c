/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_dump.c - WinPcap's live dump, used as its manual has it:
 *
 *   dump PORT FILE MAXSIZE MAXPACKS [FILTER]
 *
 * Waits for a limit, or, without one, for a line on standard input; with STAT=1 in the environment
 * it counts at the same time and prints each interval's three counters, and with LATE=1, too, one
 * more after a line on standard input; with SEND=n it sends n frames of its own while it dumps.
 * With AGAIN=FILE2 it dumps once more, into that file, when a limit has ended the first dump.
 */
#include <npfdp.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(pcap_t *p, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, pcap_geterr(p));
	return 1;
}

static int count(pcap_t *p, int n)
{
	struct pcap_pkthdr *hdr;
	const u_char *data;

	while (n-- > 0) {
		long long c[3];

		if (pcap_next_ex(p, &hdr, &data) != 1)
			return fail(p, "no interval");
		if (hdr->caplen != sizeof(c))
			return fail(p, "not three counters");
		memcpy(c, data, sizeof(c));
		printf("%lld %lld %lld\n", c[0], c[1], c[2]);
	}
	return 0;
}

static int send_own(pcap_t *p, int n)
{
	static const unsigned char frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	while (n-- > 0)
		if (pcap_sendpacket(p, frame, sizeof(frame)) < 0)
			return fail(p, "sendpacket");
	return 0;
}

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct bpf_program prog;
	int maxsize, maxpacks;
	char line[8];
	pcap_t *p;

	if (argc < 5)
		return 2;
	maxsize = atoi(argv[3]);
	maxpacks = atoi(argv[4]);
	p = pcap_open_live(argv[1], 65535, 1, 100, errbuf);
	if (p == NULL) {
		fprintf(stderr, "%s\n", errbuf);
		return 1;
	}
	if (argc > 5 && (pcap_compile(p, &prog, argv[5], 1, 0) < 0 || pcap_setfilter(p, &prog) < 0))
		return fail(p, argv[5]);
	if (argc > 5)
		pcap_freecode(&prog);
	if (getenv("STAT") != NULL && pcap_setmode(p, MODE_STAT | MODE_DUMP) < 0)
		return fail(p, "setmode");
	if (pcap_live_dump_ended(p, 0) != PCAP_ERROR)
		return fail(p, "ended before it began");
	if (pcap_live_dump(p, argv[2], maxsize, maxpacks) < 0)
		return fail(p, "live_dump");
	if (maxsize == 0 && maxpacks == 0 && pcap_live_dump(p, argv[2], 0, 0) != PCAP_ERROR)
		return fail(p, "a second dump");
	if (getenv("SEND") != NULL && send_own(p, atoi(getenv("SEND"))) != 0)
		return 1;
	puts("dumping");
	fflush(stdout);
	if (getenv("STAT") != NULL && count(p, 5) != 0)
		return 1;
	if (maxsize == 0 && maxpacks == 0) {
		if (fgets(line, sizeof(line), stdin) == NULL)
			return 1;
		if (pcap_live_dump_ended(p, 0) != 0)
			return fail(p, "a dump without limits has ended");
	} else if (pcap_live_dump_ended(p, 1) <= 0) {
		return fail(p, "live_dump_ended");
	}
	if (getenv("LATE") != NULL &&
		(fgets(line, sizeof(line), stdin) == NULL || count(p, 1) != 0))
		return 1;
	if (getenv("AGAIN") != NULL) {
		if (pcap_live_dump(p, getenv("AGAIN"), maxsize, maxpacks) < 0)
			return fail(p, "live_dump, once more");
		if (pcap_live_dump_ended(p, 1) <= 0)
			return fail(p, "live_dump_ended, once more");
	}
	pcap_close(p);
	return 0;
}
