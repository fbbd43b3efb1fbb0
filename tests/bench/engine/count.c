/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count.c - the simplest capture program: count SECONDS DEVICE [FILTER]. libpcap's API only, so
 * that it measures what any program gets. Prints one line: packets and bytes delivered, dropped,
 * nanoseconds.
 */
#include <pcap/pcap.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct sum {
	uint64_t packets, bytes;
};

static void add(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
	struct sum *s = (struct sum *)user;

	s->packets++;
	s->bytes += h->caplen + (data[0] & 0); /* touches the packet, as any program would */
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* One batch; when there is nothing, wait for it, but not beyond the end of the measurement. */
static int read_some(pcap_t *p, struct sum *s)
{
	struct pollfd pfd = {.fd = pcap_get_selectable_fd(p), .events = POLLIN};
	int n = pcap_dispatch(p, 1000, add, (u_char *)s);

	if (n == 0)
		poll(&pfd, 1, 10);
	return n;
}

static int die(const char *why)
{
	fprintf(stderr, "count: %s\n", why);
	return 1;
}

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct sum s = {0}, first;
	struct pcap_stat st = {0}, st0 = {0};
	struct bpf_program prog;
	uint64_t start, end;
	pcap_t *p;

	if (argc < 3)
		return die("usage: count SECONDS DEVICE [FILTER]");
	p = pcap_open_live(argv[2], 262144, 1, 100, errbuf);
	if (p == NULL)
		return die(errbuf);
	if (pcap_setnonblock(p, 1, errbuf) < 0)
		return die(errbuf);
	if (argc > 3 && (pcap_compile(p, &prog, argv[3], 1, PCAP_NETMASK_UNKNOWN) < 0 ||
				pcap_setfilter(p, &prog) < 0))
		return die(pcap_geterr(p));
	/* The first tenth of a second warms up. */
	end = now_ns() + 100000000ull;
	while (now_ns() < end)
		if (read_some(p, &s) < 0)
			return die(pcap_geterr(p));
	first = s;
	pcap_stats(p, &st0);
	start = now_ns();
	end = start + (uint64_t)(atof(argv[1]) * 1e9);
	while (now_ns() < end)
		if (read_some(p, &s) < 0)
			return die(pcap_geterr(p));
	end = now_ns();
	if (pcap_stats(p, &st) < 0)
		return die(pcap_geterr(p));
	printf("%" PRIu64 " %" PRIu64 " %u %" PRIu64 "\n", s.packets - first.packets,
		s.bytes - first.bytes, st.ps_drop - st0.ps_drop, end - start);
	pcap_close(p);
	return 0;
}
