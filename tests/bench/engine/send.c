/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send.c - how fast a program sends through pcap's calls: packets a second, printed.
 *
 *   send PORT writes N            one packet of 64 bytes, N times for one call
 *   send PORT queue FILE ROUNDS   the file's packets as one send queue, again and again, asap
 */
#include <npfdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char errbuf[PCAP_ERRBUF_SIZE];

static int fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int send_writes(pcap_t *p, int n)
{
	unsigned char frame[64] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
	double start;

	if (pcap_setnumwrites(p, n) < 0)
		return fail(pcap_geterr(p));
	start = now();
	if (pcap_sendpacket(p, frame, sizeof(frame)) < 0)
		return fail(pcap_geterr(p));
	printf("%.0f\n", n / (now() - start));
	return 0;
}

static int send_queue(pcap_t *p, const char *file, int rounds)
{
	pcap_t *in = pcap_open_offline(file, errbuf);
	pcap_send_queue *q = pcap_sendqueue_alloc(256 << 20);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	double start, n = 0;

	if (in == NULL || q == NULL)
		return fail(errbuf);
	for (; pcap_next_ex(in, &hdr, &data) == 1; n++)
		if (pcap_sendqueue_queue(q, hdr, data) < 0)
			return fail("the file is too large");
	pcap_close(in);
	start = now();
	for (int i = 0; i < rounds; i++)
		if (pcap_sendqueue_transmit(p, q, 0) < q->len)
			return fail(pcap_geterr(p));
	printf("%.0f\n", n * rounds / (now() - start));
	pcap_sendqueue_destroy(q);
	return 0;
}

int main(int argc, char **argv)
{
	pcap_t *p = argc > 3 ? pcap_open_live(argv[1], 65535, 1, 1000, errbuf) : NULL;
	int rc;

	if (p == NULL)
		return fail(argc > 3 ? errbuf : "see the top of send.c");
	if (strcmp(argv[2], "writes") == 0)
		rc = send_writes(p, atoi(argv[3]));
	else
		rc = argc > 4 ? send_queue(p, argv[3], atoi(argv[4])) : fail("how many rounds?");
	pcap_close(p);
	return rc;
}
