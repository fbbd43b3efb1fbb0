/* SPDX-License-Identifier: BSD-3-Clause */
/* filters.c - the filters that are timed; their programs come from libpcap or from a set. */
#include "filters.h"

#include "expression/expression.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

const struct filter filters[] = {
	{"ip", "ip", 0, 0, true},
	{"udp", "udp", 0, 0, true},
	{"icmp or arp", "icmp or arp", 0, 0, true},
	{"tcp port 80", "tcp port 80", 0, 0, true},
	{"ip6 and udp port 53", "ip6 and udp port 53", 0, 0, true},
	{"portrange 1-1023", "portrange 1-1023", 0, 0, true},
	{"host 10.0.0.1", "host 10.0.0.1", 0, 0, true},
	{"net 10.0.0.0/20", "net 10.0.0.0/20", 0, 0, true},
	{"vlan and tcp port 443", "vlan and tcp port 443", 0, 0, true},
	{"tcp syn or fin", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", 0, 0, true},
	{"web or dns", "tcp port 80 or tcp port 443 or udp port 53", 0, 0, true},
	{"not ssh, not arp", "not (tcp port 22 or arp)", 0, 0, true},
	{"web of a net", "(tcp port 80 or tcp port 443) and net 10.0.0.0/12 and not host 10.0.0.9",
		0, 0, true},
	{"40 hosts", NULL, 40, 0, true},
	{"100 hosts", NULL, 100, 0, false},
	{"1000 hosts", NULL, 1000, 0, false},
	{"4000 hosts", NULL, 4000, 0, false},
	{"40 ports", NULL, 0, 40, false},
	{"1000 ports", NULL, 0, 1000, false},
};

const size_t n_filters = NPF_ARRAY_LEN(filters);

int filter_program(const struct filter *f, struct npf_bpf_insn **insnsp, uint32_t *np)
{
	npf_autofree char *text = NULL;
	struct bpf_program prog;
	pcap_t *p;
	size_t len;
	FILE *out;

	if (f->expr != NULL) {
		p = pcap_open_dead(DLT_EN10MB, 262144);
		if (pcap_compile(p, &prog, f->expr, 1, PCAP_NETMASK_UNKNOWN) != 0) {
			fprintf(stderr, "%s: %s\n", f->expr, pcap_geterr(p));
			exit(1);
		}
		pcap_close(p);
		*insnsp = (struct npf_bpf_insn *)prog.bf_insns;
		*np = prog.bf_len;
		return 0;
	}
	out = open_memstream(&text, &len);
	/* One host in eight is among those that most packets have. */
	for (uint32_t i = 0, x = 1; i < f->hosts; i++) {
		x = x * 1664525u + 1013904223u;
		fprintf(out, "10.%u.%u.%u\n", i % 8 ? x >> 24 : 0, x >> (i % 8 ? 16 : 28) & 0xff,
			x >> 8 & 0xff);
	}
	for (uint32_t i = 0; i < f->ports; i++)
		fprintf(out, "port %u\n", (i * 61u + 443u) % 65536);
	fclose(out);
	return npf_expression_compile_set(text, len, 262144, insnsp, np, NULL);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}
