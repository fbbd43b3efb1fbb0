/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modes.c - WinPcap's modes and send queues as a program uses them; modes.sh looks at what it says.
 *
 *   modes stat PORT INTERVAL-MS N-RECORDS [FILTER]
 *       prints packets, bytes, records, and the greatest deviation of a stamp from the schedule, us
 *   modes queue PORT FILE asap|sync
 *       prints bytes sent, bytes of the queue, ms, and how late its packets left: p50, p99, max, ns
 *   modes repeat PORT N
 *       one packet of 64 bytes, N times for one call
 *   modes endless PORT MS
 *       one packet for ever, until pcap_breakloop() after MS: prints ms and the handle's error
 *   modes inject PORT N block|nonblock
 *       N packets of 64 bytes, a call each: prints how many were sent, us, and the last errno
 */
#include <Win32-Extensions.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static char errbuf[PCAP_ERRBUF_SIZE];

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "modes: %s: %s\n", what, why);
	return 1;
}

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ll + ts.tv_nsec / 1000;
}

static int stat_mode(int argc, char **argv)
{
	int interval_ms = atoi(argv[3]), n = atoi(argv[4]);
	long long packets = 0, bytes = 0, first = 0, off = 0;
	struct bpf_program prog;
	struct pcap_pkthdr *hdr;
	const u_char *data;
	/* The snap length cuts no record of counts, but what came before the filter must show it
	 * all that it wants to see. */
	pcap_t *p = pcap_open_live(argv[2], argc > 5 ? 65535 : 8, 1, interval_ms, errbuf);

	if (p == NULL)
		return fail(argv[2], errbuf);
	if (argc > 5 && (pcap_compile(p, &prog, argv[5], 1, PCAP_NETMASK_UNKNOWN) < 0 ||
				pcap_setfilter(p, &prog) < 0))
		return fail(argv[5], pcap_geterr(p));
	if (argc > 5)
		pcap_freecode(&prog);
	if (pcap_setmode(p, MODE_STAT) < 0)
		return fail("pcap_setmode", pcap_geterr(p));
	for (int i = 0; i < n; i++) {
		long long counters[2], us;

		if (pcap_next_ex(p, &hdr, &data) != 1)
			return fail("pcap_next_ex", pcap_geterr(p));
		if (hdr->caplen != 16 || hdr->len != 16)
			return fail("record", "not of 16 bytes");
		memcpy(counters, data, sizeof(counters));
		packets += counters[0];
		bytes += counters[1];
		us = hdr->ts.tv_sec * 1000000ll + hdr->ts.tv_usec;
		if (i == 0)
			first = us;
		us = llabs(us - first - i * (interval_ms > 0 ? interval_ms : 1000) * 1000ll);
		off = us > off ? us : off;
	}
	printf("%lld %lld %d %lld\n", packets, bytes, n, off);
	pcap_close(p);
	return 0;
}

/* As WinPcap's sendcap: sized by the file. */
static pcap_send_queue *load(const char *file)
{
	pcap_t *in = pcap_open_offline(file, errbuf);
	struct pcap_pkthdr *hdr;
	pcap_send_queue *q;
	const u_char *data;
	FILE *f = fopen(file, "rb");
	long size;

	if (in == NULL || f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f) - 24;
	fclose(f);
	q = pcap_sendqueue_alloc((u_int)size);
	while (pcap_next_ex(in, &hdr, &data) == 1)
		if (pcap_sendqueue_queue(q, hdr, data) < 0)
			return NULL;
	pcap_close(in);
	return q;
}

static int send_queue(char **argv)
{
	pcap_t *p = pcap_open_live(argv[2], 65535, 1, 1000, errbuf);
	int sync = strcmp(argv[4], "sync") == 0;
	struct npfdp_stats s;
	unsigned int sent;
	pcap_send_queue *q;
	long long start, ms;

	if (p == NULL)
		return fail(argv[2], errbuf);
	q = load(argv[3]);
	if (q == NULL)
		return fail(argv[3], "the queue can't be filled");
	start = now_us();
	sent = pcap_sendqueue_transmit(p, q, sync);
	if (sent < q->len)
		fail("pcap_sendqueue_transmit", pcap_geterr(p));
	ms = (now_us() - start) / 1000;
	if (npfdp_stats(p, &s, sizeof(s)) < 0)
		return fail("npfdp_stats", pcap_geterr(p));
	printf("%u %u %lld %llu %llu %llu\n", sent, q->len, ms, (unsigned long long)s.late_p50_ns,
		(unsigned long long)s.late_p99_ns, (unsigned long long)s.late_max_ns);
	pcap_sendqueue_destroy(q);
	pcap_close(p);
	return 0;
}

static int repeat(char **argv)
{
	pcap_t *p = pcap_open_live(argv[2], 65535, 1, 1000, errbuf);
	unsigned char frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (p == NULL)
		return fail(argv[2], errbuf);
	if (pcap_setnumwrites(p, atoi(argv[3])) < 0)
		return fail("pcap_setnumwrites", pcap_geterr(p));
	if (pcap_sendpacket(p, frame, sizeof(frame)) < 0)
		return fail("pcap_sendpacket", pcap_geterr(p));
	pcap_close(p);
	return 0;
}

static pcap_t *endless;

static void break_it(int sig)
{
	(void)sig;
	pcap_breakloop(endless);
}

static int send_endlessly(char **argv)
{
	struct itimerval soon = {.it_value = {.tv_usec = atoi(argv[3]) * 1000}};
	unsigned char frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	long long start = now_us();

	endless = pcap_open_live(argv[2], 65535, 1, 1000, errbuf);
	if (endless == NULL)
		return fail(argv[2], errbuf);
	if (pcap_setnumwrites(endless, INT_MAX) < 0)
		return fail("pcap_setnumwrites", pcap_geterr(endless));
	signal(SIGALRM, break_it);
	setitimer(ITIMER_REAL, &soon, NULL);
	if (pcap_sendpacket(endless, frame, sizeof(frame)) == 0)
		return fail("pcap_sendpacket", "has come to its end");
	printf("%lld %s\n", (now_us() - start) / 1000, pcap_geterr(endless));
	pcap_close(endless);
	return 0;
}

static int inject(char **argv)
{
	pcap_t *p = pcap_open_live(argv[2], 65535, 1, 1000, errbuf);
	unsigned char frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	int sent = 0, error = 0;
	long long start;

	if (p == NULL)
		return fail(argv[2], errbuf);
	if (pcap_setnonblock(p, strcmp(argv[4], "nonblock") == 0, errbuf) < 0)
		return fail("pcap_setnonblock", errbuf);
	start = now_us();
	for (int i = 0; i < atoi(argv[3]); i++) {
		if (pcap_inject(p, frame, sizeof(frame)) == sizeof(frame)) {
			sent++;
		} else {
			error = errno;
			fail("pcap_inject", pcap_geterr(p));
		}
	}
	printf("%d %lld %s\n", sent, now_us() - start, strerrorname_np(error));
	pcap_close(p);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && strcmp(argv[1], "stat") == 0)
		return stat_mode(argc, argv);
	if (argc == 5 && strcmp(argv[1], "queue") == 0)
		return send_queue(argv);
	if (argc == 4 && strcmp(argv[1], "repeat") == 0)
		return repeat(argv);
	if (argc == 4 && strcmp(argv[1], "endless") == 0)
		return send_endlessly(argv);
	if (argc == 5 && strcmp(argv[1], "inject") == 0)
		return inject(argv);
	return fail("arguments", "see the top of modes.c");
}
