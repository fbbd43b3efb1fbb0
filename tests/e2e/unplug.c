/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unplug - a program whose port is removed while it works there.
 *
 *   unplug capture|poll|stat|inject|queue PORT
 *   unplug dump PORT FILE
 *
 * Works until the port fails and prints a line: what was done, what pcap_stats_ex() says of it, and
 * pcap_geterr(). capture: packets got by pcap_loop(); poll: the same by poll() and pcap_dispatch();
 * stat: packets that statistics mode counted; inject: packets sent one by one; queue: packets sent
 * by a queue with a schedule; dump: pcap_live_dump() ended and has the file whole. Exit status 0
 * when it ended with an error, as it should, and the next call fails as well.
 */
#include "npfdp.h"

#include <pcap/pcap.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_PACKETS 200000u
#define QUEUE_STEP_US 100

static unsigned long long n;
static char *file;

static void count(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	(void)user;
	(void)hdr;
	(void)data;
	n++;
}

static void count_counts(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	int64_t packets;

	(void)user;
	(void)hdr;
	memcpy(&packets, data, sizeof(packets));
	n += (unsigned long long)packets;
}

static int capture(pcap_t *p)
{
	return pcap_loop(p, -1, count, NULL);
}

static int capture_by_poll(pcap_t *p)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pollfd pfd = {.fd = pcap_get_selectable_fd(p), .events = POLLIN};
	int rc = pcap_setnonblock(p, 1, errbuf);

	while (rc >= 0) {
		if (poll(&pfd, 1, 10000) != 1)
			return 0; /* nobody told us */
		rc = pcap_dispatch(p, -1, count, NULL);
	}
	return rc;
}

static int stat_mode(pcap_t *p)
{
	if (pcap_setmode(p, MODE_STAT) < 0)
		return 0;
	return pcap_loop(p, -1, count_counts, NULL);
}

static int dump(pcap_t *p)
{
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int rc;

	if (file == NULL || pcap_live_dump(p, file, 0, 0) < 0)
		return 0;
	if (pcap_live_dump_ended(p, 1) != 1)
		return 0;
	/* It has not ended by itself: the port is gone, which a read says. */
	do
		rc = pcap_next_ex(p, &hdr, &data);
	while (rc >= 0);
	return rc;
}

static int inject(pcap_t *p)
{
	static const unsigned char frame[60] = {
		0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5};
	int rc;

	while ((rc = pcap_sendpacket(p, frame, sizeof(frame))) == 0)
		n++;
	return rc;
}

static int queue(pcap_t *p)
{
	static const unsigned char frame[60] = {
		0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5};
	pcap_send_queue *q = pcap_sendqueue_alloc(
		QUEUE_PACKETS * (unsigned int)(sizeof(struct pcap_pkthdr) + sizeof(frame)));
	unsigned int bytes;

	for (unsigned int i = 0; q != NULL && i < QUEUE_PACKETS; i++) {
		unsigned int us = i * QUEUE_STEP_US;
		struct pcap_pkthdr hdr = {.ts = {us / 1000000, us % 1000000},
			.caplen = sizeof(frame),
			.len = sizeof(frame)};

		if (pcap_sendqueue_queue(q, &hdr, frame) < 0)
			return 0;
	}
	if (q == NULL)
		return 0;
	bytes = pcap_sendqueue_transmit(p, q, 1);
	n = bytes / (sizeof(struct pcap_pkthdr) + sizeof(frame));
	bytes = q->len - bytes;
	pcap_sendqueue_destroy(q);
	return bytes > 0 ? PCAP_ERROR : 0;
}

static const struct {
	const char *name;
	int (*run)(pcap_t *);
} works[] = {
	{"capture", capture},
	{"poll", capture_by_poll},
	{"stat", stat_mode},
	{"dump", dump},
	{"inject", inject},
	{"queue", queue},
};

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE], text[PCAP_ERRBUF_SIZE];
	struct pcap_stat st = {0};
	struct pcap_pkthdr *hdr;
	const u_char *data;
	size_t w = 0;
	pcap_t *p;
	int rc;

	file = argc == 4 ? argv[3] : NULL;
	while (argc >= 3 && w < sizeof(works) / sizeof(works[0]) &&
		strcmp(argv[1], works[w].name) != 0)
		w++;
	if (argc < 3 || w == sizeof(works) / sizeof(works[0]))
		return 2;
	p = pcap_open_live(argv[2], 256, 1, 100, errbuf);
	if (p == NULL) {
		fprintf(stderr, "unplug: %s\n", errbuf);
		return 1;
	}
	fprintf(stderr, "unplug: ready\n");
	rc = works[w].run(p);
	snprintf(text, sizeof(text), "%s", pcap_geterr(p));
	if (pcap_stats(p, &st) < 0)
		fprintf(stderr, "unplug: pcap_stats: %s\n", pcap_geterr(p));
	printf("%llu received %u dropped %u: %s\n", n, st.ps_recv, st.ps_drop, text);
	/* What needs the port says the same. */
	if (pcap_setbuff(p, 1 << 20) == 0 || strcmp(pcap_geterr(p), text) != 0) {
		fprintf(stderr, "unplug: pcap_setbuff: %s\n", pcap_geterr(p));
		rc = 0;
	}
	/* Once more: the end stays the end. A read that sent packets has captured none. */
	if (rc == PCAP_ERROR && works[w].run != inject && works[w].run != queue)
		rc = pcap_next_ex(p, &hdr, &data);
	else if (rc == PCAP_ERROR)
		rc = pcap_sendpacket(
			p, (const u_char *)"an Ethernet frame as long as one must be", 40);
	pcap_close(p);
	return rc == PCAP_ERROR ? 0 : 1;
}
