/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_set.c - the filters of many clients: as one set, and each alone.
 *
 * usage: bench_set [--one] [--rounds N] [--kernel plain|avx2|avx512] [--only CLIENTS]
 *
 * A row: ns a packet for all clients together, the median of the rounds and the least and the
 * greatest, then how many times the set's time all alone take. Rounds of both are interleaved.
 * Time is that of the thread, so what runs beside counts only by what it does to caches and clock.
 * The verdicts of both are compared.
 */
#include "base/clock.h"
#include "filters.h"
#include "jit/set/set.h"
#include "npf-filter/mix.h"

#include <getopt.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define BURST       32u
#define MAX_CLIENTS 64u
#define MAX_ROUNDS  999

/* As different as filters in use are. */
static const char *const different[MAX_CLIENTS] = {"ip", "ip6", "arp", "tcp", "udp", "icmp",
	"icmp6", "icmp or arp", "tcp port 80", "tcp port 443", "udp port 53", "port 22",
	"tcp dst port 25", "tcp src port 8080", "udp dst port 123", "udp src port 53",
	"portrange 1-1023", "tcp dst portrange 8000-8999", "udp portrange 5000-5100",
	"host 10.0.0.1", "src host 10.0.0.2", "dst host 10.0.0.3", "host 10.0.0.4 and tcp",
	"host 10.0.0.5 and udp port 53", "net 10.0.0.0/20", "src net 10.0.1.0/24",
	"dst net 10.0.2.0/24", "net 192.168.0.0/16", "net 172.16.0.0/12 and tcp",
	"vlan and tcp port 443", "vlan 7", "vlan and host 10.0.0.6",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[tcpflags] & tcp-rst != 0",
	"tcp[tcpflags] == tcp-syn", "tcp port 80 and tcp[13] & 8 != 0",
	"tcp port 80 or tcp port 443 or udp port 53", "not (tcp port 22 or arp)",
	"not port 22 and not port 25", "ip6 and udp port 53", "ip6 and tcp port 443",
	"ip6 host 2001:db8::1", "ip6 net 2001:db8::/32", "less 64", "greater 1000",
	"ip and greater 512", "tcp and less 100", "ip[8] < 5", "ip[1] & 0xfc != 0",
	"ip[6:2] & 0x1fff != 0", "ip multicast", "ether multicast", "ether broadcast",
	"ether host 02:00:00:00:00:01", "ether src 02:00:00:00:00:02", "ether proto 0x88cc",
	"ether proto 0x8863 or ether proto 0x8864", "mpls", "sctp", "icmp[icmptype] = icmp-echo",
	"host 10.0.0.7 or host 10.0.0.8",
	"(tcp port 80 or tcp port 443) and net 10.0.0.0/12 and not host 10.0.0.9",
	"tcp port 80 and host 10.0.0.10", "udp and not port 53"};

struct clients {
	unsigned int n;
	struct npf_filter_set_member members[MAX_CLIENTS];
	struct npf_filter *filters[MAX_CLIENTS];
	struct npf_filter_set *set;
	struct npf_filter_set_scratch *scratch;
};

static unsigned int n_rounds = 41;
static unsigned int only; /* as many clients; 0: each number of them */
static enum npf_filter_set_kernel kernel;

static void add(struct clients *c, const char *expr)
{
	const struct filter f = {.name = expr, .expr = expr};
	struct npf_bpf_insn *insns;
	uint32_t n;

	if (filter_program(&f, &insns, &n) < 0 ||
		npf_filter_compile(insns, n, NULL, &c->filters[c->n], NULL) < 0)
		exit(1);
	c->members[c->n] = (struct npf_filter_set_member){
		.insns = insns, .n_insns = n, .filter = c->filters[c->n]};
	c->n++;
}

static uint32_t run_set(struct clients *c, const struct mix *m)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < m->n; i += BURST) {
		const uint32_t *planes = npf_filter_set_run(
			c->set, c->scratch, m->pkts + i, m->lens + i, m->caplens + i, BURST);

		for (unsigned int j = 0; j < c->n; j++)
			sum ^= planes[j];
	}
	return sum;
}

static void run_alone(struct clients *c, const struct mix *m)
{
	for (uint32_t i = 0; i < m->n; i += BURST) {
		for (unsigned int j = 0; j < c->n; j++)
			npf_filter_run_burst(c->filters[j], m->pkts + i, m->lens + i,
				m->caplens + i, BURST, m->results);
	}
}

static void check(struct clients *c, const struct mix *m)
{
	uint32_t results[BURST];

	for (uint32_t i = 0; i < m->n; i += BURST) {
		const uint32_t *planes = npf_filter_set_run(
			c->set, c->scratch, m->pkts + i, m->lens + i, m->caplens + i, BURST);

		for (unsigned int j = 0; j < c->n; j++) {
			uint32_t plane = 0;

			npf_filter_run_burst(c->filters[j], m->pkts + i, m->lens + i,
				m->caplens + i, BURST, results);
			for (uint32_t k = 0; k < BURST; k++)
				plane |= (uint32_t)(results[k] != 0) << k;
			if (plane == planes[j])
				continue;
			fprintf(stderr, "client %u: the set gives %08x, alone %08x\n", j, planes[j],
				plane);
			exit(1);
		}
	}
}

