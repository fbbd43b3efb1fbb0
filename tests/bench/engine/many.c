/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * many.c SECONDS PORT FILTER... - a capture for each filter; none of them is read. Says "open" when
 * all are there.
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void capture(const char *port, const char *filter)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct bpf_program program;
	pcap_t *p = pcap_create(port, errbuf);

	if (p == NULL)
		fail(port, errbuf);
	pcap_set_snaplen(p, 96);
	pcap_set_buffer_size(p, 128 << 10);
	if (pcap_activate(p) < 0 ||
		pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0 ||
		pcap_setfilter(p, &program) < 0)
		fail(filter, pcap_geterr(p));
	pcap_freecode(&program);
	pcap_setnonblock(p, 1, errbuf);
	pcap_dispatch(p, 0, NULL, NULL);
}

int main(int argc, char **argv)
{
	for (int i = 3; i < argc; i++)
		capture(argv[2], argv[i]);
	puts("open");
	fflush(stdout);
	usleep((useconds_t)(atof(argv[1]) * 1e6));
	return 0;
}
