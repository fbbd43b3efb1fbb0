/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * change.c - a capture whose buffer, filter and wake-up rules change all the time: change DEVICE
 * COUNT SEED.
 *
 * The port replays, without loss, COUNT frames that carry their number in the four bytes behind the
 * Ethernet header. While every filter accepts all, each number must come, in order, once. Then
 * filters alternate between even and odd numbers: from the moment that pcap_setfilter() returns
 * only the new kind may come, still in order. Exit status 0 when all that held.
 */
#include <npfdp.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pcap_t *p;
static const char *const accept_all[] = {
	"", "ether[14:4] >= 0", "ip or ether proto 0x88b5", "greater 10"};

static void die(const char *what, uint32_t at)
{
	fprintf(stderr, "change: at number %" PRIu32 ": %s: %s\n", at, what, pcap_geterr(p));
	exit(1);
}

static void set_filter(const char *expr, uint32_t at)
{
	struct bpf_program prog;

	if (pcap_compile(p, &prog, expr, 1, PCAP_NETMASK_UNKNOWN) < 0 ||
		pcap_setfilter(p, &prog) < 0)
		die(expr, at);
	pcap_freecode(&prog);
}

static void change_something(uint32_t at)
{
	switch (lrand48() % 4) {
	case 0:
		if (pcap_setbuff(p, (int)(65536 + lrand48() % (4 << 20))) < 0)
			die("pcap_setbuff", at);
		break;
	case 1:
		if (pcap_setuserbuffer(p, (int)(1 + lrand48() % 300000)) < 0)
			die("pcap_setuserbuffer", at);
		break;
	case 2:
		if (pcap_setmintocopy(p, (int)(lrand48() % 100000)) < 0)
			die("pcap_setmintocopy", at);
		break;
	default:
		set_filter(accept_all[lrand48() % 4], at);
		break;
	}
}

static uint32_t next_number(uint32_t at)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	uint32_t number;
	int rc = pcap_next_ex(p, &h, &data);

	while (rc == 0)
		rc = pcap_next_ex(p, &h, &data);
	if (rc < 0)
		die("pcap_next_ex", at);
	if (h->caplen < 18)
		die("a frame was cut", at);
	memcpy(&number, data + 14, sizeof(number));
	return ntohl(number);
}

int main(int argc, char **argv)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_stat st;
	uint32_t count, half, at = 0, changes = 0;
	int odd = 0;

	if (argc != 4)
		return 2;
	count = (uint32_t)strtoul(argv[2], NULL, 10);
	half = count / 2;
	srand48(strtol(argv[3], NULL, 10));
	p = pcap_open_live(argv[1], 262144, 1, 10, errbuf);
	if (p == NULL) {
		fprintf(stderr, "change: %s\n", errbuf);
		return 1;
	}
	for (; at < half; at++) {
		uint32_t got = next_number(at);

		if (got != at) {
			fprintf(stderr,
				"change: number %" PRIu32 " came, %" PRIu32
				" was due, after %" PRIu32 " changes\n",
				got, at, changes);
			return 1;
		}
		if (lrand48() % 500 == 0) {
			change_something(at);
			changes++;
		}
	}
	if (pcap_stats(p, &st) < 0 || st.ps_recv < half || st.ps_drop != 0)
		die("counters", at);
	/* The last number is let through by both kinds, so that the end is seen. */
	set_filter("ether[17] & 1 = 0 or ether[14:4] = 0xffffffff", at);
	for (uint32_t last = half - 1;;) {
		uint32_t got = next_number(last);

		if (got == UINT32_MAX)
			break;
		if (got <= last || got % 2 != (uint32_t)odd) {
			fprintf(stderr,
				"change: number %" PRIu32 " came after %" PRIu32
				" with the filter for %s ones\n",
				got, last, odd ? "odd" : "even");
			return 1;
		}
		last = got;
		if (lrand48() % 200 == 0) {
			odd = !odd;
			set_filter(odd ? "ether[17] & 1 = 1 or ether[14:4] = 0xffffffff"
				       : "ether[17] & 1 = 0 or ether[14:4] = 0xffffffff",
				last);
			changes++;
		}
	}
	if (pcap_stats(p, &st) < 0 || st.ps_drop != 0)
		die("counters", count);
	printf("%" PRIu32 " numbers, %" PRIu32 " changes\n", count, changes);
	pcap_close(p);
	return 0;
}