/* Nothing but the planes of a burst depends on the set: the sum keeps the compiler from that. */
static volatile uint32_t sink;

static double time_once(struct clients *c, const struct mix *m, bool alone)
{
	const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	if (alone)
		run_alone(c, m);
	else
		sink = run_set(c, m);
	return (double)(npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / m->n;
}

static void measure(const char *name, struct clients *c, const struct mix *m)
{
	static double set[MAX_ROUNDS], alone[MAX_ROUNDS], ratio[MAX_ROUNDS], us[21];
	const struct npf_filter_set_opts opts = {.kernel = kernel};
	double *const columns[] = {set, alone, ratio};
	struct npf_filter_set_facts facts;
	double mid[3];

	for (unsigned int i = 0; i < NPF_ARRAY_LEN(us); i++) {
		const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

		npf_filter_set_free(c->set);
		if (npf_filter_set_new(c->members, c->n, &opts, &c->set) < 0) {
			fprintf(stderr, "this CPU has no such kernel\n");
			exit(1);
		}
		us[i] = (double)(npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / NPF_NS_PER_US;
	}
	c->scratch = npf_filter_set_scratch_new(c->set);
	if (c->scratch == NULL)
		exit(1);
	check(c, m);
	for (unsigned int r = 0; r < n_rounds; r++) {
		set[r] = time_once(c, m, false);
		alone[r] = time_once(c, m, true);
		ratio[r] = alone[r] / set[r];
	}
	npf_filter_set_explain(c->set, &facts);
	/* Sorted by the call. */
	for (unsigned int i = 0; i < 3; i++)
		mid[i] = median(columns[i], n_rounds);
	printf("%-20s %3u", name, c->n);
	for (unsigned int i = 0; i < 3; i++)
		printf(" %8.2f (%7.2f-%7.2f)", mid[i], columns[i][0], columns[i][n_rounds - 1]);
	printf(" %7.1f  %u/%u %u+%u %u+%u/%u %u:%u/%u,%u\n", median(us, NPF_ARRAY_LEN(us)),
		facts.n_fit[NPF_FILTER_SET_FITS], facts.n_different, facts.n_loads, facts.n_derived,
		facts.n_tests, facts.n_probed, facts.n_probes, facts.n_ops, facts.n_in_runs,
		facts.n_runs, facts.n_levels);
	fflush(stdout);
}

static void bench(const char *name, struct clients *c, const struct mix *m)
{
	if (only == 0 || only == c->n)
		measure(name, c, m);
	c->scratch = npf_filter_set_scratch_free(c->scratch);
	c->set = npf_filter_set_free(c->set);
	for (unsigned int i = 0; i < c->n; i++) {
		npf_filter_free(c->filters[i]);
		free((void *)(uintptr_t)c->members[i].insns);
	}
	c->n = 0;
}

static void bench_all(const char *packets, const struct mix *m)
{
	static struct clients c;
	char expr[64];

	printf("%s: %u packets, bursts of %u, %u interleaved rounds\n%-20s %3s %26s %26s %26s %7s"
	       "  fit loads tests ops\n",
		packets, m->n, BURST, n_rounds, "filters", "n", "ns a packet: set", "alone",
		"times", "us");
	for (unsigned int n = 1; n <= MAX_CLIENTS; n *= 2) {
		for (unsigned int i = 0; i < n; i++) {
			snprintf(expr, sizeof(expr), "host 10.0.0.%u", i + 1);
			add(&c, expr);
		}
		bench("host 10.0.0.i", &c, m);
	}
	for (unsigned int i = 0; i < MAX_CLIENTS; i++)
		add(&c, "tcp port 80");
	bench("tcp port 80, equal", &c, m);
	for (unsigned int i = 0; i < MAX_CLIENTS; i++) {
		snprintf(expr, sizeof(expr), "tcp port %u", 80 + i);
		add(&c, expr);
	}
	bench("tcp port i", &c, m);
	for (unsigned int n = 1; n <= MAX_CLIENTS; n *= 2) {
		/* Spread over the list, whose neighbours are alike. */
		for (unsigned int i = 0; i < n; i++)
			add(&c, different[i * 37 % MAX_CLIENTS]);
		bench("different", &c, m);
	}
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {{"rounds", required_argument, NULL, 'r'},
		{"one", no_argument, NULL, '1'}, {"kernel", required_argument, NULL, 'k'},
		{"only", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
	bool one = false;
	struct mix m;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (c == 'r')
			n_rounds = (unsigned int)NPF_MIN(atoi(optarg), MAX_ROUNDS);
		else if (c == 'o')
			only = (unsigned int)atoi(optarg);
		else if (c == '1')
			one = true;
		else if (c == 'k')
			while (kernel < NPF_FILTER_SET_N_KERNELS &&
				strcmp(npf_filter_set_kernel_name(kernel), optarg) != 0)
				kernel++;
		else
			return 2;
	}
	if (mix_init(&m) < 0)
		return 1;
	if (one)
		mix_repeat(&m, mix_find_tcp(&m, 0));
	bench_all(one ? "one TCP packet repeated" : "mixed traffic", &m);
	mix_fini(&m);
	return 0;
}
